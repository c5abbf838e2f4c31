//! Tensors between a file and a backend: each matrix in one of the four weight formats, row-major.

pub mod random;

use half::{bf16, f16};

/// Columns that share one scale in the quantised formats.
pub const GROUP: usize = 32;

/// A weight matrix; it maps a vector of `cols` to one of `rows`.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Outputs.
    pub rows: usize,
    /// Inputs; a multiple of [`GROUP`] in the quantised formats.
    pub cols: usize,
    /// The weights, row-major.
    pub data: MatrixData,
}

/// The weights of a [`Matrix`].
#[derive(Debug, Clone)]
pub enum MatrixData {
    /// IEEE half precision, `(rows, cols)`.
    F16(Vec<f16>),
    /// bfloat16, `(rows, cols)`.
    Bf16(Vec<bf16>),
    /// `weight = scale * quant`, as GGUF's Q8_0.
    Int8 {
        /// `(rows, cols)`.
        quants: Vec<i8>,
        /// `(rows, cols / GROUP)`.
        scales: Vec<f16>,
    },
    /// `weight = scale * quant + minimum`, `quant` in 0..=15, as GGUF's Q4_1; Q4_0 has `minimum = -8 * scale`.
    Int4 {
        /// `(rows, cols / 2)`: in each group byte `i` holds column `i` (low half) and column `i + 16` (high half).
        quants: Vec<u8>,
        /// `(rows, cols / GROUP)`.
        scales: Vec<f16>,
        /// `(rows, cols / GROUP)`.
        minimums: Vec<f16>,
    },
}

impl Matrix {
    /// Matrices of the same inputs one below the other: neighbours of the same format become one.
    pub(crate) fn stacked(matrices: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut stacked: Vec<Self> = Vec::new();
        for matrix in matrices {
            let rest = match stacked.last_mut() {
                Some(above) => above.append(matrix),
                None => Some(matrix),
            };
            stacked.extend(rest);
        }
        stacked
    }

    /// Takes in the outputs of a matrix of the same format; gives back one of another.
    fn append(&mut self, below: Self) -> Option<Self> {
        match (&mut self.data, below.data) {
            (MatrixData::F16(values), MatrixData::F16(more)) => values.extend(more),
            (MatrixData::Bf16(values), MatrixData::Bf16(more)) => values.extend(more),
            (MatrixData::Int8 { quants, scales }, MatrixData::Int8 { quants: more, scales: more_scales }) => {
                quants.extend(more);
                scales.extend(more_scales);
            }
            (
                MatrixData::Int4 { quants, scales, minimums },
                MatrixData::Int4 { quants: more, scales: more_scales, minimums: more_minimums },
            ) => {
                quants.extend(more);
                scales.extend(more_scales);
                minimums.extend(more_minimums);
            }
            (_, data) => return Some(Self { data, ..below }),
        }
        self.rows += below.rows;
        None
    }

    /// The weight from input `col` to output `row`, as every format defines it.
    pub fn weight(&self, row: usize, col: usize) -> f64 {
        let index = row * self.cols + col;
        match &self.data {
            MatrixData::F16(values) => values[index].to_f64(),
            MatrixData::Bf16(values) => values[index].to_f64(),
            MatrixData::Int8 { quants, scales } => scales[index / GROUP].to_f64() * f64::from(quants[index]),
            MatrixData::Int4 { quants, scales, minimums } => {
                let byte = quants[index / GROUP * (GROUP / 2) + index % (GROUP / 2)];
                let quant = if index % GROUP < GROUP / 2 { byte & 15 } else { byte >> 4 };
                scales[index / GROUP].to_f64() * f64::from(quant) + minimums[index / GROUP].to_f64()
            }
        }
    }
}

/// One transformer layer's tensors. Rows of `query` and `key` are in Hugging Face order (rotate-half).
#[derive(Debug, Clone)]
pub struct LayerTensors {
    /// RMSNorm before attention, `(dim)`.
    pub attention_norm: Vec<f32>,
    /// `(heads * head_dim, dim)`.
    pub query: Matrix,
    /// `(kv_heads * head_dim, dim)`.
    pub key: Matrix,
    /// `(kv_heads * head_dim, dim)`.
    pub value: Matrix,
    /// Biases of query, key and value, where the model has them (Qwen2).
    pub qkv_bias: Option<[Vec<f32>; 3]>,
    /// RMSNorm over each query head and each key head, `(head_dim)` each, where the model has them (Qwen3).
    pub qk_norm: Option<[Vec<f32>; 2]>,
    /// `(dim, heads * head_dim)`.
    pub output: Matrix,
    /// RMSNorm before the feed-forward layer, `(dim)`.
    pub feed_forward_norm: Vec<f32>,
    /// `(hidden, dim)`.
    pub gate: Matrix,
    /// `(hidden, dim)`.
    pub up: Matrix,
    /// `(dim, hidden)`.
    pub down: Matrix,
}
