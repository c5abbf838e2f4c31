//! The main ways through Adlib: the real component, a real origin, real HTTP.

mod bad_input;
mod brief_limits;
mod cache;
mod default_model;
mod keys;
mod lifecycle;
mod limits;
mod running;
mod service;
mod stream;
mod support;
mod together;
mod tokens;
