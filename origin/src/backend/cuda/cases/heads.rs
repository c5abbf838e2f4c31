//! What the cases of attention have in common: weights that make heads ready, and the formula.

use super::CaseError;
use super::arrays::wave;
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::Driver;
use crate::backend::{AttentionWeights, Backend, CacheShape, Norm};
use crate::model::config::{Rope, RopeScaling};
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

/// Blocks of a cache.
pub(super) const BLOCKS: usize = 64;
const THETA: f32 = 10_000.0;
const EPSILON: f32 = 1e-5;

/// Query heads, key and value heads, their width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub(super) query: usize,
    pub(super) kv: usize,
    pub(super) dim: usize,
    /// Whether they have biases and norms.
    pub(super) are_dressed: bool,
}

impl Heads {
    pub(super) fn plain(query: usize, kv: usize, dim: usize) -> Self {
        Self { query, kv, dim, are_dressed: false }
    }

    pub(super) fn dressed(query: usize, kv: usize, dim: usize) -> Self {
        Self { query, kv, dim, are_dressed: true }
    }

    /// Of a row: all heads' queries, then keys, then values.
    pub(super) fn width(self) -> usize {
        (self.query + 2 * self.kv) * self.dim
    }

    pub(super) fn cache(self) -> CacheShape {
        CacheShape {
            layers: 2,
            heads: self.query,
            kv_heads: self.kv,
            head_dim: self.dim,
            blocks: BLOCKS,
            context_max: 512,
            rope: Rope { theta: THETA, scaling: RopeScaling::None },
        }
    }

    /// Weights of attention whose output is a matrix of this format.
    pub(super) fn weights<D: Driver>(
        self,
        cuda: &Cuda<D>,
        output: WeightFormat,
    ) -> Result<AttentionWeights<Cuda<D>>, CaseError> {
        let norm = |seed, width| -> Result<_, CaseError> {
            Ok(Norm { weight: cuda.vector(wave(seed, width))?, epsilon: EPSILON })
        };
        let vector = |seed, heads: usize| cuda.vector(wave(seed, heads * self.dim));
        let bias = [vector(2, self.query)?, vector(3, self.kv)?, vector(4, self.kv)?];
        let head_norms = [norm(5, self.dim)?, norm(6, self.dim)?];
        Ok(AttentionWeights {
            norm: norm(1, 32)?,
            projections: Vec::new(),
            bias: self.are_dressed.then_some(bias),
            head_norms: self.are_dressed.then_some(head_norms),
            output: cuda.matrix(Matrix::random(32, self.query * self.dim, 1, output))?,
        })
    }

    /// A query head of a row, ready for its position.
    pub(super) fn query_of(self, row: &[f32], head: usize, position: usize) -> Vec<f64> {
        self.turned(self.biased(row, head, 2, head), 5, position)
    }

    /// A key head of a row, ready for its position.
    pub(super) fn key_of(self, row: &[f32], head: usize, position: usize) -> Vec<f64> {
        self.turned(self.biased(row, self.query + head, 3, head), 6, position)
    }

    /// A value head of a row.
    pub(super) fn value_of(self, row: &[f32], head: usize) -> Vec<f64> {
        self.biased(row, self.query + self.kv + head, 4, head)
    }

    fn biased(self, row: &[f32], place: usize, seed: usize, head: usize) -> Vec<f64> {
        let bias = wave(seed, (head + 1) * self.dim).split_off(head * self.dim);
        let x = row[place * self.dim..].iter().zip(bias);
        x.map(|(x, bias)| f64::from(*x) + if self.are_dressed { f64::from(bias) } else { 0.0 }).collect()
    }

    /// A head, normalised and rotated to its position.
    fn turned(self, mut x: Vec<f64>, seed: usize, position: usize) -> Vec<f64> {
        if self.are_dressed {
            let mean = x.iter().map(|x| x * x).sum::<f64>() / self.dim as f64;
            let root = (mean + f64::from(EPSILON)).sqrt();
            x.iter_mut().zip(wave(seed, self.dim)).for_each(|(x, weight)| *x *= f64::from(weight) / root);
        }
        let half = self.dim / 2;
        let turn = |i: usize| {
            let angle = position as f64 * f64::from(THETA).powf(-2.0 * (i % half) as f64 / self.dim as f64);
            let other = if i < half { -x[i + half] } else { x[i - half] };
            x[i] * angle.cos() + other * angle.sin()
        };
        (0..self.dim).map(turn).collect()
    }
}
