//! JSON files beside the weights.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::load_error::LoadError;

/// Largest JSON file, in bytes; the largest known are tokenizers of some thirty million.
pub(crate) const JSON_BYTES_MAX: u64 = 64 << 20;

/// Reads a file of bounded size.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, LoadError> {
    let file = File::open(path).map_err(LoadError::read(path))?;
    let mut bytes = Vec::new();
    file.take(JSON_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(LoadError::read(path))?;
    if bytes.len() as u64 > JSON_BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.to_path_buf(), bytes_max: JSON_BYTES_MAX });
    }
    Ok(bytes)
}

/// Reads and parses a file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    serde_json::from_slice(&bytes(path)?).map_err(|cause| LoadError::Json { path: path.to_path_buf(), cause })
}

/// Reads and parses a file, if there is one.
pub(crate) fn read_if_present<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LoadError> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}
