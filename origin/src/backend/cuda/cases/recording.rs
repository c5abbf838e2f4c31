//! Launches that are recorded and replayed, and copies that the host does not wait for.

use super::arrays::{get, put};
use super::{Case, CaseError, ensure};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, DriverError, Shape};
use crate::backend::cuda::packed::Packed;
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![
        Case {
            subject: "recording",
            promise: "a replay runs the recorded launches on what their memory holds now",
            run: replays,
        },
        Case { subject: "recording", promise: "what is sent and fetched arrives", run: arrives },
    ]
}

/// Looks up the rows of the first tokens in a table of 32 columns.
pub(crate) fn look_up<D: Driver>(
    device: &D,
    [table, tokens, to]: [&D::Memory; 3],
    count: usize,
) -> Result<(), DriverError> {
    let addresses = [D::address(table), 0, D::address(tokens), D::address(to)];
    let arguments = addresses.into_iter().fold(Arguments::new(), Arguments::pointer).int(32);
    device.launch("embed_f16", Shape::new([count, 1, 1], 128), &arguments)
}

fn replays<D: Driver>(device: &D) -> Result<(), CaseError> {
    let matrix = Matrix::random(16, 32, 1, WeightFormat::F16);
    let table = put(device, &Packed::new(&matrix).data)?;
    let (tokens, to) = (put(device, &[1_u32, 2])?, put(device, &[0.0_f32; 64])?);
    // As with every recording, what is launched has been before, so that it is loaded.
    look_up(device, [&table, &tokens, &to], 1)?;
    device.clear(&to)?;
    device.begin_recording()?;
    look_up(device, [&table, &tokens, &to], 2)?;
    let graph = device.end_recording()?;
    let found = get::<_, f32>(device, &to)?;
    ensure(found == [0.0; 64], || format!("{found:?} when nothing should have run"))?;
    for both in [[1_u32, 2], [3, 15]] {
        device.write(&tokens, 0, both.map(u32::to_le_bytes).as_flattened())?;
        device.replay(&graph)?;
        let found = get::<_, f32>(device, &to)?;
        let rows = both.iter().flat_map(|&row| (0..32).map(move |col| (row as usize, col)));
        let wanted: Vec<_> = rows.map(|(row, col)| matrix.weight(row, col) as f32).collect();
        ensure(found == wanted, || format!("{found:?} of {both:?}"))?;
    }
    Ok(())
}

fn arrives<D: Driver>(device: &D) -> Result<(), CaseError> {
    let memory = put(device, &[0_u32; 4])?;
    let (mut there, mut back) = (device.pin(12)?, device.pin(16)?);
    for words in [[1, 2, 3], [7, 8, 9]] {
        device.send(&words, &mut there, &memory)?;
        device.fetch(&memory, 8, &mut back)?;
        let fetched = device.fetched(&back)?;
        let wanted = words.map(u32::to_le_bytes);
        ensure(fetched == wanted[..2].as_flattened(), || format!("{fetched:?} of {words:?}"))?;
    }
    let found = get::<_, u32>(device, &memory)?;
    ensure(found == [7, 8, 9, 0], || format!("{found:?} on the device"))
}
