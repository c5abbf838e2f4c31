//! Keys and values of all layers on the device; `origin/kernels/cache.cuh` has the layout.

use super::driver::{Driver, DriverError};
use super::weights::DeviceVector;
use crate::backend::batch::BLOCK_TOKENS;
use crate::backend::rope::RopeTable;
use crate::backend::{BackendError, CacheShape};

/// Widths of a head that attention is compiled for.
const HEAD_DIMS: [usize; 6] = [32, 64, 80, 96, 128, 256];
/// Of heads wider than this a warp sums only some columns: the sums of all have no room in its registers.
const WARP_HEAD_DIM_MAX: usize = 128;
/// How many of them it sums, as in `origin/kernels/attend.cu`.
const SLICE_COLUMNS: usize = 64;

/// Warps that share a head's columns in attention.
pub(crate) fn slices(head_dim: usize) -> usize {
    if head_dim > WARP_HEAD_DIM_MAX { head_dim / SLICE_COLUMNS } else { 1 }
}

/// The paged cache.
pub(crate) struct Cache<D: Driver> {
    pub(crate) shape: CacheShape,
    /// `(positions, head_dim / 2)` each.
    pub(crate) cosines: DeviceVector<D>,
    pub(crate) sines: DeviceVector<D>,
    layers: Vec<[D::Memory; 2]>,
}

impl<D: Driver> Cache<D> {
    /// A cache of zeros: what a block holds past the end of its sequence is multiplied by 0, and must be finite for that.
    pub(crate) fn new(driver: &D, shape: CacheShape) -> Result<Self, BackendError> {
        if !HEAD_DIMS.contains(&shape.head_dim) {
            let (what, value) = ("the width of a head", shape.head_dim);
            return Err(BackendError::Choice { what, value, choices: &HEAD_DIMS });
        }
        let table = RopeTable::new(&shape.rope, shape.head_dim, shape.context_max)?;
        let cosines = DeviceVector::new(driver, &table.cosines)?;
        let sines = DeviceVector::new(driver, &table.sines)?;
        let bytes = shape.blocks * block_bytes(&shape);
        let zeros = || -> Result<_, DriverError> {
            let memory = driver.allocate(bytes)?;
            driver.clear(&memory)?;
            Ok(memory)
        };
        let layer = |_| Ok([zeros()?, zeros()?]);
        let layers = (0..shape.layers).map(layer).collect::<Result<_, DriverError>>()?;
        Ok(Self { shape, cosines, sines, layers })
    }

    /// Where a layer's keys and values are.
    pub(crate) fn layer(&self, layer: usize) -> [u64; 2] {
        self.layers[layer].each_ref().map(D::address)
    }

    /// Puts keys and values in the place of a layer's.
    pub(crate) fn replace(&mut self, layer: usize, memory: [D::Memory; 2]) {
        self.layers[layer] = memory;
    }

    /// A layer's keys and values.
    pub(crate) fn memory(&self, layer: usize) -> &[D::Memory; 2] {
        &self.layers[layer]
    }

    /// Copies a block in every layer.
    pub(crate) fn copy_block(&mut self, driver: &D, from: u32, to: u32) -> Result<(), DriverError> {
        let bytes = block_bytes(&self.shape);
        self.layers
            .iter()
            .flatten()
            .try_for_each(|memory| driver.copy(memory, from as usize * bytes, to as usize * bytes, bytes))
    }
}

/// One block's keys or values in one layer.
fn block_bytes(shape: &CacheShape) -> usize {
    shape.kv_heads * BLOCK_TOKENS * shape.head_dim * size_of::<half::f16>()
}
