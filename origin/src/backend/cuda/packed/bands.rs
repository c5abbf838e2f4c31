//! Packing in bands, the outputs of one row of tiles, which threads share among them.

use super::tile::{INPUTS, OUTPUTS};
use crate::model::tensors::Matrix;
use std::iter;
use std::thread;

/// From this many bytes on a matrix is worth another thread's start.
const BYTES_PER_THREAD_MIN: usize = 1 << 20;

/// What is packed of 16 outputs.
pub(super) struct Band<'a> {
    /// The first of them.
    first: usize,
    /// Those that there are; the others are zeros.
    count: usize,
    /// Where its weights go.
    pub(super) data: &'a mut [u8],
    /// Where its scales go.
    pub(super) scales: &'a mut [u8],
}

impl Band<'_> {
    /// Its rows of a table with rows of this width; nothing where there is no such output.
    pub(super) fn rows_of<'b, T>(&self, table: &'b [T], width: usize) -> [Option<&'b [T]>; OUTPUTS] {
        let row = |row| &table[(self.first + row) * width..][..width];
        std::array::from_fn(|index| (index < self.count).then(|| row(index)))
    }
}

/// Packs a matrix whose tiles have so many bytes of weights and of scales, band by band.
pub(super) fn in_bands(
    matrix: &Matrix,
    tile_bytes: [usize; 2],
    threads: usize,
    pack: impl Fn(Band<'_>) + Sync,
) -> [Vec<u8>; 2] {
    let (tiles, bands) = (matrix.cols / INPUTS, matrix.rows.div_ceil(OUTPUTS));
    let sizes = tile_bytes.map(|bytes| tiles * bytes);
    let [mut data, mut scales] = sizes.map(|bytes| vec![0; bands * bytes]);
    let threads = threads.min(data.len() / BYTES_PER_THREAD_MIN).max(1);
    let share = bands.div_ceil(threads);
    let parts = parts(&mut data, share * sizes[0]).zip(parts(&mut scales, share * sizes[1]));
    let pack_part = |first_band: usize, (data, scales): (&mut [u8], &mut [u8])| {
        for (index, (data, scales)) in
            self::parts(data, sizes[0]).zip(self::parts(scales, sizes[1])).enumerate()
        {
            let first = (first_band + index) * OUTPUTS;
            if data.is_empty() {
                return;
            }
            pack(Band { first, count: OUTPUTS.min(matrix.rows - first), data, scales });
        }
    };
    thread::scope(|scope| {
        let parts = parts.enumerate().take(threads);
        let mut parts = parts.map(|(index, part)| (index * share, part));
        // This thread takes the first part.
        let own = parts.next();
        for (first, part) in parts {
            let pack_part = &pack_part;
            scope.spawn(move || pack_part(first, part));
        }
        if let Some((first, part)) = own {
            pack_part(first, part);
        }
    });
    [data, scales]
}

/// Parts of this many bytes, and empty ones after the last.
fn parts(bytes: &mut [u8], size: usize) -> impl Iterator<Item = &mut [u8]> {
    bytes.chunks_mut(size.max(1)).chain(iter::repeat_with(|| &mut [][..]))
}
