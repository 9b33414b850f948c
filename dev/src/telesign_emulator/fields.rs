//! What the fields of `POST /v1/messaging` and of `POST /v1/voice` may have.
//!
//! The sources are Telesign's OpenAPI files of SMS and of voice messages, and its page "All status and error codes" for the codes. A field that it
//! does not have is ignored.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::Uri;

/// A text longer than this is refused.
const MESSAGE_MAX: usize = 1600;

/// The voice of a call that names none.
pub(super) const DEFAULT_VOICE: &str = "f-en-US";

#[rustfmt::skip]
const VOICES: [&str; 26] = [
    "f-zh-HK", "f-zh-CN", "f-zh-TW", "f-da-DK", "f-nl-NL", "f-en-AU", "f-en-GB", DEFAULT_VOICE, "f-en-CA", "f-en-IN",
    "f-fi-FI", "f-fr-FR", "f-fr-CA", "f-de-DE", "f-it-IT", "f-ja-JP", "f-ko-KR", "f-nb-NO", "f-pl-PL", "f-pt-BR",
    "f-pt-PT", "f-ru-RU", "f-es-MX", "f-es-ES", "f-ca-ES", "f-sv-SE",
];

/// The code of the first field that is wrong, and why, for the developer.
pub(super) fn flaw(fields: &BTreeMap<String, String>, is_call: bool) -> Option<(u16, String)> {
    for (name, code) in [("phone_number", 12000), ("message", 12009), ("message_type", 12017)] {
        if fields.get(name).is_none_or(String::is_empty) {
            return Some((code, format!("{name} is missing")));
        }
    }
    let checks = fields.iter().filter_map(|(name, value)| {
        let (code, is_right): (_, bool) = match name.as_str() {
            "phone_number" => (11000, is_number(value)),
            "message" => (11009, value.chars().count() <= MESSAGE_MAX),
            "message_type" => (11017, ["OTP", "ARN", "MKT"].contains(&&**value)),
            "account_lifecycle_event" => {
                let events = ["create", "sign-in", "transact", "update", "delete"];
                (11003, events.contains(&&**value))
            }
            "sender_id" => (11013, value.chars().count() <= 20),
            "external_id" => (11016, value.is_ascii() && value.len() <= 100),
            "originating_ip" => (11010, value.parse::<IpAddr>().is_ok()),
            "callback_url" => {
                (11004, value.parse::<Uri>().is_ok_and(|url| url.scheme_str() == Some("https")))
            }
            "voice" if is_call => (11018, VOICES.contains(&&**value)),
            "dlt_template_id" => (11034, value.len() <= 40),
            "dlt_entity_id" => (11035, value.len() <= 40),
            _ => return None,
        };
        (!is_right).then(|| (code, format!("{name} is not what it may be: {value:?}")))
    });
    checks.min_by_key(|(code, _)| *code)
}

/// "too long, too short, or contains non-digit values".
fn is_number(value: &str) -> bool {
    (7..=15).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
}
