//! What a device, or the backend, does not take.

use crate::backend::cuda::Cuda;
use crate::backend::cuda::arguments::Arguments;
use crate::backend::cuda::driver::{Driver, Shape};
use crate::backend::cuda::simulator::{Checks, Simulator};
use crate::backend::{Backend, BackendError, CacheShape};
use crate::model::config::{Rope, RopeScaling};
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

#[test]
fn a_launch_that_a_device_would_refuse_is_refused() {
    let refused = |kernel, shape, arguments: Arguments| {
        let device = Simulator::new(Checks::Plain);
        device.launch(kernel, shape, &arguments).expect_err("a refusal").reason
    };
    let embed = || Arguments::new().pointer(0).pointer(0).pointer(0).pointer(0).int(0);
    let shape = Shape::new([1, 1, 1], 128);
    assert_eq!(refused("nothing", shape, embed()), "there is no kernel nothing");
    assert_eq!(refused("embed_f16", shape, embed().float(1.0)), "embed_f16 takes ppppi and was given ppppif");
    let wide = Shape::new([1, 1, 1], 129);
    assert_eq!(
        refused("embed_f16", wide, embed()),
        "embed_f16: blocks of 129 threads; it is built for up to 128"
    );
    let greedy = Shape { shared_bytes: (227 << 10) + 1, ..shape };
    assert_eq!(refused("embed_f16", greedy, embed()), "embed_f16: 232449 bytes of dynamic shared memory");
    let none = Shape::new([0, 1, 1], 128);
    assert_eq!(refused("embed_f16", none, embed()), "embed_f16: a grid of 0 blocks");
}

#[test]
fn a_head_that_no_kernel_is_made_for_is_refused() {
    let shape = CacheShape {
        layers: 2,
        heads: 2,
        kv_heads: 1,
        head_dim: 72,
        blocks: 40,
        context_max: 512,
        rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
    };
    let refused = Cuda::new(Simulator::new(Checks::Plain)).cache(shape).map(drop);
    let wanted =
        BackendError::Choice { what: "the width of a head", value: 72, choices: &[32, 64, 80, 96, 128, 256] };
    assert_eq!(refused, Err(wanted));
}

#[test]
fn a_matrix_of_another_shape_than_its_data_is_refused() {
    let cuda = Cuda::new(Simulator::new(Checks::Plain));
    let mut matrix = Matrix::random(16, 32, 1, WeightFormat::F16);
    matrix.rows = 17;
    assert!(cuda.matrix(matrix).is_err());
}
