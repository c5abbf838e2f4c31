//! What the launches of a step leave for one another, in device memory.

use super::cache::slices;
use super::driver::{Driver, DriverError};
use super::product;
use super::room::{Room, Zeros};
use super::tiles::{PART_VECTORS_MAX, SPLIT_TOKENS};
use super::weights::Operand;
use crate::backend::StepLimits;
use crate::model::config::ModelConfig;

/// Activations between those of the residual stream, and the parts of attention.
pub(super) struct Scratch<D: Driver> {
    /// Normalised rows, `(rows, dim)`, in the type that a product multiplies.
    pub(super) normalised: Room<D>,
    /// Queries, keys and values, `(rows, (heads + 2 kv_heads) * head_dim)`, f32.
    pub(super) qkv: Room<D>,
    /// What attention gives, `(rows, heads * head_dim)`, in the type that the output's product multiplies.
    pub(super) attended: Room<D>,
    /// The gate's product where it is a launch of its own, `(rows, hidden)`, f32.
    pub(super) gate: Room<D>,
    /// Behind the gate, `(rows, hidden)`, in the type that the last product multiplies.
    pub(super) hidden: Room<D>,
    /// Sums of slices that several blocks of a product leave.
    pub(super) sums: Room<D>,
    /// Attention to contexts that are split.
    pub(super) parts: Room<D>,
    /// How many of a context's parts are there, `(tiles, kv_heads * slices)`.
    pub(super) arrivals: Zeros<D>,
}

/// Bytes of each for the largest step.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScratchBytes {
    normalised: usize,
    qkv: usize,
    attended: usize,
    gate: usize,
    hidden: usize,
    sums: usize,
    parts: usize,
    arrivals: usize,
}

impl ScratchBytes {
    pub(super) fn new(model: &ModelConfig, limits: StepLimits) -> Self {
        let rows = limits.rows_max();
        let part_vectors = if limits.context > SPLIT_TOKENS { PART_VECTORS_MAX } else { 0 };
        let slices = slices(model.head_dim);
        let qkv_width = model.query_width() + 2 * model.kv_width();
        let widest = (2 * model.hidden).max(qkv_width).max(model.vocab);
        Self {
            normalised: rows * model.dim * Operand::BYTES,
            qkv: rows * qkv_width * size_of::<f32>(),
            attended: rows * model.query_width() * Operand::BYTES,
            gate: rows * model.hidden * size_of::<f32>(),
            hidden: rows * model.hidden * Operand::BYTES,
            sums: product::shared_sums_max(rows, widest) * size_of::<f32>(),
            parts: part_vectors * (model.head_dim + 2 * slices) * size_of::<f32>(),
            // A counter has the parts of two splits at least.
            arrivals: part_vectors / 2 * slices * size_of::<u32>(),
        }
    }

    pub(super) fn each(self) -> [usize; 8] {
        let Self { normalised, qkv, attended, gate, hidden, sums, parts, arrivals } = self;
        [normalised, qkv, attended, gate, hidden, sums, parts, arrivals]
    }
}

impl<D: Driver> Default for Scratch<D> {
    fn default() -> Self {
        let room = Room::default;
        Self {
            normalised: room(),
            qkv: room(),
            attended: room(),
            gate: room(),
            hidden: room(),
            sums: room(),
            parts: room(),
            arrivals: Zeros::default(),
        }
    }
}

impl<D: Driver> Scratch<D> {
    /// Sets aside what the largest step takes.
    pub(super) fn reserve(&mut self, driver: &D, bytes: ScratchBytes) -> Result<(), DriverError> {
        let rooms = [
            (&mut self.normalised, bytes.normalised, "normalised rows"),
            (&mut self.qkv, bytes.qkv, "queries, keys and values"),
            (&mut self.attended, bytes.attended, "what attention gives"),
            (&mut self.gate, bytes.gate, "the gates of feed-forward layers"),
            (&mut self.hidden, bytes.hidden, "feed-forward layers"),
            (&mut self.sums, bytes.sums, "products of several blocks"),
            (&mut self.parts, bytes.parts, "attention to long contexts"),
        ];
        for (room, bytes, purpose) in rooms {
            room.hold(driver, bytes).map_err(|error| error.meant_for(purpose))?;
        }
        let arrivals = self.arrivals.hold(driver, bytes.arrivals);
        arrivals.map(drop).map_err(|error| error.meant_for("attention to long contexts"))
    }
}
