//! Adlib's edge: the WebAssembly component.
