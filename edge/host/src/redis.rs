//! `spin:redis`: connections to Redis servers that the manifest allows, as Spin offers them.
//!
//! Each connection that a component opens is one to the server. Requests share it: commands are sent as they come, and
//! one that a component gives up harms no other. TLS (`rediss://`) is left to Spin.

mod value;

use std::sync::Arc;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, cmd,
};
use http::Uri;
use wasmtime::component::{Accessor, Resource};

use crate::bindings::spin::redis::redis::{
    Error as WitError, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use crate::guest::{Guest, Shared, Spin};

use value::flatten;

/// A connection the guest holds open.
#[expect(unreachable_pub, reason = "the generated bindings re-export it under their own name")]
pub struct OpenConnection(MultiplexedConnection);

type Answer<T> = wasmtime::Result<Result<T, WitError>>;

impl Host for Guest {}

impl HostConnection for Guest {
    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.redis_connections -= 1;
        Ok(())
    }
}

/// Connects, if the manifest allows it.
async fn connect(shared: &Shared, address: &str) -> Result<MultiplexedConnection, WitError> {
    let uri: Uri = address.parse().map_err(|_| WitError::InvalidAddress)?;
    if !shared.outbound.allows(&uri) {
        tracing::warn!(
            host = uri.host(),
            port = uri.port_u16(),
            "the component connects to a Redis server that its manifest does not allow"
        );
        return Err(WitError::InvalidAddress);
    }
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(shared.limits.redis_connect_time_max))
        .set_response_timeout(Some(shared.limits.redis_answer_time_max));
    let client = Client::open(address).map_err(|_| WitError::InvalidAddress)?;
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| told(&error))
}

/// What the guest reads of a failure.
fn told(error: &RedisError) -> WitError {
    match error.kind() {
        ErrorKind::UnexpectedReturnType => WitError::TypeError,
        ErrorKind::Server(ServerErrorKind::ResponseError) if error.code() == Some("WRONGTYPE") => {
            WitError::TypeError
        }
        _ => WitError::Other(error.to_string()),
    }
}

/// Runs a command on a connection. A handle that is not one is the guest's fault: a trap.
async fn run<T: Send, V: FromRedisValue>(
    accessor: &Accessor<T, Spin>,
    connection: Resource<OpenConnection>,
    command: &Cmd,
) -> Answer<V> {
    let mut connection =
        accessor.with(|mut access| access.get().table.get(&connection).map(|open| open.0.clone()))?;
    Ok(command.query_async::<V>(&mut connection).await.map_err(|error| told(&error)))
}

impl<T: Send> HostConnectionWithStore<T> for Spin {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Answer<Resource<OpenConnection>> {
        let shared = accessor.with(|mut access| {
            let guest = access.get();
            let is_full = guest.redis_connections >= guest.shared.limits.redis_connections_max;
            guest.redis_connections += usize::from(!is_full);
            (!is_full).then(|| Arc::clone(&guest.shared))
        });
        let Some(shared) = shared else { return Ok(Err(WitError::TooManyConnections)) };
        // Counted while it is made, and given back by whoever gives the wait up.
        let connected = connect(&shared, &address).await;
        accessor.with(|mut access| {
            let guest = access.get();
            match connected {
                Ok(connection) => Ok(Ok(guest.table.push(OpenConnection(connection))?)),
                Err(error) => {
                    guest.redis_connections -= 1;
                    Ok(Err(error))
                }
            }
        })
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        channel: String,
        payload: Payload,
    ) -> Answer<()> {
        run(accessor, connection, cmd("PUBLISH").arg(channel).arg(payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> Answer<Option<Payload>> {
        run(accessor, connection, cmd("GET").arg(key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        key: String,
        value: Payload,
    ) -> Answer<()> {
        run(accessor, connection, cmd("SET").arg(key).arg(value)).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> Answer<i64> {
        run(accessor, connection, cmd("INCR").arg(key)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        keys: Vec<String>,
    ) -> Answer<u32> {
        run(accessor, connection, cmd("DEL").arg(keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        run(accessor, connection, cmd("SADD").arg(key).arg(values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> Answer<Vec<String>> {
        run(accessor, connection, cmd("SMEMBERS").arg(key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        run(accessor, connection, cmd("SREM").arg(key).arg(values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Answer<Vec<RedisResult>> {
        let bytes_max = accessor.with(|mut access| access.get().shared.limits.redis_answer_bytes_max);
        let mut command = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let value = run(accessor, connection, &command).await?;
        Ok(value.and_then(|value| flatten(value, bytes_max)))
    }
}
