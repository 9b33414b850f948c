//! The request that has ACS send a message, per the REST API's `Sms - Send`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use super::signature::{imf_fixdate, sign};
use super::{Acs, MessagingConnect};
use crate::ports::{InFlight, Instant, OutboundMethod, OutboundRequest};
use crate::providers::{Message, api};
use crate::secret::Secret;
use crate::sender::Sender;

/// The path of the API.
pub(super) const PATH: &str = "/sms";

/// The body, with its members in the order in which they are sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    from: &'a str,
    sms_recipients: [Recipient<'a>; 1],
    message: &'a str,
    sms_send_options: Options<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient<'a> {
    to: &'a str,
    repeatability_request_id: String,
    repeatability_first_sent: String,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    enable_delivery_report: bool,
    tag: Option<&'a str>,
    delivery_report_timeout_in_seconds: Option<u32>,
    messaging_connect: Option<Partner<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partner<'a> {
    partner: &'a str,
    partner_params: BTreeMap<&'a str, &'a str>,
}

impl<'a> Partner<'a> {
    fn of(connect: &'a MessagingConnect) -> Self {
        let text = |secret: &'a Secret| str::from_utf8(secret.reveal()).expect("it was a text");
        let parameters = connect.parameters.iter().map(|(name, value)| (&**name, text(value)));
        Self { partner: &connect.partner, partner_params: parameters.collect() }
    }
}

/// A request, which can be sent more than once.
pub(super) struct Request<'a> {
    acs: &'a Acs,
    date: OffsetDateTime,
    path_and_query: String,
    body: Vec<u8>,
}

impl<'a> Request<'a> {
    /// Writes the request. `now` is what ACS compares with its own clock.
    pub fn new(acs: &'a Acs, sender: &Sender, message: &Message<'_>, now: OffsetDateTime) -> Self {
        let path_and_query = format!("{PATH}?api-version={}", acs.api_version);
        Self { acs, date: now, path_and_query, body: body(acs, &sender.value, message) }
    }
}

impl api::Request for Request<'_> {
    /// Signs it and sends it. The authority is what `:authority` will be, or the `Host` header, from which hosts leave
    /// the scheme's own port out.
    fn send(&self, in_flight: &mut dyn InFlight, authority: &str, until: Instant) {
        let Self { acs, date, path_and_query, body } = self;
        let access_key = &acs.resource.access_key;
        let signature = sign(access_key, "POST", authority, path_and_query, *date, body);
        let request = OutboundRequest {
            method: OutboundMethod::Post(body),
            tls: acs.resource.tls,
            authority,
            path_and_query,
            headers: &[
                ("content-type", "application/json"),
                ("x-ms-date", &signature.date),
                ("x-ms-content-sha256", &signature.content_sha256),
                ("authorization", &signature.authorization),
            ],
        };
        in_flight.send(&request, until);
    }
}

fn body(acs: &Acs, from: &str, message: &Message<'_>) -> Vec<u8> {
    let body = Body {
        from,
        sms_recipients: [Recipient {
            to: message.to.as_str(),
            repeatability_request_id: message.repeatability.id.to_string(),
            repeatability_first_sent: imf_fixdate(message.repeatability.first_sent),
        }],
        message: message.content.text(),
        sms_send_options: Options {
            enable_delivery_report: true,
            tag: message.tag,
            delivery_report_timeout_in_seconds: acs.report_timeout,
            messaging_connect: acs.messaging_connect.as_ref().map(Partner::of),
        },
    };
    serde_json::to_vec(&body).expect("texts, a number and a bool, in memory")
}
