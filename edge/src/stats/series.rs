//! The names of what is counted, as Prometheus shows them, and what they mean.

/// Requests by route and status; status 0 where the client left before there was one.
pub const REQUESTS: &str = "adlib_edge_requests_total";
/// Briefs by the part that the cache took: hit, stale, coalesced, miss, bypass.
pub const CACHE: &str = "adlib_edge_cache_total";
/// Requests over a limit.
pub const LIMITED: &str = "adlib_edge_limited_total";
/// Requests of those who are blocked.
pub const BLOCKED: &str = "adlib_edge_blocked_total";
/// Requests that failed because of the origins, by code.
pub const ORIGIN_ERRORS: &str = "adlib_edge_origin_errors_total";
/// Requests to the origins, retries and hedges among them.
pub const ORIGIN_ATTEMPTS: &str = "adlib_edge_origin_attempts_total";
/// Requests for which a second origin was asked beside a slow one.
pub const HEDGES: &str = "adlib_edge_hedges_total";
/// Requests whose client left before the reply's end.
pub const CLIENTS_GONE: &str = "adlib_edge_clients_gone_total";
/// From a brief's arrival to the last byte of its copy, by the part that the cache took.
pub const SECONDS: &str = "adlib_edge_copy_duration_seconds";
/// Its buckets, each for itself, as they are stored; they are summed up when shown.
pub const BUCKET: &str = "adlib_edge_copy_duration_seconds_bucket";
/// Its sums as they are stored, in microseconds.
pub const SUM: &str = "adlib_edge_copy_duration_seconds_sum";

/// Name, kind and meaning of each.
pub const ALL: [(&str, &str, &str); 9] = [
    (
        REQUESTS,
        "counter",
        "Requests by route and status; status 0 where the client left before there was one.",
    ),
    (CACHE, "counter", "Briefs by the part that the cache took."),
    (LIMITED, "counter", "Requests over a limit."),
    (BLOCKED, "counter", "Requests of those who are blocked."),
    (ORIGIN_ERRORS, "counter", "Requests that failed because of the origins, by code."),
    (ORIGIN_ATTEMPTS, "counter", "Requests to the origins, retries and hedges among them."),
    (HEDGES, "counter", "Requests for which a second origin was asked beside a slow one."),
    (CLIENTS_GONE, "counter", "Requests whose client left before the reply's end."),
    (SECONDS, "histogram", "From a brief's arrival to the last byte of its copy, in seconds."),
];

/// Upper bounds of the histogram's buckets, in microseconds, with the text of their label: from a hit's fraction of a
/// millisecond to a long copy.
pub const BUCKETS_US: [(u64, &str); 15] = [
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (120_000_000, "120"),
    (u64::MAX, "+Inf"),
];
