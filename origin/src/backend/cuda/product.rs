//! Products of weight matrices with rows of activations: which launch makes them.

use super::Cuda;
use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::packed::tile;
use super::weights::{DeviceMatrix, DeviceVector, Operand};
use crate::backend::Norm;

/// Threads of the kernel that normalises a row.
const NORMALISE_THREADS: usize = 256;
/// Threads of the kernel that adds the parts of sums.
const JOIN_THREADS: usize = 128;
/// Parts that every sum is cut into, as in `origin/kernels/product.cuh`.
pub(super) const SLICES: usize = 8;
/// Sums of slices that blocks leave for another launch, at most: 32 MiB, which an H100's second cache holds.
const SHARED_SUMS_MAX: usize = 8 << 20;

/// A kernel for products with some number of rows: how it cuts its output into blocks.
#[derive(Debug)]
pub(super) struct ProductKernel {
    /// The second part of its name.
    pub(super) kind: &'static str,
    /// Rows of a block; it is chosen for up to as many.
    pub(super) rows: usize,
    outputs: usize,
    threads: usize,
    /// Blocks of a multiprocessor at once, for which its registers suffice.
    resident: usize,
}

/// From few rows to many.
pub(super) const PRODUCT_KERNELS: [ProductKernel; 4] = [
    ProductKernel { kind: "few", rows: 8, outputs: 16, threads: 256, resident: 2 },
    ProductKernel { kind: "few", rows: 32, outputs: 16, threads: 256, resident: 2 },
    ProductKernel { kind: "many", rows: 64, outputs: 64, threads: 128, resident: 3 },
    ProductKernel { kind: "many", rows: 128, outputs: 128, threads: 256, resident: 1 },
];

/// Normalises its rows itself.
pub(super) const NORMALISED_KERNEL: ProductKernel =
    ProductKernel { kind: "normalised", rows: 8, outputs: 16, threads: 256, resident: 2 };

/// How a product is computed. Whichever way it is, the result has the same bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) kernel: &'static ProductKernel,
    /// Among how many blocks the slices of each sum are shared out; the kernels for few rows have them all in one.
    pub(super) shares: usize,
}

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
                let way = Way { kernel: &NORMALISED_KERNEL, shares: 1 };
                self.multiply_by(way, matrices, &Input::Stream(stream), rows, part)?;
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
        &mut self,
        matrices: &[&DeviceMatrix<D>],
        input: u64,
        rows: usize,
        part: Part,
    ) -> Result<(), DriverError> {
        let last = &PRODUCT_KERNELS[PRODUCT_KERNELS.len() - 1];
        let kernel = PRODUCT_KERNELS.iter().find(|kernel| rows <= kernel.rows).unwrap_or(last);
        let way = kernel.way(matrices.len() * matrices[0].rows, rows, self.driver.multiprocessors());
        self.multiply_by(way, matrices, &Input::Rounded(input), rows, part)
    }

    /// The same in a way that is named.
    pub(super) fn multiply_by(
        &mut self,
        Way { kernel, shares }: Way,
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
        let what = if matrices.len() == 1 { "product" } else { "gated" };
        let format = format.suffix();
        let grid = [self.blocks(kernel, matrices.len(), outputs), rows.div_ceil(kernel.rows), shares];
        let shape = Shape { shared_bytes, ..Shape::new(grid, kernel.threads) };
        if shares == 1 {
            let arguments = arguments.pointer(part.values).pointer(part.operand).int(rows).int(cols);
            let name = format!("{what}_{}_{format}{suffix}", kernel.kind);
            return self.driver.launch(&name, shape, &part.after(arguments, outputs));
        }
        let bytes = SLICES * matrices.len() * rows * outputs * size_of::<f32>();
        let sums = D::address(self.scratch.sums.hold(&self.driver, bytes)?);
        let arguments = arguments.pointer(sums).int(rows).int(cols).int(outputs);
        self.driver.launch(&format!("{what}_parts_{format}{suffix}"), shape, &arguments)?;
        let arguments = Arguments::new().pointer(sums).pointer(part.values).pointer(part.operand);
        let shape = Shape::new([outputs.div_ceil(JOIN_THREADS), rows, 1], JOIN_THREADS);
        self.driver.launch(&format!("{what}_join"), shape, &part.after(arguments, outputs))
    }

    /// Blocks along the outputs. With few rows no more than the device runs at once, each with as many tiles as the
    /// others: a block goes on from tile to tile, and the next tile's weights are on their way before this one's end.
    fn blocks(&self, kernel: &ProductKernel, matrices: usize, outputs: usize) -> usize {
        if kernel.kind == "many" {
            return (matrices * outputs.next_multiple_of(tile::OUTPUTS)).div_ceil(kernel.outputs);
        }
        let tiles = outputs.div_ceil(kernel.outputs);
        let at_once = kernel.resident * self.driver.multiprocessors();
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

/// Sums of slices that blocks may leave for another launch, in the largest product of these rows and outputs.
pub(super) fn shared_sums_max(rows: usize, outputs: usize) -> usize {
    if rows <= PRODUCT_KERNELS[1].rows { 0 } else { SHARED_SUMS_MAX.min(SLICES * rows * outputs) }
}

impl ProductKernel {
    /// How it computes a product on a device: where its blocks are too few, they share out the slices of each sum as long
    /// as there is room.
    fn way(&'static self, outputs: usize, rows: usize, multiprocessors: usize) -> Way {
        let blocks = outputs.div_ceil(self.outputs) * rows.div_ceil(self.rows);
        let fits = |&shares: &usize| {
            self.kind == "many"
                && blocks * shares <= self.resident * multiprocessors
                && SLICES * rows * outputs <= SHARED_SUMS_MAX
        };
        Way { kernel: self, shares: [SLICES, SLICES / 2, SLICES / 4].into_iter().find(fits).unwrap_or(1) }
    }
}

impl Part {
    /// What a kernel is told of it behind the addresses.
    fn after(&self, arguments: Arguments, outputs: usize) -> Arguments {
        arguments.int(outputs).int(self.stride).int(self.then.number())
    }
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

#[test]
fn blocks_share_slices_where_they_are_too_few_and_the_sums_have_room() {
    let shares = |outputs, rows, multiprocessors| {
        let kernel = PRODUCT_KERNELS.iter().find(|kernel| rows <= kernel.rows).unwrap_or(&PRODUCT_KERNELS[3]);
        kernel.way(outputs, rows, multiprocessors).shares
    };
    // An H100 has 132 multiprocessors.
    assert_eq!([8, 32].map(|rows| shares(576, rows, 132)), [1, 1]);
    assert_eq!([33, 64, 65, 128, 129, 256, 512].map(|rows| shares(4096, rows, 132)), [4, 4, 4, 4, 2, 2, 1]);
    // As much room as there is, and a row more.
    assert_eq!([256, 257].map(|rows| shares(4096, rows, 10_000)), [8, 1]);
    assert_eq!(shared_sums_max(32, 4096), 0);
    assert_eq!([256, 257].map(|rows| shared_sums_max(rows, 4096)), [SHARED_SUMS_MAX; 2]);
}
