//! Twilio: one message or call to one recipient through one account. Knows nothing of Okta.
//!
//! Facts are from Twilio's OpenAPI specification of its API of 2010-04-01 and from its pages "Message resource", "TwiML Voice:
//! Say", "Error and warning dictionary" and "Webhooks (HTTP callbacks): connection overrides".

pub mod answer;
mod call;
mod feedback;
mod fix;
mod request;

use time::OffsetDateTime;

use super::Message;
use super::api::{Api, Endpoint, Reading, ReportKeys, Request, Verdict, Words};
use crate::message::Channel;
use crate::ports::{Answer, Instant, Ports, SendError};
use crate::secret::Secret;
use crate::sender::Sender;

/// What the settings call this kind of provider.
pub const KIND: &str = "twilio";

/// Where the hook takes Twilio's delivery reports, below its public URL: each message says it.
pub const REPORTS_PATH: &str = "/api/delivery-reports/twilio";

/// Where Twilio is asked unless the settings name a region.
pub const DEFAULT_AUTHORITY: &str = "api.twilio.com";

/// An account, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Twilio {
    /// Whether its host is asked over TLS; only a loopback host is asked without.
    pub tls: bool,
    /// The host, such as `api.dublin.ie1.twilio.com`, and the port where it is not the scheme's own.
    pub authority: String,
    /// The account's SID, `AC…`, which is in the path of each request.
    pub account_sid: String,
    /// The SID of the API key, `SK…`, or the account's own.
    pub key_sid: String,
    /// The secret of the API key; that of the account's own SID is the auth token.
    pub key_secret: Secret,
    /// The auth tokens with which Twilio signs reports.
    pub auth_tokens: Option<ReportKeys>,
    /// It is told of passcodes that were used.
    pub feedback: bool,
    /// Where it reports deliveries to; `None`: nowhere.
    pub status_callback: Option<String>,
}

impl Api for Twilio {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint { tls: self.tls, authority: &self.authority }
    }

    fn account(&self) -> &str {
        &self.account_sid
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
        &self.key_secret
    }

    fn secret_key(&self) -> &'static str {
        "api_key_secret"
    }

    fn endpoint_key(&self) -> Option<&'static str> {
        Some("base_url")
    }

    /// No parameter and no header of the specification makes two requests one message.
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
        Words { service: "Twilio", status: "Twilio's status page", endpoint }
    }

    fn report_keys(&self) -> Option<&ReportKeys> {
        self.auth_tokens.as_ref()
    }

    /// Of calls it takes what somebody thinks of their quality, which is another thing.
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
