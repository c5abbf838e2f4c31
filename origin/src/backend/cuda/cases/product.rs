//! Matrix products.

use super::arrays::{get, put, wave};
use super::{Case, CaseError, ensure, near};
use crate::backend::Backend;
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::operations::{PRODUCT_KERNELS, Part, ProductKernel, Then};
use crate::backend::cuda::weights::Operand;
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;
use half::{bf16, f16};
use std::ops::Range;

/// What an output holds before.
const BEFORE: f32 = 0.75;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    let agrees = "products agree with plain sums";
    vec![
        Case { subject: "product_few", promise: agrees, run: |device| agree(device, "few") },
        Case { subject: "product_many", promise: agrees, run: |device| agree(device, "many") },
        Case {
            subject: "product_many",
            promise: "a row has the same bits in any company and by any kernel",
            run: same_bits,
        },
    ]
}

/// The product of a matrix with rows of activations by a kernel, and the activations as the kernel rounds them.
pub(crate) fn product<D: Driver>(
    device: &D,
    kernel: &ProductKernel,
    matrix: &Matrix,
    activations: &[f32],
    then: Then,
) -> Result<(Vec<f32>, Vec<f64>), CaseError> {
    let mut cuda = Cuda::new(device.clone());
    let rows = activations.len() / matrix.cols;
    let there = cuda.matrix(matrix.clone())?;
    let (bits, rounded): (Vec<[u8; 2]>, Vec<_>) = match there.operand() {
        Operand::F16 => {
            activations.iter().map(|&x| (f16::from_f32(x).to_le_bytes(), f16::from_f32(x).to_f64())).unzip()
        }
        Operand::Bf16 => {
            activations.iter().map(|&x| (bf16::from_f32(x).to_le_bytes(), bf16::from_f32(x).to_f64())).unzip()
        }
    };
    let operand = put(device, bits.as_flattened())?;
    let output = put(device, &vec![BEFORE; rows * matrix.rows])?;
    let part = Part { address: D::address(&output), stride: matrix.rows, then };
    cuda.operand.replace(operand);
    cuda.multiply_by(kernel, &there, rows, part)?;
    Ok((get(device, &output)?, rounded))
}

fn agree<D: Driver>(device: &D, kind: &str) -> Result<(), CaseError> {
    for format in WeightFormat::ALL {
        let thens = [Then::Store, Then::Add, Then::Gate, Then::Store];
        let shapes = [(1, 16, 32), (3, 17, 64), (9, 33, 96), (12, 70, 288)];
        for ((rows, outputs, width), then) in shapes.into_iter().zip(thens) {
            let matrix = Matrix::random(outputs, width, rows as u64, format);
            for kernel in PRODUCT_KERNELS.iter().filter(|kernel| kernel.kind == kind) {
                agrees(device, kernel, &matrix, &wave(rows, rows * width), then)?;
            }
        }
    }
    Ok(())
}

fn agrees<D: Driver>(
    device: &D,
    kernel: &ProductKernel,
    matrix: &Matrix,
    activations: &[f32],
    then: Then,
) -> Result<(), CaseError> {
    let (found, x) = product(device, kernel, matrix, activations, then)?;
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
            let tolerance = 5e-4 * size + 1e-6;
            near(found, wanted, tolerance, || format!("{kernel:?}, {then:?}, output {output}"))?;
        }
    }
    Ok(())
}

fn same_bits<D: Driver>(device: &D) -> Result<(), CaseError> {
    for (format, width) in WeightFormat::ALL.into_iter().zip([32, 224, 288, 1088]) {
        let matrix = Matrix::random(70, width, 1, format);
        let activations = wave(5, 70 * width);
        let store = |kernel, rows: Range<usize>| {
            let rows = &activations[rows.start * width..rows.end * width];
            product(device, kernel, &matrix, rows, Then::Store).map(|product| product.0)
        };
        let [eight, thirty_two, sixty_four] = &PRODUCT_KERNELS;
        let all = store(sixty_four, 0..70)?;
        ensure(store(thirty_two, 0..70)? == all, || format!("{format:?}: 32 rows a block"))?;
        ensure(store(eight, 0..70)? == all, || format!("{format:?}: 8 rows a block"))?;
        for row in [0, 7, 69] {
            let alone = store(eight, row..row + 1)?;
            ensure(alone == all[row * 70..][..70], || format!("{format:?}: row {row} alone"))?;
        }
    }
    Ok(())
}
