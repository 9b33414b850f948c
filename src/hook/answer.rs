//! What the answer looks like: `commands[]` in the caller's dialect.
//!
//! Okta takes `value` as an array with a status of `SUCCESSFUL`, `PENDING` or `FAILED`, and treats
//! all else as malformed: it skips the hook and sends the passcode itself, so that the person gets
//! two. The classic form, an object with `SUCCESS` or `FAILED`, is for callers that are not Okta.
//! `PENDING` is never sent: what it does to Okta's fall-back is undocumented.

use std::borrow::Cow;

use serde::Serialize;
use serde_with::skip_serializing_none;

use super::request::Dialect;
use crate::identifier::Identifier;
use crate::message::Channel;
use crate::outcome::{Outcome, Warning};
use crate::ports::Response;
use crate::refusal::Reason;
use crate::settings::ResponseFormat;

/// The form of the answer to a caller whose dialect is known, or is not.
pub fn dialect(format: ResponseFormat, caller: Option<Dialect>) -> Dialect {
    match format {
        ResponseFormat::Auto => caller.unwrap_or(Dialect::Documented),
        ResponseFormat::Documented => Dialect::Documented,
        ResponseFormat::Classic => Dialect::Classic,
    }
}

/// The answer. `challenges` are the ways to prove oneself that a caller is told who has not.
pub fn answer(outcome: &Outcome, dialect: Dialect, challenges: &[String]) -> Response {
    let mut headers: Vec<(&'static str, Cow<'static, str>)> =
        vec![("content-type", "application/json".into()), ("cache-control", "no-store".into())];
    match outcome.refusal.as_ref().map(|refusal| refusal.reason) {
        Some(Reason::Unauthorized) => {
            headers.extend(challenges.iter().map(|it| ("www-authenticate", it.clone().into())));
        }
        Some(Reason::MethodNotAllowed) => headers.push(("allow", "POST".into())),
        _ => {}
    }
    // Texts and numbers: nothing in them can fail to serialize.
    let body = serde_json::to_vec(&body(outcome, dialect)).unwrap_or_default();
    Response { status: outcome.http_status(), headers, body }
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    commands: [Command; 1],
    debug_context: Option<DebugContext<'a>>,
}

#[derive(Serialize)]
struct Command {
    r#type: &'static str,
    value: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Documented([Action; 1]),
    Classic(Action),
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    status: &'static str,
    provider: &'static str,
    transaction_id: Option<Identifier>,
    transaction_metadata: &'static str,
}

/// Goes into Okta's System Log (`inline_hook.response.processed`).
#[derive(Serialize)]
#[serde(untagged)]
enum DebugContext<'a> {
    #[serde(rename_all = "camelCase")]
    Sent {
        #[serde(skip_serializing_if = "Option::is_none")]
        segments: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encoding: Option<&'static str>,
        /// Where it is not SMS.
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'static str>,
        /// Two providers may have sent the message.
        #[serde(skip_serializing_if = "Option::is_none")]
        may_be_double: Option<bool>,
    },
    Refused {
        reason: &'static str,
        fix: &'a str,
    },
}

fn body(outcome: &Outcome, dialect: Dialect) -> Body<'_> {
    let is_success = outcome.refusal.is_none() || outcome.told_as_successful;
    let status = match (is_success, dialect) {
        (true, Dialect::Documented) => "SUCCESSFUL",
        (true, Dialect::Classic) => "SUCCESS",
        (false, _) => "FAILED",
    };
    let call = outcome.channel.filter(|channel| *channel == Channel::Call).map(Channel::name);
    let sender_type = outcome.sending.as_ref().map_or("", |sending| sending.sender.name());
    let action = Action {
        status,
        // What Okta shows in its System Log.
        provider: outcome.sending.as_ref().map_or("none", |sending| sending.service),
        transaction_id: outcome.message_id(),
        transaction_metadata: match &outcome.refusal {
            None => call.unwrap_or(sender_type),
            Some(refusal) => refusal.reason.code(),
        },
    };
    let value = match dialect {
        Dialect::Documented => Value::Documented([action]),
        Dialect::Classic => Value::Classic(action),
    };
    let debug_context = match (&outcome.refusal, outcome.segments, call) {
        (Some(refusal), _, _) => {
            Some(DebugContext::Refused { reason: refusal.reason.code(), fix: &refusal.fix })
        }
        (None, None, None) => None,
        (None, segments, call) => Some(DebugContext::Sent {
            segments: segments.map(|segments| segments.count),
            encoding: segments.map(|segments| segments.encoding.name()),
            channel: call,
            may_be_double: outcome.warnings.contains(&Warning::MayBeDouble).then_some(true),
        }),
    };
    Body { commands: [Command { r#type: "com.okta.telephony.action", value }], debug_context }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Encoding, Segments};
    use crate::ports::Instant;
    use crate::providers::Sending;
    use crate::refusal::Refusal;
    use crate::sender::SenderKind;
    use std::time::Duration;

    fn sent(message_id: Option<&str>, segments: Option<Segments>) -> Outcome {
        let sending = Sending {
            service: "ACS",
            segments: None,
            provider: "acs".into(),
            sender: SenderKind::Shortcode,
            attempts: Vec::new(),
            status: Some(202),
            error_code: None,
            elapsed: Duration::ZERO,
            result: Ok(message_id.map(str::to_owned)),
            failed_over: None,
            may_be_double: false,
            silent_connection: false,
            store_failed: false,
        };
        Outcome { sending: Some(sending), segments, ..Outcome::begin(Instant(Duration::ZERO)) }
    }

    fn refused(refusal: Refusal, told_as_successful: bool) -> Outcome {
        let begun = Outcome::begin(Instant(Duration::ZERO));
        Outcome { refusal: Some(refusal), told_as_successful, ..begun }
    }

    fn text(outcome: &Outcome, dialect: Dialect) -> String {
        String::from_utf8(answer(outcome, dialect, &[]).body).unwrap()
    }

    #[test]
    fn a_message_that_was_taken_is_a_success_in_either_dialect() {
        let segments = Segments { count: 1, encoding: Encoding::Gsm7 };
        let sent = sent(Some("id-1"), Some(segments));
        assert_eq!(
            text(&sent, Dialect::Documented),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"SUCCESSFUL","provider":"ACS","transactionId":"id-1","transactionMetadata":"shortcode"}]}],"debugContext":{"segments":1,"encoding":"gsm7"}}"#
        );
        assert_eq!(
            text(&sent, Dialect::Classic),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":{"status":"SUCCESS","provider":"ACS","transactionId":"id-1","transactionMetadata":"shortcode"}}],"debugContext":{"segments":1,"encoding":"gsm7"}}"#
        );
    }

    #[test]
    fn a_call_that_was_taken_is_told_as_one() {
        let sent = Outcome { channel: Some(Channel::Call), ..sent(Some("id-1"), None) };
        assert_eq!(
            text(&sent, Dialect::Documented),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"SUCCESSFUL","provider":"ACS","transactionId":"id-1","transactionMetadata":"call"}]}],"debugContext":{"channel":"call"}}"#
        );
    }

    #[test]
    fn what_acs_leaves_out_is_left_out() {
        assert_eq!(
            text(&sent(None, None), Dialect::Documented),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"SUCCESSFUL","provider":"ACS","transactionMetadata":"shortcode"}]}]}"#
        );
    }

    #[test]
    fn a_refusal_names_its_reason_and_its_fix_and_not_what_only_the_log_may_know() {
        let refused = refused(
            Refusal::new(Reason::OtpExpired, "Ask for a new one.").with_log_fix("inside"),
            false,
        );
        assert_eq!(
            text(&refused, Dialect::Documented),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"FAILED","provider":"none","transactionMetadata":"otp_expired"}]}],"debugContext":{"reason":"otp_expired","fix":"Ask for a new one."}}"#
        );
        assert_eq!(
            text(&refused, Dialect::Classic),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":{"status":"FAILED","provider":"none","transactionMetadata":"otp_expired"}}],"debugContext":{"reason":"otp_expired","fix":"Ask for a new one."}}"#
        );
    }

    #[test]
    fn a_refusal_that_okta_may_not_mend_has_a_successful_status_and_its_reason() {
        let refused = refused(Refusal::new(Reason::RateLimited, "Wait."), true);
        for (dialect, status) in
            [(Dialect::Documented, "SUCCESSFUL"), (Dialect::Classic, "SUCCESS")]
        {
            let text = text(&refused, dialect);
            assert!(text.contains(&format!(r#""status":"{status}""#)), "{text}");
            assert!(text.contains(r#""transactionMetadata":"rate_limited""#), "{text}");
            assert!(text.contains(r#""debugContext":{"reason":"rate_limited","fix":"Wait."}"#));
        }
    }

    #[test]
    fn auto_answers_in_the_callers_dialect_and_documented_where_it_is_unknown() {
        use Dialect::*;
        for (format, caller, expected) in [
            (ResponseFormat::Auto, Some(Documented), Documented),
            (ResponseFormat::Auto, Some(Classic), Classic),
            (ResponseFormat::Auto, None, Documented),
            (ResponseFormat::Documented, Some(Classic), Documented),
            (ResponseFormat::Classic, Some(Documented), Classic),
            (ResponseFormat::Classic, None, Classic),
        ] {
            assert_eq!(dialect(format, caller), expected, "{format:?} {caller:?}");
        }
    }
}
