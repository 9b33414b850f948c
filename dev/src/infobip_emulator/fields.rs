//! What the fields of `POST /sms/3/messages` and of `POST /tts/3/advanced` may have.
//!
//! The source is Infobip's OpenAPI specifications of SMS and voice, version 3.210.0. A field that it does not have is ignored.

use serde_json::{Value, json};

use super::send::Operation;

/// What a field has.
enum Kind {
    Object,
    /// With one entry at least.
    List,
    /// Of so many characters at most.
    Text(usize),
    /// Of 32 bits.
    Integer,
    Flag,
    OneOf(&'static [&'static str]),
}

use Kind::{Flag, Integer, List, Object, OneOf, Text};

/// A text without a limit that is known.
const ANY_TEXT: Kind = Text(usize::MAX);

/// Each field: its path, what it has, and whether it must be there where what is around it is.
#[rustfmt::skip]
const FIELDS: &[(&str, Kind, bool)] = &[
    ("messages", List, true),
    ("messages[].sender", ANY_TEXT, false),
    ("messages[].destinations", List, true),
    ("messages[].destinations[].to", Text(64), true),
    ("messages[].destinations[].messageId", Text(200), false),
    ("messages[].destinations[].networkId", Integer, false),
    ("messages[].content", Object, true),
    ("messages[].content.text", ANY_TEXT, true),
    ("messages[].content.transliteration", ANY_TEXT, false),
    ("messages[].content.language", Object, false),
    ("messages[].content.language.languageCode", OneOf(&["NONE", "TR", "ES", "PT", "AUTODETECT"]), false),
    ("messages[].options", Object, false),
    ("messages[].options.validityPeriod", Object, false),
    ("messages[].options.validityPeriod.amount", Integer, true),
    ("messages[].options.validityPeriod.timeUnit", OneOf(&["SECONDS", "MINUTES", "HOURS"]), false),
    ("messages[].options.campaignReferenceId", Text(255), false),
    ("messages[].options.flash", Flag, false),
    ("messages[].options.platform", Object, false),
    ("messages[].options.platform.entityId", Text(255), false),
    ("messages[].options.platform.applicationId", Text(255), false),
    ("messages[].options.deliveryTimeWindow", Object, false),
    ("messages[].options.regional", Object, false),
    ("messages[].options.regional.indiaDlt", Object, false),
    ("messages[].options.regional.indiaDlt.principalEntityId", ANY_TEXT, true),
    ("messages[].options.regional.indiaDlt.contentTemplateId", ANY_TEXT, false),
    ("messages[].options.regional.indiaDlt.telemarketerId", ANY_TEXT, false),
    ("messages[].options.regional.turkeyIys", Object, false),
    ("messages[].options.regional.turkeyIys.recipientType", OneOf(&["BIREYSEL", "TACIR"]), true),
    ("messages[].options.regional.turkeyIys.brandCode", Integer, false),
    ("messages[].options.regional.southKorea", Object, false),
    ("messages[].options.regional.southKorea.title", Text(66), false),
    ("messages[].options.regional.southKorea.resellerCode", Integer, false),
    ("messages[].webhooks", Object, false),
    ("messages[].webhooks.delivery", Object, false),
    ("messages[].webhooks.delivery.url", ANY_TEXT, false),
    ("messages[].webhooks.delivery.intermediateReport", Flag, false),
    ("messages[].webhooks.delivery.notify", Flag, false),
    ("messages[].webhooks.contentType", OneOf(&["application/json", "application/xml"]), false),
    ("messages[].webhooks.callbackData", Text(4000), false),
    ("options", Object, false),
    ("options.schedule", Object, false),
    ("options.schedule.bulkId", Text(100), false),
    ("options.tracking", Object, false),
    ("options.includeSmsCountInResponse", Flag, false),
    ("options.conversionTracking", Object, false),
    ("options.conversionTracking.useConversionTracking", Flag, false),
    ("options.conversionTracking.conversionTrackingName", ANY_TEXT, false),
];

/// The same of a call. What would call at another time, or again, is not emulated.
#[rustfmt::skip]
const CALL_FIELDS: &[(&str, Kind, bool)] = &[
    ("messages", List, true),
    ("messages[].from", ANY_TEXT, false),
    ("messages[].destinations", List, true),
    ("messages[].destinations[].to", Text(64), true),
    ("messages[].destinations[].messageId", ANY_TEXT, false),
    ("messages[].text", Text(1400), false),
    ("messages[].language", ANY_TEXT, false),
    ("messages[].voice", Object, false),
    ("messages[].voice.gender", OneOf(&["female", "male"]), false),
    ("messages[].voice.name", ANY_TEXT, false),
    ("messages[].notifyUrl", ANY_TEXT, false),
    ("messages[].notifyContentType", OneOf(&["application/json", "application/xml"]), false),
    ("messages[].notifyContentVersion", Integer, false),
    ("messages[].callbackData", Text(700), false),
    ("messages[].validityPeriod", Integer, false),
    ("messages[].repeatDtmf", ANY_TEXT, false),
    ("messages[].maxDtmf", Integer, false),
    ("messages[].dtmfTimeout", Integer, false),
    ("messages[].ringTimeout", Integer, false),
    ("messages[].callTimeout", Integer, false),
    ("messages[].pause", Integer, false),
    ("messages[].machineDetection", OneOf(&["hangup", "continue"]), false),
];

/// What is wrong with which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub property: String,
    pub violation: String,
}

impl Violation {
    pub fn json(&self) -> Value {
        json!({ "property": self.property, "violation": self.violation })
    }
}

/// All that is wrong with the body of an operation.
pub(super) fn violations(operation: Operation, body: &Value) -> Vec<Violation> {
    let fields = match operation {
        Operation::Sms => FIELDS,
        Operation::Voice => CALL_FIELDS,
    };
    let mut found = Vec::new();
    for (path, kind, required) in fields {
        look(body, "", path, (kind, *required), &mut found);
    }
    found
}

/// Looks at a field wherever it is. `at` is where `value` is, and `path` leads on from there.
fn look(value: &Value, at: &str, path: &str, field: (&Kind, bool), found: &mut Vec<Violation>) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let name = first.strip_suffix("[]").unwrap_or(first);
    let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let (kind, required) = field;
    let inner = value.get(name).filter(|inner| !inner.is_null());
    match (inner, rest) {
        // What is around it and is no object is told by a row of its own.
        (None, None) if required && value.is_object() => {
            found.push(Violation { property: at, violation: "must not be null".to_owned() });
        }
        (None, _) => {}
        (Some(inner), None) => {
            if let Some(violation) = kind.violation(inner) {
                found.push(Violation { property: at, violation });
            }
        }
        (Some(Value::Array(items)), Some(rest)) if first.ends_with("[]") => {
            for (index, item) in items.iter().enumerate() {
                look(item, &format!("{at}[{index}]"), rest, field, found);
            }
        }
        (Some(inner), Some(rest)) => look(inner, &at, rest, field, found),
    }
}

impl Kind {
    fn violation(&self, value: &Value) -> Option<String> {
        let fits = match self {
            Object => value.is_object(),
            List => value.as_array().is_some_and(|items| !items.is_empty()),
            Text(longest) => value.as_str().is_some_and(|text| text.chars().count() <= *longest),
            Integer => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Flag => value.is_boolean(),
            OneOf(names) => value.as_str().is_some_and(|name| names.contains(&name)),
        };
        (!fits).then(|| match self {
            Object => "must be an object".to_owned(),
            List => "must be a list that is not empty".to_owned(),
            Text(usize::MAX) => "must be a text".to_owned(),
            Text(longest) => format!("must be a text of {longest} characters at most"),
            Integer => "must be an integer of 32 bits".to_owned(),
            Flag => "must be true or false".to_owned(),
            OneOf(names) => format!("must be one of {}", names.join(", ")),
        })
    }
}
