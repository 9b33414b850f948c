//! What a delivery of Infobip's says: reports of its SMS API, in the form of its version 3, and of version 1, and of
//! its voice API, in the form of version 2.
//!
//! Facts are from Infobip's OpenAPI specification (version 3.210.0, webhook
//! `receive-outbound-sms-message-reports-v3`, and the voice report of version 2) and its page "Response status and error codes".
//!
//! A report needs the message's id, to the letter. Nothing else is needed. No number, no text and no price leaves this
//! room.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{DeliveryReport, letters, utf8};
use crate::date;
use crate::identifier::Identifier;
use crate::ports::milliseconds;
use crate::records::code::Code;
use crate::records::{CLOCKS_APART, Moment, Reported, Said};

/// The most bytes of a body: 2 MiB. A subscription can be set to deliver 2,000 reports in one, of about 700 bytes each.
pub const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// The most reports of a delivery: the highest that a subscription can be set to (`maxBucketSize`).
pub const RESULTS_LIMIT: usize = 2000;

/// Why a body has no reports to read. Never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReports {
    /// It is not JSON in UTF-8. Bytes that are not UTF-8 may be within its texts.
    NotJson {
        /// Where it stops being JSON, from 1.
        line: usize,
        /// The byte in that line, from 1 as a rule.
        column: usize,
    },
    /// It is JSON, and has no list `results`.
    NoResults,
    /// It has more than [`RESULTS_LIMIT`].
    TooMany,
}

/// Why a report cannot be taken. Never quotes the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadReport {
    /// It is not an object.
    NotAnObject,
    /// `messageId` is missing, or is no id that the hook gives.
    MessageId,
}

impl fmt::Display for NotReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => {
                write!(f, "the body is not JSON in UTF-8: look at line {line}, column {column}")
            }
            Self::NoResults => f.write_str("the body has no list of results"),
            Self::TooMany => write!(f, "the body has more than {RESULTS_LIMIT} results"),
        }
    }
}

impl fmt::Display for BadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "a result is not an object",
            Self::MessageId => {
                "a result's messageId is missing, or has characters that no id of the hook has"
            }
        })
    }
}

/// Reads a body. One that repeats the id of a message that was taken before says nothing of that one: it is `None`. A
/// report without a date counts as one of `now`.
pub fn parse(
    body: &[u8],
    now: Moment,
) -> Result<Vec<Result<Option<DeliveryReport>, BadReport>>, NotReports> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        results: Vec<&'a RawValue>,
    }
    let body = utf8(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body));
    let Body { results } = serde_json::from_str(&body).map_err(|error| match error.classify() {
        Category::Data => NotReports::NoResults,
        _ => NotReports::NotJson { line: error.line(), column: error.column() },
    })?;
    if results.len() > RESULTS_LIMIT {
        return Err(NotReports::TooMany);
    }
    Ok(results.into_iter().map(|result| report(result, now)).collect())
}

fn report(result: &RawValue, now: Moment) -> Result<Option<DeliveryReport>, BadReport> {
    let result: Value = serde_json::from_str(result.get()).map_err(|_| BadReport::NotAnObject)?;
    if !result.is_object() {
        return Err(BadReport::NotAnObject);
    }
    let number = |at: &str| {
        let number = result.pointer(at)?.as_u64()?;
        u16::try_from(number).ok()
    };
    let text = |at: &str| result.pointer(at).and_then(Value::as_str).map(str::trim);
    let message_id = text("/messageId").filter(|id| !id.is_empty()).ok_or(BadReport::MessageId)?;
    let identifier = Identifier::of_message(message_id);
    if identifier.as_str() != message_id {
        return Err(BadReport::MessageId);
    }
    if number("/status/id") == Some(DUPLICATE) {
        return Ok(None);
    }
    let is_call = result.get("voiceCall").is_some_and(Value::is_object);
    let error_name = text("/error/name").unwrap_or_default();
    let said = match said(number("/status/groupId"), number("/status/id"), text("/status/name")) {
        // The passcode is on a mailbox, where the person may look for it or not.
        Said::Delivered if is_call && error_name.contains("MACHINE") => {
            Said::Unconfirmed(letters(error_name))
        }
        said => said,
    };
    let has_come = |at: &Moment| *at <= now.saturating_add(CLOCKS_APART);
    let done = text("/doneAt").or_else(|| text("/voiceCall/endTime"));
    let at = done.and_then(moment).filter(has_come);
    // An error of the group OK is none, but of a call that a machine has answered, or nobody.
    let is_none = number("/error/groupId") == Some(0) && (!is_call || said == Said::Delivered);
    let error = number("/error/id").filter(|id| *id != 0 && !is_none);
    // A message that is refused before it reaches a carrier has its reason in the status.
    let is_of_sms = |id: &u16| {
        !is_call
            || *id != FRAUD
            || !text("/status/name").unwrap_or_default().contains("TIME_WINDOW")
    };
    let status = number("/status/id").filter(|id| said == Said::Failed && is_of_sms(id));
    let tag = text("/callbackData").filter(|tag| !tag.is_empty());
    Ok(Some(DeliveryReport {
        message_id: identifier,
        reported: Reported {
            at: at.unwrap_or(now),
            said,
            code: error.map(Code::Infobip).or(status.map(Code::InfobipStatus)),
        },
        has_date: at.is_some(),
        tag: tag.map(Identifier::new),
    }))
}

/// The status of a message whose id was taken before, by another request.
const DUPLICATE: u16 = 23;

/// The status of the guard against fraud, and of a call's time window that is wrong.
const FRAUD: u16 = 87;

/// What became of the message. What is not final, or not known, is kept by its name.
fn said(group: Option<u16>, id: Option<u16>, name: Option<&str>) -> Said {
    match (group, id) {
        (_, Some(5)) => Said::Delivered,
        // With the carrier, which may not say more; and the carrier did not say in time.
        (_, Some(2 | 29)) | (Some(0 | 1), _) => Said::Unconfirmed(name.and_then(letters)),
        (Some(3), _) => Said::Delivered,
        (Some(2 | 4 | 5), _) => Said::Failed,
        _ => Said::Other(name.and_then(letters)),
    }
}

/// A date since 1970. Infobip's have an offset without a colon.
fn moment(text: &str) -> Option<Moment> {
    date::read(text).filter(|date| date.unix_timestamp() >= 0).map(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Moment = 1_769_860_800_000;
    const ID: &str = "6f1c2f5e-0d0b-5b0f-9c0e-1b1f6d0f9a11";

    /// Infobip's own example, of the message with [`ID`].
    fn example() -> Value {
        json!({"bulkId": "BULK-ID-123-xyz", "price": {"pricePerMessage": 0.01, "currency": "EUR"},
            "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET", "description": "Message delivered to handset"},
            "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error", "permanent": false},
            "messageId": ID, "to": "41793026727", "sender": "InfoSMS",
            "sentAt": "2019-11-09T16:00:00.000+0100", "doneAt": "2019-11-09T16:00:00.000+0100", "messageCount": 1,
            "callbackData": "okta:uS58", "platform": {"entityId": "x", "applicationId": "y"}})
    }

    fn read(result: Value) -> Result<Option<DeliveryReport>, BadReport> {
        let body = json!({ "results": [result] }).to_string();
        parse(body.as_bytes(), NOW).unwrap().pop().unwrap()
    }

    #[test]
    fn infobips_own_example_is_read() {
        let report = read(example()).unwrap().unwrap();
        assert_eq!(report.message_id.as_str(), ID);
        assert_eq!(
            report.reported,
            Reported { at: 1_573_311_600_000, said: Said::Delivered, code: None }
        );
        assert!(report.has_date);
        assert_eq!(report.tag.unwrap().as_str(), "okta:uS58");
    }

    #[test]
    fn each_status_is_delivered_failed_or_neither() {
        let other = |name: &str| Said::Other(Some(name.to_owned()));
        let unconfirmed = |name: &str| Said::Unconfirmed(Some(name.to_owned()));
        for (group, id, name, expected) in [
            (3, 5, "DELIVERED_TO_HANDSET", Said::Delivered),
            (3, 2, "DELIVERED_TO_OPERATOR", unconfirmed("DELIVERED_TO_OPERATOR")),
            (1, 7, "PENDING_ENROUTE", unconfirmed("PENDING_ENROUTE")),
            (2, 4, "UNDELIVERABLE_REJECTED_OPERATOR", Said::Failed),
            (2, 9, "UNDELIVERABLE_NOT_DELIVERED", Said::Failed),
            (4, 15, "EXPIRED_EXPIRED", Said::Failed),
            (4, 29, "EXPIRED_DLR_UNKNOWN", unconfirmed("EXPIRED_DLR_UNKNOWN")),
            (5, 12, "REJECTED_NOT_ENOUGH_CREDITS", Said::Failed),
            (9, 999, "To +41793026727", other("To_____________")),
        ] {
            let mut result = example();
            result["status"] = json!({"groupId": group, "id": id, "name": name});
            assert_eq!(read(result).unwrap().unwrap().reported.said, expected, "{name}");
        }
    }

    /// Infobip's own example of a call, of the message with [`ID`].
    fn call() -> Value {
        json!({"bulkId": "8c20f086-d82b-48cc-b2b3-3ca5f7aca9fb", "messageId": ID, "from": "385333444", "to": "385981178",
            "sentAt": "2018-06-25T13:38:14.730+0000", "mccMnc": "21901", "callbackData": "okta:uS58",
            "voiceCall": {"feature": "Voice-message", "startTime": "2018-06-25T13:38:15.000+0000", "answerTime": "2018-06-25T13:38:25.000+0000", "endTime": "2018-06-25T13:38:28.316+0000", "duration": 10, "chargedDuration": 30, "fileDuration": 19.3, "dtmfCodes": "1"},
            "price": {"pricePerSecond": 0.01, "currency": "EUR"},
            "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET", "description": "Message delivered to handset"},
            "error": {"groupId": 0, "groupName": "OK", "id": 5000, "name": "VOICE_ANSWERED", "description": "Call answered by human", "permanent": true}})
    }

    #[test]
    fn infobips_own_example_of_a_call_is_read() {
        let report = read(call()).unwrap().unwrap();
        assert_eq!(report.message_id.as_str(), ID);
        let at = 1_529_933_908_316;
        assert_eq!(report.reported, Reported { at, said: Said::Delivered, code: None });
        assert!(report.has_date);
        assert_eq!(report.tag.unwrap().as_str(), "okta:uS58");
    }

    #[test]
    fn a_call_is_delivered_to_a_person_and_unconfirmed_on_a_machine() {
        let machine = |name: &str| Said::Unconfirmed(Some(name.to_owned()));
        let code = |id| Some(Code::Infobip(id));
        for (group, id, name, error_group, error, error_name, said, expected) in [
            (3, 5, "DELIVERED_TO_HANDSET", 0, 10000, "NORMAL_HANGUP", Said::Delivered, None),
            (3, 5, "DELIVERED_TO_HANDSET", 0, 10003, "HUMAN_DETECTED", Said::Delivered, None),
            (
                3,
                5,
                "DELIVERED_TO_HANDSET",
                0,
                5001,
                "VOICE_ANSWERED_MACHINE",
                machine("VOICE_ANSWERED_MACHINE"),
                code(5001),
            ),
            (
                3,
                5,
                "DELIVERED_TO_HANDSET",
                1,
                10002,
                "MACHINE_DETECTED",
                machine("MACHINE_DETECTED"),
                code(10002),
            ),
            (2, 97, "BUSY", 1, 5002, "EC_VOICE_USER_BUSY", Said::Failed, code(5002)),
            (2, 96, "NO_ANSWER", 0, 5003, "EC_VOICE_NO_ANSWER", Said::Failed, code(5003)),
            (2, 96, "NO_ANSWER", 0, 0, "NO_ERROR", Said::Failed, Some(Code::InfobipStatus(96))),
            (
                5,
                87,
                "SIGNALS_BLOCKED",
                0,
                0,
                "NO_ERROR",
                Said::Failed,
                Some(Code::InfobipStatus(87)),
            ),
            (5, 87, "REJECTED_INVALID_DELIVERY_TIME_WINDOW", 0, 0, "NO_ERROR", Said::Failed, None),
        ] {
            let mut result = call();
            result["status"] = json!({"groupId": group, "id": id, "name": name});
            result["error"] =
                json!({"groupId": error_group, "id": error, "name": error_name, "permanent": true});
            let reported = read(result).unwrap().unwrap().reported;
            assert_eq!((reported.said, reported.code), (said, expected), "{name} {error_name}");
        }
    }

    #[test]
    fn a_repeated_id_says_nothing_of_the_message_that_was_taken() {
        let mut result = example();
        result["status"] = json!({"groupId": 5, "id": 23, "name": "REJECTED_DUPLICATE_MESSAGE_ID"});
        assert_eq!(read(result), Ok(None));
    }

    #[test]
    fn why_it_failed_is_its_error_or_else_its_status() {
        let (error, status) = (|id| Some(Code::Infobip(id)), |id| Some(Code::InfobipStatus(id)));
        for (group, id, said, code) in [
            (5, 12, json!({"groupId": 1, "id": 27}), error(27)),
            (5, 12, json!({"id": 27}), error(27)),
            (5, 12, json!({"groupId": 0, "id": 0}), status(12)),
            (5, 12, json!({"groupId": 0, "id": 5000}), status(12)),
            (5, 12, json!({"groupId": 3, "id": 99_999}), status(12)),
            (5, 12, json!({"id": 0}), status(12)),
            (2, 9, Value::Null, status(9)),
            (3, 5, json!({"groupId": 0, "id": 0}), None),
            (1, 7, json!({"id": 0}), None),
        ] {
            let mut result = example();
            result["status"] = json!({"groupId": group, "id": id});
            result["error"] = said;
            let report = read(result.clone()).unwrap().unwrap();
            assert_eq!(report.reported.code, code, "{result}");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf_8_loses_no_report() {
        let mut body = json!({ "results": [example()] }).to_string().into_bytes();
        let at = body.windows(7).position(|text| text == b"InfoSMS").unwrap();
        body[at] = 0xe9;
        let report = parse(&body, NOW).unwrap().pop().unwrap().unwrap().unwrap();
        assert_eq!(report.reported.said, Said::Delivered);
    }

    #[test]
    fn nothing_but_the_id_is_needed_and_one_bad_report_costs_no_other() {
        let bare = json!({ "messageId": ID });
        let report = read(bare.clone()).unwrap().unwrap();
        assert_eq!(report.reported, Reported { at: NOW, said: Said::Other(None), code: None });
        assert!(!report.has_date);
        for bad in [
            json!({}),
            json!({"messageId": 7}),
            json!({"messageId": ""}),
            json!({"messageId": "a b"}),
        ] {
            assert_eq!(read(bad), Err(BadReport::MessageId));
        }
        let body = json!({ "results": [7, bare, {}] }).to_string();
        let read: Vec<_> =
            parse(body.as_bytes(), NOW).unwrap().into_iter().map(|it| it.is_ok()).collect();
        assert_eq!(read, [false, true, false]);
    }

    #[test]
    fn a_date_that_is_yet_to_come_counts_as_now() {
        let mut result = example();
        result["doneAt"] = "9999-01-01T00:00:00.000+0000".into();
        let report = read(result).unwrap().unwrap();
        assert_eq!((report.reported.at, report.has_date), (NOW, false));
    }

    #[test]
    fn a_body_of_another_form_is_refused_by_its_cause() {
        let too_many = json!({ "results": vec![json!({}); RESULTS_LIMIT + 1] }).to_string();
        for (body, cause) in [
            ("", NotReports::NotJson { line: 1, column: 0 }),
            ("{\"results\":\n[,]}", NotReports::NotJson { line: 2, column: 2 }),
            ("[]", NotReports::NoResults),
            ("{}", NotReports::NoResults),
            ("{\"results\":{}}", NotReports::NoResults),
            (&too_many, NotReports::TooMany),
        ] {
            assert_eq!(parse(body.as_bytes(), NOW), Err(cause), "{body:.40}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_reports_or_not(
            body in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "[\\[\\]{}\":,a-zA-Z0-9]*".prop_map(String::into_bytes)]
        ) {
            let _ = parse(&body, NOW);
        }
    }
}
