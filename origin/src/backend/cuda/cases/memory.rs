//! A device's memory itself.

use super::arrays::{get, put};
use super::{Case, CaseError, ensure};
use crate::backend::cuda::driver::Driver;

pub(super) fn cases<D: Driver>() -> Vec<Case<D>> {
    vec![Case { subject: "memory", promise: "memory keeps what is written and copied", run: keeps }]
}

fn keeps<D: Driver>(device: &D) -> Result<(), CaseError> {
    let memory = put(device, &[1_u32, 2, 3, 4])?;
    device.write(&memory, 4, &7_u32.to_le_bytes())?;
    device.copy(&memory, 0, 8, 8)?;
    let found = get::<_, u32>(device, &memory)?;
    ensure(found == [1, 7, 1, 7], || format!("{found:?}"))?;
    device.clear(&memory)?;
    let found = get::<_, u32>(device, &memory)?;
    ensure(found == [0; 4], || format!("{found:?} after it was cleared"))
}
