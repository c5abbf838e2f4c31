//! Matrix products.

use super::arrays::{get, put, wave};
use super::{Case, CaseError, ensure, near};
use crate::backend::cuda::Cuda;
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::product::{
    Input, NORMALISED_KERNEL, PRODUCT_KERNELS, Part, ProductKernel, SLICES, Stream, Then, Way,
};
use crate::backend::cuda::weights::Operand;
use crate::backend::{Backend, Norm};
use crate::model::tensors::random::WeightFormat;
use crate::model::tensors::{Matrix, MatrixData};
use half::{bf16, f16};
use std::ops::Range;

/// What an output holds before, and what the gate's product is where that was a launch of its own.
const BEFORE: f32 = 0.75;
const EPSILON: f32 = 1e-5;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    let agrees = "products agree with plain sums";
    vec![
        Case { subject: "product_few", promise: agrees, run: |device| agree(device, "few") },
        Case {
            subject: "product_few",
            promise: "a gate and what it gates are the same as two launches",
            run: |device| same_gated(device, "few"),
        },
        Case {
            subject: "product_few",
            promise: "rows that a product normalises are those that are normalised before it",
            run: same_normalised,
        },
        Case { subject: "product_many", promise: agrees, run: |device| agree(device, "many") },
        Case {
            subject: "product_many",
            promise: "a gate and what it gates are the same as two launches",
            run: |device| same_gated(device, "many"),
        },
        Case {
            subject: "product_many",
            promise: "a row has the same bits in any company and by any kernel",
            run: same_bits,
        },
    ]
}

/// A kernel whose blocks have all slices of their sums.
pub(crate) fn alone(kernel: &'static ProductKernel) -> Way {
    Way { kernel, shares: 1 }
}

/// Every way of the kernels of a kind.
fn ways(kind: &str) -> impl Iterator<Item = Way> {
    let kernels = PRODUCT_KERNELS.iter().filter(move |kernel| kernel.kind == kind);
    kernels.flat_map(|kernel| {
        let shares = if kernel.kind == "many" { &[1, 2, 4, SLICES][..] } else { &[1] };
        shares.iter().map(move |&shares| Way { kernel, shares })
    })
}

/// The product of a matrix, or of a gate and what it gates, with rows of activations in some way, and the activations as
/// they are rounded for it.
pub(crate) fn product<D: Driver>(
    device: &D,
    way: Way,
    matrices: &[&Matrix],
    activations: &[f32],
    then: Then,
) -> Result<(Vec<f32>, Vec<f64>), CaseError> {
    let (operand, rows) = (operand_of(matrices[0]), activations.len() / matrices[0].cols);
    let rounded = activations.iter().map(|&x| f64::from(widen(operand, round(operand, x)))).collect();
    let before = vec![BEFORE; rows * matrices[0].rows];
    Ok((multiply_rounded(device, way, matrices, activations, then, &before)?, rounded))
}

/// The same where the output holds something else before.
fn multiply_rounded<D: Driver>(
    device: &D,
    way: Way,
    matrices: &[&Matrix],
    activations: &[f32],
    then: Then,
    before: &[f32],
) -> Result<Vec<f32>, CaseError> {
    let operand = operand_of(matrices[0]);
    let bits: Vec<_> = activations.iter().map(|&x| round(operand, x).to_le_bytes()).collect();
    let input = put(device, bits.as_flattened())?;
    multiply(device, way, matrices, &Input::Rounded(D::address(&input)), then, before)
}

/// The same with rows that are there already.
fn multiply<D: Driver>(
    device: &D,
    way: Way,
    matrices: &[&Matrix],
    input: &Input<'_, D>,
    then: Then,
    before: &[f32],
) -> Result<Vec<f32>, CaseError> {
    let mut cuda = Cuda::new(device.clone());
    let there = matrices.iter().map(|&matrix| cuda.matrix(matrix.clone()));
    let there = there.collect::<Result<Vec<_>, _>>()?;
    let stride = matrices[0].rows;
    let (values, gated) = (put(device, before)?, put(device, &vec![f16::NAN; before.len()])?);
    let part = Part { values: D::address(&values), operand: D::address(&gated), stride, then };
    cuda.multiply_by(way, &there.iter().collect::<Vec<_>>(), input, before.len() / stride, part)?;
    let Then::Gate(operand) = then else { return Ok(get(device, &values)?) };
    let halves: Vec<f16> = get(device, &gated)?;
    Ok(halves.into_iter().map(|half| widen(operand, half.to_bits())).collect())
}

fn operand_of(matrix: &Matrix) -> Operand {
    if matches!(matrix.data, MatrixData::Bf16(_)) { Operand::Bf16 } else { Operand::F16 }
}

fn round(operand: Operand, x: f32) -> u16 {
    match operand {
        Operand::F16 => f16::from_f32(x).to_bits(),
        Operand::Bf16 => bf16::from_f32(x).to_bits(),
    }
}

fn widen(operand: Operand, bits: u16) -> f32 {
    match operand {
        Operand::F16 => f16::from_bits(bits).to_f32(),
        Operand::Bf16 => bf16::from_bits(bits).to_f32(),
    }
}

fn agree<D: Driver>(device: &D, kind: &str) -> Result<(), CaseError> {
    for format in WeightFormat::ALL {
        let thens = [Then::Store, Then::Add, Then::Gate(Operand::F16), Then::Gate(Operand::Bf16)];
        let shapes = [(1, 16, 32), (3, 17, 64), (9, 33, 96), (12, 90, 288)];
        for ((rows, outputs, width), then) in shapes.into_iter().zip(thens) {
            let matrix = Matrix::random(outputs, width, rows as u64, format);
            for way in ways(kind) {
                agrees(device, way, &matrix, &wave(rows, rows * width), then)?;
            }
        }
    }
    Ok(())
}

fn agrees<D: Driver>(
    device: &D,
    way: Way,
    matrix: &Matrix,
    activations: &[f32],
    then: Then,
) -> Result<(), CaseError> {
    let (found, x) = product(device, way, &[matrix], activations, then)?;
    for (found, x) in found.chunks_exact(matrix.rows).zip(x.chunks_exact(matrix.cols)) {
        for (output, &found) in found.iter().enumerate() {
            let terms = x.iter().enumerate().map(|(col, x)| matrix.weight(output, col) * x);
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            let before = f64::from(BEFORE);
            // Quantised weights are rounded to half precision, and so is what is behind a gate.
            let (wanted, rounding) = match then {
                Then::Store => (sum, 0.0),
                Then::Add => (before + sum, 0.0),
                Then::Gate(Operand::F16) => (before / (1.0 + (-before).exp()) * sum, 5e-4),
                Then::Gate(Operand::Bf16) => (before / (1.0 + (-before).exp()) * sum, 4e-3),
            };
            let tolerance = 5e-4 * size + rounding * wanted.abs() + 1e-6;
            near(found, wanted, tolerance, || format!("{way:?}, {then:?}, output {output}"))?;
        }
    }
    Ok(())
}

fn same_bits<D: Driver>(device: &D) -> Result<(), CaseError> {
    for (format, width) in WeightFormat::ALL.into_iter().zip([32, 224, 288, 544]) {
        let matrix = Matrix::random(70, width, 1, format);
        let activations = wave(5, 70 * width);
        let store = |way, rows: Range<usize>| {
            let rows = &activations[rows.start * width..rows.end * width];
            product(device, way, &[&matrix], rows, Then::Store).map(|product| product.0)
        };
        let all = store(alone(&PRODUCT_KERNELS[0]), 0..70)?;
        for way in ways("few").chain(ways("many")) {
            ensure(store(way, 0..70)? == all, || format!("{format:?}: {way:?}"))?;
        }
        for kernel in &PRODUCT_KERNELS {
            let last = store(alone(kernel), 69..70)?;
            ensure(last == all[69 * 70..], || format!("{format:?}: {kernel:?}, a row alone"))?;
        }
    }
    Ok(())
}

fn same_gated<D: Driver>(device: &D, kind: &str) -> Result<(), CaseError> {
    for (format, (rows, width)) in
        WeightFormat::ALL.into_iter().zip([(1, 32), (9, 288), (8, 1088), (33, 160)])
    {
        let [gate, up] = [1, 2].map(|seed| Matrix::random(90, width, seed, format));
        let x = wave(5, rows * width);
        for way in ways(kind) {
            for then in [Operand::F16, Operand::Bf16].map(Then::Gate) {
                let (at_once, _) = product(device, way, &[&gate, &up], &x, then)?;
                let (gates, _) = product(device, way, &[&gate], &x, Then::Store)?;
                let one_by_one = multiply_rounded(device, way, &[&up], &x, then, &gates)?;
                ensure(at_once == one_by_one, || format!("{way:?}, {format:?}, {then:?}"))?;
            }
        }
    }
    Ok(())
}

fn same_normalised<D: Driver>(device: &D) -> Result<(), CaseError> {
    for (format, (rows, width)) in WeightFormat::ALL.into_iter().zip([(1, 32), (8, 288), (5, 576), (3, 1088)])
    {
        let [first, second] = [1, 2].map(|seed| Matrix::random(90, width, seed, format));
        let mut cuda = Cuda::new(device.clone());
        let values = put(device, &wave(7, 9 * width))?;
        let listed: Vec<u32> = (0..rows as u32).map(|row| row * 5 % 9).collect();
        let listed = put(device, &listed)?;
        let norm = Norm { weight: cuda.vector(wave(8, width))?, epsilon: EPSILON };
        let stream = |listed| Stream { values: D::address(&values), listed, norm: &norm };
        for listed in [0, D::address(&listed)] {
            for (matrices, then) in [
                (&[&first][..], Then::Store),
                (&[&first, &second], Then::Gate(Operand::F16)),
                (&[&first, &second], Then::Gate(Operand::Bf16)),
            ] {
                let itself = &Input::Stream(&stream(listed));
                let outputs = vec![BEFORE; rows * first.rows];
                let itself = multiply(device, alone(&NORMALISED_KERNEL), matrices, itself, then, &outputs)?;
                cuda.normalise(&stream(listed), rows, width, operand_of(&first))?;
                let before = &Input::Rounded(cuda.scratch.normalised.address());
                let before = multiply(device, alone(&PRODUCT_KERNELS[0]), matrices, before, then, &outputs)?;
                ensure(itself == before, || format!("{format:?}, {rows} rows of {width}, {then:?}"))?;
            }
        }
    }
    Ok(())
}
