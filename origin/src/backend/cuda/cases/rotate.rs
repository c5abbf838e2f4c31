//! Keys and values that a step writes to the cache, beside the formula.

use super::arrays::{get, put, wave};
use super::attend::shape;
use super::{Case, CaseError, ensure, near};
use crate::backend::batch::{Batch, SequenceSpan};
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::room::Buffer;
use crate::backend::{AttentionInput, Backend, Norm};
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;
use half::f16;

/// Three query heads and one of keys and values.
const HEADS: usize = 3;
const HEAD_DIM: usize = 96;
/// Of a row: all heads' queries, then keys, then values.
const WIDTH: usize = (HEADS + 2) * HEAD_DIM;
const EPSILON: f32 = 1e-5;
/// Where the step's tokens begin, and how many there are: the first block partly full, the last too.
const START: usize = 21;
const COUNT: usize = 13;
const BLOCKS: [u32; 3] = [7, 2, 9];

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![Case {
        subject: "rotate",
        promise: "keys are normalised and rotated and values keep their bias",
        run: rotates,
    }]
}

/// What the kernel leaves: rows of queries, the layer's keys and its values.
struct Rotated {
    rows: Vec<f32>,
    keys: Vec<f16>,
    values: Vec<f16>,
}

fn rotate<D: Driver>(device: &D, qkv: &[f32]) -> Result<Rotated, CaseError> {
    let mut cuda = Cuda::new(device.clone());
    let cache = cuda.cache(shape(HEADS, 1, HEAD_DIM))?;
    let vector = |seed, width| cuda.vector(wave(seed, width));
    let matrix = |rows| cuda.matrix(Matrix::random(rows, 32, 1, WeightFormat::F16));
    let norm = |seed, width| vector(seed, width).map(|weight| Norm { weight, epsilon: EPSILON });
    let (queries, keys) = (HEADS * HEAD_DIM, HEAD_DIM);
    let weights = AttentionInput::<Cuda<D>> {
        norm: norm(1, 32)?,
        projections: [matrix(queries)?, matrix(keys)?, matrix(keys)?],
        bias: Some([vector(2, queries)?, vector(3, keys)?, vector(4, keys)?]),
        head_norms: Some([norm(5, HEAD_DIM)?, norm(6, HEAD_DIM)?]),
    };
    let rows = Buffer::holding(put(device, qkv)?, COUNT, WIDTH);
    let span = SequenceSpan { start: START, count: COUNT, blocks: &BLOCKS };
    let batch = Batch { tokens: &[0; COUNT], sequences: &[span], samples: &[] };
    cuda.step(&batch, |cuda| cuda.attempt(|cuda| cuda.rotate(&rows, &weights, &cache, 1)))?;
    let [keys, values] = cache.memory(1);
    Ok(Rotated { rows: cuda.read(&rows, COUNT)?, keys: get(device, keys)?, values: get(device, values)? })
}

fn rotates<D: Driver>(device: &D) -> Result<(), CaseError> {
    let qkv = wave(9, COUNT * WIDTH);
    let found = rotate(device, &qkv)?;
    for row in 0..COUNT {
        let position = START + row;
        let head = |head: usize, bias: &[f32]| -> Vec<f64> {
            let x = &qkv[row * WIDTH + head * HEAD_DIM..][..HEAD_DIM];
            x.iter().zip(bias).map(|(x, bias)| f64::from(*x) + f64::from(*bias)).collect()
        };
        for query in 0..HEADS {
            let biased = head(query, &wave(2, HEADS * HEAD_DIM)[query * HEAD_DIM..]);
            let wanted = turned(biased, &wave(5, HEAD_DIM), position);
            let found = &found.rows[row * WIDTH + query * HEAD_DIM..][..HEAD_DIM];
            for (i, (&found, wanted)) in found.iter().zip(wanted).enumerate() {
                let tolerance = 2e-6 * (1.0 + wanted.abs());
                near(found, wanted, tolerance, || format!("query {query} of row {row}, {i}"))?;
            }
        }
        let (block, place) = (BLOCKS[position / 16] as usize, position % 16);
        let key = turned(head(HEADS, &wave(3, HEAD_DIM)), &wave(6, HEAD_DIM), position);
        let value = head(HEADS + 1, &wave(4, HEAD_DIM));
        for i in 0..HEAD_DIM {
            let close = |found: f16, wanted: f64, what| {
                near(found, wanted, 6e-4 * (1.0 + wanted.abs()), || format!("{what} of row {row}, {i}"))
            };
            close(found.keys[(block * 16 + place) * HEAD_DIM + i], key[i], "the key")?;
            close(found.values[(block * HEAD_DIM + i) * 16 + place], value[i], "the value")?;
        }
    }
    let written = found.keys.iter().filter(|key| key.to_bits() != 0).count();
    ensure(written == COUNT * HEAD_DIM, || format!("{written} numbers of keys are written"))
}

/// A head, normalised and rotated to its position.
fn turned(mut x: Vec<f64>, weight: &[f32], position: usize) -> Vec<f64> {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / HEAD_DIM as f64;
    let root = (mean + f64::from(EPSILON)).sqrt();
    x.iter_mut().zip(weight).for_each(|(x, w)| *x *= f64::from(*w) / root);
    let half = HEAD_DIM / 2;
    let turn = |i: usize| {
        let angle = position as f64 * 10_000_f64.powf(-2.0 * (i % half) as f64 / HEAD_DIM as f64);
        let other = if i < half { -x[i + half] } else { x[i - half] };
        x[i] * angle.cos() + other * angle.sin()
    };
    (0..HEAD_DIM).map(turn).collect()
}
