//! Redis as the guest uses it: a real server on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::harness::{Harness, start};

/// A server of the test's own.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed; `cargo dev test` installs it");
        let log = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut lines = log.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("accept connections")), "redis-server does not start");
        Self { child, url: format!("redis://127.0.0.1:{port}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host whose guest may connect to the server.
async fn host(server: &Server) -> Harness {
    let url = server.url.clone();
    start(|config| drop(config.variables.insert("origin_url".into(), url))).await
}

/// What the guest is answered over so many connections.
async fn run(harness: &Harness, url: &str, connections: usize, command: &str) -> String {
    let request = Request::get(harness.url(&format!("/redis/{connections}/{command}"))).header("x-url", url);
    harness.request(request.body(Full::new(Bytes::new())).expect("a request")).await.text
}

#[tokio::test]
async fn answers_come_as_spin_hands_them_out() {
    let server = Server::start();
    let harness = host(&server).await;
    for (command, answer) in [
        ("SET/a/7", r#"Ok([RedisResult::Status("OK")])"#),
        ("INCR/a", "Ok([RedisResult::Int64(8)])"),
        ("GET/a", "Ok([RedisResult::Binary([56])])"),
        ("GET/b", "Ok([RedisResult::Nil])"),
        (
            "EVAL/return%20{1,{2,{'8'}},false}/0",
            "Ok([RedisResult::Int64(1), RedisResult::Int64(2), RedisResult::Binary([56]), RedisResult::Nil])",
        ),
        ("LRANGE/none/0/1", "Ok([])"),
    ] {
        assert_eq!(run(&harness, &server.url, 1, command).await, answer, "{command}");
    }
    let wrong = run(&harness, &server.url, 1, "LPUSH/a/1").await;
    assert!(wrong.starts_with("Err(Error::Other(") && wrong.contains("WRONGTYPE"), "{wrong}");
    let unknown = run(&harness, &server.url, 1, "EVALSHA/0000000000000000000000000000000000000000/0").await;
    assert!(unknown.to_lowercase().contains("no matching script"), "{unknown}");
}

#[tokio::test]
async fn a_server_that_the_manifest_does_not_allow_is_out_of_reach() {
    let server = Server::start();
    let harness = host(&server).await;
    for url in ["redis://127.0.0.1:1", &server.url.replace("127.0.0.1", "localhost"), "127.0.0.1", ""] {
        let refused = run(&harness, url, 1, "PING").await;
        assert!(refused.contains("InvalidAddress"), "{url}: {refused}");
    }
}

#[tokio::test]
async fn an_instance_opens_as_many_connections_as_it_may() {
    let server = Server::start();
    let url = server.url.clone();
    let harness = start(|config| {
        config.variables.insert("origin_url".into(), url);
        config.limits.redis_connections_max = 3;
    })
    .await;
    assert!(run(&harness, &server.url, 3, "PING").await.contains("PONG"));
    let refused = run(&harness, &server.url, 4, "PING").await;
    assert!(refused.starts_with("3 ") && refused.contains("TooManyConnections"), "{refused}");
    assert!(
        run(&harness, &server.url, 3, "PING").await.contains("PONG"),
        "they are closed with their handles"
    );
}

#[tokio::test]
async fn a_server_that_ends_is_an_error_and_no_hang() {
    let mut server = Server::start();
    let harness = host(&server).await;
    assert!(run(&harness, &server.url, 1, "PING").await.contains("PONG"));
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");
    assert!(run(&harness, &server.url, 1, "PING").await.starts_with("0 "));
}
