//! The compiled component, in a real WASI host, against the ACS emulator, over real sockets.
//!
//! One binary, so that the component is compiled once for all of them.

mod answers;
mod browser;
mod callers;
mod contract;
mod cost;
mod deliveries;
mod documents;
mod faults;
mod harness;
mod host;
mod log;
mod oauth;
mod okta_hook_script;
mod operator;
mod outside;
mod policy;
mod reports;
mod roads;
mod scripts;
mod security;
mod worlds;
