//! Sampling on the device: only what was chosen comes back.

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::room::{Buffer, Room};
use crate::backend::batch::{Batch, SampleRow};
use crate::backend::sampling::philox::uniform;
use crate::backend::sampling::{Sampled, penalises};

/// Threads of the kernel's blocks, and tokens whose weights are summed in one run, as in `origin/kernels/sample.cu`.
const SAMPLE_THREADS: usize = 256;
const RUN: usize = 256;
/// Stands for no mask.
const NO_MASK: u32 = u32::MAX;

/// What sampling keeps on the device.
pub(crate) struct DeviceSampler<D: Driver> {
    input: Room<D>,
    scratch: Room<D>,
    output: Room<D>,
}

impl<D: Driver> Default for DeviceSampler<D> {
    fn default() -> Self {
        Self { input: Room::default(), scratch: Room::default(), output: Room::default() }
    }
}

/// What the kernel reads beside the logits: parameters, seen tokens with their counts, masks.
#[derive(Default)]
struct Input {
    params: Vec<u32>,
    seen: Vec<u32>,
    masks: Vec<u32>,
}

impl<D: Driver> DeviceSampler<D> {
    /// Chooses a token for each of the batch's sample rows.
    pub(crate) fn sample(
        &mut self,
        driver: &D,
        logits: &Buffer<D>,
        batch: &Batch<'_>,
    ) -> Result<Vec<Sampled>, DriverError> {
        let (rows, vocab) = (batch.samples.len(), logits.width);
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut input = Input::default();
        batch.samples.iter().for_each(|row| input.add(row, vocab));
        let bytes = |words: &[u32]| size_of_val(words) as u64;
        let all: Vec<u8> = [&input.params, &input.seen, &input.masks]
            .into_iter()
            .flatten()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        let there = self.input.hold(driver, all.len())?;
        driver.write(there, 0, &all)?;
        let params = D::address(there);
        let (seen, masks) =
            (params + bytes(&input.params), params + bytes(&input.params) + bytes(&input.seen));

        let (ranked, runs) = (vocab.next_power_of_two(), vocab.div_ceil(RUN));
        // The widest numbers first, so that each lies at a multiple of its size.
        let scratch = D::address(self.scratch.hold(driver, rows * 8 * (ranked + runs + vocab))?);
        let sums = scratch + (rows * ranked * 8) as u64;
        let adjusted = sums + (rows * runs * 8) as u64;
        let weights = adjusted + (rows * vocab * 4) as u64;
        let totals = D::address(self.output.hold(driver, rows * 20)?);
        let [tokens, token_logits, greatest] = [8, 12, 16].map(|offset| totals + (rows * offset) as u64);
        let arguments = [logits.address(), params, seen, masks, adjusted, weights, sums, scratch]
            .into_iter()
            .chain([tokens, token_logits, greatest, totals])
            .fold(Arguments::new(), Arguments::pointer);
        let arguments = arguments.int(vocab).int(runs).int(ranked);
        driver.launch("sample", Shape::new([rows, 1, 1], SAMPLE_THREADS), &arguments)?;

        let mut found = vec![0; rows * 20];
        self.output.read(driver, &mut found)?;
        Ok((0..rows).map(|row| chosen(&found, rows, row)).collect())
    }
}

/// A row's token from what the kernel wrote: `(rows)` each of the sums of weights (f64), tokens, their logits, and the greatest
/// logits.
fn chosen(found: &[u8], rows: usize, row: usize) -> Sampled {
    let word = |offset: usize| {
        let at = rows * offset + row * 4;
        u32::from_le_bytes([found[at], found[at + 1], found[at + 2], found[at + 3]])
    };
    let (token, logit, greatest) = (word(8), f32::from_bits(word(12)), f32::from_bits(word(16)));
    if greatest == f32::NEG_INFINITY {
        return Sampled { token, log_probability: f32::NEG_INFINITY };
    }
    let sum = found[row * 8..].first_chunk().map_or(f64::NAN, |&bytes| f64::from_le_bytes(bytes));
    let log_sum = f64::from(greatest) + sum.ln();
    Sampled { token, log_probability: (f64::from(logit) - log_sum) as f32 }
}

impl Input {
    /// Adds a row's parameters, in the order of the kernel's `Params`.
    fn add(&mut self, row: &SampleRow<'_>, vocab: usize) {
        let params = &row.params;
        let (seen_first, before) = (self.seen.len() as u32 / 2, self.seen.len());
        if penalises(params) {
            let mut history: Vec<_> =
                row.history.iter().copied().filter(|&token| (token as usize) < vocab).collect();
            history.sort_unstable();
            self.seen.extend(history.chunk_by(|a, b| a == b).flat_map(|seen| [seen[0], seen.len() as u32]));
        }
        let mask = row.mask.map_or(NO_MASK, |mask| {
            self.masks.extend_from_slice(mask);
            (self.masks.len() - mask.len()) as u32
        });
        let uniform = uniform(params.seed, params.stream, row.position).to_bits();
        let numbers = [
            params.temperature,
            1.0 / params.temperature,
            params.top_p,
            params.min_p,
            params.repetition_penalty,
            params.frequency_penalty,
            params.presence_penalty,
        ];
        self.params.extend(numbers.map(f32::to_bits));
        let seen = (self.seen.len() - before) as u32 / 2;
        self.params.extend([params.top_k, uniform as u32, (uniform >> 32) as u32, seen, seen_first, mask]);
    }
}
