//! Packing, beside what it means.

use crate::backend::cuda::packed::Packed;
use crate::model::tensors::Matrix;
use crate::model::tensors::random::WeightFormat;

#[test]
fn threads_make_no_difference() {
    // Enough for four threads, and a last band that is not full.
    for format in WeightFormat::ALL {
        let matrix = Matrix::random(4105, 2080, 1, format);
        let [alone, together] = [1, 4].map(|threads| Packed::on_threads(&matrix, threads));
        assert!(alone.data == together.data && alone.scales == together.scales, "{format:?}");
    }
}
