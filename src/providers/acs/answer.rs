//! What ACS's answer to a request means, or that there was none.

use std::time::Duration;

use serde::Deserialize;

use super::{DEFAULT_NAME, Turn};
use crate::json;
use crate::ports::{Answer, BodyError, Ports, SendError};
use crate::providers::{Candidate, Provider};
use crate::refusal::{Reason, Refusal};

/// The most bytes of an answer's body that are read. ACS's answers to one recipient have about 200.
pub(super) const ANSWER_LIMIT: usize = 64 * 1024;

/// The time to wait for the body of a refusal, of which only the error code is of use.
const TIME_FOR_AN_ERROR: Duration = Duration::from_millis(200);

/// What one attempt came to.
pub(super) struct Verdict {
    /// The status of the answer, or the recipient's own where there is one.
    pub status: Option<u16>,
    /// As [`error_code`].
    pub error_code: Option<String>,
    /// The message id, which ACS may leave out, or why the message is not known to be sent.
    pub result: Result<Option<String>, Refusal>,
    /// ACS took the message, or may have taken it although the attempt failed.
    pub may_be_sent: bool,
    /// Another attempt can help, but not before this.
    pub again_after: Option<Duration>,
    /// The provider stood in the way, not the message.
    pub provider_failed: bool,
    /// It gave the head of an answer that nothing but a message taken brings about.
    pub most_likely_sent: bool,
}

impl Verdict {
    /// The message was refused, is wrong, and was not sent.
    pub fn refused(status: Option<u16>, refusal: Refusal) -> Self {
        Self {
            status,
            error_code: None,
            result: Err(refusal),
            may_be_sent: false,
            again_after: None,
            provider_failed: false,
            most_likely_sent: false,
        }
    }

    /// The provider failed before it took the message.
    fn failed(status: Option<u16>, refusal: Refusal) -> Self {
        Self { provider_failed: true, ..Self::refused(status, refusal) }
    }

    /// The provider failed after it may have taken the message. A status says that there was the head of
    /// an answer, which is one of a message taken.
    fn in_doubt(status: Option<u16>, refusal: Refusal) -> Self {
        Self {
            may_be_sent: true,
            most_likely_sent: status.is_some(),
            ..Self::failed(status, refusal)
        }
    }

    fn or_again(self, after: Duration) -> Self {
        Self { again_after: Some(after), ..self }
    }
}

/// What it means that there is no answer.
pub(super) fn without(error: SendError, candidate: Candidate<'_>) -> Verdict {
    let provider = candidate.provider;
    match error {
        SendError::NotAllowed => Verdict::failed(None, not_allowed(provider)),
        SendError::Untrusted => {
            let fix = "The hook's host does not trust the certificate of the ACS endpoint: give the host current CA \
                       certificates (on SpinKube, the executor's installDefaultCACerts).";
            Verdict::failed(None, Refusal::new(Reason::AcsUnavailable, fix))
        }
        SendError::NotConnected => {
            let fix = format!(
                "No connection to ACS came about: look at the endpoint in {}, and at Azure's status.",
                connection_string_of(provider)
            );
            let refusal = Refusal::new(Reason::AcsUnavailable, fix);
            Verdict::failed(None, refusal).or_again(Duration::ZERO)
        }
        SendError::Broken => broken(None),
        SendError::Late => late(None),
    }
}

fn not_allowed(provider: &Provider) -> Refusal {
    let fix = "The hook may not call its ACS endpoint: see the hook's log.";
    Refusal::new(Reason::Misconfigured, fix).with_log_fix(format!(
        "The host does not let the hook call the endpoint of the provider {}: set outbound_host1, outbound_host2 or \
         outbound_host3 to {}, and look at the networks that the host blocks.",
        provider.name,
        provider.acs.resource.origin()
    ))
}

fn broken(status: Option<u16>) -> Verdict {
    let fix = "The connection to ACS broke before it had answered.";
    Verdict::in_doubt(status, Refusal::new(Reason::AcsUnavailable, fix)).or_again(Duration::ZERO)
}

fn late(status: Option<u16>) -> Verdict {
    let fix = "ACS had not answered when the deadline came.";
    Verdict::in_doubt(status, Refusal::new(Reason::DeadlineExceeded, fix))
}

fn not_understood() -> Refusal {
    let fix = "ACS gave an answer that its documentation does not know.";
    Refusal::new(Reason::AcsUnexpectedAnswer, fix)
}

/// What an answer means.
pub(super) fn understand(
    mut answer: Box<dyn Answer>,
    turn: &Turn<'_>,
    ports: Ports<'_>,
) -> Verdict {
    let provider = turn.candidate.provider;
    let status = answer.status();
    match status {
        202 => match answer.read(ANSWER_LIMIT, turn.deadline) {
            Ok(body) => understand_accepted(&body, provider),
            Err(BodyError::Late) => late(Some(status)),
            Err(BodyError::Broken) => broken(Some(status)),
            Err(BodyError::TooLarge) => Verdict::in_doubt(Some(status), not_understood()),
        },
        429 | 503 => {
            let verdict = by_status(status, provider);
            // A 503 that says nothing is tried again soon; with a 429 ACS counts hasty retries against the limit. A
            // date is not read: it is for waits longer than a hook has.
            let again_after = match answer.header("retry-after") {
                Some(said) => said.trim().parse().ok().map(Duration::from_secs),
                None => verdict.again_after,
            };
            Verdict { again_after, ..verdict }
        }
        400..=499 if !is_transient(status) => {
            let until = turn.until.min(ports.clock.instant().plus(TIME_FOR_AN_ERROR));
            let body = answer.read(ANSWER_LIMIT, until).unwrap_or_default();
            let verdict = by_status(status, provider);
            // 404 for the whole request: there is no such resource (any more).
            let provider_failed = verdict.provider_failed || status == 404;
            Verdict { error_code: error_code(&body), provider_failed, ..verdict }
        }
        // What stands before ACS may have lost its answer; ACS itself sends 503 before it takes a
        // message.
        500 | 502 | 504 => Verdict { may_be_sent: true, ..by_status(status, provider) },
        400..=599 => by_status(status, provider),
        // No redirect is followed, and where one comes from nobody took the message.
        300..=399 => Verdict::failed(Some(status), not_understood()),
        _ => Verdict::in_doubt(Some(status), not_understood()),
    }
}

/// A 202 says that the request was taken; its recipient may have failed all the same.
fn understand_accepted(body: &[u8], provider: &Provider) -> Verdict {
    let Some(recipient) = Recipient::parse(body) else {
        return Verdict::in_doubt(Some(202), not_understood());
    };
    let status = recipient.http_status_code;
    if !recipient.successful || !(200..300).contains(&status) {
        return by_status(status, provider);
    }
    Verdict {
        status: Some(status),
        error_code: None,
        result: Ok(recipient.message_id),
        may_be_sent: true,
        again_after: None,
        provider_failed: false,
        most_likely_sent: true,
    }
}

/// Whether ACS may have taken the message by a request whose answer is not read: by its status, or why there is none,
/// or nothing where it was not waited for.
pub(super) fn may_be_taken(outcome: Option<Result<u16, SendError>>) -> bool {
    match outcome {
        Some(Ok(status)) => matches!(status, 200..=299 | 409 | 500 | 502 | 504),
        Some(Err(error)) => matches!(error, SendError::Broken | SendError::Late),
        None => true,
    }
}

/// What a status means, be it the request's or the recipient's.
fn by_status(status: u16, provider: &Provider) -> Verdict {
    Verdict {
        // 409 is sent while an earlier attempt is in progress.
        may_be_sent: status == 409,
        again_after: is_transient(status).then_some(Duration::ZERO),
        // Credentials, limits, and what is broken: each provider has its own.
        provider_failed: matches!(status, 401 | 403 | 408 | 409 | 429 | 500..),
        ..Verdict::refused(Some(status), refusal_of(status, provider))
    }
}

/// Statuses after which the same request may succeed. 408: it did not arrive whole (RFC 9110, section
/// 15.5.9). 409: an earlier attempt, whose answer got lost, is still in progress ("Repeatability of
/// requests", which says so of Email).
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 500 | 502 | 503 | 504)
}

fn refusal_of(status: u16, provider: &Provider) -> Refusal {
    let name = &provider.name;
    let connection_string = connection_string_of(provider);
    let reason = match status {
        401 | 403 => Reason::AcsUnauthorized,
        429 => Reason::AcsThrottled,
        408 | 409 | 500.. => Reason::AcsUnavailable,
        _ => Reason::AcsRejected,
    };
    let fix = match status {
        401 => format!(
            "ACS refused the signature (401): put the resource's current connection string into {connection_string}, \
             and look at the host's clock."
        ),
        403 => format!(
            "ACS refused the right to send (403): look at the resource of the provider {name}, and whether the \
             sender belongs to it."
        ),
        404 => format!(
            "ACS does not know the endpoint (404): look at {connection_string}, and at the api_version of the \
             provider {name}."
        ),
        412 => "ACS took the request for one of the past (412): look at the host's clock.".into(),
        429 => "ACS takes no more messages from this sender for now (429): spread them over more senders, or ask \
                for a higher limit."
            .into(),
        408 | 409 | 500.. => "ACS is not able to send right now: look at Azure's status.".into(),
        _ => format!(
            "ACS refused the message: look at whether its sender, in providers.senders of the provider {name}, \
             belongs to the resource and can reach the recipient's country."
        ),
    };
    Refusal::new(reason, fix)
}

/// Where a provider's connection string is set.
fn connection_string_of(provider: &Provider) -> String {
    let name = &provider.name;
    let variable = if name == DEFAULT_NAME { "acs_connection_string or " } else { "" };
    format!("{variable}providers.{name}.connection_string of the secrets")
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
    /// "Only present if message processed".
    pub message_id: Option<String>,
    /// The recipient's own status.
    pub http_status_code: u16,
    /// Whether the message was taken.
    pub successful: bool,
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
/// serves as the code in the latter two. Letters only, 64 at most: the rest of the body may quote
/// the recipient.
pub fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = match body.get("error").and_then(|error| error.get("code")) {
        Some(code) => code.as_str()?,
        None => {
            let fields = body.get("errors").unwrap_or(&body).as_object()?;
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
        };
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
