//! Powers of e, for the sampler.

use super::simd::{Kernel, LANES, Simd};

/// The vector pass of the sampler: `to = exp((x - shift) * scale)`.
pub(crate) struct Exponentials<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) shift: f32,
    pub(crate) scale: f32,
    pub(crate) to: &'a mut [f32],
}

impl Kernel for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (shift, scale) = (simd.splat(self.shift), simd.splat(self.scale));
        let (chunks, rest) = self.x.as_chunks::<LANES>();
        let (outputs, output_rest) = self.to.as_chunks_mut::<LANES>();
        for (chunk, output) in chunks.iter().zip(outputs) {
            simd.store(simd.exp(simd.mul(simd.sub(simd.load(chunk), shift), scale)), output);
        }
        if !rest.is_empty() {
            let mut lanes = [self.shift; LANES];
            lanes[..rest.len()].copy_from_slice(rest);
            let powers = simd.exp(simd.mul(simd.sub(simd.load(&lanes), shift), scale));
            simd.store(powers, &mut lanes);
            output_rest.copy_from_slice(&lanes[..output_rest.len()]);
        }
    }
}
