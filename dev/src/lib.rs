//! Stand-ins for development and tests, never shipped.
pub mod acs_emulator;
pub mod component;
pub mod local_host;
