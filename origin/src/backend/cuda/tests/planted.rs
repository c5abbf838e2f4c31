//! Faults put into the kernels, each of which the right check must find: the tests of the tests.

use super::device::wave;
use super::normalise::normalise;
use crate::backend::cuda::simulator::{Checks, KernelMutation, Simulator};

/// The reason for which a faulty RMSNorm fails.
fn fault(checks: Checks, text: &'static str, instead: &'static str) -> String {
    let mutation = KernelMutation { file: "normalise.cu", text, instead };
    let device = Simulator::mutated(checks, &mutation);
    let (stream, weight) = (wave(1, 3 * 576), wave(2, 576));
    normalise(&device, &stream, &[0, 2], &weight).expect_err("the fault is found").reason
}

#[test]
fn a_missing_barrier_is_a_race() {
    let reason = fault(Checks::Races, "  __syncthreads();\n", "");
    assert!(reason.contains("ThreadSanitizer: data race"), "{reason}");
}

#[test]
fn a_barrier_that_not_every_thread_reaches_is_refused() {
    let reason = fault(Checks::Plain, "  __syncthreads();\n", "  if (threadIdx.x != 7) __syncthreads();\n");
    assert!(reason.contains("the thread ends while others wait at __syncthreads"), "{reason}");
}

#[test]
fn a_read_past_the_end_is_an_overflow() {
    let reason = fault(
        Checks::Memory,
        "i < width; i += NORMALISE_THREADS) sum",
        "i <= width; i += NORMALISE_THREADS) sum",
    );
    assert!(reason.contains("AddressSanitizer: heap-buffer-overflow"), "{reason}");
}

#[test]
fn a_write_past_a_shared_array_is_an_overflow() {
    let reason =
        fault(Checks::Memory, "sums[threadIdx.x / WARP] = sum;", "sums[threadIdx.x / WARP + 1] = sum;");
    assert!(reason.contains("AddressSanitizer: use-after-poison"), "{reason}");
}
