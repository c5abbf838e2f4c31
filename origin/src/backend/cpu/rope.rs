//! Queries and keys made ready: biases, norms over heads, rotary position embedding.

use super::Cpu;
use super::norm::norm_head;
use super::simd::{Kernel, LANES, Simd};
use crate::backend::rope::RopeTable;
use crate::backend::{AttentionWeights, CacheShape};

/// Rotates one head, `(head_dim)`, to its position and multiplies it by `scale`.
#[inline(always)]
fn rotate<S: Simd>(simd: S, table: &RopeTable, position: usize, scale: f32, head: &mut [f32]) {
    let (first, second) = head.split_at_mut(table.half);
    let cosines = &table.cosines[position * table.half..][..table.half];
    let sines = &table.sines[position * table.half..][..table.half];
    let scale = simd.splat(scale);
    let (cosines, cosine_rest) = cosines.as_chunks::<LANES>();
    let (sines, sine_rest) = sines.as_chunks::<LANES>();
    let (firsts, first_rest) = first.as_chunks_mut::<LANES>();
    let (seconds, second_rest) = second.as_chunks_mut::<LANES>();
    for (((a, b), cosine), sine) in firsts.iter_mut().zip(seconds).zip(cosines).zip(sines) {
        rotate_lanes(simd, a, b, cosine, sine, scale);
    }
    if !first_rest.is_empty() {
        let n = first_rest.len();
        let mut lanes = [[0.0; LANES]; 4];
        let [a, b, cosine, sine] = &mut lanes;
        a[..n].copy_from_slice(first_rest);
        b[..n].copy_from_slice(second_rest);
        cosine[..n].copy_from_slice(cosine_rest);
        sine[..n].copy_from_slice(sine_rest);
        rotate_lanes(simd, a, b, cosine, sine, scale);
        first_rest.copy_from_slice(&a[..n]);
        second_rest.copy_from_slice(&b[..n]);
    }
}

/// `(a, b) = scale * (a cos - b sin, b cos + a sin)`.
#[inline(always)]
fn rotate_lanes<S: Simd>(
    simd: S,
    a: &mut [f32; LANES],
    b: &mut [f32; LANES],
    cosine: &[f32; LANES],
    sine: &[f32; LANES],
    scale: S::F32,
) {
    let (x, y) = (simd.mul(simd.load(a), scale), simd.mul(simd.load(b), scale));
    let (cosine, sine) = (simd.load(cosine), simd.load(sine));
    simd.store(simd.sub(simd.mul(x, cosine), simd.mul(y, sine)), a);
    simd.store(simd.add(simd.mul(y, cosine), simd.mul(x, sine)), b);
}

/// One row's queries and keys made ready: biases, head norms, rotation; queries scaled for attention.
pub(crate) struct Rotate<'a> {
    pub(crate) weights: &'a AttentionWeights<Cpu>,
    pub(crate) shape: &'a CacheShape,
    pub(crate) rope: &'a RopeTable,
    pub(crate) position: usize,
    pub(crate) qkv: &'a mut [f32],
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let CacheShape { heads, kv_heads, head_dim, .. } = *self.shape;
        if let Some(bias) = &self.weights.bias {
            for (value, bias) in self.qkv.iter_mut().zip(bias.iter().flatten()) {
                *value += bias;
            }
        }
        let rotated = &mut self.qkv[..(heads + kv_heads) * head_dim];
        for (index, head) in rotated.chunks_exact_mut(head_dim).enumerate() {
            let is_query = index < heads;
            if let Some(norms) = &self.weights.head_norms {
                let norm = &norms[usize::from(!is_query)];
                norm_head(simd, &norm.weight, norm.epsilon, head);
            }
            let scale = if is_query { 1.0 / (head_dim as f32).sqrt() } else { 1.0 };
            rotate(simd, self.rope, self.position, scale, head);
        }
    }
}
