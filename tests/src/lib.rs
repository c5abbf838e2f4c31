//! Adlib's integration tests: the real edge before a real origin.
