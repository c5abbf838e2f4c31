//! The least that a device must do: bytes that it must read and write, operations that it must carry out.

use super::{ANSWER, PROMPT};
use crate::model::config::ModelConfig;
use crate::model::llama::STEP_TOKENS_MAX;
use crate::model::random::WeightFormat;
use crate::model::shape::ModelShape;
use crate::model::tensors::GROUP;
use std::iter::Sum;
use std::ops::Add;

/// Bytes of an activation, and of a key or value in the cache.
const ACTIVATION: usize = size_of::<f32>();
const CACHED: usize = size_of::<half::f16>();

/// Work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Bytes that come from memory or go there.
    pub(super) bytes: usize,
    /// Additions and multiplications of products.
    pub(super) operations: usize,
}

/// What a device can do in a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ceilings {
    pub(super) bytes: f64,
    pub(super) operations: f64,
}

impl Work {
    /// Seconds that it takes at least.
    pub(super) fn floor(self, ceilings: Ceilings) -> f64 {
        (self.bytes as f64 / ceilings.bytes).max(self.operations as f64 / ceilings.operations)
    }

    /// So many times as much.
    pub(super) fn times(self, count: usize) -> Self {
        Self { bytes: self.bytes * count, operations: self.operations * count }
    }
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, operations: self.operations + other.operations }
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(works: I) -> Self {
        works.fold(Self::default(), Add::add)
    }
}

/// Bytes of a matrix.
pub(super) fn weight_bytes(format: WeightFormat, rows: usize, cols: usize) -> usize {
    let cells = rows * cols;
    match format {
        WeightFormat::F16 | WeightFormat::Bf16 => 2 * cells,
        // A scale for each group; Int4 has a minimum too.
        WeightFormat::Int8 => cells + cells / GROUP * 2,
        WeightFormat::Int4 => cells / 2 + cells / GROUP * 4,
    }
}

/// A step of a model.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The shape's name.
    pub(super) shape: &'static str,
    pub(super) config: ModelConfig,
    /// Whether the head is a matrix of its own.
    pub(super) has_head: bool,
    pub(super) format: WeightFormat,
    /// Sequences, each of which is sampled from once.
    pub(super) sequences: usize,
    /// New tokens of each.
    pub(super) tokens: usize,
    /// Tokens of each before.
    pub(super) before: usize,
}

/// One of a step's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// How many a step has.
    pub(super) count: usize,
    /// What one of them must do when its input and output go through memory.
    pub(super) work: Work,
    /// Of that the weights.
    pub(super) weights: usize,
}

impl Step {
    /// The prompts of so many sequences.
    pub(super) fn prompts(shape: ModelShape, format: WeightFormat, sequences: usize) -> Self {
        let (name, has_head) = (shape.name(), shape.has_head());
        Self { shape: name, config: shape.config(), has_head, format, sequences, tokens: PROMPT, before: 0 }
    }

    /// Then one token for each, half-way through their answers.
    pub(super) fn answer(&self) -> Self {
        Self { tokens: 1, before: PROMPT + ANSWER / 2, ..self.clone() }
    }

    /// Tokens of all sequences.
    pub(super) fn rows(&self) -> usize {
        self.sequences * self.tokens
    }

    /// All parts.
    pub(super) fn parts(&self) -> Vec<Part> {
        let ModelConfig { layers, dim, hidden, vocab, .. } = self.config;
        let (query, kv) = (self.config.query_width(), self.config.kv_width());
        let (rows, samples) = (self.rows(), self.sequences);
        let product = |name, count, inputs, outputs, rows: usize, activations: usize| {
            let weights = weight_bytes(self.format, outputs, inputs);
            let work = Work {
                bytes: weights + rows * activations * ACTIVATION,
                operations: 2 * rows * inputs * outputs,
            };
            Part { name, count, work, weights }
        };
        let bytes = |name, bytes| Part { name, count: 1, work: Work { bytes, operations: 0 }, weights: 0 };
        let row = weight_bytes(self.format, 1, dim);
        let attention = Part { name: "attention", count: layers, work: self.attention(), weights: 0 };
        vec![
            bytes("embedding", rows * (row + dim * ACTIVATION)),
            // The residual stream is read and written by what is added to it.
            product("query, key, value", layers, dim, query + 2 * kv, rows, dim + query + 2 * kv),
            attention,
            product("output", layers, query, dim, rows, query + 2 * dim),
            product("gate, up", layers, dim, 2 * hidden, rows, dim + hidden),
            product("down", layers, hidden, dim, rows, hidden + 2 * dim),
            product("head", 1, dim, vocab, samples, dim + vocab),
            bytes("sampling", samples * vocab * ACTIVATION),
        ]
    }

    /// Attention of one layer: queries in, the context's keys and values, outputs.
    pub(super) fn attention(&self) -> Work {
        let query = self.config.query_width();
        // Tokens that each new one attends to, itself included.
        let attended: usize = (1..=self.tokens).map(|token| self.before + token).sum();
        Work {
            bytes: self.cached() + self.rows() * 2 * query * ACTIVATION,
            operations: self.sequences * attended * 4 * query,
        }
    }

    /// Bytes of the keys and values of one layer.
    fn cached(&self) -> usize {
        self.sequences * (self.before + self.tokens) * 2 * self.config.kv_width() * CACHED
    }

    /// The whole step, or the steps that so many tokens take: activations may stay on the chip; weights, keys and values
    /// cannot.
    pub(super) fn work(&self) -> Work {
        let parts = self.parts();
        let weights: usize = parts.iter().map(|part| part.count * part.weights).sum();
        let operations = parts.iter().map(|part| part.work.times(part.count)).sum::<Work>().operations;
        let rows = self.rows() * weight_bytes(self.format, 1, self.config.dim);
        let steps = self.rows().div_ceil(STEP_TOKENS_MAX);
        Work { bytes: steps * weights + rows + self.config.layers * self.cached(), operations }
    }
}
