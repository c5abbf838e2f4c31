//! Weights on the device.

use super::arguments::Arguments;
use super::driver::{Driver, DriverError, Shape};
use super::measure::FILL_THREADS;
use super::packed::{Format, Packed};
use crate::model::tensors::Matrix;

/// The kernel that makes weights up.
pub(crate) const FILL: &str = "fill";
/// Its blocks, at most: enough for every multiprocessor.
const FILL_BLOCKS_MAX: usize = 4096;

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

    /// A matrix of the same shape and format, its weights random bits that make finite numbers of about the usual size.
    pub(crate) fn made_up(driver: &D, matrix: &Matrix) -> Result<Self, DriverError> {
        let format = Format::of(matrix);
        let [data_bytes, scale_bytes] = format.bytes(matrix.rows, matrix.cols);
        let ([varied, fixed], [scales_varied, scales_fixed]) = match format {
            // Either sign, 2⁻⁶ to 2⁻⁵.
            Format::F16 => ([0x83ff_83ff, 0x2400_2400], [0, 0]),
            Format::Bf16 => ([0x807f_807f, 0x3c80_3c80], [0, 0]),
            // Scales of 2⁻¹² to 2⁻¹¹.
            Format::Int8 => ([u32::MAX, 0], [0x03ff_03ff, 0x0c00_0c00]),
            // Scales of 2⁻⁸ to 2⁻⁷, minimums of -11 · 2⁻⁸, so that weights are positive and negative.
            Format::Int4 => ([u32::MAX, 0], [0x0000_03ff, 0xa980_1c00]),
        };
        let filled = |bytes: usize, varied, fixed| -> Result<_, DriverError> {
            let memory = driver.allocate(bytes)?;
            fill(driver, &memory, bytes / size_of::<u32>(), varied, fixed)?;
            Ok(memory)
        };
        let data = filled(data_bytes, varied, fixed)?;
        let scales =
            (scale_bytes > 0).then(|| filled(scale_bytes, scales_varied, scales_fixed)).transpose()?;
        Ok(Self { format, rows: matrix.rows, cols: matrix.cols, data, scales })
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

/// Fills words with random bits where `varied` has ones, and with those of `fixed` elsewhere.
pub(crate) fn fill<D: Driver>(
    driver: &D,
    memory: &D::Memory,
    words: usize,
    varied: u32,
    fixed: u32,
) -> Result<(), DriverError> {
    let arguments = Arguments::new().pointer(D::address(memory)).int(varied as usize).int(fixed as usize);
    let blocks = words.div_ceil(FILL_THREADS).clamp(1, FILL_BLOCKS_MAX);
    driver.launch(FILL, Shape::new([blocks, 1, 1], FILL_THREADS), &arguments.int(words))
}

fn upload<D: Driver>(driver: &D, bytes: &[u8]) -> Result<D::Memory, DriverError> {
    let memory = driver.allocate(bytes.len())?;
    driver.write(&memory, 0, bytes)?;
    Ok(memory)
}
