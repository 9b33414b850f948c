//! The requests that have Telesign send a text message, `POST /v1/messaging`, and call, `POST /v1/voice`.

use std::cell::Cell;

use form_urlencoded::Serializer;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Telesign;
use super::signature::{FORM, METHOD, Signed, sign};
use super::voice::{self, Voice};
use crate::ports::{InFlight, Instant, OutboundMethod, OutboundRequest};
use crate::providers::api::{self, Api};
use crate::providers::{Content, IndiaDlt, Message};
use crate::sender::Sender;

/// The path by which text messages are sent.
pub(super) const PATH: &str = "/v1/messaging";

/// A request. Whenever it is sent it has a signature of its own: Telesign refuses a nonce that it has had.
pub(super) struct Request<'a> {
    telesign: &'a Telesign,
    path: &'static str,
    body: String,
    date: String,
    /// What the nonces are made of: the message, the moment, and how often it was sent before.
    message: Uuid,
    moment: i128,
    sent: Cell<u32>,
}

impl<'a> Request<'a> {
    /// Writes the request.
    pub fn new(
        telesign: &'a Telesign,
        sender: &Sender,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            telesign,
            path: telesign.path(message.content.channel()),
            body: body(telesign, sender, message),
            date: date(now),
            message: message.repeatability.id,
            moment: now.unix_timestamp_nanos(),
            sent: Cell::new(0),
        }
    }

    /// One that no other request has had, in the form that Telesign's clients give it.
    fn nonce(&self) -> String {
        let sent = self.sent.replace(self.sent.get() + 1);
        let of = format!("{} {sent}", self.moment);
        Uuid::new_v5(&self.message, of.as_bytes()).to_string()
    }
}

impl api::Request for Request<'_> {
    fn send(&self, in_flight: &mut dyn InFlight, authority: &str, until: Instant) {
        let nonce = self.nonce();
        let body = self.body.as_bytes();
        let signed =
            Signed { method: "POST", date: &self.date, nonce: &nonce, body, path: self.path };
        let Telesign { tls, customer_id, api_key, .. } = self.telesign;
        let request = OutboundRequest {
            method: OutboundMethod::Post(body),
            tls: *tls,
            authority,
            path_and_query: self.path,
            headers: &[
                ("content-type", FORM),
                ("accept", "application/json"),
                ("date", &self.date),
                METHOD,
                ("x-ts-nonce", &nonce),
                ("authorization", &sign(customer_id, api_key, &signed)),
            ],
        };
        in_flight.send(&request, until);
    }
}

/// The header `Date`.
pub(super) fn date(now: OffsetDateTime) -> String {
    // The crate panics at dates before 1970; the type holds none after 9999, which is its other end.
    httpdate::fmt_http_date(now.max(OffsetDateTime::UNIX_EPOCH).into())
}

fn body(telesign: &Telesign, sender: &Sender, message: &Message<'_>) -> String {
    let event = if message.is_enrollment { "update" } else { "sign-in" };
    let mut form = Serializer::new(String::new());
    form.append_pair("phone_number", without_plus(message.to.as_str()))
        .append_pair("message_type", "OTP")
        .append_pair("account_lifecycle_event", event);
    if let Some(tag) = message.tag {
        form.append_pair("external_id", tag);
    }
    match message.content {
        Content::Text(text) => {
            form.append_pair("message", text).append_pair("sender_id", without_plus(&sender.value));
            if let Some(dlt) = IndiaDlt::of_message(&telesign.india_dlt, message.to) {
                form.append_pair("dlt_entity_id", &dlt.principal_entity_id);
                if let Some(template) = &dlt.content_template_id {
                    form.append_pair("dlt_template_id", template);
                }
            }
        }
        Content::Call(announcement) => {
            let speech = announcement.for_voices(|language| voice::of(language).is_some());
            let Voice { name, prompt } = voice::of(speech.language).unwrap_or(voice::ENGLISH);
            form.append_pair("message", &voice::text(speech))
                .append_pair("voice", name)
                .append_pair("prompt_message", prompt)
                .append_pair("prompt_digit", voice::KEY);
            if !sender.value.is_empty() {
                form.append_pair("caller_id", without_plus(&sender.value));
            }
        }
    }
    form.finish()
}

/// Telesign has numbers without the `+`.
fn without_plus(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}
