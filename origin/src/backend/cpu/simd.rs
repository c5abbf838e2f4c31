//! Sixteen lanes at a time: the vector operations that the kernels are written in, and the instruction sets that
//! carry them out.
//!
//! A kernel is written once, generic over [`Simd`], and is compiled for each instruction set; [`Isa::run`] picks the
//! compiled form that the machine has. An implementation of [`Simd`] is a token that exists only where its
//! instructions do, so calling its methods needs no `unsafe`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use half::{bf16, f16};
use std::fmt;

/// Bytes of a cache line.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const CACHE_LINE: usize = 64;

/// Lanes of a vector.
pub(crate) const LANES: usize = 16;

/// A computation that can be compiled for any instruction set. `run`, and all that it does with vectors, must be
/// `#[inline(always)]` and free of closures, so that it is compiled inside the function that enables the instructions.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;
    /// Runs it with the given instructions.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Operations on 16 lanes. Everything but `fma` rounds as IEEE 754 says, so that results agree between instruction
/// sets; `fma` rounds once where the machine has it and twice in the portable form.
pub(crate) trait Simd: Copy + Send + Sync {
    /// 16 × f32.
    type F32: Copy;
    /// 16 × i32.
    type I32: Copy;
    /// 64 × u8: 16 lanes of four weights.
    type U8: Copy;

    /// Rows of activations that a matrix kernel's tile can keep in registers: 8, 4 or 2.
    const TILE_ROWS: usize;

    fn splat(self, x: f32) -> Self::F32;
    fn load(self, x: &[f32; LANES]) -> Self::F32;
    fn store(self, x: Self::F32, to: &mut [f32; LANES]);
    fn load_f16(self, x: &[f16; LANES]) -> Self::F32;
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::F32;
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`.
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn abs(self, a: Self::F32) -> Self::F32;
    /// The nearest integer, ties to even; `a` lies within ±2³⁰.
    fn round(self, a: Self::F32) -> Self::I32;
    fn float(self, a: Self::I32) -> Self::F32;
    /// `2^a` for `a` in -126..=127.
    fn power_of_two(self, a: Self::I32) -> Self::F32;
    fn store_i32(self, x: Self::I32, to: &mut [i32; LANES]);

    /// Bytes of weights: lane `i` holds bytes `4i..4i + 4`.
    fn bytes(self, x: &[u8; 64]) -> Self::U8;
    /// The low and the high halves of each byte.
    fn nibbles(self, x: Self::U8) -> (Self::U8, Self::U8);
    fn zero_i32(self) -> Self::I32;
    /// Adds to each lane the product of its four weights, each 0..=15, with the four activations.
    fn dot_u4(self, sum: Self::I32, weights: Self::U8, activations: [i8; 4]) -> Self::I32;
    /// What a sum of [`Simd::dot_i8`] starts from, given the sum of all the activations it will see.
    fn start_i8(self, activation_sum: i32) -> Self::I32;
    /// Adds to each lane the product of its four weights, stored as `weight + 128`, with the four activations
    /// (-127..=127), up to the term that [`Simd::start_i8`] accounts for.
    fn dot_i8(self, sum: Self::I32, weights: Self::U8, activations: [i8; 4]) -> Self::I32;

    /// Asks for memory that will be read soon.
    fn prefetch<T>(self, data: &[T]);

    /// The sum of all lanes, halving the vector at each step.
    #[inline(always)]
    fn sum(self, a: Self::F32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(a, &mut lanes);
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    }

    /// The greatest lane.
    #[inline(always)]
    fn greatest(self, a: Self::F32) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(a, &mut lanes);
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] = if lanes[i] > lanes[i + half] { lanes[i] } else { lanes[i + half] };
            }
        }
        lanes[0]
    }

    /// `e^a` with a relative error under 2e-7; below -87 it stays at `e^-87`, above 88 at `e^88`.
    ///
    /// `a = n ln 2 + r`, `e^r` by its Taylor polynomial of degree 6 on |r| ≤ ln 2 / 2 (Cody and Waite's reduction).
    #[inline(always)]
    fn exp(self, a: Self::F32) -> Self::F32 {
        let a = self.min(self.max(a, self.splat(-87.0)), self.splat(88.0));
        let n = self.round(self.mul(a, self.splat(std::f32::consts::LOG2_E)));
        let whole = self.float(n);
        let r = self.fma(whole, self.splat(-0.693_359_4), a);
        let r = self.fma(whole, self.splat(2.121_944_4e-4), r);
        let mut y = self.splat(1.0 / 720.0);
        for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            y = self.fma(y, r, self.splat(coefficient));
        }
        self.mul(y, self.power_of_two(n))
    }
}

/// An instruction set that this machine has.
#[derive(Clone, Copy)]
pub(crate) enum Isa {
    Portable(portable::Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(avx2::AvxVnni),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
}

impl Isa {
    /// Every instruction set of this machine, the plainest first.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable(portable::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(avx2::Avx2::detect().map(Self::Avx2));
            all.extend(avx2::AvxVnni::detect().map(Self::AvxVnni));
            all.extend(avx512::Avx512::detect().map(Self::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(neon::Neon::detect().map(Self::Neon));
        all
    }

    /// The fastest instruction set of this machine.
    pub(crate) fn best() -> Self {
        Self::all().pop().unwrap_or(Self::Portable(portable::Portable))
    }

    /// Runs the kernel's form for this instruction set.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable(simd) => kernel.run(simd),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorise(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(simd) => simd.vectorise(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.vectorise(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => simd.vectorise(kernel),
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(_) => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon-dotprod",
        })
    }
}
