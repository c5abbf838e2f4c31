//! The launches of attention: from the projections through the cache to what the output's product multiplies.

use super::Cuda;
use super::arguments::Arguments;
use super::cache::{Cache, slices};
use super::driver::{Driver, DriverError, Shape};
use super::weights::{DeviceVector, Operand};
use crate::backend::{AttentionWeights, CacheShape};

/// Threads of each kernel's blocks.
const ROTATE_THREADS: usize = 128;
const ATTEND_THREADS: usize = 32;

impl<D: Driver> Cuda<D> {
    /// Attention of every row's queries over its sequence's cached keys and values, this step's included, rounded for the
    /// output's product.
    pub(super) fn attend(
        &mut self,
        weights: &AttentionWeights<Self>,
        cache: &Cache<D>,
        layer: usize,
    ) -> Result<(), DriverError> {
        let CacheShape { heads, kv_heads, head_dim, .. } = cache.shape;
        let slices = slices(head_dim);
        // Where every sequence has one row and one tile, the warp that attends to a row writes its key and value too.
        let remembers = self.plan.tiles().are_rows && slices == 1;
        if !remembers {
            self.rotate(weights, cache, layer)?;
        }
        let bytes = self.plan.rows() * heads * head_dim * Operand::BYTES;
        let output = D::address(self.scratch.attended.hold(&self.driver, bytes)?);
        let (tables, tiles) = (self.plan.lists(), self.plan.tiles());
        let [whole_at, split_at] = self.plan.tile_addresses();
        let [keys, values] = cache.layer(layer);
        let launch = |tiles_at, [parts, arrivals]: [u64; 2], vectors, grid| {
            let arguments = projections(self.scratch.qkv.address(), weights, cache);
            let addresses = [keys, values, tables, tiles_at, output];
            let arguments = addresses.into_iter().fold(arguments, Arguments::pointer);
            let arguments = arguments.int(usize::from(weights.output.operand() == Operand::Bf16));
            let arguments = arguments.pointer(parts).int(vectors).pointer(arrivals);
            let arguments = arguments.int(usize::from(remembers));
            self.driver.launch(&format!("attend_{head_dim}"), Shape::new(grid, ATTEND_THREADS), &arguments)
        };
        if tiles.whole > 0 {
            launch(whole_at, [0, 0], 0, [tiles.whole, kv_heads * slices, 1])?;
        }
        let (split, splits, vectors) = (tiles.split, tiles.splits, tiles.vectors);
        if split > 0 {
            let floats = split * kv_heads * splits * vectors * (head_dim + 2 * slices);
            let parts = D::address(self.scratch.parts.hold(&self.driver, floats * size_of::<f32>())?);
            let counters = split * kv_heads * slices;
            let arrivals = self.scratch.arrivals.hold(&self.driver, counters * size_of::<u32>())?;
            launch(split_at, [parts, D::address(arrivals)], vectors, [split, kv_heads * slices, splits])?;
        }
        Ok(())
    }

    /// The way of every row's keys and values into the cache.
    pub(super) fn rotate(
        &self,
        weights: &AttentionWeights<Self>,
        cache: &Cache<D>,
        layer: usize,
    ) -> Result<(), DriverError> {
        let [keys, values] = cache.layer(layer);
        let arguments = projections(self.scratch.qkv.address(), weights, cache);
        let addresses = [self.plan.positions(), self.plan.slots(), keys, values];
        let arguments = addresses.into_iter().fold(arguments, Arguments::pointer).int(cache.shape.head_dim);
        self.driver.launch("rotate", Shape::new([self.plan.rows(), 1, 1], ROTATE_THREADS), &arguments)
    }
}

/// The first arguments of both kernels: the projections, and what makes their heads ready.
fn projections<D: Driver>(qkv: u64, weights: &AttentionWeights<Cuda<D>>, cache: &Cache<D>) -> Arguments {
    let biases = weights.bias.as_ref().map_or([0; 3], |biases| biases.each_ref().map(DeviceVector::address));
    let norm = |index: usize| {
        let norms = weights.head_norms.as_ref();
        norms.map_or((0, 0.0), |norms| (norms[index].weight.address(), norms[index].epsilon))
    };
    let [(query_norm, query_epsilon), (key_norm, key_epsilon)] = [norm(0), norm(1)];
    let arguments = biases.into_iter().fold(Arguments::new().pointer(qkv), Arguments::pointer);
    let arguments = arguments.pointer(query_norm).pointer(key_norm).float(query_epsilon).float(key_epsilon);
    let arguments = arguments.pointer(cache.cosines.address()).pointer(cache.sines.address());
    arguments.int(cache.shape.heads).int(cache.shape.kv_heads)
}
