//! What the edge answers from its cache in a second, and what it adds to an answer of the origin.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adlib_benches::canned_origin::CannedOrigin;
use adlib_benches::load::{Load, Outcome, RequestText};
use adlib_benches::machine;
use adlib_benches::median::median;
use adlib_benches::table;
use adlib_edge_host::{GuestOutput, Host, HostConfig, RunningHost, Stores, user_compile_cache};
use adlib_shared::api_key::{ApiKey, Kind};
use anyhow::{Context, ensure};
use clap::Parser;

const SECRET: &str = "a secret of the measurements, 32 bytes or more";

#[derive(Debug, Parser)]
#[command(name = "cargo dev bench edge", about = "Measure the edge's cache hits and what it adds to a miss")]
struct Arguments {
    /// The component
    #[arg(long, env = "ADLIB_EDGE_COMPONENT", value_name = "FILE")]
    component: PathBuf,
    /// Connections at once for the hits a second
    #[arg(long, value_name = "N", default_value_t = 16)]
    connections: usize,
    /// Hits in a round over all connections
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    hits: usize,
    /// Misses in a round, one after the other
    #[arg(long, value_name = "N", default_value_t = 500)]
    misses: usize,
    /// Rounds, in each of which everything is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.rounds > 0 && arguments.connections > 0 && arguments.misses > 0,
        "there is nothing to measure"
    );
    ensure!(arguments.hits >= arguments.connections, "each connection needs a request");
    let origin = CannedOrigin::start().await?;
    let key = ApiKey::generate(Kind::Test, [7; 16]);
    let folder = tempfile::tempdir()?;
    let edge = start(&arguments.component, &origin, &key, folder.path()).await?;
    println!("edge/host on {}, the load on them too; key-value store in SQLite", machine::description());
    let mut rounds = Vec::new();
    for round in 0..arguments.rounds {
        eprintln!("round {} of {}", round + 1, arguments.rounds);
        rounds.push(Round::measure(&arguments, edge.address(), origin.address(), &key, round).await?);
    }
    report(&rounds);
    edge.shutdown().await;
    Ok(())
}

async fn start(
    component: &Path,
    origin: &CannedOrigin,
    key: &ApiKey,
    folder: &Path,
) -> anyhow::Result<RunningHost> {
    let manifest = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../spin.toml"));
    let mut config = HostConfig::new(manifest)
        .with_variable("origin_url", format!("http://{}", origin.address()))
        .with_variable("api_keys", format!("{}:benches:edge", key.hash(SECRET.as_bytes()).to_hex()))
        .with_variable("key_pepper", SECRET)
        .with_variable("hop_secret", SECRET)
        // What is measured is the way of a request, not its refusal.
        .with_variable("rate_per_minute", "0");
    config.component = Some(component.to_owned());
    config.compile_cache = user_compile_cache();
    config.stores = Stores::Folder(folder.to_owned());
    config.guest_output = GuestOutput::StandardError;
    Host::start(config).await.context("cannot start the edge")
}

/// What one round measured.
struct Round {
    hits: Outcome,
    one_at_a_time: Outcome,
    ceiling: Outcome,
    misses: Outcome,
    direct: Outcome,
}

impl Round {
    async fn measure(
        arguments: &Arguments,
        edge: SocketAddr,
        origin: SocketAddr,
        key: &ApiKey,
        round: usize,
    ) -> anyhow::Result<Self> {
        let request = requests(key);
        let load = |address, connections, requests, first, expected| {
            Load { address, connections, requests, first, request: Arc::clone(&request), expected }.send()
        };
        // Every round has seeds of its own, so that none is known before.
        let seed = 1 + round * arguments.misses;
        let same: Arc<RequestText> = {
            let request = Arc::clone(&request);
            Arc::new(move |_| request(0))
        };
        let hit = |address, connections, requests, expected| {
            Load { address, connections, requests, first: 0, request: Arc::clone(&same), expected }.send()
        };
        // The first one fills the cache, in the first round.
        hit(edge, 1, 1, "").await?;
        Ok(Self {
            hits: hit(edge, arguments.connections, arguments.hits, "adlib; hit").await?,
            one_at_a_time: hit(edge, 1, arguments.misses, "adlib; hit").await?,
            ceiling: hit(origin, arguments.connections, arguments.hits, "").await?,
            misses: load(edge, 1, arguments.misses, seed, "fwd=uri-miss").await?,
            direct: load(origin, 1, arguments.misses, seed, "").await?,
        })
    }
}

/// Requests for a copy; the number is the seed, so that equal numbers have equal answers.
fn requests(key: &ApiKey) -> Arc<RequestText> {
    let key = key.expose().to_owned();
    Arc::new(move |number| {
        let body = format!(
            r#"{{"channel":"push","seed":{number},"product":{{"name":"Juniper","description":"A bread knife made in Sheffield that stays sharp for ten years"}}}}"#
        );
        format!(
            "POST /v1/copy HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
}

fn report(rounds: &[Round]) {
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of)).unwrap_or(f64::NAN);
    let row = |name: &str, outcome: &dyn Fn(&Round) -> &Outcome| {
        let times =
            [0.5, 0.99].map(|share| format!("{:.2}", middle(&|round| outcome(round).whole_ms(share))));
        let speed = format!("{:.0}", middle(&|round| outcome(round).per_second()));
        [&[name.to_owned(), speed][..], &times].concat()
    };
    println!("Medians of {} rounds\n", rounds.len());
    let rows = [
        row("hits, many connections", &|round| &round.hits),
        row("hits, one connection", &|round| &round.one_at_a_time),
        row("bare server, many connections", &|round| &round.ceiling),
        row("misses, one connection", &|round| &round.misses),
        row("bare server, one connection", &|round| &round.direct),
    ];
    print!("{}", table::markdown(&["", "requests/s", "p50 ms", "p99 ms"], &rows));
    let added = |share: f64| {
        middle(&|round| round.misses.first_byte_ms(share))
            - middle(&|round| round.direct.first_byte_ms(share))
    };
    println!("\nAdded to a miss until the first byte: p50 {:.2} ms, p99 {:.2} ms", added(0.5), added(0.99));
    let ratio = middle(&|round| round.hits.per_second() / round.ceiling.per_second());
    println!("Hits, as a share of a bare server's answers of the same kind: {ratio:.2}");
}
