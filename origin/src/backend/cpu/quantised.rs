//! Activations as 8-bit integers, in groups that match the weights' groups.

use super::grid::Grid;
use super::simd::{LANES, Simd};
use crate::model::tensors::GROUP;

/// 32 activations: `value = scale * quant`, quants in -127..=127.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Group {
    /// The quants, four by four as the dot products take them.
    pub(crate) quads: [[i8; 4]; GROUP / 4],
    /// The greatest magnitude over 127.
    pub(crate) scale: f32,
    /// Sum of the quants.
    pub(crate) sum: i32,
    /// `scale * sum`: what a minimum common to a weight group is multiplied by.
    pub(crate) scaled_sum: f32,
}

/// Rows of quantised activations, `(rows, width / GROUP)`.
pub(crate) type Groups = Grid<Group>;

/// Quantises a row, `(groups * GROUP)`.
#[inline(always)]
pub(crate) fn quantise_row<S: Simd>(simd: S, values: &[f32], groups: &mut [Group]) {
    let (chunks, _) = values.as_chunks::<LANES>();
    let (pairs, _) = chunks.as_chunks::<2>();
    for (pair, group) in pairs.iter().zip(groups) {
        let (low, high) = (simd.load(&pair[0]), simd.load(&pair[1]));
        let greatest = simd.greatest(simd.max(simd.abs(low), simd.abs(high)));
        let scale = greatest / 127.0;
        let inverse = simd.splat(if greatest > 0.0 { 127.0 / greatest } else { 0.0 });
        let mut quants = [[0; LANES]; 2];
        simd.store_i32(simd.round(simd.mul(low, inverse)), &mut quants[0]);
        simd.store_i32(simd.round(simd.mul(high, inverse)), &mut quants[1]);
        let mut sum = 0;
        for (i, &quant) in quants.as_flattened().iter().enumerate() {
            group.quads[i / 4][i % 4] = quant as i8;
            sum += quant;
        }
        (group.scale, group.sum, group.scaled_sum) = (scale, sum, scale * sum as f32);
    }
}
