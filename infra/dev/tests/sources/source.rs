//! The project's Rust files, as text.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold Rust code.
const FOLDERS: [&str; 6] = ["benches", "edge", "infra", "origin", "shared", "tests"];

/// One Rust file.
pub(crate) struct Source {
    /// Below the project's root, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The project's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the root")
}

impl Source {
    /// Every Rust file of the project.
    pub(crate) fn all() -> Vec<Self> {
        let mut paths = Vec::new();
        for folder in FOLDERS {
            collect(&root().join(folder), &mut paths);
        }
        assert!(paths.len() > FOLDERS.len(), "every folder holds Rust files");
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let below = path.strip_prefix(root()).unwrap();
        let names: Vec<_> = below.iter().map(|name| name.to_str().unwrap()).collect();
        Self { path: names.join("/"), text }
    }

    /// Whether the file is, or lies in the folder of, the module with this path: `a/b` holds `a/b.rs` and `a/b/c.rs`.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        self.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Lines without comments and without what stands in quotation marks, each with its number.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, String)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, code_of(line)))
    }

    /// Lines of code that hold the word, as `path:line: word`.
    pub(crate) fn uses_of(&self, word: &str) -> Vec<String> {
        let lines = self.code().filter(|(_, line)| holds_word(line, word));
        lines.map(|(number, _)| format!("{}:{number}: {word}", self.path)).collect()
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The line up to a `//`, with nothing between quotation marks. Good enough for text that rustfmt laid out: a string
/// that goes on over several lines is read as code.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted => drop(characters.next()),
            '"' => quoted = !quoted,
            '/' if !quoted && characters.peek() == Some(&'/') => break,
            _ if quoted => {}
            _ => code.push(character),
        }
    }
    code
}

/// Whether the word stands in the line, not only as a part of a longer name.
fn holds_word(line: &str, word: &str) -> bool {
    let in_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(in_name) && !line[at + word.len()..].starts_with(in_name))
}

#[test]
fn words_are_found_in_code_alone() {
    let source = |text: &str| Source { path: String::from("a/b.rs"), text: text.to_owned() };
    let found = ["use std::fs;", "x(std::fs::read(p)) // why", "let url = \"http://a\"; use std::fs;"];
    let missed = [
        "// std::fs",
        "/// [`std::fs`]",
        "use std::fsx;",
        "mystd::fs_y",
        "x; // std::fs",
        "x(\"a \\\" std::fs\")",
    ];
    for text in found {
        assert_eq!(source(text).uses_of("std::fs"), ["a/b.rs:1: std::fs"], "{text}");
    }
    for text in missed {
        assert!(source(text).uses_of("std::fs").is_empty(), "{text}");
    }
}

#[test]
fn a_module_is_its_file_and_its_folder() {
    let source = |path: &str| Source { path: path.to_owned(), text: String::new() };
    assert!(source("a/b.rs").is_in("a/b") && source("a/b/c.rs").is_in("a/b"));
    assert!(!source("a/bc.rs").is_in("a/b") && !source("b/a/b.rs").is_in("a/b"));
}
