//! What is done once an answer has left: the record of the message, telemetry, and keys that grow stale.
//!
//! A host may end the instance at any time from then on, so nothing that is right only if it happens is
//! here. And none of it may take long where many do it: see [`crate::breaker`].

use time::OffsetDateTime;

use crate::acs::sms::{Attempted, Road};
use crate::breaker::{Breaker, Stopped};
use crate::config;
use crate::handled::After;
use crate::oauth::issuer::{self, Issuer};
use crate::ports::{Instant, Ports, milliseconds};
use crate::records::store::Records;
use crate::records::{Accepted, Reported, canonical_id};
use crate::store_key::StoreKey;
use crate::telemetry::application_insights::{self, Item, Sink};
use crate::telemetry::trace_context::{self, Trace};
use crate::telemetry::{self, HookLine, Identifier, items};

/// A hook that has been answered.
#[derive(Debug)]
pub struct HookDone {
    /// When the request arrived.
    pub arrived: Instant,
    /// When it was answered.
    pub answered: Instant,
    /// The same by the time of day.
    pub now: OffsetDateTime,
    /// What the log has of it.
    pub line: HookLine,
    /// The requests to ACS.
    pub attempts: Vec<AcsAttempt>,
    /// The recipient's canonical form, if ACS took the message.
    pub number: Option<String>,
    /// The key of the store, if it has been read.
    pub store_key: Option<StoreKey>,
    /// The values of the header `traceparent`.
    pub traceparent: Vec<Vec<u8>>,
    /// The keys of this issuer, kept under that key, are worth asking for before they grow stale.
    pub refresh: Option<(Issuer, StoreKey)>,
}

/// One request to ACS.
#[derive(Debug)]
pub struct AcsAttempt {
    /// The resource's host, and its port where it is not the scheme's own.
    pub authority: String,
    /// Which of the two resources it is.
    pub road: Road,
    /// What came of it.
    pub attempted: Attempted,
}

/// A delivery of reports that has been answered.
#[derive(Debug, Default)]
pub struct ReportsDone {
    /// Those that say what was not known.
    pub reports: Vec<ReportDone>,
    /// As of [`HookDone`].
    pub refresh: Option<(Issuer, StoreKey)>,
}

/// A report that has been taken.
#[derive(Debug)]
pub struct ReportDone {
    /// ACS's message id, in its canonical form.
    pub message_id: Identifier,
    /// Okta's id of the hook call.
    pub event_id: Option<Identifier>,
    /// What it says.
    pub reported: Reported,
    /// What the hook saw of the message.
    pub accepted: Option<Accepted>,
}

impl ReportDone {
    /// From the moment that ACS took the message, in milliseconds. None where that is not known, or where
    /// clocks that are apart make it negative.
    pub fn time_to_report(&self) -> Option<u64> {
        self.reported.at.checked_sub(self.accepted.as_ref()?.at)
    }
}

/// Does it.
pub fn run(after: After, ports: Ports<'_>) {
    let refresh = match after {
        After::Nothing => None,
        After::Hook(done) => {
            // A sink that is not in order is told by the check of the configuration.
            let sink = config::read_sink(ports.variables).ok().flatten();
            let parent = trace_context::parent(&done.traceparent);
            let trace = sink.as_ref().map(|_| Trace::begin(parent.as_ref(), ports.random));
            remember(&done, trace, ports);
            if let (Some(sink), Some(trace)) = (sink, trace)
                && (done.line.credential.is_some() || is_first_of_its_second(ports))
            {
                let parent = parent.map(|parent| parent.span_id);
                track(&sink, &items::of_hook(&done, trace, parent, ports.random), ports);
            }
            done.refresh
        }
        After::Reports(done) => {
            if !done.reports.is_empty()
                && let Ok(Some(sink)) = config::read_sink(ports.variables)
            {
                let items: Vec<_> = done.reports.iter().map(items::of_report).collect();
                track(&sink, &items, ports);
            }
            done.refresh
        }
    };
    if let Some((issuer, key)) = refresh {
        issuer::refresh(&issuer, &key, ports);
    }
}

/// What the operator does where the store of records is down.
pub const RECORDS_DOWN: &str = "the key-value store records fails or hangs, and is left alone for half a minute: \
     look at the store that the host's runtime configuration gives it, or set record_slots to 0";

/// Writes down what the hook saw of a message that ACS took.
fn remember(done: &HookDone, trace: Option<Trace>, ports: Ports<'_>) {
    let line = &done.line;
    let (Some(message_id), Some(sender_type), Some(number)) =
        (&line.message_id, line.sender_type, &done.number)
    else {
        return;
    };
    let Ok(Some(bounds)) = config::read_bounds(ports.variables) else { return };
    let key = match &done.store_key {
        Some(key) => key.clone(),
        // It has sent, so the key is in order.
        None => match config::read_store_key(ports.variables, None) {
            Ok(key) => key,
            Err(_) => return,
        },
    };
    let hash = key.hash("number of a message", &[number.as_bytes()]);
    let text = |identifier: &Option<Identifier>| {
        identifier.as_ref().map(|identifier| identifier.as_str().to_owned())
    };
    let accepted = Accepted {
        at: milliseconds(done.now),
        event_id: text(&line.event_id),
        request_type: text(&line.request_type),
        region: line.country,
        sender_type,
        attempts: line.attempts,
        segments: line.segments.unwrap_or_default(),
        number: *hash.first_chunk().expect("a hash is longer"),
        trace,
    };
    let records = Records::new(bounds, ports);
    // What could not be written is seen in the list; that the store is down, in the log.
    let _ = records.accept(canonical_id(message_id.as_str()), &accepted);
    if records.found_down() {
        ports.log.print(&telemetry::trouble("records", RECORDS_DOWN, ports.clock.now()));
    }
}

/// Whether this is the first request of its second that asks. Whoever has no credentials may send
/// requests without end, and the owner pays for telemetry by the byte.
fn is_first_of_its_second(ports: Ports<'_>) -> bool {
    const KEY: &str = "okta-telephony-acs/sampled";
    let second = (ports.clock.milliseconds() / 1000).to_be_bytes();
    match ports.store.get(KEY) {
        Ok(last) if last.as_deref() != Some(&second) => ports.store.set(KEY, &second).is_ok(),
        _ => false,
    }
}

/// Sends items, unless the sink is known to be down.
fn track(sink: &Sink, items: &[Item<'_>], ports: Ports<'_>) {
    let breaker = Breaker::new("okta-telephony-acs/breaker/telemetry", ports);
    let fix = match breaker.run(|| application_insights::send(sink, items, ports)) {
        Ok(sent) if sent.refused == 0 => return,
        Ok(sent) => {
            let refused = sent.refused.to_string();
            ["Application Insights did not take ", &refused, " items: look at its quota."].concat()
        }
        // One line each time that it goes down.
        _ if !breaker.found_down() => return,
        Err(Stopped::Failed(failure)) => failure.log_fix(sink),
        Err(Stopped::LeftAlone) => {
            "Application Insights hangs, and is left alone for half a minute.".into()
        }
    };
    ports.log.print(&telemetry::trouble("telemetry", &fix, ports.clock.now()));
}
