//! How a file can break the GGUF format.

/// What is wrong with a GGUF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// It begins with other bytes.
    #[error("not a GGUF file: it does not begin with 'GGUF'")]
    Magic,
    /// A version that is not read.
    #[error("GGUF version {0} is not supported; 2 and 3 are")]
    Version(u32),
    /// Written for a big-endian machine.
    #[error("big-endian GGUF files are not supported")]
    BigEndian,
    /// The file ends before what it announces.
    #[error("{what} at byte {offset} needs {needed} bytes, but only {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where, from the file's start.
        offset: usize,
        /// Bytes it needs.
        needed: u64,
        /// Bytes that follow.
        left: usize,
    },
    /// A count or length beyond a limit.
    #[error("{what} is {value}; at most {limit} is allowed")]
    Limit {
        /// Of what.
        what: &'static str,
        /// In the file.
        value: u64,
        /// Allowed.
        limit: usize,
    },
    /// Text that is not UTF-8.
    #[error("{what} at byte {offset} is not UTF-8")]
    Utf8 {
        /// What was being read.
        what: &'static str,
        /// Where, from the file's start.
        offset: usize,
    },
    /// Something wrong in a key's value.
    #[error("key {key}: {cause}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with its value.
        cause: Box<GgufError>,
    },
    /// A value type that the format does not define.
    #[error("value type {0} is not defined")]
    ValueType(u32),
    /// An array within an array.
    #[error("arrays of arrays are not supported")]
    NestedArray,
    /// A boolean other than 0 or 1.
    #[error("a boolean is {0}; 0 or 1 is allowed")]
    Boolean(u8),
    /// A key twice.
    #[error("key {0} stands twice")]
    DuplicateKey(String),
    /// A tensor name twice.
    #[error("tensor {0} stands twice")]
    DuplicateTensor(String),
    /// `general.alignment` is not usable.
    #[error("general.alignment is {0}; a power of two from 8 to 65536 is allowed")]
    Alignment(String),
    /// Something wrong with a tensor's entry.
    #[error("tensor {name}: {cause}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong.
        cause: EntryError,
    },
}

impl GgufError {
    /// Adds the key to an error in its value.
    pub(super) fn in_key(self, key: &str) -> Self {
        Self::Key { key: key.into(), cause: Box::new(self) }
    }
}

/// What is wrong with a tensor's entry in the directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// None, or too many.
    #[error("{0} dimensions; from 1 to 4 are allowed")]
    Dimensions(u32),
    /// A dimension of zero.
    #[error("dimension {0} is zero")]
    Zero(usize),
    /// The number of values does not fit 64 bits.
    #[error("the product of its dimensions overflows")]
    Overflow,
    /// A type that Adlib does not read.
    #[error("type {0} is not supported")]
    Type(u32),
    /// Rows that end within a block.
    #[error("rows of {row} values do not fill blocks of {block}")]
    Block {
        /// Values in a row.
        row: usize,
        /// Values in a block.
        block: usize,
    },
    /// An offset that is not a multiple of the alignment.
    #[error("offset {offset} is not a multiple of the alignment {alignment}")]
    Misaligned {
        /// From the start of the tensor data.
        offset: u64,
        /// Of the file.
        alignment: usize,
    },
    /// Data past the end of the file.
    #[error(
        "its {bytes} bytes at offset {offset} lie outside of the file's {available} bytes of tensor data"
    )]
    Outside {
        /// From the start of the tensor data.
        offset: u64,
        /// That it takes.
        bytes: u64,
        /// That there are.
        available: usize,
    },
    /// Data shared with another tensor.
    #[error("its data overlaps that of tensor {0}")]
    Overlap(String),
}
