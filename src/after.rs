//! What is done once an answer has left: the record of the message, telemetry, and keys that grow stale.
//!
//! A host may end the instance at any time from then on, so nothing that is right only if it happens is
//! here. And it may not take long: see [`crate::breaker`].

use time::OffsetDateTime;

use crate::acs::sms::{Attempted, Road};
use crate::config;
use crate::handled::After;
use crate::oauth::issuer::{self, Issuer};
use crate::ports::{Instant, Ports};
use crate::records::store::Records;
use crate::records::{Accepted, canonical_id};
use crate::store_key::StoreKey;
use crate::telemetry::{self, HookLine, Identifier};

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

/// Does it.
pub fn run(after: After, ports: Ports<'_>) {
    match after {
        After::Nothing => {}
        After::Hook(done) => {
            remember(&done, ports);
            if let Some((issuer, key)) = done.refresh {
                issuer::refresh(&issuer, &key, ports);
            }
        }
    }
}

/// What the operator does where the store of records is down.
pub const RECORDS_DOWN: &str = "the key-value store records fails or hangs, and is left alone for half a minute: \
     look at the store that the host's runtime configuration gives it, or set record_slots to 0";

/// Writes down what the hook saw of a message that ACS took.
fn remember(done: &HookDone, ports: Ports<'_>) {
    let line = &done.line;
    let (Some(message_id), Some(number)) = (&line.message_id, &done.number) else { return };
    let Ok(Some(bounds)) = config::read_bounds(ports.variables) else { return };
    let key = match &done.store_key {
        Some(key) => key.clone(),
        // It has sent, so the key is in order.
        None => match config::read_store_key(ports.variables, None) {
            Ok(key) => key,
            Err(_) => return,
        },
    };
    let Some(sender_type) = line.sender_type else { return };
    let hash = key.hash("number of a message", &[number.as_bytes()]);
    let text = |identifier: &Option<Identifier>| {
        identifier.as_ref().map(|identifier| identifier.as_str().to_owned())
    };
    let accepted = Accepted {
        at: crate::ports::milliseconds(done.now),
        event_id: text(&line.event_id),
        request_type: text(&line.request_type),
        region: line.country,
        sender_type,
        attempts: line.attempts,
        segments: line.segments.unwrap_or_default(),
        number: *hash.first_chunk().expect("a hash is longer"),
        trace: None,
    };
    let records = Records::new(bounds, ports);
    // What could not be written is seen in the list; that the store is down, in the log.
    let _ = records.accept(canonical_id(message_id.as_str()), &accepted);
    if records.found_down() {
        ports.log.print(&telemetry::trouble("records", RECORDS_DOWN, ports.clock.now()));
    }
}
