//! What the steps of a model take on the device beside weights, activations and cache, set aside before the first of them:
//! recorded launches hold addresses, so nothing may move.

use super::Cuda;
use super::driver::{Driver, DriverError};
use super::plan;
use super::room::rounded_up;
use super::sampling;
use super::scratch::ScratchBytes;
use super::tiles::Sharing;
use crate::backend::StepLimits;
use crate::model::config::ModelConfig;

/// Sizes for a model and its largest step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reservation {
    limits: StepLimits,
    vocab: usize,
    /// What launches leave for one another.
    scratch: ScratchBytes,
    /// Words of the plan.
    plan: usize,
    /// Bytes of the cache's sines and cosines.
    angles: usize,
}

impl Reservation {
    pub(super) fn new(model: &ModelConfig, limits: StepLimits) -> Self {
        let sharing = Sharing { group: model.heads / model.kv_heads, kv_heads: model.kv_heads };
        let lists = limits.sequences * sampling::list_words_max(model.vocab, limits.context);
        Self {
            limits,
            vocab: model.vocab,
            scratch: ScratchBytes::new(model, limits),
            plan: plan::words_max(limits, sharing, lists),
            angles: limits.context * model.head_dim * size_of::<f32>(),
        }
    }

    /// Bytes on the device, those included that the cache allocates.
    pub(super) fn bytes(&self) -> u64 {
        let sequences = self.limits.sequences;
        let rooms = [
            self.plan * size_of::<u32>(),
            sampling::scratch_bytes(sequences, self.vocab),
            sampling::found_bytes(sequences),
            self.angles,
        ];
        rooms.into_iter().chain(self.scratch.each()).map(rounded_up).sum::<usize>() as u64
    }
}

impl<D: Driver> Cuda<D> {
    /// Sets it aside.
    pub(super) fn set_aside(&mut self, sizes: Reservation) -> Result<(), DriverError> {
        let Self { driver, scratch, plan, sampler, .. } = self;
        scratch.reserve(driver, sizes.scratch)?;
        plan.reserve(driver, sizes.plan).map_err(|error| error.meant_for("plans of steps"))?;
        let sampled = sampler.reserve(driver, sizes.limits.sequences, sizes.vocab);
        sampled.map_err(|error| error.meant_for("sampling"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::backend::cuda::simulator::{Checks, Simulator};
    use crate::model::config::{Rope, RopeScaling};

    #[test]
    fn what_is_set_aside_is_what_was_counted() {
        let device = Simulator::new(Checks::Plain);
        let mut cuda = Cuda::new(device.clone());
        let model = ModelConfig {
            layers: 3,
            dim: 576,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            hidden: 1536,
            vocab: 30_001,
            context_max: 8192,
            norm_epsilon: 1e-5,
            rope: Rope { theta: 1e5, scaling: RopeScaling::None },
        };
        let step = StepLimits { tokens: 40, sequences: 9, context: 300 };
        cuda.reserve(&model, step).expect("memory");
        let sizes = Reservation::new(&model, step);
        // The cache's part comes with the cache.
        assert_eq!(device.used().1 + rounded_up(sizes.angles), sizes.bytes() as usize);
    }
}
