//! Adapters in PEFT's folder format, on the tiny model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::load_error::LoadError;
use adlib_origin::model::tensors::{Matrix, MatrixData};
use adlib_origin::model::tiny;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

const RANK: usize = 5;

/// An adapter's folder beside a tiny model, before it is written.
struct Case {
    folder: TempDir,
    settings: Value,
    dtype: Dtype,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// `(rows, cols)` of numbers that are different everywhere.
fn wave(rows: usize, cols: usize, phase: f32) -> (Vec<usize>, Vec<f32>) {
    (vec![rows, cols], (0..rows * cols).map(|i| (i as f32 * 0.37 + phase).sin() * 0.1).collect())
}

impl Case {
    /// Changes `module` of a `(rows, cols)` matrix.
    fn new(module: &str, rows: usize, cols: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        tiny::write(&folder.path().join("tiny.gguf"), 3).expect("the model is written");
        let name = |half: &str| format!("base_model.model.{module}.lora_{half}.weight");
        let tensors = [(name("A"), wave(RANK, cols, 0.0)), (name("B"), wave(rows, RANK, 1.0))];
        let settings =
            json!({"peft_type": "LORA", "r": RANK, "lora_alpha": 10, "target_modules": ["q_proj"]});
        Self { folder, settings, dtype: Dtype::F32, tensors: tensors.into() }
    }

    fn with(mut self, setting: &str, value: Value) -> Self {
        self.settings[setting] = value;
        self
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("tiny.gguf")
    }

    fn open(&self) -> Result<Checkpoint, LoadError> {
        let adapter = self.folder.path().join("adapter");
        std::fs::create_dir_all(&adapter).expect("a folder");
        std::fs::write(adapter.join("adapter_config.json"), self.settings.to_string()).expect("settings");
        let encoded: Vec<(&String, &Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, values))| {
                (name, shape, values.iter().flat_map(|v| self.encode(*v)).collect())
            })
            .collect();
        let views = encoded.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(self.dtype, (*shape).clone(), bytes).expect("shape and bytes agree"))
        });
        let bytes = safetensors::serialize(views, None).expect("it serialises");
        std::fs::write(adapter.join("adapter_model.safetensors"), bytes).expect("weights");
        Checkpoint::open(self.model(), &[adapter])
    }

    fn encode(&self, value: f32) -> Vec<u8> {
        match self.dtype {
            Dtype::F16 => f16::from_f32(value).to_le_bytes().into(),
            Dtype::BF16 => bf16::from_f32(value).to_le_bytes().into(),
            Dtype::F32 => value.to_le_bytes().into(),
            Dtype::I32 => (value as i32).to_le_bytes().into(),
            other => panic!("{other:?} is not written"),
        }
    }

    fn refusal(&self) -> String {
        let text = self.open().map(drop).expect_err("the adapter is refused").to_string();
        text.split_once(": ").expect("the path comes first").1.to_owned()
    }

    fn half(&mut self, half: &str) -> &mut (Vec<usize>, Vec<f32>) {
        let name = format!("lora_{half}.weight");
        self.tensors.iter_mut().find(|(key, _)| key.ends_with(&name)).expect("it is there").1
    }
}

fn values(matrix: &Matrix) -> Vec<f32> {
    let mut values = vec![0.0; matrix.rows * matrix.cols];
    values.chunks_exact_mut(matrix.cols).enumerate().for_each(|(row, out)| matrix.read_row(row, out));
    values
}

/// The greatest difference between a merged matrix and `W + scale * B * A`, as a share of the greatest magnitude.
fn error(case: &mut Case, base: &Matrix, merged: &Matrix, scale: f32) -> f32 {
    let (a, b) = (case.half("A").1.clone(), case.half("B").1.clone());
    let (mut worst, mut greatest) = (0.0f32, 0.0f32);
    for (at, (base, merged)) in values(base).iter().zip(values(merged)).enumerate() {
        let (row, col) = (at / merged_cols(&a), at % merged_cols(&a));
        let product: f32 = (0..RANK).map(|k| b[row * RANK + k] * a[k * merged_cols(&a) + col]).sum();
        let expected = base + scale * product;
        worst = worst.max((expected - merged).abs());
        greatest = greatest.max(expected.abs());
    }
    worst / greatest
}

fn merged_cols(a: &[f32]) -> usize {
    a.len() / RANK
}

fn plain(case: &Case) -> Checkpoint {
    Checkpoint::open(case.model(), &[] as &[&str]).expect("the model opens")
}

#[test]
fn a_quantised_matrix_is_merged_into_eight_bits() {
    for layer in [0, 1] {
        let mut case = Case::new(&format!("model.layers.{layer}.self_attn.q_proj"), 128, 128);
        let merged = case.open().expect("it fits").layer(layer).expect("the layer is read");
        let base = plain(&case).layer(layer).expect("the layer is read");
        assert!(matches!(merged.query.data, MatrixData::Int8 { .. }));
        let found = error(&mut case, &base.query, &merged.query, 2.0);
        assert!(found < 0.0042, "layer {layer}: {found}");
        let kept = (values(&base.key), values(&merged.key));
        assert!(kept.0 == kept.1, "other matrices stay as they are");
    }
}

#[test]
fn a_matrix_in_half_precision_stays_so() {
    let mut case = Case::new("model.layers.1.self_attn.o_proj", 128, 128).with("use_rslora", json!(true));
    case.settings["target_modules"] = json!(["o_proj"]);
    let merged = case.open().expect("it fits").layer(1).expect("the layer is read");
    let base = plain(&case).layer(1).expect("the layer is read");
    assert!(matches!(merged.output.data, MatrixData::F16(_)));
    let found = error(&mut case, &base.output, &merged.output, 10.0 / (RANK as f32).sqrt());
    assert!(found < 0.0006, "{found}");
}

#[test]
fn every_float_type_is_read() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        let mut case = Case::new("model.layers.0.mlp.down_proj", 128, 256);
        case.dtype = dtype;
        let merged = case.open().expect("it fits").layer(0).expect("the layer is read");
        let base = plain(&case).layer(0).expect("the layer is read");
        assert!(error(&mut case, &base.down, &merged.down, 2.0) < 0.01, "{dtype:?}");
    }
}

#[test]
fn an_adapter_changes_the_fingerprint() {
    let case = Case::new("model.layers.0.self_attn.q_proj", 128, 128);
    let with = case.open().expect("it fits").fingerprint().expect("hashed");
    let without = plain(&case).fingerprint().expect("hashed");
    assert!(with.starts_with("sha256:") && with.len() == 71);
    assert_ne!(with, without);
    assert_eq!(with, case.open().expect("it fits").fingerprint().expect("hashed"));
}

#[test]
fn settings_that_would_compute_something_else_are_refused() {
    let refused = |setting: &str, value: Value| {
        Case::new("model.layers.0.self_attn.q_proj", 128, 128).with(setting, value).refusal()
    };
    assert_eq!(refused("peft_type", json!("LOHA")), "peft_type LOHA is not supported");
    assert_eq!(refused("r", json!(0)), "rank 0 is not supported; 1 to 1024 are");
    assert_eq!(refused("r", json!(1025)), "rank 1025 is not supported; 1 to 1024 are");
    assert!(refused("r", json!(1024)).contains("does not fit the model and the rank"));
    assert_eq!(refused("use_dora", json!(true)), "use_dora true is not supported");
    assert_eq!(refused("fan_in_fan_out", json!(true)), "fan_in_fan_out true is not supported");
    assert_eq!(refused("bias", json!("all")), "bias all is not supported");
    assert_eq!(refused("rank_pattern", json!({"q_proj": 8})), "rank_pattern q_proj is not supported");
    assert_eq!(refused("alpha_pattern", json!({"q_proj": 8})), "alpha_pattern q_proj is not supported");
    assert_eq!(refused("modules_to_save", json!(["lm_head"])), "modules_to_save lm_head is not supported");
    assert_eq!(refused("target_modules", json!(["q_proj", "c_attn"])), "the model has no module c_attn");
    assert!(refused("r", json!("five")).contains("invalid type"));
}

#[test]
fn tensors_without_a_place_in_the_model_are_refused() {
    let module = |module: &str, rows| Case::new(module, rows, 128).refusal();
    assert_eq!(
        module("model.layers.2.self_attn.q_proj", 128),
        "the model has no module model.layers.2.self_attn.q_proj"
    );
    assert_eq!(
        module("model.layers.0.self_attn.qkv", 128),
        "the model has no module model.layers.0.self_attn.qkv"
    );
    assert!(module("model.layers.0.self_attn.k_proj", 128).contains("shape [128, 5] does not fit"));
    let change = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::new("model.layers.0.self_attn.q_proj", 128, 128);
        change(&mut case);
        case.refusal()
    };
    assert!(change(&|case| drop(case.tensors.pop_first())).ends_with("stands without its other half"));
    assert_eq!(change(&|case| case.tensors.clear()), "it changes nothing: there are no tensors");
    assert!(
        change(&|case| drop(case.tensors.insert("weight".into(), wave(1, 1, 0.0))))
            .contains("is not a LoRA matrix")
    );
    assert!(change(&|case| *case.half("A") = wave(RANK, 127, 0.0)).contains("shape [5, 127] does not fit"));
    assert!(
        change(&|case| case.dtype = Dtype::I32).ends_with("type I32 is not supported; F32, F16 and BF16 are")
    );
    let mut case = Case::new("model.layers.0.self_attn.q_proj", 128, 128);
    case.half("B").1[7] = f32::NAN;
    let layer = case.open().expect("values are read later").layer(0);
    assert!(layer.is_err_and(|error| error.to_string().ends_with("holds a value that is not finite")));
}

#[test]
fn a_missing_file_is_named() {
    let case = Case::new("model.layers.0.self_attn.q_proj", 128, 128);
    let error =
        Checkpoint::open(case.model(), &[case.folder.path()]).map(drop).expect_err("there is no adapter");
    assert!(error.to_string().contains("adapter_config.json"), "{error}");
}
