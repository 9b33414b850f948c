//! What becomes of a message or a request, as a number and in Telesign's words.
//!
//! The source is Telesign's page "All status and error codes".

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

pub(super) const IN_PROGRESS: u16 = 290;
/// Of calls: what the two others are of messages.
pub(super) const ANSWERED: u16 = 100;
pub(super) const CALLING: u16 = 103;
pub(super) const AT_GATEWAY: u16 = 203;
pub(super) const DELIVERED: u16 = 200;
pub(super) const UNKNOWN_SENDER: u16 = 521;
/// Of the report that a passcode was used.
pub(super) const COMPLETED: u16 = 1900;

/// As the examples of answers have it: day and month the wrong way round.
const IN_ANSWERS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[day]-[month]T[hour]:[minute]:[second].[subsecond digits:6]Z");

#[rustfmt::skip]
const DESCRIPTIONS: &[(u16, &str)] = &[
    (100, "Call answered"),
    (103, "Call in progress"),
    (200, "Delivered to handset"),
    (201, "Completed, suspicious activity detected"),
    (203, "Delivered to gateway"),
    (207, "Error delivering SMS to handset (reason unknown)"),
    (221, "Message expired before delivery"),
    (233, "Message blocked due to risk score"),
    (251, "Message delivery status not received"),
    (290, "Message in progress"),
    (505, "Gateway error - temporary"),
    (507, "Invalid destination address"),
    (517, "India DLT ids not found"),
    (521, "Sender ID not allowed"),
    (599, "Status not available"),
    (1900, "Verify completion successfully recorded"),
    (10000, "System Unavailable, Please try again later."),
    (10002, "Nonce was recently used"),
    (10003, "Invalid length of nonce"),
    (10004, "Date is out of range"),
    (10005, "Date is not RFC822 compliant"),
    (10006, "Invalid authentication method"),
    (10007, "Date is missing"),
    (10008, "Invalid Signature"),
    (10009, "Missing Authorization header"),
    (10015, "Invalid Customer ID"),
    (10019, "Rate Limit Exceeded"),
    (10020, "Exceeded transaction hard cap. Request denied."),
    (10022, "Invalid API Key"),
    (10028, "Invalid Authorization header"),
    (10030, "Insufficient funds"),
    (10033, "Number is not verified for this trial account"),
    (11000, "Invalid value for parameter phone_number"),
    (11003, "Invalid value for parameter account_lifecycle_event"),
    (11004, "Invalid value for parameter callback_url"),
    (11009, "Invalid value for parameter message"),
    (11010, "Invalid value for parameter originating_ip"),
    (11013, "Invalid value for parameter sender_id"),
    (11016, "Invalid value for parameter external_id"),
    (11017, "Invalid value for parameter message_type"),
    (11018, "Invalid value for parameter voice"),
    (11034, "Invalid value for parameter dlt_template_id"),
    (11035, "Invalid value for parameter dlt_entity_id"),
    (12000, "Missing required parameter phone_number"),
    (12009, "Missing required parameter message"),
    (12017, "Missing required parameter message_type"),
];

/// What a code says. One number has two meanings.
///
/// # Panics
///
/// Where there is no such code: they are all the emulator's own.
pub(super) fn description(code: u16, is_of_request: bool) -> &'static str {
    match (code, is_of_request) {
        (10031, true) => "Not Allowed Host",
        (10031, false) => "Message blocked by customer request",
        _ => {
            let found = DESCRIPTIONS.iter().find(|(of, _)| *of == code);
            found.unwrap_or_else(|| panic!("there is no code {code}")).1
        }
    }
}

/// The `status` of an answer.
pub(super) fn of_answer(code: u16, is_of_request: bool, now: OffsetDateTime) -> Value {
    json!({
        "code": code,
        "description": description(code, is_of_request),
        // Formatting fails only for what a moment lacks, and this one has a date and a time.
        "updated_on": now.format(IN_ANSWERS).unwrap_or_default(),
    })
}
