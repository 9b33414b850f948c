//! What Application Insights is told of a hook and of a delivery report. The names of properties and
//! measurements are those of deploy/azure-monitor/schema.json, by which the operator's queries go.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::{HookDone, ReportDone};
use crate::hook::HOOK_PATH;
use crate::json::write::Thousandths;
use crate::ports::{Instant, Random};
use crate::records::canonical_id;
use crate::telemetry::application_insights::{
    DEPENDENCY_NAME, Data, EVENT_NAME, Item, REQUEST_NAME, Severity,
};
use crate::trace_context::{Trace, span_id};

/// The properties of an item: those that have a value.
struct Properties<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Properties<'a> {
    fn add(&mut self, name: &'static str, value: Option<impl Into<Cow<'a, str>>>) {
        if let Some(value) = value {
            self.0.push((name, value.into()));
        }
    }
}

/// The request, a dependency for each request to ACS and, where the configuration or ACS stood in the
/// way, a message. `parent` is the caller's part of the trace.
pub fn of_hook<'a>(
    done: &'a HookDone,
    trace: Trace,
    parent: Option<[u8; 8]>,
    random: &dyn Random,
) -> Vec<Item<'a>> {
    let line = &done.line;
    // The line was made when the answer was.
    let time = |instant: Instant| done.now - done.answered.since(instant);
    let item = |time, parent_id, data, properties: Properties<'a>, measurements| Item {
        time,
        trace_id: Some(trace.trace_id),
        parent_id,
        operation_name: Some(REQUEST_NAME),
        data,
        properties: properties.0,
        measurements,
    };

    let mut properties = Properties(Vec::with_capacity(12));
    properties.add("outcome", Some(line.outcome));
    properties.add("reason", Some(line.reason));
    properties.add("credential", line.credential);
    properties.add("country", line.country.map(|region| region.to_string()));
    properties.add("senderType", line.sender_type.map(|sender_type| sender_type.name()));
    properties.add("requestType", line.request_type.as_ref().map(|it| it.as_str()));
    properties.add("oktaEventId", line.event_id.as_ref().map(|it| it.as_str()));
    properties.add("messageId", line.message_id.as_ref().map(|it| canonical_id(it.as_str())));
    properties.add("road", line.road);
    properties.add("wentOver", line.went_over);
    properties.add("wouldRefuse", line.would_refuse);
    properties.add("oktaStatus", line.okta_status);
    properties.add("encoding", line.encoding);
    properties.add("preview", line.preview.then_some("true"));
    properties.add("sampled", line.credential.is_none().then_some("one a second"));
    let warnings = line.warnings.join(",");
    properties.add("warnings", (!warnings.is_empty()).then_some(warnings));
    let mut measurements = Vec::new();
    if let Some(acs_ms) = line.acs_ms {
        measurements.push(("acsMs", acs_ms));
        measurements.push(("attempts", Thousandths::whole(line.attempts.into())));
    }
    if let Some(segments) = line.segments {
        measurements.push(("segments", Thousandths::whole(segments.into())));
    }
    let request = Data::Request {
        id: trace.span_id,
        name: REQUEST_NAME,
        duration: done.answered.since(done.arrived),
        response_code: line.http_status,
        success: line.outcome == "accepted",
        url: HOOK_PATH,
    };
    let mut items = vec![item(time(done.arrived), parent, request, properties, measurements)];

    for (attempt, number) in done.attempts.iter().zip(1u32..) {
        let mut properties = Properties(Vec::new());
        properties.add("road", Some(attempt.road.name()));
        properties.add("attempt", Some(number.to_string()));
        let dependency = Data::Dependency {
            id: span_id(random),
            name: DEPENDENCY_NAME,
            target: &attempt.authority,
            url: "/sms",
            result_code: attempt.attempted.status,
            duration: attempt.attempted.elapsed,
            success: attempt.attempted.accepted,
        };
        let time = time(attempt.attempted.started);
        items.push(item(time, Some(trace.span_id), dependency, properties, Vec::new()));
    }

    if let ("failed", Some(fix)) = (line.outcome, &line.fix) {
        let mut properties = Properties(Vec::new());
        properties.add("reason", Some(line.reason));
        let message = Data::Message { text: fix, severity: Severity::Error };
        items.push(item(done.now, Some(trace.span_id), message, properties, Vec::new()));
    }
    items
}

/// The event of a report, in the trace of its hook where that is known.
pub fn of_report(report: &ReportDone) -> Item<'_> {
    let accepted = report.accepted.as_ref();
    let trace = accepted.and_then(|accepted| accepted.trace);
    let mut properties = Properties(Vec::with_capacity(7));
    properties.add("status", Some(report.reported.status().name()));
    properties.add("code", report.reported.code.map(|code| code.to_string()));
    properties.add("country", accepted.and_then(|it| it.region).map(|region| region.to_string()));
    properties.add("senderType", accepted.map(|it| it.sender_type.name()));
    properties.add("requestType", accepted.and_then(|it| it.request_type.as_deref()));
    properties.add("messageId", Some(report.message_id.as_str()));
    properties.add("oktaEventId", report.event_id.as_ref().map(|it| it.as_str()));
    let seconds = i64::try_from(report.reported.at / 1000).unwrap_or(0);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Item {
        time: time + std::time::Duration::from_millis(report.reported.at % 1000),
        trace_id: trace.map(|trace| trace.trace_id),
        parent_id: trace.map(|trace| trace.span_id),
        operation_name: trace.map(|_| REQUEST_NAME),
        data: Data::Event { name: EVENT_NAME },
        properties: properties.0,
        measurements: report
            .time_to_report()
            .map(|milliseconds| ("deliveryMs", Thousandths::whole(milliseconds)))
            .into_iter()
            .collect(),
    }
}
