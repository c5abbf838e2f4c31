//! A model's hyperparameters, as every file format's header is read into.

use super::tensors::GROUP;

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

/// Most layers.
pub const LAYERS_MAX: usize = 512;
/// Widest residual stream.
pub const DIM_MAX: usize = 1 << 16;
/// Most query heads.
pub const HEADS_MAX: usize = 1024;
/// Widest head.
pub const HEAD_DIM_MAX: usize = 512;
/// Widest feed-forward layer.
pub const HIDDEN_MAX: usize = 1 << 20;
/// Largest vocabulary, in tokens.
pub const VOCAB_MAX: usize = 1 << 21;
/// Longest context, in tokens. Positions are exact in f32 up to here.
pub const CONTEXT_MAX: usize = 1 << 24;

/// A hyperparameter that is missing, impossible or unsupported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; {expected}")]
pub struct ConfigError {
    /// The setting, by its name in the file where it has one.
    pub field: String,
    /// What the file says.
    pub value: String,
    /// What is allowed.
    pub expected: String,
}

impl ConfigError {
    /// A setting with its value and what is allowed instead.
    pub fn new(field: impl Into<String>, value: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.to_string(), expected: expected.into() }
    }
}

impl ModelConfig {
    /// Returns the configuration if every value is within the limits above and fits the others.
    pub fn validated(self) -> Result<Self, ConfigError> {
        let within = |field: &str, value: usize, max: usize| match value {
            0 => Err(ConfigError::new(field, value, "at least 1 is needed")),
            _ if value > max => Err(ConfigError::new(field, value, format!("at most {max} is supported"))),
            _ => Ok(()),
        };
        within("the number of layers", self.layers, LAYERS_MAX)?;
        within("the embedding width", self.dim, DIM_MAX)?;
        within("the number of query heads", self.heads, HEADS_MAX)?;
        within("the number of key-value heads", self.kv_heads, HEADS_MAX)?;
        within("the head width", self.head_dim, HEAD_DIM_MAX)?;
        within("the feed-forward width", self.hidden, HIDDEN_MAX)?;
        within("the vocabulary size", self.vocab, VOCAB_MAX)?;
        within("the context length", self.context_max, CONTEXT_MAX)?;
        let divides = |field: &str, value: usize, divisor: usize| match value % divisor {
            0 => Ok(()),
            _ => Err(ConfigError::new(field, value, format!("a multiple of {divisor} is needed"))),
        };
        divides("the number of query heads", self.heads, self.kv_heads)?;
        divides("the head width", self.head_dim, 2)?;
        divides("the embedding width", self.dim, GROUP)?;
        divides("the width of all query heads", self.query_width(), GROUP)?;
        divides("the feed-forward width", self.hidden, GROUP)?;
        let positive = |field: &str, value: f32| match value {
            v if v.is_finite() && v > 0.0 => Ok(()),
            _ => Err(ConfigError::new(field, value, "a positive finite number is needed")),
        };
        positive("the norm epsilon", self.norm_epsilon)?;
        positive("the rotary base", self.rope.theta)?;
        self.validate_rope_scaling(positive)?;
        Ok(self)
    }

    fn validate_rope_scaling(
        &self,
        positive: impl Fn(&str, f32) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        match &self.rope.scaling {
            RopeScaling::None => Ok(()),
            RopeScaling::Linear { factor } => positive("the rotary scaling factor", *factor),
            RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } => {
                positive("the rotary scaling factor", *factor)?;
                positive("the rotary low frequency factor", *low_frequency_factor)?;
                if high_frequency_factor.partial_cmp(low_frequency_factor)
                    != Some(std::cmp::Ordering::Greater)
                {
                    let expected =
                        format!("more than the low frequency factor {low_frequency_factor} is needed");
                    return Err(ConfigError::new(
                        "the rotary high frequency factor",
                        high_frequency_factor,
                        expected,
                    ));
                }
                positive("the original context length", *original_context as f32)
            }
            RopeScaling::Divisors(divisors) => {
                let half = self.head_dim / 2;
                if divisors.len() != half {
                    return Err(ConfigError::new(
                        "the number of rotary divisors",
                        divisors.len(),
                        format!("half the head width, {half}, is needed"),
                    ));
                }
                divisors.iter().try_for_each(|divisor| positive("a rotary divisor", *divisor))
            }
        }
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Bytes of a token's keys and values in all layers.
    pub fn kv_token_bytes(&self) -> usize {
        self.layers * 2 * self.kv_width() * size_of::<half::f16>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> ModelConfig {
        ModelConfig {
            layers: 2,
            dim: 64,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            hidden: 96,
            vocab: 300,
            context_max: 512,
            norm_epsilon: 1e-5,
            rope: Rope { theta: 1e4, scaling: RopeScaling::None },
        }
    }

    fn with(change: impl FnOnce(&mut ModelConfig)) -> Result<ModelConfig, ConfigError> {
        let mut config = valid();
        change(&mut config);
        config.validated()
    }

    #[test]
    fn limits_hold_at_the_limit_and_not_one_past_it() {
        type Set = fn(&mut ModelConfig, usize);
        let cases: [(Set, usize, usize); 8] = [
            (|config, value| config.layers = value, LAYERS_MAX, 1),
            (|config, value| config.dim = value, DIM_MAX, GROUP),
            (|config, value| config.heads = value, HEADS_MAX, 2),
            (|config, value| (config.heads, config.kv_heads) = (value, value), HEADS_MAX, 2),
            (|config, value| config.head_dim = value, HEAD_DIM_MAX, 2),
            (|config, value| config.hidden = value, HIDDEN_MAX, GROUP),
            (|config, value| config.vocab = value, VOCAB_MAX, 1),
            (|config, value| config.context_max = value, CONTEXT_MAX, 1),
        ];
        for (set, limit, step) in cases {
            assert!(with(|config| set(config, limit)).is_ok(), "{limit}");
            let past = with(|config| set(config, limit + step)).expect_err("one step past the limit");
            assert!(past.to_string().ends_with(&format!("at most {limit} is supported")), "{past}");
            let zero = with(|config| set(config, 0)).expect_err("zero");
            assert!(zero.to_string().ends_with("at least 1 is needed"), "{zero}");
        }
    }

    #[test]
    fn widths_fit_each_other() {
        let refused = |change: fn(&mut ModelConfig)| with(change).expect_err("it is refused").to_string();
        assert_eq!(refused(|c| c.dim = 65), "the embedding width is 65; a multiple of 32 is needed");
        assert_eq!(refused(|c| c.hidden = 97), "the feed-forward width is 97; a multiple of 32 is needed");
        assert_eq!(refused(|c| c.kv_heads = 3), "the number of query heads is 4; a multiple of 3 is needed");
        assert_eq!(refused(|c| c.head_dim = 17), "the head width is 17; a multiple of 2 is needed");
        assert_eq!(
            refused(|c| c.head_dim = 12),
            "the width of all query heads is 48; a multiple of 32 is needed"
        );
    }

    #[test]
    fn numbers_are_positive_and_finite() {
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(with(|config| config.norm_epsilon = value).is_err());
            assert!(with(|config| config.rope.theta = value).is_err());
            assert!(with(|config| config.rope.scaling = RopeScaling::Linear { factor: value }).is_err());
            assert!(with(|config| config.rope.scaling = RopeScaling::Divisors(vec![value; 8])).is_err());
        }
        assert!(with(|config| config.rope.scaling = RopeScaling::Divisors(vec![1.0; 8])).is_ok());
        assert!(with(|config| config.rope.scaling = RopeScaling::Divisors(vec![1.0; 9])).is_err());
        let llama3 = |low_frequency_factor, high_frequency_factor| RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor,
            high_frequency_factor,
            original_context: 8192,
        };
        assert!(with(|config| config.rope.scaling = llama3(1.0, 4.0)).is_ok());
        assert!(with(|config| config.rope.scaling = llama3(4.0, 4.0)).is_err());
    }
}
