//! One transformer layer's weights on a backend.

use super::ModelError;
use crate::backend::{AttentionWeights, Backend, BackendError, FeedForwardWeights, Norm};
use crate::model::config::ModelConfig;
use crate::model::tensors::{LayerTensors, Matrix};

/// One layer.
pub(super) struct Layer<B: Backend> {
    pub(super) attention: AttentionWeights<B>,
    pub(super) feed_forward: FeedForwardWeights<B>,
}

impl<B: Backend> Layer<B> {
    /// Takes over a layer's tensors.
    pub(super) fn new(backend: &B, config: &ModelConfig, tensors: LayerTensors) -> Result<Self, ModelError> {
        let norm = |values| -> Result<_, BackendError> {
            Ok(Norm { weight: backend.vector(values)?, epsilon: config.norm_epsilon })
        };
        let bias = match tensors.qkv_bias {
            Some([query, key, value]) => {
                Some([backend.vector(query)?, backend.vector(key)?, backend.vector(value)?])
            }
            None => None,
        };
        let head_norms = match tensors.qk_norm {
            Some([query, key]) => Some([norm(query)?, norm(key)?]),
            None => None,
        };
        let projections = Matrix::stacked([tensors.query, tensors.key, tensors.value]);
        Ok(Self {
            attention: AttentionWeights {
                norm: norm(tensors.attention_norm)?,
                projections: projections
                    .into_iter()
                    .map(|matrix| backend.matrix(matrix))
                    .collect::<Result<_, _>>()?,
                bias,
                head_norms,
                output: backend.matrix(tensors.output)?,
            },
            feed_forward: FeedForwardWeights {
                norm: norm(tensors.feed_forward_norm)?,
                gate: backend.matrix(tensors.gate)?,
                up: backend.matrix(tensors.up)?,
                down: backend.matrix(tensors.down)?,
            },
        })
    }
}
