//! Models and batches are checked once, here; the backends rely on it.

use super::{KV_BLOCKS_MAX, ModelError, ModelLimits, STEP_SEQUENCES_MAX, STEP_TOKENS_MAX, StepError};
use crate::backend::batch::{BLOCK_TOKENS, Batch, SampleRow};
use crate::model::config::{ModelConfig, RopeScaling};
use crate::model::tensors::{LayerTensors, Matrix};

/// Widths, heads, layers and tokens beyond these are not a model of this family but a broken file.
const WIDTH_MAX: usize = 1 << 17;
const HEADS_MAX: usize = 1 << 10;
const LAYERS_MAX: usize = 1 << 10;
const VOCAB_MAX: usize = 1 << 22;
const CONTEXT_MAX: usize = 1 << 24;

/// The hyperparameters and the limits.
pub(super) fn config(config: &ModelConfig, limits: ModelLimits) -> Result<(), ModelError> {
    let ranges = [
        ("the number of layers", config.layers, 1, LAYERS_MAX),
        ("the model's width", config.dim, 1, WIDTH_MAX),
        ("the number of query heads", config.heads, 1, HEADS_MAX),
        ("the number of key and value heads", config.kv_heads, 1, HEADS_MAX),
        ("the width of a head", config.head_dim, 2, WIDTH_MAX),
        ("the width of the feed-forward layer", config.hidden, 1, WIDTH_MAX),
        ("the vocabulary", config.vocab, 1, VOCAB_MAX),
        ("the context", config.context_max, 1, CONTEXT_MAX),
        ("the number of KV blocks", limits.blocks, 1, KV_BLOCKS_MAX),
        ("the number of tokens in a step", limits.step.tokens, 1, STEP_TOKENS_MAX),
        ("the number of sequences in a step", limits.step.sequences, 1, STEP_SEQUENCES_MAX),
        ("the context of a step", limits.step.context, 1, CONTEXT_MAX),
    ];
    for (what, value, min, max) in ranges {
        if value < min || value > max {
            return Err(ModelError::Range { what, value, min, max });
        }
    }
    let (heads, kv_heads) = (config.heads, config.kv_heads);
    if !heads.is_multiple_of(kv_heads) {
        return Err(ModelError::Heads { heads, kv_heads });
    }
    let mut constants =
        vec![("the norm's epsilon", config.norm_epsilon), ("the rope's base", config.rope.theta)];
    match &config.rope.scaling {
        RopeScaling::None => {}
        RopeScaling::Linear { factor } => constants.push(("the rope's factor", *factor)),
        RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, .. } => {
            constants.push(("the rope's factor", *factor));
            constants.push(("the rope's low frequency factor", *low_frequency_factor));
            let ramp = high_frequency_factor - low_frequency_factor;
            constants.push(("the rope's ramp of frequency factors", ramp));
        }
        RopeScaling::Divisors(divisors) => {
            constants.extend(divisors.iter().map(|&divisor| ("a rope divisor", divisor)));
        }
    }
    match constants.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
        Some((what, value)) => Err(ModelError::Constant { what, value }),
        None => Ok(()),
    }
}

/// The tensors before the first layer and after the last.
pub(super) fn ends(
    config: &ModelConfig,
    embedding: &Matrix,
    final_norm: &[f32],
    head: Option<&Matrix>,
) -> Result<(), ModelError> {
    matrix("the embedding", None, embedding, config.vocab, config.dim)?;
    vector("the final norm", None, final_norm, config.dim)?;
    head.map_or(Ok(()), |head| matrix("the head", None, head, config.vocab, config.dim))
}

/// One layer's tensors.
pub(super) fn layer(config: &ModelConfig, index: usize, tensors: &LayerTensors) -> Result<(), ModelError> {
    let layer = Some(index);
    let (query, kv) = (config.query_width(), config.kv_width());
    vector("the attention norm", layer, &tensors.attention_norm, config.dim)?;
    vector("the feed-forward norm", layer, &tensors.feed_forward_norm, config.dim)?;
    matrix("the query matrix", layer, &tensors.query, query, config.dim)?;
    matrix("the key matrix", layer, &tensors.key, kv, config.dim)?;
    matrix("the value matrix", layer, &tensors.value, kv, config.dim)?;
    matrix("the output matrix", layer, &tensors.output, config.dim, query)?;
    matrix("the gate matrix", layer, &tensors.gate, config.hidden, config.dim)?;
    matrix("the up matrix", layer, &tensors.up, config.hidden, config.dim)?;
    matrix("the down matrix", layer, &tensors.down, config.dim, config.hidden)?;
    if let Some(biases) = &tensors.qkv_bias {
        for (bias, width) in biases.iter().zip([query, kv, kv]) {
            vector("a bias of query, key or value", layer, bias, width)?;
        }
    }
    for norm in tensors.qk_norm.iter().flatten() {
        vector("the norm of query or key heads", layer, norm, config.head_dim)?;
    }
    Ok(())
}

fn matrix(
    tensor: &'static str,
    layer: Option<usize>,
    matrix: &Matrix,
    rows: usize,
    cols: usize,
) -> Result<(), ModelError> {
    let (found, wanted) = ([matrix.rows, matrix.cols], [rows, cols]);
    if found == wanted { Ok(()) } else { Err(ModelError::Shape { tensor, layer, found, wanted }) }
}

fn vector(
    tensor: &'static str,
    layer: Option<usize>,
    values: &[f32],
    width: usize,
) -> Result<(), ModelError> {
    let (found, wanted) = ([1, values.len()], [1, width]);
    if found == wanted { Ok(()) } else { Err(ModelError::Shape { tensor, layer, found, wanted }) }
}

/// A block's number.
pub(super) fn block(block: u32, limits: ModelLimits) -> Result<(), StepError> {
    let blocks = limits.blocks;
    if (block as usize) < blocks { Ok(()) } else { Err(StepError::Block { block, blocks }) }
}

/// A batch: all that the operations index with.
pub(super) fn batch(config: &ModelConfig, limits: ModelLimits, batch: &Batch<'_>) -> Result<(), StepError> {
    let tokens = batch.tokens.len();
    let counts = [
        ("tokens", tokens, limits.step.tokens),
        ("sequences", batch.sequences.len(), limits.step.sequences),
        ("rows to sample from", batch.samples.len(), limits.step.sequences),
    ];
    if let Some((what, count, max)) = counts.into_iter().find(|(_, count, max)| count > max) {
        return Err(StepError::TooMany { what, count, max });
    }
    let vocab = config.vocab;
    if let Some(&token) = batch.tokens.iter().find(|&&token| token as usize >= vocab) {
        return Err(StepError::Token { token, vocab });
    }
    let max = limits.step.context;
    let mut covered = 0_usize;
    for (sequence, span) in batch.sequences.iter().enumerate() {
        if span.count == 0 {
            return Err(StepError::NoTokens { sequence });
        }
        let end = span.start.saturating_add(span.count);
        if end > max {
            return Err(StepError::Context { sequence, end, max });
        }
        let (needed, blocks) = (end.div_ceil(BLOCK_TOKENS), span.blocks.len());
        if blocks < needed {
            return Err(StepError::BlockTable { sequence, needed, blocks });
        }
        span.blocks[..needed].iter().try_for_each(|&id| block(id, limits))?;
        covered += span.count;
    }
    if covered != tokens {
        return Err(StepError::Coverage { covered, tokens });
    }
    batch.samples.iter().enumerate().try_for_each(|(index, row)| sample(vocab, tokens, index, row))
}

fn sample(vocab: usize, tokens: usize, index: usize, row: &SampleRow<'_>) -> Result<(), StepError> {
    if row.row >= tokens {
        return Err(StepError::SampleRow { row: row.row, tokens });
    }
    if let Some(mask) = row.mask {
        let words = vocab.div_ceil(32);
        let last = u32::MAX >> ((32 - vocab % 32) % 32);
        let full = mask.len() == words;
        let allows =
            full && mask.iter().zip(1..).any(|(&bits, n)| bits & if n == words { last } else { !0 } != 0);
        if !allows {
            return Err(StepError::Mask { sample: index, words });
        }
    }
    let params = &row.params;
    let ranges = [
        ("the temperature", params.temperature, 0.0, f32::MAX),
        ("top_p", params.top_p, 0.0, 1.0),
        ("min_p", params.min_p, 0.0, 1.0),
        ("the repetition penalty", params.repetition_penalty, f32::MIN_POSITIVE, f32::MAX),
        ("the frequency penalty", params.frequency_penalty, f32::MIN, f32::MAX),
        ("the presence penalty", params.presence_penalty, f32::MIN, f32::MAX),
    ];
    match ranges.into_iter().find(|&(_, value, min, max)| !(min..=max).contains(&value)) {
        Some((what, value, ..)) => Err(StepError::Params { what, sample: index, value }),
        None => Ok(()),
    }
}
