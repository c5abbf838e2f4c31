//! Sixteen lanes as plain arrays: runs anywhere, and is what the other instruction sets are tested against.

use super::{LANES, Simd};
use half::{bf16, f16};
use std::array::from_fn;

/// The portable form, on every machine.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    type F32 = [f32; LANES];
    type I32 = [i32; LANES];
    type U8 = [u8; 64];

    const TILE_ROWS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::F32 {
        *x
    }
    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        *to = x;
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> Self::F32 {
        // Exponent and fraction moved into place; the multiplication mends the exponent's bias, denormals included.
        from_fn(|i| {
            let bits = u32::from(x[i].to_bits());
            let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
            f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
        })
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::F32 {
        from_fn(|i| f32::from_bits(u32::from(x[i].to_bits()) << 16))
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn abs(self, a: Self::F32) -> Self::F32 {
        from_fn(|i| a[i].abs())
    }
    #[inline(always)]
    fn round(self, a: Self::F32) -> Self::I32 {
        from_fn(|i| a[i].round_ties_even() as i32)
    }
    #[inline(always)]
    fn float(self, a: Self::I32) -> Self::F32 {
        from_fn(|i| a[i] as f32)
    }
    #[inline(always)]
    fn power_of_two(self, a: Self::I32) -> Self::F32 {
        from_fn(|i| f32::from_bits(((a[i] + 127) << 23) as u32))
    }
    #[inline(always)]
    fn store_i32(self, x: Self::I32, to: &mut [i32; LANES]) {
        *to = x;
    }
    #[inline(always)]
    fn bytes(self, x: &[u8; 64]) -> Self::U8 {
        *x
    }
    #[inline(always)]
    fn nibbles(self, x: Self::U8) -> (Self::U8, Self::U8) {
        (x.map(|byte| byte & 15), x.map(|byte| byte >> 4))
    }
    #[inline(always)]
    fn zero_i32(self) -> Self::I32 {
        [0; LANES]
    }
    #[inline(always)]
    fn dot_u4(self, sum: Self::I32, weights: Self::U8, activations: [i8; 4]) -> Self::I32 {
        let term = |lane: usize, j: usize| i32::from(weights[4 * lane + j]) * i32::from(activations[j]);
        from_fn(|i| sum[i] + term(i, 0) + term(i, 1) + term(i, 2) + term(i, 3))
    }
    #[inline(always)]
    fn start_i8(self, activation_sum: i32) -> Self::I32 {
        [-128 * activation_sum; LANES]
    }
    #[inline(always)]
    fn dot_i8(self, sum: Self::I32, weights: Self::U8, activations: [i8; 4]) -> Self::I32 {
        self.dot_u4(sum, weights, activations)
    }
    #[inline(always)]
    fn prefetch<T>(self, _data: &[T]) {}
}
