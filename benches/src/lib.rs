//! Adlib's measurements, peers in the same run.
