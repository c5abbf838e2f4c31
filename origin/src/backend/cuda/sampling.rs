//! Sampling on the device: only what was chosen comes back.

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::plan::Plan;
use super::room::{Buffer, PinnedRoom, Room};
use crate::backend::batch::SampleRow;
use crate::backend::sampling::philox::uniform;
use crate::backend::sampling::{Sampled, penalises};

/// Threads of the kernel's blocks, and tokens whose weights are summed in one run, as in `origin/kernels/sample.cu`.
const SAMPLE_THREADS: usize = 256;
const RUN: usize = 256;
/// Stands for no mask.
const NO_MASK: u32 = u32::MAX;

/// Numbers of a row's parameters, the kernel's `Params`.
pub(crate) const PARAM_WORDS: usize = 13;
/// Bytes of what the kernel finds for a row.
const FOUND_BYTES: usize = 20;

/// What sampling keeps on the device and beside it.
pub(crate) struct DeviceSampler<D: Driver> {
    scratch: Room<D>,
    output: Room<D>,
    found: PinnedRoom<D>,
}

/// What the kernel reads beside the logits: parameters, and lists of seen tokens with their counts and of masks.
pub(crate) struct SampleInput<'a, 'b> {
    params: Vec<u32>,
    lists: &'a mut Vec<u32>,
    /// Masks that are in the lists, and where.
    masks: Vec<(&'b [u32], u32)>,
}

impl<D: Driver> Default for DeviceSampler<D> {
    fn default() -> Self {
        Self { scratch: Room::default(), output: Room::default(), found: PinnedRoom::default() }
    }
}

/// Bytes of scratch for so many rows of logits.
pub(crate) fn scratch_bytes(rows: usize, vocab: usize) -> usize {
    rows * 8 * (vocab.next_power_of_two() + vocab.div_ceil(RUN) + vocab)
}

/// Bytes of what is found for so many rows.
pub(crate) fn found_bytes(rows: usize) -> usize {
    rows * FOUND_BYTES
}

/// Words that the lists of a row take up at most.
pub(crate) fn list_words_max(vocab: usize, context_max: usize) -> usize {
    2 * vocab.min(context_max) + vocab.div_ceil(32)
}

impl<D: Driver> DeviceSampler<D> {
    /// Sets aside what the largest step takes.
    pub(crate) fn reserve(&mut self, driver: &D, rows: usize, vocab: usize) -> Result<(), DriverError> {
        self.scratch.hold(driver, scratch_bytes(rows, vocab))?;
        self.output.hold(driver, found_bytes(rows))?;
        self.found.hold(driver, found_bytes(rows)).map(drop)
    }

    /// Chooses a token for each of the plan's sample rows.
    pub(crate) fn sample(
        &mut self,
        driver: &D,
        plan: &Plan<D>,
        logits: &Buffer<D>,
    ) -> Result<(), DriverError> {
        let (rows, vocab) = (plan.samples(), logits.width);
        if rows == 0 {
            return Ok(());
        }
        let (ranked, runs) = (vocab.next_power_of_two(), vocab.div_ceil(RUN));
        // The widest numbers first, so that each lies at a multiple of its size.
        let scratch = D::address(self.scratch.hold(driver, scratch_bytes(rows, vocab))?);
        let sums = scratch + (rows * ranked * 8) as u64;
        let adjusted = sums + (rows * runs * 8) as u64;
        let weights = adjusted + (rows * vocab * 4) as u64;
        let totals = D::address(self.output.hold(driver, found_bytes(rows))?);
        let [tokens, token_logits, greatest] = [8, 12, 16].map(|offset| totals + (rows * offset) as u64);
        let arguments = [logits.address(), plan.counts(), plan.params(), plan.lists()]
            .into_iter()
            .chain([adjusted, weights, sums, scratch, tokens, token_logits, greatest, totals])
            .fold(Arguments::new(), Arguments::pointer);
        let arguments = arguments.int(vocab).int(runs).int(ranked);
        driver.launch("sample", Shape::new([rows, 1, 1], SAMPLE_THREADS), &arguments)
    }

    /// Begins to copy what was found for so many rows to the host.
    pub(crate) fn fetch(&mut self, driver: &D, rows: usize) -> Result<(), DriverError> {
        match self.output.memory() {
            Some(output) if rows > 0 => {
                let found = self.found.hold(driver, found_bytes(rows))?;
                driver.fetch(output, found_bytes(rows), found)
            }
            _ => Ok(()),
        }
    }

    /// Waits for it: the tokens of the first `count` of so many rows.
    pub(crate) fn collect(&self, driver: &D, rows: usize, count: usize) -> Result<Vec<Sampled>, DriverError> {
        let Some(found) = self.found.memory().filter(|_| count > 0) else { return Ok(Vec::new()) };
        let found = driver.fetched(found)?;
        Ok((0..count).map(|row| chosen(found, rows, row)).collect())
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

impl<'a, 'b> SampleInput<'a, 'b> {
    /// No rows yet.
    pub(crate) fn new(lists: &'a mut Vec<u32>) -> Self {
        Self { params: Vec::new(), lists, masks: Vec::new() }
    }

    /// Adds a row's parameters, in the order of the kernel's `Params`.
    pub(crate) fn add(&mut self, row: &SampleRow<'b>) {
        let params = &row.params;
        let seen_first = self.lists.len();
        if penalises(params) {
            let mut history = row.history.to_vec();
            history.sort_unstable();
            self.lists.extend(history.chunk_by(|a, b| a == b).flat_map(|seen| [seen[0], seen.len() as u32]));
        }
        let seen = (self.lists.len() - seen_first) as u32 / 2;
        let mask = row.mask.map_or(NO_MASK, |mask| self.mask(mask));
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
        let uniform = [uniform as u32, (uniform >> 32) as u32];
        self.params.extend([params.top_k, uniform[0], uniform[1], seen, seen_first as u32, mask]);
    }

    /// Where a mask is; rows that share one share it here too.
    fn mask(&mut self, mask: &'b [u32]) -> u32 {
        let known = self.masks.iter().find(|(known, _)| std::ptr::eq(*known, mask));
        if let Some(&(_, first)) = known {
            return first;
        }
        let first = self.lists.len() as u32;
        self.lists.extend_from_slice(mask);
        self.masks.push((mask, first));
        first
    }

    /// The parameters of so many rows; those past the last one are not read.
    pub(crate) fn params(mut self, rows: usize) -> Vec<u32> {
        self.params.resize(rows * PARAM_WORDS, 0);
        self.params
    }
}
