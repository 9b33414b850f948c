//! One item of telemetry, and its JSON.
//!
//! Text that is longer than Application Insights takes is cut off, between two characters. The limits
//! count UTF-16 units (`Property.Max…Length` in Microsoft.ApplicationInsights for .NET).

use std::borrow::Cow;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::Sink;
use crate::telemetry::trace_context::hex;

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
    /// `customMeasurements`. A number that is not finite is left out.
    pub measurements: Vec<(&'static str, f64)>,
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
    pub(super) fn write(&self, sink: &Sink, to: &mut Vec<u8>) {
        let mut json = Json(to);
        let (envelope, base) = match self.data {
            Data::Request { .. } => ("Request", "RequestData"),
            Data::Dependency { .. } => ("RemoteDependency", "RemoteDependencyData"),
            Data::Event { .. } => ("Event", "EventData"),
            Data::Message { .. } => ("Message", "MessageData"),
        };
        json.raw(r#"{"name":"Microsoft.ApplicationInsights."#);
        json.raw(envelope);
        json.raw(r#"","iKey":""#);
        json.0.extend_from_slice(sink.instrumentation_key.reveal());
        json.raw(r#"","time":""#);
        json.raw(&rfc3339(self.time));
        json.raw(concat!(
            r#"","tags":{"ai.cloud.role":"okta-telephony-acs","ai.internal.sdkVersion":"okta-telephony-acs:"#,
            env!("CARGO_PKG_VERSION"),
            r#"""#,
        ));
        if let Some(trace_id) = self.trace_id {
            json.text(r#","ai.operation.id":"#, &hex(&trace_id), NAME_LIMIT);
        }
        if let Some(parent_id) = self.parent_id {
            json.text(r#","ai.operation.parentId":"#, &hex(&parent_id), NAME_LIMIT);
        }
        if let Some(name) = self.operation_name {
            json.text(r#","ai.operation.name":"#, name, NAME_LIMIT);
        }
        json.raw(r#"},"data":{"baseType":""#);
        json.raw(base);
        json.raw(r#"","baseData":{"ver":2"#);
        match &self.data {
            Data::Request { id, name, duration, response_code, success, url } => {
                json.outcome(id, name, *duration, *success);
                json.text(r#","responseCode":"#, &response_code.to_string(), NAME_LIMIT);
                json.text(r#","url":"#, url, URL_LIMIT);
            }
            Data::Dependency { id, name, target, url, result_code, duration, success } => {
                json.outcome(id, name, *duration, *success);
                json.raw(r#","type":"HTTP""#);
                json.text(r#","target":"#, target, NAME_LIMIT);
                json.text(r#","data":"#, url, DATA_LIMIT);
                if let Some(result_code) = result_code {
                    json.text(r#","resultCode":"#, &result_code.to_string(), NAME_LIMIT);
                }
            }
            Data::Event { name } => json.text(r#","name":"#, name, EVENT_NAME_LIMIT),
            Data::Message { text, severity } => {
                json.text(r#","message":"#, text, MESSAGE_LIMIT);
                json.raw(r#","severityLevel":"#);
                json.digits(*severity as u64, 1);
            }
        }
        let mut before = r#","properties":{"#;
        for (key, value) in &self.properties {
            json.text(before, key, KEY_LIMIT);
            json.text(":", value, VALUE_LIMIT);
            before = ",";
        }
        json.raw(if before == "," { "}" } else { "" });
        let mut before = r#","measurements":{"#;
        for (key, value) in self.measurements.iter().filter(|(_, value)| value.is_finite()) {
            json.text(before, key, KEY_LIMIT);
            json.raw(":");
            json.value(value);
            before = ",";
        }
        json.raw(if before == "," { "}}}}" } else { "}}}" });
    }
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

/// Writes JSON. The names and the punctuation are the caller's.
struct Json<'a>(&'a mut Vec<u8>);

impl Json<'_> {
    /// What is JSON already.
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A value. Texts and finite numbers only: nothing in them can fail to serialize, nor can a Vec
    /// fail to take it.
    fn value<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        let _ = serde_json::to_writer(&mut *self.0, value);
    }

    /// What comes before a text, and the text.
    fn text(&mut self, before: &str, text: &str, limit: usize) {
        self.raw(before);
        self.value(cut(text, limit));
    }

    /// What requests and dependencies have in common.
    fn outcome(&mut self, id: &[u8; 8], name: &str, duration: Duration, success: bool) {
        self.text(r#","id":"#, &hex(id), NAME_LIMIT);
        self.text(r#","name":"#, name, NAME_LIMIT);
        self.raw(r#","duration":""#);
        self.duration(duration);
        self.raw(if success { r#"","success":true"# } else { r#"","success":false"# });
    }

    /// `d.hh:mm:ss.fff`, rounded, as Microsoft's exporter for Python writes it; less than 1000 days.
    fn duration(&mut self, duration: Duration) {
        const LONGEST: u128 = 1000 * 24 * 60 * 60 * 1000 - 1;
        let milliseconds = ((duration.as_micros() + 500) / 1000).min(LONGEST) as u64;
        let seconds = milliseconds / 1000;
        let (minutes, hours) = (seconds / 60, seconds / (60 * 60));
        let days = hours / 24;
        self.digits(days, 1 + usize::from(days >= 10) + usize::from(days >= 100));
        for (before, number) in [(".", hours % 24), (":", minutes % 60), (":", seconds % 60)] {
            self.raw(before);
            self.digits(number, 2);
        }
        self.raw(".");
        self.digits(milliseconds % 1000, 3);
    }

    /// The last digits of a number, at most three.
    fn digits(&mut self, number: u64, count: usize) {
        let all = [number / 100 % 10, number / 10 % 10, number % 10];
        self.0.extend(all.iter().skip(3 - count).map(|digit| b'0' + *digit as u8));
    }
}
