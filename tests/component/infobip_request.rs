//! The component's requests to Infobip, held field by field to its documentation.
//!
//! The tables are of Infobip's OpenAPI specifications of SMS and voice, version 3.210.0, operations
//! `POST /sms/3/messages` and `POST /tts/3/advanced`, with two limits from its page "Response status and error codes". It shares nothing with the emulator, whose own table may be
//! wrong.

use std::collections::BTreeMap;

use okta_telephony_dev::infobip_emulator::{DEVELOPMENT_API_KEY, InfobipEmulator, Settings};
use okta_telephony_dev::phone::RawRequest;
use serde_json::Value;

use crate::harness::{Form, Hook, Setup, bare, envelope};

/// An emulator that has the account of [`sent_by`].
pub async fn start() -> InfobipEmulator {
    let settings = Settings::new("127.0.0.1:0".parse().unwrap(), DEVELOPMENT_API_KEY);
    InfobipEmulator::start(settings).await.unwrap()
}

/// Sends by Infobip alone, with these keys in its entry besides.
pub fn sent_by(emulator: &InfobipEmulator, entry: &str) -> Setup {
    let origin = emulator.origin();
    Setup::new()
        .settings(&format!("providers = [{{ kind = 'infobip', base_url = '{origin}', {entry} }}]"))
        .secrets(&format!("providers.infobip.api_key = '{DEVELOPMENT_API_KEY}'"))
        .variable("acs_connection_string", "")
        .variable("acs_from_shortcode", "")
        .variable("outbound_host1", origin)
}

/// What a field holds.
#[derive(Debug)]
enum Type {
    Array,
    Object,
    /// Of so many characters at most; 0 is no limit.
    String(usize),
    Int32,
    /// A whole number in this range.
    Within(i64, i64),
    Bool,
    Enum(&'static [&'static str]),
}

/// Whether it is sent.
#[derive(Debug, PartialEq)]
enum Presence {
    Required,
    Optional,
    /// It is not for passcodes: it would send later, elsewhere, or another text.
    LeftOut,
}

use Presence::{LeftOut, Optional, Required};
use Type::{Array, Bool, Enum, Int32, Object};

#[rustfmt::skip]
const FIELDS: &[(&str, Type, Presence)] = &[
    ("messages", Array, Required),
    ("messages[]", Object, Required),
    ("messages[].sender", Type::String(0), Optional),
    ("messages[].destinations", Array, Required),
    ("messages[].destinations[]", Object, Required),
    ("messages[].destinations[].to", Type::String(64), Required),
    ("messages[].destinations[].messageId", Type::String(200), Optional),
    ("messages[].destinations[].networkId", Int32, LeftOut),
    ("messages[].content", Object, Required),
    ("messages[].content.text", Type::String(4000), Required),
    ("messages[].content.transliteration", Type::String(0), Optional),
    ("messages[].content.language", Object, Optional),
    ("messages[].content.language.languageCode", Enum(&["NONE", "TR", "ES", "PT", "AUTODETECT"]), Optional),
    ("messages[].options", Object, Optional),
    ("messages[].options.validityPeriod", Object, Optional),
    ("messages[].options.validityPeriod.amount", Int32, Required),
    ("messages[].options.validityPeriod.timeUnit", Enum(&["SECONDS", "MINUTES", "HOURS"]), Optional),
    ("messages[].options.regional", Object, Optional),
    ("messages[].options.regional.indiaDlt", Object, Optional),
    ("messages[].options.regional.indiaDlt.principalEntityId", Type::String(0), Required),
    ("messages[].options.regional.indiaDlt.contentTemplateId", Type::String(0), Optional),
    ("messages[].options.regional.indiaDlt.telemarketerId", Type::String(0), Optional),
    ("messages[].options.regional.turkeyIys", Object, LeftOut),
    ("messages[].options.regional.southKorea", Object, Optional),
    ("messages[].options.regional.southKorea.title", Type::String(66), Optional),
    ("messages[].options.regional.southKorea.resellerCode", Int32, Optional),
    ("messages[].options.platform", Object, Optional),
    ("messages[].options.platform.entityId", Type::String(255), Optional),
    ("messages[].options.platform.applicationId", Type::String(255), Optional),
    ("messages[].options.campaignReferenceId", Type::String(255), Optional),
    ("messages[].options.flash", Bool, Optional),
    ("messages[].options.deliveryTimeWindow", Object, LeftOut),
    ("messages[].webhooks", Object, Optional),
    ("messages[].webhooks.delivery", Object, Optional),
    ("messages[].webhooks.delivery.url", Type::String(0), Optional),
    ("messages[].webhooks.delivery.intermediateReport", Bool, Optional),
    ("messages[].webhooks.delivery.notify", Bool, Optional),
    ("messages[].webhooks.contentType", Enum(&["application/json", "application/xml"]), Optional),
    ("messages[].webhooks.callbackData", Type::String(4000), Optional),
    ("options", Object, Optional),
    ("options.schedule", Object, LeftOut),
    ("options.tracking", Object, LeftOut),
    ("options.includeSmsCountInResponse", Bool, Optional),
    ("options.conversionTracking", Object, Optional),
    ("options.conversionTracking.useConversionTracking", Bool, Optional),
    ("options.conversionTracking.conversionTrackingName", Type::String(0), Optional),
];

#[rustfmt::skip]
const CALL_FIELDS: &[(&str, Type, Presence)] = &[
    ("messages", Array, Required),
    ("messages[]", Object, Required),
    ("messages[].from", Type::String(15), Required),
    ("messages[].destinations", Array, Required),
    ("messages[].destinations[]", Object, Required),
    ("messages[].destinations[].to", Type::String(64), Required),
    ("messages[].destinations[].messageId", Type::String(0), Required),
    ("messages[].audioFileUrl", Type::String(0), LeftOut),
    ("messages[].text", Type::String(1400), Required),
    ("messages[].language", Type::String(0), Required),
    ("messages[].voice", Object, Optional),
    ("messages[].speechRate", Type::String(0), LeftOut),
    ("messages[].notifyUrl", Type::String(0), LeftOut),
    ("messages[].notifyContentType", Enum(&["application/json", "application/xml"]), Optional),
    ("messages[].notifyContentVersion", Type::Within(1, 2), Optional),
    ("messages[].callbackData", Type::String(700), Optional),
    ("messages[].validityPeriod", Type::Within(1, 48 * 60), Optional),
    ("messages[].sendAt", Type::String(0), LeftOut),
    ("messages[].repeatDtmf", Type::String(0), Optional),
    ("messages[].maxDtmf", Int32, Optional),
    ("messages[].dtmfTimeout", Int32, Optional),
    ("messages[].ringTimeout", Type::Within(1, 45), Optional),
    ("messages[].callTimeout", Int32, Optional),
    ("messages[].callTransfers", Array, LeftOut),
    ("messages[].pause", Type::Within(0, 10), Optional),
    ("messages[].retry", Object, LeftOut),
    ("messages[].sendingSpeed", Object, LeftOut),
    ("messages[].machineDetection", Enum(&["hangup", "continue"]), LeftOut),
    ("messages[].deliveryTimeWindow", Object, LeftOut),
];

/// The languages of its voices: the values of `language` in the same specification.
const LANGUAGES: &[&str] = &[
    "ar", "ar-ma", "bg", "bn", "ca", "cmn-cn", "cs", "da", "de", "de-at", "de-ch", "el", "en",
    "en-au", "en-ca", "en-gb", "en-ie", "en-in", "es", "es-419", "es-mx", "es-us", "fi", "fr",
    "fr-ca", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt", "lv", "ms", "nb-no", "nl",
    "nl-be", "no", "pl", "pt-br", "pt-pt", "ro", "ru", "sk", "sl", "sv", "th", "tr", "uk", "vi",
    "zh-cn", "zh-tw",
];

impl Type {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Array => value.as_array().is_some_and(|items| !items.is_empty()),
            Object => value.is_object(),
            Self::String(0) => value.is_string(),
            Self::String(most) => value.as_str().is_some_and(|it| it.chars().count() <= *most),
            Self::Within(least, most) => {
                value.as_i64().is_some_and(|it| (*least..=*most).contains(&it))
            }
            Int32 => value.as_i64().is_some_and(|it| i32::try_from(it).is_ok()),
            Bool => value.is_boolean(),
            Enum(values) => value.as_str().is_some_and(|it| values.contains(&it)),
        }
    }
}

/// Every value of a document below its root, by its path.
fn flat<'a>(value: &'a Value, path: &str, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            found.insert(path.clone(), value);
            flat(value, &path, found);
        }),
        Value::Array(items) => items.iter().for_each(|value| {
            let path = format!("{path}[]");
            found.insert(path.clone(), value);
            flat(value, &path, found);
        }),
        _ => {}
    }
}

/// All that a request has and should not, or the other way round.
fn deviations(fields: &[(&str, Type, Presence)], body: &Value) -> Vec<String> {
    let mut sent = BTreeMap::new();
    flat(body, "", &mut sent);
    let row = |path: &str| fields.iter().find(|(of, ..)| *of == path);
    let wrong = sent.iter().filter_map(|(path, value)| match row(path) {
        None => Some(format!("{path} is no field")),
        Some((_, _, LeftOut)) => Some(format!("{path} is not for passcodes")),
        Some((_, of_type, _)) => {
            (!of_type.holds(value)).then(|| format!("{path} is no {of_type:?}: {value}"))
        }
    });
    let missing = fields.iter().filter_map(|(path, _, presence)| {
        let around = path.strip_suffix("[]").or(path.rsplit_once('.').map(|(around, _)| around));
        let is_due = *presence == Required && around.is_none_or(|it| sent.contains_key(it));
        (is_due && !sent.contains_key(*path)).then(|| format!("{path} is missing"))
    });
    wrong.chain(missing).collect()
}

/// A hook that sends by Infobip, and the request that a payload brings about.
async fn request_of(entry: &str, payload: &Value, form: Form) -> RawRequest {
    let emulator = start().await;
    let hook = Hook::with(sent_by(&emulator, entry)).await;
    hook.post(payload.to_string()).await.accepted(form);
    let [request] = emulator.requests().try_into().unwrap();
    (*request.request).clone()
}

#[tokio::test]
async fn every_request_to_infobip_is_one_of_its_documentation() {
    const NUMBER: &str = "senders = { default = '+447860099299' }";
    const NAME: &str = "senders = { default = 'InfoSMS' }";
    const DLT: &str = "senders = { default = 'InfoSMS' }, india_dlt = { principal_entity_id = '1111111111111111112', \
                       content_template_id = '1111111111111111111', telemarketer_id = '111111111111' }";
    let mut long = envelope("+15550100123");
    long["data"]["messageProfile"]["msgTemplate"] =
        ["🙂 246810 ", &"é".repeat(400)].concat().into();
    for (entry, payload, form) in [
        (NUMBER, envelope("+41793026727"), Form::Documented),
        (NAME, long, Form::Documented),
        // Without an event's id there is nothing to bring back, and without a date nothing expires.
        (NAME, bare("+15550100123"), Form::Classic),
        (DLT, envelope("+919876543210"), Form::Documented),
        (DLT, envelope("+41793026727"), Form::Documented),
    ] {
        let request = request_of(entry, &payload, form).await;
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(deviations(FIELDS, &body), [""; 0], "{body}");

        assert!(request.request_line.starts_with("POST /sms/3/messages "), "{request}");
        let header = |name: &str| {
            let mut found = request.headers.iter().filter(|(of, _)| of == name);
            let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(found.next(), None, "{name}");
            value.as_str()
        };
        assert_eq!(header("authorization"), format!("App {DEVELOPMENT_API_KEY}"));
        assert_eq!(
            (header("content-type"), header("accept")),
            ("application/json", "application/json")
        );
        // "The '+' prefix is not needed", and its examples have none.
        let message = &body["messages"][0];
        for number in [&message["sender"], &message["destinations"][0]["to"]] {
            assert!(!number.as_str().unwrap().contains('+'), "{body}");
        }
        // "> 4000 bytes" is REJECTED_MESSAGE_TOO_LONG.
        assert!(message["content"]["text"].as_str().unwrap().len() <= 4000);
        // A period of more than 48 hours would be taken for 48 hours.
        let period = &message["options"]["validityPeriod"];
        let unit = period["timeUnit"].as_str();
        assert!(period.is_null() || unit == Some("SECONDS"), "{period}");
        assert!(period["amount"].as_i64().is_none_or(|it| (1..=48 * 3600).contains(&it)));
        let indian = message["options"]["regional"]["indiaDlt"].is_object();
        let to = &payload["data"]["messageProfile"]["phoneNumber"];
        assert_eq!(indian, entry == DLT && to.as_str().unwrap().starts_with("+91"), "{body}");
    }
}

#[tokio::test]
async fn every_call_by_infobip_is_one_of_its_documentation() {
    const ENTRY: &str =
        "senders = { default = 'InfoSMS' }, voice = true, voice_from = '+447860099299'";
    let call = |mut payload: Value, locale: &str| {
        let profile = &mut payload["data"]["messageProfile"];
        profile["deliveryChannel"] = "voice call".into();
        profile["locale"] = locale.into();
        payload
    };
    let languages = okta_telephony_acs::message::Language::ALL.iter();
    let calls = languages.map(|it| (call(envelope("+41793026727"), it.tag()), Form::Documented));
    let without_event = (call(bare("+4930123456"), "sw"), Form::Classic);
    let emulator = start().await;
    let setup = sent_by(&emulator, ENTRY).settings("limits.calls_per_number = ''");
    let hook = Hook::with(setup).await;
    for (payload, form) in calls.chain([without_event]) {
        hook.post(payload.to_string()).await.accepted(form);
        let request = emulator.requests().pop().unwrap().request;
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(deviations(CALL_FIELDS, &body), [""; 0], "{body}");
        assert!(request.request_line.starts_with("POST /tts/3/advanced "), "{request}");
        let call = &body["messages"][0];
        let language = call["language"].as_str().unwrap();
        assert!(LANGUAGES.contains(&language), "{language}");
        for number in [&call["from"], &call["destinations"][0]["to"]] {
            assert!(number.as_str().unwrap().bytes().all(|b| b.is_ascii_digit()), "{body}");
        }
        // "The # key cannot be collected."
        assert!(!call["repeatDtmf"].as_str().unwrap().contains('#'), "{body}");
    }
}

#[test]
fn a_request_that_is_none_is_found_out() {
    let right: Value = serde_json::from_str(
        r#"{"messages":[{"sender":"InfoSMS","destinations":[{"to":"41793026727"}],"content":{"text":"1"},
            "options":{"validityPeriod":{"amount":5}},"webhooks":{"contentType":"application/json"}}]}"#,
    )
    .unwrap();
    assert_eq!(deviations(FIELDS, &right), [""; 0]);
    for (pointer, value, told) in [
        ("/messages/0/destinations/0", r#"{"messageId":"1"}"#, "to is missing"),
        ("/messages/0/destinations", "[]", "messages[].destinations is no Array"),
        ("/messages/0/content", r#"{"text":1}"#, "content.text is no String(4000): 1"),
        ("/messages/0/options/validityPeriod", r#"{"timeUnit":"HOURS"}"#, "amount is missing"),
        ("/messages/0/options/validityPeriod/amount", "5.5", "amount is no Int32"),
        ("/messages/0/options", r#"{"deliveryTimeWindow":{}}"#, "is not for passcodes"),
        ("/messages/0/options", r#"{"validity":5}"#, "options.validity is no field"),
        ("/messages/0/options", r#"{"regional":{"indiaDlt":{}}}"#, "principalEntityId is missing"),
        ("/messages/0/webhooks/contentType", r#""text/plain""#, "contentType is no Enum"),
    ] {
        let mut wrong = right.clone();
        *wrong.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
        let told_of = deviations(FIELDS, &wrong).join("; ");
        assert!(told_of.contains(told), "{told_of}");
    }
}
