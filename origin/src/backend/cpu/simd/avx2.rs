//! AVX2 with FMA: two registers are sixteen lanes; with AVX-VNNI the byte dot products take one instruction.
#![expect(unsafe_code, reason = "vector instructions of one processor family")]
#![expect(clippy::cast_ptr_alignment, reason = "the loads ask for no alignment")]

use super::{Kernel, LANES, Simd};
use half::{bf16, f16};
use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::{
    __m128i, __m256, __m256i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_abs_epi8, _mm256_add_epi32,
    _mm256_add_ps, _mm256_and_si256, _mm256_andnot_ps, _mm256_castsi256_ps, _mm256_cvtepi32_ps,
    _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_epi32, _mm256_div_ps, _mm256_dpbusd_avx_epi32,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_slli_epi32, _mm256_srli_epi16,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps, _mm256_xor_si256,
};

/// Exists only where the machine has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Exists only where the machine has AVX-VNNI beside [`Avx2`] (Intel since Alder Lake, AMD since Zen 5).
#[derive(Clone, Copy)]
pub(crate) struct AvxVnni(());

impl Avx2 {
    /// The token, if the machine has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        (has!("avx2") && has!("fma") && has!("f16c")).then_some(Self(()))
    }

    /// Runs a kernel compiled for these instructions.
    pub(crate) fn vectorise<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn inside<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: the token exists, so `detect` found the features that `inside` enables.
        unsafe { inside(self, kernel) }
    }
}

impl AvxVnni {
    /// The token, if the machine has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        Avx2::detect()?;
        has!("avxvnni").then_some(Self(()))
    }

    /// Runs a kernel compiled for these instructions.
    pub(crate) fn vectorise<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        fn inside<K: Kernel>(simd: AvxVnni, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: the token exists, so `detect` found the features that `inside` enables.
        unsafe { inside(self, kernel) }
    }
}

/// One instruction, or a few, on registers alone.
macro_rules! registers {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($argument: $type),*) -> $output {
            // SAFETY: the token proves that the machine has the instructions; they touch no memory.
            unsafe { $body }
        }
    )*};
}

/// What both tokens do alike.
macro_rules! shared_operations {
    () => {
        type F32 = [__m256; 2];
        type I32 = [__m256i; 2];
        type U8 = [__m256i; 2];

        const TILE_ROWS: usize = 4;

        registers! {
            splat(x: f32) -> [__m256; 2] = [_mm256_set1_ps(x); 2];
            add(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] =
                [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])];
            sub(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] =
                [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])];
            mul(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] =
                [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])];
            div(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] =
                [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])];
            fma(a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] =
                [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])];
            max(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] =
                [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])];
            min(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] =
                [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])];
            abs(a: [__m256; 2]) -> [__m256; 2] = {
                let sign = _mm256_set1_ps(-0.0);
                [_mm256_andnot_ps(sign, a[0]), _mm256_andnot_ps(sign, a[1])]
            };
            round(a: [__m256; 2]) -> [__m256i; 2] = [_mm256_cvtps_epi32(a[0]), _mm256_cvtps_epi32(a[1])];
            float(a: [__m256i; 2]) -> [__m256; 2] = [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])];
            power_of_two(a: [__m256i; 2]) -> [__m256; 2] = {
                let bias = _mm256_set1_epi32(127);
                [
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(a[0], bias))),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(a[1], bias))),
                ]
            };
            nibbles(x: [__m256i; 2]) -> ([__m256i; 2], [__m256i; 2]) = {
                let low = _mm256_set1_epi8(15);
                (
                    [_mm256_and_si256(x[0], low), _mm256_and_si256(x[1], low)],
                    [
                        _mm256_and_si256(_mm256_srli_epi16::<4>(x[0]), low),
                        _mm256_and_si256(_mm256_srli_epi16::<4>(x[1]), low),
                    ],
                )
            };
            zero_i32() -> [__m256i; 2] = [_mm256_setzero_si256(); 2];
        }

        #[inline(always)]
        fn load(self, x: &[f32; LANES]) -> [__m256; 2] {
            // SAFETY: the array is 64 readable bytes; the loads ask for no alignment.
            unsafe { [_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x.as_ptr().add(8))] }
        }
        #[inline(always)]
        fn store(self, x: [__m256; 2], to: &mut [f32; LANES]) {
            // SAFETY: the array is 64 writable bytes; the stores ask for no alignment.
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), x[0]);
                _mm256_storeu_ps(to.as_mut_ptr().add(8), x[1]);
            }
        }
        #[inline(always)]
        fn load_f16(self, x: &[f16; LANES]) -> [__m256; 2] {
            // SAFETY: the array is 32 readable bytes; the loads ask for no alignment.
            unsafe {
                let half = x.as_ptr().cast::<__m128i>();
                [_mm256_cvtph_ps(_mm_loadu_si128(half)), _mm256_cvtph_ps(_mm_loadu_si128(half.add(1)))]
            }
        }
        #[inline(always)]
        fn load_bf16(self, x: &[bf16; LANES]) -> [__m256; 2] {
            // SAFETY: the array is 32 readable bytes; the loads ask for no alignment.
            unsafe {
                let half = x.as_ptr().cast::<__m128i>();
                let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(half));
                let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(half.add(1)));
                [
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high)),
                ]
            }
        }
        #[inline(always)]
        fn store_i32(self, x: [__m256i; 2], to: &mut [i32; LANES]) {
            // SAFETY: the array is 64 writable bytes; the stores ask for no alignment.
            unsafe {
                _mm256_storeu_si256(to.as_mut_ptr().cast(), x[0]);
                _mm256_storeu_si256(to.as_mut_ptr().add(8).cast(), x[1]);
            }
        }
        #[inline(always)]
        fn bytes(self, x: &[u8; 64]) -> [__m256i; 2] {
            // SAFETY: the array is 64 readable bytes; the loads ask for no alignment.
            unsafe {
                let half = x.as_ptr().cast::<__m256i>();
                [_mm256_loadu_si256(half), _mm256_loadu_si256(half.add(1))]
            }
        }
        #[inline(always)]
        fn prefetch<T>(self, data: &[T]) {
            for offset in (0..size_of_val(data)).step_by(super::CACHE_LINE) {
                // SAFETY: the address lies inside the slice; a prefetch reads nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(data.as_ptr().byte_add(offset).cast()) };
            }
        }
    };
}

impl Simd for Avx2 {
    shared_operations!();

    registers! {
        dot_u4(sum: [__m256i; 2], weights: [__m256i; 2], activations: [i8; 4]) -> [__m256i; 2] = {
            let activations = _mm256_set1_epi32(quad(activations));
            [
                pairs(sum[0], _mm256_maddubs_epi16(weights[0], activations)),
                pairs(sum[1], _mm256_maddubs_epi16(weights[1], activations)),
            ]
        };
        start_i8(_activation_sum: i32) -> [__m256i; 2] = [_mm256_setzero_si256(); 2];
        // A pair of products of biased weights would not fit into 16 bits: the weight's sign moves to the activation.
        dot_i8(sum: [__m256i; 2], weights: [__m256i; 2], activations: [i8; 4]) -> [__m256i; 2] = {
            let activations = _mm256_set1_epi32(quad(activations));
            [signed(sum[0], weights[0], activations), signed(sum[1], weights[1], activations)]
        };
    }
}

impl Simd for AvxVnni {
    shared_operations!();

    registers! {
        dot_u4(sum: [__m256i; 2], weights: [__m256i; 2], activations: [i8; 4]) -> [__m256i; 2] = {
            let activations = _mm256_set1_epi32(quad(activations));
            [
                _mm256_dpbusd_avx_epi32(sum[0], weights[0], activations),
                _mm256_dpbusd_avx_epi32(sum[1], weights[1], activations),
            ]
        };
        start_i8(activation_sum: i32) -> [__m256i; 2] = [_mm256_set1_epi32(-128 * activation_sum); 2];
    }

    #[inline(always)]
    fn dot_i8(self, sum: [__m256i; 2], weights: [__m256i; 2], activations: [i8; 4]) -> [__m256i; 2] {
        self.dot_u4(sum, weights, activations)
    }
}

/// Adds neighbouring 16-bit products, two to each 32-bit lane, to the sum.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn pairs(sum: __m256i, products: __m256i) -> __m256i {
    // SAFETY: the caller has AVX2; no memory is touched.
    unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1))) }
}

/// Adds the products of weights stored as `weight + 128` with activations to the sum. Two products of at most
/// 128 × 127 fit into 16 bits.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn signed(sum: __m256i, biased: __m256i, activations: __m256i) -> __m256i {
    // SAFETY: the caller has AVX2; no memory is touched.
    unsafe {
        let weights = _mm256_xor_si256(biased, _mm256_set1_epi8(-128));
        let products = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(activations, weights));
        pairs(sum, products)
    }
}

/// Four activations as the 32 bits that the instruction takes, the first lowest.
#[inline(always)]
fn quad(activations: [i8; 4]) -> i32 {
    i32::from_le_bytes(activations.map(|byte| byte as u8))
}
