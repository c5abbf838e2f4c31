//! A device that fails under requests, as clients and probes see it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clap::Parser;
use serde_json::Value;

use super::harness::{HTTP, Running, brief, soon};
use crate::backend::DeviceMemory;
use crate::backend::cpu::{Cpu, Faults};
use crate::copy::Copywriter;
use crate::copy::load::{LoadedWriter, Opened, start};
use crate::engine::Restarts;
use crate::model::checkpoint::Checkpoint;
use crate::model::tiny;
use crate::settings::Settings;
use crate::settings::flags::{Cli, Verb};
use crate::settings::raw::{Environment, Raw};

const RESTARTS: Restarts =
    Restarts { in_row_max: 3, pause: Duration::from_millis(1), steady: Duration::from_mins(1) };

/// A server of the tiny model on a device that fails when it is told to. It is opened anew once that is asked for.
async fn on_failing(faults: &Faults) -> (Running<Copywriter>, Sender<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    tiny::write(&path, 1).unwrap();
    let flags = ["origin", "--model", path.to_str().unwrap(), "--no-adapter", "--kv-tokens", "16384"];
    let Verb::Serve(flags) = Cli::try_parse_from(flags).unwrap().into_verb() else {
        panic!("no verb is given")
    };
    let raw = Raw::given(&flags, Environment::new()).unwrap();
    let settings = Settings::read(raw).unwrap();
    let checkpoint = Checkpoint::open::<&str>(&path, &[]).unwrap();
    let (reopen, told): (_, Receiver<()>) = channel();
    let again = faults.clone();
    let device = Opened {
        backend: Cpu::failing(faults.clone()),
        memory: DeviceMemory { total: 1 << 30, free: 1 << 30 },
        reopen: Box::new(move || {
            _ = told.recv();
            Ok(Cpu::failing(again.clone()))
        }),
    };
    let LoadedWriter { writer, .. } = start(&settings, checkpoint, vec![device], RESTARTS).unwrap();
    let server = Running::serving(HTTP, None).await;
    server.app.loaded(writer);
    (server, reopen)
}

/// A brief that keeps the tiny model busy.
fn long(stream: bool) -> Value {
    let mut brief = seeded();
    brief["channel"] = "product_description".into();
    brief["variants"] = 10.into();
    brief["stream"] = stream.into();
    brief
}

fn seeded() -> Value {
    let mut brief = brief();
    brief["seed"] = 7.into();
    brief
}

/// The variants that a brief gets.
async fn variants(server: &Running<Copywriter>) -> Value {
    let response = server.post(&seeded()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json::<Value>().await.unwrap()["variants"].take()
}

async fn assert_unavailable(response: reqwest::Response) {
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "origin_unavailable");
}

/// Whether these metrics of the engine have these values.
async fn has(server: &Running<Copywriter>, metrics: &[impl AsRef<str>]) -> bool {
    let text = server.get("/metrics").await.text().await.unwrap();
    metrics.iter().all(|metric| text.contains(&format!("\nadlib_engine_{}\n", metric.as_ref())))
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    soon(async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_device_that_fails_is_opened_anew_and_the_next_brief_is_answered() {
    let faults = Faults::default();
    let (server, reopen) = on_failing(&faults).await;
    let before = variants(&server).await;

    let whole = tokio::spawn(server.post(&long(false)).send());
    let mut streamed = server.post(&long(true)).send().await.unwrap();
    let start = streamed.chunk().await.unwrap().unwrap();
    assert!(start.starts_with(b"event: start"), "{start:?}");
    until(async || {
        has(&server, &["running_sequences{replica=\"0\"} 40", "queue_requests{replica=\"0\"} 1"]).await
    })
    .await;
    faults.lose_device();
    assert_unavailable(whole.await.unwrap().unwrap()).await;
    let rest = streamed.text().await.unwrap();
    assert!(rest.contains("event: error") && rest.contains("origin_unavailable"), "{rest}");

    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let reasons = ready.json::<Value>().await.unwrap()["reasons"].take();
    assert_eq!(reasons, serde_json::json!(["engine 0 is being started anew: the device fell off the bus"]));
    assert_unavailable(server.post(&seeded()).send().await.unwrap()).await;
    assert_eq!(server.get("/healthz").await.status(), 200);

    reopen.send(()).unwrap();
    until(async || server.get("/readyz").await.status() == 200).await;
    assert_eq!(variants(&server).await, before);
    let counted = ["device_errors_total", "restarts_total", "serving"];
    let counted = counted.map(|name| format!("{name}{{replica=\"0\"}} 1"));
    assert!(has(&server, &counted).await);
}
