//! Low-rank adapters (Hu and others, 2021) in PEFT's folder format, merged into the weights as they are loaded.
//!
//! `W' = W + scale * B * A`, computed in f32. A merged matrix is stored as Int8 where the base was quantised, and as
//! F16 (BF16 where a value is beyond F16's range) where it was not: a quantised base has no finer grid to keep the
//! change in, and 4 bits would lose most of it.

mod adapter_config;
mod adapter_error;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};

pub use adapter_error::AdapterError;

use super::config::ModelConfig;
use super::load_error::LoadError;
use super::quantize::{GroupRange, Int8};
use super::safetensors_file::SafetensorsFile;
use super::slot::{Part, Slot};
use super::tensors::{Matrix, MatrixData};
use adapter_config::AdapterConfig;

/// The settings within an adapter's folder.
const CONFIG_FILE: &str = "adapter_config.json";
/// The weights within an adapter's folder.
const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// Greatest rank.
pub const RANK_MAX: usize = 1024;

/// An adapter that fits the model.
#[derive(Debug)]
pub struct Lora {
    folder: PathBuf,
    weights: SafetensorsFile,
    /// Names of A and B for each matrix that it changes.
    pairs: HashMap<(usize, Part), [String; 2]>,
    rank: usize,
    scale: f32,
}

/// A change of one matrix: `scale * B * A`.
#[derive(Debug)]
pub struct Delta {
    rank: usize,
    /// `(rank, cols)`.
    a: Vec<f32>,
    /// `(rows, rank)`, multiplied by the scale.
    b: Vec<f32>,
}

impl Lora {
    /// Opens an adapter's folder and checks that every tensor has its place and shape in the model.
    pub fn open(folder: &Path, config: &ModelConfig) -> Result<Self, LoadError> {
        let refused = |cause| LoadError::Adapter { path: folder.to_path_buf(), cause };
        let settings = AdapterConfig::read(&folder.join(CONFIG_FILE))?;
        let (rank, scale) = settings.validate().map_err(refused)?;
        let weights = SafetensorsFile::open(&folder.join(WEIGHTS_FILE))?;
        if let Some((name, dtype)) = weights.unreadable() {
            return Err(refused(AdapterError::Type { name: name.into(), dtype }));
        }
        let pairs = pairs(&weights, config).map_err(refused)?;
        let adapter = Self { folder: folder.to_path_buf(), weights, pairs, rank, scale };
        adapter.check_shapes(config).map_err(refused)?;
        Ok(adapter)
    }

    /// The files whose content the model's fingerprint covers.
    pub fn files(&self) -> [PathBuf; 2] {
        [self.folder.join(CONFIG_FILE), self.folder.join(WEIGHTS_FILE)]
    }

    /// The change of a matrix, if there is one.
    pub fn delta(&self, slot: Slot) -> Result<Option<Delta>, LoadError> {
        let Slot::Layer(layer, part) = slot else { return Ok(None) };
        let Some([a, b]) = self.pairs.get(&(layer, part)) else { return Ok(None) };
        let values = |name: &str| {
            let stored = self.weights.tensor(name).expect("opening the adapter found it");
            let mut out = vec![0.0; stored.shape.iter().product()];
            let cols = stored.shape[1];
            out.chunks_exact_mut(cols).enumerate().for_each(|(row, out)| stored.read_row(row, out));
            if out.iter().all(|value| value.is_finite()) {
                Ok(out)
            } else {
                Err(AdapterError::NotFinite { name: name.into() })
            }
        };
        let refused = |cause| LoadError::Adapter { path: self.folder.clone(), cause };
        let a = values(a).map_err(refused)?;
        let mut b = values(b).map_err(refused)?;
        for value in &mut b {
            *value *= self.scale;
        }
        Ok(Some(Delta { rank: self.rank, a, b }))
    }

    fn check_shapes(&self, config: &ModelConfig) -> Result<(), AdapterError> {
        for ((layer, part), names) in &self.pairs {
            let shape = Slot::Layer(*layer, *part).shape(config);
            let expected = [[self.rank, shape[1]], [shape[0], self.rank]];
            for (name, expected) in names.iter().zip(expected) {
                let found = self.weights.tensor(name).map_or(&[][..], |tensor| tensor.shape);
                if found != expected {
                    return Err(AdapterError::Shape { name: name.clone(), found: found.to_vec(), expected });
                }
            }
        }
        Ok(())
    }
}

/// Finds the place of every tensor; each place must have both of its matrices.
fn pairs(
    weights: &SafetensorsFile,
    config: &ModelConfig,
) -> Result<HashMap<(usize, Part), [String; 2]>, AdapterError> {
    let mut places = HashMap::new();
    for layer in 0..config.layers {
        for part in Part::MATRICES {
            places.insert(format!("model.layers.{layer}.{}", part.huggingface_module()), (layer, part));
        }
    }
    let mut halves: HashMap<(usize, Part), [Option<String>; 2]> = HashMap::new();
    for name in weights.names() {
        let (module, half) = split_name(name).ok_or_else(|| AdapterError::Name { name: name.into() })?;
        let place = places.get(module).ok_or_else(|| AdapterError::Module { name: module.into() })?;
        halves.entry(*place).or_default()[half] = Some(name.into());
    }
    if halves.is_empty() {
        return Err(AdapterError::Empty);
    }
    let paired = halves.into_iter().map(|(place, halves)| match halves {
        [Some(a), Some(b)] => Ok((place, [a, b])),
        [Some(name), None] | [None, Some(name)] => Err(AdapterError::Half { name }),
        [None, None] => unreachable!("an entry is made for a half"),
    });
    paired.collect()
}

/// `base_model.model.model.layers.0.mlp.up_proj.lora_A.weight` is half 0 of `model.layers.0.mlp.up_proj`.
fn split_name(name: &str) -> Option<(&str, usize)> {
    let name = name.strip_prefix("base_model.model.")?.strip_suffix(".weight")?;
    let name = name.strip_suffix(".default").unwrap_or(name);
    match name.rsplit_once('.')? {
        (module, "lora_A") => Some((module, 0)),
        (module, "lora_B") => Some((module, 1)),
        _ => None,
    }
}

/// The sum of a matrix and its changes.
pub fn merge(base: &Matrix, deltas: &[Delta]) -> Result<Matrix, GroupRange> {
    let data = match &base.data {
        MatrixData::Int8 { .. } | MatrixData::Int4 { .. } => {
            let mut out = Int8::with_capacity(base.rows * base.cols);
            merged_rows(base, deltas, |row| out.push_row(row))?;
            out.into_data()
        }
        MatrixData::F16(_) | MatrixData::Bf16(_) => {
            let mut halves = Vec::with_capacity(base.rows * base.cols);
            merged_rows(base, deltas, |row| {
                halves.extend(row.iter().copied().map(f16::from_f32));
                Ok(())
            })?;
            if halves.iter().all(|value: &f16| value.is_finite()) {
                MatrixData::F16(halves)
            } else {
                let mut brains = Vec::with_capacity(base.rows * base.cols);
                merged_rows(base, deltas, |row| {
                    brains.extend(row.iter().copied().map(bf16::from_f32));
                    Ok(())
                })?;
                MatrixData::Bf16(brains)
            }
        }
    };
    Ok(Matrix { rows: base.rows, cols: base.cols, data })
}

fn merged_rows(
    base: &Matrix,
    deltas: &[Delta],
    mut visit: impl FnMut(&[f32]) -> Result<(), GroupRange>,
) -> Result<(), GroupRange> {
    let mut sum = vec![0.0; base.cols];
    (0..base.rows).try_for_each(|row| {
        base.read_row(row, &mut sum);
        for delta in deltas {
            delta.add_row(row, &mut sum);
        }
        visit(&sum)
    })
}

impl Delta {
    /// Adds one row of `B * A`, four ranks at a time so that the sum is read and written a quarter as often.
    fn add_row(&self, row: usize, sum: &mut [f32]) {
        let cols = sum.len();
        let factors = &self.b[row * self.rank..(row + 1) * self.rank];
        let (fours, rest) = factors.as_chunks::<4>();
        let (four_rows, rest_rows) = self.a.split_at(fours.len() * 4 * cols);
        for (factors, rows) in fours.iter().zip(four_rows.chunks_exact(4 * cols)) {
            let (first, others) = rows.split_at(2 * cols);
            let ((r0, r1), (r2, r3)) = (first.split_at(cols), others.split_at(cols));
            let columns = sum.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3);
            for ((((sum, v0), v1), v2), v3) in columns {
                *sum += (factors[0] * v0 + factors[1] * v1) + (factors[2] * v2 + factors[3] * v3);
            }
        }
        for (factor, row) in rest.iter().zip(rest_rows.chunks_exact(cols)) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
        }
    }
}
