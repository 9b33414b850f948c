//! Azure Communication Services (ACS): one message to one recipient through one resource. Knows nothing of Okta.
//!
//! Facts are from Microsoft's REST API specification of `Sms`, 2021-03-07 and 2026-01-23, and its page "Authenticate
//! to Azure Communication Services" (HMAC).

pub mod answer;
pub mod connection_string;
mod fix;
mod report;
mod request;
pub mod signature;

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::Message;
use super::api::{Api, Asked, Endpoint, Reading, Request, Verdict, Words};
use crate::message::Channel;
use crate::ports::{Answer, Instant, Ports};
use crate::secret::Secret;
use crate::sender::Sender;

use self::connection_string::ConnectionString;

/// What the settings call this kind of provider.
pub const KIND: &str = "acs";

/// The name of the provider that has no other: that of the variable `acs_connection_string`.
pub const DEFAULT_NAME: &str = "acs";

/// The `api-version` where none is configured: the one that Microsoft's SDKs send.
pub const DEFAULT_API_VERSION: &str = "2021-03-07";

/// The newest `api-version`: the one that has [`Acs::messaging_connect`], [`Acs::report_timeout`] and the question for
/// a report.
pub const NEWEST_API_VERSION: &str = "2026-01-23";

/// A resource, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Acs {
    /// The resource.
    pub resource: ConnectionString,
    /// `api-version` of the REST API: see [`is_api_version`].
    pub api_version: String,
    /// Who the senders are leased from, where they are not the resource's own.
    pub messaging_connect: Option<MessagingConnect>,
    /// After so many seconds without a report ACS makes one that says so; `None`: when ACS chooses.
    pub report_timeout: Option<u32>,
}

/// Messaging Connect: the senders are a partner's, which wants to know the account with each message.
#[derive(Clone, Debug)]
pub struct MessagingConnect {
    /// What ACS calls the partner.
    pub partner: String,
    /// What proves the account to the partner, such as `apiKey`: one at least.
    pub parameters: BTreeMap<String, Secret>,
}

impl Api for Acs {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint { tls: self.resource.tls, authority: &self.resource.authority }
    }

    fn path(&self, _channel: Channel) -> &'static str {
        request::PATH
    }

    fn secret(&self) -> &Secret {
        &self.resource.access_key
    }

    fn secret_key(&self) -> &'static str {
        "connection_string"
    }

    fn endpoint_key(&self) -> Option<&'static str> {
        None
    }

    fn knows_repeats(&self, _channel: Channel) -> bool {
        true
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

    fn may_have_taken(&self, status: u16) -> bool {
        matches!(status, 200..=299 | 409 | 500 | 502 | 504)
    }

    fn words(&self, name: &str) -> Words {
        Words {
            service: "ACS",
            status: "Azure's status",
            endpoint: fix::connection_string_of(name),
        }
    }

    fn ask_for_report(
        &self,
        name: &str,
        message_id: &str,
        ports: Ports<'_>,
        until: Instant,
    ) -> Option<Asked> {
        Some(report::ask(self, name, message_id, ports, until))
    }
}

/// Whether a text can be an `api-version`. It goes into the request's target, which is signed to the
/// letter.
pub fn is_api_version(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests;
