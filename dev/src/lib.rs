//! Stand-ins for development and tests, never shipped.

#![deny(unsafe_code)]

pub mod acs_emulator;
pub mod authorization_server;
pub mod component;
pub mod local_host;

mod loopback;
