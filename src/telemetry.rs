//! What the operator is told: lines of JSON on standard output, one for each hook, each page of the operator's,
//! each delivery of reports or of Okta's events, each report and event, what the guard changed, and for what is down. Their schema is docs/monitoring.md.
//!
//! No passcode, full number, name, login, header or secret is ever in it. Text from outside gets in
//! only as an [`Identifier`].

pub mod application_insights;
mod items;
pub mod stranger;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::application_insights::{Item, Sink};
pub use self::items::{of_change, of_event, of_hook, of_report};
use self::stranger::SAMPLED;
use crate::guard::{Change, Changed, Key, Mode};
use crate::identifier::Identifier;
use crate::message::Channel;
use crate::outcome::{Outcome, Warning};
use crate::ports::{Ports, date};
use crate::records::Moment;
use crate::records::breaker::{Breaker, Stopped};
use crate::refusal::{Reason, Refusal};

/// The version of the lines' schema. It changes when a field is renamed, removed or given another
/// meaning, not when one is added.
const SCHEMA_VERSION: u8 = 1;

#[derive(Serialize)]
struct Line<'a, T> {
    v: u8,
    time: String,
    level: &'a str,
    event: &'a str,
    #[serde(flatten)]
    facts: T,
}

/// A line of the log, with its line feed: what all have in common, and the facts of this one.
pub(crate) fn line(now: OffsetDateTime, level: &str, event: &str, facts: impl Serialize) -> String {
    // RFC 3339 fails only for years that a clock within 0 to 9999 does not have.
    let time = now.format(&Rfc3339).unwrap_or_default();
    let line = Line { v: SCHEMA_VERSION, time, level, event, facts };
    // Texts and numbers: nothing in them can fail to serialize.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// A time in milliseconds, to the microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// The facts of a hook. Those that are not known are left out.
#[skip_serializing_none]
#[derive(Serialize)]
struct HookFacts<'a> {
    outcome: &'static str,
    reason: &'static str,
    fix: Option<&'a str>,
    http_status: u16,
    okta_status: Option<&'static str>,
    would_refuse: Option<&'static str>,
    block: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignored_fields: &'a [&'static str],
    credential: Option<&'static str>,
    sampled: Option<&'static str>,
    event_id: Option<&'a Identifier>,
    request_type: Option<&'a Identifier>,
    preview: bool,
    canary: Option<bool>,
    channel: Option<&'static str>,
    number: Option<&'a str>,
    country: Option<&'a str>,
    segments: Option<u32>,
    encoding: Option<&'static str>,
    #[serde(flatten)]
    sending: Option<SendingFacts<'a>>,
    ms: f64,
}

/// What the providers made of a message.
#[skip_serializing_none]
#[derive(Serialize)]
struct SendingFacts<'a> {
    provider: &'a str,
    failed_over: Option<&'static str>,
    sender_type: &'static str,
    provider_status: Option<u16>,
    provider_error: Option<&'a str>,
    message_id: Option<Identifier>,
    attempts: usize,
    provider_ms: f64,
}

/// The line of a hook.
pub fn hook_line(outcome: &Outcome) -> String {
    let level = match outcome.name() {
        "accepted" if outcome.warnings.is_empty() && outcome.would_refuse.is_none() => "info",
        "failed" => "error",
        _ => "warn",
    };
    let sending = outcome.sending.as_ref().map(|sending| SendingFacts {
        provider: &sending.provider,
        failed_over: sending.failed_over.map(Reason::code),
        sender_type: sending.sender.name(),
        provider_status: sending.status,
        provider_error: sending.error_code.as_deref(),
        message_id: outcome.message_id(),
        attempts: sending.attempts.len(),
        provider_ms: milliseconds(sending.elapsed),
    });
    let facts = HookFacts {
        outcome: outcome.name(),
        reason: outcome.reason(),
        fix: outcome.refusal.as_ref().map(Refusal::for_the_log),
        http_status: outcome.http_status(),
        okta_status: outcome.okta_status(),
        would_refuse: outcome.would_refuse.map(Reason::code),
        block: outcome.block.as_deref(),
        warnings: names(&outcome.warnings),
        ignored_fields: &outcome.ignored_fields,
        credential: outcome.credential.map(|proof| proof.name()),
        sampled: outcome.credential.is_none().then_some(SAMPLED),
        event_id: outcome.event_id.as_ref(),
        request_type: outcome.request_type.as_ref(),
        preview: outcome.preview,
        canary: outcome.canary.then_some(true),
        channel: outcome.channel.map(Channel::name),
        number: outcome.masked_number.as_deref(),
        country: outcome.country.as_ref().map(|country| country.code()),
        segments: outcome.segments.map(|segments| segments.count),
        encoding: outcome.segments.map(|segments| segments.encoding.name()),
        sending,
        ms: milliseconds(outcome.elapsed()),
    };
    line(outcome.answered_at, level, "hook", facts)
}

/// The line of what went wrong once an answer had left: with `records`, `telemetry` or `feedback`.
pub fn trouble(event: &'static str, fix: &str, now: OffsetDateTime) -> String {
    line(now, "warn", event, json!({ "fix": fix }))
}

/// The facts of what the guard changed.
#[skip_serializing_none]
#[derive(Serialize)]
struct GuardFacts<'a> {
    what: &'static str,
    scope: Option<&'static str>,
    block: Option<String>,
    country: Option<&'a str>,
    sends: u32,
    used: u32,
    numbers: u32,
    until: Option<String>,
    mode: &'static str,
}

/// The line of what the guard changed.
pub fn guard_line(change: &Change, mode: Mode, now: OffsetDateTime) -> String {
    let Change { what, key, region, tally, until } = change;
    let level = match what {
        Changed::Blocked | Changed::Outage => "warn",
        Changed::Probing | Changed::Cleared | Changed::Lifted => "info",
    };
    let facts = GuardFacts {
        what: what.name(),
        scope: key.map(Key::scope),
        block: change.block(),
        country: region.as_ref().map(|region| region.code()),
        sends: tally.sends,
        used: tally.used,
        numbers: tally.numbers,
        until: until.map(rfc3339),
        mode: mode.name(),
    };
    line(now, level, "guard", facts)
}

/// A time as the log has it.
pub(crate) fn rfc3339(at: Moment) -> String {
    // It fails only for years that a clock within 0 to 9999 does not have.
    date(at).format(&Rfc3339).unwrap_or_default()
}

/// The facts of a request for one of the operator's pages.
#[skip_serializing_none]
#[derive(Serialize)]
pub struct OperatorFacts {
    /// The page.
    pub path: &'static str,
    /// What the operator has to mend, where the page could not be shown.
    pub fix: Option<String>,
    /// The status of the answer.
    pub http_status: u16,
    /// How the operator proved itself.
    pub credential: Option<&'static str>,
    /// It stands for others, too.
    pub sampled: Option<&'static str>,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

/// The line of a request for one of the operator's pages.
pub fn operator_line(facts: &OperatorFacts, now: OffsetDateTime) -> String {
    let level = if facts.http_status == 200 { "info" } else { "warn" };
    line(now, level, "operator", facts)
}

/// Sends items, unless the sink is known to be down.
pub fn track(sink: &Sink, items: &[Item<'_>], ports: Ports<'_>) {
    let breaker = Breaker::new("okta-telephony-acs/breaker/telemetry", ports);
    let fix = match breaker.run(|| application_insights::send(sink, items, ports)) {
        Ok(sent) if sent.refused > 0 => {
            format!("Application Insights did not take {} items: look at its quota.", sent.refused)
        }
        // One line each time that it goes down, or fails otherwise than before.
        _ if !breaker.found_down() => return,
        Err(Stopped::Failed(failure)) => failure.log_fix(sink),
        Ok(_) | Err(Stopped::LeftAlone(_)) => {
            "Application Insights hangs, and is left alone for half a minute.".into()
        }
    };
    ports.log.print(&trouble("telemetry", &fix, ports.clock.now()));
}

/// The names of warnings.
pub(crate) fn names(warnings: &[Warning]) -> Vec<&'static str> {
    warnings.iter().map(|warning| warning.name()).collect()
}
