//! What the simulated device refuses about launches that are recorded and replayed.

use crate::backend::cuda::cases::arrays::{get, put};
use crate::backend::cuda::cases::recording::look_up;
use crate::backend::cuda::driver::Driver;
use crate::backend::cuda::simulator::{Checks, Simulator};

#[test]
fn nothing_but_launches_can_be_recorded() {
    let device = Simulator::new(Checks::Plain);
    let memory = put(&device, &[1_u32, 2]).expect("memory");
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
    assert_eq!(get::<_, u32>(&device, &memory).expect("memory"), [1, 2], "nothing was done");
    assert_eq!(device.end_recording().map(drop).expect_err("it has ended").reason, "nothing is recorded");
}

#[test]
fn memory_that_is_freed_spoils_what_was_recorded() {
    let device = Simulator::new(Checks::Plain);
    let memory = |bytes| device.allocate(bytes).expect("memory");
    let (table, from, to) = (memory(1024), memory(4), memory(128));
    device.begin_recording().expect("nothing is recorded yet");
    look_up(&device, [&table, &from, &to], 1).expect("it is noted");
    let graph = device.end_recording().expect("a launch");
    let address = Simulator::address(&from);
    drop(from);
    // Memory of the same size would lie there again.
    let others: Vec<_> = (0..100).map(|_| memory(4)).collect();
    assert!(others.iter().all(|other| Simulator::address(other) != address));
    let refusal = device.replay(&graph).expect_err("the address has gone").reason;
    assert_eq!(refusal, "embed_f16 is given the address of memory that is not alive");

    device.begin_recording().expect("nothing is recorded");
    drop(to);
    let refusal = device.end_recording().map(drop).expect_err("it is spoiled").reason;
    assert_eq!(refusal, "memory was freed while launches were recorded");
}
