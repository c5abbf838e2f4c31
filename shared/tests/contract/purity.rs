//! What must stay absent from this crate.

use std::fs;
use std::path::{Path, PathBuf};

/// Names that would bring I/O, a clock or randomness in. A `HashMap` draws its keys at random.
const ABSENT: [&str; 13] = [
    "std::time",
    "SystemTime",
    "Instant",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "HashMap",
    "HashSet",
    "getrandom",
    "println!",
];
/// Longest file, in lines.
const FILE_LINES_MAX: usize = 400;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_crate_has_no_io_no_clock_and_no_randomness() {
    let mut files = Vec::new();
    sources(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 30, "only {} files were found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for name in ABSENT {
            assert!(!text.contains(name), "{} holds {name}", file.display());
        }
        assert!(text.lines().count() <= FILE_LINES_MAX, "{} is too long", file.display());
        assert_ne!(file.file_name().unwrap(), "mod.rs");
    }
}
