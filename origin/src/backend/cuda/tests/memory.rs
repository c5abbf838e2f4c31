//! The simulated device itself.

use super::device::{get, put};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, Shape};
use crate::backend::cuda::simulator::{Checks, Simulator};

#[test]
fn memory_keeps_what_is_written_and_copied() {
    let device = Simulator::new(Checks::Memory);
    let memory = put(&device, &[1_u32, 2, 3, 4]);
    device.write(&memory, 4, &7_u32.to_le_bytes()).expect("room");
    device.copy(&memory, 0, 8, 8).expect("room");
    assert_eq!(get::<u32>(&device, &memory).expect("it is there"), [1, 7, 1, 7]);
}

#[test]
fn a_launch_that_a_device_would_refuse_is_refused() {
    let refused = |kernel, shape, arguments: Arguments| {
        let device = Simulator::new(Checks::Plain);
        device.launch(kernel, shape, &arguments).expect_err("a refusal").reason
    };
    let narrow = || Arguments::new().pointer(0).pointer(0).int(0);
    let shape = Shape::new([1, 1, 1], 256);
    assert_eq!(refused("nothing", shape, narrow()), "there is no kernel nothing");
    assert_eq!(refused("narrow_f16", shape, narrow().float(1.0)), "narrow_f16 takes ppi and was given ppif");
    let wide = Shape::new([1, 1, 1], 257);
    assert_eq!(
        refused("narrow_f16", wide, narrow()),
        "narrow_f16: blocks of 257 threads; it is built for up to 256"
    );
    let greedy = Shape { shared_bytes: (227 << 10) + 1, ..shape };
    assert_eq!(refused("narrow_f16", greedy, narrow()), "narrow_f16: 232449 bytes of dynamic shared memory");
    let none = Shape::new([0, 1, 1], 256);
    assert_eq!(refused("narrow_f16", none, narrow()), "narrow_f16: a grid of 0 blocks");
}
