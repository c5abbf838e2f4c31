//! Runs Adlib's edge component where Spin is not installed.
