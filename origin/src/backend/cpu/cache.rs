//! Keys and values of all layers, in blocks of 16 tokens, half precision.

use super::grid::{Grid, fill_rows};
use super::plan::Plan;
use super::pool::Pool;
use super::simd::LANES;
use crate::backend::batch::BLOCK_TOKENS;
use crate::backend::rope::RopeTable;
use crate::backend::{BackendError, CacheShape};
use half::f16;

/// The CPU's KV cache.
#[derive(Debug)]
pub struct Cache {
    pub(crate) shape: CacheShape,
    pub(crate) rope: RopeTable,
    pub(crate) layers: Vec<LayerCache>,
}

/// The bits of an [`f16`]. Rows of plain integers come zeroed from the system, so that blocks take up no memory before
/// their first use.
pub(crate) type HalfBits = u16;

/// One layer's keys and values; a row for each head, and in it `head_dim` vectors for each block.
#[derive(Debug)]
pub(crate) struct LayerCache {
    /// `(kv_heads, blocks, head_dim)` of 16 tokens: element `d` of 16 keys side by side, so that one vector operation
    /// multiplies a query's element with 16 keys.
    pub(crate) keys: Grid<[HalfBits; LANES]>,
    /// `(kv_heads, blocks, head_dim / 16, 16 tokens)` of 16 elements.
    pub(crate) values: Grid<[HalfBits; LANES]>,
}

impl Cache {
    /// An empty cache.
    pub(crate) fn new(shape: CacheShape) -> Result<Self, BackendError> {
        let rope = RopeTable::new(&shape.rope, shape.head_dim, shape.context_max)?;
        let width = shape.blocks * shape.head_dim;
        let grid = || Grid::new(shape.kv_heads, width);
        let layers = (0..shape.layers).map(|_| LayerCache { keys: grid(), values: grid() }).collect();
        Ok(Self { shape, rope, layers })
    }

    /// Copies a block in every layer and head.
    pub(crate) fn copy_block(&mut self, from: u32, to: u32) {
        let size = self.shape.head_dim;
        let (from, to) = (from as usize * size, to as usize * size);
        for layer in &mut self.layers {
            for head in 0..self.shape.kv_heads {
                layer.keys.row_mut(head).copy_within(from..from + size, to);
                layer.values.row_mut(head).copy_within(from..from + size, to);
            }
        }
    }

    /// Writes the keys and values of a step's rows; row `r` of `qkv` holds queries, keys and values side by side.
    pub(crate) fn write(
        &mut self,
        pool: &mut Pool,
        parts: usize,
        layer: usize,
        plan: &Plan,
        qkv: &Grid<f32>,
    ) {
        let CacheShape { heads, kv_heads, head_dim, .. } = self.shape;
        let LayerCache { keys, values } = &mut self.layers[layer];
        fill_rows(pool, parts, keys, values, |head, keys, values| {
            for row in 0..plan.rows() {
                let inputs = qkv.row(row);
                let (block, slot) = plan.slot(row);
                let block = block as usize * head_dim..(block as usize + 1) * head_dim;
                let key = &inputs[(heads + head) * head_dim..][..head_dim];
                for (to, &element) in keys[block.clone()].iter_mut().zip(key) {
                    to[slot] = finite(element);
                }
                let value = &inputs[(heads + kv_heads + head) * head_dim..][..head_dim];
                let chunks = values[block].chunks_exact_mut(BLOCK_TOKENS);
                for (chunk, elements) in chunks.zip(value.as_chunks::<LANES>().0) {
                    chunk[slot] = elements.map(finite);
                }
            }
        });
    }
}

/// In half precision; beyond its range the nearest finite value, since an infinity here would spoil every later use
/// of the block, masked or not.
fn finite(x: f32) -> HalfBits {
    f16::from_f32(x.clamp(-65504.0, 65504.0)).to_bits()
}
