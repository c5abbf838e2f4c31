//! From a file's metadata to a [`ModelConfig`].

use super::{Gguf, missing};
use crate::model::config::{ConfigError, ModelConfig, Rope, RopeScaling};
use crate::model::slot::Slot;

/// The tensor of frequency divisors that Llama 3.1 and its kin carry.
pub(super) const ROPE_FREQS: &str = "rope_freqs.weight";

/// Architectures whose tensors and operations are the Llama family's. Mistral's files say `llama`.
const ARCHITECTURES: [&str; 3] = ["llama", "qwen2", "qwen3"];

pub(super) fn read(file: &Gguf) -> Result<ModelConfig, ConfigError> {
    let metadata = file.metadata();
    let key = "general.architecture";
    let architecture = metadata.text(key)?.ok_or_else(|| missing(key))?;
    if !ARCHITECTURES.contains(&architecture) {
        return Err(ConfigError::new(key, architecture, "llama, qwen2 and qwen3 are supported"));
    }
    let key = |name: &str| format!("{architecture}.{name}");
    refuse_unsupported(file, &key)?;
    let dim = metadata.required_integer(&key("embedding_length"))?;
    let heads = metadata.required_integer(&key("attention.head_count"))?;
    let head_dim = head_dim(file, &key, dim, heads)?;
    let context = metadata.required_integer(&key("context_length"))?;
    let window = metadata.integer(&key("attention.sliding_window"))?.filter(|window| *window > 0);
    let embedding = Slot::Embedding.gguf_name();
    let vocab =
        file.tensor_named(&embedding).map(|tensor| tensor.shape[0]).ok_or_else(|| missing(&embedding))?;
    let config = ModelConfig {
        layers: metadata.required_integer(&key("block_count"))?,
        dim,
        heads,
        kv_heads: metadata.integer(&key("attention.head_count_kv"))?.unwrap_or(heads),
        head_dim,
        hidden: metadata.required_integer(&key("feed_forward_length"))?,
        vocab,
        // Within its window, sliding attention sees what full attention sees.
        context_max: window.map_or(context, |window| window.min(context)),
        norm_epsilon: metadata
            .float(&key("attention.layer_norm_rms_epsilon"))?
            .ok_or_else(|| missing(&key("attention.layer_norm_rms_epsilon")))?,
        rope: Rope {
            theta: metadata.float(&key("rope.freq_base"))?.unwrap_or(10_000.0),
            scaling: rope_scaling(file, &key)?,
        },
    };
    config.validated()
}

/// Settings that would change the computation in ways that the graph does not know.
fn refuse_unsupported(file: &Gguf, key: &impl Fn(&str) -> String) -> Result<(), ConfigError> {
    let metadata = file.metadata();
    if let Some(experts) = metadata.integer(&key("expert_count"))?.filter(|experts| *experts > 0) {
        return Err(ConfigError::new(key("expert_count"), experts, "mixtures of experts are not supported"));
    }
    if let Some(causal) = metadata.boolean(&key("attention.causal"))?.filter(|causal| !causal) {
        return Err(ConfigError::new(key("attention.causal"), causal, "only causal attention is supported"));
    }
    Ok(())
}

fn head_dim(
    file: &Gguf,
    key: &impl Fn(&str) -> String,
    dim: usize,
    heads: usize,
) -> Result<usize, ConfigError> {
    let metadata = file.metadata();
    let head_dim = match metadata.integer(&key("attention.key_length"))? {
        Some(width) => width,
        None if heads > 0 && dim.is_multiple_of(heads) => dim / heads,
        None => {
            let expected = format!("a divisor of the embedding width {dim} is needed");
            return Err(ConfigError::new(key("attention.head_count"), heads, expected));
        }
    };
    for name in ["attention.value_length", "rope.dimension_count"] {
        if let Some(width) = metadata.integer(&key(name))?.filter(|width| *width != head_dim) {
            return Err(ConfigError::new(
                key(name),
                width,
                format!("only the head width {head_dim} is supported"),
            ));
        }
    }
    Ok(head_dim)
}

fn rope_scaling(file: &Gguf, key: &impl Fn(&str) -> String) -> Result<RopeScaling, ConfigError> {
    let metadata = file.metadata();
    let kind = metadata.text(&key("rope.scaling.type"))?.unwrap_or("none");
    let factor = match metadata.float(&key("rope.scaling.factor"))? {
        Some(factor) => Some(factor),
        None => metadata.float(&key("rope.scale_linear"))?,
    };
    let scaling = match (kind, factor) {
        ("linear", Some(factor)) => RopeScaling::Linear { factor },
        ("linear", None) => return Err(missing(&key("rope.scaling.factor"))),
        ("none", Some(factor)) if metadata.get(&key("rope.scaling.type")).is_none() => {
            RopeScaling::Linear { factor }
        }
        ("none", _) => RopeScaling::None,
        (other, _) => {
            return Err(ConfigError::new(key("rope.scaling.type"), other, "none and linear are supported"));
        }
    };
    let Some(tensor) = file.tensor_named(ROPE_FREQS) else { return Ok(scaling) };
    if scaling != RopeScaling::None {
        return Err(ConfigError::new(key("rope.scaling.type"), kind, "rope_freqs.weight stands beside it"));
    }
    let divisors =
        tensor.vector().map_err(|error| ConfigError::new(ROPE_FREQS, "unusable", error.to_string()))?;
    Ok(RopeScaling::Divisors(divisors))
}
