//! AVX-512 with VNNI: one register is sixteen lanes (Intel since Ice Lake, AMD since Zen 4).
#![expect(unsafe_code, reason = "vector instructions of one processor family")]

use super::{Kernel, LANES, Simd};
use half::{bf16, f16};
use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256, _mm512_abs_ps, _mm512_add_epi32,
    _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtph_ps, _mm512_cvtps_epi32, _mm512_div_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_reduce_max_ps,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_srli_epi16, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
};

/// Exists only where the machine has AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The token, if the machine has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        let all = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        (all && has!("avx512vnni") && has!("f16c") && has!("fma")).then_some(Self(()))
    }

    /// Runs a kernel compiled for these instructions.
    pub(crate) fn vectorise<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,f16c,fma")]
        fn inside<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
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

impl Simd for Avx512 {
    type F32 = __m512;
    type I32 = __m512i;
    type U8 = __m512i;

    const TILE_ROWS: usize = 8;

    registers! {
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        abs(a: __m512) -> __m512 = _mm512_abs_ps(a);
        round(a: __m512) -> __m512i = _mm512_cvtps_epi32(a);
        float(a: __m512i) -> __m512 = _mm512_cvtepi32_ps(a);
        power_of_two(a: __m512i) -> __m512 =
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(a, _mm512_set1_epi32(127))));
        nibbles(x: __m512i) -> (__m512i, __m512i) = {
            let low = _mm512_set1_epi8(15);
            (_mm512_and_si512(x, low), _mm512_and_si512(_mm512_srli_epi16::<4>(x), low))
        };
        zero_i32() -> __m512i = _mm512_setzero_si512();
        dot_u4(sum: __m512i, weights: __m512i, activations: [i8; 4]) -> __m512i =
            _mm512_dpbusd_epi32(sum, weights, _mm512_set1_epi32(quad(activations)));
        start_i8(activation_sum: i32) -> __m512i = _mm512_set1_epi32(-128 * activation_sum);
        dot_i8(sum: __m512i, weights: __m512i, activations: [i8; 4]) -> __m512i =
            _mm512_dpbusd_epi32(sum, weights, _mm512_set1_epi32(quad(activations)));
        greatest(a: __m512) -> f32 = _mm512_reduce_max_ps(a);
    }

    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> __m512 {
        // SAFETY: the array is 64 readable bytes; the load asks for no alignment.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        // SAFETY: the array is 64 writable bytes; the store asks for no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> __m512 {
        // SAFETY: the array is 32 readable bytes; the load asks for no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> __m512 {
        // SAFETY: the array is 32 readable bytes; the load asks for no alignment.
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(x.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        }
    }
    #[inline(always)]
    fn store_i32(self, x: __m512i, to: &mut [i32; LANES]) {
        // SAFETY: the array is 64 writable bytes; the store asks for no alignment.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), x) }
    }
    #[inline(always)]
    fn bytes(self, x: &[u8; 64]) -> __m512i {
        // SAFETY: the array is 64 readable bytes; the load asks for no alignment.
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn prefetch<T>(self, data: &[T]) {
        for offset in (0..size_of_val(data)).step_by(super::CACHE_LINE) {
            // SAFETY: the address lies inside the slice; a prefetch reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(data.as_ptr().byte_add(offset).cast()) };
        }
    }
}

/// Four activations as the 32 bits that the instruction takes, the first lowest.
#[inline(always)]
fn quad(activations: [i8; 4]) -> i32 {
    i32::from_le_bytes(activations.map(|byte| byte as u8))
}
