//! The launches that the backend's operations are made of.

use super::Cuda;
use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::product::{Part, Stream, Then};
use super::room::Buffer;
use super::weights::{DeviceMatrix, Operand};
use crate::backend::{AttentionWeights, CacheShape, FeedForwardWeights};

/// Threads of the kernel's blocks.
const EMBED_THREADS: usize = 128;

impl<D: Driver> Cuda<D> {
    /// The table's rows for the step's tokens.
    pub(super) fn look_up(&self, table: &DeviceMatrix<D>, to: u64) -> Result<(), DriverError> {
        let [data, scales] = table.addresses();
        let addresses = [data, scales, self.plan.tokens(), to];
        let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(table.cols);
        let kernel = format!("embed_{}", table.format.suffix());
        self.driver.launch(&kernel, Shape::new([self.plan.rows(), 1, 1], EMBED_THREADS), &arguments)
    }

    /// Queries, keys and values of the step's rows, side by side.
    pub(super) fn project(
        &mut self,
        stream: &Buffer<D>,
        weights: &AttentionWeights<Self>,
        shape: &CacheShape,
    ) -> Result<(), DriverError> {
        let rows = self.plan.rows();
        let stride = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
        let qkv = self.scratch.qkv.hold(&self.driver, rows * stride * size_of::<f32>())?;
        let mut values = D::address(qkv);
        let products: Vec<_> = weights
            .projections
            .iter()
            .map(|matrix| {
                let part = Part { values, operand: 0, stride, then: Then::Store };
                values += (matrix.rows * size_of::<f32>()) as u64;
                ([matrix], part)
            })
            .collect();
        let stream = Stream { values: stream.address(), listed: 0, norm: &weights.norm };
        self.multiply_normalised(&stream, rows, products.iter().map(|(matrix, part)| (&matrix[..], *part)))
    }

    /// What is behind the gate of the feed-forward layer, in the type that the last product multiplies.
    pub(super) fn gate(
        &mut self,
        stream: &Buffer<D>,
        weights: &FeedForwardWeights<Self>,
    ) -> Result<(), DriverError> {
        let FeedForwardWeights { norm, gate, up, down } = weights;
        let (rows, stride) = (self.plan.rows(), gate.rows);
        let hidden = self.scratch.hidden.hold(&self.driver, rows * stride * Operand::BYTES)?;
        let gated = Part { values: 0, operand: D::address(hidden), stride, then: Then::Gate(down.operand()) };
        let stream = Stream { values: stream.address(), listed: 0, norm };
        if gate.format == up.format {
            return self.multiply_normalised(&stream, rows, [(&[gate, up][..], gated)]);
        }
        let values = D::address(self.scratch.gate.hold(&self.driver, rows * stride * size_of::<f32>())?);
        let first = Part { values, operand: 0, stride, then: Then::Store };
        let products = [(&[gate][..], first), (&[up], Part { values, ..gated })];
        self.multiply_normalised(&stream, rows, products)
    }

    /// Adds the product of a matrix with rows in the type that it multiplies to the residual stream.
    pub(super) fn add(
        &mut self,
        matrix: &DeviceMatrix<D>,
        input: u64,
        stream: &Buffer<D>,
    ) -> Result<(), DriverError> {
        let part = Part { values: stream.address(), operand: 0, stride: stream.width, then: Then::Add };
        self.multiply(&[matrix], input, stream.rows, part)
    }
}
