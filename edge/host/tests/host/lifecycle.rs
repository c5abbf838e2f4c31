//! Starting, stopping, and refusing to start.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use adlib_edge_host::Compiled;

use crate::harness::{PATIENCE, start, try_start, write_manifest};

/// Why a host with these settings does not start.
async fn refusal(change: impl FnOnce(&mut adlib_edge_host::HostConfig)) -> String {
    match try_start(change).await {
        Ok(_) => panic!("the host starts"),
        Err(error) => error.to_string(),
    }
}

/// A component of these imports and nothing else.
fn component(imports: &[&str]) -> Vec<u8> {
    let imports: Vec<_> = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect();
    wat::parse_str(format!("(component {})", imports.join(" "))).expect("a component in text form")
}

#[tokio::test]
async fn a_component_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    for expected in [Compiled::Now, Compiled::Before] {
        let harness = start(|config| config.compile_cache = Some(folder.path().join("cache"))).await;
        assert_eq!(harness.host.compiled(), expected);
        assert_eq!(harness.get("/hello").await.text, "hello");
    }
}

#[tokio::test]
async fn a_damaged_compiled_form_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(|config| config.compile_cache = Some(folder.path().to_owned())).await);
    let mut damaged = 0;
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                std::fs::write(path, b"damaged").unwrap();
                damaged += 1;
            }
        }
    }
    assert!(damaged > 0, "nothing is kept");
    let harness = start(|config| config.compile_cache = Some(folder.path().to_owned())).await;
    assert_eq!(harness.get("/hello").await.text, "hello");
}

#[tokio::test]
async fn imports_the_host_lacks_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.wasm");
    std::fs::write(
        &path,
        component(&["spin:sqlite/sqlite@3.0.0", "wasi:cli/environment@0.2.6", "wasi:nn/graph@0.2.0"]),
    )
    .unwrap();
    let message = refusal(|config| config.component = Some(path.clone())).await;
    assert!(message.ends_with("does not offer: spin:sqlite/sqlite@3.0.0, wasi:nn/graph@0.2.0"), "{message}");
    std::fs::write(&path, component(&[])).unwrap();
    let message = refusal(|config| config.component = Some(path.clone())).await;
    assert!(message.contains("does not fit this host"), "{message}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.wasm");
    for bytes in [&b""[..], b"not wasm", b"\0asm\x01\0\0\0"] {
        std::fs::write(&path, bytes).unwrap();
        let message = refusal(|config| config.component = Some(path.clone())).await;
        assert!(message.contains("not a component"), "{message}");
    }
    let message = refusal(|config| config.component = Some(folder.path().join("none.wasm"))).await;
    assert!(message.contains("cannot read the component"), "{message}");
}

#[tokio::test]
async fn a_missing_variable_a_bad_host_and_a_busy_port_are_told() {
    let message = refusal(|config| config.variables.clear()).await;
    assert!(message.contains("required variables token"), "{message}");
    let message =
        refusal(|config| drop(config.variables.insert("origin_url".into(), "localhost".into()))).await;
    assert!(message.contains("outbound host number 1: it has no scheme"), "{message}");
    let harness = start(|_| ()).await;
    let busy = harness.host.address();
    let message = refusal(|config| config.listen = busy).await;
    assert!(message.contains(&format!("cannot listen on {busy}")), "{message}");
}

#[tokio::test]
async fn a_shutdown_finishes_what_runs_and_accepts_nothing_more() {
    let harness = start(|_| ()).await;
    let url = harness.url("/sleep/3000");
    let running = tokio::spawn(async move { fetch(&url).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let address = harness.host.address();
    assert!(harness.host.shutdown().await);
    assert_eq!(running.await.unwrap(), "slept");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_finishes_what_goes_on_after_a_response() {
    let folder = tempfile::tempdir().unwrap();
    let stores = adlib_edge_host::Stores::Folder(folder.path().to_owned());
    let harness = start(|config| config.stores = stores.clone()).await;
    assert_eq!(harness.get("/after/500").await.status, 202);
    assert!(harness.host.shutdown().await);
    let harness = start(|config| config.stores = stores).await;
    assert_eq!(harness.get("/kv/default/after").await.text, "done");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_than_it_may() {
    let harness = start(|config| config.limits.shutdown_time_max = Duration::from_millis(300)).await;
    let url = harness.url("/sleep/60000");
    let running = tokio::spawn(async move { fetch(&url).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    assert!(!harness.host.shutdown().await);
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
    running.abort();
}

/// The body at this address; the harness itself is consumed by the shutdown meanwhile.
async fn fetch(url: &str) -> String {
    use http_body_util::BodyExt as _;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<http_body_util::Full<bytes::Bytes>>();
    let response = client.get(url.parse().expect("a URL")).await.expect("a response");
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    String::from_utf8_lossy(&body).into()
}

#[test]
fn the_program_says_when_it_is_ready_and_exits_cleanly_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_manifest(folder.path());
    let secret = folder.path().join("token");
    std::fs::write(&secret, "from a file").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_edge-host"))
        .args(["--listen", "127.0.0.1:0", "--manifest"])
        .arg(manifest)
        .arg("--variable")
        .arg(format!("token=@{}", secret.display()))
        .arg("--compile-cache")
        .arg(folder.path().join("cache"))
        .env("SPIN_VARIABLE_GREETING", "hi")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line
        .trim()
        .strip_prefix("edge-host is ready on ")
        .expect("the line that says it is ready")
        .to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(fetch(&format!("{url}/variable/greeting"))), "hi from from a file");
    assert!(folder.path().join(".spin/key_value.sqlite3").exists());

    let told = Command::new("kill").arg(program.id().to_string()).status().unwrap();
    assert!(told.success());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = program.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not stop");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn requests_of_an_instance_can_look_for_what_another_one_does() {
    let harness = start(|config| config.limits.instances_max = 1).await;
    let landing = harness.get("/land/1000");
    let following = futures::future::join_all(["/follow/5"; 12].map(|path| harness.get(path)));
    let (landed, followed) = futures::future::join(landing, following).await;
    assert_eq!(landed.text, "landed");
    assert!(followed.iter().all(|reply| reply.text == "followed"), "{followed:?}");
}

#[tokio::test]
async fn a_guest_can_give_up_what_it_waits_for() {
    let harness = start(|config| config.limits.instances_max = 1).await;
    let begun = Instant::now();
    let replies = futures::future::join_all(["/race/5/60000"; 8].map(|path| harness.get(path))).await;
    assert!(replies.iter().all(|reply| reply.text == "the shorter one"), "{replies:?}");
    assert!(begun.elapsed() < PATIENCE, "nothing waits for what was given up");
    assert_eq!(harness.get("/count").await.text, "9", "the instance lives on");
}
