//! Keys and values that a step writes to the cache, beside the formula.

use super::arrays::{get, put, wave};
use super::heads::Heads;
use super::{Case, CaseError, ensure, near};
use crate::backend::Backend;
use crate::backend::batch::{Batch, SequenceSpan};
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::Driver;
use crate::model::tensors::random::WeightFormat;
use half::f16;

/// Where the step's tokens begin, and how many there are: the first block partly full, the last too.
const START: usize = 21;
const COUNT: usize = 13;
const TABLE: [u32; 3] = [7, 2, 9];

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![Case {
        subject: "rotate",
        promise: "keys are normalised and rotated and values keep their bias",
        run: rotates,
    }]
}

fn rotates<D: Driver>(device: &D) -> Result<(), CaseError> {
    for heads in [Heads::dressed(3, 1, 96), Heads::plain(6, 6, 32), Heads::dressed(2, 1, 128)] {
        let mut cuda = Cuda::new(device.clone());
        let cache = cuda.cache(heads.cache())?;
        let weights = heads.weights(&cuda, WeightFormat::F16)?;
        let qkv = wave(9, COUNT * heads.width());
        cuda.scratch.qkv.replace(put(device, &qkv)?);
        let span = SequenceSpan { start: START, count: COUNT, blocks: &TABLE };
        let batch = Batch { tokens: &[0; COUNT], sequences: &[span], samples: &[] };
        cuda.step(&batch, |cuda| cuda.attempt(|cuda| cuda.rotate(&weights, &cache, 1)))?;
        let [keys, values] = cache.memory(1);
        compare(heads, &qkv, &get(device, keys)?, &get(device, values)?)?;
    }
    Ok(())
}

fn compare(heads: Heads, qkv: &[f32], keys: &[f16], values: &[f16]) -> Result<(), CaseError> {
    for (row, x) in qkv.chunks_exact(heads.width()).enumerate() {
        let position = START + row;
        for head in 0..heads.kv {
            let block = TABLE[position / 16] as usize * heads.kv + head;
            let (key, value) = (heads.key_of(x, head, position), heads.value_of(x, head));
            for i in 0..heads.dim {
                let close = |found: f16, wanted: f64, what| {
                    let place = || format!("{what} of {heads:?}, row {row}, head {head}, {i}");
                    near(found, wanted, 6e-4 * (1.0 + wanted.abs()), place)
                };
                close(keys[(block * 16 + position % 16) * heads.dim + i], key[i], "the key")?;
                close(values[(block * heads.dim + i) * 16 + position % 16], value[i], "the value")?;
            }
        }
    }
    let written = keys.iter().filter(|key| key.to_bits() != 0).count();
    ensure(written == COUNT * heads.kv * heads.dim, || format!("{written} numbers of keys are written"))
}
