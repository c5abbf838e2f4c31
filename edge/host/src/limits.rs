//! Every limit of the host, by name.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// The host's limits. The defaults suit one machine with a few cores.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Linear memory of one instance, in bytes. A copy and its brief are kilobytes; 64 MiB is half of what hosted Spin grants.
    pub instance_memory_bytes_max: usize,
    /// Instances alive at once. Each costs its memory, so this times `instance_memory_bytes_max` is the ceiling of all guests.
    pub instances_max: u32,
    /// Requests one instance serves before a fresh one takes over. Spin takes 128, but a fresh instance costs a millisecond.
    pub instance_requests_max: usize,
    /// Requests one instance serves at the same time, as in Spin.
    pub instance_concurrency_max: usize,
    /// How long an instance without work stays, as in Spin.
    pub instance_idle_max: Duration,
    /// Requests in the host at once; one more is answered 503. A request counts until its last byte is sent.
    pub requests_max: usize,
    /// Time from a request's head to the last byte of its response.
    pub request_time_max: Duration,
    /// How long a guest may compute without giving way or finishing anything; then its instance is dropped.
    pub guest_busy_max: Duration,
    /// How long a request waits for an instance while `instances_max` are alive; then it is answered 503.
    pub instance_wait_max: Duration,
    /// Open client connections; further ones wait in the kernel's backlog.
    pub connections_max: usize,
    /// Time for a client to send a request's head, and for a connection to stay open without one.
    pub head_time_max: Duration,
    /// Header fields of a request.
    pub headers_max: usize,
    /// Bytes of a request's head: the request line and its header fields.
    pub head_bytes_max: usize,
    /// Bytes of a request's body. The edge's own limits are tighter and answer more precisely; 10 MiB is hosted Spin's.
    pub request_body_bytes_max: u64,
    /// Time to connect to an outbound host where the component sets none.
    pub outbound_connect_time_max: Duration,
    /// Time to the head of an outbound response, and between two pieces of its body, where the component sets none.
    pub outbound_wait_max: Duration,
    /// Idle outbound connections kept for each host.
    pub outbound_idle_connections_max: usize,
    /// How long an idle outbound connection is kept.
    pub outbound_idle_time_max: Duration,
    /// Open key-value stores of one instance, as in Spin.
    pub open_stores_max: usize,
    /// Open Redis connections of one instance.
    pub redis_connections_max: usize,
    /// Time to connect to a Redis server.
    pub redis_connect_time_max: Duration,
    /// Time for a Redis server to answer a command. The edge's own time-outs are shorter.
    pub redis_answer_time_max: Duration,
    /// Bytes of one answer of a Redis server.
    pub redis_answer_bytes_max: usize,
    /// Bytes of a key.
    pub key_bytes_max: usize,
    /// Bytes of a value, as in hosted Spin.
    pub value_bytes_max: usize,
    /// Bytes of the key-value database, all stores together.
    pub store_bytes_max: u64,
    /// How long a shutdown waits for what still runs.
    pub shutdown_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            instance_memory_bytes_max: 64 * MIB,
            instances_max: 64,
            instance_requests_max: 1024,
            instance_concurrency_max: 16,
            instance_idle_max: Duration::from_secs(1),
            requests_max: 1024,
            request_time_max: Duration::from_mins(2),
            guest_busy_max: Duration::from_secs(5),
            instance_wait_max: Duration::from_secs(2),
            connections_max: 4096,
            head_time_max: Duration::from_secs(30),
            headers_max: 100,
            head_bytes_max: 64 << 10,
            request_body_bytes_max: 10 * MIB as u64,
            outbound_connect_time_max: Duration::from_secs(5),
            outbound_wait_max: Duration::from_mins(2),
            outbound_idle_connections_max: 64,
            outbound_idle_time_max: Duration::from_mins(1),
            open_stores_max: 256,
            redis_connections_max: 16,
            redis_connect_time_max: Duration::from_secs(5),
            redis_answer_time_max: Duration::from_secs(5),
            redis_answer_bytes_max: 16 * MIB,
            key_bytes_max: 1024,
            value_bytes_max: MIB,
            store_bytes_max: 256 * MIB as u64,
            shutdown_time_max: Duration::from_secs(10),
        }
    }
}
