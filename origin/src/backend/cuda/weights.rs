//! Weights on the device.

use super::driver::{Driver, DriverError};
use super::packed::{Format, Packed};
use crate::model::tensors::Matrix;

/// A weight matrix.
pub(crate) struct DeviceMatrix<D: Driver> {
    pub(crate) format: Format,
    /// Outputs.
    pub(crate) rows: usize,
    /// Inputs.
    pub(crate) cols: usize,
    data: D::Memory,
    scales: Option<D::Memory>,
}

/// A vector of f32 weights.
pub(crate) struct DeviceVector<D: Driver>(D::Memory);

/// The 16-bit type in which a matrix takes its activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// For weights in half precision or quantised.
    F16,
    /// For weights in bfloat16.
    Bf16,
}

impl<D: Driver> DeviceMatrix<D> {
    /// Takes over a matrix whose data fill its shape.
    pub(crate) fn new(driver: &D, matrix: &Matrix) -> Result<Self, DriverError> {
        let packed = Packed::new(matrix);
        let data = upload(driver, &packed.data)?;
        let scales = if packed.scales.is_empty() { None } else { Some(upload(driver, &packed.scales)?) };
        Ok(Self { format: packed.format, rows: matrix.rows, cols: matrix.cols, data, scales })
    }

    /// The addresses of weights and scales.
    pub(crate) fn addresses(&self) -> [u64; 2] {
        [D::address(&self.data), self.scales.as_ref().map_or(0, D::address)]
    }

    /// What it multiplies.
    pub(crate) fn operand(&self) -> Operand {
        if self.format == Format::Bf16 { Operand::Bf16 } else { Operand::F16 }
    }
}

impl Operand {
    /// Of one number.
    pub(crate) const BYTES: usize = 2;

    /// The end of a kernel's name.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

impl<D: Driver> DeviceVector<D> {
    /// Takes over a vector.
    pub(crate) fn new(driver: &D, values: &[f32]) -> Result<Self, DriverError> {
        let bytes: Vec<_> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        upload(driver, &bytes).map(Self)
    }

    /// Where it is.
    pub(crate) fn address(&self) -> u64 {
        D::address(&self.0)
    }
}

fn upload<D: Driver>(driver: &D, bytes: &[u8]) -> Result<D::Memory, DriverError> {
    let memory = driver.allocate(bytes.len())?;
    driver.write(&memory, 0, bytes)?;
    Ok(memory)
}
