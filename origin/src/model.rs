//! Language models of the Llama family: their configuration, their tensors, and the graph that runs them.

pub mod checkpoint;
pub mod config;
pub mod encoding;
pub mod gguf;
pub mod hub;
pub mod huggingface;
pub(crate) mod json_file;
pub mod llama;
pub mod load_error;
pub mod lora;
pub mod mapped_file;
pub mod quantize;
pub mod random;
pub mod safetensors_file;
pub mod shape;
pub mod slot;
pub mod stored_tensor;
pub mod tensors;
pub mod tiny;
