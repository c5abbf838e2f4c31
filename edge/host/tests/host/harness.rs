//! Builds the guest, starts hosts, sends requests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use adlib_edge_host::{Host, HostConfig, HostError, RunningHost};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;

/// How long a test waits for what must come. Generous, since the machine may have other work; nothing that holds
/// takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A running host and a client for it.
pub(crate) struct Harness {
    pub(crate) host: RunningHost,
    client: Client<HttpConnector, Full<Bytes>>,
    _folder: TempDir,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Checks that this is a problem document of this status and code.
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.text.contains(&format!("\"code\":\"{code}\"")), "{self:?}");
    }
}

/// Starts a host for the guest, its settings changed as the test needs them.
pub(crate) async fn start(change: impl FnOnce(&mut HostConfig)) -> Harness {
    try_start(change).await.expect("the host should start")
}

pub(crate) async fn try_start(change: impl FnOnce(&mut HostConfig)) -> Result<Harness, HostError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = HostConfig::new(write_manifest(folder.path()));
    config.compile_cache = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("components"));
    config.variables.insert("token".into(), "hush".into());
    change(&mut config);
    let host = Host::start(config).await?;
    Ok(Harness { host, client: Client::builder(TokioExecutor::new()).build_http(), _folder: folder })
}

/// The manifest of the guest, in this folder.
pub(crate) fn write_manifest(folder: &Path) -> PathBuf {
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "guest"
        [variables]
        greeting = {{ default = "hello" }}
        origin_url = {{ default = "http://127.0.0.1:9" }}
        token = {{ required = true, secret = true }}
        [[trigger.http]]
        route = "/..."
        component = "guest"
        [component.guest]
        source = '{}'
        key_value_stores = ["default", "second"]
        allowed_outbound_hosts = ["{{{{ origin_url }}}}"]
        [component.guest.variables]
        greeting = "{{{{ greeting }}}} from {{{{ token }}}}"
        "#,
        guest().display()
    );
    let path = folder.join("spin.toml");
    std::fs::write(&path, text).expect("a manifest can be written");
    path
}

/// The guest's component, built once for each run of the tests.
pub(crate) fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").to_owned();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "adlib-edge-host-guest", "--target", "wasm32-wasip2"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(
            built.success(),
            "the guest does not build; is the target there? rustup target add wasm32-wasip2"
        );
        target.join("wasm32-wasip2/debug/adlib_edge_host_guest.wasm")
    })
}

impl Harness {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host.address())
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        let request = Request::builder().method(method).uri(self.url(path)).body(Full::new(body.into()));
        self.request(request.expect("a request")).await
    }

    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Reply {
        let (parts, body) = self.client.request(request).await.expect("a response").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&body).into() }
    }

    /// Asks until the answer is this text, or patience ends.
    pub(crate) async fn comes_to(&self, path: &str, text: &str) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.get(path).await.text == text {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Sends bytes as they are and reads until the host closes.
    pub(crate) async fn raw(&self, request: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.host.address()).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("the request is sent");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.expect("the reply is read");
        String::from_utf8_lossy(&reply).into()
    }
}
