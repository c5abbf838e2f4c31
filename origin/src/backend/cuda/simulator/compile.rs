//! Builds the runner with the machine's C++ compiler, once for each state of its sources.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

/// Of kernels and simulator alike. Contraction is off as it is on the device.
const FLAGS: [&str; 8] = [
    "-std=c++20",
    "-g",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Werror",
    // `#pragma unroll` speaks to the device's compiler.
    "-Wno-unknown-pragmas",
    "-c",
];

/// Builds of a kind that are kept, the newest: the checks of a few states of the sources, and those with faults.
const BUILDS_KEPT: usize = 16;

/// What a build looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    /// Nothing but what the simulator itself refuses.
    Plain,
    /// Addresses out of bounds, undefined behaviour.
    Memory,
    /// Accesses that no barrier orders.
    Races,
}

/// A fault that a test puts into a kernel.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// The kernel's file, or one that it includes.
    pub(crate) file: &'static str,
    /// A piece of its text that stands there exactly once.
    pub(crate) text: &'static str,
    /// What stands there instead.
    pub(crate) instead: &'static str,
}

impl Checks {
    fn sanitizers(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Memory => &["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
            Self::Races => &["-fsanitize=thread"],
        }
    }
}

/// A file to compile.
struct Source {
    path: PathBuf,
    text: String,
    flags: Vec<&'static str>,
}

/// The runner's path, built if it is not there.
pub(super) fn runner(checks: Checks, mutation: Option<&Mutation>) -> PathBuf {
    // One build at a time: the others find what they share.
    static BUILDING: Mutex<()> = Mutex::new(());
    static PRUNED: Once = Once::new();
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let folder = target_folder().join("kernel-simulator");
    fs::create_dir_all(&folder).expect("a folder for the simulator");
    let included = texts(files(&kernels, "cuh"), mutation);
    let of_simulator = texts(files(&kernels.join("simulator"), "h"), None);
    let headers = included
        .iter()
        .chain(&of_simulator)
        .fold(Sha256::new(), |digest, (_, text)| digest.chain_update(text));
    // Headers are found where a fault may stand in them.
    let headers_folder = folder.join(format!("headers-{}", shortened(&headers.clone().finalize())));
    fs::create_dir_all(&headers_folder).expect("a folder for headers");
    for (path, text) in &included {
        fs::write(headers_folder.join(path.file_name().expect("a name")), text).expect("a copy of a header");
    }
    let sources = sources(&kernels, checks, mutation);
    let objects: Vec<_> = sources
        .iter()
        .map(|source| {
            let name = source.path.file_stem().expect("a name").to_string_lossy();
            let parts = source.flags.iter().copied().chain(FLAGS);
            let digest = parts.fold(headers.clone(), Digest::chain_update).chain_update(&source.text);
            folder.join(format!("{name}-{}.o", shortened(&digest.finalize())))
        })
        .collect();
    compile_missing(&sources, &objects, &[&headers_folder, &kernels, &kernels.join("simulator")]);
    let names = objects
        .iter()
        .fold(Sha256::new(), |digest, object| digest.chain_update(object.as_os_str().as_encoded_bytes()));
    let runner = folder.join(format!("runner-{checks:?}-{}", shortened(&names.finalize())));
    if !runner.exists() {
        build(Command::new(compiler()).args(checks.sanitizers()).args(&objects), &runner);
    }
    objects.iter().chain([&runner]).for_each(|file| note_use(file));
    PRUNED.call_once(|| prune(&folder, BUILDS_KEPT));
    runner
}

/// Compiles the objects that are not there: two at a time, since other tests run beside these, and the longest source first,
/// so that none of them is waited for alone.
fn compile_missing(sources: &[Source], objects: &[PathBuf], includes: &[&Path]) {
    let mut missing: Vec<_> = sources.iter().zip(objects).filter(|(_, object)| !object.exists()).collect();
    missing.sort_by_key(|(source, _)| source.text.len());
    let missing = Mutex::new(missing);
    let next = || missing.lock().unwrap_or_else(PoisonError::into_inner).pop();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((source, object)) = next() {
                    compile(source, object, includes);
                }
            });
        }
    });
}

/// Makes a file the newest of its kind.
fn note_use(file: &Path) {
    // Another process may have pruned it, or the system not allow it: the file is built again then.
    _ = fs::File::open(file).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes what earlier states of the sources left: of the files that differ in their digest alone the newest stay, so many.
fn prune(folder: &Path, kept: usize) {
    let mut kinds: BTreeMap<String, Vec<(SystemTime, PathBuf)>> = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the simulator's folder").flatten() {
        let (name, used) = (entry.file_name(), entry.metadata().and_then(|about| about.modified()));
        let name = name.to_string_lossy();
        if let (Some((kind, digest)), Ok(used)) = (name.rsplit_once('-'), used) {
            let kind = format!("{kind} {}", digest.split_once('.').map_or("", |(_, ending)| ending));
            kinds.entry(kind).or_default().push((used, entry.path()));
        }
    }
    for files in kinds.values_mut() {
        files.sort();
        let stale = files.len().saturating_sub(kept);
        // Another process may have been quicker.
        files[..stale]
            .iter()
            .for_each(|(_, path)| _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path)));
    }
}

/// The kernels, with the checks and the fault, and the simulator, which no sanitizer shall see.
fn sources(kernels: &Path, checks: Checks, mutation: Option<&Mutation>) -> Vec<Source> {
    let mut sources = Vec::new();
    for (path, text) in texts(files(kernels, "cu"), mutation) {
        sources.push(Source { path, text, flags: [&["-O1", "-x", "c++"], checks.sanitizers()].concat() });
    }
    for path in files(&kernels.join("simulator"), "cpp") {
        sources.push(Source { text: read(&path), path, flags: vec!["-O2", "-x", "c++"] });
    }
    sources
}

/// What files hold, the fault included.
fn texts(paths: Vec<PathBuf>, mutation: Option<&Mutation>) -> Vec<(PathBuf, String)> {
    let with_fault = |path: PathBuf| {
        let mut text = read(&path);
        if let Some(mutation) = mutation.filter(|mutation| path.ends_with(mutation.file)) {
            let count = text.matches(mutation.text).count();
            assert_eq!(count, 1, "{:?} stands {count} times in {}", mutation.text, mutation.file);
            text = text.replace(mutation.text, mutation.instead);
        }
        (path, text)
    };
    paths.into_iter().map(with_fault).collect()
}

fn compile(source: &Source, object: &Path, includes: &[&Path]) {
    // The text may not be that of the file, so it is compiled from a copy.
    let copy = object.with_extension("copy");
    fs::write(&copy, format!("#line 1 \"{}\"\n{}", source.path.display(), source.text))
        .expect("a copy of a source");
    let mut command = Command::new(compiler());
    command.args(&source.flags).args(FLAGS).arg(copy);
    for folder in includes {
        command.arg("-I").arg(folder);
    }
    build(&mut command, object);
}

/// Runs the compiler; what it makes appears whole or not at all.
fn build(command: &mut Command, output: &Path) {
    let partial = output.with_extension(format!("partial-{}", std::process::id()));
    let result = command.arg("-o").arg(&partial).output();
    let result = result.unwrap_or_else(|error| {
        panic!("a C++ compiler is needed to test the kernels ({error}); `cargo dev test` installs one")
    });
    assert!(result.status.success(), "{command:?}: {}", String::from_utf8_lossy(&result.stderr));
    fs::rename(&partial, output).expect("the same folder");
}

fn compiler() -> OsString {
    env::var_os("CXX").unwrap_or_else(|| "c++".into())
}

/// Cargo's folder for this build: the test program lies in its `deps`.
fn target_folder() -> PathBuf {
    let program = env::current_exe().expect("the test program's path");
    program.ancestors().nth(2).expect("a folder for each profile").to_owned()
}

/// The files with this extension, in the order of their names.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the kernels' folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a kernel's source")
}

fn shortened(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest[..8].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text can grow");
        text
    })
}

#[test]
fn the_newest_builds_stay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, age_s: u64| {
        let file = fs::File::create(folder.path().join(name)).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).expect("a time");
    };
    for (name, age_s) in
        [("a-1.o", 3), ("a-2.o", 1), ("a-3.o", 2), ("a-1.copy", 9), ("a-b-4", 9), ("a-b-5", 8)]
    {
        file(name, age_s);
    }
    note_use(&folder.path().join("a-1.o"));
    prune(folder.path(), 2);
    let left = |name| folder.path().join(name).exists();
    assert_eq!(["a-1.o", "a-2.o", "a-3.o"].map(left), [true, true, false]);
    assert_eq!(["a-1.copy", "a-b-4", "a-b-5"].map(left), [true; 3]);
    prune(folder.path(), 1);
    assert_eq!(["a-1.o", "a-2.o", "a-1.copy", "a-b-4", "a-b-5"].map(left), [true, false, true, false, true]);
}
