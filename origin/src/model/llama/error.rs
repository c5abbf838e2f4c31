//! What can be wrong with a model or a batch.

use crate::backend::BackendError;
use crate::model::load_error::LoadError;

/// A checkpoint that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LlamaError {
    /// Its files cannot be read.
    #[error(transparent)]
    File(#[from] LoadError),
    /// Its model cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A model that cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A hyperparameter out of its range.
    #[error("{what} is {value}, which is not within {min} to {max}")]
    Range {
        /// The hyperparameter.
        what: &'static str,
        /// What it is.
        value: usize,
        /// The least it may be.
        min: usize,
        /// The most it may be.
        max: usize,
    },
    /// Query heads that cannot share the key and value heads evenly.
    #[error("{heads} query heads cannot share {kv_heads} key and value heads evenly")]
    Heads {
        /// Query heads.
        heads: usize,
        /// Key and value heads.
        kv_heads: usize,
    },
    /// A constant that is not a finite positive number.
    #[error("{what} is {value}, which is not a finite positive number")]
    Constant {
        /// The constant.
        what: &'static str,
        /// What it is.
        value: f32,
    },
    /// A tensor of another shape than the hyperparameters say.
    #[error("{tensor}{layer} is {found:?} where the model's shape asks for {wanted:?}", layer = OfLayer(*.layer))]
    Shape {
        /// The tensor.
        tensor: &'static str,
        /// Its layer.
        layer: Option<usize>,
        /// Rows and columns it has.
        found: [usize; 2],
        /// Rows and columns it should have.
        wanted: [usize; 2],
    },
    /// The backend cannot take it over.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// " of layer n", where there is one.
struct OfLayer(Option<usize>);

impl std::fmt::Display for OfLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |layer| write!(f, " of layer {layer}"))
    }
}

/// What an error of a step leaves of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The batch was refused; model and device are as before.
    Refused,
    /// The device had no memory for this batch; it can run others.
    Memory,
    /// The device failed. What is on it is lost, and it does nothing more before it is opened anew.
    DeviceLost,
}

impl StepError {
    /// What it leaves of the model.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Backend(BackendError::Device { .. }) => Severity::DeviceLost,
            Self::Backend(BackendError::Memory { .. } | BackendError::DeviceMemory { .. }) => {
                Severity::Memory
            }
            _ => Severity::Refused,
        }
    }
}

/// A batch that cannot be run: a fault of the engine's or of the device, not of a request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StepError {
    /// More than a step takes.
    #[error("{count} {what} in one step, more than {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many the batch has.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Sequences that do not cover the tokens.
    #[error("the sequences have {covered} tokens, the batch {tokens}")]
    Coverage {
        /// Tokens that the sequences count.
        covered: usize,
        /// Tokens of the batch.
        tokens: usize,
    },
    /// A sequence without tokens.
    #[error("sequence {sequence} has no token in this step")]
    NoTokens {
        /// Its index in the batch.
        sequence: usize,
    },
    /// A position that the model or the cache does not reach.
    #[error("sequence {sequence} reaches {end} tokens, more than {max}")]
    Context {
        /// Its index in the batch.
        sequence: usize,
        /// Its tokens after the step.
        end: usize,
        /// The limit.
        max: usize,
    },
    /// A block table that is too short.
    #[error("sequence {sequence} needs {needed} blocks and has {blocks}")]
    BlockTable {
        /// Its index in the batch.
        sequence: usize,
        /// Blocks that its tokens take up.
        needed: usize,
        /// Blocks in its table.
        blocks: usize,
    },
    /// A block outside the cache.
    #[error("block {block} of a cache of {blocks}")]
    Block {
        /// The block.
        block: u32,
        /// Blocks there are.
        blocks: usize,
    },
    /// A token outside the vocabulary.
    #[error("token {token} of a vocabulary of {vocab}")]
    Token {
        /// The token.
        token: u32,
        /// Tokens there are.
        vocab: usize,
    },
    /// A sample row outside the batch.
    #[error("sample row {row} of a batch of {tokens} tokens")]
    SampleRow {
        /// The row.
        row: usize,
        /// Rows there are.
        tokens: usize,
    },
    /// A mask of the wrong length, or one that allows no token.
    #[error("the mask of sample {sample} allows no token of the vocabulary or has not {words} words")]
    Mask {
        /// Its index in the batch.
        sample: usize,
        /// Words that it must have.
        words: usize,
    },
    /// A sampling parameter that is not a number in its range.
    #[error("{what} of sample {sample} is {value}")]
    Params {
        /// The parameter.
        what: &'static str,
        /// Its index in the batch.
        sample: usize,
        /// What it is.
        value: f32,
    },
    /// The device refused or failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
