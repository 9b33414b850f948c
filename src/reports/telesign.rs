//! What a delivery of Telesign's says: the report of one message, and its signature.
//!
//! Facts are from Telesign's OpenAPI file of callbacks, and from its pages "Transaction callback service", "SMS callback
//! service", "Authenticate callbacks" and "All status and error codes".
//!
//! A report needs the message's id. Nothing else is needed, and a date that can't be read is none: Telesign writes it in
//! several forms, and its examples have day and month the wrong way round. No number, no text and no price leaves this room.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use serde_json::error::Category;

use super::{DeliveryReport, letters, utf8};
use crate::date;
use crate::identifier::Identifier;
use crate::ports::{InboundRequest, milliseconds};
use crate::records::code::Code;
use crate::records::{CLOCKS_APART, Moment, Reported, Said};

/// The most bytes of a body. A report has about 500.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The headers that carry the signature: the bare one, and one with the Customer ID before it.
const HEADERS: [&str; 2] = ["x-ts-authorization", "authorization"];

/// Why a body is no report. Never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAReport {
    /// It is not JSON in UTF-8. Bytes that are not UTF-8 may be within its texts.
    NotJson {
        /// Where it stops being JSON, from 1.
        line: usize,
        /// The byte in that line, from 1 as a rule.
        column: usize,
    },
    /// It is JSON, and no object.
    NotAnObject,
    /// `reference_id` is missing, or is no id of a message.
    ReferenceId,
}

impl fmt::Display for NotAReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => {
                write!(f, "the body is not JSON in UTF-8: look at line {line}, column {column}")
            }
            Self::NotAnObject => f.write_str("the body is not an object"),
            Self::ReferenceId => f.write_str(
                "the report's reference_id is missing, or has characters that no id has",
            ),
        }
    }
}

/// The signatures that a request presents. Telesign sends both headers, and a proxy may take one away.
pub fn signatures(request: &dyn InboundRequest) -> Vec<[u8; 32]> {
    let in_header = |name| match &request.header(name)[..] {
        [value] => signature(value),
        _ => None,
    };
    HEADERS.into_iter().filter_map(in_header).collect()
}

/// The signature in the value of either header: base64 of 32 bytes, alone or behind `TSA CUSTOMER_ID:`.
pub fn signature(value: &[u8]) -> Option<[u8; 32]> {
    let value = str::from_utf8(value).ok()?.trim();
    let signature = match value.split_once(' ') {
        None => value,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("TSA") => rest.rsplit_once(':')?.1,
        Some(_) => return None,
    };
    BASE64_STANDARD.decode(signature).ok()?.try_into().ok()
}

/// Reads a body. A report without a date counts as one of `now`.
pub fn parse(body: &[u8], now: Moment) -> Result<DeliveryReport, NotAReport> {
    let body = utf8(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body));
    let report: Value = serde_json::from_str(&body).map_err(|error| match error.classify() {
        Category::Data => NotAReport::NotAnObject,
        _ => NotAReport::NotJson { line: error.line(), column: error.column() },
    })?;
    if !report.is_object() {
        return Err(NotAReport::NotAnObject);
    }
    let text = |at: &str| report.pointer(at).and_then(Value::as_str).map(str::trim);
    let message_id = text("/reference_id").filter(|id| !id.is_empty());
    let message_id = message_id.ok_or(NotAReport::ReferenceId)?;
    let identifier = Identifier::of_message(message_id);
    if identifier.as_str() != message_id {
        return Err(NotAReport::ReferenceId);
    }
    let code = report.pointer("/status/code").and_then(|code| match code {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    let said = said(code, text("/status/description"));
    let has_come = |at: &Moment| *at <= now.saturating_add(CLOCKS_APART);
    let at = text("/status/updated_on").and_then(moment).filter(has_come);
    let tag = text("/external_id").filter(|tag| !tag.is_empty());
    Ok(DeliveryReport {
        message_id: identifier,
        reported: Reported {
            at: at.unwrap_or(now),
            code: code.filter(|code| !SAY_NO_MORE.contains(code)).map(Code::Telesign),
            said,
        },
        has_date: at.is_some(),
        tag: tag.map(Identifier::new),
    })
}

/// The codes of messages that are delivered or on their way: of these, what became of the message says it all.
const SAY_NO_MORE: [u16; 8] = [100, 103, 105, 200, 203, 290, 292, 295];

/// What became of the message. What is not final, or not known, is kept by its description.
fn said(code: Option<u16>, description: Option<&str>) -> Said {
    let description = || description.and_then(letters);
    match code {
        // The second one has a suspicion beside it.
        Some(200 | 201) => Said::Delivered,
        // A call that was answered, be it by a voicemail, which presses no key; and one that is under way.
        Some(100) => Said::Delivered,
        Some(103 | 105) => Said::Unconfirmed(description()),
        Some(101 | 104 | 106..=108 | 129 | 130) => Said::Failed,
        // With the gateway, in progress, queued, delayed; and those of which nobody will know more.
        Some(203 | 290 | 292 | 295 | 250 | 251 | 599) => Said::Unconfirmed(description()),
        Some(
            207
            | 210
            | 211
            | 220..=222
            | 229..=231
            | 233
            | 237
            | 238
            | 500..=515
            | 517..=521
            | 10000
            | 10030..=10032
            | 11000,
        ) => Said::Failed,
        _ => Said::Other(description()),
    }
}

/// A date since 1970.
fn moment(text: &str) -> Option<Moment> {
    date::read(text).filter(|date| date.unix_timestamp() >= 0).map(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeRequest;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Moment = 1_769_860_800_000;
    const ID: &str = "B56259E45884010488343BAA15FB0002";

    /// Telesign's own example.
    fn example() -> Value {
        json!({"reference_id": ID,
            "status": {"code": 200, "description": "Delivered to handset", "updated_on": "2016-10-21T14:05:36.181346Z"},
            "additional_info": {"mcc": "310", "mnc": "004", "price": "0.01", "currency": "USD", "message_parts_count": 2,
                "message_parts_reference_ids": "35E63E88CB000E049196AD1CFCFFB89C,35E63E88CC7C050491613443467F3F12"},
            "external_id": "CustomExternalID7349"})
    }

    fn read(report: &Value) -> Result<DeliveryReport, NotAReport> {
        parse(report.to_string().as_bytes(), NOW)
    }

    fn with_status(status: Value) -> Reported {
        let mut report = example();
        report["status"] = status;
        read(&report).unwrap().reported
    }

    #[test]
    fn telesigns_own_example_is_read() {
        let report = read(&example()).unwrap();
        assert_eq!(report.message_id.as_str(), ID);
        let expected = Reported { at: 1_477_058_736_181, said: Said::Delivered, code: None };
        assert_eq!((report.reported, report.has_date), (expected, true));
        assert_eq!(report.tag.unwrap().as_str(), "CustomExternalID7349");
    }

    #[test]
    fn the_form_of_the_page_on_sms_is_read_as_well() {
        let report = json!({"reference_id": ID, "sub_resource": "sms", "errors": [], "external_id": null,
            "status": {"code": "207", "description": "Error delivering SMS to handset (reason unknown)",
                "updated_on": "Fri, 21 Oct 2016 14:05:36 GMT"},
            "additional_info": {"message_parts_count": "2", "sender_id ": "15555555555"}});
        let report = read(&report).unwrap();
        let expected =
            Reported { at: 1_477_058_736_000, said: Said::Failed, code: Some(Code::Telesign(207)) };
        assert_eq!((report.reported, report.has_date, report.tag), (expected, true, None));
    }

    #[test]
    fn no_date_fails_a_report() {
        for (date, at) in [
            (json!("2016-10-21T14:05:36.181346Z"), Some(1_477_058_736_181)),
            (json!("Fri, 21 Oct 2016 14:05:36 GMT"), Some(1_477_058_736_000)),
            // Day and month the wrong way round, as in Telesign's examples.
            (json!("2022-31-03T14:51:28.709526Z"), None),
            (json!("9999-01-01T00:00:00Z"), None),
            (json!("1969-01-01T00:00:00Z"), None),
            (json!(""), None),
            (json!(7), None),
            (json!({}), None),
            (Value::Null, None),
        ] {
            let mut report = example();
            report["status"]["updated_on"] = date.clone();
            let report = read(&report).unwrap();
            assert_eq!(report.reported.said, Said::Delivered, "{date}");
            assert_eq!(
                (report.has_date, report.reported.at),
                (at.is_some(), at.unwrap_or(NOW)),
                "{date}"
            );
        }
    }

    #[test]
    fn each_code_is_delivered_failed_or_neither() {
        let unconfirmed = |text: &str| Said::Unconfirmed(Some(text.to_owned()));
        for (code, said, told) in [
            (100, Said::Delivered, false),
            (103, unconfirmed("X"), false),
            (107, Said::Failed, true),
            (200, Said::Delivered, false),
            (201, Said::Delivered, true),
            (203, unconfirmed("X"), false),
            (290, unconfirmed("X"), false),
            (295, unconfirmed("X"), false),
            (250, unconfirmed("X"), true),
            (251, unconfirmed("X"), true),
            (599, unconfirmed("X"), true),
            (211, Said::Failed, true),
            (230, Said::Failed, true),
            (500, Said::Failed, true),
            (521, Said::Failed, true),
            // Of an answer it would say that the host is wrong.
            (10031, Said::Failed, true),
            (11000, Said::Failed, true),
            (516, Said::Other(Some("X".into())), true),
            (9999, Said::Other(Some("X".into())), true),
        ] {
            let reported = with_status(json!({"code": code, "description": "X"}));
            let told = told.then_some(Code::Telesign(code));
            assert_eq!((reported.said, reported.code), (said, told), "{code}");
        }
        let to = with_status(json!({"code": 9999, "description": "To +41793026727"}));
        assert_eq!(to.said, Said::Other(Some("To_____________".into())));
        for status in
            [json!({}), json!({"code": 1.5}), json!({"code": 99_999}), json!(200), Value::Null]
        {
            assert_eq!(with_status(status).said, Said::Other(None));
        }
    }

    #[test]
    fn a_gateways_report_that_is_late_undoes_no_handsets() {
        let of = |code: u16, date: &str| with_status(json!({"code": code, "updated_on": date}));
        let delivered = of(200, "2026-01-31T11:59:00Z");
        for late in [of(203, "2026-01-31T11:59:30Z"), of(203, "?"), of(290, "?"), of(251, "?")] {
            assert!(!late.supersedes(&delivered) && delivered.supersedes(&late), "{late:?}");
        }
    }

    #[test]
    fn a_body_that_is_no_report_is_refused_by_its_cause() {
        for (body, cause) in [
            ("", NotAReport::NotJson { line: 1, column: 0 }),
            ("{\"status\":\n,}", NotAReport::NotJson { line: 2, column: 1 }),
            ("[]", NotAReport::NotAnObject),
            ("7", NotAReport::NotAnObject),
            ("{}", NotAReport::ReferenceId),
            ("{\"reference_id\":7}", NotAReport::ReferenceId),
            ("{\"reference_id\":\" \"}", NotAReport::ReferenceId),
            ("{\"reference_id\":\"+15550100123\"}", NotAReport::ReferenceId),
        ] {
            assert_eq!(parse(body.as_bytes(), NOW), Err(cause), "{body}");
        }
        // By chance an id may have no letter.
        let report = json!({"reference_id": "01234567890123456789012345678901"});
        assert!(read(&report).is_ok());
    }

    #[test]
    fn the_signature_is_found_in_either_header() {
        const SIGNATURE: &str = "B97g3N9lPdVaptvifxRau7bzVAC5hhRBZ6HKXABN744=";
        let tsa = format!("TSA FFFFFFFF-EEEE-DDDD-1234-AB1234567890:{SIGNATURE}");
        let basic = format!("Basic {SIGNATURE}");
        let short = &SIGNATURE[4..];
        let bare = ("x-ts-authorization", SIGNATURE);
        for (headers, found) in [
            (&[("authorization", &*tsa), bare][..], 2),
            (&[("authorization", &*tsa)], 1),
            (&[bare], 1),
            (&[("authorization", &*basic), bare], 1),
            (&[("authorization", &*basic)], 0),
            (&[("authorization", "TSA"), ("x-ts-authorization", short)], 0),
            (&[bare, bare], 0),
            (&[], 0),
        ] {
            let mut request = FakeRequest::hook("");
            request.headers =
                headers.iter().map(|(name, it)| (*name, it.as_bytes().to_vec())).collect();
            let signatures = signatures(&request);
            assert_eq!(signatures.len(), found, "{headers:?}");
            assert!(signatures.iter().all(|it| BASE64_STANDARD.encode(it) == SIGNATURE));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_not(
            body in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "[\\[\\]{}\":,a-zA-Z0-9]*".prop_map(String::into_bytes)]
        ) {
            let _ = (parse(&body, NOW), signature(&body));
        }

        #[test]
        fn whatever_a_report_says_of_its_status_is_taken(
            code in any::<i64>(), description in "\\PC*", date in "\\PC*"
        ) {
            let reported = with_status(json!({"code": code, "description": description, "updated_on": date}));
            let said = reported.unconfirmed_status().unwrap_or_default();
            prop_assert!(said.len() <= 32 && said.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_'));
        }
    }
}
