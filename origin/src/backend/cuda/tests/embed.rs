//! A token's row of the embedding matrix, in every weight format.

use super::device::{everywhere, get, put};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, Shape};
use crate::backend::cuda::packed::Packed;
use crate::backend::cuda::simulator::Simulator;
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

pub(super) const FORMATS: [WeightFormat; 4] =
    [WeightFormat::F16, WeightFormat::Bf16, WeightFormat::Int8, WeightFormat::Int4];

#[test]
fn a_packed_row_is_the_row() {
    let tokens: [u32; 6] = [0, 15, 16, 36, 7, 36];
    everywhere(|device| {
        for (format, width) in
            FORMATS.into_iter().flat_map(|format| [32, 96, 160].map(|width| (format, width)))
        {
            let table = Matrix::random(37, width, 1, format);
            let packed = Packed::new(&table);
            let (data, scales) = (put(device, &packed.data), put(device, &packed.scales));
            let tokens_there = put(device, &tokens);
            let stream = put(device, &vec![f32::NAN; tokens.len() * width]);
            let addresses = [&data, &scales, &tokens_there, &stream].map(Simulator::address);
            let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(width);
            let kernel = format!("embed_{}", packed.format.suffix());
            device.launch(&kernel, Shape::new([tokens.len(), 1, 1], 128), &arguments).expect("a launch");
            let found = get::<f32>(device, &stream).expect("the stream");
            for (found, token) in found.chunks_exact(width).zip(tokens) {
                for (col, &found) in found.iter().enumerate() {
                    let wanted = table.weight(token as usize, col);
                    let error = (f64::from(found) - wanted).abs();
                    assert!(
                        error <= 1e-6 * wanted.abs(),
                        "{format:?}, token {token}, {col}: {found}, not {wanted}"
                    );
                }
            }
        }
    });
}
