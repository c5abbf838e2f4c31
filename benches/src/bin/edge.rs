//! What the edge answers from its cache in a second, and what it adds to an answer of the origin.
//!
//! Three peers are measured in the same rounds: a component that does next to nothing in the same runtime, once as a
//! hello world and once with bodies of the same size, and a bare server that has every answer ready. What the first two
//! take is the floor that the runtime and the component's kit set; what is above it is the edge's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adlib_benches::canned_origin::{self, CannedOrigin};
use adlib_benches::load::{Load, Outcome, RequestText};
use adlib_benches::machine;
use adlib_benches::median::median;
use adlib_benches::table;
use adlib_edge_host::{GuestOutput, Host, HostConfig, RunningHost, Stores, user_compile_cache};
use adlib_shared::api_key::{ApiKey, Kind};
use anyhow::{Context, ensure};
use clap::Parser;

const SECRET: &str = "a secret of the measurements, 32 bytes or more";
/// What the head of a cache hit holds.
const HIT: &str = "adlib; hit";

#[derive(Debug, Parser)]
#[command(name = "cargo dev bench edge", about = "Measure the edge's cache hits and what it adds to a miss")]
struct Arguments {
    /// The component
    #[arg(long, env = "ADLIB_EDGE_COMPONENT", value_name = "FILE")]
    component: PathBuf,
    /// The component that does next to nothing
    #[arg(long, env = "ADLIB_HELLO_COMPONENT", value_name = "FILE")]
    hello: PathBuf,
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
    let edge = start_edge(&arguments.component, &origin, &key, folder.path()).await?;
    let hello = start_hello(&arguments.hello).await?;
    let places = Places { edge: edge.address(), hello: hello.address(), origin: origin.address() };
    println!("edge/host on {}, the load on them too; key-value store in SQLite", machine::description());
    let mut rounds = Vec::new();
    for round in 0..arguments.rounds {
        eprintln!("round {} of {}", round + 1, arguments.rounds);
        rounds.push(Round::measure(&arguments, &places, &key, round).await?);
    }
    report(&rounds);
    edge.shutdown().await;
    hello.shutdown().await;
    Ok(())
}

async fn start_hello(component: &Path) -> anyhow::Result<RunningHost> {
    let mut config = HostConfig::new(concat!(env!("CARGO_MANIFEST_DIR"), "/hello/spin.toml"));
    config.component = Some(component.to_owned());
    config.compile_cache = user_compile_cache();
    Host::start(config).await.context("cannot start the component that does next to nothing")
}

async fn start_edge(
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

/// Where the servers are.
struct Places {
    edge: SocketAddr,
    hello: SocketAddr,
    origin: SocketAddr,
}

/// What one round measured.
struct Round {
    hits: Outcome,
    hello: Outcome,
    bodies: Outcome,
    bare: Outcome,
    hits_alone: Outcome,
    bodies_alone: Outcome,
    misses: Outcome,
    direct: Outcome,
}

impl Round {
    async fn measure(
        arguments: &Arguments,
        places: &Places,
        key: &ApiKey,
        round: usize,
    ) -> anyhow::Result<Self> {
        let &Places { edge, hello, origin } = places;
        let copies = requests("/v1/copy", key);
        // The first brief again and again.
        let copy = repeated(&copies);
        let body = repeated(&requests(&format!("/{}", canned_origin::COPY.len()), key));
        let greeting: Arc<RequestText> = Arc::new(|_| b"GET /5 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".to_vec());
        let send = |address, connections, requests, first, request: &Arc<RequestText>, expected| {
            Load { address, connections, requests, first, request: Arc::clone(request), expected }.send()
        };
        let (many, count, alone) = (arguments.connections, arguments.hits, arguments.misses);
        // Every round has seeds of its own, so that none is known before.
        let seed = 1 + round * alone;
        // The first one fills the cache, in the first round.
        send(edge, 1, 1, 0, &copy, "").await?;
        Ok(Self {
            hits: send(edge, many, count, 0, &copy, HIT).await?,
            hello: send(hello, many, count, 0, &greeting, "").await?,
            bodies: send(hello, many, count, 0, &body, "").await?,
            bare: send(origin, many, count, 0, &copy, "").await?,
            hits_alone: send(edge, 1, alone, 0, &copy, HIT).await?,
            bodies_alone: send(hello, 1, alone, 0, &body, "").await?,
            misses: send(edge, 1, alone, seed, &copies, "fwd=uri-miss").await?,
            direct: send(origin, 1, alone, seed, &copies, "").await?,
        })
    }
}

/// Requests for a copy; the number is the seed, so that equal numbers have equal answers.
fn requests(path: &str, key: &ApiKey) -> Arc<RequestText> {
    let (path, key) = (path.to_owned(), key.expose().to_owned());
    Arc::new(move |number| {
        let body = format!(
            r#"{{"channel":"push","seed":{number},"product":{{"name":"Juniper","description":"A bread knife made in Sheffield that stays sharp for ten years"}}}}"#
        );
        format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
}

/// The first of the requests for every number.
fn repeated(requests: &Arc<RequestText>) -> Arc<RequestText> {
    let request = requests(0);
    Arc::new(move |_| request.clone())
}

fn report(rounds: &[Round]) {
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of)).unwrap_or(f64::NAN);
    let row = |name: &str, outcome: &dyn Fn(&Round) -> &Outcome| {
        let times =
            [0.5, 0.99].map(|share| format!("{:.2}", middle(&|round| outcome(round).whole_ms(share))));
        let speed = format!("{:.0}", middle(&|round| outcome(round).per_second()));
        let computed = format!("{:.0}", middle(&|round| outcome(round).cpu_us()));
        [&[name.to_owned(), speed][..], &times, &[computed]].concat()
    };
    println!("Medians of {} rounds\n", rounds.len());
    let rows = [
        row("hits, many connections", &|round| &round.hits),
        row("hello world, many connections", &|round| &round.hello),
        row("bodies of the same size, many connections", &|round| &round.bodies),
        row("bare server, many connections", &|round| &round.bare),
        row("hits, one connection", &|round| &round.hits_alone),
        row("bodies of the same size, one connection", &|round| &round.bodies_alone),
        row("misses, one connection", &|round| &round.misses),
        row("bare server, one connection", &|round| &round.direct),
    ];
    print!(
        "{}",
        table::markdown(&["", "requests/s", "p50 ms", "p99 ms", "CPU µs each, load included"], &rows)
    );
    let share = |peer: &dyn Fn(&Round) -> &Outcome| {
        middle(&|round| round.hits.per_second() / peer(round).per_second())
    };
    let (hello, bare) = (share(&|round| &round.hello), share(&|round| &round.bare));
    println!("\nHits a second, as a share of a hello world's {hello:.2}, of a bare server's {bare:.2}");
    let above =
        |peer: &dyn Fn(&Round) -> &Outcome| middle(&|round| round.hits.cpu_us() - peer(round).cpu_us());
    let (runtime, own) =
        (above(&|round| &round.bare) - above(&|round| &round.bodies), above(&|round| &round.bodies));
    println!(
        "CPU of a hit above a bare server's answer: {runtime:.0} µs of the runtime, {own:.0} µs of the edge"
    );
    let added =
        |share: f64| middle(&|round| round.misses.first_byte_ms(share) - round.direct.first_byte_ms(share));
    println!("Added to a miss until the first byte: p50 {:.2} ms, p99 {:.2} ms", added(0.5), added(0.99));
}
