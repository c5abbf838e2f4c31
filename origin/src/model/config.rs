//! A model's hyperparameters, as every file format's header is read into.

/// The shape and constants of a Llama-family model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Transformer layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; `heads` is a multiple of it (grouped-query attention).
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the gated feed-forward layer.
    pub hidden: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Longest context the model was trained for, in tokens.
    pub context_max: usize,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f32,
    /// Rotary position embedding.
    pub rope: Rope,
}

/// Rotary position embedding in the rotate-half form (element `i` pairs with `i + head_dim / 2`).
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the geometric progression of frequencies.
    pub theta: f32,
    /// How frequencies are stretched for a longer context.
    pub scaling: RopeScaling,
}

/// Ways of stretching rotary frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// Every position divided by `factor`.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3.1's rule: long wavelengths divided by `factor`, short ones kept, a smooth ramp between.
    Llama3 {
        /// The divisor of long wavelengths.
        factor: f32,
        /// Wavelengths above `original_context / low_frequency_factor` are divided.
        low_frequency_factor: f32,
        /// Wavelengths below `original_context / high_frequency_factor` are kept.
        high_frequency_factor: f32,
        /// Context of the first training, in tokens.
        original_context: usize,
    },
    /// A divisor for each frequency, as GGUF's `rope_freqs.weight` gives them; `(head_dim / 2)`.
    Divisors(Vec<f32>),
}

impl ModelConfig {
    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}
