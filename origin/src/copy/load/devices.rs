//! The devices that a setting names, opened.

use std::num::NonZeroUsize;

use super::WriterError;
use crate::backend::DeviceMemory;
use crate::backend::cpu::Cpu;
use crate::backend::cuda::{Cuda, Gpu};
use crate::settings::EngineSettings;
use crate::settings::device::Device;
use crate::settings::memory::memory_bytes;

/// A device to load the model on.
pub(crate) struct Opened<B> {
    /// Itself.
    pub(crate) backend: B,
    /// What weights, steps and KV cache may take a share of.
    pub(crate) memory: DeviceMemory,
    /// Opens it afresh after it failed, when nothing is left on it.
    pub(crate) reopen: Box<dyn FnMut() -> Result<B, WriterError> + Send>,
}

/// Where the model will run.
pub(super) enum Devices {
    /// One.
    Cpu(Vec<Opened<Cpu>>),
    /// At least one, all of the same kind.
    Gpus(Vec<Opened<Cuda<Gpu>>>),
}

impl Devices {
    /// Opens what the settings ask for.
    pub(super) fn open(settings: &EngineSettings) -> Result<Self, WriterError> {
        let gpus = match &settings.device {
            Device::Cpu => return Ok(Self::cpu(settings)),
            Device::Cuda(Some(ordinals)) => Cuda::open(ordinals)?,
            Device::Cuda(None) => Cuda::open_all()?,
            Device::Auto => match Cuda::open_all() {
                Ok(gpus) => gpus,
                Err(reason) => {
                    tracing::info!(%reason, "no GPU is used; the model runs on the CPU");
                    return Ok(Self::cpu(settings));
                }
            },
        };
        Ok(Self::Gpus(gpus.into_iter().map(opened).collect()))
    }

    fn cpu(settings: &EngineSettings) -> Self {
        let threads = NonZeroUsize::new(settings.threads).unwrap_or(NonZeroUsize::MIN);
        let reopen = Box::new(move || Ok(Cpu::new(threads)));
        let total = memory_bytes();
        // What other processes have may be theirs for a moment only; the system sees to that.
        let memory = DeviceMemory { total, free: total };
        Self::Cpu(vec![Opened { backend: Cpu::new(threads), memory, reopen }])
    }
}

fn opened(gpu: Cuda<Gpu>) -> Opened<Cuda<Gpu>> {
    let ordinal = gpu.ordinal();
    let reopen = Box::new(move || Ok(Cuda::reopen(ordinal)?));
    Opened { memory: gpu.memory(), backend: gpu, reopen }
}
