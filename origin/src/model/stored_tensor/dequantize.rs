//! Every encoding's values as f32, by the definitions in GGML's `ggml-quants.c`.

use half::{bf16, f16};

use super::copy_blocks::{IQ4_NL_VALUES, five_bits, half, k_scale};
use crate::model::encoding::Encoding;

/// Dequantises a row of whole blocks.
pub(super) fn row(encoding: Encoding, bytes: &[u8], out: &mut [f32]) {
    let blocks =
        bytes.chunks_exact(encoding.block_bytes()).zip(out.chunks_exact_mut(encoding.block_values()));
    for (block, out) in blocks {
        match encoding {
            Encoding::F32 | Encoding::F16 | Encoding::Bf16 => out[0] = element(encoding, block),
            Encoding::Q4_0 => four_bits(&block[2..], out, |q| half(block).to_f32() * (f32::from(q) - 8.0)),
            Encoding::Q4_1 => {
                let (scale, minimum) = (half(block).to_f32(), half(&block[2..]).to_f32());
                four_bits(&block[4..], out, |q| scale * f32::from(q) + minimum);
            }
            Encoding::Iq4Nl => {
                let scale = half(block).to_f32();
                four_bits(&block[2..], out, |q| scale * f32::from(IQ4_NL_VALUES[usize::from(q)]));
            }
            Encoding::Q5_0 => {
                let scale = half(block).to_f32();
                fill(out, five_bits(&block[2..6], &block[6..]).map(|q| scale * (f32::from(q) - 16.0)));
            }
            Encoding::Q5_1 => {
                let (scale, minimum) = (half(block).to_f32(), half(&block[2..]).to_f32());
                fill(out, five_bits(&block[4..8], &block[8..]).map(|q| scale * f32::from(q) + minimum));
            }
            Encoding::Q8_0 => {
                let scale = half(block).to_f32();
                fill(out, block[2..].iter().map(|q| scale * f32::from(q.cast_signed())));
            }
            Encoding::Q2K => q2_k(block, out),
            Encoding::Q3K => q3_k(block, out),
            Encoding::Q4K => q4_k(block, out),
            Encoding::Q5K => q5_k(block, out),
            Encoding::Q6K => q6_k(block, out),
        }
    }
}

/// One value of an unquantised encoding.
pub(super) fn element(encoding: Encoding, bytes: &[u8]) -> f32 {
    match encoding {
        Encoding::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        Encoding::F16 => f16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        Encoding::Bf16 => bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        quantised => panic!("{quantised} has no single elements"),
    }
}

/// F32 values.
pub(super) fn singles(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn fill(out: &mut [f32], values: impl Iterator<Item = f32>) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = value;
    }
}

/// 16 bytes: low halves are columns 0..16, high halves 16..32.
fn four_bits(bytes: &[u8], out: &mut [f32], value: impl Fn(u8) -> f32) {
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
        *low = value(byte & 15);
        *high = value(byte >> 4);
    }
}

/// Scales and minimums (4 bits each) of 16 groups, then quants: 32 bytes hold four runs of 32 columns, two bits each.
fn q2_k(block: &[u8], out: &mut [f32]) {
    let (scales, quants) = (&block[..16], &block[16..80]);
    let (scale, minimum) = (half(&block[80..]).to_f32(), half(&block[82..]).to_f32());
    for (column, out) in out.iter_mut().enumerate() {
        let packed = scales[column / 16];
        let quant = quants[column / 128 * 32 + column % 32] >> (column % 128 / 32 * 2) & 3;
        *out = scale * f32::from(packed & 15) * f32::from(quant) - minimum * f32::from(packed >> 4);
    }
}

/// A bit mask of high bits (32 bytes, one bit a run), quants as in Q2_K, 16 scales of 6 bits less 32.
fn q3_k(block: &[u8], out: &mut [f32]) {
    let (mask, quants, packed) = (&block[..32], &block[32..96], &block[96..108]);
    let scale = half(&block[108..]).to_f32();
    for (column, out) in out.iter_mut().enumerate() {
        let group = column / 16;
        let low = packed[group % 8] >> (group / 8 * 4) & 15;
        let high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
        let factor = f32::from(low | high << 4) - 32.0;
        let two = quants[column / 128 * 32 + column % 32] >> (column % 128 / 32 * 2) & 3;
        let third = mask[column % 32] >> (column / 32) & 1;
        let quant = f32::from(two) - if third == 1 { 0.0 } else { 4.0 };
        *out = scale * factor * quant;
    }
}

fn q4_k(block: &[u8], out: &mut [f32]) {
    let (scale, minimum) = (half(block).to_f32(), half(&block[2..]).to_f32());
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let (scale_factor, minimum_factor) = k_scale(&block[4..16], group);
        let (scale, minimum) = (scale * f32::from(scale_factor), minimum * f32::from(minimum_factor));
        let pair = &block[16 + group / 2 * 32..][..32];
        fill(out, pair.iter().map(|byte| scale * f32::from(byte >> (group % 2 * 4) & 15) - minimum));
    }
}

/// As Q4_K, with a fifth bit of each quant in a mask: bit `group` of byte `column`.
fn q5_k(block: &[u8], out: &mut [f32]) {
    let (scale, minimum) = (half(block).to_f32(), half(&block[2..]).to_f32());
    let mask = &block[16..48];
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let (scale_factor, minimum_factor) = k_scale(&block[4..16], group);
        let (scale, minimum) = (scale * f32::from(scale_factor), minimum * f32::from(minimum_factor));
        let pair = &block[48 + group / 2 * 32..][..32];
        let quants =
            pair.iter().zip(mask).map(|(byte, mask)| byte >> (group % 2 * 4) & 15 | (mask >> group & 1) << 4);
        fill(out, quants.map(|quant| scale * f32::from(quant) - minimum));
    }
}

/// Half a block at a time: 64 bytes of low halves and 32 bytes of high bit pairs hold four runs of 32 columns.
fn q6_k(block: &[u8], out: &mut [f32]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let scale = half(&block[208..]).to_f32();
    for (column, out) in out.iter_mut().enumerate() {
        let (part, run, at) = (column / 128, column % 128 / 32, column % 32);
        let four = low[part * 64 + run % 2 * 32 + at] >> (run / 2 * 4) & 15;
        let two = high[part * 32 + at] >> (run * 2) & 3;
        let factor = f32::from(scales[column / 16].cast_signed());
        *out = scale * factor * (f32::from(four | two << 4) - 32.0);
    }
}
