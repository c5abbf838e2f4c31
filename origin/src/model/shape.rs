//! Models that are named by their shape, for measurements with random weights.

use super::config::{ModelConfig, Rope, RopeScaling};
use std::fmt;
use std::str::FromStr;

/// A published model's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelShape {
    /// SmolLM2-135M, the default model's.
    Smol135M,
    /// Llama-3.2-1B.
    Llama1B,
    /// Llama-3.1-8B.
    Llama8B,
}

impl ModelShape {
    /// Every shape, the smallest first.
    pub const ALL: [Self; 3] = [Self::Smol135M, Self::Llama1B, Self::Llama8B];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smol135M => "SmolLM2-135M",
            Self::Llama1B => "Llama-3.2-1B",
            Self::Llama8B => "Llama-3.1-8B",
        }
    }

    /// Whether the head is a matrix of its own, and not the embedding.
    pub fn has_head(self) -> bool {
        self == Self::Llama8B
    }

    /// Its hyperparameters, as its publisher's `config.json` has them.
    pub fn config(self) -> ModelConfig {
        let llama = |layers, dim, hidden, head_dim, factor| ModelConfig {
            layers,
            dim,
            heads: 32,
            kv_heads: 8,
            head_dim,
            hidden,
            vocab: 128_256,
            context_max: 131_072,
            norm_epsilon: 1e-5,
            rope: Rope {
                theta: 500_000.0,
                scaling: RopeScaling::Llama3 {
                    factor,
                    low_frequency_factor: 1.0,
                    high_frequency_factor: 4.0,
                    original_context: 8192,
                },
            },
        };
        match self {
            Self::Smol135M => ModelConfig {
                layers: 30,
                dim: 576,
                heads: 9,
                kv_heads: 3,
                head_dim: 64,
                hidden: 1536,
                vocab: 49_152,
                context_max: 8192,
                norm_epsilon: 1e-5,
                rope: Rope { theta: 100_000.0, scaling: RopeScaling::None },
            },
            Self::Llama1B => llama(16, 2048, 8192, 64, 32.0),
            Self::Llama8B => llama(32, 4096, 14_336, 128, 8.0),
        }
    }
}

impl fmt::Display for ModelShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for ModelShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|shape| shape.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("'{text}' is no shape; {} are", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_the_parameters_that_their_names_promise() {
        let parameters = ModelShape::ALL.map(|shape| {
            let config = shape.config().validated().expect("a valid shape");
            let attention = 2 * config.dim * (config.query_width() + config.kv_width());
            let layer = attention + 3 * config.dim * config.hidden + 2 * config.dim;
            let ends = if shape.has_head() { 2 } else { 1 };
            config.layers * layer + ends * config.vocab * config.dim + config.dim
        });
        // As the publishers count them.
        assert_eq!(parameters, [134_515_008, 1_235_814_400, 8_030_261_248]);
    }

    #[test]
    fn a_shape_is_found_by_its_name() {
        assert_eq!("llama-3.2-1b".parse(), Ok(ModelShape::Llama1B));
        let refused = "Llama-3.2-1BB".parse::<ModelShape>().expect_err("no such shape");
        assert_eq!(refused, "'Llama-3.2-1BB' is no shape; SmolLM2-135M, Llama-3.2-1B, Llama-3.1-8B are");
    }
}
