//! What the answer looks like: `commands[]` in the caller's dialect.
//!
//! Okta takes `value` as an array with a status of `SUCCESSFUL`, `PENDING` or `FAILED`, and treats
//! all else as malformed: it skips the hook and sends the passcode itself, so that the person gets
//! two. The classic form, an object with `SUCCESS` or `FAILED`, is for callers that are not Okta.
//! `PENDING` is never sent: what it does to Okta's fall-back is undocumented.

use serde::Serialize;

use crate::message::Segments;
use crate::okta::request::Dialect;
use crate::refusal::Refusal;

/// The variable `okta_response_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    /// In the caller's dialect; documented where the body was not read or could not be parsed.
    Auto,
    /// Always as Okta documents it.
    Documented,
    /// Always the classic form.
    Classic,
}

impl ResponseFormat {
    /// The form of the answer to a caller whose dialect is known, or is not.
    pub fn dialect(self, caller: Option<Dialect>) -> Dialect {
        match self {
            Self::Auto => caller.unwrap_or(Dialect::Documented),
            Self::Documented => Dialect::Documented,
            Self::Classic => Dialect::Classic,
        }
    }
}

/// What became of the passcode, as Okta is told.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// ACS took the message.
    Accepted {
        /// ACS's message id, where it gave one.
        message_id: Option<&'a str>,
        /// Which kind of sender it left from.
        sender_type: &'a str,
        /// What is billed.
        segments: Option<Segments>,
    },
    /// Nothing was sent, or it is not known to be sent.
    Refused {
        /// Why.
        refusal: &'a Refusal,
        /// The status says that all is well, so that Okta does not send the passcode itself. The
        /// reason is told all the same.
        as_successful: bool,
    },
}

/// The answer's JSON.
pub fn body(outcome: Outcome<'_>, dialect: Dialect) -> Vec<u8> {
    let (successful, transaction_id, metadata, debug_context) = match outcome {
        Outcome::Accepted { message_id, sender_type, segments } => {
            let debug_context = segments.map(|segments| DebugContext::Accepted {
                segments: segments.count,
                encoding: segments.encoding.name(),
            });
            (true, message_id, sender_type, debug_context)
        }
        Outcome::Refused { refusal: Refusal { reason, fix, .. }, as_successful } => {
            let debug_context = DebugContext::Refused { reason: reason.code(), fix };
            (as_successful, None, reason.code(), Some(debug_context))
        }
    };
    let status = match (successful, dialect) {
        (true, Dialect::Documented) => "SUCCESSFUL",
        (true, Dialect::Classic) => "SUCCESS",
        (false, _) => "FAILED",
    };
    let value =
        CommandValue { status, provider: "ACS", transaction_id, transaction_metadata: metadata };
    let value = match dialect {
        Dialect::Documented => Values::Array([value]),
        Dialect::Classic => Values::Object(value),
    };
    let answer = Answer {
        commands: [Command { r#type: "com.okta.telephony.action", value }],
        debug_context,
    };
    // Strings and structs only: nothing in them can fail to serialize.
    serde_json::to_vec(&answer).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    commands: [Command<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    debug_context: Option<DebugContext<'a>>,
}

#[derive(Serialize)]
struct Command<'a> {
    r#type: &'static str,
    value: Values<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values<'a> {
    Array([CommandValue<'a>; 1]),
    Object(CommandValue<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandValue<'a> {
    status: &'static str,
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
    transaction_metadata: &'a str,
}

/// Goes into Okta's System Log (`inline_hook.response.processed`).
#[derive(Serialize)]
#[serde(untagged)]
enum DebugContext<'a> {
    Accepted { segments: u32, encoding: &'static str },
    Refused { reason: &'static str, fix: &'a str },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Encoding;
    use crate::refusal::Reason;

    fn text(outcome: Outcome<'_>, dialect: Dialect) -> String {
        String::from_utf8(body(outcome, dialect)).unwrap()
    }

    #[test]
    fn an_accepted_message_is_told_in_the_callers_dialect() {
        let segments = Some(Segments { count: 2, encoding: Encoding::Ucs2 });
        let accepted =
            Outcome::Accepted { message_id: Some("id-1"), sender_type: "shortcode", segments };
        assert_eq!(
            text(accepted, Dialect::Documented),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"SUCCESSFUL","provider":"ACS","transactionId":"id-1","transactionMetadata":"shortcode"}]}],"debugContext":{"segments":2,"encoding":"ucs2"}}"#
        );
        assert_eq!(
            text(accepted, Dialect::Classic),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":{"status":"SUCCESS","provider":"ACS","transactionId":"id-1","transactionMetadata":"shortcode"}}],"debugContext":{"segments":2,"encoding":"ucs2"}}"#
        );
    }

    #[test]
    fn a_refusal_names_its_reason_and_its_fix_and_not_what_only_the_log_may_know() {
        let refusal = Refusal::new(Reason::OtpExpired, "Ask for a new one.").with_log_fix("inside");
        let refused = Outcome::Refused { refusal: &refusal, as_successful: false };
        assert_eq!(
            text(refused, Dialect::Documented),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"FAILED","provider":"ACS","transactionMetadata":"otp_expired"}]}],"debugContext":{"reason":"otp_expired","fix":"Ask for a new one."}}"#
        );
        assert_eq!(
            text(refused, Dialect::Classic),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":{"status":"FAILED","provider":"ACS","transactionMetadata":"otp_expired"}}],"debugContext":{"reason":"otp_expired","fix":"Ask for a new one."}}"#
        );
    }

    #[test]
    fn a_refusal_that_okta_may_not_mend_has_a_successful_status_and_its_reason() {
        let refusal = Refusal::new(Reason::RateLimited, "Wait.");
        let refused = Outcome::Refused { refusal: &refusal, as_successful: true };
        for (dialect, status) in
            [(Dialect::Documented, "SUCCESSFUL"), (Dialect::Classic, "SUCCESS")]
        {
            let text = text(refused, dialect);
            assert!(text.contains(&format!(r#""status":"{status}""#)), "{text}");
            assert!(text.contains(r#""transactionMetadata":"rate_limited""#), "{text}");
            assert!(text.contains(r#""debugContext":{"reason":"rate_limited","fix":"Wait."}"#));
        }
    }

    #[test]
    fn auto_answers_in_the_callers_dialect_and_documented_where_it_is_unknown() {
        use Dialect::*;
        for (format, caller, answer) in [
            (ResponseFormat::Auto, Some(Documented), Documented),
            (ResponseFormat::Auto, Some(Classic), Classic),
            (ResponseFormat::Auto, None, Documented),
            (ResponseFormat::Documented, Some(Classic), Documented),
            (ResponseFormat::Classic, Some(Documented), Classic),
            (ResponseFormat::Classic, None, Classic),
        ] {
            assert_eq!(format.dialect(caller), answer, "{format:?} {caller:?}");
        }
    }
}
