//! What the operator is told: lines of JSON on standard output, one for each hook, each page of the operator's,
//! each delivery of reports and each report, and for what is down. Their schema is docs/logging.md.
//!
//! No passcode, full number, name, login, header or secret is ever in it. Text from outside gets in
//! only as [`Identifier`].

pub mod application_insights;

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::write::{Object, Thousandths};
use crate::numbering::Region;
use crate::refusal::{Fault, Refusal};
use crate::sender::SenderType;

/// The version of the line's schema. It changes when a field is renamed, removed or given another
/// meaning, not when one is added.
const SCHEMA_VERSION: u64 = 1;

/// The warning of a hook that could not count its message, or not know which road is down.
pub const STORE_UNAVAILABLE: &str = "store_unavailable";

/// The warning of a hook whose caller's token was checked with keys that are older than the issuer said
/// they should get.
pub const KEYS_STALE: &str = "keys_stale";

/// The warning of a hook that found keys in the store that it did not write.
pub const KEYS_TAMPERED: &str = "keys_tampered";

/// The warning of a hook whose message two ACS resources may have sent.
pub const MAY_BE_DOUBLE: &str = "may_be_double";

/// An identifier that came from outside, fit for a log: at most 64 characters of letters, digits,
/// `.`, `_`, `:` and `-`, any other replaced by `_`. Without a letter it could be a number or a
/// passcode, and all of it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier(String);

impl Identifier {
    /// Makes any text fit.
    ///
    /// ```
    /// use okta_telephony_acs::telemetry::Identifier;
    ///
    /// assert_eq!(Identifier::new("uS58 \n71kJ").as_str(), "uS58__71kJ");
    /// assert_eq!(Identifier::new("+1555010").as_str(), "________");
    /// ```
    pub fn new(text: &str) -> Self {
        let lettered = text.chars().take(64).any(|c| c.is_ascii_alphabetic());
        Self::of(text, lettered)
    }

    /// Makes ACS's id of a message fit. It has 14 digits and a UUID, which may by chance have no letter
    /// either: longer than any number or passcode, it is told all the same.
    ///
    /// ```
    /// use okta_telephony_acs::telemetry::Identifier;
    ///
    /// let id = "2020061020372512345678-7890-4123-9012-345678901234";
    /// assert_eq!(Identifier::of_message(id).as_str(), id);
    /// assert_eq!(Identifier::of_message("+15550100123").as_str(), "____________");
    /// ```
    pub fn of_message(id: &str) -> Self {
        const LENGTH: usize = 14 + 36;
        if id.len() < LENGTH { Self::new(id) } else { Self::of(id, true) }
    }

    fn of(text: &str, lettered: bool) -> Self {
        let fits = |c: char| lettered && (c.is_ascii_alphanumeric() || "._:-".contains(c));
        Self(text.chars().take(64).map(|c| if fits(c) { c } else { '_' }).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The line of one hook, filled in as the request goes its way. Fields that are not known are left
/// out.
#[derive(Debug, Default)]
pub struct HookLine {
    time: String,
    level: &'static str,
    /// Accepted, refused or failed.
    pub outcome: &'static str,
    /// `accepted`, or why not.
    pub reason: &'static str,
    /// What to do about it.
    pub fix: Option<String>,
    /// The status of the answer.
    pub http_status: u16,
    /// What Okta was told, in the documented words, where a refusal was told as a success.
    pub okta_status: Option<&'static str>,
    /// What a policy that only observes would have refused this for.
    pub would_refuse: Option<&'static str>,
    /// What went wrong besides; [`HookLine::warn`] adds to it.
    pub warnings: Vec<&'static str>,
    /// How the caller proved itself.
    pub credential: Option<&'static str>,
    /// Okta's id of the hook call.
    pub event_id: Option<Identifier>,
    /// Which step asks.
    pub request_type: Option<Identifier>,
    /// The preview of Okta's Admin Console.
    pub preview: bool,
    /// The recipient: calling code and last two digits.
    pub number: Option<String>,
    /// The recipient's region.
    pub country: Option<Region>,
    /// How many segments the text has: each is billed.
    pub segments: Option<u32>,
    /// The encoding of the segments.
    pub encoding: Option<&'static str>,
    /// Which ACS resource was asked last.
    pub road: Option<&'static str>,
    /// Why the message went over from the other resource.
    pub went_over: Option<&'static str>,
    /// Which kind of sender was used.
    pub sender_type: Option<SenderType>,
    /// The last status that ACS gave.
    pub acs_status: Option<u16>,
    /// ACS's error code.
    pub acs_error: Option<String>,
    /// ACS's message id.
    pub message_id: Option<Identifier>,
    /// How often the message was tried.
    pub attempts: u32,
    /// From the first attempt to the end of the last.
    pub acs_ms: Option<Thousandths>,
    ms: Thousandths,
}

impl HookLine {
    /// Adds a warning, once.
    pub fn warn(&mut self, warning: &'static str) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Fills in what is known at the end.
    pub fn finish(&mut self, now: OffsetDateTime, elapsed: Duration, refusal: Option<Refusal>) {
        self.time = rfc3339(now);
        self.ms = Thousandths::milliseconds(elapsed);
        (self.level, self.outcome) = match refusal.as_ref().map(|refusal| refusal.reason.fault()) {
            None if self.warnings.is_empty() && self.would_refuse.is_none() => ("info", "accepted"),
            None => ("warn", "accepted"),
            Some(Fault::Request | Fault::Policy) => ("warn", "refused"),
            Some(Fault::Service) => ("error", "failed"),
        };
        (self.reason, self.http_status) = match &refusal {
            None => ("accepted", 200),
            Some(refusal) => (refusal.reason.code(), refusal.reason.http_status()),
        };
        self.fix = refusal.map(|refusal| refusal.log_fix.unwrap_or(refusal.fix).into_owned());
    }

    /// The line, with its line feed.
    pub fn text(&self) -> String {
        line(&self.time, self.level, "hook", &|line| {
            line.text("outcome", self.outcome)
                .text("reason", self.reason)
                .text("fix", self.fix.as_deref())
                .number("http_status", u64::from(self.http_status))
                .text("okta_status", self.okta_status)
                .text("would_refuse", self.would_refuse)
                .texts("warnings", &self.warnings)
                .text("credential", self.credential)
                .text("event_id", self.event_id.as_ref().map(Identifier::as_str))
                .text("request_type", self.request_type.as_ref().map(Identifier::as_str))
                .bool("preview", self.preview)
                .text("number", self.number.as_deref())
                .text("country", self.country.as_ref().map(Region::code))
                .number("segments", self.segments.map(u64::from))
                .text("encoding", self.encoding)
                .text("road", self.road)
                .text("went_over", self.went_over)
                .text("sender_type", self.sender_type.map(SenderType::name))
                .number("acs_status", self.acs_status.map(u64::from))
                .text("acs_error", self.acs_error.as_deref())
                .text("message_id", self.message_id.as_ref().map(Identifier::as_str))
                .number("attempts", u64::from(self.attempts))
                .thousandths("acs_ms", self.acs_ms)
                .thousandths("ms", self.ms);
        })
    }
}

/// A line of the log, with its line feed: what all have in common, and what each has besides.
pub(crate) fn line(
    time: &str,
    level: &str,
    event: &str,
    members: &dyn Fn(&mut Object<'_>),
) -> String {
    // Most lines of hooks have less.
    let mut text = String::with_capacity(640);
    let mut object = Object::new(&mut text);
    object.number("v", SCHEMA_VERSION).text("time", time).text("level", level).text("event", event);
    members(&mut object);
    drop(object);
    text.push('\n');
    text
}

/// A line's time. Fails only for years that a clock within 0 to 9999 does not have.
pub(crate) fn rfc3339(now: OffsetDateTime) -> String {
    now.format(&Rfc3339).unwrap_or_default()
}

/// The line, with its line feed, of what went wrong once an answer had left: with `records` or with
/// `telemetry`.
pub fn trouble(event: &'static str, fix: &str, now: OffsetDateTime) -> String {
    line(&rfc3339(now), "warn", event, &|line| {
        line.text("fix", fix);
    })
}

/// The line of a request for one of the operator's pages.
#[derive(Debug)]
pub struct OperatorLine {
    path: &'static str,
    /// What the operator has to mend, where the page could not be shown.
    pub fix: Option<String>,
    /// How the operator proved itself.
    pub credential: Option<&'static str>,
}

impl OperatorLine {
    /// The line of a request for this page.
    pub fn new(path: &'static str) -> Self {
        Self { path, fix: None, credential: None }
    }

    /// The finished line, with its line feed.
    pub fn finish(self, now: OffsetDateTime, http_status: u16, elapsed: Duration) -> String {
        let level = if http_status == 200 { "info" } else { "warn" };
        line(&rfc3339(now), level, "operator", &|line| {
            line.text("path", self.path)
                .text("fix", self.fix.as_deref())
                .number("http_status", u64::from(http_status))
                .text("credential", self.credential)
                .thousandths("ms", Thousandths::milliseconds(elapsed));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Reason;
    use proptest::prelude::*;
    use time::macros::datetime;

    #[test]
    fn a_line_prefers_what_only_the_log_may_know() {
        let refusal = Refusal::new(Reason::Unauthorized, "outside").with_log_fix("inside");
        let mut line = HookLine::default();
        line.finish(
            datetime!(2026-01-31 12:00:00.5 UTC),
            Duration::from_micros(1234),
            Some(refusal),
        );
        assert_eq!(
            line.text(),
            concat!(
                r#"{"v":1,"time":"2026-01-31T12:00:00.5Z","level":"warn","event":"hook","outcome":"refused","#,
                r#""reason":"unauthorized","fix":"inside","http_status":401,"preview":false,"attempts":0,"ms":1.234}"#,
                "\n"
            )
        );
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_safe_identifier(text in "\\PC*") {
            let identifier = Identifier::new(&text);
            prop_assert!(identifier.as_str().len() <= 64);
            prop_assert!(identifier.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)));
        }
    }
}
