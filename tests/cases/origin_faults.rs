//! A bad day between edge and origin: whatever happens there, the client can tell, and the cache keeps no part of it.

use std::time::{Duration, Instant};

use adlib_shared::event::{Decoder, Event};
use adlib_shared::problem::Code;
use adlib_tests::{Client, Edge, EdgeOptions, Fault, FaultProxy, Origin};
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::running;
use crate::support::{brief, long, origin, run, with};

/// An origin, a proxy before it, and an edge of one instance before that.
struct Line {
    origin: Origin,
    proxy: FaultProxy,
    edge: Edge,
}

/// No wait for the origin is longer, so that silence is soon over; and no answer takes so long on a busy machine.
const WAIT_MS: &str = "3000";

fn options(proxy: &FaultProxy) -> EdgeOptions {
    EdgeOptions::default()
        .with_instances(1)
        .with("origin_url", proxy.url())
        .with("rate_per_minute", "0")
        .with("origin_first_byte_ms", WAIT_MS)
        .with("origin_between_bytes_ms", WAIT_MS)
}

impl Line {
    async fn start() -> anyhow::Result<Self> {
        let origin = origin().await?;
        let proxy = FaultProxy::start(origin.address()).await?;
        let edge = Edge::start(&options(&proxy)).await?;
        let line = Self { origin, proxy, edge };
        line.heal(0).await?;
        Ok(line)
    }

    fn client(&self) -> &Client {
        &self.edge.clients.client
    }

    /// Ends the fault. A good answer lets the edge forget what it has seen.
    async fn heal(&self, number: u32) -> anyhow::Result<()> {
        self.proxy.set(Fault::None);
        let begun = Instant::now();
        loop {
            let answer = self.client().copy(&with(brief(0), json!({"seed": number}))).await?;
            if answer.status == 200 {
                return Ok(());
            }
            ensure!(begun.elapsed() < Duration::from_secs(10), "it does not recover: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How often the origin was asked for copy, once it has finished with all of it.
    async fn asked(&self) -> anyhow::Result<u64> {
        let origin = Client::new(self.origin.url());
        running::until(&origin, Duration::from_secs(5), |running| running == 0.0).await?;
        running::requests(&origin, "/v1/copy").await
    }
}

/// What comes of a stream: its events, and whether it broke off.
async fn stream(client: &Client, brief: &Value) -> anyhow::Result<(Vec<Event>, bool)> {
    let brief = with(brief.clone(), json!({"stream": true}));
    let mut response = client.request(Method::POST, "/v1/copy").json(&brief).send().await?;
    ensure!(response.status() == 200, "{response:?}");
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => events.extend(decoder.push(&piece)?),
            Ok(None) => return Ok((events, false)),
            Err(_) => return Ok((events, true)),
        }
    }
}

#[test]
fn every_fault_is_a_problem_document_and_nothing_of_it_is_kept() -> anyhow::Result<()> {
    run(async {
        let line = Line::start().await?;
        for (number, (fault, status, code)) in (1..).zip([
            (Fault::Latency(Duration::from_millis(50)), 200, ""),
            (Fault::Drip { bytes: 100, pause: Duration::from_millis(1) }, 200, ""),
            (Fault::Reset, 502, "origin_failed"),
            (Fault::ResetAfter(0), 502, "origin_failed"),
            (Fault::ResetAfter(400), 502, "origin_failed"),
            (Fault::TruncateAfter(0), 502, "origin_failed"),
            (Fault::TruncateAfter(400), 502, "origin_failed"),
            (Fault::HalfCloseAfter(400), 502, "origin_failed"),
            (Fault::Silence, 504, "deadline_exceeded"),
            (Fault::Status(500), 502, "origin_failed"),
            (Fault::Status(502), 502, "origin_failed"),
            (Fault::Status(503), 502, "origin_failed"),
        ]) {
            line.proxy.set(fault);
            let answer = line.client().copy(&brief(number)).await?;
            ensure!((answer.status, answer.code().as_str()) == (status, code), "{fault:?}: {answer:?}");
            if status == 200 {
                continue;
            }
            ensure!(answer.header("content-type") == "application/problem+json", "{fault:?}: {answer:?}");
            ensure!(answer.json()["status"] == status, "{fault:?}: {answer:?}");
            line.heal(number).await?;
            let after = line.client().copy(&brief(number)).await?;
            let stored = after.header("cache-status") == "adlib; fwd=uri-miss; stored";
            ensure!(after.status == 200 && stored, "after {fault:?}: {after:?}");
        }
        Ok(())
    })
}

#[test]
fn a_stream_that_is_cut_ends_without_done_and_is_asked_for_once() -> anyhow::Result<()> {
    run(async {
        let line = Line::start().await?;
        for (number, fault) in
            (1..).zip([Fault::ResetAfter(2000), Fault::TruncateAfter(2000), Fault::HalfCloseAfter(2000)])
        {
            let before = line.asked().await?;
            line.proxy.set(fault);
            let (events, _broken) = stream(line.client(), &long(number)).await?;
            ensure!(matches!(events.first(), Some(Event::Start(_))), "{fault:?}: {events:?}");
            ensure!(!events.iter().any(|event| matches!(event, Event::Done(_))), "{fault:?}: {events:?}");
            line.heal(number).await?;
            // The stream, and the brief that was sent to heal.
            let asked = line.asked().await? - before;
            ensure!(asked == 2, "{fault:?}: the origin was asked {asked} times");
            let after = line.client().copy(&long(number)).await?;
            ensure!(after.header("cache-status").contains("fwd=uri-miss"), "after {fault:?}: {after:?}");
        }
        Ok(())
    })
}

#[test]
fn a_stream_that_falls_silent_ends_with_an_error() -> anyhow::Result<()> {
    run(async {
        let line = Line::start().await?;
        let brief = with(long(1), json!({"stream": true}));
        let mut response = line.client().request(Method::POST, "/v1/copy").json(&brief).send().await?;
        let mut text = response.chunk().await?.context("the stream begins")?.to_vec();
        line.proxy.set(Fault::Silence);
        while let Ok(Some(piece)) = response.chunk().await {
            text.extend_from_slice(&piece);
        }
        let events = Decoder::new().push(&text)?;
        ensure!(!events.iter().any(|event| matches!(event, Event::Done(_))), "{events:?}");
        if let Some(Event::Error(problem)) = events.last() {
            ensure!(problem.code == Code::DeadlineExceeded, "{problem:?}");
        }
        line.proxy.set(Fault::None);
        let after = line.client().copy(&long(1)).await?;
        ensure!(after.header("cache-status").contains("fwd=uri-miss"), "{after:?}");
        Ok(())
    })
}

#[test]
fn a_slow_line_delays_a_stream_and_changes_nothing_in_it() -> anyhow::Result<()> {
    run(async {
        let line = Line::start().await?;
        for (number, fault) in (1..).zip([
            Fault::Latency(Duration::from_millis(20)),
            Fault::Drip { bytes: 7, pause: Duration::from_micros(10) },
        ]) {
            line.proxy.set(fault);
            let (events, broken) = stream(line.client(), &brief(number)).await?;
            let Some(Event::Done(copy)) = events.last() else { anyhow::bail!("{fault:?}: {events:?}") };
            ensure!(!broken, "{fault:?}: it broke off behind its end");
            let hit = line.client().copy(&brief(number)).await?;
            ensure!(hit.header("cache-status").contains("hit"), "{fault:?}: {hit:?}");
            ensure!(hit.json()["id"] == copy.id.as_str(), "{fault:?}: {hit:?}");
        }
        Ok(())
    })
}

#[test]
fn an_origin_is_asked_again_only_where_nothing_of_its_answer_has_come() -> anyhow::Result<()> {
    run(async {
        let line = Line::start().await?;
        for (number, (fault, times)) in
            (1..).zip([(Fault::ResetAfter(0), 2), (Fault::ResetAfter(400), 1), (Fault::Silence, 1)])
        {
            let before = line.asked().await?;
            line.proxy.set(fault);
            let answer = line.client().copy(&brief(number)).await?;
            ensure!(answer.status >= 500, "{fault:?}: {answer:?}");
            let asked = line.asked().await? - before;
            ensure!(asked == times, "{fault:?}: asked {asked} times");
            line.heal(number).await?;
        }
        Ok(())
    })
}

#[test]
fn an_origin_that_fails_again_and_again_is_left_alone_and_found_again() -> anyhow::Result<()> {
    run(async {
        let line = Line::start().await?;
        line.proxy.set(Fault::Reset);
        let begun = Instant::now();
        // The problem of a circuit that is open, not of a connection that broke.
        loop {
            let answer = line.client().copy(&brief(1)).await?;
            if answer.code() == "origin_unavailable" {
                ensure!(answer.status == 503 && !answer.header("retry-after").is_empty(), "{answer:?}");
                break;
            }
            ensure!(begun.elapsed() < Duration::from_secs(5), "the circuit stays closed: {answer:?}");
        }
        let connections = line.proxy.connections();
        for _ in 0..5 {
            ensure!(line.client().copy(&brief(1)).await?.code() == "origin_unavailable");
        }
        ensure!(line.proxy.connections() == connections, "it is not left alone");
        let hit = line.client().copy(&with(brief(0), json!({"seed": 0}))).await?;
        ensure!(hit.status == 200 && hit.header("cache-status").contains("hit"), "{hit:?}");
        line.heal(1).await
    })
}

#[test]
fn another_origin_answers_where_one_fails() -> anyhow::Result<()> {
    run(async {
        let (origin, other) = (origin().await?, origin().await?);
        let proxy = FaultProxy::start(origin.address()).await?;
        let (first, second) = (Client::new(origin.url()), Client::new(other.url()));
        let options = options(&proxy).with("second_origin_url", other.url());
        // A product whose briefs go to the origin behind the proxy first.
        let mut product = 0;
        let edge = Edge::start(&options).await?;
        while running::requests(&first, "/v1/copy").await? == 0 {
            product += 1;
            ensure!(product < 50, "no brief goes to the first origin");
            ensure!(edge.clients.client.copy(&brief(product)).await?.status == 200);
        }
        for fault in [
            Fault::Reset,
            Fault::ResetAfter(0),
            Fault::TruncateAfter(0),
            Fault::Status(500),
            Fault::Status(502),
            Fault::Status(503),
        ] {
            // An edge whose budget for retries is whole.
            let edge = Edge::start(&options).await?;
            proxy.set(fault);
            let before = running::requests(&second, "/v1/copy").await?;
            let answer = edge.clients.client.copy(&brief(product)).await?;
            ensure!(answer.status == 200, "{fault:?}: {answer:?}");
            let after = running::requests(&second, "/v1/copy").await?;
            ensure!(after - before == 1, "{fault:?}: the other origin has answered");
            let (events, broken) = stream(&edge.clients.client, &long(product)).await?;
            let is_done = matches!(events.last(), Some(Event::Done(_)));
            ensure!(is_done && !broken, "{fault:?}: {events:?}");
        }
        Ok(())
    })
}
