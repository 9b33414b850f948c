//! Okta telephony inline hook that sends one-time passcodes through Azure Communication Services
//! (ACS), as a WASI 0.2 HTTP component.
//!
//! One request goes through the rooms in this order, and never back: [`settings`] are read, [`callers`] proves
//! who calls, [`hook`] reads the body and decides by [`policy`] and [`message`], [`providers`] send, and the
//! [`outcome`] becomes the answer, [`telemetry`] and [`records`]. [`reports`] takes delivery reports,
//! [`okta_events`] what Okta says of passcodes, and [`operator`] shows what became of messages. Every "no" that Okta is
//! told is a [`refusal::Refusal`].
//!
//! Nothing here touches the outside but [`ports`], and the entry module with its bindings, which exist
//! on wasm32 only; so all else compiles, and is tested, natively.
#![warn(missing_docs)]

#[cfg(target_arch = "wasm32")]
mod bindings;
pub mod callers;
pub mod canary;
pub mod date;
#[cfg(target_arch = "wasm32")]
mod entry;
pub mod guard;
pub mod hook;
pub mod identifier;
mod json;
pub mod message;
pub mod okta_events;
pub mod operator;
pub mod outcome;
pub mod pasted;
pub mod phone_number;
pub mod policy;
pub mod ports;
pub mod providers;
pub mod public_url;
pub mod records;
pub mod refusal;
pub mod reports;
pub mod secret;
pub mod sender;
pub mod settings;
pub mod telemetry;
pub mod trace_context;
pub mod url;
mod webhook;

use crate::hook::HOOK_PATH;
use crate::okta_events::EVENTS_PATH;
use crate::ports::{InboundRequest, Ports, Response};
use crate::reports::Reporter;
use crate::telemetry::stranger::{Audience, Stranger};

/// What a request brings about: an answer, and what is done once it has left.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response,
    /// Lines for the log, each with its line feed.
    pub log: String,
    /// Whoever called has not proven who he is: not all of it is told.
    pub stranger: Option<Stranger>,
    /// The rest.
    pub after: After,
}

/// What is done once the log has its lines.
#[derive(Debug)]
pub enum After {
    /// Nothing.
    Nothing,
    /// After a hook.
    Hook(Box<hook::Answered>),
    /// After a delivery of Okta's events.
    Events(Box<okta_events::Answered>),
    /// After a delivery of reports, or a report that was asked for.
    Reports(Box<reports::Answered>),
}

/// Handles any request.
pub fn handle(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    let mut handled = handle_at_its_path(request, ports);
    // No browser is to find a script or a page in what is text or JSON.
    handled.response.headers.push(("x-content-type-options", "nosniff".into()));
    handled
}

fn handle_at_its_path(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    // A slash too many at the end of the URL in Okta is no reason to send nothing.
    let path = request.path();
    match path.strip_suffix('/').unwrap_or(&path) {
        HOOK_PATH => {
            let (response, log, stranger, answered) = hook::handle(request, ports);
            Handled { response, log, stranger, after: After::Hook(Box::new(answered)) }
        }
        EVENTS_PATH => {
            let (response, log, stranger, answered) = okta_events::handle(request, ports);
            Handled { response, log, stranger, after: After::Events(Box::new(answered)) }
        }
        path => {
            if let Some(reporter) = Reporter::at(path) {
                let (response, log, stranger, answered) = reports::handle(request, reporter, ports);
                let after = After::Reports(Box::new(answered));
                return Handled { response, log, stranger, after };
            }
            let (response, log, stranger, answered) = operator::handle(path, request, ports)
                .unwrap_or_else(|| (not_found(), String::new(), None, None));
            let after = answered.map_or(After::Nothing, |it| After::Reports(Box::new(it)));
            Handled { response, log, stranger, after }
        }
    }
}

/// Does what is left to do once the answer has left: tells the log, and the rest.
pub fn finish(log: &str, stranger: Option<Stranger>, after: After, ports: Ports<'_>) {
    let audience = stranger
        .filter(|_| !log.is_empty())
        .map_or(Audience::ALL, |stranger| stranger.audience(ports));
    if audience.log && !log.is_empty() {
        ports.log.print(log);
    }
    match after {
        After::Nothing => {}
        After::Hook(answered) => hook::finish(*answered, audience.telemetry, ports),
        After::Events(answered) => okta_events::finish(*answered, ports),
        After::Reports(answered) => reports::finish(*answered, ports),
    }
}

fn not_found() -> Response {
    Response {
        status: 404,
        headers: vec![("content-type", "text/plain; charset=utf-8".into())],
        body: format!("There is nothing here. Okta's hook is POST {HOOK_PATH}.\n").into_bytes(),
    }
}
