//! The compiled component, in a real WASI host, against the ACS emulator, over real sockets.
//!
//! One binary, so that the component is compiled once for all of them.

mod answers;
mod browser;
mod callers;
mod canary;
mod connections;
mod contract;
mod deliveries;
mod deployment;
mod documents;
mod failover;
mod faults;
mod guard;
mod harness;
mod host;
mod imports;
mod infobip_request;
mod log;
mod markdown;
mod oauth;
mod okta;
mod okta_events;
mod okta_events_script;
mod okta_hook_script;
mod operator;
mod outside;
mod policy;
mod providers;
mod redis;
mod reports;
mod scripts;
mod security;
mod settings;
mod telesign_request;
mod twilio_reports;
mod twilio_request;
mod worlds;
