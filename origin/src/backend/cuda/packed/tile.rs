//! The tiles of a band, from the first inputs to the last: each 16 outputs by 32 inputs.
//!
//! The 32 lanes of a warp hold a tile: output g + 8o (g below 8) of the inputs from 8q is lane 4g + q's, o saying which of the
//! lane's two outputs it is.

/// Outputs and inputs of a tile.
pub(in super::super) const OUTPUTS: usize = 16;
pub(super) const INPUTS: usize = 32;
/// Bytes of a tile with a byte a weight, and of one 16-bit scale for each of its outputs.
pub(super) const BYTES: usize = OUTPUTS * INPUTS;
pub(super) const SCALE_BYTES: usize = OUTPUTS * 2;
/// Inputs of an output that a lane holds.
const LANE_INPUTS: usize = 8;

/// The rows of a band, where there are such outputs.
type Rows<'a, T> = [Option<&'a [T]>; OUTPUTS];

/// The place among the lanes' pairs of outputs, `(lanes, 2)`, of an output's part.
fn place(output: usize, part: usize) -> usize {
    (output % 8 * 4 + part) * 2 + output / 8
}

/// Weights of 16 bits: a lane's inputs are two halves, each two pairs, each a word for the one output and for the other.
pub(super) fn halves(rows: Rows<'_, u16>, to: &mut [u8]) {
    for (output, row) in rows.into_iter().enumerate() {
        let (inputs, _) = row.unwrap_or_default().as_chunks::<INPUTS>();
        for (inputs, tile) in inputs.iter().zip(to.as_chunks_mut::<{ BYTES * 2 }>().0) {
            let words = tile.as_chunks_mut::<4>().0;
            for (index, pair) in inputs.as_chunks::<2>().0.iter().enumerate() {
                let (lane, half, pair_index) = (output % 8 * 4 + index / 4, index / 2 % 2, index % 2);
                let word = u32::from(pair[0]) | u32::from(pair[1]) << 16;
                words[(half * 32 + lane) * 4 + pair_index * 2 + output / 8] = word.to_le_bytes();
            }
        }
    }
}

/// Weights of a byte, moved so that none is negative: 128 is 0.
pub(super) fn bytes(rows: Rows<'_, i8>, to: &mut [u8]) {
    for (output, row) in rows.into_iter().enumerate() {
        let inputs = row.map(|row| row.as_chunks::<INPUTS>().0);
        for (index, tile) in to.as_chunks_mut::<BYTES>().0.iter_mut().enumerate() {
            let parts = tile.as_chunks_mut::<LANE_INPUTS>().0;
            let inputs = inputs.map_or([0; INPUTS], |inputs| inputs[index]);
            for (part, inputs) in inputs.as_chunks::<LANE_INPUTS>().0.iter().enumerate() {
                parts[place(output, part)] = inputs.map(|input| input.cast_unsigned() ^ 0x80);
            }
        }
    }
}

/// Weights of 4 bits: a word for a lane's inputs of an output, the even ones in its low half, the odd ones in its high half.
pub(super) fn nibbles(rows: Rows<'_, u8>, to: &mut [u8]) {
    for (output, row) in rows.into_iter().enumerate() {
        let (inputs, _) = row.unwrap_or_default().as_chunks::<{ INPUTS / 2 }>();
        for (inputs, tile) in inputs.iter().zip(to.as_chunks_mut::<{ BYTES / 2 }>().0) {
            let words = tile.as_chunks_mut::<4>().0;
            // The low halves of 8 bytes are 8 inputs, their high halves the inputs 16 further on.
            let [first, second] =
                [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|i| inputs[at + i])));
            for (part, nibbles) in [first, second, first >> 4, second >> 4].into_iter().enumerate() {
                let word = gathered(nibbles) | gathered(nibbles >> 8) << 16;
                words[place(output, part)] = word.to_le_bytes();
            }
        }
    }
}

/// The low halves of every other byte, side by side.
fn gathered(bytes: u64) -> u32 {
    let nibbles = bytes & 0x000f_000f_000f_000f;
    ((nibbles | nibbles >> 12 | nibbles >> 24 | nibbles >> 36) & 0xffff) as u32
}

/// The numbers of each output's groups, a group a tile, outputs g and g + 8 side by side.
pub(super) fn scales<const N: usize>(numbers: [Rows<'_, u16>; N], to: &mut [u8]) {
    for (index, rows) in numbers.into_iter().enumerate() {
        for (output, row) in rows.into_iter().enumerate() {
            let at = (output % 8 * 2 + output / 8) * N + index;
            for (number, tile) in row.unwrap_or_default().iter().zip(to.chunks_exact_mut(SCALE_BYTES * N)) {
                tile[at * 2..][..2].copy_from_slice(&number.to_le_bytes());
            }
        }
    }
}
