//! What the documents say about the project's files.

use std::fs;

use crate::source::root;

/// The documents at the top.
const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "benches/RESULTS.md"];

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether this reads as the path of a file or folder: words joined by slashes, the first of which is a folder at the top.
fn is_path(quoted: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    quoted.bytes().all(plain)
        && quoted
            .split_once('/')
            .is_some_and(|(first, _)| !["", "target"].contains(&first) && root().join(first).is_dir())
}

#[test]
fn each_document_has_a_heading_and_names_files_that_are_there() {
    let mut paths = 0;
    for name in DOCUMENTS {
        let text = fs::read_to_string(root().join(name)).unwrap();
        assert!(text.starts_with("# ") && text.lines().count() > 20, "{name} is a document");
        for path in quoted(&text).filter(|quoted| is_path(quoted)) {
            let is_module = root().join(format!("{path}.rs")).is_file();
            assert!(root().join(path).exists() || is_module, "{name} names {path}, which is not there");
            paths += 1;
        }
    }
    assert!(paths > 20, "the documents name files: {paths}");
}
