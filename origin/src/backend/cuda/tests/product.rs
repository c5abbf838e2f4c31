//! Matrix products.

use super::device::{everywhere, get, put, wave};
use super::embed::FORMATS;
use crate::backend::Backend;
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::{Driver, DriverError};
use crate::backend::cuda::operations::{PRODUCT_KERNELS, Part, ProductKernel, Then};
use crate::backend::cuda::simulator::{Checks, Simulator};
use crate::backend::cuda::weights::Operand;
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;
use half::{bf16, f16};

/// What an output holds before.
const BEFORE: f32 = 0.75;

/// The product of a matrix with rows of activations by a kernel, and the activations as the kernel rounds them.
pub(super) fn product(
    device: &Simulator,
    kernel: &ProductKernel,
    matrix: &Matrix,
    activations: &[f32],
    then: Then,
) -> Result<(Vec<f32>, Vec<f64>), DriverError> {
    let mut cuda = Cuda::new(device.clone());
    let rows = activations.len() / matrix.cols;
    let there = cuda.matrix(matrix.clone()).expect("a matrix");
    let (bits, rounded): (Vec<[u8; 2]>, Vec<_>) = match there.operand() {
        Operand::F16 => {
            activations.iter().map(|&x| (f16::from_f32(x).to_le_bytes(), f16::from_f32(x).to_f64())).unzip()
        }
        Operand::Bf16 => {
            activations.iter().map(|&x| (bf16::from_f32(x).to_le_bytes(), bf16::from_f32(x).to_f64())).unzip()
        }
    };
    // Exactly as large as it is, so that a read past the end is one.
    let operand = put(device, bits.as_flattened());
    let output = put(device, &vec![BEFORE; rows * matrix.rows]);
    let part = Part { address: Simulator::address(&output), stride: matrix.rows, then };
    cuda.operand.replace(operand);
    cuda.multiply_by(kernel, &there, rows, part)?;
    Ok((get(device, &output)?, rounded))
}

#[test]
fn products_agree_with_plain_sums() {
    everywhere(|device| {
        for format in FORMATS {
            let thens = [Then::Store, Then::Add, Then::Gate, Then::Store];
            let shapes = [(1, 16, 32), (3, 17, 64), (9, 33, 96), (12, 70, 288)];
            for ((rows, outputs, width), then) in shapes.into_iter().zip(thens) {
                let matrix = Matrix::random(outputs, width, rows as u64, format);
                for kernel in &PRODUCT_KERNELS {
                    check(device, kernel, &matrix, &wave(rows, rows * width), then);
                }
            }
        }
    });
}

fn check(device: &Simulator, kernel: &ProductKernel, matrix: &Matrix, activations: &[f32], then: Then) {
    let (found, x) = product(device, kernel, matrix, activations, then).expect("a launch");
    for (found, x) in found.chunks_exact(matrix.rows).zip(x.chunks_exact(matrix.cols)) {
        for (output, &found) in found.iter().enumerate() {
            let terms = x.iter().enumerate().map(|(col, x)| matrix.weight(output, col) * x);
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            let before = f64::from(BEFORE);
            let wanted = match then {
                Then::Store => sum,
                Then::Add => before + sum,
                Then::Gate => before / (1.0 + (-before).exp()) * sum,
            };
            // Quantised weights are rounded to half precision.
            let error = (f64::from(found) - wanted).abs();
            assert!(
                error <= 5e-4 * size + 1e-6,
                "{kernel:?}, {then:?}, output {output}: {found}, not {wanted}"
            );
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company_and_by_any_kernel() {
    let device = Simulator::new(Checks::Plain);
    for (format, width) in FORMATS.into_iter().zip([32, 224, 288, 1088]) {
        let matrix = Matrix::random(70, width, 1, format);
        let activations = wave(5, 70 * width);
        let store = |kernel, rows: std::ops::Range<usize>| {
            let rows = &activations[rows.start * width..rows.end * width];
            product(&device, kernel, &matrix, rows, Then::Store).expect("a launch").0
        };
        let [eight, thirty_two, sixty_four] = &PRODUCT_KERNELS;
        let all = store(sixty_four, 0..70);
        assert!(store(thirty_two, 0..70) == all, "{format:?}: 32 rows a block");
        assert!(store(eight, 0..70) == all, "{format:?}: 8 rows a block");
        for row in [0, 7, 69] {
            assert!(store(eight, row..row + 1) == all[row * 70..][..70], "{format:?}: row {row} alone");
        }
    }
}

#[test]
fn a_matrix_of_another_shape_than_its_data_is_refused() {
    let cuda = Cuda::new(Simulator::new(Checks::Plain));
    let mut matrix = Matrix::random(16, 32, 1, WeightFormat::F16);
    matrix.rows = 17;
    assert!(cuda.matrix(matrix).is_err());
}
