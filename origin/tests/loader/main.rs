//! The loader's tests: from files to tensors and tokens, against references that others computed.

mod allocations;
mod default_model;
mod default_tokenizer;
mod encodings;
mod hostile_gguf;
mod hub;
mod huggingface;
mod lora;
mod tokenizers;

use std::path::PathBuf;

/// The default model's file: `ADLIB_MODEL`, else where `cargo dev` puts it.
fn default_model_path() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = variable("ADLIB_MODEL").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.unwrap_or_default().join("adlib/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    });
    assert!(
        path.is_file(),
        "the default model is not at {}: run `cargo dev test`, which fetches it",
        path.display()
    );
    path
}
