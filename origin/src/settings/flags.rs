//! The command line. Flags are kept as the text that was given, so that a file, the environment and a flag are
//! validated by the same rules and refused with the same words.

pub mod bench;
pub mod selftest;

use std::path::PathBuf;

use bench::BenchFlags;
use clap::{Args, Parser, Subcommand};
use selftest::SelftestFlags;
use serde::Serialize;

/// Adlib's origin: serves a language model that writes marketing copy.
#[derive(Debug, Parser)]
#[command(name = "origin", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `serve` where absent.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Settings of `serve` where no verb is given.
    #[command(flatten)]
    pub flags: Flags,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Load the model and serve it over HTTP.
    Serve(Box<Flags>),
    /// Try every kernel and whole models on a GPU, beside the CPU; exit with 0 if all is well.
    Selftest(SelftestFlags),
    /// Measure a GPU: its ceilings, each kernel, and whole models with random weights.
    Bench(BenchFlags),
}

/// Settings as flags. Each can be given in a TOML file too (`context_max = 2048`) and in the environment
/// (`ADLIB_CONTEXT_MAX=2048`); a flag wins over the environment, which wins over the file.
#[derive(Debug, Default, Args, Serialize)]
pub struct Flags {
    /// A TOML file of settings
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address to bind [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// A GGUF file, a Hugging Face folder, or a model of the Hugging Face hub [default: the one `cargo dev` fetches]
    #[arg(long, value_name = "PATH|owner/name")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A LoRA adapter in PEFT's folder format, merged at load; may be repeated [default: the house copywriter, for
    /// the default model]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adapter: Vec<String>,
    /// Serve the model without any adapter
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_adapter: bool,
    /// Where the model runs: auto (every GPU there is, else the CPU), cpu, cuda (as auto, or an error), or cuda:N,N for
    /// some GPUs [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Threads of the CPU backend [default: one for each core]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<String>,
    /// Tokens of one sequence, prompt and answer together [default: 2048]
    #[arg(long, value_name = "TOKENS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_max: Option<String>,
    /// Size of the KV pool [default: what --max-memory-usage leaves]
    #[arg(long, value_name = "TOKENS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_tokens: Option<String>,
    /// Share of memory for weights and KV pool together [default: 0.8]
    #[arg(long, value_name = "SHARE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory_usage: Option<String>,
    /// Tokens of one engine step [default: 512]
    #[arg(long, value_name = "TOKENS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_tokens_max: Option<String>,
    /// Sequences that run at once [default: 64]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences_max: Option<String>,
    /// Requests that may wait; one more is refused as overloaded [default: 64]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_max: Option<String>,
    /// Longest a request may take, in milliseconds [default: 120000]
    #[arg(long, value_name = "MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_deadline_ms: Option<String>,
    /// Convert the weights at load: int8 or int4 [default: as the file has them]
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantize: Option<String>,
    /// Secret that the edge signs its requests with; better given as a file or in the environment, because other
    /// users of the machine can read a command line
    #[arg(long, value_name = "SECRET")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_secret: Option<String>,
    /// A file that holds the hop secret
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_secret_file: Option<String>,
    /// The hop secret before the last rotation, still accepted
    #[arg(long, value_name = "SECRET")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_secret_previous: Option<String>,
    /// A file that holds the previous hop secret
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_secret_previous_file: Option<String>,
    /// Seconds that a shutdown waits for running requests [default: 30]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_seconds: Option<String>,
    /// Open client connections [default: 1024]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<String>,
    /// Form of the log: json or pretty [default: pretty on a terminal, json elsewhere]
    #[arg(long, value_name = "FORM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
    /// What is logged, such as `info` or `info,adlib_origin=debug` [default: info]
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_filter: Option<String>,
}

// A secret must not reach a log through `{:?}`, so `Flags` is only ever serialised into `Raw`.
impl Cli {
    /// What to do.
    pub fn into_verb(self) -> Verb {
        self.verb.unwrap_or(Verb::Serve(Box::new(self.flags)))
    }
}
