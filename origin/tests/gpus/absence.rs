//! GPUs that cannot be used: one line says why.

use crate::driver::FakeDriver;
use crate::origin::Start;

/// Asserts that the origin ends with one line about its model, which holds these words.
fn assert_refused(start: Start, words: &str) {
    let said = start.refused();
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("origin: ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("origin: the model cannot be loaded: "), "{said}");
    assert!(lines[0].contains(words), "{words:?} is missing from: {said}");
    assert!(!said.contains("a panic"), "{said}");
}

#[test]
fn whatever_function_a_driver_lacks_is_named() {
    let functions = FakeDriver::functions();
    assert!(functions.len() > 30, "{functions:?}");
    for function in functions {
        let driver = FakeDriver::without(&function);
        let words = format!("the CUDA driver has no function {function}; update it");
        assert_refused(Start::new(&driver, "cuda"), &words);
    }
}

#[test]
fn without_a_usable_driver_auto_takes_the_cpu() {
    let driver = FakeDriver::without("cuGraphInstantiateWithFlags");
    let origin = Start::new(&driver, "auto").ready();
    assert!(origin.said.contains("no GPU is used; the model runs on the CPU"), "{}", origin.said);
    assert!(origin.said.contains("has no function cuGraphInstantiateWithFlags"), "{}", origin.said);
    assert_eq!(origin.write().0, 200);
}

#[test]
fn a_driver_that_does_not_know_the_kernels_is_to_be_updated() {
    let driver = FakeDriver::whole();
    let start = Start::new(&driver, "cuda").variable("FAKE_OLD", "1").variable("FAKE_VERSION", "12020");
    assert_refused(start, "the CUDA driver, for CUDA 12.2, does not load kernels compiled by CUDA 13.");
}

#[test]
fn a_device_of_a_generation_without_kernels_is_told_from_one_that_is_too_old() {
    let driver = FakeDriver::whole();
    let of = |capability| Start::new(&driver, "cuda").variable("FAKE_CAPABILITIES", capability);
    assert_refused(of("75"), "Fake GPU as cuda:0 has compute capability 7.5; 8.0 is needed");
    let new = of("100").variable("ADLIB_NVRTC", "/no/such/compiler.so");
    let words = "no kernels are built in for Fake GPU as cuda:0 (compute capability 10.0), and they cannot be compiled: \
        cannot load the CUDA compiler /no/such/compiler.so";
    assert_refused(new, words);
}

#[test]
fn devices_that_are_not_there_or_not_alike_are_refused() {
    let driver = FakeDriver::whole();
    let on = |device, capabilities| Start::new(&driver, device).variable("FAKE_CAPABILITIES", capabilities);
    assert_refused(on("cuda:0,2", "80 80"), "the CUDA driver finds no device 2 among 2");
    assert_refused(on("cuda", ""), "the CUDA driver finds no device 0 among 0");
    assert_refused(
        on("cuda:0,1", "80 90"),
        "Fake GPU as cuda:0 and Fake GPU as cuda:1 differ in compute capability",
    );
}
