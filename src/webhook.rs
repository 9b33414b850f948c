//! What the receivers of others' deliveries have in common, be they of delivery reports or of Okta's events: how a delivery is
//! refused, how its body is read, and its line in the log. The schema of the line is docs/monitoring.md.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use crate::identifier::Identifier;
use crate::ports::{BodyError, InboundRequest, Instant, Response};
use crate::telemetry::line;

/// What a delivery is answered that is not taken.
#[derive(Debug)]
pub(crate) struct NotTaken {
    /// The status of the answer.
    pub status: u16,
    /// What the caller is told.
    pub told: &'static str,
    /// What the log says.
    pub fix: Cow<'static, str>,
}

impl NotTaken {
    pub fn new(status: u16, told: &'static str, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { status, told, fix: fix.into() }
    }

    /// One that may come again.
    pub fn for_now(fix: impl Into<Cow<'static, str>>) -> Self {
        Self::new(503, "The delivery can't be taken now.", fix)
    }

    pub fn unauthorized(fix: impl Into<Cow<'static, str>>) -> Self {
        Self::new(401, "The credentials are not those that are expected.", fix)
    }

    /// The answer. `methods` are those that there are, and `challenge` is how the caller can prove itself.
    pub fn answer(&self, methods: &'static str, challenge: &'static str) -> Response {
        let mut response = text(self.status, self.told);
        match self.status {
            405 => response.headers.push(("allow", methods.into())),
            // RFC 9110, section 11.6.1, demands one at least.
            401 => response.headers.push(("www-authenticate", challenge.into())),
            _ => {}
        }
        response
    }
}

/// An answer that says a sentence.
pub(crate) fn text(status: u16, text: &str) -> Response {
    let content_type = ("content-type", "text/plain; charset=utf-8".into());
    let headers = vec![content_type, ("cache-control", "no-store".into())];
    Response { status, headers, body: [text, "\n"].concat().into_bytes() }
}

/// Reads a body of at most `limit` bytes, which may take until `time` after the request `arrived`.
pub(crate) fn read(
    request: &mut dyn InboundRequest,
    limit: usize,
    arrived: Instant,
    time: Duration,
) -> Result<Vec<u8>, NotTaken> {
    request.body().read(limit, arrived.plus(time)).map_err(|error| match error {
        BodyError::TooLarge => {
            let fix = format!("the body has more than {limit} bytes");
            NotTaken::new(413, "The body is too large.", fix)
        }
        BodyError::Late => {
            let seconds = time.as_secs();
            NotTaken::for_now(format!("the body had not arrived within {seconds} seconds"))
        }
        BodyError::Broken => NotTaken::for_now("the connection broke before the body ended"),
    })
}

/// The facts of a delivery. Fields that say nothing are left out.
#[skip_serializing_none]
#[derive(Debug, Default, Serialize)]
pub(crate) struct DeliveryFacts {
    /// What is wrong, and what to do.
    pub fix: Option<String>,
    /// The status of the answer.
    pub http_status: u16,
    /// What went wrong besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
    /// How the caller proved itself.
    pub credential: Option<&'static str>,
    /// It stands for others, too.
    pub sampled: Option<&'static str>,
    /// The event subscription, as a delivery of Event Grid's names it.
    pub subscription: Option<Identifier>,
    /// How many events it brought.
    pub events: usize,
    /// How many of them could not be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub bad_events: usize,
    /// How many of them are of types that nobody here asks for, or say nothing here.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_events: usize,
    /// How many of them had come before.
    #[serde(skip_serializing_if = "is_zero")]
    pub known_events: usize,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The line of a delivery.
pub(crate) fn delivery_line(
    event: &'static str,
    facts: &DeliveryFacts,
    now: OffsetDateTime,
) -> String {
    let level = match facts.http_status {
        200 | 204 if facts.fix.is_none() && facts.warnings.is_empty() => "info",
        // Anybody can bring the others about.
        503 if facts.credential.is_some() => "error",
        _ => "warn",
    };
    line(now, level, event, facts)
}
