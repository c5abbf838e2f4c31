//! Faults put into the kernels, each of which the right check must find: the tests of the tests.

use crate::backend::cuda::cases::arrays::wave;
use crate::backend::cuda::cases::normalise::normalise;
use crate::backend::cuda::cases::product::product;
use crate::backend::cuda::operations::{PRODUCT_KERNELS, Then};
use crate::backend::cuda::simulator::{Checks, KernelMutation, SCHEDULES, Simulator};
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

/// Runs RMSNorm with a fault; the reason for which it fails.
fn fault_in_normalise(checks: Checks, text: &'static str, instead: &'static str) -> String {
    let mutation = KernelMutation { file: "normalise.cu", text, instead };
    let device = Simulator::mutated(checks, &mutation);
    let (stream, weight) = (wave(1, 3 * 576), wave(2, 576));
    normalise(&device, &stream, &[0, 2], &weight).expect_err("the fault is found").reason
}

/// Runs a product by one of the kernels, once or with a fault in the file; every schedule's outputs, or the reason for which
/// it fails.
fn multiply(
    checks: Checks,
    kernel: usize,
    mutation: Option<&KernelMutation>,
) -> Result<Vec<Vec<f32>>, String> {
    let device =
        mutation.map_or_else(|| Simulator::new(checks), |mutation| Simulator::mutated(checks, mutation));
    let matrix = Matrix::random(33, 288, 1, WeightFormat::F16);
    let schedules = if checks == Checks::Plain { SCHEDULES } else { 1 };
    let run = |schedule| {
        device.schedule(schedule);
        let outputs = product(&device, &PRODUCT_KERNELS[kernel], &matrix, &wave(1, 9 * 288), Then::Store);
        outputs.map(|outputs| outputs.0).map_err(|error| error.to_string())
    };
    (0..schedules).map(run).collect()
}

#[test]
fn a_missing_barrier_is_a_race() {
    let reason = fault_in_normalise(Checks::Races, "  __syncthreads();\n", "");
    assert!(reason.contains("ThreadSanitizer: data race"), "{reason}");
    for (kernel, file) in [(0, "product_few.cu"), (2, "product_many.cu")] {
        let mutation = KernelMutation { file, text: "__syncthreads();", instead: "" };
        let reason = multiply(Checks::Races, kernel, Some(&mutation)).expect_err("the fault is found");
        assert!(reason.contains("ThreadSanitizer: data race"), "{file}: {reason}");
    }
}

#[test]
fn a_barrier_that_not_every_thread_reaches_is_refused() {
    let some = "  if (threadIdx.x != 7) __syncthreads();\n";
    let reason = fault_in_normalise(Checks::Plain, "  __syncthreads();\n", some);
    assert!(reason.contains("the thread ends while others wait at __syncthreads"), "{reason}");
}

#[test]
fn a_collective_that_not_every_lane_reaches_is_refused() {
    let some = "  if (threadIdx.x % 2) sum = warp_sum(sum);\n";
    let reason = fault_in_normalise(Checks::Plain, "  sum = warp_sum(sum);\n", some);
    assert!(reason.contains("the block is stuck"), "{reason}");
}

#[test]
fn a_read_past_the_end_is_an_overflow() {
    let (text, instead) =
        ("i < width; i += NORMALISE_THREADS) sum", "i <= width; i += NORMALISE_THREADS) sum");
    let reason = fault_in_normalise(Checks::Memory, text, instead);
    assert!(reason.contains("AddressSanitizer: heap-buffer-overflow"), "{reason}");
    // A row past the last.
    let mutation = KernelMutation {
        file: "product_few.cu",
        text: "if (row < input.rows) {",
        instead: "if (row <= input.rows) {",
    };
    let reason = multiply(Checks::Memory, 0, Some(&mutation)).expect_err("the fault is found");
    assert!(reason.contains("AddressSanitizer: heap-buffer-overflow"), "{reason}");
}

#[test]
fn a_write_past_a_shared_array_is_an_overflow() {
    let (text, instead) = ("sums[threadIdx.x / WARP] = sum;", "sums[threadIdx.x / WARP + 1] = sum;");
    let reason = fault_in_normalise(Checks::Memory, text, instead);
    assert!(reason.contains("AddressSanitizer: use-after-poison"), "{reason}");
}

#[test]
fn a_copy_that_is_not_waited_for_gives_another_result_in_some_schedule() {
    let mutation = KernelMutation {
        file: "product_many.cu",
        text: "copy_async_wait<STAGES - 2>();",
        instead: "if (step + 1 < steps) copy_async_wait<STAGES - 1>(); else copy_async_wait<0>();",
    };
    let right = multiply(Checks::Plain, 2, None).expect("no fault");
    assert!(right.iter().all(|outputs| *outputs == right[0]), "every schedule gives the same result");
    let wrong = multiply(Checks::Plain, 2, Some(&mutation)).expect("a result, if a wrong one");
    assert!(wrong.iter().any(|outputs| *outputs != right[0]), "no schedule shows the fault");
}

#[test]
fn a_copy_that_nobody_waits_for_is_refused() {
    let mutation =
        KernelMutation { file: "product_many.cu", text: "copy_async_wait<STAGES - 2>();", instead: "" };
    let reason = multiply(Checks::Plain, 2, Some(&mutation)).expect_err("the fault is found");
    assert!(reason.contains("the thread ends while its cp.async are under way"), "{reason}");
}
