//! Rotary position embedding: the angles of every position, computed once.

use super::simd::{LANES, Simd};
use crate::backend::BackendError;
use crate::model::config::{Rope, RopeScaling};
use std::f64::consts::TAU;

/// Cosines and sines, `(positions, head_dim / 2)` each.
#[derive(Debug)]
pub(crate) struct RopeTable {
    half: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl RopeTable {
    /// The table for positions below `positions`.
    pub(crate) fn new(rope: &Rope, head_dim: usize, positions: usize) -> Result<Self, BackendError> {
        let frequencies = frequencies(rope, head_dim)?;
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (sines, cosines) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        Ok(Self { half: head_dim / 2, cosines, sines })
    }

    /// Rotates one head, `(head_dim)`, to its position and multiplies it by `scale`.
    #[inline(always)]
    pub(crate) fn rotate<S: Simd>(&self, simd: S, position: usize, scale: f32, head: &mut [f32]) {
        let (first, second) = head.split_at_mut(self.half);
        let cosines = &self.cosines[position * self.half..][..self.half];
        let sines = &self.sines[position * self.half..][..self.half];
        let scale = simd.splat(scale);
        let (cosines, cosine_rest) = cosines.as_chunks::<LANES>();
        let (sines, sine_rest) = sines.as_chunks::<LANES>();
        let (firsts, first_rest) = first.as_chunks_mut::<LANES>();
        let (seconds, second_rest) = second.as_chunks_mut::<LANES>();
        for (((a, b), cosine), sine) in firsts.iter_mut().zip(seconds).zip(cosines).zip(sines) {
            rotate_lanes(simd, a, b, cosine, sine, scale);
        }
        if !first_rest.is_empty() {
            let n = first_rest.len();
            let mut lanes = [[0.0; LANES]; 4];
            let [a, b, cosine, sine] = &mut lanes;
            a[..n].copy_from_slice(first_rest);
            b[..n].copy_from_slice(second_rest);
            cosine[..n].copy_from_slice(cosine_rest);
            sine[..n].copy_from_slice(sine_rest);
            rotate_lanes(simd, a, b, cosine, sine, scale);
            first_rest.copy_from_slice(&a[..n]);
            second_rest.copy_from_slice(&b[..n]);
        }
    }
}

/// `(a, b) = scale * (a cos - b sin, b cos + a sin)`.
#[inline(always)]
fn rotate_lanes<S: Simd>(
    simd: S,
    a: &mut [f32; LANES],
    b: &mut [f32; LANES],
    cosine: &[f32; LANES],
    sine: &[f32; LANES],
    scale: S::F32,
) {
    let (x, y) = (simd.mul(simd.load(a), scale), simd.mul(simd.load(b), scale));
    let (cosine, sine) = (simd.load(cosine), simd.load(sine));
    simd.store(simd.sub(simd.mul(x, cosine), simd.mul(y, sine)), a);
    simd.store(simd.add(simd.mul(y, cosine), simd.mul(x, sine)), b);
}

/// Radians a position, `(head_dim / 2)`.
fn frequencies(rope: &Rope, head_dim: usize) -> Result<Vec<f64>, BackendError> {
    let plain = (0..head_dim / 2).map(|i| f64::from(rope.theta).powf(-2.0 * i as f64 / head_dim as f64));
    Ok(match &rope.scaling {
        RopeScaling::None => plain.collect(),
        RopeScaling::Linear { factor } => plain.map(|frequency| frequency / f64::from(*factor)).collect(),
        RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } => {
            let (low, high) = (f64::from(*low_frequency_factor), f64::from(*high_frequency_factor));
            let stretch = |frequency: f64| {
                // How often the frequency turns within the original context.
                let turns = *original_context as f64 * frequency / TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                kept * frequency + (1.0 - kept) * frequency / f64::from(*factor)
            };
            plain.map(stretch).collect()
        }
        RopeScaling::Divisors(divisors) if divisors.len() == head_dim / 2 => {
            plain.zip(divisors).map(|(frequency, &divisor)| frequency / f64::from(divisor)).collect()
        }
        RopeScaling::Divisors(divisors) => {
            return Err(BackendError::Divisors { count: divisors.len(), head_dim });
        }
    })
}
