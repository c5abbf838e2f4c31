//! From `config.json` to a [`ModelConfig`].

use serde::Deserialize;

use crate::model::config::{ConfigError, ModelConfig, Rope, RopeScaling};

/// Model types whose tensors and operations are the Llama family's.
const MODEL_TYPES: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// The settings of `config.json` that change what a model computes.
#[derive(Debug, Deserialize)]
pub(super) struct Hyperparameters {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    #[serde(default)]
    tie_word_embeddings: bool,
    hidden_act: Option<String>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    rope_theta: Option<f32>,
    rope_scaling: Option<RopeSettings>,
    /// Where transformers 5 puts base and scaling together.
    rope_parameters: Option<RopeSettings>,
}

/// `rope_scaling` or `rope_parameters`.
#[derive(Debug, Deserialize)]
struct RopeSettings {
    rope_theta: Option<f32>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<usize>,
}

impl Hyperparameters {
    /// The configuration, and whether the head is tied to the embedding.
    pub(super) fn read(&self) -> Result<(ModelConfig, bool), ConfigError> {
        if !MODEL_TYPES.contains(&self.model_type.as_str()) {
            let expected = format!("{} are supported", MODEL_TYPES.join(", "));
            return Err(ConfigError::new("model_type", &self.model_type, expected));
        }
        if let Some(activation) = self.hidden_act.as_ref().filter(|activation| *activation != "silu") {
            return Err(ConfigError::new("hidden_act", activation, "silu is supported"));
        }
        let config = ModelConfig {
            layers: self.num_hidden_layers,
            dim: self.hidden_size,
            heads: self.num_attention_heads,
            kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim: self.head_dim()?,
            hidden: self.intermediate_size,
            vocab: self.vocab_size,
            context_max: self.context_max(),
            norm_epsilon: self.rms_norm_eps,
            rope: self.rope()?,
        };
        Ok((config.validated()?, self.tie_word_embeddings))
    }

    fn head_dim(&self) -> Result<usize, ConfigError> {
        match self.head_dim {
            Some(width) => Ok(width),
            None if self.num_attention_heads > 0
                && self.hidden_size.is_multiple_of(self.num_attention_heads) =>
            {
                Ok(self.hidden_size / self.num_attention_heads)
            }
            None => {
                let expected = format!("a divisor of hidden_size {} is needed", self.hidden_size);
                Err(ConfigError::new("num_attention_heads", self.num_attention_heads, expected))
            }
        }
    }

    /// Within its window, sliding attention sees what full attention sees. Qwen states a window and does not use it.
    fn context_max(&self) -> usize {
        let used = self.use_sliding_window.unwrap_or(self.model_type == "mistral");
        let window = self.sliding_window.filter(|window| used && *window > 0);
        window.map_or(self.max_position_embeddings, |window| window.min(self.max_position_embeddings))
    }

    fn rope(&self) -> Result<Rope, ConfigError> {
        let settings = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let theta = settings.and_then(|settings| settings.rope_theta).or(self.rope_theta).unwrap_or(10_000.0);
        let scaling = settings.map_or(Ok(RopeScaling::None), RopeSettings::scaling)?;
        Ok(Rope { theta, scaling })
    }
}

impl RopeSettings {
    fn scaling(&self) -> Result<RopeScaling, ConfigError> {
        let required = |name: &str, value: Option<f32>| {
            value.ok_or_else(|| ConfigError::new(format!("rope_scaling.{name}"), "missing", "it is required"))
        };
        match self.rope_type.as_deref().unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: required("factor", self.factor)? }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: required("factor", self.factor)?,
                low_frequency_factor: required("low_freq_factor", self.low_freq_factor)?,
                high_frequency_factor: required("high_freq_factor", self.high_freq_factor)?,
                original_context: self.original_max_position_embeddings.ok_or_else(|| {
                    let field = "rope_scaling.original_max_position_embeddings";
                    ConfigError::new(field, "missing", "it is required")
                })?,
            }),
            other => Err(ConfigError::new(
                "rope_scaling.rope_type",
                other,
                "default, linear and llama3 are supported",
            )),
        }
    }
}
