//! What measurements rest on.

use super::arrays::{get, put};
use super::{Case, CaseError, ensure};
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::measure::{CHAINS, Extent, Stopwatch};
use crate::backend::cuda::weights::fill;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![
        Case { subject: "measure", promise: "memory is filled with the bits asked for", run: fills },
        Case { subject: "measure", promise: "every product that is counted is computed", run: multiplies },
    ]
}

fn fills<D: Driver>(device: &D) -> Result<(), CaseError> {
    let (varied, fixed) = (0x83ff_0fff, 0x2400_3000);
    for count in [1, 700] {
        let memory = put(device, &vec![u32::MAX; count + 1])?;
        fill(device, &memory, count, varied, fixed)?;
        let found = get::<_, u32>(device, &memory)?;
        let (words, after) = found.split_at(count);
        ensure(after == [u32::MAX], || String::from("a word past the last is written"))?;
        for (i, &word) in words.iter().enumerate() {
            let mut bits = i as u32;
            bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
            bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
            let wanted = (bits ^ (bits >> 16)) & varied | fixed;
            ensure(word == wanted, || format!("word {i}: {word:x} instead of {wanted:x}"))?;
        }
    }
    Ok(())
}

fn multiplies<D: Driver>(device: &D) -> Result<(), CaseError> {
    let extent = Extent { copied: 0, blocks: 2, rounds: 3 };
    let (sums, _) = Stopwatch::new(device)?.multiply(extent)?;
    let found = get::<_, f32>(device, &sums)?;
    // Each of four elements gains 16 products of 1/16 · 1/16.
    let wanted = (CHAINS * extent.rounds * 4) as f32 * 16.0 / 256.0;
    ensure(found.iter().all(|sum| sum.to_bits() == wanted.to_bits()), || {
        format!("{:?} instead of {wanted}", &found[..8])
    })
}
