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
                (Format::Int8, in_bands(matrix, [tile::BYTES, tile::SCALE_BYTES], threads, pack))
            }
            MatrixData::Int4 { quants, scales, minimums } => {
                let [scales, minimums] = [scales, minimums].map(|values| values.reinterpret_cast());
                let pack = |band: Band<'_>| {
                    tile::nibbles(band.rows_of(quants, cols / 2), band.data);
                    let groups = [scales, minimums].map(|values| band.rows_of(values, cols / tile::INPUTS));
                    tile::scales(groups, band.scales);
                };
                let bytes = [tile::BYTES / 2, tile::SCALE_BYTES * 2];
                (Format::Int4, in_bands(matrix, bytes, threads, pack))
            }
        };
        Self { format, data, scales }
    }
}

fn halves(matrix: &Matrix, values: &[u16], threads: usize) -> [Vec<u8>; 2] {
    let pack = |band: Band<'_>| tile::halves(band.rows_of(values, matrix.cols), band.data);
    in_bands(matrix, [tile::BYTES * 2, 0], threads, pack)
}
