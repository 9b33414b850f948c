//! Telesign: one message to one recipient through one account. Knows nothing of Okta.
//!
//! Facts are from Telesign's OpenAPI files of SMS (`POST /v1/messaging`) and of voice messages (`POST /v1/voice`), from its page "All status and error codes", and
//! from the tests of its clients for Python and Node.js.

pub mod answer;
mod feedback;
mod fix;
mod request;
pub mod signature;
mod voice;

use time::OffsetDateTime;

use super::api::{Api, Endpoint, Reading, Request, Verdict, Words};
use super::{IndiaDlt, Message};
use crate::message::Channel;
use crate::ports::{Answer, Instant, Ports, SendError};
use crate::secret::Secret;
use crate::sender::Sender;

/// What the settings call this kind of provider.
pub const KIND: &str = "telesign";

/// An account, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Telesign {
    /// Whether its host is asked over TLS; only a loopback host is asked without.
    pub tls: bool,
    /// The host of the account's type: `rest-ww.telesign.com` of full-service accounts, `rest-api.telesign.com` of
    /// self-service ones; and the port where it is not the scheme's own.
    pub authority: String,
    /// The Customer ID.
    pub customer_id: String,
    /// The API key, as [`signature::key`] decodes it: it signs requests, and Telesign signs reports with it.
    pub api_key: Secret,
    /// It is told of passcodes that were used.
    pub feedback: bool,
    /// What Indian carriers want to know of each message.
    pub india_dlt: Option<IndiaDlt>,
}

impl Api for Telesign {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint { tls: self.tls, authority: &self.authority }
    }

    fn account(&self) -> &str {
        &self.customer_id
    }

    fn can_call(&self) -> bool {
        true
    }

    fn path(&self, channel: Channel) -> &'static str {
        match channel {
            Channel::Sms => request::PATH,
            Channel::Call => voice::PATH,
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

    /// Nothing of a request makes its repeat the same message: `external_id` is only given back.
    fn knows_repeats(&self, _channel: Channel) -> bool {
        false
    }

    fn request(
        &self,
        sender: &Sender,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Box<dyn Request + '_> {
        Box::new(request::Request::new(self, sender, message, now))
    }

    fn understand(&self, answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict {
        answer::understand(answer, reading)
    }

    fn words(&self, name: &str) -> Words {
        let endpoint = format!("base_url of the provider {name}");
        Words { service: "Telesign", status: "Telesign's status page", endpoint }
    }

    /// Completions are taken of `/v1/messaging`, and of calls of its products that make the passcode, which `/v1/voice` is
    /// none of.
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
