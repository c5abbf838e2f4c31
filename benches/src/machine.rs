//! What a measurement ran on.

use std::fs;
use std::num::NonZeroUsize;
use std::thread;

/// Logical processors that this process may use.
pub fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The processor's name and how many of it this process may use.
pub fn description() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    format!("{} × {name}", processors())
}
