//! RMSNorm.

use super::arrays::{get, put, wave};
use super::{Case, CaseError, near};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, DriverError, Shape};
use half::f16;

const EPSILON: f32 = 1e-5;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![Case { subject: "normalise", promise: "rows have the norms of their weights", run: norms }]
}

/// Normalises the named rows of a stream of `width`.
pub(crate) fn normalise<D: Driver>(
    device: &D,
    stream: &[f32],
    rows: &[u32],
    weight: &[f32],
) -> Result<Vec<f16>, DriverError> {
    let width = weight.len();
    let (stream, rows_there, weight) = (put(device, stream)?, put(device, rows)?, put(device, weight)?);
    let operand = put(device, &vec![f16::NAN; rows.len() * width])?;
    let arguments = Arguments::new()
        .pointer(D::address(&stream))
        .pointer(D::address(&rows_there))
        .pointer(D::address(&weight))
        .pointer(D::address(&operand))
        .int(width)
        .float(EPSILON);
    device.launch("normalise_f16", Shape::new([rows.len(), 1, 1], 256), &arguments)?;
    get(device, &operand)
}

fn norms<D: Driver>(device: &D) -> Result<(), CaseError> {
    for width in [32, 96, 256, 576, 1000] {
        let (stream, weight) = (wave(width, 3 * width), wave(1, width));
        let rows = [2, 0];
        let found = normalise(device, &stream, &rows, &weight)?;
        for (row, found) in rows.into_iter().zip(found.chunks_exact(width)) {
            let x = &stream[row as usize * width..][..width];
            let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
            for (i, found) in found.iter().enumerate() {
                let wanted = f64::from(x[i]) * f64::from(weight[i]) / (mean + f64::from(EPSILON)).sqrt();
                let tolerance = 5e-4 * wanted.abs() + 1e-7;
                near(*found, wanted, tolerance, || format!("width {width}, row {row}, {i}"))?;
            }
        }
    }
    Ok(())
}
