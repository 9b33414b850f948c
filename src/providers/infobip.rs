//! Infobip: one message or call to one recipient through one account. Knows nothing of Okta.
//!
//! Facts are from Infobip's OpenAPI specifications of SMS and voice (version 3.210.0) and from its pages "Response status and error
//! codes" and "Idempotent message sending".

pub mod answer;
mod call;
mod feedback;
mod fix;
mod request;

use time::OffsetDateTime;

use super::api::{Api, Endpoint, Reading, Request, Verdict, Words};
use super::{Content, IndiaDlt, Message};
use crate::message::Channel;
use crate::ports::{Answer, Instant, Ports, SendError};
use crate::secret::Secret;
use crate::sender::Sender;

/// What the settings call this kind of provider.
pub const KIND: &str = "infobip";

/// An account, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Infobip {
    /// Whether its host is asked over TLS; only a loopback host is asked without.
    pub tls: bool,
    /// The account's own host, such as `abc12.api.infobip.com`, and the port where it is not the scheme's own.
    pub authority: String,
    /// The API key.
    pub api_key: Secret,
    /// Infobip has switched idempotency on for the account's SMS: one that comes again with its id is sent once.
    pub idempotent: bool,
    /// It is told of passcodes that were used.
    pub feedback: bool,
    /// What Indian carriers want to know of each message.
    pub india_dlt: Option<IndiaDlt>,
}

impl Api for Infobip {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint { tls: self.tls, authority: &self.authority }
    }

    fn can_call(&self) -> bool {
        true
    }

    fn path(&self, channel: Channel) -> &'static str {
        match channel {
            Channel::Sms => request::PATH,
            Channel::Call => call::PATH,
        }
    }

    fn secret(&self) -> &Secret {
        &self.api_key
    }

    fn secret_key(&self) -> &'static str {
        "api_key"
    }

    fn endpoint_key(&self) -> Option<&'static str> {
        Some("base_url")
    }

    /// Idempotency is switched on by channel, and nothing says that it can be for calls.
    fn knows_repeats(&self, channel: Channel) -> bool {
        self.idempotent && channel == Channel::Sms
    }

    fn request(
        &self,
        sender: &Sender,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Box<dyn Request + '_> {
        let (path, body) = match message.content {
            Content::Text(text) => (request::PATH, request::body(self, sender, message, text, now)),
            Content::Call(announcement) => {
                (call::PATH, call::body(sender, message, announcement, now))
            }
        };
        Box::new(request::Request { infobip: self, path, body })
    }

    fn understand(&self, answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict {
        answer::understand(answer, reading)
    }

    fn words(&self, name: &str) -> Words {
        let endpoint = format!("base_url of the provider {name}");
        Words { service: "Infobip", status: "Infobip's status page", endpoint }
    }

    /// Conversions are tracked of SMS only.
    fn takes_feedback(&self, channel: Channel) -> bool {
        self.feedback && channel == Channel::Sms
    }

    fn feedback(
        &self,
        message_id: &str,
        ports: Ports<'_>,
        until: Instant,
    ) -> Option<Result<u16, SendError>> {
        Some(feedback::tell(self, message_id, ports, until))
    }
}

#[cfg(test)]
mod tests;
