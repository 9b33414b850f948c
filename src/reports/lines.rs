//! What the log says of deliveries, of the reports in them, and of replies. The schema is docs/monitoring.md.

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use super::event_grid::SmsReceived;
use crate::identifier::Identifier;
use crate::outcome::TakenReport;
use crate::records::code::{self, Code};
use crate::records::{Said, Status};
use crate::telemetry::line;

/// The facts of a delivery of Event Grid's. Fields that say nothing are left out.
#[skip_serializing_none]
#[derive(Debug, Default, Serialize)]
pub struct DeliveryFacts {
    /// What is wrong, and what to do.
    pub fix: Option<String>,
    /// The status of the answer.
    pub http_status: u16,
    /// What went wrong besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
    /// How the reporter proved itself.
    pub credential: Option<&'static str>,
    /// It stands for others, too.
    pub sampled: Option<&'static str>,
    /// The event subscription, as the delivery names it.
    pub subscription: Option<Identifier>,
    /// How many events it brought.
    pub events: usize,
    /// How many of them could not be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub bad_events: usize,
    /// How many of them are of types that nobody here asks for.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_events: usize,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The line of a delivery.
pub fn delivery(facts: &DeliveryFacts, now: OffsetDateTime) -> String {
    let level = match facts.http_status {
        200 if facts.fix.is_none() && facts.warnings.is_empty() => "info",
        // Anybody can bring the others about.
        503 if facts.credential.is_some() => "error",
        _ => "warn",
    };
    line(now, level, "delivery_reports", facts)
}

/// The help with a status that is not known.
const UNKNOWN_STATUS: &str = "the report's status is none that is documented, so the message counts as unconfirmed: \
     look at who sends such reports";

/// The line of one report.
pub fn report(report: &TakenReport, now: OffsetDateTime) -> String {
    #[skip_serializing_none]
    #[derive(Serialize)]
    struct Facts<'a> {
        status: &'static str,
        reported_status: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Code::serialize")]
        code: Option<Code>,
        meaning: Option<&'static str>,
        fix: Option<&'static str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<&'static str>,
        known: Option<bool>,
        message_id: &'a Identifier,
        event_id: Option<&'a Identifier>,
        channel: Option<&'static str>,
        country: Option<&'a str>,
        provider: Option<&'a str>,
        sender_type: Option<&'static str>,
        report_ms: Option<u64>,
    }
    let status = report.reported.status();
    let known = report.reported.code.and_then(code::look_up);
    let accepted = report.accepted.as_ref();
    let failed = status == Status::Failed && report.is_news;
    let status_unknown = matches!(report.reported.said, Said::Other(_));
    let warnings = [(status_unknown, "status_unknown"), (!report.has_date, "time_unknown")];
    let warnings: Vec<_> =
        warnings.into_iter().filter(|(is_so, _)| *is_so).map(|(_, name)| name).collect();
    let level = if failed || !warnings.is_empty() { "warn" } else { "info" };
    let facts = Facts {
        status: status.name(),
        reported_status: report.reported.unconfirmed_status(),
        code: report.reported.code,
        meaning: known.map(|code| code.meaning),
        fix: match status_unknown {
            true => Some(UNKNOWN_STATUS),
            false => known.filter(|_| failed).map(|code| code.fix),
        },
        warnings,
        known: (!report.is_news).then_some(true),
        message_id: &report.message_id,
        event_id: report.event_id.as_ref(),
        channel: accepted.map(|it| it.channel().name()),
        country: accepted.and_then(|it| it.region.as_ref()).map(|region| region.code()),
        provider: accepted.map(|it| &*it.provider),
        sender_type: accepted.map(|it| it.sender_type.name()),
        report_ms: report.milliseconds_to_report(),
    };
    line(now, level, "delivery_report", facts)
}

/// The line of a message that somebody sent to one of the senders.
pub fn received(received: &SmsReceived, now: OffsetDateTime) -> String {
    #[skip_serializing_none]
    #[derive(Serialize)]
    struct Facts<'a> {
        opt_out: bool,
        number: Option<&'a str>,
    }
    let facts = Facts { opt_out: received.opt_out, number: received.from.as_deref() };
    // Who has opted out gets no passcode any more.
    line(now, if received.opt_out { "warn" } else { "info" }, "sms_received", facts)
}
