//! GGUF files, version 2 and 3, little endian.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. A file is untrusted input: every count,
//! length, type and offset is compared with the file's size and the limits below before anything is allocated for
//! it, so that the memory taken never exceeds a small multiple of the bytes that are really there.

mod cursor;
mod directory;
mod error;
mod hyperparameters;
mod metadata;
mod value;
pub mod writer;

use std::collections::HashMap;
use std::path::Path;

pub use directory::TensorEntry;
pub use error::GgufError;
pub use metadata::Metadata;
pub use value::{Array, Value};

use super::config::{ConfigError, ModelConfig};
use super::load_error::LoadError;
use super::mapped_file::MappedFile;
use super::slot::Slot;
use super::stored_tensor::{RowOrder, StoredTensor, TensorError};
use cursor::Cursor;

/// First four bytes.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// Most metadata keys.
pub const KEYS_MAX: usize = 4096;
/// Most tensors.
pub const TENSORS_MAX: usize = 1 << 16;
/// Longest key, in bytes, as the format says.
pub const KEY_BYTES_MAX: usize = (1 << 16) - 1;
/// Longest tensor name, in bytes, as the format says.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text value, in bytes; chat templates are the longest known, of some ten thousand.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most elements of an array; vocabularies and merges are the longest known, of some half a million.
pub const ARRAY_LENGTH_MAX: usize = 1 << 22;
/// Most bytes of all metadata and tensor entries together; vocabularies of a quarter million take some twenty million.
pub const HEADER_BYTES_MAX: usize = 64 << 20;
/// Most dimensions of a tensor, as in GGML.
pub const DIMENSIONS_MAX: usize = 4;
/// Alignment of tensor data where `general.alignment` is absent, in bytes.
pub const ALIGNMENT_DEFAULT: usize = 32;
/// Greatest alignment, in bytes.
pub const ALIGNMENT_MAX: usize = 1 << 16;

/// An open GGUF file: its metadata, and where its tensors lie.
#[derive(Debug)]
pub struct Gguf {
    file: MappedFile,
    metadata: Metadata,
    tensors: Vec<TensorEntry>,
    by_name: HashMap<String, usize>,
    /// Query and key rows are stored for a rotary embedding that rotates neighbours.
    paired_head_dim: Option<usize>,
}

impl Gguf {
    /// Maps a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let file = MappedFile::open(path).map_err(LoadError::read(path))?;
        let (metadata, tensors) = parse(file.bytes()).map_err(LoadError::gguf(path))?;
        let by_name = tensors.iter().enumerate().map(|(i, entry)| (entry.name.clone(), i)).collect();
        Ok(Self { file, metadata, tensors, by_name, paired_head_dim: None })
    }

    /// Reads the hyperparameters and remembers how rows are ordered.
    pub fn read_config(&mut self) -> Result<ModelConfig, LoadError> {
        let config = hyperparameters::read(self).map_err(LoadError::config(self.file.path()))?;
        self.paired_head_dim = (self.architecture() == Some("llama")).then_some(config.head_dim);
        Ok(config)
    }

    /// The key-value pairs.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Every tensor.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.tensors
    }

    /// `general.architecture`.
    pub fn architecture(&self) -> Option<&str> {
        self.metadata.text("general.architecture").ok().flatten()
    }

    /// The tensor in a slot, if the file has it.
    pub fn tensor(&self, slot: Slot) -> Option<StoredTensor<'_>> {
        let mut tensor = self.tensor_named(&slot.gguf_name())?;
        if let (Slot::Layer(_, part), Some(head_dim)) = (slot, self.paired_head_dim)
            && part.is_rotary()
        {
            tensor.rows = RowOrder::Paired { head_dim };
        }
        Some(tensor)
    }

    /// The tensor of this name, rows as stored.
    pub fn tensor_named(&self, name: &str) -> Option<StoredTensor<'_>> {
        let entry = &self.tensors[*self.by_name.get(name)?];
        Some(StoredTensor {
            name: &entry.name,
            encoding: entry.encoding,
            shape: &entry.shape,
            bytes: &self.file.bytes()[entry.range.clone()],
            rows: RowOrder::Natural,
        })
    }

    /// Lets the kernel take back the pages of a tensor that has been converted.
    pub fn release(&self, slot: Slot) {
        if let Some(index) = self.by_name.get(&slot.gguf_name()) {
            self.file.release(self.tensors[*index].range.clone());
        }
    }

    /// Fails if the file holds a tensor that nothing in the architecture uses.
    pub fn expect_only_known(&self, layers: usize) -> Result<(), TensorError> {
        let known: std::collections::HashSet<String> = Slot::all(layers).map(Slot::gguf_name).collect();
        let unknown =
            self.tensors.iter().find(|t| !known.contains(&t.name) && t.name != hyperparameters::ROPE_FREQS);
        match unknown {
            None => Ok(()),
            Some(entry) => Err(TensorError::Unknown { name: entry.name.clone() }),
        }
    }
}

/// Parses a whole file's header and checks that every tensor lies within it.
pub fn parse(bytes: &[u8]) -> Result<(Metadata, Vec<TensorEntry>), GgufError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take(4, "the magic number")? != MAGIC {
        return Err(GgufError::Magic);
    }
    match cursor.u32("the version")? {
        2 | 3 => {}
        version if version.swap_bytes() <= 3 => return Err(GgufError::BigEndian),
        version => return Err(GgufError::Version(version)),
    }
    let tensor_count = cursor.count("the number of tensors", TENSORS_MAX, directory::ENTRY_BYTES_MIN)?;
    let key_count = cursor.count("the number of metadata keys", KEYS_MAX, metadata::PAIR_BYTES_MIN)?;
    let metadata = Metadata::parse(&mut cursor, key_count)?;
    let tensors = directory::parse(&mut cursor, tensor_count, &metadata)?;
    Ok((metadata, tensors))
}

/// Whether the file begins as GGUF does.
pub fn has_magic(path: &Path) -> std::io::Result<bool> {
    use std::io::Read;
    let mut start = [0; 4];
    let mut file = std::fs::File::open(path)?;
    match file.read_exact(&mut start) {
        Ok(()) => Ok(start == MAGIC),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// A required key's absence as a configuration error.
fn missing(key: &str) -> ConfigError {
    ConfigError::new(key, "missing", "the key is required")
}
