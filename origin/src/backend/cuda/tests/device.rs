//! What the tests of kernels have in common: devices, and arrays on them.

use crate::backend::cuda::driver::{Driver, DriverError};
use crate::backend::cuda::simulator::{Checks, Memory, SCHEDULES, Simulator};
use half::f16;

/// Runs a case in the plain simulator under every schedule, and under the sanitizers.
pub(super) fn everywhere(case: impl Fn(&Simulator)) {
    let plain = Simulator::new(Checks::Plain);
    for schedule in 0..SCHEDULES {
        plain.schedule(schedule);
        case(&plain);
    }
    case(&Simulator::new(Checks::Memory));
    case(&Simulator::new(Checks::Races));
}

/// A number that a kernel reads or writes.
pub(super) trait Number: Copy {
    const BYTES: usize;
    fn bytes(self) -> impl AsRef<[u8]>;
    fn from(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($type:ty) => {
        impl Number for $type {
            const BYTES: usize = size_of::<$type>();
            fn bytes(self) -> impl AsRef<[u8]> {
                self.to_le_bytes()
            }
            fn from(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    };
}

number!(u8);
number!(f32);
number!(u32);
number!(f16);

/// An array on the device.
pub(super) fn put<T: Number>(device: &Simulator, values: &[T]) -> Memory {
    let bytes: Vec<_> = values.iter().flat_map(|value| value.bytes().as_ref().to_vec()).collect();
    let memory = device.allocate(bytes.len()).expect("memory");
    device.write(&memory, 0, &bytes).expect("room");
    memory
}

/// Its values.
pub(super) fn get<T: Number>(device: &Simulator, memory: &Memory) -> Result<Vec<T>, DriverError> {
    let mut bytes = vec![0; Simulator::size(memory)];
    device.read(memory, 0, &mut bytes)?;
    Ok(bytes.chunks_exact(T::BYTES).map(T::from).collect())
}

/// Numbers between -1 and 1 that follow no pattern of the kernels'.
pub(super) fn wave(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 17 + seed * 31) as f32 * 0.37).sin()).collect()
}
