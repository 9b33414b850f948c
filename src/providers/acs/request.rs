//! The request that has ACS send a message, per the REST API's `Sms - Send`.

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use super::signature::{Signature, imf_fixdate, sign};
use crate::ports::{Answer, HttpClient, Instant, OutboundMethod, OutboundRequest, SendError};
use crate::providers::{Candidate, Message};

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
}

/// A signed request, which can be sent more than once.
pub(super) struct Request<'a> {
    tls: bool,
    authority: &'a str,
    path_and_query: String,
    body: Vec<u8>,
    signature: Signature,
}

impl<'a> Request<'a> {
    /// Writes and signs the request. `now` is what ACS compares with its own clock.
    pub fn new(candidate: Candidate<'a>, message: &Message<'_>, now: OffsetDateTime) -> Self {
        let acs = &candidate.provider.acs;
        let path_and_query = format!("/sms?api-version={}", acs.api_version);
        let authority = &acs.resource.authority;
        let body = body(&candidate.sender.value, message);
        let signature =
            sign(&acs.resource.access_key, "POST", authority, &path_and_query, now, &body);
        Self { tls: acs.resource.tls, authority, path_and_query, body, signature }
    }

    /// Sends it, and waits for the head of the answer until `until` at the latest.
    pub fn send(
        &self,
        http: &dyn HttpClient,
        until: Instant,
    ) -> Result<Box<dyn Answer>, SendError> {
        let request = OutboundRequest {
            method: OutboundMethod::Post(&self.body),
            tls: self.tls,
            authority: self.authority,
            path_and_query: &self.path_and_query,
            headers: &[
                ("content-type", "application/json"),
                ("x-ms-date", &self.signature.date),
                ("x-ms-content-sha256", &self.signature.content_sha256),
                ("authorization", &self.signature.authorization),
            ],
        };
        http.send(&request, until)
    }
}

fn body(from: &str, message: &Message<'_>) -> Vec<u8> {
    let body = Body {
        from,
        sms_recipients: [Recipient {
            to: message.to.as_str(),
            repeatability_request_id: message.repeatability.id.to_string(),
            repeatability_first_sent: imf_fixdate(message.repeatability.first_sent),
        }],
        message: message.text,
        sms_send_options: Options { enable_delivery_report: true, tag: message.tag },
    };
    serde_json::to_vec(&body).expect("texts and a bool, in memory")
}
