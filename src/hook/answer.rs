//! What the answer looks like: `commands[]` in the caller's dialect.
//!
//! Okta takes `value` as an array with a status of `SUCCESSFUL`, `PENDING` or `FAILED`, and treats
//! all else as malformed: it skips the hook and sends the passcode itself, so that the person gets
//! two. The classic form, an object with `SUCCESS` or `FAILED`, is for callers that are not Okta.
//! `PENDING` is never sent: what it does to Okta's fall-back is undocumented.

use crate::hook::request::Dialect;
use crate::json::write::Object;
use crate::message::Segments;
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
    let (successful, transaction_id, metadata) = match outcome {
        Outcome::Accepted { message_id, sender_type, .. } => (true, message_id, sender_type),
        Outcome::Refused { refusal, as_successful } => (as_successful, None, refusal.reason.code()),
    };
    let status = match (successful, dialect) {
        (true, Dialect::Documented) => "SUCCESSFUL",
        (true, Dialect::Classic) => "SUCCESS",
        (false, _) => "FAILED",
    };
    let fill_in = |mut value: Object<'_>| {
        value
            .text("status", status)
            .text("provider", "ACS")
            .text("transactionId", transaction_id)
            .text("transactionMetadata", metadata);
    };

    let mut body = String::with_capacity(320);
    let mut answer = Object::new(&mut body);
    let mut commands = answer.list("commands");
    let mut command = commands.object();
    command.text("type", "com.okta.telephony.action");
    match dialect {
        Dialect::Documented => fill_in(command.list("value").object()),
        Dialect::Classic => fill_in(command.object("value")),
    }
    drop(command);
    drop(commands);
    // Goes into Okta's System Log (`inline_hook.response.processed`).
    match outcome {
        Outcome::Accepted { segments: None, .. } => {}
        Outcome::Accepted { segments: Some(segments), .. } => {
            let mut context = answer.object("debugContext");
            context.number("segments", u64::from(segments.count));
            context.text("encoding", segments.encoding.name());
        }
        Outcome::Refused { refusal, .. } => {
            let mut context = answer.object("debugContext");
            context.text("reason", refusal.reason.code()).text("fix", &*refusal.fix);
        }
    }
    drop(answer);
    body.into_bytes()
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
