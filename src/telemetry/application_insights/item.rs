//! One item of telemetry, and its JSON.
//!
//! Text that is longer than Application Insights takes is cut off, between two characters. The limits
//! count UTF-16 units (`Property.Max…Length` in Microsoft.ApplicationInsights for .NET).

use std::borrow::Cow;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::Sink;
use crate::json::write::{Object, Thousandths, digits};
use crate::trace_context::hex;

const KEY_LIMIT: usize = 150;
const VALUE_LIMIT: usize = 8192;
const NAME_LIMIT: usize = 1024;
const EVENT_NAME_LIMIT: usize = 512;
const URL_LIMIT: usize = 2048;
const DATA_LIMIT: usize = 8192;
const MESSAGE_LIMIT: usize = 32768;

/// An item of telemetry.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<'a> {
    /// When it happened or, if it took time, began.
    pub time: OffsetDateTime,
    /// `ai.operation.id`: the trace that it is part of, where that is known.
    pub trace_id: Option<[u8; 16]>,
    /// `ai.operation.parentId`: the part of the trace that brought it about.
    pub parent_id: Option<[u8; 8]>,
    /// `ai.operation.name`: the name of the request that it belongs to.
    pub operation_name: Option<&'a str>,
    /// What happened.
    pub data: Data<'a>,
    /// `customDimensions`: keys of at most 150, values of at most 8,192 UTF-16 units. Each key once.
    pub properties: Vec<(&'static str, Cow<'a, str>)>,
    /// `customMeasurements`: keys of at most 150 UTF-16 units. Each key once.
    pub measurements: Vec<(&'static str, Thousandths)>,
}

/// What happened. Texts of which no limit is given may have 1,024 UTF-16 units.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    /// The hook was called: table `requests`.
    Request {
        /// The call's part of the trace.
        id: [u8; 8],
        /// [`super::REQUEST_NAME`].
        name: &'a str,
        /// How long the answer took.
        duration: Duration,
        /// The answer's HTTP status.
        response_code: u16,
        /// Whether it did what it was called for.
        success: bool,
        /// The URL of the call, at most 2,048 UTF-16 units.
        url: &'a str,
    },
    /// The hook called another service: table `dependencies`.
    Dependency {
        /// The call's part of the trace.
        id: [u8; 8],
        /// [`super::DEPENDENCY_NAME`].
        name: &'a str,
        /// The host that was called, with its port if any.
        target: &'a str,
        /// The URL that was called, at most 8,192 UTF-16 units.
        url: &'a str,
        /// The HTTP status, where there was an answer.
        result_code: Option<u16>,
        /// How long it took.
        duration: Duration,
        /// Whether it did what it was called for.
        success: bool,
    },
    /// Something became known: table `customEvents`.
    Event {
        /// [`super::EVENT_NAME`]; at most 512 UTF-16 units.
        name: &'a str,
    },
    /// Something to be read: table `traces`.
    Message {
        /// The text, at most 32,768 UTF-16 units.
        text: &'a str,
        /// How bad it is.
        severity: Severity,
    },
}

/// How bad it is, by the number that Application Insights knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Information = 1,
    /// To be looked at.
    Warning = 2,
    /// Something failed.
    Error = 3,
}

impl Item<'_> {
    /// Appends the item as JSON.
    pub(super) fn write(&self, sink: &Sink, to: &mut String) {
        let (name, base_type) = match self.data {
            Data::Request { .. } => ("Microsoft.ApplicationInsights.Request", "RequestData"),
            Data::Dependency { .. } => {
                ("Microsoft.ApplicationInsights.RemoteDependency", "RemoteDependencyData")
            }
            Data::Event { .. } => ("Microsoft.ApplicationInsights.Event", "EventData"),
            Data::Message { .. } => ("Microsoft.ApplicationInsights.Message", "MessageData"),
        };
        let mut item = Object::new(to);
        item.text("name", name)
            .text("iKey", str::from_utf8(sink.instrumentation_key.reveal()).unwrap_or_default())
            .text("time", rfc3339(self.time).as_str());
        item.object("tags")
            .text("ai.cloud.role", "okta-telephony-acs")
            .text(
                "ai.internal.sdkVersion",
                concat!("okta-telephony-acs:", env!("CARGO_PKG_VERSION")),
            )
            .text("ai.operation.id", self.trace_id.map(|id| hex(&id)).as_deref())
            .text("ai.operation.parentId", self.parent_id.map(|id| hex(&id)).as_deref())
            .text("ai.operation.name", self.operation_name.map(|name| cut(name, NAME_LIMIT)));
        let mut data = item.object("data");
        data.text("baseType", base_type);
        let mut base = data.object("baseData");
        base.number("ver", 2);
        match &self.data {
            Data::Request { id, name, duration, response_code, success, url } => {
                outcome(&mut base, id, name, *duration, *success);
                base.text("responseCode", response_code.to_string().as_str());
                base.text("url", cut(url, URL_LIMIT));
            }
            Data::Dependency { id, name, target, url, result_code, duration, success } => {
                outcome(&mut base, id, name, *duration, *success);
                base.text("type", "HTTP")
                    .text("target", cut(target, NAME_LIMIT))
                    .text("data", cut(url, DATA_LIMIT))
                    .text("resultCode", result_code.map(|code| code.to_string()).as_deref());
            }
            Data::Event { name } => {
                base.text("name", cut(name, EVENT_NAME_LIMIT));
            }
            Data::Message { text, severity } => {
                base.text("message", cut(text, MESSAGE_LIMIT));
                base.number("severityLevel", *severity as u64);
            }
        }
        if !self.properties.is_empty() {
            let mut properties = base.object("properties");
            for (key, value) in &self.properties {
                properties.text(cut(key, KEY_LIMIT), cut(value, VALUE_LIMIT));
            }
        }
        if !self.measurements.is_empty() {
            let mut measurements = base.object("measurements");
            for (key, value) in &self.measurements {
                measurements.thousandths(cut(key, KEY_LIMIT), *value);
            }
        }
    }
}

/// What requests and dependencies have in common.
#[inline(never)]
fn outcome(base: &mut Object<'_>, id: &[u8; 8], name: &str, duration: Duration, success: bool) {
    base.text("id", hex(id).as_str())
        .text("name", cut(name, NAME_LIMIT))
        .text("duration", time_span(duration).as_str())
        .bool("success", success);
}

/// RFC 3339 in UTC, with the seven digits after the point that .NET's clock has, less the zeros at
/// their end.
fn rfc3339(time: OffsetDateTime) -> String {
    let utc = time.checked_to_offset(UtcOffset::UTC).unwrap_or(time);
    let ticks = utc.nanosecond() / 100;
    let time = utc.replace_nanosecond(ticks * 100).unwrap_or(utc);
    // Fails only for years that a clock within 0 to 9999 does not have.
    time.format(&Rfc3339).unwrap_or_default()
}

/// The beginning that has at most `limit` UTF-16 units.
fn cut(text: &str, limit: usize) -> &str {
    // There are never more units than bytes.
    if text.len() <= limit {
        return text;
    }
    let (mut units, mut end) = (0, 0);
    for c in text.chars() {
        units += c.len_utf16();
        if units > limit {
            break;
        }
        end += c.len_utf8();
    }
    // A boundary: some characters from the beginning.
    text.get(..end).unwrap_or_default()
}

/// `d.hh:mm:ss.fff`, rounded, as Microsoft's exporter for Python writes it; less than 1000 days.
fn time_span(duration: Duration) -> String {
    const LONGEST: u64 = 1000 * 24 * 60 * 60 * 1000 - 1;
    let Thousandths(microseconds) = Thousandths::milliseconds(duration);
    let milliseconds = (microseconds.saturating_add(500) / 1000).min(LONGEST);
    let seconds = milliseconds / 1000;
    let (minutes, hours) = (seconds / 60, seconds / (60 * 60));
    let mut text = String::with_capacity("999.23:59:59.999".len());
    digits(&mut text, hours / 24, 1);
    for (before, number, places) in [
        ('.', hours % 24, 2),
        (':', minutes % 60, 2),
        (':', seconds % 60, 2),
        ('.', milliseconds % 1000, 3),
    ] {
        text.push(before);
        digits(&mut text, number, places);
    }
    text
}
