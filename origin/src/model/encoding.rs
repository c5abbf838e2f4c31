//! How a file stores a tensor's numbers.

use super::quantize::Quantize;
use super::tensors::GROUP;

/// An element type or block format. Names and layouts of the block formats are those of GGML (`ggml-common.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// 32 values: f16 scale, 4-bit quants less 8.
    Q4_0,
    /// 32 values: f16 scale and minimum, 4-bit quants.
    Q4_1,
    /// 32 values: f16 scale, 5-bit quants less 16.
    Q5_0,
    /// 32 values: f16 scale and minimum, 5-bit quants.
    Q5_1,
    /// 32 values: f16 scale, 8-bit quants.
    Q8_0,
    /// 256 values in groups of 16, 2-bit quants.
    Q2K,
    /// 256 values in groups of 16, 3-bit quants.
    Q3K,
    /// 256 values in groups of 32, 4-bit quants.
    Q4K,
    /// 256 values in groups of 32, 5-bit quants.
    Q5K,
    /// 256 values in groups of 16, 6-bit quants.
    Q6K,
    /// 32 values: f16 scale, 4-bit indices into a fixed table.
    Iq4Nl,
}

impl Encoding {
    /// All of them with their number in a GGUF file and their name there.
    pub const ALL: [(Self, u32, &'static str); 14] = [
        (Self::F32, 0, "F32"),
        (Self::F16, 1, "F16"),
        (Self::Q4_0, 2, "Q4_0"),
        (Self::Q4_1, 3, "Q4_1"),
        (Self::Q5_0, 6, "Q5_0"),
        (Self::Q5_1, 7, "Q5_1"),
        (Self::Q8_0, 8, "Q8_0"),
        (Self::Q2K, 10, "Q2_K"),
        (Self::Q3K, 11, "Q3_K"),
        (Self::Q4K, 12, "Q4_K"),
        (Self::Q5K, 13, "Q5_K"),
        (Self::Q6K, 14, "Q6_K"),
        (Self::Iq4Nl, 20, "IQ4_NL"),
        (Self::Bf16, 30, "BF16"),
    ];

    /// Bytes of [`GROUP`] values in the format that a matrix of this encoding has inside.
    pub fn group_bytes_inside(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => GROUP * size_of::<half::f16>(),
            Self::Q4_0 | Self::Q4_1 | Self::Q4K => Quantize::Int4.group_bytes(),
            _ => Quantize::Int8.group_bytes(),
        }
    }

    /// The encoding with this number in a GGUF file, if it is one that Adlib reads.
    pub fn from_gguf(number: u32) -> Option<Self> {
        Self::ALL.iter().find(|(_, n, _)| *n == number).map(|(encoding, ..)| *encoding)
    }

    /// Its number in a GGUF file.
    pub fn gguf_number(self) -> u32 {
        self.row().1
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Values in one block.
    pub fn block_values(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::Iq4Nl => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 | Self::Iq4Nl => 2 + 16,
            Self::Q4_1 => 2 + 2 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 2 + 2 + 4 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q2K => 16 + 64 + 2 + 2,
            Self::Q3K => 32 + 64 + 12 + 2,
            Self::Q4K => 2 + 2 + 12 + 128,
            Self::Q5K => 2 + 2 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// Bytes of `values` values, or nothing if they do not fill whole blocks or the product overflows.
    pub fn bytes_for(self, values: usize) -> Option<usize> {
        if !values.is_multiple_of(self.block_values()) {
            return None;
        }
        (values / self.block_values()).checked_mul(self.block_bytes())
    }

    fn row(self) -> &'static (Self, u32, &'static str) {
        Self::ALL.iter().find(|(encoding, ..)| *encoding == self).expect("ALL lists every encoding")
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
