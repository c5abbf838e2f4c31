//! The architectures that kernels are built in for, and which devices run them. The build script uses this file too.

/// What machine code is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// A100 and, as an older minor version, A10, A40 and the cards of the Ampere generation.
    Sm80,
    /// L4, L40 and the cards of the Ada generation.
    Sm89,
    /// H100, H200 and GH200, with Hopper's own instructions, which no other generation has.
    Sm90a,
}

/// Orin, whose machine code is its own: that of other devices of its major version does not run on it.
const ORIN: (i32, i32) = (8, 7);

impl Architecture {
    /// All that are built in, the oldest first.
    pub(crate) const SHIPPED: [Self; 3] = [Self::Sm80, Self::Sm89, Self::Sm90a];

    /// The newest whose code runs on a device of this compute capability: its own, or an older one of its major version.
    pub(crate) fn to_run_on(capability: (i32, i32)) -> Option<Self> {
        let runs = |architecture: &Self| {
            let (major, minor) = architecture.capability();
            (major, minor) == capability
                || (*architecture != Self::Sm90a
                    && capability != ORIN
                    && major == capability.0
                    && minor < capability.1)
        };
        Self::SHIPPED.into_iter().rev().find(runs)
    }

    /// The compute capability that it is made for.
    pub(crate) fn capability(self) -> (i32, i32) {
        match self {
            Self::Sm80 => (8, 0),
            Self::Sm89 => (8, 9),
            Self::Sm90a => (9, 0),
        }
    }

    /// Its name in the compiler's options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sm80 => "sm_80",
            Self::Sm89 => "sm_89",
            Self::Sm90a => "sm_90a",
        }
    }
}

#[test]
fn code_runs_on_its_own_devices_and_on_newer_ones_of_its_major_version() {
    use Architecture::{Sm80, Sm89, Sm90a};
    let cases = [
        ((7, 5), None),
        ((8, 0), Some(Sm80)),
        ((8, 6), Some(Sm80)),
        ((8, 7), None),
        ((8, 9), Some(Sm89)),
        ((9, 0), Some(Sm90a)),
        ((9, 1), None),
        ((10, 0), None),
        ((12, 0), None),
    ];
    for (capability, architecture) in cases {
        assert_eq!(Architecture::to_run_on(capability), architecture, "{capability:?}");
    }
}
