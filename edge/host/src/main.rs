//! `edge-host`: serves one Spin application until it is told to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adlib_edge_host::variables::sources;
use adlib_edge_host::{GuestOutput, Host, HostConfig, Stores, user_compile_cache};
use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves Adlib's edge component, as `spin up` does, where Spin is not installed.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The application's manifest.
    #[arg(long, default_value = "spin.toml")]
    manifest: PathBuf,
    /// Another component than the manifest's.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The folder of the key-value database [default: .spin beside the manifest].
    #[arg(long, value_name = "FOLDER", conflicts_with = "in_memory")]
    state_dir: Option<PathBuf>,
    /// Keep the key-value stores in memory.
    #[arg(long)]
    in_memory: bool,
    /// A variable's value, or a file that holds it: `name=value`, `name=@file`.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// A file of variables: `SPIN_VARIABLE_NAME=value` lines, or TOML with `name = "value"` [default: .env beside the
    /// manifest, if there is one].
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// The folder in which compiled components are kept [default: adlib/components in the user's cache].
    #[arg(long, value_name = "FOLDER")]
    compile_cache: Option<PathBuf>,
    /// Throw away what the component prints instead of passing it to standard error.
    #[arg(long)]
    quiet_component: bool,
}

impl Arguments {
    fn into_config(self) -> anyhow::Result<HostConfig> {
        let folder = self.manifest.parent().unwrap_or(Path::new("")).to_owned();
        let mut config = HostConfig::new(&self.manifest);
        config.component = self.component;
        config.listen = self.listen;
        config.stores = match (self.in_memory, self.state_dir) {
            (true, _) => Stores::Memory,
            (false, state) => Stores::Folder(state.unwrap_or_else(|| folder.join(".spin"))),
        };
        for flag in &self.variables {
            let (name, value) = sources::from_flag(flag).context("--variable")?;
            config.variables.insert(name, value);
        }
        config.ambient_variables = ambient(self.env_file, &folder.join(".env"))?;
        config.compile_cache = self.compile_cache.or_else(user_compile_cache);
        if self.quiet_component {
            config.guest_output = GuestOutput::Nowhere;
        }
        Ok(config)
    }
}

/// The file's variables, and over them the environment's.
fn ambient(given: Option<PathBuf>, usual: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let file = given.or_else(|| usual.is_file().then(|| usual.to_owned()));
    let mut variables = match file {
        Some(path) => sources::from_file(&path).context("--env-file")?,
        None => BTreeMap::new(),
    };
    // A variable that is not UTF-8 cannot be one of Spin's.
    let environment =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    variables.extend(sources::from_environment(environment));
    Ok(variables)
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = Arguments::parse().into_config()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let host = Host::start(config).await?;
    println!("edge-host is ready on http://{}", host.address());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for signals")?,
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping: nothing more is accepted, what runs is finished");
    if !host.shutdown().await {
        tracing::warn!("stopped with requests unfinished");
    }
    Ok(ExitCode::SUCCESS)
}
