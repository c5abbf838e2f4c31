//! `origin selftest` and `origin bench` as processes. The device computes nothing, which a selftest must notice.

use std::process::{Command, Output};

use crate::driver::FakeDriver;
use serde_json::Value;

fn origin(arguments: &[&str], driver: Option<&FakeDriver>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_origin"));
    let folder = tempfile::tempdir().unwrap();
    command.env_clear().env("XDG_CACHE_HOME", folder.path()).args(arguments);
    if let Some(driver) = driver {
        command.env("LD_LIBRARY_PATH", driver.folder()).env("ADLIB_NVRTC", driver.library());
    }
    command.output().unwrap()
}

#[test]
fn a_device_that_computes_nothing_fails_its_selftest() {
    let driver = FakeDriver::whole();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("tiny.gguf");
    adlib_origin::model::tiny::write(&model, 1).unwrap();
    let output = origin(&["selftest", "--json", "--model", model.to_str().unwrap()], Some(&driver));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["device"], &report["passed"]), (&"cuda (Fake GPU as cuda:0)".into(), &false.into()));
    let faults = |part: &str| {
        let trials = report[part].as_array().unwrap().iter();
        trials.map(|trial| !trial["fault"].is_null()).collect::<Vec<_>>()
    };
    // Memory is kept; nothing else is as it should be.
    assert_eq!(report["kernels"][0]["kernel"], "memory");
    assert!(
        !faults("kernels")[0] && faults("kernels").iter().filter(|fault| **fault).count() > 8,
        "{report}"
    );
    assert_eq!(faults("models"), [true; 4], "{report}");
}

#[test]
fn without_a_device_one_line_says_so() {
    let driver = FakeDriver::without("cuInit");
    for arguments in [&["selftest"][..], &["bench"], &["selftest", "--device", "cuda:3", "--json"]] {
        let output = origin(arguments, Some(&driver));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{said}");
        assert_eq!(said, "origin: the CUDA driver has no function cuInit; update it\n");
    }
}

#[test]
fn a_dry_run_needs_no_device() {
    let output = origin(&["bench", "--dry-run", "--json", "--shapes", "smollm2-135m"], None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["is_computed"], true);
    assert_eq!(report["models"].as_array().unwrap().len(), 3 * 4 * 2);
}
