//! What the log says of deliveries, of the reports in them, and of replies. The schema is docs/logging.md.

use std::borrow::Cow;
use std::time::Duration;

use time::OffsetDateTime;

use super::event_grid::SmsReceived;
use crate::after::ReportDone;
use crate::json::write::Thousandths;
use crate::numbering::Region;
use crate::records::{Status, code};
use crate::telemetry::{Identifier, line, rfc3339};

/// The line of a delivery of Event Grid's. Fields that say nothing are left out.
#[derive(Debug, Default)]
pub struct ReportsLine {
    /// What is wrong, and what to do.
    pub fix: Option<Cow<'static, str>>,
    /// What went wrong besides.
    pub warnings: Vec<&'static str>,
    /// How the reporter proved itself.
    pub credential: Option<&'static str>,
    /// The event subscription, as the delivery names it.
    pub subscription: Option<Identifier>,
    /// How many events it brought.
    pub events: usize,
    /// How many of them could not be read.
    pub bad_events: usize,
    /// How many of them are of types that nobody here asks for.
    pub other_events: usize,
}

impl ReportsLine {
    /// The finished line, with its line feed.
    pub fn finish(self, now: OffsetDateTime, http_status: u16, elapsed: Duration) -> String {
        let level = match http_status {
            200 if self.fix.is_none() && self.warnings.is_empty() => "info",
            // Anybody can bring the others about.
            503 if self.credential.is_some() => "error",
            _ => "warn",
        };
        let some = |count: usize| (count > 0).then_some(count as u64);
        line(&rfc3339(now), level, "delivery_reports", &|line| {
            line.text("fix", self.fix.as_deref())
                .number("http_status", u64::from(http_status))
                .texts("warnings", &self.warnings)
                .text("credential", self.credential)
                .text("subscription", self.subscription.as_ref().map(Identifier::as_str))
                .number("events", self.events as u64)
                .number("bad_events", some(self.bad_events))
                .number("other_events", some(self.other_events))
                .thousandths("ms", Thousandths::milliseconds(elapsed));
        })
    }
}

/// The line of one report, with its line feed. Fields that are not known are left out. With `news` it says
/// what was not known.
pub fn report(report: &ReportDone, news: bool, now: OffsetDateTime) -> String {
    let status = report.reported.status();
    let code = report.reported.code;
    let known = code.and_then(code::look_up);
    let accepted = report.accepted.as_ref();
    let failed = status == Status::Failed && news;
    line(&rfc3339(now), if failed { "warn" } else { "info" }, "delivery_report", &|line| {
        line.text("status", status.name())
            .number("code", code.map(u64::from))
            .text("meaning", known.map(|code| code.meaning))
            .text("fix", known.filter(|_| failed).map(|code| code.fix))
            .bool("known", (!news).then_some(true))
            .text("message_id", report.message_id.as_str())
            .text("event_id", report.event_id.as_ref().map(Identifier::as_str))
            .text("country", accepted.and_then(|it| it.region.as_ref()).map(Region::code))
            .text("sender_type", accepted.map(|it| it.sender_type.name()))
            .number("report_ms", report.time_to_report());
    })
}

/// The line, with its line feed, of a message that somebody sent to one of the senders.
pub fn received(received: &SmsReceived, now: OffsetDateTime) -> String {
    // Who has opted out gets no passcode any more.
    let level = if received.opt_out { "warn" } else { "info" };
    line(&rfc3339(now), level, "sms_received", &|line| {
        line.bool("opt_out", received.opt_out).text("number", received.from.as_deref());
    })
}
