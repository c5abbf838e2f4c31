//! Models of a shape whose weights the backend makes up, for measurements.

use super::{Llama, ModelError, ModelLimits, ModelTensors};
use crate::backend::Backend;
use crate::model::config::ModelConfig;
use crate::model::random::{self, WeightFormat};
use crate::model::tensors::{LayerTensors, Matrix};

impl<B: Backend> Llama<B> {
    /// A model all of whose weights are 0, with or without a head of its own. On the host they take up no memory unless a
    /// backend reads them.
    pub fn blank(
        backend: B,
        config: &ModelConfig,
        has_head: bool,
        format: WeightFormat,
        limits: ModelLimits,
    ) -> Result<Self, ModelError> {
        let ends = || Matrix::blank(config.vocab, config.dim, format);
        let layer = |_| -> Result<LayerTensors, ModelError> { Ok(random::blank_layer(config, format)) };
        let tensors = ModelTensors {
            embedding: ends(),
            layer,
            final_norm: vec![1.0; config.dim],
            head: has_head.then(ends),
        };
        Self::from_tensors(backend, config.clone(), tensors, limits)
    }
}
