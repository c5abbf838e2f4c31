//! A tiny random model as a GGUF file: seconds instead of minutes for tests of everything around the model.

use std::io;
use std::path::Path;

use half::f16;

use super::config::{ModelConfig, Rope, RopeScaling};
use super::gguf::writer::Writer;
use super::random::{self, WeightFormat};
use super::slot::{Part, Slot};
use super::tensors::{GROUP, Matrix, MatrixData};
use crate::tokenizer::byte_alphabet;

/// Control tokens, ids 0 to 2 as in SmolLM2.
const SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Words whose beginnings are tokens, each with a space in front: enough for some four hundred merges.
const WORDS: &str = "the and for with your you our new more from made that this have what when every day time home \
    work best free now get make take keep feel love life good great small fresh warm simple light easy quick ready \
    without because people product coffee morning weekend season offer price order today design quality natural \
    organic craft better delivery discover between together";

/// Weights of the final norm: how far apart the logits of words lie, in standard deviations.
const SPREAD: f32 = 2.0;
/// How far the logits of single bytes and of the line break reach, where those of words reach to 1.
const BYTE_LOUDNESS: f32 = 1.0 / 16.0;
const BREAK_LOUDNESS: f32 = 1.5;

/// Two layers of half a megabyte in all, in every format that has a counterpart in GGUF.
pub fn config() -> ModelConfig {
    ModelConfig {
        layers: 2,
        dim: 128,
        heads: 4,
        kv_heads: 2,
        head_dim: 32,
        hidden: 256,
        vocab: vocabulary().0.len(),
        context_max: 2048,
        norm_epsilon: 1e-5,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    }
}

/// Writes the model of this seed.
pub fn write(path: &Path, seed: u64) -> io::Result<()> {
    std::fs::write(path, writer(seed).to_bytes())
}

/// The model of this seed, still open to changes.
pub fn writer(seed: u64) -> Writer {
    let config = config();
    let mut file = Writer::new();
    write_config(&mut file, &config);
    write_tokenizer(&mut file);
    file.matrix(&Slot::Embedding.gguf_name(), &embedding(&config, seed));
    for layer in 0..config.layers {
        let format = if layer == 0 { WeightFormat::Int8 } else { WeightFormat::Int4 };
        let tensors = random::layer(&config, seed, format, layer);
        let name = |part| Slot::Layer(layer, part).gguf_name();
        let matrices = [
            (Part::Query, &tensors.query),
            (Part::Key, &tensors.key),
            (Part::Value, &tensors.value),
            (Part::Output, &random::layer(&config, seed, WeightFormat::F16, layer).output),
            (Part::Gate, &tensors.gate),
            (Part::Up, &tensors.up),
            (Part::Down, &tensors.down),
        ];
        for (part, matrix) in matrices {
            file.matrix(&name(part), matrix);
        }
        file.vector(&name(Part::AttentionNorm), &tensors.attention_norm);
        file.vector(&name(Part::FeedForwardNorm), &tensors.feed_forward_norm);
    }
    file.vector(&Slot::FinalNorm.gguf_name(), &vec![SPREAD; config.dim]);
    file
}

/// The embedding, which is the head as well: single bytes are improbable, and so what the model writes reads as words,
/// but for the line break, without which no line would end.
fn embedding(config: &ModelConfig, seed: u64) -> Matrix {
    let mut matrix = random::embedding(config, seed, WeightFormat::Int8);
    let MatrixData::Int8 { scales, .. } = &mut matrix.data else { return matrix };
    for (row, scales) in scales.chunks_mut(config.dim / GROUP).enumerate() {
        let loudness = match row.checked_sub(SPECIAL.len()) {
            Some(byte) if byte == usize::from(b'\n') => BREAK_LOUDNESS,
            Some(0..=255) => BYTE_LOUDNESS,
            _ => 1.0,
        };
        for scale in scales {
            *scale = f16::from_f32(scale.to_f32() * loudness);
        }
    }
    matrix
}

fn write_config(file: &mut Writer, config: &ModelConfig) {
    file.text("general.architecture", "llama")
        .text("general.name", "Tiny")
        .texts("general.languages", &["en"])
        .integer("llama.block_count", config.layers as u32)
        .integer("llama.context_length", config.context_max as u32)
        .integer("llama.embedding_length", config.dim as u32)
        .integer("llama.feed_forward_length", config.hidden as u32)
        .integer("llama.attention.head_count", config.heads as u32)
        .integer("llama.attention.head_count_kv", config.kv_heads as u32)
        .float("llama.attention.layer_norm_rms_epsilon", config.norm_epsilon)
        .float("llama.rope.freq_base", config.rope.theta);
}

fn write_tokenizer(file: &mut Writer) {
    let (tokens, merges) = vocabulary();
    let types: Vec<i32> = (0..tokens.len()).map(|id| if id < SPECIAL.len() { 3 } else { 1 }).collect();
    file.text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "smollm")
        .texts("tokenizer.ggml.tokens", &tokens)
        .integers("tokenizer.ggml.token_type", &types)
        .texts("tokenizer.ggml.merges", &merges)
        .integer("tokenizer.ggml.bos_token_id", 1)
        .integer("tokenizer.ggml.eos_token_id", 2)
        .boolean("tokenizer.ggml.add_bos_token", false)
        .text("tokenizer.chat_template", crate::tokenizer::CHATML);
}

/// Tokens and merges of a byte-level vocabulary: control tokens, the 256 bytes, and the beginnings of [`WORDS`].
fn vocabulary() -> (Vec<String>, Vec<String>) {
    let bytes = (0..=255).map(|byte| byte_alphabet::character(byte).to_string());
    let mut tokens: Vec<String> = SPECIAL.map(str::to_owned).into_iter().chain(bytes).collect();
    let mut merges = Vec::new();
    for word in WORDS.split_whitespace() {
        let mut prefix = byte_alphabet::character(b' ').to_string();
        for letter in word.chars() {
            let longer = format!("{prefix}{letter}");
            if !tokens.contains(&longer) {
                merges.push(format!("{prefix} {letter}"));
                tokens.push(longer.clone());
            }
            prefix = longer;
        }
    }
    (tokens, merges)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use crate::model::checkpoint::Checkpoint;
    use crate::tokenizer::Message;

    #[test]
    fn the_tiny_model_opens_with_tensors_tokenizer_and_template() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tiny.gguf");
        super::write(&path, 7).expect("the file is written");
        let checkpoint = Checkpoint::open(&path, &[] as &[&str]).expect("it opens");
        assert_eq!(*checkpoint.config(), super::config());
        for layer in 0..checkpoint.config().layers {
            checkpoint.layer(layer).expect("the layer is read");
        }
        let tokenizer = checkpoint.tokenizer().expect("the tokenizer is built");
        let text = "Fresh coffee for your morning, 24/7 ☕";
        let tokens = tokenizer.encode(text, false);
        assert!(tokens.len() < text.len(), "words are merged");
        assert_eq!(tokenizer.decode(&tokens), text);
        let messages = [Message { role: "user", content: "Hi" }];
        let prompt = tokenizer.chat_template().render(&messages, true, SystemTime::UNIX_EPOCH);
        let prompt = prompt.expect("the template renders");
        assert_eq!(prompt, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
        assert_eq!(tokenizer.encode(&prompt, true)[0], 1);
    }
}
