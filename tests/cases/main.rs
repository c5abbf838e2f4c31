//! The main ways through Adlib: the real component, a real origin, real HTTP.

mod default_model;
mod keys;
mod support;
