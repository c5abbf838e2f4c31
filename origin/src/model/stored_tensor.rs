//! A tensor as it lies in a file, and its way into one of the four formats inside.
//!
//! Q8_0, Q4_0, Q4_1, Q5_0, IQ4_NL, F16 and BF16 keep every value. F32 becomes F16 where every value is within F16's
//! range, else BF16. Q4_K becomes Int4: its groups have the same form, only the products of scales are rounded to
//! f16. The others, whose groups have no counterpart, are dequantised and become Int8 in groups of 32.

mod copy_blocks;
mod dequantize;

use half::{bf16, f16};

use super::encoding::Encoding;
use super::quantize::{self, GroupRange};
use super::tensors::{Matrix, MatrixData};

/// A tensor's bytes in a file.
#[derive(Debug, Clone, Copy)]
pub struct StoredTensor<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// How the bytes encode numbers.
    pub encoding: Encoding,
    /// Outermost dimension first; the last one is contiguous.
    pub shape: &'a [usize],
    /// The encoded numbers, row-major.
    pub bytes: &'a [u8],
    /// In which order the rows lie.
    pub rows: RowOrder,
}

/// The order of a stored tensor's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// As wanted.
    Natural,
    /// Each head's rows lie as pairs `(i, i + head_dim / 2)`: GGUF's `llama` architecture stores query and key so,
    /// for a rotary embedding that rotates neighbours.
    Paired {
        /// Rows of a head.
        head_dim: usize,
    },
}

impl RowOrder {
    /// The stored row that holds row `row` of the rotate-half order.
    pub fn source(self, row: usize) -> usize {
        match self {
            Self::Natural => row,
            Self::Paired { head_dim } => {
                let (head, within) = (row / head_dim, row % head_dim);
                let (half, element) = (within / (head_dim / 2), within % (head_dim / 2));
                head * head_dim + 2 * element + half
            }
        }
    }
}

/// What is wrong with a tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The model needs it.
    #[error("tensor {name} is missing")]
    Missing {
        /// Its name in this format.
        name: String,
    },
    /// Nothing in the architecture uses it, so the result would be wrong.
    #[error("tensor {name} is not part of the architectures that are supported")]
    Unknown {
        /// Its name in the file.
        name: String,
    },
    /// Two files hold it.
    #[error("tensor {name} stands twice")]
    Duplicate {
        /// Its name in the files.
        name: String,
    },
    /// A type that is not read.
    #[error("tensor {name}: type {dtype} is not supported; F32, F16 and BF16 are")]
    Type {
        /// Its name in the file.
        name: String,
        /// Its type there.
        dtype: String,
    },
    /// The hyperparameters ask for another shape.
    #[error("tensor {name}: shape {found:?} does not fit the configuration, which needs {expected:?}")]
    Shape {
        /// Its name in the file.
        name: String,
        /// In the file, outermost first.
        found: Vec<usize>,
        /// By the configuration.
        expected: Vec<usize>,
    },
    /// The encoding cannot be used at this place.
    #[error("tensor {name}: {encoding} cannot be used here; {expected}")]
    Encoding {
        /// Its name in the file.
        name: String,
        /// Its encoding there.
        encoding: Encoding,
        /// What can.
        expected: &'static str,
    },
    /// An infinity or not a number, among values or scales.
    #[error("tensor {name}: row {row} holds a value that is not finite")]
    NotFinite {
        /// Its name in the file.
        name: String,
        /// The first such row, as stored.
        row: usize,
    },
    /// Values too large for the format wanted.
    #[error("tensor {name}: {cause}")]
    Group {
        /// Its name in the file.
        name: String,
        /// What is wrong.
        cause: GroupRange,
    },
}

impl StoredTensor<'_> {
    /// Fails unless the shape is this one.
    pub fn expect_shape(&self, expected: &[usize]) -> Result<(), TensorError> {
        if self.shape == expected {
            return Ok(());
        }
        Err(TensorError::Shape {
            name: self.name.into(),
            found: self.shape.to_vec(),
            expected: expected.to_vec(),
        })
    }

    /// Decodes a matrix, its rows in rotate-half order.
    ///
    /// The shape must have two dimensions and the bytes must be as many as it needs: whoever made this struct has
    /// checked both.
    pub fn matrix(&self) -> Result<Matrix, TensorError> {
        let &[rows, cols] = self.shape else {
            panic!("a matrix has two dimensions, tensor {} has {}", self.name, self.shape.len());
        };
        let data = match self.encoding {
            Encoding::F16 => self.halves().map(MatrixData::F16)?,
            Encoding::Bf16 => self.brains().map(MatrixData::Bf16)?,
            Encoding::F32 => self.singles()?,
            Encoding::Q8_0 => self.copy_int8(copy_blocks::q8_0)?,
            Encoding::Q5_0 => self.copy_int8(copy_blocks::q5_0)?,
            Encoding::Iq4Nl => self.copy_int8(copy_blocks::iq4_nl)?,
            Encoding::Q4_0 => self.copy_int4(copy_blocks::q4_0)?,
            Encoding::Q4_1 => self.copy_int4(copy_blocks::q4_1)?,
            Encoding::Q4K => self.copy_int4(copy_blocks::q4_k)?,
            Encoding::Q5_1 | Encoding::Q2K | Encoding::Q3K | Encoding::Q5K | Encoding::Q6K => {
                self.requantize()?
            }
        };
        Ok(Matrix { rows, cols, data })
    }

    /// Decodes a vector of F32, F16 or BF16 to f32, in rotate-half order.
    pub fn vector(&self) -> Result<Vec<f32>, TensorError> {
        let element = self.encoding.block_bytes();
        let values: Vec<f32> = match self.encoding {
            Encoding::F32 | Encoding::F16 | Encoding::Bf16 => (0..self.bytes.len() / element)
                .map(|i| self.rows.source(i) * element)
                .map(|at| dequantize::element(self.encoding, &self.bytes[at..at + element]))
                .collect(),
            encoding => {
                let expected = "a vector is F32, F16 or BF16";
                return Err(TensorError::Encoding { name: self.name.into(), encoding, expected });
            }
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(row) => Err(self.not_finite(self.rows.source(row))),
        }
    }

    /// Dequantises one row, counted in rotate-half order.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        dequantize::row(self.encoding, self.stored_row(self.rows.source(row)), out);
    }

    fn not_finite(&self, row: usize) -> TensorError {
        TensorError::NotFinite { name: self.name.into(), row }
    }

    fn stored_row(&self, row: usize) -> &[u8] {
        let bytes = self.bytes.len() / self.shape[0];
        &self.bytes[row * bytes..(row + 1) * bytes]
    }

    /// The rows' bytes in rotate-half order, each with its number as stored.
    fn ordered_rows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        (0..self.shape[0]).map(|row| self.rows.source(row)).map(|row| (row, self.stored_row(row)))
    }

    fn halves(&self) -> Result<Vec<f16>, TensorError> {
        let mut values = Vec::with_capacity(self.bytes.len() / 2);
        for (row, bytes) in self.ordered_rows() {
            let start = values.len();
            values.extend(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])));
            if !values[start..].iter().all(|v: &f16| v.is_finite()) {
                return Err(self.not_finite(row));
            }
        }
        Ok(values)
    }

    fn brains(&self) -> Result<Vec<bf16>, TensorError> {
        let mut values = Vec::with_capacity(self.bytes.len() / 2);
        for (row, bytes) in self.ordered_rows() {
            let start = values.len();
            values.extend(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]])));
            if !values[start..].iter().all(|v: &bf16| v.is_finite()) {
                return Err(self.not_finite(row));
            }
        }
        Ok(values)
    }

    /// F32 as F16, or as BF16 if any value is beyond F16's range.
    fn singles(&self) -> Result<MatrixData, TensorError> {
        let mut greatest = 0.0f32;
        for (row, bytes) in self.ordered_rows() {
            for value in dequantize::singles(bytes) {
                if !value.is_finite() {
                    return Err(self.not_finite(row));
                }
                greatest = greatest.max(value.abs());
            }
        }
        let values = self.ordered_rows().flat_map(|(_, bytes)| dequantize::singles(bytes));
        if greatest <= f16::MAX.to_f32() {
            Ok(MatrixData::F16(values.map(f16::from_f32).collect()))
        } else {
            Ok(MatrixData::Bf16(values.map(bf16::from_f32).collect()))
        }
    }

    fn copy_int8(&self, copy: fn(&[u8], &mut Vec<i8>, &mut Vec<f16>)) -> Result<MatrixData, TensorError> {
        let groups = self.bytes.len() / self.encoding.block_bytes();
        let mut quants = Vec::with_capacity(groups * 32);
        let mut scales = Vec::with_capacity(groups);
        for (row, bytes) in self.ordered_rows() {
            let start = scales.len();
            copy(bytes, &mut quants, &mut scales);
            if !scales[start..].iter().all(|scale| scale.is_finite()) {
                return Err(self.not_finite(row));
            }
        }
        Ok(MatrixData::Int8 { quants, scales })
    }

    fn copy_int4(&self, copy: fn(&[u8], &mut copy_blocks::Int4)) -> Result<MatrixData, TensorError> {
        let groups = self.bytes.len() / self.encoding.block_bytes() * (self.encoding.block_values() / 32);
        let mut parts = copy_blocks::Int4::with_capacity(groups);
        for (row, bytes) in self.ordered_rows() {
            let start = parts.scales.len();
            copy(bytes, &mut parts);
            let finite = |values: &[f16]| values[start..].iter().all(|value| value.is_finite());
            if !finite(&parts.scales) || !finite(&parts.minimums) {
                return Err(self.not_finite(row));
            }
        }
        let copy_blocks::Int4 { quants, scales, minimums } = parts;
        Ok(MatrixData::Int4 { quants, scales, minimums })
    }

    fn requantize(&self) -> Result<MatrixData, TensorError> {
        let (rows, cols) = (self.shape[0], self.shape[1]);
        let mut int8 = quantize::Int8::with_capacity(rows * cols);
        let mut values = vec![0.0; cols];
        for (row, bytes) in self.ordered_rows() {
            dequantize::row(self.encoding, bytes, &mut values);
            if !values.iter().all(|value| value.is_finite()) {
                return Err(self.not_finite(row));
            }
            int8.push_row(&values).map_err(|cause| TensorError::Group { name: self.name.into(), cause })?;
        }
        Ok(int8.into_data())
    }
}
