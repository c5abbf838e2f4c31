//! Block formats that have a counterpart inside: their quants are moved, not computed anew.

use half::f16;

/// Values that IQ4_NL's indices stand for (GGML's `kvalues_iq4nl`).
pub(super) const IQ4_NL_VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The parts of an Int4 matrix while it grows.
pub(super) struct Int4 {
    pub(super) quants: Vec<u8>,
    pub(super) scales: Vec<f16>,
    pub(super) minimums: Vec<f16>,
}

impl Int4 {
    pub(super) fn with_capacity(groups: usize) -> Self {
        Self {
            quants: Vec::with_capacity(groups * 16),
            scales: Vec::with_capacity(groups),
            minimums: Vec::with_capacity(groups),
        }
    }
}

/// The f16 at the start of `bytes`.
pub(super) fn half(bytes: &[u8]) -> f16 {
    f16::from_le_bytes([bytes[0], bytes[1]])
}

pub(super) fn q8_0(row: &[u8], quants: &mut Vec<i8>, scales: &mut Vec<f16>) {
    for block in row.chunks_exact(34) {
        scales.push(half(block));
        quants.extend(block[2..].iter().map(|byte| byte.cast_signed()));
    }
}

/// A quant of Q5_0 less its offset of 16 is a small signed integer, which Int8 holds as it is.
pub(super) fn q5_0(row: &[u8], quants: &mut Vec<i8>, scales: &mut Vec<f16>) {
    for block in row.chunks_exact(22) {
        scales.push(half(block));
        quants.extend(five_bits(&block[2..6], &block[6..]).map(|quant| quant.cast_signed() - 16));
    }
}

/// IQ4_NL's table holds 8-bit integers, so the values themselves become the quants.
pub(super) fn iq4_nl(row: &[u8], quants: &mut Vec<i8>, scales: &mut Vec<f16>) {
    for block in row.chunks_exact(18) {
        scales.push(half(block));
        quants.extend(block[2..].iter().map(|byte| IQ4_NL_VALUES[usize::from(byte & 15)]));
        quants.extend(block[2..].iter().map(|byte| IQ4_NL_VALUES[usize::from(byte >> 4)]));
    }
}

pub(super) fn q4_0(row: &[u8], out: &mut Int4) {
    for block in row.chunks_exact(18) {
        let scale = half(block);
        out.scales.push(scale);
        out.minimums.push(f16::from_f32(scale.to_f32() * -8.0));
        out.quants.extend_from_slice(&block[2..]);
    }
}

pub(super) fn q4_1(row: &[u8], out: &mut Int4) {
    for block in row.chunks_exact(20) {
        out.scales.push(half(block));
        out.minimums.push(half(&block[2..]));
        out.quants.extend_from_slice(&block[4..]);
    }
}

/// Two groups share 32 bytes, one in the low halves and one in the high; inside, a group has its own 16 bytes.
pub(super) fn q4_k(row: &[u8], out: &mut Int4) {
    for block in row.chunks_exact(144) {
        let (scale, minimum) = (half(block).to_f32(), half(&block[2..]).to_f32());
        for group in 0..8 {
            let (scale_factor, minimum_factor) = k_scale(&block[4..16], group);
            out.scales.push(f16::from_f32(scale * f32::from(scale_factor)));
            out.minimums.push(f16::from_f32(-minimum * f32::from(minimum_factor)));
            let pair = &block[16 + group / 2 * 32..][..32];
            let shift = group % 2 * 4;
            let quant = |column: usize| pair[column] >> shift & 15;
            out.quants.extend((0..16).map(|column| quant(column) | quant(column + 16) << 4));
        }
    }
}

/// The 32 quants of a Q5 block: four bits each from `low` as in Q4, the fifth from a bit mask.
pub(super) fn five_bits<'a>(mask: &'a [u8], low: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    (0..32).map(move |column| {
        let four = if column < 16 { low[column] & 15 } else { low[column - 16] >> 4 };
        four | (mask[column / 8] >> (column % 8) & 1) << 4
    })
}

/// The 6-bit scale and minimum of a group of Q4_K or Q5_K, packed as GGML's `get_scale_min_k4` reads them.
pub(super) fn k_scale(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    let scale = packed[group + 4] & 15 | packed[group - 4] >> 6 << 4;
    let minimum = packed[group + 4] >> 4 | packed[group] >> 6 << 4;
    (scale, minimum)
}
