//! Weight matrices laid out for the kernels: panels of 16 outputs, so that a vector register holds the same few
//! inputs of 16 outputs and a panel is one stream through memory.

use super::arena::{Arena, Pages};
use super::simd::LANES;
use crate::backend::BackendError;
use crate::model::tensors::{GROUP, Matrix, MatrixData};
use half::{bf16, f16};

/// Outputs of one panel.
pub(crate) const PANEL: usize = LANES;

/// A weight matrix in panels; outputs past `rows` in the last panel have weight 0.
#[derive(Debug)]
pub struct PackedMatrix {
    /// Outputs.
    pub(crate) rows: usize,
    /// Inputs.
    pub(crate) cols: usize,
    pub(crate) weights: Packed,
}

/// The weights of a [`PackedMatrix`].
#[derive(Debug)]
pub(crate) enum Packed {
    /// `(panels, cols)` of 16 outputs.
    F16(Pages<[f16; PANEL]>),
    /// `(panels, cols)` of 16 outputs.
    Bf16(Pages<[bf16; PANEL]>),
    /// `(panels, cols / GROUP)`.
    Int8(Pages<Int8Block>),
    /// `(panels, cols / GROUP)`.
    Int4(Pages<Int4Block>),
}

/// 32 inputs of 16 outputs, `weight = scale * (byte - 128)`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Int8Block {
    /// Byte `4o + j` of chunk `c` is the weight from input `4c + j` to output `o`.
    pub(crate) quants: [[u8; 64]; 8],
    pub(crate) scales: [f16; PANEL],
}

/// 32 inputs of 16 outputs, `weight = scale * nibble + minimum`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Int4Block {
    /// Byte `4o + j` of chunk `c` holds the weights to output `o` from input `4c + j` (low half) and from input
    /// `16 + 4c + j` (high half).
    pub(crate) quants: [[u8; 64]; 4],
    pub(crate) scales: [f16; PANEL],
    pub(crate) minimums: [f16; PANEL],
}

impl PackedMatrix {
    /// Lays out a matrix whose shape and data agree.
    pub(crate) fn pack(matrix: &Matrix, arena: &Arena) -> Result<Self, BackendError> {
        let (rows, cols) = (matrix.rows, matrix.cols);
        let weights = match &matrix.data {
            MatrixData::F16(values) => Packed::F16(interleave(values, rows, cols, arena)?),
            MatrixData::Bf16(values) => Packed::Bf16(interleave(values, rows, cols, arena)?),
            MatrixData::Int8 { quants, scales } => Packed::Int8(blocks(rows, cols, arena, |row, group| {
                (&quants[row * cols + group * GROUP..][..GROUP], [scales[row * (cols / GROUP) + group]; 1])
            })?),
            MatrixData::Int4 { quants, scales, minimums } => {
                Packed::Int4(blocks(rows, cols, arena, |row, group| {
                    let index = row * (cols / GROUP) + group;
                    (&quants[index * GROUP / 2..][..GROUP / 2], [scales[index], minimums[index]])
                })?)
            }
        };
        Ok(Self { rows, cols, weights })
    }

    /// Whether it multiplies quantised activations.
    pub(crate) fn is_quantised(&self) -> bool {
        matches!(self.weights, Packed::Int8(_) | Packed::Int4(_))
    }

    /// The weights of one output, `(cols)`: a token's embedding.
    pub(crate) fn row(&self, row: usize, to: &mut [f32]) {
        let (panel, lane) = (row / PANEL, row % PANEL);
        match &self.weights {
            Packed::F16(weights) => {
                for (value, column) in to.iter_mut().zip(&weights[panel * self.cols..]) {
                    *value = column[lane].to_f32();
                }
            }
            Packed::Bf16(weights) => {
                for (value, column) in to.iter_mut().zip(&weights[panel * self.cols..]) {
                    *value = column[lane].to_f32();
                }
            }
            Packed::Int8(blocks) => {
                let (groups, _) = to.as_chunks_mut::<GROUP>();
                for (group, block) in groups.iter_mut().zip(&blocks[panel * (self.cols / GROUP)..]) {
                    let scale = block.scales[lane].to_f32();
                    for (i, value) in group.iter_mut().enumerate() {
                        let quant = i32::from(block.quants[i / 4][4 * lane + i % 4]) - 128;
                        *value = scale * quant as f32;
                    }
                }
            }
            Packed::Int4(blocks) => {
                let (groups, _) = to.as_chunks_mut::<GROUP>();
                for (group, block) in groups.iter_mut().zip(&blocks[panel * (self.cols / GROUP)..]) {
                    let (scale, minimum) = (block.scales[lane].to_f32(), block.minimums[lane].to_f32());
                    for (i, value) in group.iter_mut().enumerate() {
                        let byte = block.quants[i % 16 / 4][4 * lane + i % 4];
                        let quant = if i < 16 { byte & 15 } else { byte >> 4 };
                        *value = scale * f32::from(quant) + minimum;
                    }
                }
            }
        }
    }
}

/// Half-precision weights, column by column within a panel.
fn interleave<T: Copy + Default + Send + Sync>(
    values: &[T],
    rows: usize,
    cols: usize,
    arena: &Arena,
) -> Result<Pages<[T; PANEL]>, BackendError> {
    let mut packed = arena.slice(rows.div_ceil(PANEL) * cols, [T::default(); PANEL])?;
    for (row, weights) in values.chunks_exact(cols).enumerate() {
        for (column, &weight) in packed[row / PANEL * cols..].iter_mut().zip(weights) {
            column[row % PANEL] = weight;
        }
    }
    Ok(packed)
}

/// A block of either quantised format, filled output by output.
trait Block: Copy + Send + Sync {
    /// One output's part of a source group.
    type Source<'a>;
    /// A block of zero weights.
    const ZERO: Self;
    /// Takes in the weights to one output.
    fn put(&mut self, lane: usize, source: Self::Source<'_>);
}

impl Block for Int8Block {
    type Source<'a> = (&'a [i8], [f16; 1]);
    const ZERO: Self = Self { quants: [[128; 64]; 8], scales: [f16::ZERO; PANEL] };

    fn put(&mut self, lane: usize, (quants, [scale]): Self::Source<'_>) {
        for (i, &quant) in quants.iter().enumerate() {
            self.quants[i / 4][4 * lane + i % 4] = (i32::from(quant) + 128) as u8;
        }
        self.scales[lane] = scale;
    }
}

impl Block for Int4Block {
    type Source<'a> = (&'a [u8], [f16; 2]);
    const ZERO: Self =
        Self { quants: [[0; 64]; 4], scales: [f16::ZERO; PANEL], minimums: [f16::ZERO; PANEL] };

    fn put(&mut self, lane: usize, (quants, [scale, minimum]): Self::Source<'_>) {
        for (i, &byte) in quants.iter().enumerate() {
            self.quants[i / 4][4 * lane + i % 4] = byte;
        }
        (self.scales[lane], self.minimums[lane]) = (scale, minimum);
    }
}

/// Quantised weights, group by group within a panel.
fn blocks<'a, B: Block>(
    rows: usize,
    cols: usize,
    arena: &Arena,
    source: impl Fn(usize, usize) -> B::Source<'a>,
) -> Result<Pages<B>, BackendError> {
    let groups = cols / GROUP;
    let mut packed = arena.slice(rows.div_ceil(PANEL) * groups, B::ZERO)?;
    for row in 0..rows {
        for group in 0..groups {
            packed[row / PANEL * groups + group].put(row % PANEL, source(row, group));
        }
    }
    Ok(packed)
}
