//! Why there is no GPU.

/// Why there is no GPU to work with.
#[derive(Debug, thiserror::Error)]
pub enum GpuAbsence {
    /// No libcuda.
    #[error("the CUDA driver is not installed")]
    Library,
    /// A libcuda of another time.
    #[error("the CUDA driver has no function {function}; update it")]
    Function {
        /// The function that is needed.
        function: &'static str,
    },
    /// A driver without devices.
    #[error("the CUDA driver finds no device {ordinal} among {count}")]
    Device {
        /// The device that was asked for.
        ordinal: usize,
        /// Devices there are.
        count: usize,
    },
    /// A device that lacks instructions.
    #[error("{name} has compute capability {}.{}; {}.{} is needed", .found.0, .found.1, .needed.0, .needed.1)]
    Capability {
        /// The device.
        name: String,
        /// What it has.
        found: (i32, i32),
        /// What is needed.
        needed: (i32, i32),
    },
    /// Kernels that are neither built in nor can be compiled.
    #[error(
        "no kernels are built in for {name} (compute capability {}.{}), and they cannot be compiled: {reason}",
        .capability.0, .capability.1
    )]
    Kernels {
        /// The device.
        name: String,
        /// What it can do.
        capability: (i32, i32),
        /// The reason.
        reason: String,
    },
    /// A driver that does not know the kernels' machine code.
    #[error(
        "the CUDA driver, for CUDA {}.{}, does not load kernels compiled by CUDA {}.{} ({reason}); update it",
        .driver.0, .driver.1, .compiler.0, .compiler.1
    )]
    Outdated {
        /// The driver's version of CUDA.
        driver: (i32, i32),
        /// The compiler's.
        compiler: (i32, i32),
        /// What the driver answered.
        reason: String,
    },
    /// Devices that would not give the same tokens for the same seed.
    #[error("{first} and {other} differ in compute capability; name devices of one kind")]
    Kinds {
        /// One device.
        first: String,
        /// Another one.
        other: String,
    },
    /// A driver that fails.
    #[error("the CUDA driver cannot {action}: {reason}")]
    Driver {
        /// What it was asked for.
        action: &'static str,
        /// What it answered.
        reason: String,
    },
}
