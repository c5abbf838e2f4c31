//! Products of weight matrices with rows of activations: which launch makes them.

use super::Cuda;
use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::weights::{DeviceMatrix, DeviceVector, Operand};
use crate::backend::Norm;

/// Threads of the kernel that normalises a row.
const NORMALISE_THREADS: usize = 256;
/// Blocks of a product with few rows on a multiprocessor at once, as in `origin/kernels/product_few.cu`.
const FEW_BLOCKS: usize = 2;

/// A kernel for products with some number of rows: how it cuts its output into blocks.
#[derive(Debug)]
pub(super) struct ProductKernel {
    /// The second part of its name.
    pub(super) kind: &'static str,
    /// Rows of a block; it is chosen for up to as many.
    pub(super) rows: usize,
    outputs: usize,
    threads: usize,
}

/// From few rows to many.
pub(super) const PRODUCT_KERNELS: [ProductKernel; 3] = [
    ProductKernel { kind: "few", rows: 8, outputs: 16, threads: 256 },
    ProductKernel { kind: "few", rows: 32, outputs: 16, threads: 256 },
    ProductKernel { kind: "many", rows: 64, outputs: 64, threads: 128 },
];

/// Normalises its rows itself.
pub(super) const NORMALISED_KERNEL: ProductKernel =
    ProductKernel { kind: "normalised", rows: 8, outputs: 16, threads: 256 };

/// Rows of the residual stream that a product normalises itself, at most, in bytes of f32. Every block does so, one after
/// another on each multiprocessor: past this the way of the rows (40 KB a microsecond from an H100's second cache to a
/// multiprocessor) costs more than the launch that is saved, 2 to 3 microseconds.
const NORMALISED_BYTES_MAX: usize = 64 << 10;

/// What becomes of a product; the numbers are those of `origin/kernels/product.cuh`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    Store,
    Add,
    /// It multiplies the SiLU of the gate's product, and is rounded to this type.
    Gate(Operand),
}

/// Where a product goes, as addresses of the first output of the first row.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// f32: the output, or the gate's product where that was a launch of its own.
    pub(super) values: u64,
    /// What is behind a gate.
    pub(super) operand: u64,
    /// Outputs of a whole row.
    pub(super) stride: usize,
    pub(super) then: Then,
}

/// Rows to multiply.
pub(super) enum Input<'a, D: Driver> {
    /// In the type that the matrix multiplies, at this address.
    Rounded(u64),
    /// To be normalised.
    Stream(&'a Stream<'a, D>),
}

/// Rows of the residual stream.
pub(super) struct Stream<'a, D: Driver> {
    /// Where they are.
    pub(super) values: u64,
    /// Where it says which, or null for all in order.
    pub(super) listed: u64,
    pub(super) norm: &'a Norm<DeviceVector<D>>,
}

impl<D: Driver> Cuda<D> {
    /// The products of matrices with the same normalised rows. Two of a format that are a gate and what it gates are one
    /// launch.
    pub(super) fn multiply_normalised<'a>(
        &mut self,
        stream: &Stream<'_, D>,
        rows: usize,
        products: impl IntoIterator<Item = (&'a [&'a DeviceMatrix<D>], Part)>,
    ) -> Result<(), DriverError>
    where
        D: 'a,
    {
        let mut normalised = None;
        for (matrices, part) in products {
            let matrix = matrices[0];
            if rows <= NORMALISED_KERNEL.rows && rows * matrix.cols * size_of::<f32>() <= NORMALISED_BYTES_MAX
            {
                self.multiply_by(&NORMALISED_KERNEL, matrices, &Input::Stream(stream), rows, part)?;
                continue;
            }
            // Matrices of different formats may take the rows in different types.
            if normalised != Some(matrix.operand()) {
                self.normalise(stream, rows, matrix.cols, matrix.operand())?;
                normalised = Some(matrix.operand());
            }
            self.multiply(matrices, self.scratch.normalised.address(), rows, part)?;
        }
        Ok(())
    }

    /// The product of a matrix, or of a gate and what it gates, with rows in the type that it multiplies.
    pub(super) fn multiply(
        &self,
        matrices: &[&DeviceMatrix<D>],
        input: u64,
        rows: usize,
        part: Part,
    ) -> Result<(), DriverError> {
        self.multiply_by(product_kernel(rows), matrices, &Input::Rounded(input), rows, part)
    }

    /// The same by a kernel that is named; whichever it is, the result has the same bits.
    pub(super) fn multiply_by(
        &self,
        kernel: &ProductKernel,
        matrices: &[&DeviceMatrix<D>],
        input: &Input<'_, D>,
        rows: usize,
        part: Part,
    ) -> Result<(), DriverError> {
        let &DeviceMatrix { format, rows: outputs, cols, .. } = matrices[0];
        let arguments =
            matrices.iter().flat_map(|matrix| matrix.addresses()).fold(Arguments::new(), Arguments::pointer);
        let (arguments, suffix, shared_bytes) = match input {
            Input::Rounded(address) => (arguments.pointer(*address), format!("_{}", kernel.rows), 0),
            Input::Stream(stream) => {
                let addresses = [stream.values, stream.listed, stream.norm.weight.address()];
                let arguments = addresses.into_iter().fold(arguments, Arguments::pointer);
                (arguments.float(stream.norm.epsilon), String::new(), rows * staged_bytes(cols))
            }
        };
        let arguments = arguments.pointer(part.values).pointer(part.operand);
        let numbers = [rows, cols, outputs, part.stride, part.then.number()];
        let arguments = numbers.into_iter().fold(arguments, Arguments::int);

        let what = if matrices.len() == 1 { "product" } else { "gated" };
        let name = format!("{what}_{}_{}{suffix}", kernel.kind, format.suffix());
        let grid = [self.blocks(kernel, outputs), rows.div_ceil(kernel.rows), 1];
        let shape = Shape { shared_bytes, ..Shape::new(grid, kernel.threads) };
        self.driver.launch(&name, shape, &arguments)
    }

    /// Blocks along the outputs. With few rows no more than the device runs at once, each with as many tiles as the
    /// others: a block goes on from tile to tile, and the next tile's weights are on their way before this one's end.
    fn blocks(&self, kernel: &ProductKernel, outputs: usize) -> usize {
        let tiles = outputs.div_ceil(kernel.outputs);
        if kernel.kind == "many" {
            return tiles;
        }
        let at_once = FEW_BLOCKS * self.driver.multiprocessors();
        tiles.div_ceil(tiles.div_ceil(at_once))
    }

    /// Normalises rows of this width.
    pub(super) fn normalise(
        &mut self,
        stream: &Stream<'_, D>,
        rows: usize,
        width: usize,
        operand: Operand,
    ) -> Result<(), DriverError> {
        let to = self.scratch.normalised.hold(&self.driver, rows * width * Operand::BYTES)?;
        let addresses = [stream.values, stream.listed, stream.norm.weight.address(), D::address(to)];
        let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer);
        let arguments = arguments.int(width).float(stream.norm.epsilon);
        let kernel = format!("normalise_{}", operand.suffix());
        self.driver.launch(&kernel, Shape::new([rows, 1, 1], NORMALISE_THREADS), &arguments)
    }
}

/// Whether products with as many rows take a gate and what it gates at once.
pub(super) fn gates_at_once(rows: usize) -> bool {
    product_kernel(rows).kind == "few"
}

fn product_kernel(rows: usize) -> &'static ProductKernel {
    let last = &PRODUCT_KERNELS[PRODUCT_KERNELS.len() - 1];
    PRODUCT_KERNELS.iter().find(|kernel| rows <= kernel.rows).unwrap_or(last)
}

/// A normalised row in a block's shared memory: an odd number of 64 bytes, as in `origin/kernels/product_few.cu`.
fn staged_bytes(width: usize) -> usize {
    (width / 64 * 64 + 32) * Operand::BYTES
}

impl Then {
    fn number(self) -> usize {
        match self {
            Self::Store => 0,
            Self::Add => 1,
            Self::Gate(Operand::F16) => 2,
            Self::Gate(Operand::Bf16) => 3,
        }
    }
}
