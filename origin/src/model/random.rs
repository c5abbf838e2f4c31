//! Random models of any shape and format, for tests and benches.

use super::config::ModelConfig;
use super::tensors::LayerTensors;
use super::tensors::Matrix;
pub use super::tensors::random::WeightFormat;

/// The embedding matrix.
pub fn embedding(config: &ModelConfig, seed: u64, format: WeightFormat) -> Matrix {
    Matrix::random(config.vocab, config.dim, seed, format)
}

/// One layer's tensors, without biases and head norms.
pub fn layer(config: &ModelConfig, seed: u64, format: WeightFormat, index: usize) -> LayerTensors {
    // Seeds far enough apart that no two tensors share a part of the generator's sequence.
    let matrix = |tensor: u64, rows, cols| {
        let place = (index as u64 * 8 + tensor + 1).wrapping_mul(0xd134_2543_de82_ef95);
        Matrix::random(rows, cols, seed.wrapping_add(place), format)
    };
    layer_of(config, matrix)
}

/// The same with weights of 0.
pub fn blank_layer(config: &ModelConfig, format: WeightFormat) -> LayerTensors {
    layer_of(config, |_, rows, cols| Matrix::blank(rows, cols, format))
}

fn layer_of(config: &ModelConfig, matrix: impl Fn(u64, usize, usize) -> Matrix) -> LayerTensors {
    let (dim, query, kv, hidden) = (config.dim, config.query_width(), config.kv_width(), config.hidden);
    LayerTensors {
        attention_norm: vec![1.0; dim],
        query: matrix(0, query, dim),
        key: matrix(1, kv, dim),
        value: matrix(2, kv, dim),
        qkv_bias: None,
        qk_norm: None,
        output: matrix(3, dim, query),
        feed_forward_norm: vec![1.0; dim],
        gate: matrix(4, hidden, dim),
        up: matrix(5, hidden, dim),
        down: matrix(6, dim, hidden),
    }
}
