//! Faults put into the kernels, each of which the right check must find: the tests of the tests.

use crate::backend::cuda::Cuda;
use crate::backend::cuda::cases;
use crate::backend::cuda::cases::arrays::{put, wave};
use crate::backend::cuda::cases::normalise::normalise;
use crate::backend::cuda::cases::product::{alone, product};
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::product::{Input, NORMALISED_KERNEL, PRODUCT_KERNELS, Part, Stream, Then};
use crate::backend::cuda::simulator::{Checks, KernelMutation, SCHEDULES, Simulator};
use crate::backend::{Backend, Norm};
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

/// Runs RMSNorm with a fault; the reason for which it fails.
fn fault_in_normalise(
    checks: Checks,
    file: &'static str,
    text: &'static str,
    instead: &'static str,
) -> String {
    let mutation = KernelMutation { file, text, instead };
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
        let outputs =
            product(&device, alone(&PRODUCT_KERNELS[kernel]), &[&matrix], &wave(1, 9 * 288), Then::Store);
        outputs.map(|outputs| outputs.0).map_err(|error| error.to_string())
    };
    (0..schedules).map(run).collect()
}

#[test]
fn a_missing_barrier_is_a_race() {
    let reason = fault_in_normalise(Checks::Races, "normalise.cu", "  __syncthreads();\n", "");
    assert!(reason.contains("ThreadSanitizer: data race"), "{reason}");
    for (kernel, file, text) in [
        (0, "product_few.cu", "    shared.share(sums);\n    __syncthreads();"),
        (0, "product_few.cu", "if (!is_last) __syncthreads();"),
        (2, "product_many.cu", "__syncthreads();"),
    ] {
        let instead = if text.contains("share") { "    shared.share(sums);" } else { "" };
        let mutation = KernelMutation { file, text, instead };
        let reason = multiply(Checks::Races, kernel, Some(&mutation)).expect_err("the fault is found");
        assert!(reason.contains("ThreadSanitizer: data race"), "{file}: {reason}");
    }
}

#[test]
fn a_barrier_that_not_every_thread_reaches_is_refused() {
    let some = "  if (threadIdx.x != 7) __syncthreads();\n";
    let reason = fault_in_normalise(Checks::Plain, "normalise.cu", "  __syncthreads();\n", some);
    assert!(reason.contains("the thread ends while others wait at __syncthreads"), "{reason}");
}

#[test]
fn a_collective_that_not_every_lane_reaches_is_refused() {
    let some = "  if (threadIdx.x % 2) sum = warp_sum(sum);\n";
    let reason = fault_in_normalise(Checks::Plain, "normalise.cuh", "  sum = warp_sum(sum);\n", some);
    assert!(reason.contains("the block is stuck"), "{reason}");
}

#[test]
fn a_read_past_the_end_is_an_overflow() {
    let (text, instead) = (
        "i < width; i += NORMALISE_THREADS * 4) {\n    float4 four = *reinterpret_cast<const float4*>(x + i);\n",
        "i <= width; i += NORMALISE_THREADS * 4) {\n    float4 four = *reinterpret_cast<const float4*>(x + i);\n",
    );
    let reason = fault_in_normalise(Checks::Memory, "normalise.cuh", text, instead);
    assert!(reason.contains("AddressSanitizer: heap-buffer-overflow"), "{reason}");
    // A row past the last.
    let mutation = KernelMutation {
        file: "product_few.cu",
        text: "is_there[tile] = row < input.rows;",
        instead: "is_there[tile] = row <= input.rows;",
    };
    let reason = multiply(Checks::Memory, 0, Some(&mutation)).expect_err("the fault is found");
    assert!(reason.contains("AddressSanitizer: heap-buffer-overflow"), "{reason}");
}

#[test]
fn a_write_past_a_shared_array_is_an_overflow() {
    let (text, instead) = ("sums[threadIdx.x / WARP] = sum;", "sums[threadIdx.x / WARP + 1] = sum;");
    let reason = fault_in_normalise(Checks::Memory, "normalise.cuh", text, instead);
    assert!(reason.contains("AddressSanitizer: use-after-poison"), "{reason}");
}

/// Where the kernels for many rows wait for the operands of a step.
const WAIT: &str = "copy_async_wait<AHEAD - 1>();";

#[test]
fn a_copy_that_is_not_waited_for_gives_another_result_in_some_schedule() {
    let mutation = KernelMutation {
        file: "product_many.cu",
        text: WAIT,
        instead: "if (step + 1 < last) copy_async_wait<AHEAD>(); else copy_async_wait<0>();",
    };
    let right = multiply(Checks::Plain, 2, None).expect("no fault");
    assert!(right.iter().all(|outputs| *outputs == right[0]), "every schedule gives the same result");
    let wrong = multiply(Checks::Plain, 2, Some(&mutation)).expect("a result, if a wrong one");
    assert!(wrong.iter().any(|outputs| *outputs != right[0]), "no schedule shows the fault");
}

#[test]
fn a_copy_that_nobody_waits_for_is_refused() {
    let mutation = KernelMutation { file: "product_many.cu", text: WAIT, instead: "" };
    let reason = multiply(Checks::Plain, 2, Some(&mutation)).expect_err("the fault is found");
    assert!(reason.contains("the thread ends while its cp.async are under way"), "{reason}");
}

/// A product that normalises rows, twice, with faults in their launches' waiting.
fn fault_in_waiting(checks: Checks, text: &'static str, instead: &'static str) -> String {
    let mutation = KernelMutation { file: "product_few.cu", text, instead };
    let device = &Simulator::mutated(checks, &mutation);
    let mut cuda = Cuda::new(device.clone());
    let matrix = cuda.matrix(Matrix::random(32, 32, 1, WeightFormat::F16)).expect("a matrix");
    let norm = Norm { weight: cuda.vector(wave(1, 32)).expect("a vector"), epsilon: 1e-5 };
    let stream = put(device, &wave(2, 32)).expect("memory");
    let address = Simulator::address(&stream);
    let rows = Stream { values: address, listed: 0, norm: &norm };
    let input = Input::Stream(&rows);
    // The second reads what the first adds to.
    let part = Part { values: address, operand: 0, stride: 32, then: Then::Add };
    let mut launch = |()| cuda.multiply_by(alone(&NORMALISED_KERNEL), &[&matrix], &input, 1, part);
    let result = launch(()).and_then(&mut launch).and_then(|()| device.read(&stream, 0, &mut [0; 4]));
    result.expect_err("the fault is found").reason
}

#[test]
fn activations_that_are_read_before_the_launch_that_writes_them_is_done_are_a_race() {
    let (text, instead) = (
        "  wait_for_launches();\n  const Rows<typename Format::Operand> rows = input();\n",
        "  const Rows<typename Format::Operand> rows = input();\n  wait_for_launches();\n",
    );
    let reason = fault_in_waiting(Checks::Races, text, instead);
    assert!(reason.contains("ThreadSanitizer: data race"), "{reason}");
}

#[test]
fn a_launch_that_does_not_wait_for_those_before_it_is_refused() {
    let reason = fault_in_waiting(Checks::Plain, "  wait_for_launches();\n", "");
    assert!(reason.contains("the thread ends before it has waited for the launches before"), "{reason}");
}

/// Attention with a fault; the reason for which one of its cases fails.
fn fault_in_attend(text: &'static str, instead: &'static str) -> String {
    let mutation = KernelMutation { file: "attend.cu", text, instead };
    let device = Simulator::mutated(Checks::Races, &mutation);
    let cases = cases::all().into_iter().filter(|case| case.subject == "attend");
    let error = cases.map(|case| (case.run)(&device)).find_map(Result::err);
    error.expect("the fault is found").to_string()
}

#[test]
fn what_a_warp_of_attention_reads_before_others_have_written_it_is_a_race() {
    for (text, instead) in [
        // The parts of a context, joined by the warp that is the last to arrive.
        ("  __syncwarp();\n  if (lane == 0) {", "  if (lane == 0) {"),
        // The row's own key and value.
        ("                  cache.values);\n    __syncwarp();\n", "                  cache.values);\n"),
    ] {
        let reason = fault_in_attend(text, instead);
        assert!(reason.contains("ThreadSanitizer: data race"), "{reason}");
    }
}
