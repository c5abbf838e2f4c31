//! What the edge answers from its cache in a second, and what it adds to an answer of the origin.
//!
//! In the same rounds are measured: a component that does next to nothing in the same runtime, once as a hello world and
//! once with bodies of the same size, and a bare server that has every answer ready. What the first two take is the floor
//! that the runtime and the component's kit set; what is above it is the edge's own. Where they are installed, the edge is
//! measured over Redis and in Spin too, and beside nginx's and LiteLLM's caches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use adlib_benches::canned_origin::{self, CannedOrigin};
use adlib_benches::contender::{Contender, Measured};
use adlib_benches::load::{Outcome, RequestText};
use adlib_benches::median::median;
use adlib_benches::peers::{self, installed};
use adlib_benches::server::Server;
use adlib_benches::{machine, table};
use adlib_edge_host::{GuestOutput, Host, HostConfig, RunningHost, Stores, user_compile_cache};
use adlib_shared::api_key::{ApiKey, Kind};
use anyhow::{Context, ensure};
use clap::Parser;

const SECRET: &str = "a secret of the measurements, 32 bytes or more";
/// What the head of a cache hit holds.
const HIT: &str = "adlib; hit";
const EDGE_MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spin.toml");
const HELLO_MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hello/spin.toml");
/// Copies among which hits are spread: so many that an instance seldom gives one twice. Two of them may share a slot of the
/// store and take each other's place, so what is asked for is not always a hit.
const COPIES: usize = 1000;
/// What the head of an answer holds in which the cache took part.
const CACHED: &str = "cache-status: adlib; ";
/// LiteLLM is sent one in so many requests: it takes about so much longer.
const LITELLM_ONE_IN: usize = 50;

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
    let running = Running::start(&arguments).await?;
    println!("On {}, the load on them too", machine::description());
    let mut rounds = Vec::new();
    for round in 0..arguments.rounds {
        eprintln!("round {} of {}", round + 1, arguments.rounds);
        rounds.push(Round::measure(&arguments, &running, round).await?);
    }
    report(&running.contenders, &rounds);
    for host in running.hosts {
        host.shutdown().await;
    }
    Ok(())
}

/// Everything that runs during a measurement.
struct Running {
    /// The edge in its host, hello world, bodies of a hit's size, the bare server, the edge with many copies; then those
    /// that are installed.
    contenders: Vec<Contender>,
    /// What misses are sent to: the edge over each store, and the origin itself.
    misses: Vec<Contender>,
    hosts: Vec<RunningHost>,
    /// Ended by being dropped.
    _servers: Vec<Server>,
    _origin: CannedOrigin,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        let origin = CannedOrigin::start().await?;
        let key = ApiKey::generate(Kind::Test, [7; 16]);
        let folder = tempfile::tempdir()?;
        let variables = variables(&origin, &key);
        let edge = start_edge(&arguments.component, &variables, folder.path()).await?;
        let hello = start_hello(&arguments.hello).await?;
        let copies = copies("/v1/copy", &key);
        let bodies = repeated(&copies_of_size(&key));
        let here = |name, address, request: &Arc<RequestText>, expected| Contender {
            name,
            address,
            request: Arc::clone(request),
            expected,
            is_here: true,
            distinct: 1,
            one_in: 1,
        };
        let mut contenders = vec![
            here("hits", edge.address(), &repeated(&copies), HIT),
            here("hello world", hello.address(), &greeting(), ""),
            here("bodies of the same size", hello.address(), &bodies, ""),
            here("bare server", origin.address(), &repeated(&copies), ""),
            Contender {
                distinct: COPIES,
                ..here("hits among 1,000 copies", edge.address(), &among(&copies), CACHED)
            },
        ];
        let mut misses = vec![
            here("misses", edge.address(), &copies, "fwd=uri-miss"),
            here("bare server", origin.address(), &copies, ""),
        ];
        let (mut hosts, mut servers) = (vec![edge, hello], Vec::new());
        let elsewhere = |contender| Contender { is_here: false, ..contender };
        if let Some(program) = installed("redis-server") {
            let redis = peers::redis(&program).await?;
            let url = ("redis_url", format!("redis://{}", redis.address()));
            let over = [&variables[..], &[url]].concat();
            let edge = start_edge(&arguments.component, &over, folder.path()).await?;
            contenders.push(here("hits over Redis", edge.address(), &repeated(&copies), HIT));
            misses.push(here("misses over Redis", edge.address(), &copies, "fwd=uri-miss"));
            servers.push(redis);
            hosts.push(edge);
        }
        if let Some(program) = installed("spin") {
            let edge = peers::spin(&program, Path::new(EDGE_MANIFEST), &variables).await?;
            let hello = peers::spin(&program, Path::new(HELLO_MANIFEST), &[]).await?;
            let [hits, world] = [
                here("hits in Spin", edge.address(), &repeated(&copies), HIT),
                here("hello world in Spin", hello.address(), &greeting(), ""),
            ];
            contenders.extend([hits, world].map(elsewhere));
            servers.extend([edge, hello]);
        }
        if let Some(program) = installed("nginx") {
            let nginx = peers::nginx(&program, origin.address()).await?;
            let hits = here("nginx's cache", nginx.address(), &repeated(&copies), "x-cache: hit");
            contenders.push(elsewhere(hits));
            servers.push(nginx);
        }
        if let Some(program) = installed("litellm") {
            let litellm = peers::litellm(&program, origin.address()).await?;
            let hits = here("LiteLLM's cache", litellm.address(), &chat(), "x-litellm-cache-key");
            contenders.push(Contender { one_in: LITELLM_ONE_IN, ..elsewhere(hits) });
            servers.push(litellm);
        }
        Ok(Self { contenders, misses, hosts, _servers: servers, _origin: origin, _folder: folder })
    }
}

async fn start_hello(component: &Path) -> anyhow::Result<RunningHost> {
    let mut config = HostConfig::new(HELLO_MANIFEST);
    config.component = Some(component.to_owned());
    config.compile_cache = user_compile_cache();
    Host::start(config).await.context("cannot start the component that does next to nothing")
}

async fn start_edge(
    component: &Path,
    variables: &[(&'static str, String)],
    folder: &Path,
) -> anyhow::Result<RunningHost> {
    let mut config = HostConfig::new(EDGE_MANIFEST);
    for (name, value) in variables {
        config = config.with_variable(*name, value.clone());
    }
    config.component = Some(component.to_owned());
    config.compile_cache = user_compile_cache();
    config.stores = Stores::Folder(folder.to_owned());
    config.guest_output = GuestOutput::StandardError;
    Host::start(config).await.context("cannot start the edge")
}

fn variables(origin: &CannedOrigin, key: &ApiKey) -> Vec<(&'static str, String)> {
    vec![
        ("origin_url", format!("http://{}", origin.address())),
        ("api_keys", format!("{}:benches:edge", key.hash(SECRET.as_bytes()).to_hex())),
        ("key_pepper", SECRET.to_owned()),
        ("hop_secret", SECRET.to_owned()),
        // What is measured is the way of a request, not its refusal.
        ("rate_per_minute", "0".to_owned()),
    ]
}

/// What one round measured.
struct Round {
    contenders: Vec<Measured>,
    misses: Vec<Outcome>,
}

impl Round {
    async fn measure(arguments: &Arguments, running: &Running, round: usize) -> anyhow::Result<Self> {
        let (many, count, alone) = (arguments.connections, arguments.hits, arguments.misses);
        let mut measured = Self { contenders: Vec::new(), misses: Vec::new() };
        for contender in &running.contenders {
            measured.contenders.push(contender.measure(many, count, alone).await?);
        }
        for contender in &running.misses {
            // Every round has seeds of its own, so that none is known before.
            measured.misses.push(contender.send(1, alone, COPIES + round * alone, contender.expected).await?);
        }
        Ok(measured)
    }
}

/// Requests for a copy; the number is the seed, so that equal numbers have equal answers.
fn copies(path: &str, key: &ApiKey) -> Arc<RequestText> {
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

/// The same bodies for the component that does next to nothing, which answers with as many bytes as a hit has.
fn copies_of_size(key: &ApiKey) -> Arc<RequestText> {
    copies(&format!("/{}", canned_origin::COPY.len()), key)
}

fn greeting() -> Arc<RequestText> {
    Arc::new(|_| b"GET /5 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".to_vec())
}

/// A request of the OpenAI API.
fn chat() -> Arc<RequestText> {
    let body = r#"{"model":"canned","messages":[{"role":"user","content":"Write a push notification for Juniper, a bread knife made in Sheffield that stays sharp for ten years"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        peers::LITELLM_KEY,
        body.len()
    );
    Arc::new(move |_| request.clone().into_bytes())
}

/// The first of the requests for every number.
fn repeated(requests: &Arc<RequestText>) -> Arc<RequestText> {
    let request = requests(0);
    Arc::new(move |_| request.clone())
}

/// Each of the first requests in turn.
fn among(requests: &Arc<RequestText>) -> Arc<RequestText> {
    let requests: Vec<Vec<u8>> = (0..COPIES).map(|number| requests(number)).collect();
    Arc::new(move |number| requests[number % COPIES].clone())
}

fn report(contenders: &[Contender], rounds: &[Round]) {
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of)).unwrap_or(f64::NAN);
    let row = |name: String, is_here: bool, outcome: &dyn Fn(&Round) -> &Outcome| {
        let times =
            [0.5, 0.99].map(|share| format!("{:.2}", middle(&|round| outcome(round).whole_ms(share))));
        let speed = format!("{:.0}", middle(&|round| outcome(round).per_second()));
        let computed = format!("{:.0}", middle(&|round| outcome(round).cpu_us()));
        let computed = if is_here { computed } else { "–".to_owned() };
        [&[name, speed][..], &times, &[computed]].concat()
    };
    println!("Medians of {} rounds\n", rounds.len());
    let mut rows = Vec::new();
    for (at, contender) in contenders.iter().enumerate() {
        let name = format!("{}, many connections", contender.name);
        rows.push(row(name, contender.is_here, &|round| &round.contenders[at].many));
    }
    for (at, contender) in contenders.iter().enumerate() {
        let name = format!("{}, one connection", contender.name);
        rows.push(row(name, contender.is_here, &|round| &round.contenders[at].alone));
    }
    for at in 0..rounds[0].misses.len() {
        let name = ["misses", "the origin itself", "misses over Redis"][at];
        rows.push(row(format!("{name}, one connection"), true, &|round| &round.misses[at]));
    }
    let columns = ["", "requests/s", "p50 ms", "p99 ms", "CPU µs each of this process, load included"];
    print!("{}", table::markdown(&columns, &rows));

    println!();
    let many = |round: &Round, at: usize| round.contenders[at].many.per_second();
    for (at, contender) in contenders.iter().enumerate().skip(1) {
        let ratio = middle(&|round| many(round, 0) / many(round, at));
        println!("Hits a second are {ratio:.2} times those of: {}", contender.name);
    }
    let cpu = |at: usize| middle(&|round| round.contenders[at].many.cpu_us());
    println!(
        "CPU of a hit above a bare server's answer: {:.0} µs of the runtime, {:.0} µs of the edge",
        cpu(2) - cpu(3),
        cpu(0) - cpu(2)
    );
    for (at, store) in [(0, "key-value"), (2, "Redis")].iter().filter(|(at, _)| *at < rounds[0].misses.len())
    {
        let added = |share: f64| {
            middle(&|round| round.misses[*at].first_byte_ms(share) - round.misses[1].first_byte_ms(share))
        };
        println!(
            "Added to a miss until the first byte, over {store}: p50 {:.2} ms, p99 {:.2} ms",
            added(0.5),
            added(0.99)
        );
    }
}
