//! The kernels' sources, as they are compiled for a device.

use super::nvrtc::SourceFile;

macro_rules! file {
    ($name:literal) => {
        SourceFile { name: $name, text: include_str!(concat!("../../../kernels/", $name)) }
    };
}

/// Files of kernels, each compiled by itself.
pub(crate) const KERNELS: [SourceFile; 8] = [
    file!("attend.cu"),
    file!("embed.cu"),
    file!("measure.cu"),
    file!("normalise.cu"),
    file!("product_few.cu"),
    file!("product_many.cu"),
    file!("rotate.cu"),
    file!("sample.cu"),
];

/// What they include.
pub(crate) const HEADERS: [SourceFile; 7] = [
    file!("attend.cuh"),
    file!("cache.cuh"),
    file!("device.cuh"),
    file!("heads.cuh"),
    file!("normalise.cuh"),
    file!("product.cuh"),
    file!("weights.cuh"),
];
