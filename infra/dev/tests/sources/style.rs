//! How files look.

use crate::source::Source;

/// Lines of a file; a longer one holds more than one noun.
const LINES_MAX: usize = 400;

/// Where `unsafe` may be asked for: device code, integer dot products, the mapping of weights, and the allocator by which
/// a test counts.
const UNSAFE: [&str; 4] = [
    "origin/src/backend/cuda",
    "origin/src/backend/cpu",
    "origin/src/model/mapped_file",
    "origin/tests/loader/allocations",
];

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let all = Source::all();
    let long = all.iter().map(|source| (&source.path, source.text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > LINES_MAX);
    assert_none(
        "files that are too long",
        &long.map(|(path, lines)| format!("{path}: {lines} lines")).collect::<Vec<_>>(),
    );
}

#[test]
fn a_module_is_named_by_its_file() {
    let all = Source::all();
    let named = all.into_iter().map(|source| source.path).filter(|path| path.ends_with("/mod.rs"));
    assert_none("`mod.rs` files; a module `a` lies in `a.rs`", &named.collect::<Vec<_>>());
}

#[test]
fn a_lint_is_set_aside_with_a_reason() {
    let bare = |source: &Source| {
        let lines = source.code().filter(|(_, line)| line.contains("#[allow(") || line.contains("#![allow("));
        lines.map(|(number, _)| format!("{}:{number}", source.path)).collect::<Vec<_>>()
    };
    let found: Vec<_> = Source::all().iter().flat_map(bare).collect();
    assert_none("`allow`; write `#[expect(lint, reason = \"…\")]`", &found);
}

#[test]
fn unsafe_code_stays_where_it_is_needed() {
    let elsewhere = |source: &Source| !UNSAFE.iter().any(|module| source.is_in(module));
    let all = Source::all();
    let found: Vec<_> =
        all.iter().filter(|source| elsewhere(source)).flat_map(|source| source.uses_of("unsafe")).collect();
    assert_none("`unsafe` outside its places", &found);
}
