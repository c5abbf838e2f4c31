//! The main ways through Adlib: the real component, a real origin, real HTTP.

mod bad_input;
mod brief_limits;
mod cache;
mod default_model;
mod keys;
mod lifecycle;
mod limits;
mod once;
mod origin_faults;
mod purges;
mod redis_faults;
mod running;
mod service;
mod signatures;
mod stream;
mod support;
mod together;
mod tokens;
