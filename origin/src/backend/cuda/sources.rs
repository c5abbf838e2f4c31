//! The kernels' sources, as they are compiled for a device.

use super::nvrtc::SourceFile;

macro_rules! file {
    ($name:literal) => {
        SourceFile { name: $name, text: include_str!(concat!("../../../kernels/", $name)) }
    };
}

/// Files of kernels, each compiled by itself.
pub(crate) const KERNELS: [SourceFile; 2] = [file!("embed.cu"), file!("normalise.cu")];

/// What they include.
pub(crate) const HEADERS: [SourceFile; 2] = [file!("device.cuh"), file!("weights.cuh")];
