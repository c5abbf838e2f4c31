//! Conversion of matrices between the formats inside.

use half::f16;

use super::tensors::{GROUP, Matrix, MatrixData};

/// The formats that `--quantize` offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantize {
    /// Groups of 32 with an f16 scale: 8.5 bits a weight.
    Int8,
    /// Groups of 32 with an f16 scale and minimum: 5 bits a weight. Embedding and head stay at 8 bits, since their
    /// rows are read one by one and every logit depends on them.
    Int4,
}

impl Quantize {
    /// Bytes of a group with its scale and minimum.
    pub fn group_bytes(self) -> usize {
        match self {
            Self::Int8 => GROUP + size_of::<f16>(),
            Self::Int4 => GROUP / 2 + 2 * size_of::<f16>(),
        }
    }
}

impl std::str::FromStr for Quantize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "int8" => Ok(Self::Int8),
            "int4" => Ok(Self::Int4),
            other => Err(format!("'{other}' is not a weight format; int8 and int4 are")),
        }
    }
}

impl std::fmt::Display for Quantize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}

/// A group's values are beyond what its f16 scale can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("values are too large for a group with an f16 scale")]
pub struct GroupRange;

impl Matrix {
    /// Writes one row as f32.
    ///
    /// # Panics
    /// If there is no such row, or `out` is not `cols` long.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.cols, "a row has as many values as the matrix has columns");
        let (start, end) = (row * self.cols, (row + 1) * self.cols);
        let groups = start / GROUP..end / GROUP;
        match &self.data {
            MatrixData::F16(values) => fill(out, values[start..end].iter().map(|value| value.to_f32())),
            MatrixData::Bf16(values) => fill(out, values[start..end].iter().map(|value| value.to_f32())),
            MatrixData::Int8 { quants, scales } => {
                let groups = quants[start..end].chunks_exact(GROUP).zip(&scales[groups]);
                for ((quants, scale), out) in groups.zip(out.chunks_exact_mut(GROUP)) {
                    let scale = scale.to_f32();
                    fill(out, quants.iter().map(|quant| f32::from(*quant) * scale));
                }
            }
            MatrixData::Int4 { quants, scales, minimums } => {
                let halves = quants[start / 2..end / 2].chunks_exact(GROUP / 2);
                let groups = halves.zip(&scales[groups.clone()]).zip(&minimums[groups]);
                for (((quants, scale), minimum), out) in groups.zip(out.chunks_exact_mut(GROUP)) {
                    let (scale, minimum) = (scale.to_f32(), minimum.to_f32());
                    let (low, high) = out.split_at_mut(GROUP / 2);
                    fill(low, quants.iter().map(|byte| f32::from(byte & 15) * scale + minimum));
                    fill(high, quants.iter().map(|byte| f32::from(byte >> 4) * scale + minimum));
                }
            }
        }
    }

    /// Converts to `format`, unless the matrix is as small already.
    pub fn quantized(self, format: Quantize) -> Result<Self, GroupRange> {
        let data = match (&self.data, format) {
            (MatrixData::Int4 { .. }, _) | (MatrixData::Int8 { .. }, Quantize::Int8) => return Ok(self),
            (_, Quantize::Int8) => {
                let mut out = Int8::with_capacity(self.rows * self.cols);
                self.each_row(|row| out.push_row(row))?;
                out.into_data()
            }
            (_, Quantize::Int4) => {
                let mut out = Int4::with_capacity(self.rows * self.cols);
                self.each_row(|row| out.push_row(row))?;
                out.into_data()
            }
        };
        Ok(Self { data, ..self })
    }

    fn each_row(&self, mut visit: impl FnMut(&[f32]) -> Result<(), GroupRange>) -> Result<(), GroupRange> {
        let mut values = vec![0.0; self.cols];
        (0..self.rows).try_for_each(|row| {
            self.read_row(row, &mut values);
            visit(&values)
        })
    }
}

fn fill(out: &mut [f32], values: impl Iterator<Item = f32>) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = value;
    }
}

/// An Int8 matrix while it grows row by row.
pub(crate) struct Int8 {
    quants: Vec<i8>,
    scales: Vec<f16>,
}

impl Int8 {
    /// Room for so many values.
    pub(crate) fn with_capacity(values: usize) -> Self {
        Self { quants: Vec::with_capacity(values), scales: Vec::with_capacity(values / GROUP) }
    }

    /// Rounds a row of whole groups. The greatest magnitude of a group becomes 127; quants are taken against the
    /// scale as f16 rounds it, so that its rounding is made up for.
    pub(crate) fn push_row(&mut self, values: &[f32]) -> Result<(), GroupRange> {
        for group in values.chunks_exact(GROUP) {
            // As integers, magnitudes compare in any order, so that the compiler may use vectors.
            let greatest =
                group.iter().map(|value| value.to_bits() & !SIGN).max().map_or(0.0, f32::from_bits);
            let scale = f16::from_f32(greatest / 127.0);
            if !scale.is_finite() {
                return Err(GroupRange);
            }
            let inverse = inverse(scale);
            self.scales.push(scale);
            let quant = |value: &f32| nearest((value * inverse).clamp(-127.0, 127.0)) as i8;
            self.quants.extend(group.iter().map(quant));
        }
        Ok(())
    }

    pub(crate) fn into_data(self) -> MatrixData {
        MatrixData::Int8 { quants: self.quants, scales: self.scales }
    }
}

/// An Int4 matrix while it grows row by row.
struct Int4 {
    quants: Vec<u8>,
    scales: Vec<f16>,
    minimums: Vec<f16>,
}

impl Int4 {
    fn with_capacity(values: usize) -> Self {
        Self {
            quants: Vec::with_capacity(values / 2),
            scales: Vec::with_capacity(values / GROUP),
            minimums: Vec::with_capacity(values / GROUP),
        }
    }

    /// Rounds a row of whole groups: the least value becomes quant 0, the greatest 15.
    fn push_row(&mut self, values: &[f32]) -> Result<(), GroupRange> {
        for group in values.chunks_exact(GROUP) {
            let least = group.iter().copied().fold(f32::INFINITY, f32::min);
            let greatest = group.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let (minimum, scale) = (f16::from_f32(least), f16::from_f32((greatest - least) / 15.0));
            if !minimum.is_finite() || !scale.is_finite() {
                return Err(GroupRange);
            }
            let (offset, inverse) = (minimum.to_f32(), inverse(scale));
            let quant = |value: f32| nearest(((value - offset) * inverse).clamp(0.0, 15.0)) as u8;
            self.scales.push(scale);
            self.minimums.push(minimum);
            let (low, high) = group.split_at(GROUP / 2);
            self.quants.extend(low.iter().zip(high).map(|(low, high)| quant(*low) | quant(*high) << 4));
        }
        Ok(())
    }

    fn into_data(self) -> MatrixData {
        MatrixData::Int4 { quants: self.quants, scales: self.scales, minimums: self.minimums }
    }
}

/// The sign of an f32's bits.
const SIGN: u32 = 1 << 31;

/// The nearest integer to a small number. Adding 1.5 * 2^23 leaves no bits for a fraction: the sum's last bits are the
/// integer. `f32::round` is a function call on x86-64 without SSE4.1, and a model has a hundred million values.
fn nearest(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().cast_signed() - SHIFT.to_bits().cast_signed()
}

/// One over the scale; a scale of zero makes every quant zero.
fn inverse(scale: f16) -> f32 {
    match scale.to_f32() {
        0.0 => 0.0,
        scale => 1.0 / scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensors::random::WeightFormat;

    fn quantized(values: &[f32], format: Quantize) -> Vec<f32> {
        let data = MatrixData::F16(values.iter().copied().map(f16::from_f32).collect());
        let matrix = Matrix { rows: 1, cols: values.len(), data };
        let mut out = vec![0.0; values.len()];
        matrix.quantized(format).expect("the values fit").read_row(0, &mut out);
        out
    }

    #[test]
    fn every_group_keeps_its_values_to_half_a_step() {
        let wave = |i: usize| (i as f32 * 1.7).sin() * 10_f32.powi((i / GROUP) as i32 - 2);
        let values: Vec<f32> = (0..4 * GROUP).map(wave).collect();
        // Half of a step, as a share of the greatest magnitude, and the rounding of source, scale and minimum to f16.
        for (format, share) in [(Quantize::Int8, 0.0046), (Quantize::Int4, 0.072)] {
            let found = quantized(&values, format);
            for (values, found) in values.chunks_exact(GROUP).zip(found.chunks_exact(GROUP)) {
                let greatest = values.iter().fold(0.0f32, |max, value| max.max(value.abs()));
                for (value, found) in values.iter().zip(found) {
                    assert!((value - found).abs() <= share * greatest, "{format}: {value} became {found}");
                }
            }
        }
    }

    #[test]
    fn groups_of_zeros_and_of_the_tiniest_numbers_are_no_trouble() {
        for value in [0.0, 1e-7, -6e-8] {
            for format in [Quantize::Int8, Quantize::Int4] {
                let found = quantized(&[value; GROUP], format);
                assert!(found.iter().all(|found| (found - value).abs() <= 1.3e-7), "{format}: {found:?}");
            }
        }
    }

    #[test]
    fn values_beyond_the_scale_are_refused_just_past_the_limit() {
        let push = |greatest: f32| Int8::with_capacity(GROUP).push_row(&[greatest; GROUP]);
        let limit = f16::MAX.to_f32() * 127.0;
        assert_eq!(push(limit), Ok(()));
        assert_eq!(push(limit * 1.001), Err(GroupRange));
        assert_eq!(push(f32::NAN), Err(GroupRange));
    }

    #[test]
    fn smaller_formats_are_left_alone() {
        let int4 = Matrix::random(2, GROUP, 1, WeightFormat::Int4);
        for format in [Quantize::Int8, Quantize::Int4] {
            assert!(matches!(
                int4.clone().quantized(format),
                Ok(Matrix { data: MatrixData::Int4 { .. }, .. })
            ));
        }
        let int8 = Matrix::random(2, GROUP, 1, WeightFormat::Int8);
        let kept = int8.clone().quantized(Quantize::Int8);
        assert!(matches!(kept, Ok(Matrix { data: MatrixData::Int8 { .. }, .. })));
        assert!(matches!(int8.quantized(Quantize::Int4), Ok(Matrix { data: MatrixData::Int4 { .. }, .. })));
    }

    #[test]
    fn the_nearest_integer_is_found() {
        for value in [-127.0_f32, -126.6, -0.4, 0.0, 0.4, 0.6, 14.7, 127.0] {
            assert_eq!(nearest(value), value.round() as i32);
        }
    }
}
