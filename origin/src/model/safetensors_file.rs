//! A safetensors file: a JSON header, then the tensors' bytes (<https://github.com/huggingface/safetensors>).

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};

use super::encoding::Encoding;
use super::load_error::LoadError;
use super::mapped_file::MappedFile;
use super::stored_tensor::{RowOrder, StoredTensor};

/// Bytes before the JSON header: its length.
const LENGTH_BYTES: usize = 8;

/// An open safetensors file.
#[derive(Debug)]
pub struct SafetensorsFile {
    file: MappedFile,
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    /// From the file's start.
    range: Range<usize>,
}

impl SafetensorsFile {
    /// Maps a file and reads its header. The safetensors crate checks that it is not larger than 100 MB, that the
    /// tensors lie one after the other without gaps, and that each has the bytes that its shape needs.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let file = MappedFile::open(path).map_err(LoadError::read(path))?;
        let refused = |cause| LoadError::Safetensors { path: path.to_path_buf(), cause };
        let (header, metadata) = SafeTensors::read_metadata(file.bytes()).map_err(refused)?;
        let data = file.bytes().len() - header - LENGTH_BYTES;
        let mut entries = HashMap::new();
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            if start > end || end > data {
                return Err(refused(safetensors::SafeTensorError::MetadataIncompleteBuffer));
            }
            let offset = header + LENGTH_BYTES;
            let entry =
                Entry { dtype: info.dtype, shape: info.shape.clone(), range: start + offset..end + offset };
            entries.insert(name, entry);
        }
        Ok(Self { file, entries })
    }

    /// The tensors' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The tensor of this name; nothing if it is absent or neither F32, F16 nor BF16.
    pub fn tensor(&self, name: &str) -> Option<StoredTensor<'_>> {
        let (name, entry) = self.entries.get_key_value(name)?;
        let encoding = encoding(entry.dtype)?;
        let bytes = &self.file.bytes()[entry.range.clone()];
        Some(StoredTensor { name, encoding, shape: &entry.shape, bytes, rows: RowOrder::Natural })
    }

    /// The first tensor whose type is not one that Adlib reads, with that type.
    pub fn unreadable(&self) -> Option<(&str, String)> {
        let mut entries = self.entries.iter();
        let (name, entry) = entries.find(|(_, entry)| encoding(entry.dtype).is_none())?;
        Some((name, format!("{:?}", entry.dtype)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Lets the kernel take back the pages of a tensor that has been converted.
    pub fn release(&self, name: &str) {
        if let Some(entry) = self.entries.get(name) {
            self.file.release(entry.range.clone());
        }
    }
}

fn encoding(dtype: Dtype) -> Option<Encoding> {
    match dtype {
        Dtype::F32 => Some(Encoding::F32),
        Dtype::F16 => Some(Encoding::F16),
        Dtype::BF16 => Some(Encoding::Bf16),
        _ => None,
    }
}
