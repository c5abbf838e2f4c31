//! Launches that are recorded and replayed, and copies that the host does not wait for.

use super::arrays::{get, put};
use super::{Case, CaseError, ensure};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, DriverError, Shape};
use half::f16;

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

/// Rounds the first values.
pub(crate) fn narrow<D: Driver>(
    device: &D,
    from: &D::Memory,
    to: &D::Memory,
    count: usize,
) -> Result<(), DriverError> {
    let [from, to] = [from, to].map(D::address);
    let arguments = Arguments::new().pointer(from).pointer(to).int(count);
    device.launch("narrow_f16", Shape::new([1, 1, 1], 256), &arguments)
}

fn replays<D: Driver>(device: &D) -> Result<(), CaseError> {
    let (from, to) = (put(device, &[1.0_f32, 2.0])?, put(device, &[f16::ZERO; 2])?);
    // As with every recording, what is launched has been before, so that it is loaded.
    narrow(device, &from, &to, 1)?;
    device.clear(&to)?;
    device.begin_recording()?;
    narrow(device, &from, &to, 2)?;
    let graph = device.end_recording()?;
    let found = get::<_, f16>(device, &to)?;
    ensure(found == [f16::ZERO; 2], || format!("{found:?} when nothing should have run"))?;
    for values in [[1.0_f32, 2.0], [3.0, -0.5]] {
        device.write(&from, 0, values.map(f32::to_le_bytes).as_flattened())?;
        device.replay(&graph)?;
        let found = get::<_, f16>(device, &to)?;
        ensure(found == values.map(f16::from_f32), || format!("{found:?} of {values:?}"))?;
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
