//! What the log says of a request, and what it never says.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::harness::{Running, brief};
use crate::settings::logs::{LogFormat, LogSettings};
use crate::telemetry;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines about whole requests.
    fn requests(&self) -> Vec<Value> {
        let lines: Vec<Value> = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.into_iter().filter(|line| line["message"] == "request").collect()
    }
}

#[tokio::test]
async fn a_request_is_one_line_that_tells_everything_but_the_brief() {
    let log = Log::default();
    let settings = LogSettings { format: LogFormat::Json, filter: "info".to_owned() };
    let _logging = tracing::subscriber::set_default(telemetry::log(&settings, log.clone()));
    let server = Running::writing().await;
    let mut brief = brief();
    brief["audience"] = "people whose name is confidential".into();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = server.post(&brief).header("x-request-id", "r-1").header("traceparent", trace);
    request.send().await.unwrap().text().await.unwrap();
    brief["channel"] = "a channel of confidential name".into();
    server.post(&brief).send().await.unwrap().text().await.unwrap();
    server.get("/healthz").await.text().await.unwrap();

    let [copy, refused] = log.requests().try_into().expect("one line a request, and none for a probe");
    for (field, value) in [
        ("method", json!("POST")),
        ("route", json!("/v1/copy")),
        ("status", json!(200)),
        ("outcome", json!("ok")),
        ("tenant", json!(null)),
        ("request_id", json!("r-1")),
        ("trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("prompt_tokens", json!(180)),
        ("cached_tokens", json!(128)),
        ("completion_tokens", json!(96)),
        ("level", json!("INFO")),
    ] {
        assert_eq!(copy[field], value, "{field}");
    }
    assert!(copy["duration_ms"].as_f64().unwrap() > 0.0, "{copy}");
    assert_eq!((&refused["status"], &refused["outcome"]), (&json!(422), &json!("unknown_channel")));
    assert!(!log.text().contains("confidential"), "{}", log.text());
}
