//! Rotary position embedding: the angles of every position, computed once.

use super::BackendError;
use crate::model::config::{Rope, RopeScaling};
use std::f64::consts::TAU;

/// Cosines and sines, `(positions, head_dim / 2)` each.
#[derive(Debug)]
pub(crate) struct RopeTable {
    /// Angles of one position.
    pub(crate) half: usize,
    pub(crate) cosines: Vec<f32>,
    pub(crate) sines: Vec<f32>,
}

impl RopeTable {
    /// The table for positions below `positions`.
    pub(crate) fn new(rope: &Rope, head_dim: usize, positions: usize) -> Result<Self, BackendError> {
        let frequencies = frequencies(rope, head_dim)?;
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (sines, cosines) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        Ok(Self { half: head_dim / 2, cosines, sines })
    }
}

/// Radians a position, `(head_dim / 2)`.
fn frequencies(rope: &Rope, head_dim: usize) -> Result<Vec<f64>, BackendError> {
    let plain = (0..head_dim / 2).map(|i| f64::from(rope.theta).powf(-2.0 * i as f64 / head_dim as f64));
    Ok(match &rope.scaling {
        RopeScaling::None => plain.collect(),
        RopeScaling::Linear { factor } => plain.map(|frequency| frequency / f64::from(*factor)).collect(),
        RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } => {
            let (low, high) = (f64::from(*low_frequency_factor), f64::from(*high_frequency_factor));
            let stretch = |frequency: f64| {
                // How often the frequency turns within the original context.
                let turns = *original_context as f64 * frequency / TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                kept * frequency + (1.0 - kept) * frequency / f64::from(*factor)
            };
            plain.map(stretch).collect()
        }
        RopeScaling::Divisors(divisors) if divisors.len() == head_dim / 2 => {
            plain.zip(divisors).map(|(frequency, &divisor)| frequency / f64::from(divisor)).collect()
        }
        RopeScaling::Divisors(divisors) => {
            return Err(BackendError::Divisors { count: divisors.len(), head_dim });
        }
    })
}
