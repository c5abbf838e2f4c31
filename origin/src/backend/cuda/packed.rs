//! Weight matrices in the order in which the tensor cores take them; `origin/kernels/weights.cuh` says why.

mod bands;
pub(super) mod tile;

use crate::model::tensors::{Matrix, MatrixData};
use bands::{Band, in_bands};
use half::slice::HalfFloatSliceExt;
use std::num::NonZeroUsize;

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
    /// The format of a matrix.
    pub(crate) fn of(matrix: &Matrix) -> Self {
        match matrix.data {
            MatrixData::F16(_) => Self::F16,
            MatrixData::Bf16(_) => Self::Bf16,
            MatrixData::Int8 { .. } => Self::Int8,
            MatrixData::Int4 { .. } => Self::Int4,
        }
    }

    /// Bytes of a matrix's weights and of its scales.
    pub(crate) fn bytes(self, rows: usize, cols: usize) -> [usize; 2] {
        let tiles = rows.div_ceil(tile::OUTPUTS) * (cols / tile::INPUTS);
        self.tile_bytes().map(|bytes| tiles * bytes)
    }

    /// Those of a tile.
    fn tile_bytes(self) -> [usize; 2] {
        match self {
            Self::F16 | Self::Bf16 => [tile::BYTES * 2, 0],
            Self::Int8 => [tile::BYTES, tile::SCALE_BYTES],
            Self::Int4 => [tile::BYTES / 2, tile::SCALE_BYTES * 2],
        }
    }

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
    /// Lays out a matrix whose data fill its shape, its inputs a multiple of 32, on every core.
    pub(crate) fn new(matrix: &Matrix) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::on_threads(matrix, cores)
    }

    /// The same on this many threads.
    pub(crate) fn on_threads(matrix: &Matrix, threads: usize) -> Self {
        let cols = matrix.cols;
        let (format, [data, scales]) = match &matrix.data {
            MatrixData::F16(values) => (Format::F16, halves(matrix, values.reinterpret_cast(), threads)),
            MatrixData::Bf16(values) => (Format::Bf16, halves(matrix, values.reinterpret_cast(), threads)),
            MatrixData::Int8 { quants, scales } => {
                let scales = scales.reinterpret_cast();
                let pack = |band: Band<'_>| {
                    tile::bytes(band.rows_of(quants, cols), band.data);
                    tile::scales([band.rows_of(scales, cols / tile::INPUTS)], band.scales);
                };
                (Format::Int8, in_bands(matrix, Format::Int8.tile_bytes(), threads, pack))
            }
            MatrixData::Int4 { quants, scales, minimums } => {
                let [scales, minimums] = [scales, minimums].map(|values| values.reinterpret_cast());
                let pack = |band: Band<'_>| {
                    tile::nibbles(band.rows_of(quants, cols / 2), band.data);
                    let groups = [scales, minimums].map(|values| band.rows_of(values, cols / tile::INPUTS));
                    tile::scales(groups, band.scales);
                };
                (Format::Int4, in_bands(matrix, Format::Int4.tile_bytes(), threads, pack))
            }
        };
        Self { format, data, scales }
    }
}

fn halves(matrix: &Matrix, values: &[u16], threads: usize) -> [Vec<u8>; 2] {
    let pack = |band: Band<'_>| tile::halves(band.rows_of(values, matrix.cols), band.data);
    in_bands(matrix, Format::F16.tile_bytes(), threads, pack)
}
