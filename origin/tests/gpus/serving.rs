//! Several devices, and one of them that fails.

use crate::driver::FakeDriver;
use crate::origin::Start;

/// Fake devices on which an origin has loaded its model, by the names of their backends.
fn used(device: &str, capabilities: &str) -> Vec<usize> {
    let driver = FakeDriver::whole();
    let origin = Start::new(&driver, device).variable("FAKE_CAPABILITIES", capabilities).ready();
    (0..4)
        .filter(|number| origin.said.contains(&format!("\"backend\":\"cuda (Fake GPU as cuda:{number})\"")))
        .collect()
}

#[test]
fn the_devices_that_are_meant_are_used() {
    assert_eq!(used("cuda", "80 80 80"), [0, 1, 2]);
    assert_eq!(used("auto", "80 80"), [0, 1]);
    assert_eq!(used("cuda:2,0", "80 80 80"), [0, 2]);
    // One that is too old is not used, nor one of another kind than the first.
    assert_eq!(used("cuda", "75 80 90 80"), [1, 3]);
}

#[test]
fn a_failed_device_is_opened_afresh_while_the_other_one_serves() {
    let driver = FakeDriver::whole();
    let mut origin = Start::new(&driver, "cuda").variable("FAKE_CAPABILITIES", "80 80").ready();
    // What launches would compute is missing, so the copy is what it is; but it is written.
    assert_ne!(origin.write().0, 503);

    origin.lose(0);
    let (status, body) = origin.write();
    assert!(status == 503 && body.contains("origin_unavailable"), "{status}: {body}");
    assert_eq!(origin.get("/readyz").0, 200);
    assert_ne!(origin.write().0, 503);
    assert!(origin.has("adlib_engine_serving{replica=\"0\"} 0"));

    origin.repair();
    origin.until("adlib_engine_restarts_total{replica=\"0\"} 1");
    origin.line_with("device 0 is reset with 0 users and 0 allocations");
    origin.line_with("the engine serves again");
    assert!(origin.said.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{}", origin.said);
    assert!(origin.has("adlib_engine_restarts_total{replica=\"1\"} 0"));
    assert_ne!(origin.write().0, 503);
}

#[test]
fn an_only_device_that_fails_leaves_the_service_not_ready_until_it_is_back() {
    let driver = FakeDriver::whole();
    let mut origin = Start::new(&driver, "cuda:0").ready();
    origin.lose(0);
    assert_eq!(origin.write().0, 503);
    let (status, reasons) = origin.get("/readyz");
    assert!(
        status == 503 && reasons.contains("engine 0 is being started anew: Fake GPU as cuda:0: "),
        "{reasons}"
    );
    origin.repair();
    origin.line_with("the engine serves again");
    assert_eq!(origin.get("/readyz").0, 200);
    assert_ne!(origin.write().0, 503);
}
