//! Writing GGUF files, version 3: for tests and tools.

use half::f16;

use super::value::{ARRAY, BOOL, FLOAT32, INT32, STRING, UINT32};
use super::{ALIGNMENT_DEFAULT, MAGIC};
use crate::model::encoding::Encoding;
use crate::model::tensors::{GROUP, Matrix, MatrixData};

/// A GGUF file in the making.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    pairs: Vec<(String, u32, Vec<u8>)>,
    tensors: Vec<(String, Vec<usize>, u32, Vec<u8>)>,
}

impl Writer {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key with a value of any type, already encoded.
    pub fn raw(&mut self, key: &str, kind: u32, value: Vec<u8>) -> &mut Self {
        self.pairs.push((key.into(), kind, value));
        self
    }

    /// Adds a `UINT32`.
    pub fn integer(&mut self, key: &str, value: u32) -> &mut Self {
        self.raw(key, UINT32, value.to_le_bytes().into())
    }

    /// Adds a `FLOAT32`.
    pub fn float(&mut self, key: &str, value: f32) -> &mut Self {
        self.raw(key, FLOAT32, value.to_le_bytes().into())
    }

    /// Adds a `BOOL`.
    pub fn boolean(&mut self, key: &str, value: bool) -> &mut Self {
        self.raw(key, BOOL, vec![value.into()])
    }

    /// Adds a `STRING`.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.raw(key, STRING, text(value))
    }

    /// Adds an array of `STRING`.
    pub fn texts<T: AsRef<str>>(&mut self, key: &str, values: &[T]) -> &mut Self {
        let elements = values.iter().flat_map(|value| text(value.as_ref()));
        self.raw(key, ARRAY, array(STRING, values.len(), elements))
    }

    /// Adds an array of `INT32`.
    pub fn integers(&mut self, key: &str, values: &[i32]) -> &mut Self {
        let elements = values.iter().flat_map(|value| value.to_le_bytes());
        self.raw(key, ARRAY, array(INT32, values.len(), elements))
    }

    /// Adds an array of `FLOAT32`.
    pub fn floats(&mut self, key: &str, values: &[f32]) -> &mut Self {
        let elements = values.iter().flat_map(|value| value.to_le_bytes());
        self.raw(key, ARRAY, array(FLOAT32, values.len(), elements))
    }

    /// Adds a tensor; `shape` has the outermost dimension first.
    pub fn tensor(&mut self, name: &str, shape: &[usize], encoding: Encoding, bytes: Vec<u8>) -> &mut Self {
        self.tensors.push((name.into(), shape.to_vec(), encoding.gguf_number(), bytes));
        self
    }

    /// Adds a matrix in the encoding that keeps its values: F16, BF16, Q8_0 or Q4_1.
    pub fn matrix(&mut self, name: &str, matrix: &Matrix) -> &mut Self {
        let (encoding, bytes) = encode(&matrix.data);
        self.tensor(name, &[matrix.rows, matrix.cols], encoding, bytes)
    }

    /// Adds an F32 vector.
    pub fn vector(&mut self, name: &str, values: &[f32]) -> &mut Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, &[values.len()], Encoding::F32, bytes)
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.pairs.retain(|(other, ..)| other != key);
        self
    }

    /// Removes a tensor.
    pub fn remove_tensor(&mut self, name: &str) -> &mut Self {
        self.tensors.retain(|(other, ..)| other != name);
        self
    }

    /// The whole file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.pairs {
            out.extend(text(key));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        let mut offset = 0u64;
        for (name, shape, encoding, bytes) in &self.tensors {
            out.extend(text(name));
            out.extend((shape.len() as u32).to_le_bytes());
            out.extend(shape.iter().rev().flat_map(|size| (*size as u64).to_le_bytes()));
            out.extend(encoding.to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += bytes.len().next_multiple_of(ALIGNMENT_DEFAULT) as u64;
        }
        for (.., bytes) in &self.tensors {
            out.resize(out.len().next_multiple_of(ALIGNMENT_DEFAULT), 0);
            out.extend(bytes);
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT_DEFAULT), 0);
        out
    }
}

fn encode(data: &MatrixData) -> (Encoding, Vec<u8>) {
    match data {
        MatrixData::F16(values) => {
            (Encoding::F16, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        MatrixData::Bf16(values) => {
            (Encoding::Bf16, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        MatrixData::Int8 { quants, scales } => {
            let blocks = quants.chunks_exact(GROUP).zip(scales);
            let block = |(quants, scale): (&[i8], &f16)| {
                let mut bytes = scale.to_le_bytes().to_vec();
                bytes.extend(quants.iter().map(|quant| quant.cast_unsigned()));
                bytes
            };
            (Encoding::Q8_0, blocks.flat_map(block).collect())
        }
        MatrixData::Int4 { quants, scales, minimums } => {
            let blocks = quants.chunks_exact(GROUP / 2).zip(scales.iter().zip(minimums));
            let block = |(quants, (scale, minimum)): (&[u8], (&f16, &f16))| {
                let mut bytes = scale.to_le_bytes().to_vec();
                bytes.extend(minimum.to_le_bytes());
                bytes.extend(quants);
                bytes
            };
            (Encoding::Q4_1, blocks.flat_map(block).collect())
        }
    }
}

fn text(value: &str) -> Vec<u8> {
    let mut out = (value.len() as u64).to_le_bytes().to_vec();
    out.extend(value.as_bytes());
    out
}

fn array(kind: u32, length: usize, elements: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend((length as u64).to_le_bytes());
    out.extend(elements);
    out
}
