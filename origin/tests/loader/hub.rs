//! Fetching a repository from a hub that the test plays on loopback.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use adlib_origin::model::hub::{self, HubError};
use hf_hub::api::sync::ApiBuilder;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub of one repository, `owner/name`, and the paths it was asked for.
struct Hub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn start(files: &[(&str, &str)]) -> Self {
        let files: HashMap<String, String> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        // The thread ends with the test's process; it serves one connection after the other.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &files, &seen);
            }
        });
        Self { address, asked }
    }

    fn fetch(&self, cache: &std::path::Path) -> Result<std::path::PathBuf, HubError> {
        let api = ApiBuilder::new().with_endpoint(self.address.clone()).with_cache_dir(cache.into());
        hub::fetch_with(api.with_progress(false).with_retries(0), "owner/name")
    }
}

fn answer(mut stream: TcpStream, files: &HashMap<String, String>, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
    let request = lines.next().and_then(Result::ok).unwrap_or_default();
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("no test panics here").push(path.clone());
    let metadata = headers.iter().any(|header| header.eq_ignore_ascii_case("range: bytes=0-0"));
    let (status, body, extra) = if path == "/api/models/owner/name/revision/main" {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        ("200 OK", serde_json::json!({"siblings": siblings, "sha": COMMIT}).to_string(), String::new())
    } else if let Some(text) = path.strip_prefix("/owner/name/resolve/main/").and_then(|name| files.get(name))
    {
        let size = text.len();
        let end = if metadata { 0 } else { size - 1 };
        let body = text[..=end].to_owned();
        let extra = format!(
            "x-repo-commit: {COMMIT}\r\netag: \"{size}-{}\"\r\ncontent-range: bytes 0-{end}/{size}\r\n",
            &path[25..]
        );
        ("206 Partial Content", body, extra)
    } else {
        ("404 Not Found", String::new(), String::new())
    };
    let head =
        format!("HTTP/1.1 {status}\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client that hangs up early is no concern of the hub.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

#[test]
fn a_repository_becomes_a_folder_and_is_fetched_once() {
    let files = [
        ("config.json", "{}"),
        ("model.safetensors", "weights"),
        ("tokenizer.json", "{}"),
        ("README.md", "hello"),
    ];
    let hub = Hub::start(&files);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let folder = hub.fetch(cache.path()).expect("it is fetched");
    assert_eq!(std::fs::read_to_string(folder.join("model.safetensors")).expect("it is there"), "weights");
    assert!(!folder.join("README.md").exists(), "only what is read is fetched");
    let asked = hub.asked.lock().expect("unpoisoned").len();
    assert_eq!(hub.fetch(cache.path()).expect("it is in the cache"), folder);
    let again = hub.asked.lock().expect("unpoisoned").len() - asked;
    assert_eq!(again, 1, "the list of files is asked for again, the files are not");
}

#[test]
fn a_repository_with_a_gguf_file_becomes_that_file() {
    let hub = Hub::start(&[("model.Q8_0.gguf", "GGUF"), ("README.md", "hello")]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let path = hub.fetch(cache.path()).expect("it is fetched");
    assert!(path.ends_with("model.Q8_0.gguf") && path.is_file());
}

#[test]
fn a_repository_that_cannot_be_had_is_named() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let empty = Hub::start(&[("README.md", "hello")]).fetch(cache.path()).expect_err("there is no model");
    assert!(empty.to_string().starts_with("owner/name on the Hugging Face hub has neither"), "{empty}");
    let gone = Hub { address: "http://127.0.0.1:1".into(), asked: Arc::default() };
    let error = gone.fetch(cache.path()).expect_err("nothing listens there");
    assert!(error.to_string().starts_with("cannot fetch owner/name from the Hugging Face hub"), "{error}");
}
