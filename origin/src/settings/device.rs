//! Where the model runs.

use std::str::FromStr;

/// What a device may be called.
pub const DEVICES: &str = "auto, cpu, cuda, or cuda:N,N… with up to 16 GPUs, each once";

/// GPUs that may be named.
pub const GPUS_MAX: usize = 16;

/// Where the model runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// Every GPU that can be used and is of the first one's kind; the CPU where there is none.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPUs of these numbers, at least one; where none is named those of `Auto`. An error where they cannot be used.
    Cuda(Option<Vec<usize>>),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(None)),
            other => numbers(other)
                .map(|numbers| Self::Cuda(Some(numbers)))
                .ok_or_else(|| format!("'{other}' is no device; {DEVICES} are")),
        }
    }
}

/// The GPUs that are named, in the order given.
fn numbers(text: &str) -> Option<Vec<usize>> {
    let named = text.strip_prefix("cuda:")?.split(',');
    let numbers = named.map(|number| number.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let is_repeated = |index: usize| numbers[..index].contains(&numbers[index]);
    let is_fine = numbers.len() <= GPUS_MAX && !(0..numbers.len()).any(is_repeated);
    is_fine.then_some(numbers)
}

/// The number of a single GPU, where a setting names one; the first where it only says `cuda`.
pub fn one_gpu(text: &str) -> Result<usize, String> {
    match text.parse()? {
        Device::Cuda(None) => Ok(0),
        Device::Cuda(Some(numbers)) if numbers.len() == 1 => Ok(numbers[0]),
        _ => Err(format!("'{text}' is not one GPU; cuda and cuda:N are")),
    }
}
