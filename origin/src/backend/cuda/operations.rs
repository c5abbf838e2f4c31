//! The launches that the backend's operations are made of.

use super::Cuda;
use super::arguments::Arguments;
use super::cache::Cache;
use super::driver::{Driver, DriverError, Shape};
use super::room::Buffer;
use super::weights::{DeviceMatrix, DeviceVector, Operand};
use crate::backend::{AttentionInput, CacheShape, Norm};

/// Threads of each kernel's blocks.
const EMBED_THREADS: usize = 128;
const NORMALISE_THREADS: usize = 256;
const ROTATE_THREADS: usize = 128;
const ATTEND_THREADS: usize = 32;
const COMBINE_THREADS: usize = 128;

/// A kernel for products with some number of rows: how it cuts its output into blocks.
#[derive(Debug)]
pub(super) struct ProductKernel {
    /// The file it is from, the first part of its name.
    pub(super) kind: &'static str,
    /// Rows of a block, which its name ends with; it is chosen for up to as many.
    rows: usize,
    outputs: usize,
    threads: usize,
}

pub(super) const PRODUCT_KERNELS: [ProductKernel; 3] = [
    ProductKernel { kind: "few", rows: 8, outputs: 16, threads: 256 },
    ProductKernel { kind: "few", rows: 32, outputs: 16, threads: 256 },
    ProductKernel { kind: "many", rows: 64, outputs: 64, threads: 128 },
];

/// What becomes of a product; the numbers are those of `origin/kernels/product.cuh`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    Store = 0,
    Add = 1,
    Gate = 2,
}

/// A product's part of the output's rows.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Address of the first output of the first row.
    pub(super) address: u64,
    /// Outputs of a whole row.
    pub(super) stride: usize,
    pub(super) then: Then,
}

impl<D: Driver> Cuda<D> {
    /// The table's rows for the step's tokens.
    pub(super) fn look_up(&self, table: &DeviceMatrix<D>, to: u64) -> Result<(), DriverError> {
        let [data, scales] = table.addresses();
        let addresses = [data, scales, self.plan.tokens(), to];
        let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(table.cols);
        let kernel = format!("embed_{}", table.format.suffix());
        self.driver.launch(&kernel, Shape::new([self.plan.rows(), 1, 1], EMBED_THREADS), &arguments)
    }

    /// Normalises rows of the stream into the operand: all, or those listed at an address.
    pub(super) fn normalise(
        &mut self,
        stream: &Buffer<D>,
        rows: usize,
        listed: u64,
        norm: &Norm<DeviceVector<D>>,
        operand: Operand,
    ) -> Result<(), DriverError> {
        let to = self.operand.hold(&self.driver, rows * stream.width * 2)?;
        let arguments = Arguments::new()
            .pointer(stream.address())
            .pointer(listed)
            .pointer(norm.weight.address())
            .pointer(D::address(to))
            .int(stream.width)
            .float(norm.epsilon);
        let kernel = format!("normalise_{}", operand.suffix());
        self.driver.launch(&kernel, Shape::new([rows, 1, 1], NORMALISE_THREADS), &arguments)
    }

    /// Rounds rows into the operand.
    pub(super) fn narrow(&mut self, input: &Buffer<D>, operand: Operand) -> Result<(), DriverError> {
        let count = input.rows * input.width;
        let to = self.operand.hold(&self.driver, count * 2)?;
        let arguments = Arguments::new().pointer(input.address()).pointer(D::address(to)).int(count);
        let kernel = format!("narrow_{}", operand.suffix());
        let blocks = count.div_ceil(NORMALISE_THREADS);
        self.driver.launch(&kernel, Shape::new([blocks, 1, 1], NORMALISE_THREADS), &arguments)
    }

    /// The product of a matrix with the operand's rows.
    pub(super) fn multiply(
        &self,
        matrix: &DeviceMatrix<D>,
        rows: usize,
        part: Part,
    ) -> Result<(), DriverError> {
        let last = &PRODUCT_KERNELS[PRODUCT_KERNELS.len() - 1];
        let kernel = PRODUCT_KERNELS.iter().find(|kernel| rows <= kernel.rows).unwrap_or(last);
        self.multiply_by(kernel, matrix, rows, part)
    }

    /// The same by a kernel that is named; whichever it is, the result has the same bits.
    pub(super) fn multiply_by(
        &self,
        kernel: &ProductKernel,
        matrix: &DeviceMatrix<D>,
        rows: usize,
        part: Part,
    ) -> Result<(), DriverError> {
        let [data, scales] = matrix.addresses();
        let arguments = Arguments::new()
            .pointer(data)
            .pointer(scales)
            .pointer(self.operand.address())
            .pointer(part.address)
            .int(rows)
            .int(matrix.cols)
            .int(matrix.rows)
            .int(part.stride)
            .int(part.then as usize);
        let grid = [matrix.rows.div_ceil(kernel.outputs), rows.div_ceil(kernel.rows), 1];
        let name = format!("product_{}_{}_{}", kernel.kind, matrix.format.suffix(), kernel.rows);
        self.driver.launch(&name, Shape::new(grid, kernel.threads), &arguments)
    }

    /// The products of several matrices with the same normalised rows; matrices of different formats may take them in
    /// different types.
    pub(super) fn multiply_normalised<'a>(
        &mut self,
        stream: &Buffer<D>,
        norm: &Norm<DeviceVector<D>>,
        products: impl IntoIterator<Item = (&'a DeviceMatrix<D>, Part)>,
    ) -> Result<(), DriverError>
    where
        D: 'a,
    {
        let rows = self.plan.rows();
        let mut operand = None;
        for (matrix, part) in products {
            if operand != Some(matrix.operand()) {
                self.normalise(stream, rows, 0, norm, matrix.operand())?;
                operand = Some(matrix.operand());
            }
            self.multiply(matrix, rows, part)?;
        }
        Ok(())
    }

    /// Biases, head norms, rotation, and the way of keys and values into the cache.
    pub(super) fn rotate(
        &self,
        qkv: &Buffer<D>,
        weights: &AttentionInput<Self>,
        cache: &Cache<D>,
        layer: usize,
    ) -> Result<(), DriverError> {
        let biases =
            weights.bias.as_ref().map_or([0; 3], |biases| biases.each_ref().map(DeviceVector::address));
        let norms = weights.head_norms.as_ref();
        let norm = |index: usize| {
            norms.map_or((0, 0.0), |norms| (norms[index].weight.address(), norms[index].epsilon))
        };
        let [(query_norm, query_epsilon), (key_norm, key_epsilon)] = [norm(0), norm(1)];
        let arguments = biases.into_iter().fold(Arguments::new().pointer(qkv.address()), Arguments::pointer);
        let arguments =
            arguments.pointer(query_norm).pointer(key_norm).float(query_epsilon).float(key_epsilon);
        let [keys, values] = cache.layer(layer);
        let tables =
            [cache.cosines.address(), cache.sines.address(), self.plan.positions(), self.plan.slots()];
        let arguments = tables.into_iter().chain([keys, values]).fold(arguments, Arguments::pointer);
        let shape = &cache.shape;
        let arguments = arguments.int(shape.heads).int(shape.kv_heads).int(shape.head_dim);
        self.driver.launch("rotate", Shape::new([self.plan.rows(), 1, 1], ROTATE_THREADS), &arguments)
    }

    /// Attention of every row over its sequence's cached keys and values.
    pub(super) fn attend(
        &mut self,
        qkv: &Buffer<D>,
        cache: &Cache<D>,
        layer: usize,
        output: u64,
    ) -> Result<(), DriverError> {
        let CacheShape { heads, kv_heads, head_dim, .. } = cache.shape;
        let (tables, tiles) = (self.plan.lists(), self.plan.tiles());
        let [whole_at, split_at] = self.plan.tile_addresses();
        let [keys, values] = cache.layer(layer);
        let launch = |tiles_at, parts: u64, vectors, grid| {
            let addresses = [qkv.address(), keys, values, tables, tiles_at, output, parts];
            let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer);
            let arguments = arguments.int(vectors).int(heads).int(kv_heads);
            self.driver.launch(&format!("attend_{head_dim}"), Shape::new(grid, ATTEND_THREADS), &arguments)
        };
        if tiles.whole > 0 {
            launch(whole_at, 0, 0, [tiles.whole, kv_heads, 1])?;
        }
        let (split, splits, vectors) = (tiles.split, tiles.splits, tiles.vectors);
        if split > 0 {
            let floats = split * kv_heads * splits * vectors * (head_dim + 2);
            let parts = D::address(self.parts.hold(&self.driver, floats * size_of::<f32>())?);
            launch(split_at, parts, vectors, [split, kv_heads, splits])?;
            let arguments = Arguments::new().pointer(split_at).pointer(parts).pointer(output);
            let arguments = arguments.int(vectors).int(splits).int(heads).int(kv_heads);
            let shape = Shape::new([split, kv_heads, 1], COMBINE_THREADS);
            self.driver.launch(&format!("combine_{head_dim}"), shape, &arguments)?;
        }
        Ok(())
    }
}
