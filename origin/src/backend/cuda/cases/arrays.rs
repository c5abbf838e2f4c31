//! Arrays on a device.

use crate::backend::cuda::driver::{Driver, DriverError};
use half::f16;

/// A number that a kernel reads or writes.
pub(crate) trait Number: Copy {
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

/// An array on the device, exactly as large as it is, so that the sanitizer finds a read past its end.
pub(crate) fn put<D: Driver, T: Number>(device: &D, values: &[T]) -> Result<D::Memory, DriverError> {
    let bytes: Vec<_> = values.iter().flat_map(|value| value.bytes().as_ref().to_vec()).collect();
    let memory = device.allocate(bytes.len())?;
    device.write(&memory, 0, &bytes)?;
    Ok(memory)
}

/// Its values.
pub(crate) fn get<D: Driver, T: Number>(device: &D, memory: &D::Memory) -> Result<Vec<T>, DriverError> {
    let mut bytes = vec![0; D::size(memory)];
    device.read(memory, 0, &mut bytes)?;
    Ok(bytes.chunks_exact(T::BYTES).map(T::from).collect())
}

/// Numbers between -1 and 1 that follow no pattern of the kernels'.
pub(crate) fn wave(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 17 + seed * 31) as f32 * 0.37).sin()).collect()
}
