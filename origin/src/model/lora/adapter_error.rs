//! Why an adapter does not fit a model.

use super::RANK_MAX;

/// Why an adapter does not fit a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// A setting that is not supported.
    #[error("{setting} {value} is not supported")]
    Setting {
        /// Its name in `adapter_config.json`.
        setting: &'static str,
        /// Its value there.
        value: String,
    },
    /// A rank of zero, or beyond the limit.
    #[error("rank {rank} is not supported; 1 to {RANK_MAX} are")]
    Rank {
        /// In `adapter_config.json`.
        rank: usize,
    },
    /// A tensor whose name is not one of LoRA's.
    #[error("tensor {name} is not a LoRA matrix (base_model.model.<module>.lora_A.weight or lora_B.weight)")]
    Name {
        /// In the file.
        name: String,
    },
    /// A module that the model does not have.
    #[error("the model has no module {name}")]
    Module {
        /// In the file, or among the target modules.
        name: String,
    },
    /// A or B without the other.
    #[error("tensor {name} stands without its other half")]
    Half {
        /// In the file.
        name: String,
    },
    /// No tensors at all.
    #[error("it changes nothing: there are no tensors")]
    Empty,
    /// A shape that does not fit the model and the rank.
    #[error("tensor {name}: shape {found:?} does not fit the model and the rank, which need {expected:?}")]
    Shape {
        /// In the file.
        name: String,
        /// In the file.
        found: Vec<usize>,
        /// By the model and the rank.
        expected: [usize; 2],
    },
    /// A tensor type that is not read.
    #[error("tensor {name}: type {dtype} is not supported; F32, F16 and BF16 are")]
    Type {
        /// In the file.
        name: String,
        /// In the file.
        dtype: String,
    },
    /// An infinity or not a number.
    #[error("tensor {name} holds a value that is not finite")]
    NotFinite {
        /// In the file.
        name: String,
    },
}
