//! Hugging Face folders: the tiny model written as one, and read back.

use std::collections::BTreeMap;
use std::path::Path;

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::config::RopeScaling;
use adlib_origin::model::slot::Slot;
use adlib_origin::model::tensors::Matrix;
use adlib_origin::model::tiny;
use half::bf16;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Shape and values, rounded to bfloat16.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A tiny model as a folder, before it is written.
struct Case {
    folder: TempDir,
    config: Value,
    tensors: Tensors,
}

fn wave(shape: &[usize], phase: f32) -> Vec<f32> {
    let count = shape.iter().product();
    (0..count).map(|i| bf16::from_f32((i as f32 * 0.61 + phase).sin() * 0.1).to_f32()).collect()
}

impl Case {
    fn new() -> Self {
        let shape = tiny::config();
        let config = json!({
            "model_type": "llama", "hidden_act": "silu", "hidden_size": shape.dim, "intermediate_size": shape.hidden,
            "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads, "vocab_size": shape.vocab, "rms_norm_eps": 1e-5,
            "max_position_embeddings": shape.context_max, "rope_theta": 10000.0, "tie_word_embeddings": true,
        });
        let slots = Slot::all(shape.layers).filter(|slot| !slot.is_optional()).enumerate();
        let tensors = slots.map(|(i, slot)| {
            let shape = slot.shape(&shape);
            (slot.huggingface_name(), (shape.clone(), wave(&shape, i as f32)))
        });
        Self { folder: tempfile::tempdir().expect("a temporary folder"), config, tensors: tensors.collect() }
    }

    fn with(mut self, setting: &str, value: Value) -> Self {
        self.config[setting] = value;
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self) {
        std::fs::write(self.path().join("config.json"), self.config.to_string()).expect("config.json");
        write_tensors(&self.path().join("model.safetensors"), &self.tensors);
    }

    fn open(&self) -> Checkpoint {
        self.write();
        Checkpoint::open(self.path(), &[] as &[&str]).expect("the folder opens")
    }

    fn refusal(&self) -> String {
        self.write();
        let opened = Checkpoint::open(self.path(), &[] as &[&str]);
        let text = opened.map(drop).expect_err("the folder is refused").to_string();
        text.split_once(": ").expect("the path comes first").1.to_owned()
    }
}

fn write_tensors(path: &Path, tensors: &Tensors) {
    let bytes =
        |values: &[f32]| values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect::<Vec<u8>>();
    let encoded: Vec<_> =
        tensors.iter().map(|(name, (shape, values))| (name, shape, bytes(values))).collect();
    let views = encoded.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::BF16, (*shape).clone(), bytes).expect("shape and bytes agree"))
    });
    std::fs::write(path, safetensors::serialize(views, None).expect("it serialises")).expect("it is written");
}

fn values(matrix: &Matrix) -> Vec<f32> {
    let mut values = vec![0.0; matrix.rows * matrix.cols];
    values.chunks_exact_mut(matrix.cols).enumerate().for_each(|(row, out)| matrix.read_row(row, out));
    values
}

#[test]
fn a_folder_is_read_as_it_stands() {
    let case = Case::new();
    let checkpoint = case.open();
    assert_eq!(*checkpoint.config(), tiny::config());
    let layer = checkpoint.layer(1).expect("the layer is read");
    assert_eq!(values(&layer.query), case.tensors["model.layers.1.self_attn.q_proj.weight"].1);
    assert_eq!(values(&layer.down), case.tensors["model.layers.1.mlp.down_proj.weight"].1);
    assert_eq!(layer.feed_forward_norm, case.tensors["model.layers.1.post_attention_layernorm.weight"].1);
    assert!(checkpoint.head().expect("no error").is_none(), "the head is tied");
}

#[test]
fn biases_norms_and_a_head_are_read_where_they_are() {
    let mut case = Case::new().with("tie_word_embeddings", json!(false)).with("model_type", json!("qwen3"));
    let shape = tiny::config();
    for slot in Slot::all(shape.layers).filter(|slot| slot.is_optional()) {
        let shape = slot.shape(&shape);
        case.tensors.insert(slot.huggingface_name(), (shape.clone(), wave(&shape, 0.5)));
    }
    let checkpoint = case.open();
    let layer = checkpoint.layer(0).expect("the layer is read");
    let bias = layer.qkv_bias.expect("biases are there");
    assert_eq!(bias[1], case.tensors["model.layers.0.self_attn.k_proj.bias"].1);
    assert_eq!(
        layer.qk_norm.expect("norms are there")[0],
        case.tensors["model.layers.0.self_attn.q_norm.weight"].1
    );
    let head = checkpoint.head().expect("no error").expect("the head is its own");
    assert_eq!(values(&head), case.tensors["lm_head.weight"].1);
}

#[test]
fn weights_may_lie_in_several_files() {
    let case = Case::new();
    let whole = case.open().layer(0).expect("the layer is read");
    let fingerprint = case.open().fingerprint().expect("hashed");
    std::fs::remove_file(case.path().join("model.safetensors")).expect("removed");
    let (first, second): (Tensors, Tensors) =
        case.tensors.clone().into_iter().partition(|(name, _)| name.contains("mlp"));
    let mut map = serde_json::Map::new();
    for (file, tensors) in [("a.safetensors", &first), ("b.safetensors", &second)] {
        write_tensors(&case.path().join(file), tensors);
        map.extend(tensors.keys().map(|name| (name.clone(), json!(file))));
    }
    let index = case.path().join("model.safetensors.index.json");
    std::fs::write(&index, json!({"weight_map": map}).to_string()).expect("the index");
    let sharded = Checkpoint::open(case.path(), &[] as &[&str]).expect("the folder opens");
    assert_eq!(values(&sharded.layer(0).expect("the layer is read").gate), values(&whole.gate));
    assert_ne!(sharded.fingerprint().expect("hashed"), fingerprint, "the files are others");
    map.insert("extra".into(), json!("../b.safetensors"));
    std::fs::write(&index, json!({"weight_map": map}).to_string()).expect("the index");
    let error =
        Checkpoint::open(case.path(), &[] as &[&str]).map(drop).expect_err("a path is refused").to_string();
    assert!(error.contains("weight_map is ../b.safetensors; the name of a file in the folder"), "{error}");
}

#[test]
fn rotary_scaling_is_read() {
    let scaling = |value: Value| Case::new().with("rope_scaling", value).open().config().rope.scaling.clone();
    assert_eq!(scaling(json!({"type": "linear", "factor": 4.0})), RopeScaling::Linear { factor: 4.0 });
    let llama = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192});
    let expected = RopeScaling::Llama3 {
        factor: 8.0,
        low_frequency_factor: 1.0,
        high_frequency_factor: 4.0,
        original_context: 8192,
    };
    assert_eq!(scaling(llama), expected);
    let five = Case::new().with("rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5})).open();
    assert!((five.config().rope.theta - 5e5).abs() < 1.0);
}

#[test]
fn a_sliding_window_bounds_the_context() {
    let mistral = Case::new().with("model_type", json!("mistral")).with("sliding_window", json!(512));
    assert_eq!(mistral.open().config().context_max, 512);
    let qwen = Case::new().with("model_type", json!("qwen2")).with("sliding_window", json!(512));
    assert_eq!(qwen.with("use_sliding_window", json!(false)).open().config().context_max, 2048);
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let refused = |setting: &str, value: Value| Case::new().with(setting, value).refusal();
    assert_eq!(
        refused("model_type", json!("gpt2")),
        "model_type is gpt2; llama, mistral, qwen2, qwen3 are supported"
    );
    assert_eq!(refused("hidden_act", json!("gelu")), "hidden_act is gelu; silu is supported");
    assert!(refused("hidden_size", json!("wide")).contains("invalid type"));
    assert!(refused("hidden_size", json!(-1)).contains("invalid value"));
    assert!(
        refused("vocab_size", json!(100)).contains("does not fit the configuration, which needs [100, 128]")
    );
    assert_eq!(refused("tie_word_embeddings", json!(false)), "tensor lm_head.weight is missing");
    assert!(
        refused("rope_scaling", json!({"type": "yarn", "factor": 4.0}))
            .contains("is yarn; default, linear and")
    );
    assert!(refused("num_key_value_heads", json!(0)).starts_with("the number of key-value heads is 0"));
    let mut case = Case::new();
    case.tensors.insert("model.layers.0.self_attn.o_proj.bias".into(), (vec![128], wave(&[128], 0.0)));
    assert!(case.refusal().starts_with("tensor model.layers.0.self_attn.o_proj.bias is not part of"));
    let mut case = Case::new();
    case.tensors.remove("model.norm.weight");
    assert_eq!(case.refusal(), "tensor model.norm.weight is missing");
}

#[test]
fn a_cut_or_lying_safetensors_file_is_refused() {
    let case = Case::new();
    case.write();
    let path = case.path().join("model.safetensors");
    let whole = std::fs::read(&path).expect("it is there");
    let open = || Checkpoint::open(case.path(), &[] as &[&str]).map(drop);
    for length in (0..200).chain([whole.len() / 2, whole.len() - 1]) {
        std::fs::write(&path, &whole[..length]).expect("written");
        open().expect_err("it is cut off");
    }
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&path, &lying).expect("written");
    open().expect_err("the header's length is a lie");
    std::fs::write(&path, &whole).expect("written");
    open().expect("the whole file opens");
}
