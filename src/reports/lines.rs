//! What the log says of deliveries, of the reports in them, and of replies. The schema is docs/logging.md.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::event_grid::SmsReceived;
use crate::acs::sender::SenderType;
use crate::after::ReportDone;
use crate::numbering::Region;
use crate::records::{Status, code};
use crate::telemetry::{Identifier, Milliseconds, SCHEMA_VERSION, rfc3339, text};

/// The line of a delivery of Event Grid's. Fields that say nothing are left out.
#[derive(Debug, Serialize)]
pub struct ReportsLine {
    v: u32,
    time: String,
    level: &'static str,
    event: &'static str,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Cow<'static, str>>,
    http_status: u16,
    /// What went wrong besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
    /// How the reporter proved itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'static str>,
    /// The event subscription, as the delivery names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Identifier>,
    /// How many events it brought.
    pub events: usize,
    /// How many of them could not be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub bad_events: usize,
    /// How many of them are of types that nobody here asks for.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_events: usize,
    ms: Milliseconds,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl ReportsLine {
    /// The line of a delivery.
    pub fn new() -> Self {
        Self {
            v: SCHEMA_VERSION,
            time: String::new(),
            level: "info",
            event: "delivery_reports",
            fix: None,
            http_status: 0,
            warnings: Vec::new(),
            credential: None,
            subscription: None,
            events: 0,
            bad_events: 0,
            other_events: 0,
            ms: Milliseconds::default(),
        }
    }

    /// The finished line, with its line feed.
    pub fn finish(mut self, now: OffsetDateTime, http_status: u16, elapsed: Duration) -> String {
        self.time = rfc3339(now);
        self.level = match http_status {
            200 if self.fix.is_none() && self.warnings.is_empty() => "info",
            // Anybody can bring the others about.
            503 if self.credential.is_some() => "error",
            _ => "warn",
        };
        self.http_status = http_status;
        self.ms = Milliseconds(elapsed);
        text(&self)
    }
}

/// The line of one report. Fields that are not known are left out.
#[derive(Debug, Serialize)]
pub struct ReportLine<'a> {
    v: u32,
    time: String,
    level: &'static str,
    event: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
    /// It says nothing that was not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    known: bool,
    message_id: &'a Identifier,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_type: Option<SenderType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report_ms: Option<u64>,
}

impl<'a> ReportLine<'a> {
    /// The line of this report.
    pub fn new(report: &'a ReportDone, news: bool) -> Self {
        let status = report.reported.status();
        let code = report.reported.code;
        let known = code.and_then(code::look_up);
        let accepted = report.accepted.as_ref();
        Self {
            v: SCHEMA_VERSION,
            time: String::new(),
            level: if status == Status::Failed && news { "warn" } else { "info" },
            event: "delivery_report",
            status: status.name(),
            code,
            meaning: known.map(|code| code.meaning),
            fix: known.filter(|_| status == Status::Failed && news).map(|code| code.fix),
            known: !news,
            message_id: &report.message_id,
            event_id: report.event_id.as_ref(),
            country: accepted.and_then(|accepted| accepted.region),
            sender_type: accepted.map(|accepted| accepted.sender_type),
            report_ms: report.time_to_report(),
        }
    }

    /// The finished line, with its line feed.
    pub fn finish(mut self, now: OffsetDateTime) -> String {
        self.time = rfc3339(now);
        text(&self)
    }
}

/// The line of a message that somebody sent to one of the senders.
#[derive(Debug, Serialize)]
pub struct ReceivedLine<'a> {
    v: u32,
    time: String,
    level: &'static str,
    event: &'static str,
    opt_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<&'a str>,
}

impl<'a> ReceivedLine<'a> {
    /// The line of this message.
    pub fn new(received: &'a SmsReceived) -> Self {
        Self {
            v: SCHEMA_VERSION,
            time: String::new(),
            // Who has opted out gets no passcode any more.
            level: if received.opt_out { "warn" } else { "info" },
            event: "sms_received",
            opt_out: received.opt_out,
            number: received.from.as_deref(),
        }
    }

    /// The finished line, with its line feed.
    pub fn finish(mut self, now: OffsetDateTime) -> String {
        self.time = rfc3339(now);
        text(&self)
    }
}
