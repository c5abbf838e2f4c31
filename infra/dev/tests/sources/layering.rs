//! Who may know whom.

use std::process::Command;

use serde_json::Value;

use crate::source::{Source, root};

/// Words that must not stand in a part of the project.
struct Absence {
    /// The promise that the words would break.
    promise: &'static str,
    /// The modules it holds for.
    within: &'static [&'static str],
    /// Modules inside those for which it does not hold.
    except: &'static [&'static str],
    words: &'static [&'static str],
}

const ABSENCES: [Absence; 8] = [
    Absence {
        promise: "shared has no input or output",
        within: &["shared/src"],
        except: &[],
        words: &[
            "std::fs",
            "std::io",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "std::env",
            "std::process",
            "std::thread",
            "tokio",
        ],
    },
    Absence {
        promise: "shared has no clock",
        within: &["shared/src"],
        except: &[],
        words: &["SystemTime", "Instant", "chrono", "jiff"],
    },
    Absence {
        promise: "shared has no randomness",
        within: &["shared/src"],
        except: &[],
        // The standard hash tables draw their keys at random.
        words: &["rand", "getrandom", "fastrand", "HashMap", "HashSet"],
    },
    Absence {
        promise: "the engine knows no HTTP and no Redis",
        within: &["origin/src/engine"],
        except: &[],
        words: &["http", "hyper", "axum", "StatusCode", "redis"],
    },
    Absence {
        promise: "the scheduler knows no tensors, no clock, no input or output",
        within: &["origin/src/engine/scheduler"],
        except: &[],
        words: &["tensors", "Matrix", "Instant", "SystemTime", "std::fs", "std::io", "tokio", "tracing"],
    },
    Absence {
        promise: "CUDA is known under backend/cuda alone",
        within: &["benches", "edge", "infra", "origin", "shared", "tests"],
        except: &["origin/src/backend/cuda", "infra/dev/tests"],
        words: &["cudarc"],
    },
    Absence {
        promise: "the edge component knows no native runtime",
        within: &["edge/src"],
        except: &[],
        words: &["tokio", "std::fs", "TcpStream", "TcpListener", "UdpSocket", "std::thread"],
    },
    Absence {
        promise: "no request of the edge waits for another by a lock or a channel",
        within: &["edge/src"],
        // A test holds the other end of a stream.
        except: &["edge/src/relay/tests"],
        words: &["Mutex", "RwLock", "Condvar", "Semaphore", "futures::lock", "futures::channel", "Shared"],
    },
];

/// The origin's modules from the outside in. Each may use those behind it and its neighbours, never one before it.
/// Model and tokenizer are neighbours because both are read from the same files.
const STACK: [&[&str]; 8] = [
    &["main"],
    &["server", "selftest", "bench"],
    &["api"],
    &["copy"],
    &["jobs", "cache"],
    &["engine"],
    &["model", "tokenizer"],
    &["backend"],
];
/// What every module of the origin may use.
const LEAVES: [&str; 6] =
    ["settings", "telemetry", "model::config", "model::quantize", "model::shape", "model::tensors"];

/// The project's packages, and those of its packages that each may use.
const PACKAGES: [(&str, &[&str]); 10] = [
    ("adlib-shared", &[]),
    ("adlib-edge", &["adlib-shared"]),
    ("adlib-edge-host", &["adlib-shared"]),
    ("adlib-edge-host-guest", &[]),
    ("adlib-origin", &["adlib-shared"]),
    ("adlib-dev", &["adlib-shared"]),
    ("adlib-tests", &["adlib-shared", "adlib-origin", "adlib-edge-host"]),
    ("adlib-fuzz", &["adlib-shared", "adlib-edge"]),
    ("adlib-benches-hello", &[]),
    ("adlib-benches", &["adlib-shared", "adlib-origin", "adlib-edge-host", "adlib-tests"]),
];

#[test]
fn what_must_be_absent_is_absent() {
    let sources = Source::all();
    let mut broken = Vec::new();
    for absence in ABSENCES {
        let is_in = |source: &Source, modules: &[&str]| modules.iter().any(|module| source.is_in(module));
        let held =
            sources.iter().filter(|source| is_in(source, absence.within) && !is_in(source, absence.except));
        for source in held {
            let uses = absence.words.iter().flat_map(|word| source.uses_of(word));
            broken.extend(uses.map(|place| format!("{place} ({})", absence.promise)));
        }
    }
    assert!(broken.is_empty(), "broken promises:\n{}", broken.join("\n"));
}

#[test]
fn the_origins_modules_use_only_those_behind_them() {
    let sources = Source::all();
    let broken: Vec<_> = sources.iter().flat_map(uses_of_modules_before).collect();
    assert!(broken.is_empty(), "used by a module that stands behind it:\n{}", broken.join("\n"));
}

#[test]
fn a_use_against_the_stack_is_found() {
    let broken = |path: &str, text: &str| {
        let source = Source { path: format!("origin/src/{path}"), text: text.to_owned() };
        !uses_of_modules_before(&source).is_empty()
    };
    assert!(broken("engine/step.rs", "use crate::copy::Plan;"));
    assert!(broken("backend.rs", "use crate::model::llama::Llama;"));
    assert!(broken("model/config.rs", "use crate::backend::Backend;"));
    assert!(!broken("copy.rs", "use crate::engine::Handle;"));
    assert!(!broken("backend/cpu.rs", "use crate::model::tensors::Matrix;"));
    assert!(!broken("engine/step.rs", "use crate::engine::Plan; // unlike crate::copy"));
}

/// Places where a file of the origin names a module that stands before its own.
fn uses_of_modules_before(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(module) = source.path.strip_prefix("origin/src/") {
        let module = module.trim_end_matches(".rs").replace('/', "::");
        for (number, line) in source.code() {
            let used = paths_in(&line).filter(|used| place(used) < place(&module));
            broken.extend(used.map(|used| format!("{}:{number}: crate::{used}", source.path)));
        }
    }
    broken
}

/// How far behind a module stands in the origin's stack; the leaves stand behind all.
fn place(module: &str) -> usize {
    let is_in = |outer: &str| {
        module.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    if LEAVES.iter().any(|leaf| is_in(leaf)) {
        return STACK.len();
    }
    STACK.iter().position(|level| level.iter().any(|name| is_in(name))).unwrap_or(STACK.len())
}

/// The paths after each `crate::` of a line.
fn paths_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, found)| {
        let rest = &line[at + found.len()..];
        let end = rest.find(|character: char| !character.is_alphanumeric() && !"_:".contains(character));
        rest[..end.unwrap_or(rest.len())].trim_end_matches(':')
    })
}

#[test]
fn a_package_uses_only_those_it_may() {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"]);
    let metadata: Value = serde_json::from_str(&output).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), PACKAGES.len(), "each package has its line in PACKAGES");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let (_, allowed) =
            PACKAGES.iter().find(|(known, _)| *known == name).expect("each package has its line");
        let uses =
            package["dependencies"].as_array().unwrap().iter().map(|used| used["name"].as_str().unwrap());
        for used in uses.filter(|used| used.starts_with("adlib-")) {
            assert!(allowed.contains(&used), "{name} may not use {used}");
        }
    }
}

#[test]
fn the_edge_component_is_built_without_a_native_runtime() {
    let target = ["--target", "wasm32-wasip2", "--edges", "normal", "--prefix", "none", "--locked"];
    let tree = cargo(&[&["tree", "--package", "adlib-edge"][..], &target].concat());
    let packages: Vec<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(packages.contains(&"adlib-edge"));
    for absent in ["tokio", "hyper", "mio", "socket2", "wasmtime"] {
        assert!(!packages.contains(&absent), "adlib-edge depends on {absent}");
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
