//! The request that has Infobip send a message, per its API's `POST /sms/3/messages`.

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use super::Infobip;
use crate::ports::{InFlight, Instant, OutboundMethod, OutboundRequest};
use crate::providers::{IndiaDlt, Message, api};
use crate::secret::Secret;
use crate::sender::Sender;

/// The path of the API.
pub(super) const PATH: &str = "/sms/3/messages";

/// The longest that Infobip keeps a message, in seconds: 48 hours.
const LONGEST_VALIDITY: i64 = 48 * 3600;

/// The body, with its members in the order in which they are sent.
#[derive(Serialize)]
struct Body<'a> {
    messages: [Sms<'a>; 1],
    options: OfRequest,
}

#[skip_serializing_none]
#[derive(Serialize)]
struct Sms<'a> {
    sender: &'a str,
    destinations: [Destination<'a>; 1],
    content: Content<'a>,
    options: Option<Options<'a>>,
    webhooks: Option<Webhooks<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Destination<'a> {
    to: &'a str,
    message_id: String,
}

#[derive(Serialize)]
struct Content<'a> {
    text: &'a str,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    validity_period: Option<ValidityPeriod>,
    regional: Option<Regional<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValidityPeriod {
    amount: i64,
    time_unit: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Regional<'a> {
    india_dlt: Dlt<'a>,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dlt<'a> {
    content_template_id: Option<&'a str>,
    principal_entity_id: &'a str,
    telemarketer_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhooks<'a> {
    content_type: &'static str,
    callback_data: &'a str,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfRequest {
    include_sms_count_in_response: bool,
    conversion_tracking: Option<ConversionTracking>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversionTracking {
    use_conversion_tracking: bool,
    conversion_tracking_name: &'static str,
}

/// What Infobip is told of messages whose passcodes it learns the use of.
const TRACKED: ConversionTracking =
    ConversionTracking { use_conversion_tracking: true, conversion_tracking_name: "ONE_TIME_PIN" };

/// A request, which can be sent more than once.
pub(super) struct Request<'a> {
    pub infobip: &'a Infobip,
    pub path: &'static str,
    pub body: Vec<u8>,
}

impl api::Request for Request<'_> {
    fn send(&self, in_flight: &mut dyn InFlight, authority: &str, until: Instant) {
        let request = OutboundRequest {
            method: OutboundMethod::Post(&self.body),
            tls: self.infobip.tls,
            authority,
            path_and_query: self.path,
            headers: &[
                ("content-type", "application/json"),
                ("accept", "application/json"),
                ("authorization", &authorization(&self.infobip.api_key)),
            ],
        };
        in_flight.send(&request, until);
    }
}

/// The key is of ASCII letters and digits: the settings take no other.
pub(super) fn authorization(api_key: &Secret) -> String {
    ["App ", str::from_utf8(api_key.reveal()).unwrap_or_default()].concat()
}

/// The body of a request that has a text sent.
pub(super) fn body(
    infobip: &Infobip,
    sender: &Sender,
    message: &Message<'_>,
    text: &str,
    now: OffsetDateTime,
) -> Vec<u8> {
    let until = |expires: OffsetDateTime| (expires - now).whole_seconds();
    let seconds = message.expires.map(|expires| until(expires).clamp(1, LONGEST_VALIDITY));
    let options = Options {
        validity_period: seconds.map(|amount| ValidityPeriod { amount, time_unit: "SECONDS" }),
        regional: IndiaDlt::of_message(&infobip.india_dlt, message.to).map(|dlt| Regional {
            india_dlt: Dlt {
                content_template_id: dlt.content_template_id.as_deref(),
                principal_entity_id: &dlt.principal_entity_id,
                telemarketer_id: dlt.telemarketer_id.as_deref(),
            },
        }),
    };
    let says_something = options.validity_period.is_some() || options.regional.is_some();
    let body = Body {
        messages: [Sms {
            sender: without_plus(&sender.value),
            destinations: [Destination {
                to: without_plus(message.to.as_str()),
                message_id: message.repeatability.id.to_string(),
            }],
            content: Content { text },
            options: says_something.then_some(options),
            webhooks: message
                .tag
                .map(|tag| Webhooks { content_type: "application/json", callback_data: tag }),
        }],
        options: OfRequest {
            include_sms_count_in_response: true,
            conversion_tracking: infobip.feedback.then_some(TRACKED),
        },
    };
    serde_json::to_vec(&body).expect("texts, numbers and a bool, in memory")
}

/// Infobip has numbers without the `+`.
pub(super) fn without_plus(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}
