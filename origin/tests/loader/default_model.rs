//! The default model, whole.

use adlib_origin::model::checkpoint::Checkpoint;
use adlib_origin::model::tensors::MatrixData;

#[test]
fn every_tensor_of_the_default_model_is_read() {
    let checkpoint =
        Checkpoint::open(crate::default_model_path(), &[] as &[&str]).expect("the default model opens");
    let config = checkpoint.config();
    assert_eq!((config.layers, config.dim, config.heads, config.kv_heads), (30, 576, 9, 3));
    assert_eq!((config.head_dim, config.hidden, config.vocab, config.context_max), (64, 1536, 49152, 8192));
    assert_eq!(checkpoint.id(), "SmolLM2-135M-Instruct");
    assert_eq!(checkpoint.languages(), ["en"]);
    let embedding = checkpoint.embedding().expect("the embedding is read");
    assert!(matches!(embedding.data, MatrixData::Int8 { .. }), "Q8_0 is Int8 inside");
    assert!(checkpoint.head().expect("a tied head is no error").is_none());
    for layer in 0..config.layers {
        let tensors = checkpoint.layer(layer).expect("the layer is read");
        assert!(matches!(tensors.down.data, MatrixData::Int4 { .. }), "Q4_1 is Int4 inside");
    }
    assert_eq!(checkpoint.final_norm().expect("the norm is read").len(), 576);
}
