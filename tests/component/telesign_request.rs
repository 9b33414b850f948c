//! The component's requests to Telesign, held field by field to its documentation.
//!
//! The tables are of Telesign's OpenAPI files of SMS and of voice messages, operations `POST /v1/messaging` and
//! `POST /v1/voice`, with limits from its page "All status and
//! error codes"; the signature is made as in its sample code (`python/rest/shared/ts_auth.py`). It shares nothing with the
//! emulator, whose own table may be wrong.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use okta_telephony_dev::phone::RawRequest;
use okta_telephony_dev::telesign_emulator::{
    DEVELOPMENT_API_KEY, DEVELOPMENT_CUSTOMER_ID, Settings, TelesignEmulator,
};
use serde_json::Value;
use sha2::Sha256;

use crate::harness::{ENROLLMENT, Form, Hook, Setup, bare, envelope};

/// An emulator that has the account of [`sent_by`].
pub async fn start() -> TelesignEmulator {
    TelesignEmulator::start(Settings::new("127.0.0.1:0".parse().unwrap())).await.unwrap()
}

/// Sends by Telesign alone, with these keys in its entry besides.
pub fn sent_by(emulator: &TelesignEmulator, entry: &str) -> Setup {
    let origin = emulator.origin();
    Setup::new()
        .settings(&format!(
            "providers = [{{ kind = 'telesign', base_url = '{origin}', \
             customer_id = '{DEVELOPMENT_CUSTOMER_ID}', {entry} }}]"
        ))
        .secrets(&format!("providers.telesign.api_key = '{DEVELOPMENT_API_KEY}'"))
        .variable("acs_connection_string", "")
        .variable("acs_from_shortcode", "")
        .variable("outbound_host1", origin)
}

/// What a field holds.
#[derive(Debug)]
enum Type {
    /// Digits only, with the country code.
    Number,
    /// Of so many characters at most.
    Text(usize),
    Ascii(usize),
    Enum(&'static [&'static str]),
}

/// Whether it is sent.
#[derive(Debug, PartialEq)]
enum Presence {
    Required,
    Optional,
    /// It is a person's, or the hook can't know it.
    LeftOut,
}

use Presence::{LeftOut, Optional, Required};
use Type::{Ascii, Enum, Number, Text};

#[rustfmt::skip]
const FIELDS: &[(&str, Type, Presence)] = &[
    ("phone_number", Number, Required),
    ("message", Text(1600), Required),
    ("message_type", Enum(&["OTP"]), Required),
    ("account_lifecycle_event", Enum(&["create", "sign-in", "transact", "update", "delete"]), Optional),
    ("sender_id", Ascii(20), Optional),
    ("external_id", Ascii(100), Optional),
    ("originating_ip", Ascii(45), LeftOut),
    ("callback_url", Ascii(2000), Optional),
    ("is_primary", Enum(&["true", "false"]), LeftOut),
    ("dlt_template_id", Text(40), Optional),
    ("dlt_entity_id", Text(40), Optional),
];

/// Of a call.
#[rustfmt::skip]
const CALL_FIELDS: &[(&str, Type, Presence)] = &[
    ("phone_number", Number, Required),
    ("message", Text(1600), Required),
    ("message_type", Enum(&["OTP"]), Required),
    ("voice", Enum(&[
        "f-zh-HK", "f-zh-CN", "f-zh-TW", "f-da-DK", "f-nl-NL", "f-en-AU", "f-en-GB", "f-en-US", "f-en-CA", "f-en-IN",
        "f-fi-FI", "f-fr-FR", "f-fr-CA", "f-de-DE", "f-it-IT", "f-ja-JP", "f-ko-KR", "f-nb-NO", "f-pl-PL", "f-pt-BR",
        "f-pt-PT", "f-ru-RU", "f-es-MX", "f-es-ES", "f-ca-ES", "f-sv-SE",
    ]), Optional),
    ("select_digits", Number, LeftOut),
    ("repeat_digit", Number, Optional),
    ("tts_repeat", Text(1600), Optional),
    ("prompt_message", Text(1600), Required),
    ("prompt_digit", Enum(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]), Required),
    ("caller_id", Number, Optional),
    ("account_lifecycle_event", Enum(&["create", "sign-in", "transact", "update", "delete"]), Optional),
    ("external_id", Ascii(100), Optional),
    ("originating_ip", Ascii(45), LeftOut),
];

impl Type {
    fn holds(&self, value: &str) -> bool {
        match self {
            Number => value.len() <= 15 && value.bytes().all(|b| b.is_ascii_digit()),
            Text(most) => value.chars().count() <= *most,
            Ascii(most) => value.is_ascii() && value.len() <= *most,
            Enum(values) => values.contains(&value),
        }
    }
}

/// The fields of a form, of which each may be there once.
fn fields(body: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body).into_owned() {
        assert_eq!(fields.insert(name.clone(), value), None, "{name} is there twice");
    }
    fields
}

/// All that a request has and should not, or the other way round.
fn deviations(of: &[(&str, Type, Presence)], sent: &BTreeMap<String, String>) -> Vec<String> {
    let row = |name: &str| of.iter().find(|(field, ..)| *field == name);
    let wrong = sent.iter().filter_map(|(name, value)| match row(name) {
        None => Some(format!("{name} is no field")),
        Some((_, _, LeftOut)) => Some(format!("{name} is left out")),
        Some((_, of_type, _)) => {
            (!of_type.holds(value)).then(|| format!("{name} is no {of_type:?}: {value}"))
        }
    });
    let missing = of.iter().filter_map(|(name, _, presence)| {
        let is_missing = *presence == Required && !sent.contains_key(*name);
        is_missing.then(|| format!("{name} is missing"))
    });
    wrong.chain(missing).collect()
}

/// A hook that sends by Telesign, and the request that a payload brings about.
async fn request_of(entry: &str, payload: &Value, form: Form) -> RawRequest {
    let emulator = start().await;
    let hook = Hook::with(sent_by(&emulator, entry)).await;
    hook.post(payload.to_string()).await.accepted(form);
    let [request] = emulator.requests().try_into().unwrap();
    (*request.request).clone()
}

#[tokio::test]
async fn every_request_to_telesign_is_one_of_its_documentation_and_is_signed() {
    const NUMBER: &str = "senders = { default = '+447860099299' }";
    const NAME: &str = "senders = { default = 'CONTOSO' }";
    const DLT: &str = "senders = { default = 'CONTOSO' }, india_dlt = { principal_entity_id = '1111111111111111112', \
                       content_template_id = '1111111111111111111' }";
    let mut long = envelope("+15550100123");
    long["data"]["messageProfile"]["msgTemplate"] =
        ["🙂 246810 ", &"é".repeat(400)].concat().into();
    let mut enrolling = envelope("+41793026727");
    enrolling["requestType"] = ENROLLMENT.into();
    for (entry, payload, form) in [
        (NUMBER, envelope("+41793026727"), Form::Documented),
        (NAME, long, Form::Documented),
        (NAME, enrolling.clone(), Form::Documented),
        // Without an event's id there is nothing to give back.
        (NAME, bare("+15550100123"), Form::Classic),
        (DLT, envelope("+919876543210"), Form::Documented),
        (DLT, envelope("+41793026727"), Form::Documented),
    ] {
        let request = request_of(entry, &payload, form).await;
        let fields = fields(&request.body);
        assert_eq!(deviations(FIELDS, &fields), [""; 0], "{request}");
        let is_enrolling = payload["requestType"] == ENROLLMENT;
        let event = if is_enrolling { "update" } else { "sign-in" };
        assert_eq!(fields["account_lifecycle_event"], event, "{request}");
        let indian = fields.contains_key("dlt_entity_id") && fields.contains_key("dlt_template_id");
        let to = &payload["data"]["messageProfile"]["phoneNumber"];
        assert_eq!(indian, entry == DLT && to.as_str().unwrap().starts_with("+91"), "{request}");

        assert!(request.request_line.starts_with("POST /v1/messaging "), "{request}");
        let header = |name: &str| {
            let mut found = request.headers.iter().filter(|(of, _)| of == name);
            let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(found.next(), None, "{name}");
            value.as_str()
        };
        let [date, nonce] = ["date", "x-ts-nonce"].map(header);
        assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
        assert!(uuid::Uuid::parse_str(nonce).is_ok(), "{nonce}");
        assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
        assert_eq!(header("x-ts-auth-method"), "HMAC-SHA256");
        let signed = [
            format!("POST\napplication/x-www-form-urlencoded\n{date}\n").as_bytes(),
            format!("x-ts-auth-method:HMAC-SHA256\nx-ts-nonce:{nonce}\n").as_bytes(),
            &request.body,
            b"\n/v1/messaging",
        ]
        .concat();
        let key = BASE64_STANDARD.decode(DEVELOPMENT_API_KEY).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(&signed);
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let expected = format!("TSA {DEVELOPMENT_CUSTOMER_ID}:{signature}");
        assert_eq!(header("authorization"), expected, "{request}");
        assert!(!request.to_string().contains(DEVELOPMENT_API_KEY));
    }
}

#[tokio::test]
async fn every_call_by_telesign_is_one_of_its_documentation() {
    const CHOSEN: &str = "senders = { default = 'CONTOSO' }, voice = true";
    const OWN: &str =
        "senders = { default = 'CONTOSO' }, voice = true, voice_from = '+447860099299'";
    for (entry, locale, voice, caller_id) in [
        (CHOSEN, "de-AT", "f-de-DE", None),
        (OWN, "pt-BR", "f-pt-BR", Some("447860099299")),
        // Telesign has no voice for it.
        (OWN, "th", "f-en-US", Some("447860099299")),
    ] {
        let mut payload = envelope("+4930123456");
        let profile = &mut payload["data"]["messageProfile"];
        profile["deliveryChannel"] = "voice call".into();
        profile["locale"] = locale.into();
        let request = request_of(entry, &payload, Form::Documented).await;
        assert!(request.request_line.starts_with("POST /v1/voice "), "{request}");
        let fields = fields(&request.body);
        assert_eq!(deviations(CALL_FIELDS, &fields), [""; 0], "{request}");
        assert_eq!(fields["voice"], voice);
        assert_eq!(fields.get("caller_id").map(String::as_str), caller_id);
        assert!(fields["prompt_message"].contains(&fields["prompt_digit"]));
    }
}

#[test]
fn a_request_that_is_none_is_found_out() {
    let right = [("phone_number", "41793026727"), ("message", "1"), ("message_type", "OTP")];
    let with = |name: &str, value: Option<&str>| {
        let mut fields: BTreeMap<String, String> =
            right.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fields.remove(name);
        fields.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        deviations(FIELDS, &fields).join("; ")
    };
    assert_eq!(with("sender_id", Some("CONTOSO")), "");
    for (name, value, told) in [
        ("message", None, "message is missing"),
        ("phone_number", Some("+41793026727"), "phone_number is no Number"),
        ("message_type", Some("MKT"), "message_type is no Enum"),
        ("sender_id", Some("0123456789ABCDEFGHIJK"), "sender_id is no Ascii(20)"),
        ("external_id", Some("é"), "external_id is no Ascii(100)"),
        ("originating_ip", Some("192.0.2.1"), "originating_ip is left out"),
        ("to", Some("1"), "to is no field"),
    ] {
        let deviations = with(name, value);
        assert!(deviations.contains(told), "{deviations}");
    }
}
