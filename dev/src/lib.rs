//! Stand-ins for development and tests, never shipped.

pub mod acs_emulator;
pub mod authorization_server;
pub mod component;
pub mod infobip_emulator;
pub mod local_host;
pub mod nginx;
pub mod okta;
pub mod phone;
pub mod telesign_emulator;
pub mod tls;
pub mod twilio_emulator;

mod fault_number;
mod loopback;
mod reply;
mod segments;
#[cfg(test)]
mod waiting;
mod webhook;
