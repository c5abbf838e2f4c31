//! Every encoding against Python's `gguf` package, and rows of the default model against transformers.

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::encoding::Encoding;
use adlib_origin::model::stored_tensor::{RowOrder, StoredTensor};
use adlib_origin::model::tensors::{Matrix, MatrixData};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/tensors.json")).expect("the fixture is JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Values and matrices of the fixture's blocks of an encoding, as one row.
fn decoded(encoding: Encoding) -> (Vec<f32>, Vec<f32>, Matrix) {
    let fixture = fixture();
    let entry = &fixture["blocks"][encoding.name()];
    let (bytes, expected) = (bytes(entry["bytes"].as_str().expect("a text")), floats(&entry["values"]));
    let shape = [1, expected.len()];
    let stored = StoredTensor { name: "t", encoding, shape: &shape, bytes: &bytes, rows: RowOrder::Natural };
    let mut values = vec![0.0; expected.len()];
    stored.read_row(0, &mut values);
    (expected, values, stored.matrix().expect("it decodes"))
}

fn matrix_row(matrix: &Matrix, row: usize) -> Vec<f32> {
    let mut values = vec![0.0; matrix.cols];
    matrix.read_row(row, &mut values);
    values
}

/// The greatest difference, as a share of the greatest magnitude.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    let greatest = a.iter().fold(0.0f32, |max, value| max.max(value.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / greatest
}

#[test]
fn every_encoding_stands_for_the_values_that_the_gguf_package_reads() {
    for (encoding, ..) in Encoding::ALL {
        let (expected, values, _) = decoded(encoding);
        assert!(difference(&expected, &values) < 1e-6, "{encoding}: {expected:?} {values:?}");
    }
}

#[test]
fn formats_with_a_counterpart_keep_every_value() {
    use Encoding::{Bf16, F16, Iq4Nl, Q4_0, Q4_1, Q5_0, Q8_0};
    for encoding in [F16, Bf16, Q8_0, Q4_0, Q4_1, Q5_0, Iq4Nl] {
        let (expected, _, matrix) = decoded(encoding);
        assert!(difference(&expected, &matrix_row(&matrix, 0)) < 1e-6, "{encoding}");
    }
}

#[test]
fn formats_without_a_counterpart_stay_within_half_a_step() {
    let cases = [
        // Half a step of Int8 is 1/254 of the greatest value, plus the rounding of the scale.
        (Encoding::Q5_1, 0.0042),
        (Encoding::Q2K, 0.0042),
        (Encoding::Q3K, 0.0042),
        (Encoding::Q5K, 0.0042),
        (Encoding::Q6K, 0.0042),
        // Only the scale and the minimum are rounded to f16.
        (Encoding::Q4K, 0.0011),
        (Encoding::F32, 0.0005),
    ];
    for (encoding, allowed) in cases {
        let (expected, _, matrix) = decoded(encoding);
        let found = difference(&expected, &matrix_row(&matrix, 0));
        assert!(found < allowed, "{encoding}: {found}");
    }
}

#[test]
fn single_precision_becomes_half_precision_unless_a_value_is_too_large() {
    let matrix = |greatest: f32| {
        let bytes: Vec<u8> =
            [1.0, -0.5, greatest, 0.25].iter().flat_map(|value| value.to_le_bytes()).collect();
        let (encoding, rows) = (Encoding::F32, RowOrder::Natural);
        StoredTensor { name: "t", encoding, shape: &[2, 2], bytes: &bytes, rows }.matrix()
    };
    assert!(matches!(matrix(65504.0).expect("finite").data, MatrixData::F16(_)));
    assert!(matches!(matrix(65536.0).expect("finite").data, MatrixData::Bf16(_)));
    let refused = matrix(f32::NAN).expect_err("not a number");
    assert_eq!(refused.to_string(), "tensor t: row 1 holds a value that is not finite");
}

#[test]
fn rows_of_the_default_model_are_those_that_transformers_reads() {
    let checkpoint =
        Checkpoint::open(crate::default_model_path(), &[] as &[&str]).expect("the default model opens");
    for entry in fixture()["rows"].as_array().expect("a list") {
        let number = |name: &str| entry[name].as_u64().expect("a number") as usize;
        let layer = checkpoint.layer(number("layer")).expect("the layer is read");
        let matrix = match entry["part"].as_str().expect("a text") {
            "q_proj" => &layer.query,
            "k_proj" => &layer.key,
            "v_proj" => &layer.value,
            "o_proj" => &layer.output,
            "gate_proj" => &layer.gate,
            "up_proj" => &layer.up,
            "down_proj" => &layer.down,
            other => panic!("{other} is not a part"),
        };
        let expected = floats(&entry["values"]);
        let found = matrix_row(matrix, number("row"));
        assert!(difference(&expected, &found[..32]) < 1e-6, "{entry}");
    }
}
