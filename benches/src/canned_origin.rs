//! An origin that has every copy ready: what the edge costs is then all that is measured.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const MODELS: &str = r#"{"object":"list","data":[{"id":"canned","object":"model","fingerprint":"sha256:cb3b98c2a598c22ede65f3536779315f942d7dd6fcde91fbaa8e5fdaa324d8ac","languages":["en"],"context_tokens_max":2048,"channel_revision":1}]}"#;
const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"canned","choices":[{"index":0,"message":{"role":"assistant","content":"Juniper, a bread knife made in Sheffield, stays sharp for ten years."},"finish_reason":"stop"}],"usage":{"prompt_tokens":43,"completion_tokens":18,"total_tokens":61}}"#;
/// Its answer to every brief.
pub const COPY: &str = include_str!("canned_origin/copy.json");

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct CannedOrigin {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl CannedOrigin {
    /// Starts it on a free port of the loopback address.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without it an answer in two segments would wait for an acknowledgement.
                let _ = stream.set_nodelay(true);
                let serving = hyper::server::conn::http1::Builder::new();
                tokio::spawn(serving.serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for CannedOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.uri().path() {
        "/v1/models" => MODELS,
        "/v1/chat/completions" => CHAT,
        _ => COPY,
    };
    // The connection is kept only when the request was read to its end.
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    Ok(response)
}
