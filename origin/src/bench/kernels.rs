//! Each kernel of a step by itself.

use super::report::KernelReport;
use super::work::{Ceilings, Step, Work, weight_bytes};
use super::{BenchError, batch_of, limits};
use crate::backend::cuda::{Cuda, Driver, Group, Noted, Stopwatch};
use crate::model::llama::Llama;
use crate::model::tensors::GROUP;

/// Measures the kernels of one step of a model.
pub(super) fn kernels<D: Driver>(
    device: &D,
    stopwatch: &Stopwatch<D>,
    step: &Step,
    ceilings: Ceilings,
) -> Result<Vec<KernelReport>, BenchError> {
    let noted = Noted::new(device.clone());
    let backend = Cuda::new(noted.clone()).without_graphs().with_made_up_weights();
    let limits = limits(step.sequences, step.rows());
    let mut model = Llama::blank(backend, &step.config, step.has_head, step.format, limits)?;
    noted.listen();
    batch_of(step, |batch| model.step(batch).map(drop))?;
    let measure = |group: &Group| -> Result<KernelReport, BenchError> {
        let microseconds = noted.seconds(stopwatch, group)? * 1e6;
        let work = work(step, group);
        let floor_microseconds = work.floor(ceilings) * 1e6;
        Ok(KernelReport {
            name: group.kernel.clone(),
            grid: Some(group.grid),
            count: group.count(),
            microseconds: Some(microseconds),
            share: Some(floor_microseconds / microseconds),
            ..KernelReport::of(step, work, floor_microseconds)
        })
    };
    noted.heard().iter().map(measure).collect()
}

/// What one launch must do.
pub(super) fn work(step: &Step, group: &Group) -> Work {
    let part = |name| {
        let part = step.parts().into_iter().find(|part| part.name == name);
        part.map_or_else(Work::default, |part| part.work)
    };
    match group.kernel.split('_').next() {
        Some("embed") => part("embedding"),
        Some("attend") => step.attention(),
        Some("sample") => part("sampling"),
        // Whatever reads weights multiplies by them; what reads none has work that may stay on the chip.
        _ => {
            let bytes = group.weight_bytes as usize / group.count();
            let is_head = step.parts().iter().any(|part| part.name == "head" && part.weights == bytes);
            let rows = if is_head { step.sequences } else { step.rows() };
            let weights = bytes * GROUP / weight_bytes(step.format, 1, GROUP);
            Work { bytes, operations: 2 * rows * weights }
        }
    }
}
