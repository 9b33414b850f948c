//! What Application Insights is told of a hook, of a delivery report and of one of Okta's events. The names of properties and
//! measurements are those of deploy/azure-monitor/schema.json, by which the operator's queries go.

use std::borrow::Cow;
use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use time::OffsetDateTime;

use super::application_insights::{
    DEPENDENCY_NAME, Data, ERROR, EVENT_NAME, GUARD_NAME, Item, MESSAGE_LIMIT, OKTA_EVENT_NAME,
    REQUEST_NAME, REQUEST_URL, time_span,
};
use super::stranger::SAMPLED;
use super::{milliseconds, names, rfc3339};
use crate::guard::{Change, Key, Mode, Tally};
use crate::message::Channel;
use crate::outcome::{Outcome, TakenEvent, TakenReport};
use crate::ports::{Instant, Random, date};
use crate::records::canonical_id;
use crate::refusal::Reason;
use crate::trace_context::{Trace, span_id};

/// The properties of an item: those that have a value.
#[derive(Default)]
struct Properties<'a>(BTreeMap<&'static str, Cow<'a, str>>);

impl<'a> Properties<'a> {
    fn add(&mut self, name: &'static str, value: Option<impl Into<Cow<'a, str>>>) {
        self.0.extend(value.map(|value| (name, value.into())));
    }
}

/// The request, a dependency for each request to a provider and, where the configuration or the provider stood
/// in the way, a message. `parent` is the caller's part of the trace.
pub fn of_hook<'a>(
    outcome: &'a Outcome,
    trace: Trace,
    parent: Option<[u8; 8]>,
    random: &dyn Random,
) -> Vec<Item<'a>> {
    let time = |instant: Instant| outcome.answered_at - outcome.answered.since(instant);
    let item = |time, parent_id, data, properties: Properties<'a>| Item {
        time,
        trace_id: Some(trace.trace_id),
        parent_id,
        data,
        properties: properties.0,
        measurements: BTreeMap::new(),
    };
    let sending = outcome.sending.as_ref();
    let segments = outcome.segments;

    let mut properties = Properties::default();
    properties.add("outcome", Some(outcome.name()));
    properties.add("reason", Some(outcome.reason()));
    properties.add("channel", outcome.channel.map(Channel::name));
    properties.add("credential", outcome.credential.map(|proof| proof.name()));
    properties.add("country", outcome.country.as_ref().map(|region| region.code()));
    properties.add("senderType", sending.map(|sending| sending.sender.name()));
    properties.add("requestType", outcome.request_type.as_ref().map(|it| it.as_str()));
    properties.add("oktaEventId", outcome.event_id.as_ref().map(|it| it.as_str()));
    properties
        .add("messageId", outcome.message_id().map(|id| canonical_id(id.as_str()).to_owned()));
    properties.add("provider", sending.map(|sending| sending.provider.as_str()));
    let failed_over = sending.and_then(|sending| sending.failed_over);
    properties.add("failedOver", failed_over.map(Reason::code));
    properties.add("wouldRefuse", outcome.would_refuse.map(Reason::code));
    properties.add("block", outcome.block.as_deref());
    properties.add("oktaStatus", outcome.okta_status());
    properties.add("encoding", segments.map(|segments| segments.encoding.name()));
    properties.add("preview", outcome.preview.then_some("true"));
    properties.add("canary", outcome.canary.then_some("true"));
    properties.add("sampled", outcome.credential.is_none().then_some(SAMPLED));
    let warnings = names(&outcome.warnings).join(",");
    properties.add("warnings", (!warnings.is_empty()).then_some(warnings));
    let request = Data::Request {
        id: HEXLOWER.encode(&trace.span_id),
        name: REQUEST_NAME,
        duration: time_span(outcome.elapsed()),
        success: outcome.refusal.is_none(),
        response_code: outcome.http_status().to_string(),
        url: REQUEST_URL,
    };
    let mut request = item(time(outcome.arrived), parent, request, properties);
    request.measurements.extend(sending.map(|it| ("providerMs", milliseconds(it.elapsed))));
    request.measurements.extend(sending.map(|it| ("attempts", it.attempts.len() as f64)));
    request.measurements.extend(segments.map(|it| ("segments", f64::from(it.count))));
    let mut items = vec![request];

    let attempts = sending.iter().flat_map(|sending| &sending.attempts);
    for (attempt, number) in attempts.zip(1u32..) {
        let mut properties = Properties::default();
        properties.add("provider", Some(attempt.provider.as_str()));
        properties.add("attempt", Some(number.to_string()));
        let dependency = Data::Dependency {
            id: HEXLOWER.encode(&span_id(random)),
            name: DEPENDENCY_NAME,
            duration: time_span(attempt.elapsed),
            success: attempt.accepted,
            r#type: "HTTP",
            target: &attempt.authority,
            data: attempt.path,
            result_code: attempt.status.map(|status| status.to_string()),
        };
        items.push(item(time(attempt.started), Some(trace.span_id), dependency, properties));
    }

    if let ("failed", Some(refusal)) = (outcome.name(), &outcome.refusal) {
        let mut properties = Properties::default();
        properties.add("reason", Some(outcome.reason()));
        // It may name every fault of the configuration.
        let text = refusal.for_the_log();
        let message = &text[..text.floor_char_boundary(MESSAGE_LIMIT)];
        let message = Data::Message { message, severity_level: ERROR };
        items.push(item(outcome.answered_at, Some(trace.span_id), message, properties));
    }
    items
}

/// The event of a report, in the trace of its hook where that is known.
pub fn of_report(report: &TakenReport) -> Item<'_> {
    let accepted = report.accepted.as_ref();
    let trace = accepted.and_then(|accepted| accepted.trace);
    let country = accepted.and_then(|accepted| accepted.region.as_ref());
    let mut properties = Properties::default();
    properties.add("status", Some(report.reported.status().name()));
    properties.add("reportedStatus", report.reported.unconfirmed_status());
    properties.add("code", report.reported.code.map(|code| code.to_string()));
    properties.add("channel", accepted.map(|accepted| accepted.channel().name()));
    properties.add("country", country.map(|region| region.code()));
    properties.add("senderType", accepted.map(|it| it.sender_type.name()));
    properties.add("requestType", accepted.and_then(|it| it.request_type.as_deref()));
    properties.add("messageId", Some(report.message_id.as_str()));
    properties.add("oktaEventId", report.event_id.as_ref().map(|it| it.as_str()));
    properties.add("canary", report.canary.then_some("true"));
    let measured = report.milliseconds_to_report();
    Item {
        time: date(report.reported.at),
        trace_id: trace.map(|trace| trace.trace_id),
        parent_id: trace.map(|trace| trace.span_id),
        data: Data::Event { name: EVENT_NAME },
        properties: properties.0,
        measurements: measured.map(|time| ("deliveryMs", time as f64)).into_iter().collect(),
    }
}

/// One of Okta's events, at the time when it happened.
pub fn of_event(event: &TakenEvent) -> Item<'_> {
    let mut properties = Properties::default();
    let converted = event.converted.as_ref();
    properties.add("what", Some(event.what.name()));
    properties.add("channel", event.channel.map(Channel::name));
    properties.add("country", event.country.as_ref().map(|region| region.code()));
    properties.add("provider", converted.map(|send| send.provider.as_str()));
    properties.add("messageId", converted.and_then(|send| send.message_id.as_deref()));
    let measured = event.milliseconds_to_use();
    Item {
        time: date(event.published),
        trace_id: None,
        parent_id: None,
        data: Data::Event { name: OKTA_EVENT_NAME },
        properties: properties.0,
        measurements: measured.map(|time| ("usedMs", time as f64)).into_iter().collect(),
    }
}

/// What the guard changed, at the time when it did.
pub fn of_change(change: &Change, mode: Mode, now: OffsetDateTime) -> Item<'_> {
    let Change { what, key, region, tally, until } = change;
    let mut properties = Properties::default();
    properties.add("what", Some(what.name()));
    properties.add("scope", key.map(Key::scope));
    properties.add("block", change.block());
    properties.add("country", region.as_ref().map(|region| region.code()));
    properties.add("until", until.map(rfc3339));
    properties.add("mode", Some(mode.name()));
    let Tally { sends, numbers, used } = *tally;
    let measurements = [("sends", sends), ("numbers", numbers), ("used", used)];
    Item {
        time: now,
        trace_id: None,
        parent_id: None,
        data: Data::Event { name: GUARD_NAME },
        properties: properties.0,
        measurements: measurements.map(|(name, count)| (name, f64::from(count))).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeHost;
    use crate::refusal::Refusal;
    use std::time::Duration;

    #[test]
    fn what_the_guard_changed_is_told_by_the_keys_of_the_schema() {
        use crate::guard::{Changed, Hash8};
        let schema = include_str!("../../deploy/azure-monitor/schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let events = &schema["tables"]["AppEvents"];
        let tally = Tally { sends: 12, numbers: 11, used: 1 };
        let (what, until) = (Changed::Blocked, Some(1_800_000_000_000));
        let key = Some(Key::Block(Hash8::from_bytes([0xb3; 8])));
        let change = Change { what, key, region: numbering::Region::parse("TN"), tally, until };
        let item = of_change(&change, Mode::Shadow, OffsetDateTime::UNIX_EPOCH);
        let said = |name: &str| item.properties[name].clone();
        assert_eq!(
            ["what", "scope", "block", "country", "until", "mode"].map(said),
            ["blocked", "block", "b3b3b3b3", "TN", "2027-01-15T08:00:00Z", "shadow"]
        );
        assert_eq!(item.properties.len(), 6);
        for name in item.properties.keys() {
            assert!(events["properties"].get(name).is_some(), "{name} is not in the schema");
        }
        let known = events["measurements"].as_array().unwrap();
        for (name, count) in [("sends", 12.0), ("numbers", 11.0), ("used", 1.0)] {
            assert_eq!(item.measurements[name], count);
            assert!(known.iter().any(|it| it == name), "{name} is not in the schema");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_cut_between_characters() {
        let long = ["x", &"\u{fc}".repeat(MESSAGE_LIMIT)].concat();
        let refusal = Some(Refusal::new(Reason::Misconfigured, long));
        let outcome = Outcome { refusal, ..Outcome::begin(Instant(Duration::ZERO)) };
        let trace = Trace { trace_id: [1; 16], span_id: [2; 8] };
        let items = of_hook(&outcome, trace, None, &FakeHost::default());
        let [_, Item { data: Data::Message { message, .. }, .. }] = &items[..] else { panic!() };
        assert_eq!(message.len(), MESSAGE_LIMIT - 1);
    }
}
