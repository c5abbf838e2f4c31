//! Where the model runs.

use std::str::FromStr;

/// What a device may be called.
pub const DEVICES: &str = "auto, cpu, cuda or cuda:N";

/// Where the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The first GPU where there is one that can be used, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number; an error where it cannot be used.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.strip_prefix("cuda:")?.parse().ok();
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => {
                number(other).map(Self::Cuda).ok_or_else(|| format!("'{other}' is no device; {DEVICES} are"))
            }
        }
    }
}
