//! A CUDA driver without a GPU, compiled for the occasion.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gpus/fake.c");

/// A folder with a driver in it.
pub(crate) struct FakeDriver {
    folder: tempfile::TempDir,
}

impl FakeDriver {
    /// A driver that has all that the origin asks for.
    pub(crate) fn whole() -> Self {
        Self::compile(&[])
    }

    /// A driver that lacks a function.
    pub(crate) fn without(function: &str) -> Self {
        Self::compile(&[format!("-D{function}=absent_{function}")])
    }

    fn compile(flags: &[String]) -> Self {
        let driver = Self { folder: tempfile::tempdir().unwrap() };
        let mut cc = Command::new("cc");
        let status =
            cc.args(["-shared", "-fPIC", "-o"]).arg(driver.library()).args(flags).arg(SOURCE).status();
        assert!(status.unwrap().success(), "the C compiler makes a library of {SOURCE}");
        driver
    }

    /// Every function of libcuda that it could lack.
    pub(crate) fn functions() -> Vec<String> {
        let source = std::fs::read_to_string(SOURCE).unwrap();
        let definitions = source.lines().filter_map(|line| line.strip_prefix("CUresult cu"));
        definitions.map(|rest| format!("cu{}", rest.split('(').next().unwrap())).collect()
    }

    /// Where the system's loader finds it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The driver, which is the run-time compiler too.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.path().join("libcuda.so")
    }
}
