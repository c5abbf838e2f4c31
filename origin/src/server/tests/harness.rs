//! A running server whose writer follows a script, and a client for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use adlib_shared::brief::Brief;
use adlib_shared::catalog::ModelInfo;
use adlib_shared::copy::{Copy, ModelRef, TimingMs, Usage};
use adlib_shared::event::{Delta, Event, Start};
use adlib_shared::problem::Problem;
use futures::stream::BoxStream;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::api::app::App;
use crate::api::writer::{WriteContext, Writer};
use crate::server::{Drained, Server};
use crate::settings::HttpSettings;
use crate::settings::secret::HopSecrets;
use crate::telemetry::metrics;

/// What the writer does with a brief.
type Script = dyn Fn(Brief, WriteContext) -> Result<BoxStream<'static, Event>, Problem> + Send + Sync;

/// A writer that follows a script.
pub(super) struct Scripted {
    model: ModelInfo,
    script: Box<Script>,
}

impl Writer for Scripted {
    type Events = BoxStream<'static, Event>;

    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        Ok(())
    }

    fn write(&self, brief: Brief, context: WriteContext) -> Result<Self::Events, Problem> {
        (self.script)(brief, context)
    }

    fn publish_metrics(&self) {}
}

/// A server that was started with [`Running::loading`] and, mostly, given a script.
pub(super) struct Running<W = Scripted> {
    pub(super) app: Arc<App<W>>,
    pub(super) base: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Drained>,
}

pub(super) const HTTP: HttpSettings = HttpSettings {
    request_deadline: Duration::from_secs(10),
    drain: Duration::from_secs(5),
    connections_max: 64,
};

impl<W: Writer> Running<W> {
    /// A server that has no writer yet.
    pub(super) async fn serving(settings: HttpSettings, hop: Option<HopSecrets>) -> Self {
        let app = Arc::new(App::new(settings.request_deadline, recorder()));
        let listen = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(listen, settings, hop, Arc::clone(&app)).await.unwrap();
        let base = format!("http://{}", server.address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run(async { _ = stopped.await }));
        Self { app, base, stop: Some(stop), serving }
    }

    /// Asks for a shutdown.
    pub(super) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// How the shutdown ended.
    pub(super) async fn drained(self) -> Drained {
        self.serving.await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.base)).await.unwrap()
    }

    /// A brief's request, to be changed and sent.
    pub(super) fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        reqwest::Client::new().post(format!("{}/v1/copy", self.base)).json(body)
    }

    /// Sends bytes as they are and returns everything that is answered until the server closes.
    pub(super) async fn raw(&self, request: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(&self.base["http://".len()..]).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Running {
    /// A server whose model is not loaded yet.
    pub(super) async fn loading(settings: HttpSettings, hop: Option<HopSecrets>) -> Self {
        Self::serving(settings, hop).await
    }

    /// A server that follows a script.
    pub(super) async fn scripted<F>(script: F) -> Self
    where
        F: Fn(Brief, WriteContext) -> Result<BoxStream<'static, Event>, Problem> + Send + Sync + 'static,
    {
        let running = Self::loading(HTTP, None).await;
        running.load(script);
        running
    }

    /// Ends the loading.
    pub(super) fn load<F>(&self, script: F)
    where
        F: Fn(Brief, WriteContext) -> Result<BoxStream<'static, Event>, Problem> + Send + Sync + 'static,
    {
        let model = ModelInfo::new("scripted", "sha256:0", vec!["en".to_owned()], 2048);
        self.app.loaded(Scripted { model, script: Box::new(script) });
    }

    /// A server that writes [`copy`].
    pub(super) async fn writing() -> Self {
        Self::scripted(|_, _| Ok(Box::pin(futures::stream::iter(whole())))).await
    }
}

/// One recorder for the process, as in the product.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| metrics::install().unwrap()).clone()
}

/// A valid brief.
pub(super) fn brief() -> Value {
    json!({"product": {"name": "Kettle", "description": "A kettle that boils in a minute"}, "channel": "push"})
}

/// The events of one whole copy.
pub(super) fn whole() -> Vec<Event> {
    vec![start(), delta("Boils in a minute"), Event::Done(copy())]
}

pub(super) fn start() -> Event {
    Event::Start(Start { id: "copy_1".to_owned(), model: model(), seed: 42 })
}

pub(super) fn delta(text: &str) -> Event {
    let (variant, field) = ("v1".to_owned(), "title".to_owned());
    Event::Delta(Delta { variant, field, index: 0, text: text.to_owned() })
}

pub(super) fn copy() -> Copy {
    Copy {
        id: "copy_1".to_owned(),
        channel: "push".to_owned(),
        channel_revision: 1,
        language: "en".to_owned(),
        model: model(),
        seed: 42,
        usage: Usage { prompt_tokens: 180, cached_tokens: 128, completion_tokens: 96 },
        timing_ms: TimingMs { queue: 0.25, prefill: 31.0, decode: 410.0, total: 441.25 },
        variants: Vec::new(),
        best: "v1".to_owned(),
    }
}

fn model() -> ModelRef {
    ModelRef { id: "scripted".to_owned(), fingerprint: "sha256:0".to_owned() }
}

/// Tells when a script's events are dropped.
pub(super) struct Dropped(Option<oneshot::Sender<()>>);

impl Dropped {
    pub(super) fn watch() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        _ = self.0.take().map(|sender| sender.send(()));
    }
}

/// Waits for something that must happen soon.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what).await.expect("it must happen within 5 s")
}
