//! What the log says of the reports in a delivery, and of replies. The schema is docs/monitoring.md.

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use super::event_grid::SmsReceived;
use crate::identifier::Identifier;
use crate::outcome::TakenReport;
use crate::records::code::{self, Code};
use crate::records::{Said, Status};
use crate::telemetry::line;

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
        canary: Option<bool>,
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
        canary: report.canary.then_some(true),
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
