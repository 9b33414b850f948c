//! One item of telemetry, and its JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{REQUEST_NAME, Sink};

/// An item of telemetry. Its texts are names and identifiers, all shorter than what Application Insights takes,
/// but for a [`Data::Message`].
#[derive(Clone, Debug, PartialEq)]
pub struct Item<'a> {
    /// When it happened or, if it took time, began.
    pub time: OffsetDateTime,
    /// `ai.operation.id`: the trace of the hook call that it belongs to, where that is known.
    pub trace_id: Option<[u8; 16]>,
    /// `ai.operation.parentId`: the part of the trace that brought it about.
    pub parent_id: Option<[u8; 8]>,
    /// What happened.
    pub data: Data<'a>,
    /// `customDimensions`.
    pub properties: BTreeMap<&'static str, Cow<'a, str>>,
    /// `customMeasurements`.
    pub measurements: BTreeMap<&'static str, f64>,
}

/// What happened, as the protocol has it. An `id` is in hexadecimal, a `duration` is a [`time_span`].
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Data<'a> {
    /// The hook was called: table `requests`.
    Request {
        /// The call's part of the trace.
        id: String,
        /// [`super::REQUEST_NAME`].
        name: &'static str,
        /// How long the answer took.
        duration: String,
        /// Whether it did what it was called for.
        success: bool,
        /// The answer's HTTP status.
        response_code: String,
        /// [`super::REQUEST_URL`].
        url: &'static str,
    },
    /// The hook called a provider: table `dependencies`.
    Dependency {
        /// The call's part of the trace.
        id: String,
        /// [`super::DEPENDENCY_NAME`].
        name: &'static str,
        /// How long it took.
        duration: String,
        /// Whether it did what it was called for.
        success: bool,
        /// `HTTP`.
        r#type: &'static str,
        /// The host that was called, with its port if any.
        target: &'a str,
        /// The path that was called.
        data: &'static str,
        /// The HTTP status, where there was an answer.
        result_code: Option<String>,
    },
    /// Something became known: table `customEvents`.
    Event {
        /// [`super::EVENT_NAME`], [`super::OKTA_EVENT_NAME`] or [`super::GUARD_NAME`].
        name: &'static str,
    },
    /// Something to be read: table `traces`.
    Message {
        /// The text. Application Insights takes [`MESSAGE_LIMIT`].
        message: &'a str,
        /// [`ERROR`].
        severity_level: u8,
    },
}

/// The severity of what failed.
pub const ERROR: u8 = 3;

/// The most UTF-16 units of a message, of which a text never has more than bytes
/// (`Property.MaxMessageLength` in Microsoft.ApplicationInsights for .NET).
pub const MESSAGE_LIMIT: usize = 32_768;

/// An item as it is posted.
#[derive(Serialize)]
pub(super) struct Envelope<'a> {
    name: String,
    #[serde(rename = "iKey")]
    instrumentation_key: &'a str,
    time: String,
    tags: Tags,
    data: TypedBase<'a>,
}

#[skip_serializing_none]
#[derive(Serialize)]
struct Tags {
    #[serde(rename = "ai.cloud.role")]
    role: &'static str,
    #[serde(rename = "ai.internal.sdkVersion")]
    sdk_version: &'static str,
    #[serde(rename = "ai.operation.id")]
    operation_id: Option<String>,
    #[serde(rename = "ai.operation.parentId")]
    parent_id: Option<String>,
    #[serde(rename = "ai.operation.name")]
    operation_name: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TypedBase<'a> {
    base_type: String,
    base_data: Base<'a>,
}

#[derive(Serialize)]
struct Base<'a> {
    ver: u8,
    #[serde(flatten)]
    data: &'a Data<'a>,
    properties: &'a BTreeMap<&'static str, Cow<'a, str>>,
    measurements: &'a BTreeMap<&'static str, f64>,
}

impl Item<'_> {
    /// The item for a sink.
    pub(super) fn envelope<'a>(&'a self, sink: &'a Sink) -> Envelope<'a> {
        let Self { data, properties, measurements, .. } = self;
        let kind = match data {
            Data::Request { .. } => "Request",
            Data::Dependency { .. } => "RemoteDependency",
            Data::Event { .. } => "Event",
            Data::Message { .. } => "Message",
        };
        Envelope {
            name: format!("Microsoft.ApplicationInsights.{kind}"),
            instrumentation_key: str::from_utf8(sink.instrumentation_key.reveal())
                .unwrap_or_default(),
            // Microsoft's exporters have no more digits. It fails only for years that a clock within 0 to 9999
            // does not have.
            time: self.time.truncate_to_microsecond().format(&Rfc3339).unwrap_or_default(),
            tags: Tags {
                role: "okta-telephony-acs",
                sdk_version: concat!("okta-telephony-acs:", env!("CARGO_PKG_VERSION")),
                operation_id: self.trace_id.map(|id| HEXLOWER.encode(&id)),
                parent_id: self.parent_id.map(|id| HEXLOWER.encode(&id)),
                operation_name: self.trace_id.map(|_| REQUEST_NAME),
            },
            data: TypedBase {
                base_type: format!("{kind}Data"),
                base_data: Base { ver: 2, data, properties, measurements },
            },
        }
    }
}

/// `d.hh:mm:ss.fff`, as Microsoft's exporter for Python writes it.
pub fn time_span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!(
        "{}.{:02}:{:02}:{:02}.{:03}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        duration.subsec_millis()
    )
}
