//! What ACS's answer to a request means. What to do about it, `fix` says.

use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::fix::{self, ClockOff, Said};
use crate::json;
use crate::ports::Answer;
use crate::providers::Candidate;
use crate::providers::api::{Reading, Verdict};

/// What an answer means.
pub(super) fn understand(answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict {
    let Reading { candidate, ports, .. } = reading;
    let not_understood = |status| fix::not_understood(status, candidate.provider);
    let status = answer.status();
    // Headers are to be had until the body is read.
    let clock_off = answer.header("date").and_then(|date| ClockOff::by(&date, ports.clock.now()));
    let said = Said { clock_off, ..Said::whole(status) };
    match status {
        202 => reading.taken(
            answer,
            |body| understand_accepted(body, said, candidate),
            || not_understood(status),
        ),
        429 | 503 => {
            let verdict = refused(said, candidate);
            // A 503 that says nothing is tried again soon; with a 429 ACS counts hasty retries against the limit. A
            // date is not read: it is for waits longer than a hook has.
            let again_after = match answer.header("retry-after") {
                Some(said) => said.trim().parse().ok().map(Duration::from_secs),
                None => verdict.again_after,
            };
            Verdict { again_after, ..verdict }
        }
        400..=499 if !is_transient(status) => {
            let error_code = error_code(&reading.refused(answer));
            let verdict = refused(Said { code: error_code.as_deref(), ..said }, candidate);
            Verdict { error_code, ..verdict }
        }
        // What stands before ACS may have lost its answer; ACS itself sends 503 before it takes a
        // message.
        500 | 502 | 504 => Verdict { may_be_sent: true, ..refused(said, candidate) },
        400..=599 => refused(said, candidate),
        // No redirect is followed, and where one comes from nobody took the message.
        300..=399 => Verdict::failed(Some(status), not_understood(status)),
        _ => Verdict::in_doubt(Some(status), not_understood(status)),
    }
}

/// A 202 says that the request was taken; its recipient may have failed all the same.
///
/// What it says of the recipient may contradict itself. Where it has a status of success and an id, the message
/// was taken, whatever `successful` says: a recording in Microsoft's azure-sdk-for-js has a message so that was
/// sent. Okta is told "not sent" only where nothing speaks for the opposite, since it sends the passcode again.
fn understand_accepted(body: &[u8], whole: Said<'_>, candidate: Candidate<'_>) -> Verdict {
    let Some(recipient) = Recipient::parse(body) else {
        return Verdict::in_doubt(Some(202), fix::not_understood(202, candidate.provider));
    };
    let status = recipient.http_status_code;
    let is_success = (200..300).contains(&status);
    let has_id = recipient.message_id.is_some();
    if !is_success || !(recipient.successful || has_id) {
        let rejected = recipient.rejected;
        let verdict = refused(Said { status, of_recipient: true, rejected, ..whole }, candidate);
        // "Only present if message processed": the specification has a 503 with an id.
        let speaks_for_it = has_id || is_success || recipient.successful;
        return Verdict { may_be_sent: verdict.may_be_sent || speaks_for_it, ..verdict };
    }
    Verdict::taken(status, recipient.message_id)
}

/// What a refusal means, be it the request's or the recipient's.
fn refused(said: Said<'_>, candidate: Candidate<'_>) -> Verdict {
    let Said { status, .. } = said;
    let refused_here = said.is_most_likely_the_sender();
    Verdict {
        // 409 is sent while an earlier attempt is in progress.
        may_be_sent: status == 409,
        is_at_work: status == 409,
        key_refused: matches!(status, 401 | 403),
        again_after: is_transient(status).then_some(Duration::ZERO),
        // Credentials, limits, and what is broken: each provider has its own.
        provider_failed: !refused_here && matches!(status, 401 | 403 | 408 | 409 | 429 | 500..),
        refused_here,
        ..Verdict::refused(Some(status), fix::refusal(said, candidate))
    }
}

/// Statuses after which the same request may succeed. 408: it did not arrive whole (RFC 9110, section
/// 15.5.9). 409: an earlier attempt, whose answer got lost, is still in progress ("Repeatability of
/// requests", which says so of Email).
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 500 | 502 | 503 | 504)
}

/// The body of a 202.
#[derive(Deserialize)]
struct Accepted {
    value: Vec<json::Value<Recipient>>,
}

/// The recipient's part of a 202.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// "Only present if message processed". Never empty.
    #[serde(default, deserialize_with = "text_that_is_not_empty")]
    pub message_id: Option<String>,
    /// The recipient's own status.
    pub http_status_code: u16,
    /// Whether the message was taken.
    pub successful: bool,
    /// What makes all attempts one message is wrong (`repeatabilityResult`).
    #[serde(default, rename = "repeatabilityResult", deserialize_with = "is_rejected")]
    pub rejected: bool,
}

fn text_that_is_not_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.trim().is_empty()))
}

/// In any case, as the specification has it. What is no text says nothing.
fn is_rejected<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let result = json::Value::<IgnoredAny>::deserialize(from)?;
    Ok(result.text().is_some_and(|text| text.eq_ignore_ascii_case("rejected")))
}

impl Recipient {
    /// The one recipient in the body of a 202; `None` where the body is of another form.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let Accepted { value } = json::read(body).ok()?;
        value.into_iter().next()?.into_object()
    }
}

/// The code in an error's body, of which ACS has three shapes: `{"error":{"code":…}}`,
/// `{"errors":{"SmsRecipients":[…]}}` and a bare `{"SmsRecipients":[…]}`; the name of the field
/// serves as the code in the latter two. Version 2026-01-23 has one schema for the first two, in which each may be
/// null. Letters only, 64 at most: the rest of the body may quote the recipient.
pub fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = match body.pointer("/error/code").and_then(serde_json::Value::as_str) {
        Some(code) => code,
        None => {
            let errors = body.get("errors").filter(|errors| !errors.is_null());
            let fields = errors.unwrap_or(&body).as_object()?;
            let faulty = fields.iter().filter(|(_, faults)| faults.is_array());
            // The first of the alphabet, not of the body: one error has one code.
            faulty.map(|(name, _)| name).min()?
        }
    };
    let code: String = code.chars().filter(char::is_ascii_alphabetic).take(64).collect();
    Some(code).filter(|code| !code.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_recipient_is_read_from_what_acs_documents_and_from_nothing_else() {
        let accepted = |id: Option<&str>| Recipient {
            message_id: id.map(str::to_owned),
            http_status_code: 202,
            successful: true,
            rejected: false,
        };
        let rejected = || Recipient { rejected: true, ..accepted(None) };
        for (body, expected) in [
            (
                r#"{"value":[{"to":"+1","messageId":"a","httpStatusCode":202,"successful":true,"repeatabilityResult":"accepted"}]}"#,
                Some(accepted(Some("a"))),
            ),
            (r#"{"value":[{"httpStatusCode":202,"successful":true}]}"#, Some(accepted(None))),
            (
                r#"{"value":[{"messageId":null,"httpStatusCode":202,"successful":true}]}"#,
                Some(accepted(None)),
            ),
            (
                r#"{"value":[{"messageId":" ","httpStatusCode":202,"successful":true}]}"#,
                Some(accepted(None)),
            ),
            (
                r#"{"value":[{"httpStatusCode":202,"successful":true,"repeatabilityResult":"Rejected"}]}"#,
                Some(rejected()),
            ),
            (
                r#"{"value":[{"httpStatusCode":202,"successful":true,"repeatabilityResult":["rejected"]}]}"#,
                Some(accepted(None)),
            ),
            (
                r#"{"value":[{"httpStatusCode":202,"successful":true,"repeatabilityResult":null}]}"#,
                Some(accepted(None)),
            ),
            // The first of several, all of which have to be recipients.
            (
                r#"{"value":[{"httpStatusCode":202,"successful":true},{"httpStatusCode":400,"successful":false}]}"#,
                Some(accepted(None)),
            ),
            (r#"{"value":[{"httpStatusCode":202,"successful":true},{}]}"#, None),
            // What is not read may be anything that is JSON.
            (
                r#"{"more":["\ud800",1e999],"value":[{"httpStatusCode":202,"successful":true,"to":{}}]}"#,
                Some(accepted(None)),
            ),
            // Lists in the place of objects.
            (r#"[[{"httpStatusCode":202,"successful":true}]]"#, None),
            (r#"{"value":[["a",202,true]]}"#, None),
            // Members that are there twice, missing, null, or of another type.
            (r#"{"value":[],"value":[{"httpStatusCode":202,"successful":true}]}"#, None),
            (r#"{"value":[{"httpStatusCode":202,"httpStatusCode":202,"successful":true}]}"#, None),
            (r#"{"value":[{"httpStatusCode":202}]}"#, None),
            (r#"{"value":[{"httpStatusCode":202,"successful":null}]}"#, None),
            (r#"{"value":[{"httpStatusCode":202.0,"successful":true}]}"#, None),
            (r#"{"value":[{"httpStatusCode":"202","successful":true}]}"#, None),
            (r#"{"value":[{"httpStatusCode":65536,"successful":true}]}"#, None),
            (r#"{"value":[{"messageId":1,"httpStatusCode":202,"successful":true}]}"#, None),
            (r#"{"value":[]}"#, None),
            (r#"{"value":null}"#, None),
            (r#"{"value":[{"httpStatusCode":202,"successful":true}]} x"#, None),
            ("", None),
        ] {
            assert_eq!(Recipient::parse(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn an_errors_code_is_found_in_each_of_acs_three_shapes() {
        for (body, code) in [
            (r#"{"error":{"code":"Unauthorized","message":""}}"#, Some("Unauthorized")),
            (
                r#"{"title":"x","errors":{"SmsRecipients":["to +15550100123"]},"traceId":"y"}"#,
                Some("SmsRecipients"),
            ),
            (r#"{"SmsRecipients":["Max of 100 phone …"]}"#, Some("SmsRecipients")),
            (r#"{"error":{"code":"to +15550100123 !"}}"#, Some("to")),
            (r#"{"error":{"code":"+15550100123"}}"#, None),
            (r#"{"error":"x"}"#, None),
            // The examples of version 2026-01-23, and what its schema leaves open.
            (
                r#"{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.1","title":"One or more validation errors occurred.","status":400,"errors":{"SmsRecipients":["Invalid recipient phone number format."]},"traceId":"00-be8d0cac83cc01715e39bc84c2d10c61-5d7b25cd36751c3d-00"}"#,
                Some("SmsRecipients"),
            ),
            (
                r#"{"error":{"code":"ApiVersionUnspecified","message":"An API version is required, but was not specified.","innerError":null}}"#,
                Some("ApiVersionUnspecified"),
            ),
            (
                r#"{"error":{"code":"Denied","message":"Request 'x-ms-content-sha256' differs from generated content hash."}}"#,
                Some("Denied"),
            ),
            (
                r#"{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.5","title":"Not Found","status":404,"traceId":"00-2af3"}"#,
                None,
            ),
            (r#"{"error":null,"errors":{"From":["x"]}}"#, Some("From")),
            (r#"{"error":{"code":null,"message":"x"},"errors":{"From":["x"]}}"#, Some("From")),
            (r#"{"error":{"code":"Denied"},"errors":{"From":["x"]}}"#, Some("Denied")),
            (r#"{"errors":null,"error":null,"title":"x"}"#, None),
            (
                r#"{"errors":{"$.smsSendOptions.messagingConnect":["x"]}}"#,
                Some("smsSendOptionsmessagingConnect"),
            ),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
        }
        let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "x".repeat(100));
        assert_eq!(error_code(long.as_bytes()).unwrap().len(), 64);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_not(body in "\\PC*|[\\[\\]{}\":,a-zA-Z0-9]*") {
            let _ = Recipient::parse(body.as_bytes());
            if let Some(code) = error_code(body.as_bytes()) {
                prop_assert!((1..=64).contains(&code.len()));
                prop_assert!(code.bytes().all(|b| b.is_ascii_alphabetic()));
            }
        }
    }
}
