//! What a model's outputs depend on, as one hash.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::model::load_error::LoadError;
use crate::model::quantize::Quantize;

/// Bytes read at a time; files are read, not mapped, so that hashing leaves nothing resident.
const CHUNK_BYTES: usize = 1 << 20;

/// The hash of a checkpoint's files, computed on a thread of its own while the tensors are loaded.
///
/// It is the SHA-256 of lines `<sha256 of the file>  <file name>` in the form of `sha256sum`, the weights first and
/// the adapters in their order, and of a last line `quantize <format>` where there is a conversion.
#[derive(Debug)]
pub(super) struct Fingerprint {
    running: Mutex<Option<JoinHandle<Result<String, LoadError>>>>,
    lines: OnceLock<String>,
}

impl Fingerprint {
    /// Begins to hash the files.
    pub(super) fn start(files: Vec<PathBuf>) -> Result<Self, LoadError> {
        let first = files.first().cloned().unwrap_or_default();
        let thread = std::thread::Builder::new().name("fingerprint".into()).spawn(move || lines(&files));
        let handle = thread.map_err(LoadError::read(&first))?;
        Ok(Self { running: Mutex::new(Some(handle)), lines: OnceLock::new() })
    }

    /// Waits for the hash.
    pub(super) fn finish(&self, quantize: Option<Quantize>) -> Result<String, LoadError> {
        let mut running = self.running.lock().expect("nothing panics while it holds the lock");
        if let Some(handle) = running.take() {
            let lines = handle.join().expect("hashing does not panic")?;
            self.lines.set(lines).expect("the thread is joined once");
        }
        let lines = self.lines.get().ok_or_else(|| LoadError::Read {
            path: PathBuf::new(),
            cause: io::Error::other("the weights could not be hashed before"),
        })?;
        let mut hash = Sha256::new_with_prefix(lines);
        if let Some(format) = quantize {
            hash.update(format!("quantize {format}\n"));
        }
        Ok(format!("sha256:{}", hex(&hash.finalize())))
    }
}

fn lines(paths: &[PathBuf]) -> Result<String, LoadError> {
    let mut lines = String::new();
    for path in paths {
        let hash = hash_file(path).map_err(LoadError::read(path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(lines, "{hash}  {name}").expect("a String takes all that is written");
    }
    Ok(lines)
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
        text
    })
}
