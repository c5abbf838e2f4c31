//! NEON with the dot-product instructions: four registers are sixteen lanes (Arm v8.2 with `dotprod`: Graviton 2
//! and later, Apple M1 and later, Raspberry Pi 5).
#![expect(unsafe_code, reason = "vector instructions of one processor family")]

use super::{Kernel, LANES, Simd};
use half::{bf16, f16};
use std::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, uint8x16_t, vabsq_f32, vaddq_f32, vaddq_s32, vandq_u8, vandq_u32,
    vcvtnq_s32_f32, vcvtq_f32_s32, vdivq_f32, vdupq_n_f32, vdupq_n_s32, vdupq_n_u8, vdupq_n_u32, veorq_u8,
    vfmaq_f32, vld1_u16, vld1q_f32, vld1q_u8, vmaxq_f32, vminq_f32, vmovl_u16, vmulq_f32, vorrq_u32,
    vreinterpretq_f32_s32, vreinterpretq_f32_u32, vreinterpretq_s8_s32, vreinterpretq_s8_u8,
    vreinterpretq_u32_f32, vshlq_n_s32, vshlq_n_u32, vshrq_n_u8, vst1q_f32, vst1q_s32, vsubq_f32,
};
use std::arch::asm;
use std::arch::is_aarch64_feature_detected as has;
use std::array::from_fn;

/// Exists only where the machine has NEON and `dotprod`.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// The token, if the machine has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        (has!("neon") && has!("dotprod")).then_some(Self(()))
    }

    /// Runs a kernel compiled for these instructions.
    pub(crate) fn vectorise<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "neon,dotprod")]
        fn inside<K: Kernel>(simd: Neon, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: the token exists, so `detect` found the features that `inside` enables.
        unsafe { inside(self, kernel) }
    }
}

/// One instruction for each quarter of the lanes, on registers alone. Written out, not as a closure: a closure would
/// be compiled without the instructions.
macro_rules! quarters {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty = $i:ident => $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($argument: $type),*) -> $output {
            // SAFETY: the token proves that the machine has the instructions; they touch no memory.
            unsafe {
                [
                    { let $i = 0; $body },
                    { let $i = 1; $body },
                    { let $i = 2; $body },
                    { let $i = 3; $body },
                ]
            }
        }
    )*};
}

impl Simd for Neon {
    type F32 = [float32x4_t; 4];
    type I32 = [int32x4_t; 4];
    type U8 = [uint8x16_t; 4];

    const TILE_ROWS: usize = 2;

    quarters! {
        splat(x: f32) -> [float32x4_t; 4] = _i => vdupq_n_f32(x);
        add(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vaddq_f32(a[i], b[i]);
        sub(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vsubq_f32(a[i], b[i]);
        mul(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vmulq_f32(a[i], b[i]);
        div(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vdivq_f32(a[i], b[i]);
        fma(a: [float32x4_t; 4], b: [float32x4_t; 4], c: [float32x4_t; 4]) -> [float32x4_t; 4] =
            i => vfmaq_f32(c[i], a[i], b[i]);
        max(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vmaxq_f32(a[i], b[i]);
        min(a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vminq_f32(a[i], b[i]);
        abs(a: [float32x4_t; 4]) -> [float32x4_t; 4] = i => vabsq_f32(a[i]);
        round(a: [float32x4_t; 4]) -> [int32x4_t; 4] = i => vcvtnq_s32_f32(a[i]);
        float(a: [int32x4_t; 4]) -> [float32x4_t; 4] = i => vcvtq_f32_s32(a[i]);
        power_of_two(a: [int32x4_t; 4]) -> [float32x4_t; 4] =
            i => vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(a[i], vdupq_n_s32(127))));
        zero_i32() -> [int32x4_t; 4] = _i => vdupq_n_s32(0);
        dot_u4(sum: [int32x4_t; 4], weights: [uint8x16_t; 4], activations: [i8; 4]) -> [int32x4_t; 4] =
            i => sdot(sum[i], vreinterpretq_s8_u8(weights[i]), four(activations));
        start_i8(_activation_sum: i32) -> [int32x4_t; 4] = _i => vdupq_n_s32(0);
        dot_i8(sum: [int32x4_t; 4], weights: [uint8x16_t; 4], activations: [i8; 4]) -> [int32x4_t; 4] =
            i => sdot(
                sum[i],
                vreinterpretq_s8_u8(veorq_u8(weights[i], vdupq_n_u8(128))),
                four(activations),
            );
    }

    #[inline(always)]
    fn nibbles(self, x: Self::U8) -> (Self::U8, Self::U8) {
        // SAFETY: the token proves that the machine has the instructions; they touch no memory.
        let low = from_fn(|i| unsafe { vandq_u8(x[i], vdupq_n_u8(15)) });
        // SAFETY: as above.
        let high = from_fn(|i| unsafe { vshrq_n_u8::<4>(x[i]) });
        (low, high)
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::F32 {
        // SAFETY: quarter `i` of the array is 16 readable bytes; the load asks for no alignment.
        from_fn(|i| unsafe { vld1q_f32(x.as_ptr().add(4 * i)) })
    }
    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        for (i, part) in x.into_iter().enumerate() {
            // SAFETY: quarter `i` of the array is 16 writable bytes; the store asks for no alignment.
            unsafe { vst1q_f32(to.as_mut_ptr().add(4 * i), part) };
        }
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> Self::F32 {
        // Exponent and fraction moved into place; the multiplication mends the exponent's bias, denormals included.
        from_fn(|i| {
            // SAFETY: quarter `i` of the array is 8 readable bytes; the rest touches no memory.
            unsafe {
                let bits = vmovl_u16(vld1_u16(x.as_ptr().add(4 * i).cast()));
                let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
                let magnitude =
                    vmulq_f32(vreinterpretq_f32_u32(magnitude), vdupq_n_f32(f32::from_bits(0x7780_0000)));
                let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
                vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(magnitude), sign))
            }
        })
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::F32 {
        from_fn(|i| {
            // SAFETY: quarter `i` of the array is 8 readable bytes; the rest touches no memory.
            unsafe {
                let bits = vmovl_u16(vld1_u16(x.as_ptr().add(4 * i).cast()));
                vreinterpretq_f32_u32(vshlq_n_u32::<16>(bits))
            }
        })
    }
    #[inline(always)]
    fn store_i32(self, x: Self::I32, to: &mut [i32; LANES]) {
        for (i, part) in x.into_iter().enumerate() {
            // SAFETY: quarter `i` of the array is 16 writable bytes; the store asks for no alignment.
            unsafe { vst1q_s32(to.as_mut_ptr().add(4 * i), part) };
        }
    }
    #[inline(always)]
    fn bytes(self, x: &[u8; 64]) -> Self::U8 {
        // SAFETY: quarter `i` of the array is 16 readable bytes; the load asks for no alignment.
        from_fn(|i| unsafe { vld1q_u8(x.as_ptr().add(16 * i)) })
    }
    #[inline(always)]
    fn prefetch<T>(self, data: &[T]) {
        for offset in (0..size_of_val(data)).step_by(super::CACHE_LINE) {
            // SAFETY: the address lies inside the slice; a prefetch is a hint and changes nothing.
            unsafe {
                let address = data.as_ptr().byte_add(offset);
                asm!("prfm pldl1keep, [{}]", in(reg) address, options(readonly, nostack, preserves_flags));
            }
        }
    }
}

/// Adds four products to each lane: the `sdot` instruction, whose intrinsic is not stable yet.
///
/// # Safety
/// The machine has `dotprod`.
#[inline(always)]
unsafe fn sdot(sum: int32x4_t, weights: int8x16_t, activations: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: the caller has `dotprod`; the instruction reads and writes the named registers alone.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {weights:v}.16b, {activations:v}.16b",
            sum = inout(vreg) sum,
            weights = in(vreg) weights,
            activations = in(vreg) activations,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// Four activations in every lane.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn four(activations: [i8; 4]) -> int8x16_t {
    // SAFETY: the caller has NEON; no memory is touched.
    unsafe { vreinterpretq_s8_s32(vdupq_n_s32(i32::from_le_bytes(activations.map(|byte| byte as u8)))) }
}
