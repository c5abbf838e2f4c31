//! Weight matrices in the order in which the tensor cores take them; `origin/kernels/weights.cuh` says why.

use crate::model::tensors::{GROUP, Matrix, MatrixData};

/// Outputs and inputs of a tile.
const TILE_OUTPUTS: usize = 16;
const TILE_INPUTS: usize = 32;
/// Lanes of a warp, and the inputs that one holds of an output.
const LANES: usize = 32;
const LANE_INPUTS: usize = 8;
/// What the quantised format of 8 bits adds to a weight, so that none is negative.
const INT8_OFFSET: i32 = 128;

/// The four formats, as kernels are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    F16,
    Bf16,
    Int8,
    Int4,
}

/// A matrix's bytes on the device.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) format: Format,
    /// Tiles: all along the inputs for the first 16 outputs, then for the next.
    pub(crate) data: Vec<u8>,
    /// Scales (and minimums) of the quantised formats, tile by tile.
    pub(crate) scales: Vec<u8>,
}

impl Format {
    /// The end of a kernel's name.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }
}

impl Packed {
    /// Lays out a matrix whose data fill its shape, its inputs a multiple of 32.
    pub(crate) fn new(matrix: &Matrix) -> Self {
        match &matrix.data {
            MatrixData::F16(values) => Self::halves(Format::F16, matrix, |index| values[index].to_bits()),
            MatrixData::Bf16(values) => Self::halves(Format::Bf16, matrix, |index| values[index].to_bits()),
            MatrixData::Int8 { quants, scales } => {
                let data = lanes(matrix, |to, row, col| {
                    let quants = row.map(|row| &quants[row * matrix.cols + col..][..LANE_INPUTS]);
                    let weight = |i: usize| quants.map_or(0, |quants| i32::from(quants[i])) + INT8_OFFSET;
                    to.extend((0..LANE_INPUTS).map(|i| weight(i) as u8));
                });
                let scales = groups(matrix, |to, group| {
                    to.extend(group.map_or(0, |group| scales[group].to_bits()).to_le_bytes());
                });
                Self { format: Format::Int8, data, scales }
            }
            MatrixData::Int4 { quants, scales, minimums } => {
                let data = lanes(matrix, |to, row, col| {
                    let nibble = |i| row.map_or(0, |row| nibble(quants, row * matrix.cols + col + i));
                    let word = (0..LANE_INPUTS / 2)
                        .map(|i| nibble(2 * i) << (4 * i) | nibble(2 * i + 1) << (4 * i + 16))
                        .fold(0, |word, nibbles| word | nibbles);
                    to.extend(word.to_le_bytes());
                });
                let scales = groups(matrix, |to, group| {
                    for values in [scales, minimums] {
                        to.extend(group.map_or(0, |group| values[group].to_bits()).to_le_bytes());
                    }
                });
                Self { format: Format::Int4, data, scales }
            }
        }
    }

    fn halves(format: Format, matrix: &Matrix, bits: impl Fn(usize) -> u16) -> Self {
        let mut data = Vec::with_capacity(tiles(matrix) * TILE_OUTPUTS * TILE_INPUTS * 2);
        for (first_row, first_col) in corners(matrix) {
            for (half, lane) in (0..2).flat_map(|half| (0..LANES).map(move |lane| (half, lane))) {
                for (pair, output) in [(0, 0), (0, 8), (1, 0), (1, 8)] {
                    let row = first_row + lane / 4 + output;
                    let col = first_col + lane % 4 * LANE_INPUTS + half * 4 + pair * 2;
                    for col in [col, col + 1] {
                        let value = if row < matrix.rows { bits(row * matrix.cols + col) } else { 0 };
                        data.extend(value.to_le_bytes());
                    }
                }
            }
        }
        Self { format, data, scales: Vec::new() }
    }
}

fn tiles(matrix: &Matrix) -> usize {
    matrix.rows.div_ceil(TILE_OUTPUTS) * (matrix.cols / TILE_INPUTS)
}

/// The first output and the first input of each tile.
fn corners(matrix: &Matrix) -> impl Iterator<Item = (usize, usize)> {
    let cols = matrix.cols;
    let rows = (0..matrix.rows).step_by(TILE_OUTPUTS);
    rows.flat_map(move |row| (0..cols).step_by(TILE_INPUTS).map(move |col| (row, col)))
}

/// Lane by lane of each tile, its two outputs' eight inputs from `col`; no row where there is no such output.
fn lanes(matrix: &Matrix, put: impl Fn(&mut Vec<u8>, Option<usize>, usize)) -> Vec<u8> {
    let mut data = Vec::new();
    for (first_row, first_col) in corners(matrix) {
        for lane in 0..LANES {
            for row in [first_row + lane / 4, first_row + lane / 4 + 8] {
                let row = Some(row).filter(|&row| row < matrix.rows);
                put(&mut data, row, first_col + lane % 4 * LANE_INPUTS);
            }
        }
    }
    data
}

/// The groups of each tile, outputs g and g + 8 side by side; none where there is no such output.
fn groups(matrix: &Matrix, put: impl Fn(&mut Vec<u8>, Option<usize>)) -> Vec<u8> {
    let mut scales = Vec::new();
    for (first_row, first_col) in corners(matrix) {
        for row in (0..8).flat_map(|g| [first_row + g, first_row + g + 8]) {
            let group = Some((row * matrix.cols + first_col) / GROUP).filter(|_| row < matrix.rows);
            put(&mut scales, group);
        }
    }
    scales
}

/// A weight of 4 bits by its place in the matrix.
fn nibble(quants: &[u8], index: usize) -> u32 {
    let byte = quants[index / GROUP * (GROUP / 2) + index % (GROUP / 2)];
    u32::from(if index % GROUP < GROUP / 2 { byte & 15 } else { byte >> 4 })
}
