//! One transformer layer's weights on a backend.

use super::ModelError;
use crate::backend::{AttentionInput, Backend, BackendError, GatedInput, Norm};
use crate::model::config::ModelConfig;
use crate::model::tensors::LayerTensors;

/// One layer.
pub(super) struct Layer<B: Backend> {
    pub(super) attention: AttentionInput<B>,
    /// `(dim, heads * head_dim)`.
    pub(super) output: B::Matrix,
    pub(super) feed_forward: GatedInput<B>,
    /// `(dim, hidden)`.
    pub(super) down: B::Matrix,
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
        Ok(Self {
            attention: AttentionInput {
                norm: norm(tensors.attention_norm)?,
                projections: [
                    backend.matrix(tensors.query)?,
                    backend.matrix(tensors.key)?,
                    backend.matrix(tensors.value)?,
                ],
                bias,
                head_norms,
            },
            output: backend.matrix(tensors.output)?,
            feed_forward: GatedInput {
                norm: norm(tensors.feed_forward_norm)?,
                gate: backend.matrix(tensors.gate)?,
                up: backend.matrix(tensors.up)?,
            },
            down: backend.matrix(tensors.down)?,
        })
    }
}
