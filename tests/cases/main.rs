//! The main ways through Adlib: the real component, a real origin, real HTTP.

mod bad_input;
mod cache;
mod default_model;
mod lifecycle;
mod limits;
mod service;
mod stream;
mod support;
