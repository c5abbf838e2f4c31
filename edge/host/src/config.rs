//! What a host is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::limits::Limits;

/// The settings of one host. `HostConfig::new` gives those of a test: a free port, stores in memory, no cache.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The application: a Spin manifest, version 2.
    pub manifest: PathBuf,
    /// Another `.wasm` file than the manifest's.
    pub component: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where key-value stores live.
    pub stores: Stores,
    /// Values of the application's variables. A name the manifest lacks is an error.
    pub variables: BTreeMap<String, String>,
    /// Values from the surroundings, used where `variables` has none. A name the manifest lacks is ignored.
    pub ambient_variables: BTreeMap<String, String>,
    /// Where compiled components are kept, so that the next start need not compile; `None` keeps none.
    pub compile_cache: Option<PathBuf>,
    /// Where the guest's standard output and standard error go.
    pub guest_output: GuestOutput,
    /// Every limit.
    pub limits: Limits,
}

/// Where key-value stores live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stores {
    /// In memory: gone with the host.
    Memory,
    /// In a SQLite database in this folder, which is made if it is missing.
    Folder(PathBuf),
}

/// Where the guest's standard output and standard error go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestOutput {
    /// To the host's standard error.
    StandardError,
    /// Nowhere.
    Nowhere,
}

impl HostConfig {
    /// The settings of a test.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            component: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            stores: Stores::Memory,
            variables: BTreeMap::new(),
            ambient_variables: BTreeMap::new(),
            compile_cache: None,
            guest_output: GuestOutput::StandardError,
            limits: Limits::default(),
        }
    }

    /// Gives one of the application's variables a value.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// The folder in which this user's compiled components are kept: `adlib/components` under `$XDG_CACHE_HOME` or
/// `~/.cache`. `None` where the user has no home.
pub fn user_compile_cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("adlib").join("components"))
}
