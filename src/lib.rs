//! Okta telephony inline hook that sends one-time passcodes through Azure Communication Services
//! (ACS), as a WASI 0.2 HTTP component.
//!
//! One request goes through the rooms in this order, and never back: [`app`] takes it in,
//! [`okta`] proves who calls and reads the body, [`policy`] admits or refuses it, [`message`]
//! writes the text, [`acs`] sends it, [`okta`] answers, [`telemetry`] tells. [`config`] is read on
//! the way, as late as it can be. Whoever refuses makes a [`refusal::Refusal`].
//!
//! Nothing here touches the outside but [`ports`], and the entry module with its bindings, which exist
//! on wasm32 only; so all else compiles, and is tested, natively.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod after;
pub mod app;
#[cfg(target_arch = "wasm32")]
mod bindings;
pub mod callers;
pub mod config;
#[cfg(target_arch = "wasm32")]
mod entry;
pub mod handled;
pub mod hook;
pub mod json;
#[cfg(target_arch = "wasm32")]
mod libc;
#[cfg(target_arch = "wasm32")]
mod memory;
pub mod message;
pub mod numbering;
pub mod operator;
pub mod phone_number;
pub mod policy;
pub mod ports;
pub mod providers;
pub mod records;
pub mod refusal;
pub mod reports;
pub mod secret;
pub mod sender;
pub mod telemetry;
pub mod trace_context;
pub mod url;
