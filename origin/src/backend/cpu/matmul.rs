//! Matrix products: a panel of 16 outputs times a tile of activation rows.
//!
//! A thread takes a range of panels; for each it reads the weights once from memory and then, from the nearest
//! cache, again for every tile of rows. Whatever the tile, an output is the same sum in the same order: exact integer
//! dot products within a group of 32 inputs, one fused multiply-add a group, from the first group to the last.

use super::cache::HalfBits;
use super::grid::{Grid, Rectangle};
use super::packed::{Int4Block, Int8Block, PANEL, Packed, PackedMatrix};
use super::quantised::{Group, Groups};
use super::simd::{Kernel, LANES, Simd};
use crate::model::tensors::GROUP;
use half::slice::HalfBitsSliceExt;
use half::{bf16, f16};
use std::ops::Range;

/// How far ahead of its use a block of weights is asked for, in blocks: 2.5 KB of 4-bit, 4.3 KB of 8-bit weights.
const BLOCKS_AHEAD: usize = 8;

/// Activations in both forms; a matrix reads the one it multiplies.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    /// `(rows, cols)`: for half-precision weights.
    pub(crate) values: &'a Grid<f32>,
    /// `(rows, cols / GROUP)`: for quantised weights.
    pub(crate) groups: &'a Groups,
}

/// What becomes of a product.
#[derive(Clone, Copy)]
pub(crate) enum Then<'a> {
    /// It is the output.
    Store,
    /// It is added to what the output holds: the residual stream.
    Add,
    /// The output is `SiLU(product) * (up · input)`: the gated feed-forward layer. The panels of both matrices match.
    Gate(&'a PackedMatrix),
}

/// The product of a matrix with every row of `input`, for the panels of one rectangle of the output. Column `first` of
/// the output is the matrix's output 0.
pub(crate) struct Product<'a, 'b> {
    pub(crate) matrix: &'a PackedMatrix,
    pub(crate) input: Input<'a>,
    pub(crate) then: Then<'a>,
    pub(crate) first: usize,
    pub(crate) output: Rectangle<'b, f32>,
}

impl Kernel for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let columns = self.output.columns();
        let rows = self.output.rows();
        for column in columns.clone().step_by(PANEL) {
            let panel = (column - self.first) / PANEL;
            let part = column - columns.start..(column - columns.start + PANEL).min(columns.len());
            let mut row = rows.start;
            while row < rows.end {
                let left = rows.end - row;
                row += match S::TILE_ROWS.min(left) {
                    8.. => self.tile::<S, 8>(simd, panel, row, part.clone()),
                    4.. => self.tile::<S, 4>(simd, panel, row, part.clone()),
                    2.. => self.tile::<S, 2>(simd, panel, row, part.clone()),
                    _ => self.tile::<S, 1>(simd, panel, row, part.clone()),
                };
            }
        }
    }
}

impl Product<'_, '_> {
    /// One tile: `R` rows from `row`, the 16 outputs of `panel`, to `part` of the output's columns.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(
        &mut self,
        simd: S,
        panel: usize,
        row: usize,
        part: Range<usize>,
    ) -> usize {
        let tile = Tile { input: self.input, row, panel, is_first: row == self.output.rows().start };
        let mut sums = tile.product::<S, R>(simd, self.matrix);
        if let Then::Gate(up) = self.then {
            let ups = tile.product::<S, R>(simd, up);
            for r in 0..R {
                sums[r] = simd.mul(silu(simd, sums[r]), ups[r]);
            }
        }
        for (r, &sum) in sums.iter().enumerate() {
            let to = &mut self.output.row(row + r)[part.clone()];
            if let Ok(to) = <&mut [f32; LANES]>::try_from(&mut *to) {
                let sum = if matches!(self.then, Then::Add) { simd.add(simd.load(to), sum) } else { sum };
                simd.store(sum, to);
            } else {
                let mut lanes = [0.0; LANES];
                simd.store(sum, &mut lanes);
                for (value, lane) in to.iter_mut().zip(lanes) {
                    *value = if matches!(self.then, Then::Add) { *value + lane } else { lane };
                }
            }
        }
        R
    }
}

/// `x / (1 + e^-x)`.
#[inline(always)]
fn silu<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    simd.div(x, simd.add(simd.splat(1.0), simd.exp(simd.sub(simd.splat(0.0), x))))
}

/// A few rows times one panel.
#[derive(Clone, Copy)]
struct Tile<'a> {
    input: Input<'a>,
    row: usize,
    panel: usize,
    /// Whether these are the first rows that the panel meets: its weights come from memory, and later ones, which the
    /// processor would not yet have on their way, are asked for.
    is_first: bool,
}

impl Tile<'_> {
    /// 16 outputs of `R` rows, in whichever format the weights are.
    #[inline(always)]
    fn product<S: Simd, const R: usize>(self, simd: S, matrix: &PackedMatrix) -> [S::F32; R] {
        let columns = self.panel * matrix.cols..(self.panel + 1) * matrix.cols;
        let first = columns.start / GROUP;
        match &matrix.weights {
            Packed::F16(weights) => dot_half(simd, &weights[columns], self.input.values.rows_from(self.row)),
            Packed::Bf16(weights) => dot_half(simd, &weights[columns], self.input.values.rows_from(self.row)),
            Packed::Int8(weights) => self.dot_int8(simd, &weights[first..], matrix.cols / GROUP),
            Packed::Int4(weights) => self.dot_int4(simd, &weights[first..], matrix.cols / GROUP),
        }
    }

    /// The first `groups` blocks of 8-bit weights times `R` rows of groups.
    #[inline(always)]
    fn dot_int8<S: Simd, const R: usize>(self, simd: S, blocks: &[Int8Block], groups: usize) -> [S::F32; R] {
        let rows = self.input.groups.rows_from::<R>(self.row);
        let mut sums = [simd.splat(0.0); R];
        for (g, block) in blocks[..groups].iter().enumerate() {
            if self.is_first {
                simd.prefetch(blocks.get(g + BLOCKS_AHEAD..=g + BLOCKS_AHEAD).unwrap_or_default());
            }
            let mut weights = [simd.bytes(&block.quants[0]); GROUP / 4];
            for (bytes, chunk) in weights.iter_mut().zip(&block.quants) {
                *bytes = simd.bytes(chunk);
            }
            let scales = simd.load_f16(&block.scales);
            let tile = column(&rows, g);
            for r in 0..R {
                let group = tile[r];
                let mut dot = simd.start_i8(group.sum);
                for (&bytes, &quad) in weights.iter().zip(&group.quads) {
                    dot = simd.dot_i8(dot, bytes, quad);
                }
                let scale = simd.mul(scales, simd.splat(group.scale));
                sums[r] = simd.fma(simd.float(dot), scale, sums[r]);
            }
        }
        sums
    }

    /// The first `groups` blocks of 4-bit weights times `R` rows of groups.
    #[inline(always)]
    fn dot_int4<S: Simd, const R: usize>(self, simd: S, blocks: &[Int4Block], groups: usize) -> [S::F32; R] {
        let rows = self.input.groups.rows_from::<R>(self.row);
        let mut sums = [simd.splat(0.0); R];
        for (g, block) in blocks[..groups].iter().enumerate() {
            if self.is_first {
                simd.prefetch(blocks.get(g + BLOCKS_AHEAD..=g + BLOCKS_AHEAD).unwrap_or_default());
            }
            let mut weights = [simd.nibbles(simd.bytes(&block.quants[0])); GROUP / 8];
            for (halves, chunk) in weights.iter_mut().zip(&block.quants) {
                *halves = simd.nibbles(simd.bytes(chunk));
            }
            let (scales, minimums) = (simd.load_f16(&block.scales), simd.load_f16(&block.minimums));
            let tile = column(&rows, g);
            for r in 0..R {
                let group = tile[r];
                let mut dot = simd.zero_i32();
                for (c, &(low, high)) in weights.iter().enumerate() {
                    dot = simd.dot_u4(dot, low, group.quads[c]);
                    dot = simd.dot_u4(dot, high, group.quads[c + GROUP / 8]);
                }
                let scale = simd.mul(scales, simd.splat(group.scale));
                sums[r] = simd.fma(simd.float(dot), scale, sums[r]);
                sums[r] = simd.fma(minimums, simd.splat(group.scaled_sum), sums[r]);
            }
        }
        sums
    }
}

/// Half-precision weights, keys and values.
pub(crate) trait Half: Copy {
    /// As f32, without loss.
    fn widen<S: Simd>(simd: S, x: &[Self; LANES]) -> S::F32;
}

impl Half for f16 {
    #[inline(always)]
    fn widen<S: Simd>(simd: S, x: &[Self; LANES]) -> S::F32 {
        simd.load_f16(x)
    }
}

impl Half for HalfBits {
    #[inline(always)]
    fn widen<S: Simd>(simd: S, x: &[Self; LANES]) -> S::F32 {
        let halves: &[f16] = x.reinterpret_cast();
        // Always the array: the compiler sees that the lengths match.
        simd.load_f16(halves.first_chunk().unwrap_or(&[f16::ZERO; LANES]))
    }
}

impl Half for bf16 {
    #[inline(always)]
    fn widen<S: Simd>(simd: S, x: &[Self; LANES]) -> S::F32 {
        simd.load_bf16(x)
    }
}

/// `Σ weights[i] * inputs[r][i]` over all `i`, a multiple of 16; 16 lanes of each of `R` rows. Even and odd terms are
/// summed apart, so that two additions are under way at a time, then together.
#[inline(always)]
pub(crate) fn dot_half<S: Simd, H: Half, const R: usize>(
    simd: S,
    weights: &[[H; LANES]],
    inputs: [&[f32]; R],
) -> [S::F32; R] {
    let mut even = [simd.splat(0.0); R];
    let mut odd = even;
    for (c, weights) in weights.as_chunks::<LANES>().0.iter().enumerate() {
        let mut chunks = [&[0.0; LANES]; R];
        for r in 0..R {
            chunks[r] = &inputs[r].as_chunks().0[c];
        }
        for i in 0..LANES / 2 {
            let first = H::widen(simd, &weights[2 * i]);
            let second = H::widen(simd, &weights[2 * i + 1]);
            for r in 0..R {
                even[r] = simd.fma(first, simd.splat(chunks[r][2 * i]), even[r]);
                odd[r] = simd.fma(second, simd.splat(chunks[r][2 * i + 1]), odd[r]);
            }
        }
    }
    for r in 0..R {
        even[r] = simd.add(even[r], odd[r]);
    }
    even
}

/// Group `g` of each row.
#[inline(always)]
fn column<'a, const R: usize>(rows: &[&'a [Group]; R], g: usize) -> [&'a Group; R] {
    let mut groups = [&rows[0][g]; R];
    for r in 1..R {
        groups[r] = &rows[r][g];
    }
    groups
}
