//! What a delivery of Twilio's says: the status callback of one message or call, a form.
//!
//! Facts are from Twilio's pages "Track the Message Status of Outbound Messages" and "Webhooks security". Callbacks come in
//! any order, and say nothing of when: `RawDlrDoneDate` has no zone.
//!
//! A report needs the message's id, to the letter. No number, no text and no account leaves this room.

pub mod signature;

use std::borrow::Cow;
use std::fmt;

use super::{DeliveryReport, letters};
use crate::identifier::Identifier;
use crate::records::code::Code;
use crate::records::{Moment, Reported, Said};

/// The most bytes of a body: 64 KiB. A callback has about 500.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The parameter of the query in which a callback brings back the tag of its message.
const TAG: &str = "tag";

/// A delivery says nothing of a message. Never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAReport;

impl fmt::Display for NotAReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is no form with a MessageSid or CallSid that could be one")
    }
}

/// Reads a body, and the query of the URL that it was delivered to. One that says only that the message is still with
/// Twilio says nothing: it is `None`. A report counts as one of `now`.
pub fn parse(body: &[u8], query: &str, now: Moment) -> Result<Option<DeliveryReport>, NotAReport> {
    let text = |names: [&str; 3]| {
        let mut found = names.into_iter().filter_map(|name| value(body, name));
        found.next().filter(|it| !it.is_empty())
    };
    let message_id = text(["MessageSid", "SmsSid", "CallSid"]).ok_or(NotAReport)?;
    let identifier = Identifier::of_message(&message_id);
    if identifier.as_str() != message_id {
        return Err(NotAReport);
    }
    let status = text(["MessageStatus", "SmsStatus", "CallStatus"]);
    let Some(said) = said(status.as_deref().unwrap_or_default()) else { return Ok(None) };
    let code = value(body, "ErrorCode").and_then(|code| code.parse().ok());
    let code = code.filter(|code| said == Said::Failed && *code != 0);
    Ok(Some(DeliveryReport {
        message_id: identifier,
        reported: Reported { at: now, said, code: code.map(Code::Twilio) },
        has_date: true,
        tag: value(query.as_bytes(), TAG).map(|tag| Identifier::new(&tag)),
    }))
}

/// The first value of a name, without white space around it.
fn value(form: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(form);
    let value: Cow<'_, str> = pairs.find(|(it, _)| it == name)?.1;
    Some(value.trim().to_owned())
}

/// What became of the message; `None` before it has left Twilio.
fn said(status: &str) -> Option<Said> {
    Some(match status.to_ascii_lowercase().as_str() {
        "accepted" | "scheduled" | "queued" | "sending" => return None,
        "initiated" | "ringing" | "in-progress" => return None,
        // With the carrier, which may not say more.
        "sent" => Said::Unconfirmed(Some("sent".to_owned())),
        // Of a call: somebody has picked up, be it a mailbox.
        "delivered" | "read" | "completed" => Said::Delivered,
        // Twilio could not send it; the carrier did not deliver it; it was taken back.
        "failed" | "undelivered" | "canceled" | "busy" | "no-answer" => Said::Failed,
        other => Said::Other(letters(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Moment = 1_769_860_800_000;
    const SID: &str = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    /// As three public repositories have recorded it.
    const SENT: &str = "SmsSid=SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&SmsStatus=sent&MessageStatus=sent&To=%2B14155552345\
        &MessageSid=SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
        &From=%2B14155550000&ApiVersion=2010-04-01";

    fn read(body: &str) -> Result<Option<DeliveryReport>, NotAReport> {
        parse(body.as_bytes(), "tag=okta%3AuS58", NOW)
    }

    #[test]
    fn a_recorded_callback_is_read() {
        let report = read(SENT).unwrap().unwrap();
        assert_eq!(report.message_id.as_str(), SID);
        let said = Said::Unconfirmed(Some("sent".into()));
        assert_eq!(report.reported, Reported { at: NOW, said, code: None });
        assert_eq!(report.tag.unwrap().as_str(), "okta:uS58");
    }

    #[test]
    fn each_status_is_delivered_failed_neither_or_says_nothing() {
        let other = |letters: Option<&str>| Some(Said::Other(letters.map(str::to_owned)));
        for (status, expected) in [
            ("accepted", None),
            ("scheduled", None),
            ("queued", None),
            ("sending", None),
            ("sent", Some(Said::Unconfirmed(Some("sent".into())))),
            ("Delivered", Some(Said::Delivered)),
            ("read", Some(Said::Delivered)),
            ("failed", Some(Said::Failed)),
            ("in-progress", None),
            ("completed", Some(Said::Delivered)),
            ("busy", Some(Said::Failed)),
            ("no-answer", Some(Said::Failed)),
            ("undelivered", Some(Said::Failed)),
            ("canceled", Some(Said::Failed)),
            ("partially_delivered", other(Some("partially_delivered"))),
            ("To %2B14155552345", other(Some("to_____________"))),
            ("", other(None)),
        ] {
            let report = read(&format!("MessageSid={SID}&MessageStatus={status}")).unwrap();
            assert_eq!(report.map(|report| report.reported.said), expected, "{status}");
        }
        let older = read(&format!("SmsSid={SID}&SmsStatus=delivered")).unwrap().unwrap();
        assert_eq!(older.reported.said, Said::Delivered);
        let call = read("CallSid=CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&CallStatus=no-answer")
            .unwrap()
            .unwrap();
        assert_eq!(call.reported.said, Said::Failed);
    }

    #[test]
    fn only_a_failure_has_a_code() {
        for (status, error, code) in [
            ("undelivered", "30003", Some(Code::Twilio(30_003))),
            ("failed", "21610", Some(Code::Twilio(21_610))),
            ("failed", "0", None),
            ("failed", "", None),
            ("failed", "65536", None),
            ("failed", "%2B14155552345", None),
            ("delivered", "30003", None),
        ] {
            let body = format!("MessageSid={SID}&MessageStatus={status}&ErrorCode={error}");
            assert_eq!(read(&body).unwrap().unwrap().reported.code, code, "{body}");
        }
    }

    #[test]
    fn nothing_but_the_id_is_needed() {
        let report = parse(format!("MessageSid={SID}").as_bytes(), "", NOW).unwrap().unwrap();
        assert_eq!((report.reported.said, report.tag), (Said::Other(None), None));
        for body in ["", "{}", "MessageSid=", "MessageSid=+14155552345", "MessageStatus=sent"] {
            assert_eq!(read(body), Err(NotAReport), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_none(
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                "((MessageSid|MessageStatus|ErrorCode)=[a-zA-Z0-9%+]{0,40}&){0,4}".prop_map(String::into_bytes),
            ],
            query in "\\PC*",
        ) {
            if let Ok(Some(report)) = parse(&body, &query, NOW) {
                prop_assert!(!report.message_id.as_str().is_empty());
            }
        }
    }
}
