//! Launches that are recorded and replayed, and what the simulated device refuses about them.

use super::device::{get, put};
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, DriverError, Shape};
use crate::backend::cuda::simulator::{Checks, Memory, Simulator};
use half::f16;

/// Rounds the first values.
fn narrow(device: &Simulator, from: &Memory, to: &Memory, count: usize) -> Result<(), DriverError> {
    let [from, to] = [from, to].map(Simulator::address);
    let arguments = Arguments::new().pointer(from).pointer(to).int(count);
    device.launch("narrow_f16", Shape::new([1, 1, 1], 256), &arguments)
}

#[test]
fn a_replay_runs_the_recorded_launches_on_what_their_memory_holds_now() {
    let device = Simulator::new(Checks::Memory);
    let (from, to) = (put(&device, &[1.0_f32, 2.0]), put(&device, &[f16::ZERO; 2]));
    device.begin_recording().expect("nothing is recorded yet");
    narrow(&device, &from, &to, 2).expect("it is noted");
    let graph = device.end_recording().expect("a launch");
    assert_eq!(get::<f16>(&device, &to).expect("memory"), [f16::ZERO; 2], "nothing has run");
    for values in [[1.0_f32, 2.0], [3.0, -0.5]] {
        device.write(&from, 0, values.map(f32::to_le_bytes).as_flattened()).expect("room");
        device.replay(&graph).expect("a launch");
        assert_eq!(get::<f16>(&device, &to).expect("memory"), values.map(f16::from_f32));
    }
}

#[test]
fn nothing_but_launches_can_be_recorded() {
    let device = Simulator::new(Checks::Plain);
    let memory = put(&device, &[1_u32, 2]);
    let mut pinned = device.pin(8).expect("host memory");
    device.begin_recording().expect("nothing is recorded yet");
    let refusals = [
        device.begin_recording().err(),
        device.allocate(8).err(),
        device.write(&memory, 0, &[0; 4]).err(),
        device.read(&memory, 0, &mut [0; 4]).err(),
        device.clear(&memory).err(),
        device.copy(&memory, 0, 4, 4).err(),
        device.pin(8).err(),
        device.send(&[1], &mut pinned, &memory).err(),
        device.fetch(&memory, 4, &mut pinned).err(),
        device.fetched(&pinned).err(),
    ];
    for refusal in refusals {
        let refusal = refusal.expect("a refusal").to_string();
        assert!(refusal.ends_with("launches are recorded, and nothing else may be asked for"), "{refusal}");
    }
    device.end_recording().expect("an empty recording");
    assert_eq!(get::<u32>(&device, &memory).expect("memory"), [1, 2], "nothing was done");
    assert_eq!(device.end_recording().map(drop).expect_err("it has ended").reason, "nothing is recorded");
}

#[test]
fn memory_that_is_freed_spoils_what_was_recorded() {
    let device = Simulator::new(Checks::Plain);
    let (from, to) = (put(&device, &[1.0_f32]), put(&device, &[f16::ZERO]));
    device.begin_recording().expect("nothing is recorded yet");
    narrow(&device, &from, &to, 1).expect("it is noted");
    let graph = device.end_recording().expect("a launch");
    let address = Simulator::address(&from);
    drop(from);
    // Memory of the same size would lie there again.
    let others: Vec<_> = (0..100).map(|_| put(&device, &[1.0_f32])).collect();
    assert!(others.iter().all(|other| Simulator::address(other) != address));
    let refusal = device.replay(&graph).expect_err("the address has gone").reason;
    assert_eq!(refusal, "narrow_f16 is given the address of memory that is not alive");

    device.begin_recording().expect("nothing is recorded");
    drop(to);
    let refusal = device.end_recording().map(drop).expect_err("it is spoiled").reason;
    assert_eq!(refusal, "memory was freed while launches were recorded");
}

#[test]
fn what_is_sent_and_fetched_arrives() {
    let device = Simulator::new(Checks::Memory);
    let memory = put(&device, &[0_u32; 4]);
    let (mut there, mut back) = (device.pin(12).expect("memory"), device.pin(16).expect("memory"));
    for words in [[1, 2, 3], [7, 8, 9]] {
        device.send(&words, &mut there, &memory).expect("room");
        device.fetch(&memory, 8, &mut back).expect("room");
        let fetched = device.fetched(&back).expect("two words");
        assert_eq!(fetched, words.map(u32::to_le_bytes)[..2].as_flattened());
    }
    assert_eq!(get::<u32>(&device, &memory).expect("memory"), [7, 8, 9, 0]);
}
