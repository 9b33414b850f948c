//! The requests that have Twilio send a message, per its API's `POST /2010-04-01/Accounts/{AccountSid}/Messages.json`, and
//! call.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use form_urlencoded::Serializer;
use time::OffsetDateTime;

use super::{Twilio, call};
use crate::ports::{InFlight, Instant, OutboundMethod, OutboundRequest};
use crate::providers::api::{self, Api};
use crate::providers::{Content, Message};
use crate::secret::Secret;
use crate::sender::{Sender, SenderKind};

/// The path by which messages are sent, without the account, which the log and telemetry must not have.
pub(super) const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Messages.json";

/// The type of a request's body.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// How long Twilio may be told to keep a message, in seconds: it takes 1 to 36,000, and says that one of less than 5 may be
/// over before the message has left it.
const VALIDITY: std::ops::RangeInclusive<i64> = 5..=36_000;

/// How a report is tried again: three times, also after an answer of 5xx, which the hook gives while its store is down. By
/// default it is tried once more, and after no answer only. Twilio takes the fragment for itself: it is neither sent nor
/// signed.
const TRIED_AGAIN: &str = "#rc=3&rp=5xx,ct,rt";

/// A request, which can be sent more than once.
pub(super) struct Request<'a> {
    twilio: &'a Twilio,
    path: String,
    body: String,
}

impl<'a> Request<'a> {
    /// Writes the request.
    pub fn new(
        twilio: &'a Twilio,
        sender: &Sender,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Self {
        let path = twilio.path(message.content.channel());
        let path = path.replace("{AccountSid}", &twilio.account_sid);
        Self { twilio, path, body: body(twilio, sender, message, now) }
    }
}

impl api::Request for Request<'_> {
    fn send(&self, in_flight: &mut dyn InFlight, authority: &str, until: Instant) {
        let Twilio { key_sid, key_secret, .. } = self.twilio;
        let request = OutboundRequest {
            method: OutboundMethod::Post(self.body.as_bytes()),
            tls: self.twilio.tls,
            authority,
            path_and_query: &self.path,
            headers: &[
                ("content-type", FORM),
                ("accept", "application/json"),
                ("authorization", &authorization(key_sid, key_secret)),
            ],
        };
        in_flight.send(&request, until);
    }
}

pub(super) fn authorization(key_sid: &str, key_secret: &Secret) -> String {
    let credentials = [key_sid.as_bytes(), b":", key_secret.reveal()].concat();
    ["Basic ", &BASE64_STANDARD.encode(credentials)].concat()
}

fn body(twilio: &Twilio, sender: &Sender, message: &Message<'_>, now: OffsetDateTime) -> String {
    let from = match sender.kind {
        SenderKind::Provider => "MessagingServiceSid",
        _ => "From",
    };
    let mut form = Serializer::new(String::new());
    form.append_pair("To", message.to.as_str());
    form.append_pair(from, &sender.value);
    match message.content {
        Content::Text(text) => {
            form.append_pair("Body", text);
            if let Some(expires) = message.expires {
                let seconds = (expires - now).whole_seconds();
                let seconds = seconds.clamp(*VALIDITY.start(), *VALIDITY.end());
                form.append_pair("ValidityPeriod", &seconds.to_string());
            }
            if twilio.feedback {
                form.append_pair("ProvideFeedback", "true");
            }
        }
        Content::Call(announcement) => call::append(&mut form, announcement),
    }
    if let Some(url) = &twilio.status_callback {
        form.append_pair("StatusCallback", &status_callback(url, message.tag));
    }
    form.finish()
}

/// The URL for the reports of a message. Twilio has no field that a report brings back, so the tag is in the query.
fn status_callback(url: &str, tag: Option<&str>) -> String {
    let query = tag.map(|tag| Serializer::new(String::new()).append_pair("tag", tag).finish());
    let query = query.map(|query| ["?", &query].concat()).unwrap_or_default();
    [url, &query, TRIED_AGAIN].concat()
}
