//! A model on disk, ready to be loaded: from a GGUF file or a Hugging Face folder, with adapters merged on the way.

mod fingerprint;
mod weights;

use std::path::{Path, PathBuf};

use super::config::ModelConfig;
use super::load_error::LoadError;
use super::lora::{self, Lora};
use super::quantize::Quantize;
use super::slot::{Part, Slot};
use super::stored_tensor::{StoredTensor, TensorError};
use super::tensors::{GROUP, LayerTensors, Matrix};
use crate::tokenizer::Tokenizer;
use fingerprint::Fingerprint;
use weights::Weights;

/// An open checkpoint. Nothing is converted before it is asked for, and each call converts anew: a backend asks for
/// one layer after the other and keeps its own form, so that the whole model is never in memory twice.
#[derive(Debug)]
pub struct Checkpoint {
    weights: Weights,
    adapters: Vec<Lora>,
    config: ModelConfig,
    quantize: Option<Quantize>,
    id: String,
    languages: Vec<String>,
    fingerprint: Fingerprint,
}

impl Checkpoint {
    /// Opens a GGUF file and the adapters' folders, and checks the names and shapes of all tensors.
    pub fn open<P: AsRef<Path>>(path: impl AsRef<Path>, adapters: &[P]) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let (weights, config) = Weights::open(path)?;
        let adapters = adapters
            .iter()
            .map(|folder| Lora::open(folder.as_ref(), &config))
            .collect::<Result<Vec<_>, _>>()?;
        let files: Vec<PathBuf> =
            weights.files().into_iter().chain(adapters.iter().flat_map(Lora::files)).collect();
        let checkpoint = Self {
            id: weights.id(),
            languages: weights.languages()?,
            fingerprint: Fingerprint::start(files)?,
            quantize: None,
            adapters,
            weights,
            config,
        };
        checkpoint.check_shapes()?;
        Ok(checkpoint)
    }

    /// Converts matrices to `format` as they are loaded. Embedding and head become Int8 at the least.
    #[must_use]
    pub fn quantized(mut self, format: Option<Quantize>) -> Self {
        self.quantize = format;
        self
    }

    /// The hyperparameters.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The model's name: its file's or folder's, without what only tells the format.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Languages the model was made for, as lower-case codes; English where the file names none.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// The tokenizer with the chat template.
    pub fn tokenizer(&self) -> Result<Tokenizer, LoadError> {
        self.weights.tokenizer(self.config.vocab)
    }

    /// `sha256:` and the hash over the weights, the adapters and the conversion; waits until it is computed.
    pub fn fingerprint(&self) -> Result<String, LoadError> {
        self.fingerprint.finish(self.quantize)
    }

    /// The format that matrices are converted to.
    pub fn quantization(&self) -> Option<Quantize> {
        self.quantize
    }

    /// Bytes of all weights as backends hold them, if they were converted to `format`.
    pub fn weight_bytes(&self, format: Option<Quantize>) -> u64 {
        let stored = |slot| self.weights.tensor(slot).map(|tensor| (slot, tensor));
        let bytes = |(slot, tensor): (Slot, StoredTensor<'_>)| {
            let count = tensor.shape.iter().product::<usize>();
            let is_layers = matches!(slot, Slot::Layer(..));
            let group = match format {
                _ if tensor.shape.len() < 2 => GROUP * size_of::<f32>(),
                Some(format) if is_layers => format.group_bytes(),
                Some(_) => Quantize::Int8.group_bytes(),
                // What is merged does not stay Int4.
                None if is_layers && !self.adapters.is_empty() => {
                    tensor.encoding.group_bytes_inside().max(Quantize::Int8.group_bytes())
                }
                None => tensor.encoding.group_bytes_inside(),
            };
            (count * group / GROUP) as u64
        };
        Slot::all(self.config.layers).filter_map(stored).map(bytes).sum()
    }

    /// The token embedding, `(vocab, dim)`.
    pub fn embedding(&self) -> Result<Matrix, LoadError> {
        self.matrix(Slot::Embedding)
    }

    /// RMSNorm before the head, `(dim)`.
    pub fn final_norm(&self) -> Result<Vec<f32>, LoadError> {
        self.vector(Slot::FinalNorm)
    }

    /// The output projection, `(vocab, dim)`; nothing where it is tied to the embedding.
    pub fn head(&self) -> Result<Option<Matrix>, LoadError> {
        self.weights.tensor(Slot::Head).map(|_| self.matrix(Slot::Head)).transpose()
    }

    /// One layer's tensors.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> Result<LayerTensors, LoadError> {
        assert!(layer < self.config.layers, "layer {layer} of {}", self.config.layers);
        let matrix = |part| self.matrix(Slot::Layer(layer, part));
        let vector = |part| self.vector(Slot::Layer(layer, part));
        let optional = |part| self.weights.tensor(Slot::Layer(layer, part)).map(|_| vector(part)).transpose();
        let biases = [optional(Part::QueryBias)?, optional(Part::KeyBias)?, optional(Part::ValueBias)?];
        let norms = [optional(Part::QueryNorm)?, optional(Part::KeyNorm)?];
        // About half of a layer's weights each, on two threads: merging an adapter is the longest part of a start.
        let (gate_and_up, others) = std::thread::scope(|scope| {
            let first = scope.spawn(|| Ok::<_, LoadError>([matrix(Part::Gate)?, matrix(Part::Up)?]));
            let others = [Part::Query, Part::Key, Part::Value, Part::Output, Part::Down].map(matrix);
            (first.join().expect("converting does not panic"), others)
        });
        let [gate, up] = gate_and_up?;
        let [query, key, value, output, down] = others;
        Ok(LayerTensors {
            attention_norm: vector(Part::AttentionNorm)?,
            query: query?,
            key: key?,
            value: value?,
            qkv_bias: all(biases),
            qk_norm: all(norms),
            output: output?,
            feed_forward_norm: vector(Part::FeedForwardNorm)?,
            gate,
            up,
            down: down?,
        })
    }

    fn matrix(&self, slot: Slot) -> Result<Matrix, LoadError> {
        let stored = self.weights.require(slot)?;
        let mut matrix = stored.matrix().map_err(LoadError::tensor(self.weights.path()))?;
        let out_of_range = |cause| {
            LoadError::tensor(self.weights.path())(TensorError::Group { name: stored.name.into(), cause })
        };
        let deltas = self.adapters.iter().filter_map(|adapter| adapter.delta(slot).transpose());
        let deltas = deltas.collect::<Result<Vec<_>, _>>()?;
        if !deltas.is_empty() {
            matrix = lora::merge(&matrix, &deltas).map_err(out_of_range)?;
        }
        if let Some(format) = self.quantize {
            let format = if matches!(slot, Slot::Layer(..)) { format } else { Quantize::Int8 };
            matrix = matrix.quantized(format).map_err(out_of_range)?;
        }
        self.weights.release(slot);
        Ok(matrix)
    }

    fn vector(&self, slot: Slot) -> Result<Vec<f32>, LoadError> {
        self.weights.require(slot)?.vector().map_err(LoadError::tensor(self.weights.path()))
    }

    /// Every tensor that the configuration asks for is there and has its shape; biases and norms come together.
    fn check_shapes(&self) -> Result<(), LoadError> {
        for slot in Slot::all(self.config.layers) {
            match self.weights.tensor(slot) {
                Some(tensor) => tensor
                    .expect_shape(&slot.shape(&self.config))
                    .map_err(LoadError::tensor(self.weights.path()))?,
                None if self.is_dispensable(slot) => {}
                None => drop(self.weights.require(slot)?),
            }
        }
        Ok(())
    }

    /// An optional tensor may be missing only with its companions: a query bias without a key bias is a mistake.
    fn is_dispensable(&self, slot: Slot) -> bool {
        let companions: &[Part] = match slot {
            Slot::Layer(_, Part::QueryBias | Part::KeyBias | Part::ValueBias) => {
                &[Part::QueryBias, Part::KeyBias, Part::ValueBias]
            }
            Slot::Layer(_, Part::QueryNorm | Part::KeyNorm) => &[Part::QueryNorm, Part::KeyNorm],
            _ => return slot.is_optional(),
        };
        let Slot::Layer(layer, _) = slot else { return false };
        companions.iter().all(|part| self.weights.tensor(Slot::Layer(layer, *part)).is_none())
    }
}

/// All of them, or nothing if any is absent.
fn all<const N: usize>(options: [Option<Vec<f32>>; N]) -> Option<[Vec<f32>; N]> {
    let present: Vec<Vec<f32>> = options.into_iter().flatten().collect();
    present.try_into().ok()
}
