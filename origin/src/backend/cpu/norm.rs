//! RMSNorm of one row.

use super::simd::{LANES, Simd};

/// `to = weight * x / sqrt(mean(x²) + epsilon)`; all of the same width, a multiple of 16 lanes.
#[inline(always)]
pub(crate) fn norm_row<S: Simd>(simd: S, x: &[f32], weight: &[f32], epsilon: f32, to: &mut [f32]) {
    let factor = simd.splat(inverse_root(simd, x, epsilon));
    let (inputs, weights) = (x.as_chunks::<LANES>().0, weight.as_chunks::<LANES>().0);
    for ((input, weight), output) in inputs.iter().zip(weights).zip(to.as_chunks_mut::<LANES>().0) {
        simd.store(simd.mul(simd.mul(simd.load(input), factor), simd.load(weight)), output);
    }
}

/// The same in place: one head's RMSNorm.
#[inline(always)]
pub(crate) fn norm_head<S: Simd>(simd: S, weight: &[f32], epsilon: f32, head: &mut [f32]) {
    let factor = simd.splat(inverse_root(simd, head, epsilon));
    for (values, weight) in head.as_chunks_mut::<LANES>().0.iter_mut().zip(weight.as_chunks::<LANES>().0) {
        simd.store(simd.mul(simd.mul(simd.load(values), factor), simd.load(weight)), values);
    }
}

/// `1 / sqrt(mean(x²) + epsilon)`.
#[inline(always)]
fn inverse_root<S: Simd>(simd: S, x: &[f32], epsilon: f32) -> f32 {
    let mut squares = simd.splat(0.0);
    for lanes in x.as_chunks::<LANES>().0 {
        let lanes = simd.load(lanes);
        squares = simd.fma(lanes, lanes, squares);
    }
    1.0 / (simd.sum(squares) / x.len() as f32 + epsilon).sqrt()
}
