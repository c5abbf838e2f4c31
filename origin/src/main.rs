//! The binary `origin`: reads its settings, serves at once, loads the model meanwhile, and shuts down gracefully.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adlib_origin::api::app::App;
use adlib_origin::bench;
use adlib_origin::copy::Copywriter;
use adlib_origin::copy::load::{self, LoadedWriter};
use adlib_origin::selftest;
use adlib_origin::server::signals::Signals;
use adlib_origin::server::{Drained, Server};
use adlib_origin::settings::Settings;
use adlib_origin::settings::flags::{Cli, Flags, Verb};
use adlib_origin::settings::raw::Raw;
use adlib_origin::telemetry::{self, metrics};
use anyhow::{Context, anyhow};
use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::oneshot;

/// The exit status of a wrong configuration (`EX_CONFIG` in BSD's `sysexits.h`).
const EXIT_CONFIGURATION: u8 = 78;
/// Threads for HTTP; the work is the engine's, which has threads of its own.
const HTTP_THREADS: usize = 2;
/// How often samples that no scrape has collected are folded into their histograms.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let started = Instant::now();
    match Cli::parse().into_verb() {
        Verb::Serve(flags) => serve(&flags, started),
        Verb::Selftest(flags) => finish(selftest::run(&flags)),
        Verb::Bench(flags) => finish(bench::run(&flags).map(|()| true)),
    }
}

/// A verb's end: whether all is well, or why nothing could be found out.
fn finish<E: std::error::Error>(outcome: Result<bool, E>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("origin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &Flags, started: Instant) -> ExitCode {
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
    let settings = match Raw::given(flags, environment).and_then(Settings::read) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("origin: {error}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    match serve_with(settings, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("origin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve_with(settings: Settings, started: Instant) -> anyhow::Result<()> {
    telemetry::init(&settings.logs)?;
    let metrics = metrics::install()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(HTTP_THREADS).enable_all().build()?;
    let outcome = runtime.block_on(run(settings, metrics, started));
    // Whatever still runs was given its time.
    runtime.shutdown_background();
    outcome
}

async fn run(settings: Settings, metrics: PrometheusHandle, started: Instant) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    if settings.hop.is_none() {
        tracing::warn!("no hop secret is set: requests are served unsigned, as on a trusted network");
    }
    tokio::spawn(keep_up(metrics.clone()));
    let app = Arc::new(App::new(settings.http.request_deadline, metrics));
    let server = Server::bind(settings.listen, settings.http.clone(), settings.hop.clone(), Arc::clone(&app))
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    tracing::info!(address = %server.address()?, "listening; the model is loading");
    let failed = load_apart(settings, Arc::clone(&app), started)?;
    let mut failure = None;
    let drained = server
        .run(async {
            tokio::select! {
                signal = signals.next() => tracing::info!(signal = signal.as_raw_value(), "shutting down"),
                // Without an error it is a panic that has ended the thread, which has work as long as this serves.
                outcome = failed => failure = Some(outcome.unwrap_or_else(|_| anyhow!("a fault ended the model's thread"))),
            }
            tokio::spawn(signals.enforce());
        })
        .await;
    match drained {
        Drained::Complete => tracing::info!("every request was finished"),
        Drained::Cut { connections } => {
            tracing::warn!(connections, "the time to drain is over; connections were cut");
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Loads the model on a thread of its own, since it blocks; what comes back is the error if that fails, or if every
/// engine fails for good later.
fn load_apart(
    settings: Settings,
    app: Arc<App<Copywriter>>,
    started: Instant,
) -> std::io::Result<oneshot::Receiver<anyhow::Error>> {
    let (failure, failed) = oneshot::channel();
    std::thread::Builder::new().name("load".into()).spawn(move || match load::load(&settings) {
        Ok(LoadedWriter { writer, engines }) => {
            let model = writer.model().clone();
            app.loaded(writer);
            let took = started.elapsed();
            metrics::note_ready(&model.id, &model.fingerprint, took);
            tracing::info!(model = model.id, start_to_ready_ms = took.as_millis() as u64, "ready");
            if let Err(error) = engines.wait() {
                _ = failure.send(anyhow::Error::new(error).context("the model cannot be run"));
            }
        }
        Err(error) => _ = failure.send(anyhow::Error::new(error).context("the model cannot be loaded")),
    })?;
    Ok(failed)
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}
