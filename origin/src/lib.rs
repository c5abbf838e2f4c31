//! Adlib's origin: the language model service.
