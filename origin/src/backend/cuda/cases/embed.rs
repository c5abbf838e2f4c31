//! A token's row of the embedding matrix, in every weight format.

use super::arrays::{get, put};
use super::{Case, CaseError, near};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, Shape};
use crate::backend::cuda::packed::Packed;
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![Case { subject: "embed", promise: "a packed row is the row", run: rows }]
}

fn rows<D: Driver>(device: &D) -> Result<(), CaseError> {
    let tokens: [u32; 6] = [0, 15, 16, 36, 7, 36];
    for (format, width) in
        WeightFormat::ALL.into_iter().flat_map(|format| [32, 96, 160].map(|width| (format, width)))
    {
        let table = Matrix::random(37, width, 1, format);
        let packed = Packed::new(&table);
        let (data, scales) = (put(device, &packed.data)?, put(device, &packed.scales)?);
        let tokens_there = put(device, &tokens)?;
        let stream = put(device, &vec![f32::NAN; tokens.len() * width])?;
        let addresses = [&data, &scales, &tokens_there, &stream].map(D::address);
        let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(width);
        let kernel = format!("embed_{}", packed.format.suffix());
        device.launch(&kernel, Shape::new([tokens.len(), 1, 1], 128), &arguments)?;
        let found = get::<_, f32>(device, &stream)?;
        for (found, token) in found.chunks_exact(width).zip(tokens) {
            for (col, &found) in found.iter().enumerate() {
                let wanted = table.weight(token as usize, col);
                near(found, wanted, 1e-6 * wanted.abs(), || format!("{format:?}, token {token}, {col}"))?;
            }
        }
    }
    Ok(())
}
