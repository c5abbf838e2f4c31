//! The work of each route.

pub mod blocks;
pub mod catalog;
pub mod check;
pub mod copy;
pub mod health;
pub mod keys;
pub mod purge;
pub mod stats;
pub mod stored;
