//! What the request says: Okta's JSON, in either dialect, to a [`HookRequest`].

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::phone_number::{InvalidPhoneNumber, PhoneNumber};
use crate::refusal::{Reason, Refusal};

/// The most bytes of a body. Okta's payloads have about one kilobyte.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The deepest nesting of a body. Okta's payloads have four levels.
pub const NESTING_LIMIT: usize = 32;

/// The longest passcode, in characters. Okta's have 5 or 6 digits.
pub const OTP_CODE_LIMIT: usize = 32;

/// The `eventType` of a telephony inline hook.
pub const EVENT_TYPE: &str = "com.okta.telephony.provider";

/// The `phoneNumber` in the preview of Okta's Admin Console, until the admin edits it.
pub const PREVIEW_NUMBER: &str = "9876543210";

/// How the request is worded, and so how the answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Okta's documented contract: a full envelope, which has an `eventType`.
    Documented,
    /// A bare `{"data":{"messageProfile":…}}`, as the system that this one replaces takes it.
    Classic,
}

/// What the hook takes from a request.
#[derive(Clone, PartialEq, Eq)]
pub struct HookRequest {
    /// Okta's id of this hook call, where there is one.
    pub event_id: Option<String>,
    /// When Okta made the call, where it says so.
    pub event_time: Option<OffsetDateTime>,
    /// Which step asks, such as `com.okta.user.telephony.pre-enrollment`: an open set.
    pub request_type: Option<String>,
    /// The request is the preview of Okta's Admin Console.
    pub preview: bool,
    /// The channel, trimmed, as Okta wrote it; absent means SMS.
    pub delivery_channel: Option<String>,
    /// The recipient, or what keeps it from being one.
    pub phone_number: Result<PhoneNumber, NotANumber>,
    /// The passcode.
    pub otp_code: String,
    /// Until when the passcode holds; only a classic request may leave it open.
    pub otp_expires: Option<OffsetDateTime>,
    /// The text, in Okta's payloads with the passcode already in it.
    pub msg_template: Option<String>,
}

/// Why `phoneNumber` is no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotANumber {
    /// It is the preview's placeholder.
    Placeholder,
    /// It is a number in JSON, which can't have a `+`.
    JsonNumber,
    /// It is text, but not E.164.
    Invalid(InvalidPhoneNumber),
}

impl fmt::Debug for HookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookRequest")
            .field("event_id", &self.event_id)
            .field("request_type", &self.request_type)
            .field("preview", &self.preview)
            .field("phone_number", &self.phone_number)
            .finish_non_exhaustive()
    }
}

/// A body that is JSON of the right shape, its fields not yet looked at. Already tells the dialect.
pub struct Body<'a>(Envelope<'a>);

/// Reads a body as JSON.
///
/// Refuses, with 400, what is not UTF-8, not JSON, nested deeper than [`NESTING_LIMIT`], or has a
/// field twice that the hook reads; other fields are ignored.
pub fn parse(body: &[u8]) -> Result<Body<'_>, Refusal> {
    let Ok(text) = str::from_utf8(body) else {
        return Err(Refusal::new(Reason::InvalidJson, "The body is not UTF-8."));
    };
    if nesting(text) > NESTING_LIMIT {
        let fix = format!("The body is nested deeper than {NESTING_LIMIT} levels.");
        return Err(Refusal::new(Reason::InvalidJson, fix));
    }
    serde_json::from_str(text).map(Body).map_err(|error| {
        // Never the error's own text: it quotes the values that it stumbles over.
        let place = format!("line {}, column {}", error.line(), error.column());
        if !error.is_data() {
            Refusal::new(Reason::InvalidJson, format!("The body is not JSON: see {place}."))
        } else if error.to_string().starts_with("duplicate field") {
            Refusal::new(Reason::DuplicateField, format!("A field is there twice: see {place}."))
        } else {
            Refusal::new(Reason::InvalidField, format!("A field is not of its type: see {place}."))
        }
    })
}

/// The deepest level of `{` and `[` in JSON text. serde_json bounds only the values that it
/// builds, not those that it skips.
fn nesting(text: &str) -> usize {
    let (mut deepest, mut level, mut in_string, mut escaped) = (0, 0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl Body<'_> {
    /// How the request is worded.
    pub fn dialect(&self) -> Dialect {
        match self.0.event_type {
            Some(_) => Dialect::Documented,
            None => Dialect::Classic,
        }
    }

    /// What the log may say of the request, before its fields are looked at.
    pub fn event_id(&self) -> Option<&str> {
        self.0.event_id.as_ref()?.as_text()
    }

    /// Which step asks.
    pub fn request_type(&self) -> Option<&str> {
        self.0.request_type.as_ref()?.as_text()
    }

    /// The request is the preview of Okta's Admin Console, which calls the hook from a URL of its
    /// own (`/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview`).
    pub fn is_preview(&self) -> bool {
        let url = || {
            let request = self.0.data.as_ref()?.context.as_ref()?.request.as_ref()?;
            request.url.as_ref()?.value.as_ref()?.as_text()
        };
        url().is_some_and(|url| url.ends_with("/generatePreview"))
    }

    /// Looks at the fields.
    pub fn into_request(self) -> Result<HookRequest, Refusal> {
        let documented = self.dialect() == Dialect::Documented;
        let preview = self.is_preview();
        let envelope = self.0;
        if documented && envelope.event_type.as_ref().and_then(Value::as_text) != Some(EVENT_TYPE) {
            return Err(Refusal::new(
                Reason::UnsupportedEventType,
                "eventType is not com.okta.telephony.provider: the hook in Okta must be of type Telephony.",
            ));
        }
        let Some(profile) = envelope.data.and_then(|data| data.message_profile) else {
            return Err(missing(Reason::MissingMessageProfile, "data.messageProfile"));
        };
        let phone_number = match profile.phone_number {
            None => {
                return Err(missing(Reason::MissingPhoneNumber, "data.messageProfile.phoneNumber"));
            }
            Some(value) => phone_number(&value, preview)?,
        };
        let otp_code = match profile.otp_code {
            None => return Err(missing(Reason::MissingOtpCode, "data.messageProfile.otpCode")),
            Some(value) => otp_code(value)?,
        };
        let event_time = date(envelope.event_time, Reason::InvalidEventTime, "eventTime")?;
        let otp_expires = date(profile.otp_expires, Reason::InvalidOtpExpires, "otpExpires")?;
        let otp_expires = match (otp_expires, event_time) {
            (Some(expires), _) => Some(expires),
            (None, Some(time)) if documented => Some(time.saturating_add(DEFAULT_LIFETIME)),
            (None, None) if documented => {
                return Err(missing(
                    Reason::MissingOtpExpires,
                    "otpExpires, and eventTime to infer it from,",
                ));
            }
            (None, _) => None,
        };
        let msg_template = match profile.msg_template {
            None => None,
            Some(Value::Text(text)) => Some(text.into_owned()),
            Some(_) => {
                return Err(Refusal::new(
                    Reason::InvalidMsgTemplate,
                    "data.messageProfile.msgTemplate is not text.",
                ));
            }
        };
        let delivery_channel = profile.delivery_channel.map(|channel| match channel {
            Value::Text(text) => text.trim().to_owned(),
            Value::Integer(_) | Value::Other => "?".to_owned(),
        });
        Ok(HookRequest {
            event_id: envelope.event_id.and_then(Value::into_identifier),
            event_time,
            request_type: envelope.request_type.and_then(Value::into_identifier),
            preview,
            delivery_channel,
            phone_number,
            otp_code,
            otp_expires,
            msg_template,
        })
    }
}

/// How long an envelope holds that does not say so. Okta's own passcodes hold 5 minutes in every
/// sample that it publishes.
const DEFAULT_LIFETIME: time::Duration = time::Duration::minutes(10);

fn phone_number(
    value: &Value<'_>,
    preview: bool,
) -> Result<Result<PhoneNumber, NotANumber>, Refusal> {
    match value {
        Value::Text(text) if preview && text == PREVIEW_NUMBER => Ok(Err(NotANumber::Placeholder)),
        Value::Text(text) => Ok(PhoneNumber::parse(text).map_err(NotANumber::Invalid)),
        // Okta's OpenAPI example has the placeholder unquoted.
        Value::Integer(digits) if preview && digits == PREVIEW_NUMBER => {
            Ok(Err(NotANumber::Placeholder))
        }
        Value::Integer(_) => Ok(Err(NotANumber::JsonNumber)),
        Value::Other => {
            Err(Refusal::new(Reason::InvalidField, "data.messageProfile.phoneNumber is not text."))
        }
    }
}

/// The passcode: text, or an integer, as in Okta's OpenAPI example.
fn otp_code(value: Value<'_>) -> Result<String, Refusal> {
    let code = match value {
        Value::Text(text) => text.into_owned(),
        Value::Integer(digits) => digits,
        Value::Other => String::new(),
    };
    let fits = !code.trim().is_empty() && code.chars().count() <= OTP_CODE_LIMIT;
    if fits && !code.contains(char::is_control) {
        Ok(code)
    } else {
        let fix = format!(
            "data.messageProfile.otpCode is not text of 1 to {OTP_CODE_LIMIT} characters without control characters."
        );
        Err(Refusal::new(Reason::InvalidOtpCode, fix))
    }
}

fn date(
    value: Option<Value<'_>>,
    reason: Reason,
    name: &'static str,
) -> Result<Option<OffsetDateTime>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    match value.as_text().map(|text| OffsetDateTime::parse(text, &Rfc3339)) {
        Some(Ok(date)) => Ok(Some(date)),
        _ => Err(Refusal::new(
            reason,
            format!("{name} is not a date of the form 2026-01-31T12:00:00.000Z."),
        )),
    }
}

fn missing(reason: Reason, name: &str) -> Refusal {
    Refusal::new(reason, format!("{name} is missing."))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    event_id: Option<Value<'a>>,
    event_time: Option<Value<'a>>,
    event_type: Option<Value<'a>>,
    request_type: Option<Value<'a>>,
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    context: Option<Context<'a>>,
    message_profile: Option<MessageProfile<'a>>,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    request: Option<OktaRequest<'a>>,
}

#[derive(Deserialize)]
struct OktaRequest<'a> {
    #[serde(borrow)]
    url: Option<Url<'a>>,
}

#[derive(Deserialize)]
struct Url<'a> {
    #[serde(borrow)]
    value: Option<Value<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageProfile<'a> {
    #[serde(borrow)]
    msg_template: Option<Value<'a>>,
    phone_number: Option<Value<'a>>,
    otp_expires: Option<Value<'a>>,
    delivery_channel: Option<Value<'a>>,
    otp_code: Option<Value<'a>>,
}

/// A field's value. Never fails to read, so that a wrong type is refused by the field's name.
enum Value<'a> {
    Text(Cow<'a, str>),
    /// A whole number that is not negative, as its digits.
    Integer(String),
    Other,
}

impl Value<'_> {
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Other => None,
        }
    }

    /// The value of an identifier; an empty one identifies nothing.
    fn into_identifier(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.into_owned()),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Value::Integer(number.to_string()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Value::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Value::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Value::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}
