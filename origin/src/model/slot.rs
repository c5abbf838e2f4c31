//! The places for tensors in a Llama-family model, with their names in each file format and their shapes.

use super::config::ModelConfig;

/// One tensor's place in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Token embedding, `(vocab, dim)`.
    Embedding,
    /// RMSNorm before the head, `(dim)`.
    FinalNorm,
    /// Output projection, `(vocab, dim)`; absent where it is tied to the embedding.
    Head,
    /// A part of a layer.
    Layer(usize, Part),
}

/// One tensor's place within a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is documented as a field of LayerTensors")]
pub enum Part {
    AttentionNorm,
    Query,
    Key,
    Value,
    QueryBias,
    KeyBias,
    ValueBias,
    QueryNorm,
    KeyNorm,
    Output,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
}

impl Part {
    /// Every part: itself, its name in GGUF (after `blk.N.`), its name in Hugging Face (after `model.layers.N.`).
    pub const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::AttentionNorm, "attn_norm.weight", "input_layernorm.weight"),
        (Self::Query, "attn_q.weight", "self_attn.q_proj.weight"),
        (Self::Key, "attn_k.weight", "self_attn.k_proj.weight"),
        (Self::Value, "attn_v.weight", "self_attn.v_proj.weight"),
        (Self::QueryBias, "attn_q.bias", "self_attn.q_proj.bias"),
        (Self::KeyBias, "attn_k.bias", "self_attn.k_proj.bias"),
        (Self::ValueBias, "attn_v.bias", "self_attn.v_proj.bias"),
        (Self::QueryNorm, "attn_q_norm.weight", "self_attn.q_norm.weight"),
        (Self::KeyNorm, "attn_k_norm.weight", "self_attn.k_norm.weight"),
        (Self::Output, "attn_output.weight", "self_attn.o_proj.weight"),
        (Self::FeedForwardNorm, "ffn_norm.weight", "post_attention_layernorm.weight"),
        (Self::Gate, "ffn_gate.weight", "mlp.gate_proj.weight"),
        (Self::Up, "ffn_up.weight", "mlp.up_proj.weight"),
        (Self::Down, "ffn_down.weight", "mlp.down_proj.weight"),
    ];

    /// The matrices, which adapters may change.
    pub const MATRICES: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// Parts that some models lack.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::QueryBias | Self::KeyBias | Self::ValueBias | Self::QueryNorm | Self::KeyNorm)
    }

    /// Whether its rows are the query or key heads' elements, whose order depends on the form of the rotary embedding.
    pub fn is_rotary(self) -> bool {
        matches!(self, Self::Query | Self::Key | Self::QueryBias | Self::KeyBias)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        Self::ALL.iter().find(|(part, ..)| *part == self).expect("ALL lists every part")
    }

    /// Its module's name in Hugging Face's Llama: `self_attn.q_proj`.
    pub fn huggingface_module(self) -> &'static str {
        let name = self.row().2;
        name.rsplit_once('.').map_or(name, |(module, _)| module)
    }

    /// Shape, outermost dimension first.
    pub fn shape(self, config: &ModelConfig) -> Vec<usize> {
        let ModelConfig { dim, hidden, head_dim, .. } = *config;
        match self {
            Self::AttentionNorm | Self::FeedForwardNorm => vec![dim],
            Self::Query => vec![config.query_width(), dim],
            Self::Key | Self::Value => vec![config.kv_width(), dim],
            Self::QueryBias => vec![config.query_width()],
            Self::KeyBias | Self::ValueBias => vec![config.kv_width()],
            Self::QueryNorm | Self::KeyNorm => vec![head_dim],
            Self::Output => vec![dim, config.query_width()],
            Self::Gate | Self::Up => vec![hidden, dim],
            Self::Down => vec![dim, hidden],
        }
    }
}

impl Slot {
    /// Every slot of a model with so many layers, in the order in which they are loaded.
    pub fn all(layers: usize) -> impl Iterator<Item = Self> {
        let parts =
            (0..layers).flat_map(|layer| Part::ALL.iter().map(move |(part, ..)| Self::Layer(layer, *part)));
        [Self::Embedding].into_iter().chain(parts).chain([Self::FinalNorm, Self::Head])
    }

    /// Its name in a GGUF file.
    pub fn gguf_name(self) -> String {
        match self {
            Self::Embedding => "token_embd.weight".into(),
            Self::FinalNorm => "output_norm.weight".into(),
            Self::Head => "output.weight".into(),
            Self::Layer(layer, part) => format!("blk.{layer}.{}", part.row().1),
        }
    }

    /// Its name in a Hugging Face folder.
    pub fn huggingface_name(self) -> String {
        match self {
            Self::Embedding => "model.embed_tokens.weight".into(),
            Self::FinalNorm => "model.norm.weight".into(),
            Self::Head => "lm_head.weight".into(),
            Self::Layer(layer, part) => format!("model.layers.{layer}.{}", part.row().2),
        }
    }

    /// Whether a model may lack it.
    pub fn is_optional(self) -> bool {
        match self {
            Self::Embedding | Self::FinalNorm => false,
            Self::Head => true,
            Self::Layer(_, part) => part.is_optional(),
        }
    }

    /// Shape, outermost dimension first.
    pub fn shape(self, config: &ModelConfig) -> Vec<usize> {
        match self {
            Self::Embedding | Self::Head => vec![config.vocab, config.dim],
            Self::FinalNorm => vec![config.dim],
            Self::Layer(_, part) => part.shape(config),
        }
    }
}
