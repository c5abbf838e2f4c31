//! A Redis server of a test's own, in a folder of its own.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use super::{StoreError, Value};

/// Runs a server as long as there is somebody to write to this shell, so that it ends with the test's process, however
/// that ends.
const UNTIL_INPUT_ENDS: &str = r#"redis-server "$@" & cat; kill $!; wait"#;

/// A server and a connection to it.
pub struct RedisServer {
    child: Child,
    connection: RefCell<redis::Connection>,
    _folder: tempfile::TempDir,
}

impl RedisServer {
    /// Starts a server that listens on a socket in its folder alone, and writes nothing to the disk.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("redis.sock");
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS, "redis-server"])
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let log = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut lines = log.lines().map_while(Result::ok);
        let has_started = lines.any(|line| line.contains("accept connections"));
        assert!(
            has_started,
            "redis-server is not installed, or does not start; `cargo dev test` installs it"
        );
        let info: ConnectionInfo = ConnectionAddr::Unix(socket).into_connection_info().expect("an address");
        let connection = Client::open(info).and_then(|client| client.get_connection()).expect("a connection");
        Self { child, connection: RefCell::new(connection), _folder: folder }
    }

    /// Runs a command.
    pub fn run(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Value>, StoreError> {
        let mut built = redis::cmd(command);
        for argument in arguments {
            built.arg(argument);
        }
        let answer = built.query::<redis::Value>(&mut *self.connection.borrow_mut());
        let mut values = Vec::new();
        flatten(answer.map_err(|error| StoreError::of_redis(error.to_string()))?, &mut values);
        Ok(values)
    }

    /// Whether a text stands in a key, or in a value that is no list nor a sorted set.
    pub fn holds(&self, text: &str) -> bool {
        let run = |command, arguments| self.run(command, arguments).expect("the server answers");
        let names = run("KEYS", vec![b"*".to_vec()]);
        let is_in = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.windows(text.len()).any(|window| window == text.as_bytes()),
            _ => false,
        };
        let holds = |name: &Value| {
            let Value::Bytes(key) = name else { return false };
            let values = match &run("TYPE", vec![key.clone()])[..] {
                [Value::Status(kind)] if kind == "string" => run("GET", vec![key.clone()]),
                [Value::Status(kind)] if kind == "hash" => run("HGETALL", vec![key.clone()]),
                _ => Vec::new(),
            };
            is_in(name) || values.iter().any(is_in)
        };
        names.iter().any(holds)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn flatten(value: redis::Value, values: &mut Vec<Value>) {
    values.push(match value {
        redis::Value::Array(inner) => return inner.into_iter().for_each(|value| flatten(value, values)),
        redis::Value::Int(number) => Value::Number(number),
        redis::Value::BulkString(bytes) => Value::Bytes(bytes),
        redis::Value::Okay => Value::Status("OK".to_owned()),
        redis::Value::SimpleString(text) => Value::Status(text),
        redis::Value::Nil => Value::Nil,
        other => panic!("no command of the edge is answered so: {other:?}"),
    });
}
