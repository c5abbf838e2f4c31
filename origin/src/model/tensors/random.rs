//! Random matrices of any shape and format, for tests and benches.

use super::{GROUP, Matrix, MatrixData};
use half::vec::HalfBitsVecExt;
use half::{bf16, f16};

/// The format of a random matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightFormat {
    /// Half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// 8 bits with a scale.
    Int8,
    /// 4 bits with a scale and a minimum.
    Int4,
}

impl WeightFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::F16, Self::Bf16, Self::Int8, Self::Int4];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Int8 => "Int8",
            Self::Int4 => "Int4",
        }
    }
}

impl Matrix {
    /// A matrix whose products with vectors of unit variance have about unit variance; the same for the same seed.
    pub fn random(rows: usize, cols: usize, seed: u64, format: WeightFormat) -> Self {
        let cells = rows * cols;
        let mut words = Words(seed);
        // A uniform number in ±1 has variance 1/3.
        let bound = (3.0 / cols as f32).sqrt();
        let weight = |word: u32| (word as f32 / 2_f32.powi(31) - 1.0) * bound;
        let scale =
            |word: u32, steps: f32| f16::from_f32(bound / steps * (0.75 + word as f32 / 2_f32.powi(33)));
        let data = match format {
            WeightFormat::F16 => {
                MatrixData::F16(words.take(cells).map(|word| f16::from_f32(weight(word))).collect())
            }
            WeightFormat::Bf16 => {
                MatrixData::Bf16(words.take(cells).map(|word| bf16::from_f32(weight(word))).collect())
            }
            WeightFormat::Int8 => MatrixData::Int8 {
                scales: words.by_ref().take(cells / GROUP).map(|word| scale(word, 128.0)).collect(),
                quants: words.take(cells).map(|word| (word >> 24) as u8 as i8).collect(),
            },
            WeightFormat::Int4 => {
                let scales: Vec<_> =
                    words.by_ref().take(cells / GROUP).map(|word| scale(word, 8.0)).collect();
                MatrixData::Int4 {
                    quants: words.take(cells / 2).map(|word| (word >> 24) as u8).collect(),
                    minimums: scales.iter().map(|scale| f16::from_f32(-7.5 * scale.to_f32())).collect(),
                    scales,
                }
            }
        };
        Self { rows, cols, data }
    }
}

impl Matrix {
    /// A matrix of zeros. Its memory is the system's zero pages, so it costs nothing until somebody reads it.
    pub fn blank(rows: usize, cols: usize, format: WeightFormat) -> Self {
        let cells = rows * cols;
        let halves = |count| vec![0_u16; count].reinterpret_into::<f16>();
        let data = match format {
            WeightFormat::F16 => MatrixData::F16(halves(cells)),
            WeightFormat::Bf16 => MatrixData::Bf16(vec![0_u16; cells].reinterpret_into()),
            WeightFormat::Int8 => MatrixData::Int8 { quants: vec![0; cells], scales: halves(cells / GROUP) },
            WeightFormat::Int4 => MatrixData::Int4 {
                quants: vec![0; cells / 2],
                scales: halves(cells / GROUP),
                minimums: halves(cells / GROUP),
            },
        };
        Self { rows, cols, data }
    }
}

/// Random words: SplitMix64 (Steele and others, 2014), the upper halves.
struct Words(u64);

impl Iterator for Words {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(((z ^ z >> 31) >> 32) as u32)
    }
}
