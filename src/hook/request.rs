//! What the request says: Okta's JSON, in either dialect, to a [`HookRequest`].

use std::fmt;

use serde::Deserialize;
use time::OffsetDateTime;

use crate::date;
use crate::json::{self, Unreadable, Value};
use crate::message::{self, Channel, Passcode};
use crate::pasted;
use crate::phone_number::{InvalidPhoneNumber, PhoneNumber};
use crate::policy::{Asking, limits};
use crate::refusal::{Reason, Refusal};

/// The most bytes of a body. Okta's payloads have about one kilobyte.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The longest passcode, in characters. Okta's have 5 or 6 digits.
pub const OTP_CODE_LIMIT: usize = 32;

/// The `eventType` of a telephony inline hook.
pub const EVENT_TYPE: &str = "com.okta.telephony.provider";

/// The `requestType` of a person who enrols a phone ("Telephony inline hook reference", Okta).
pub const ENROLLMENT: &str = "com.okta.user.telephony.pre-enrollment";

/// That of a person who has one and signs in (the same).
const SIGN_IN: &str = "com.okta.user.telephony.mfa-verification";

/// Those of a person who has forgotten the password, or whose account is locked.
const RECOVERY: [&str; 2] =
    ["com.okta.user.telephony.account-unlock", "com.okta.user.telephony.password-reset"];

/// Whether the passcode is for a password that is forgotten, or an account that is locked.
pub fn is_recovery(said: &str) -> bool {
    RECOVERY.iter().any(|step| is_step(said, step))
}

/// Whether a `requestType` is this one. Whoever writes it in another way must not get past the rules of enrolment.
pub fn is_step(said: &str, step: &str) -> bool {
    pasted::trim(said).eq_ignore_ascii_case(step)
}

/// The `phoneNumber` in the preview of Okta's Admin Console, until the admin edits it.
const PREVIEW_NUMBER: &str = "9876543210";

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
    /// How the passcode is to reach the person, as [`channel`] reads it.
    pub channel: Option<Channel>,
    /// The recipient, or what keeps it from being one.
    pub phone_number: Result<PhoneNumber, NotANumber>,
    /// The passcode.
    pub otp_code: String,
    /// Until when the passcode holds, where the request says so.
    pub otp_expires: Option<OffsetDateTime>,
    /// From when on the request is too old to be answered: at `otp_expires`, or some time after
    /// `event_time`. Left open by a classic request that has neither, and by dates that can't be understood.
    pub valid_until: Option<OffsetDateTime>,
    /// The text, in Okta's payloads with the passcode already in it.
    pub msg_template: Option<String>,
    /// The person's language, as Okta wrote it: `en`, or `EN-US` in the preview.
    pub locale: Option<String>,
    /// The person asks for a code to enrol a phone, which is when nobody has proven anything yet.
    pub enrollment: bool,
    /// Okta's id of the person.
    pub user_id: Option<String>,
    /// The address from which the person asked, as Okta wrote it.
    pub ip_address: Option<String>,
    /// It is the preview of Okta's Admin Console.
    pub preview: bool,
    /// The fields that hold something of no use, by their path: the message can do without them.
    pub ignored: Vec<&'static str>,
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

impl HookRequest {
    /// What the message is made of. `now` is the moment from which the passcode's minutes count.
    pub fn passcode(&self, now: OffsetDateTime) -> Passcode<'_> {
        Passcode {
            code: &self.otp_code,
            minutes: self.otp_expires.map(|expires| message::minutes_until(expires, now)),
            okta_template: self.msg_template.as_deref(),
            locale: self.locale.as_deref(),
        }
    }

    /// What the message is counted by, of a number in its canonical form and with so many segments.
    pub fn asking<'a>(&'a self, canonical: &'a str, channel: Channel, segments: u32) -> Asking<'a> {
        Asking {
            canonical,
            channel,
            user_id: self.user_id.as_deref(),
            ip_address: self.ip_address.as_deref(),
            is_enrollment: self.enrollment,
            segments,
            is_canary: false,
        }
    }
}

impl fmt::Debug for HookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookRequest")
            .field("event_id", &self.event_id)
            .field("phone_number", &self.phone_number)
            .finish_non_exhaustive()
    }
}

/// A body that is JSON of the right shape, its fields not yet looked at. Already tells the dialect.
///
/// `null` counts as absent.
pub struct Body {
    envelope: Envelope,
    url: Option<String>,
    ip_address: Option<Value>,
    user_id: Option<Value>,
    profile: Option<MessageProfile>,
    ignored: Ignored,
}

/// The members that are read, object by object. Those that the message can do without are [`json::dispensable`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default, deserialize_with = "json::dispensable")]
    event_id: Option<Value>,
    #[serde(default, deserialize_with = "json::dispensable")]
    event_time: Option<Value>,
    event_type: Option<Value>,
    #[serde(default, deserialize_with = "json::dispensable")]
    request_type: Option<Value>,
    data: Option<Value<Data>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    #[serde(deserialize_with = "json::dispensable")]
    context: Option<Value<Context>>,
    #[serde(deserialize_with = "json::dispensable")]
    user_profile: Option<Value<UserProfile>>,
    message_profile: Option<Value<MessageProfile>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(deserialize_with = "json::dispensable")]
    request: Option<Value<ContextRequest>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContextRequest {
    #[serde(deserialize_with = "json::dispensable")]
    url: Option<Value<Url>>,
    #[serde(deserialize_with = "json::dispensable")]
    ip_address: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Url {
    #[serde(deserialize_with = "json::dispensable")]
    value: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct UserProfile {
    #[serde(deserialize_with = "json::dispensable")]
    user_id: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageProfile {
    #[serde(default, deserialize_with = "json::dispensable")]
    msg_template: Option<Value>,
    phone_number: Option<Value>,
    #[serde(default, deserialize_with = "json::dispensable")]
    otp_expires: Option<Value>,
    delivery_channel: Option<Value>,
    otp_code: Option<Value>,
    #[serde(default, deserialize_with = "json::dispensable")]
    locale: Option<Value>,
}

/// The fields that hold something which is of no use. None of them keeps the message from being sent.
#[derive(Default)]
struct Ignored(Vec<&'static str>);

impl Ignored {
    /// What a field holds, unless that is of no use.
    fn or<T, U>(
        &mut self,
        field: Option<T>,
        name: &'static str,
        use_of: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        let held = use_of(field?);
        if held.is_none() {
            self.0.push(name);
        }
        held
    }

    fn object<T: Default>(&mut self, field: Option<Value<T>>, name: &'static str) -> T {
        self.or(field, name, Value::into_object).unwrap_or_default()
    }

    fn text(&mut self, field: Option<Value>, name: &'static str) -> Option<String> {
        self.or(field, name, Value::into_text)
    }

    /// An empty one identifies nothing, which is nothing ignored.
    fn identifier(&mut self, field: Option<Value>, name: &'static str) -> Option<String> {
        self.text(field, name).filter(|text| !text.is_empty())
    }
}

/// Reads a body as JSON.
///
/// Refuses, with 400, what is not UTF-8, not JSON, or has a field twice that the hook reads; other
/// fields are ignored, whatever they hold.
pub fn parse(body: &[u8]) -> Result<Body, Refusal> {
    if is_utf16_or_32(body) {
        let fix = "The body is UTF-16 or UTF-32, as some editors and shells write files: send it as UTF-8.";
        return Err(Refusal::new(Reason::InvalidJson, fix));
    }
    let mut envelope: Envelope = json::read(body).map_err(unreadable)?;
    let data = object(envelope.data.take(), "data")?.unwrap_or_default();
    let profile = object(data.message_profile, "data.messageProfile")?;
    let mut ignored = Ignored::default();
    let context = ignored.object(data.context, "data.context");
    let request = ignored.object(context.request, "data.context.request");
    let url = ignored.object(request.url, "data.context.request.url");
    let user_profile = ignored.object(data.user_profile, "data.userProfile");
    Ok(Body {
        envelope,
        url: ignored.text(url.value, "data.context.request.url.value"),
        ip_address: request.ip_address,
        user_id: user_profile.user_id,
        profile,
        ignored,
    })
}

/// By its byte order mark, or since of the `{` that it begins with only one byte is not zero.
fn is_utf16_or_32(body: &[u8]) -> bool {
    matches!(body, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..])
}

fn unreadable(unreadable: Unreadable) -> Refusal {
    match unreadable {
        Unreadable::NotUtf8 => Refusal::new(Reason::InvalidJson, "The body is not UTF-8."),
        Unreadable::NotJson { line, column } => Refusal::new(
            Reason::InvalidJson,
            format!("The body is not JSON: see line {line}, column {column}."),
        ),
        Unreadable::NotAnObject => not_an_object("The body"),
        // None has to be there, and `Value` takes any type.
        Unreadable::Members { line, column } => Refusal::new(
            Reason::DuplicateField,
            format!("A field is there twice: see line {line}, column {column}."),
        ),
    }
}

fn object<T>(value: Option<Value<T>>, name: &str) -> Result<Option<T>, Refusal> {
    value.map(|value| value.into_object().ok_or_else(|| not_an_object(name))).transpose()
}

fn not_an_object(name: &str) -> Refusal {
    Refusal::new(Reason::InvalidField, format!("{name} is not an object."))
}

impl Body {
    /// How the request is worded.
    pub fn dialect(&self) -> Dialect {
        match self.envelope.event_type {
            Some(_) => Dialect::Documented,
            None => Dialect::Classic,
        }
    }

    /// Okta's id of the event, to the letter: a log shortens it.
    pub fn event_id(&self) -> Option<&str> {
        text(&self.envelope.event_id)
    }

    /// Which step asks, such as `com.okta.user.telephony.pre-enrollment`: an open set.
    pub fn request_type(&self) -> Option<&str> {
        text(&self.envelope.request_type)
    }

    /// The request is the preview of Okta's Admin Console, which calls the hook from a URL of its
    /// own (`/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview`).
    pub fn is_preview(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.ends_with("/generatePreview"))
    }

    /// Looks at the fields.
    pub fn into_request(self) -> Result<HookRequest, Refusal> {
        let documented = self.dialect() == Dialect::Documented;
        let preview = self.is_preview();
        let enrollment = self.request_type().is_some_and(|said| is_step(said, ENROLLMENT));
        let Self { envelope, url: _, ip_address, user_id, profile, mut ignored } = self;
        if documented && text(&envelope.event_type) != Some(EVENT_TYPE) {
            return Err(Refusal::new(
                Reason::UnsupportedEventType,
                "eventType is not com.okta.telephony.provider: the hook in Okta must be of type Telephony.",
            ));
        }
        let profile = needed(profile, Reason::MissingMessageProfile, "data.messageProfile")?;
        let number = needed(
            profile.phone_number,
            Reason::MissingPhoneNumber,
            "data.messageProfile.phoneNumber",
        )?;
        let phone_number = phone_number(number, preview)?;
        let code = needed(profile.otp_code, Reason::MissingOtpCode, "data.messageProfile.otpCode")?;
        let otp_code = otp_code(code)?;
        let channel = match profile.delivery_channel {
            None => Some(Channel::Sms),
            Some(said) => said.text().and_then(channel),
        };

        let says_expiry = profile.otp_expires.is_some();
        if documented && !says_expiry && envelope.event_time.is_none() {
            let fix = "otpExpires, and eventTime to infer it from, is missing.";
            return Err(Refusal::new(Reason::MissingOtpExpires, fix));
        }
        let date = |value| date::read(&text_or_integer(value)?);
        let event_time = ignored.or(envelope.event_time, "eventTime", date);
        let name = "data.messageProfile.otpExpires";
        let otp_expires = ignored.or(profile.otp_expires, name, date);
        // A date that nobody understands refuses no sign-in. The event's time still says when the passcode is
        // past its expiry for certain.
        let inferred = event_time
            .filter(|_| documented || says_expiry)
            .map(|time| time.saturating_add(DEFAULT_LIFETIME));
        // A step that nobody knows counts as a sign-in, and the owner should know of it.
        let is_known = |said: &String| enrollment || is_step(said, SIGN_IN) || is_recovery(said);
        ignored.or(envelope.request_type, "requestType", |said| said.into_text().filter(is_known));
        let event_id = ignored.identifier(envelope.event_id, "eventId");
        let user_id = ignored.identifier(user_id, "data.userProfile.userId");
        let locale = ignored.identifier(profile.locale, "data.messageProfile.locale");
        Ok(HookRequest {
            event_id,
            event_time,
            channel,
            phone_number,
            otp_code,
            otp_expires,
            valid_until: otp_expires.or(inferred),
            msg_template: ignored.text(profile.msg_template, "data.messageProfile.msgTemplate"),
            locale,
            enrollment,
            user_id,
            ip_address: ignored.or(ip_address, "data.context.request.ipAddress", address),
            preview,
            ignored: ignored.0,
        })
    }
}

/// How a passcode is to reach the person, by Okta's `deliveryChannel`; `None` where it is a channel that nobody knows.
/// Nothing said means SMS. Okta's documentation has `voice call`, and once had `CALL` and `voice`.
pub fn channel(said: &str) -> Option<Channel> {
    let said = pasted::trim(said).replace('_', " ").to_ascii_lowercase();
    match &*said {
        "" | "sms" => Some(Channel::Sms),
        "voice call" | "voice" | "call" => Some(Channel::Call),
        _ => None,
    }
}

/// How long an envelope holds that does not say so. Okta's own passcodes hold 5 minutes in every
/// sample that it publishes.
const DEFAULT_LIFETIME: time::Duration = time::Duration::minutes(10);

fn needed<T>(field: Option<T>, reason: Reason, name: &str) -> Result<T, Refusal> {
    field.ok_or_else(|| Refusal::new(reason, format!("{name} is missing.")))
}

fn phone_number(value: Value, preview: bool) -> Result<Result<PhoneNumber, NotANumber>, Refusal> {
    let is_integer = matches!(value, Value::Integer(_));
    let number = text_or_integer(value).ok_or_else(|| {
        Refusal::new(Reason::InvalidField, "data.messageProfile.phoneNumber is not text.")
    })?;
    // Who is told to begin it with + may have done no more.
    Ok(if preview && number.trim().trim_start_matches('+') == PREVIEW_NUMBER {
        Err(NotANumber::Placeholder)
    } else if is_integer {
        Err(NotANumber::JsonNumber)
    } else {
        PhoneNumber::parse(&number).map_err(NotANumber::Invalid)
    })
}

/// The passcode. It goes out in the owner's own text, so it may hold no more than passcodes have: no address of a web
/// page, and no sign that ends a sentence.
fn otp_code(value: Value) -> Result<String, Refusal> {
    let invalid = |fix| Refusal::new(Reason::InvalidOtpCode, fix);
    let text = text_or_integer(value)
        .ok_or_else(|| invalid("data.messageProfile.otpCode is not text.".to_owned()))?;
    // A control character is no slip of whoever pastes, and is refused below.
    let code = text.trim_matches(pasted::is_blank);
    if let Some(at) =
        code.chars().position(|c| !matches!(c, '0'..='9' | 'A'..='Z' | 'a'..='z' | ' ' | '-' | '#'))
    {
        return Err(invalid(format!(
            "data.messageProfile.otpCode has a character, at position {}, that is none of the digits 0 to 9, the \
             letters A to Z, the space, - and #.",
            at + 1
        )));
    }
    if !(1..=OTP_CODE_LIMIT).contains(&code.len()) {
        let fix = format!("data.messageProfile.otpCode has not 1 to {OTP_CODE_LIMIT} characters.");
        return Err(invalid(fix));
    }
    Ok(code.to_owned())
}

/// Okta's OpenAPI example has the passcode and the number unquoted.
fn text_or_integer(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Object(_) | Value::Other => None,
    }
}

fn text(value: &Option<Value>) -> Option<&str> {
    value.as_ref()?.text()
}

/// The text, if it is an address that the limits can count by.
fn address(value: Value) -> Option<String> {
    value.into_text().filter(|text| limits::address(text).is_some())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    /// The payload of Okta's preview, from its telephony inline hook reference.
    pub(in crate::hook) const PREVIEW: &str = r#"{"eventId":"uS5871kJThSsU8qlA1LTcg","eventTime":"2022-01-28T21:43:40.000Z","eventType":"com.okta.telephony.provider","eventTypeVersion":"1.0","contentType":"application/json","cloudEventVersion":"0.1","source":"https://${yourOktaDomain}/api/v1/inlineHooks/calz6lVQA77AwFeEe0g3","requestType":"com.okta.user.telephony.pre-enrollment","data":{"context":{"request":{"id":"reqRgSk8IBBRhuo0YdlEDTmUw","method":"POST","url":{"value":"/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview"},"ipAddress":"127.0.0.1"}},"userProfile":{"firstName":"test","lastName":"user","login":"test.user@okta.com","userId":"00uyxxSknGtK8022w0g3"},"messageProfile":{"msgTemplate":"(HOOK)Your code is 11111","phoneNumber":"9876543210","otpExpires":"2022-01-28T21:48:34.321Z","deliveryChannel":"SMS","otpCode":"11111","locale":"EN-US"}}}"#;

    const BARE: &str =
        r#"{"data":{"messageProfile":{"phoneNumber":"+15550100123","otpCode":"123456"}}}"#;

    fn read(body: &str) -> Result<HookRequest, Refusal> {
        parse(body.as_bytes())?.into_request()
    }

    fn reason(body: &str) -> Reason {
        read(body).expect_err(body).reason
    }

    /// An envelope whose message profile holds these fields.
    fn envelope(profile: &str) -> String {
        format!(
            r#"{{"eventType":"com.okta.telephony.provider","eventTime":"2026-01-31T12:00:00.000Z","data":{{"messageProfile":{{{profile}}}}}}}"#
        )
    }

    #[test]
    fn what_nobody_sees_around_a_channel_or_a_passcode_is_no_part_of_it() {
        for around in ["", " ", "\\n", "\\r\\n", "\u{a0}", "\u{200b}", "\u{2060}", "\u{feff}"] {
            let profile = format!(
                r#""phoneNumber":"+15550100123","deliveryChannel":"{around}SMS{around}","otpCode":"{around}12 34{around}""#
            );
            let request = read(&envelope(&profile)).unwrap();
            assert_eq!(request.channel, Some(Channel::Sms), "{around:?}");
            assert_eq!(request.otp_code, "12 34", "{around:?}");
        }
    }

    #[test]
    fn oktas_own_payload_is_read() {
        let body = parse(PREVIEW.as_bytes()).unwrap();
        assert_eq!(body.dialect(), Dialect::Documented);
        assert_eq!(body.request_type(), Some("com.okta.user.telephony.pre-enrollment"));
        assert!(body.is_preview());
        let request = body.into_request().unwrap();
        assert_eq!(
            request,
            HookRequest {
                event_id: Some("uS5871kJThSsU8qlA1LTcg".into()),
                event_time: Some(datetime!(2022-01-28 21:43:40 UTC)),
                channel: Some(Channel::Sms),
                phone_number: Err(NotANumber::Placeholder),
                otp_code: "11111".into(),
                otp_expires: Some(datetime!(2022-01-28 21:48:34.321 UTC)),
                valid_until: Some(datetime!(2022-01-28 21:48:34.321 UTC)),
                msg_template: Some("(HOOK)Your code is 11111".into()),
                locale: Some("EN-US".into()),
                enrollment: true,
                user_id: Some("00uyxxSknGtK8022w0g3".into()),
                ip_address: Some("127.0.0.1".into()),
                preview: true,
                ignored: vec![],
            }
        );
    }

    #[test]
    fn a_bare_payload_is_read_as_classic() {
        let body = parse(BARE.as_bytes()).unwrap();
        assert_eq!(body.dialect(), Dialect::Classic);
        let request = body.into_request().unwrap();
        assert_eq!(request.phone_number.unwrap().as_str(), "+15550100123");
        assert_eq!(request.otp_expires, None);
    }

    #[test]
    fn debug_shows_no_passcode_no_text_and_no_whole_number() {
        let body = envelope(
            r#""phoneNumber":"+15550100123","otpCode":"987654","msgTemplate":"is 987654""#,
        );
        let debug = format!("{:?}", read(&body).unwrap());
        assert!(!debug.contains("987654") && !debug.contains("5550100"), "{debug}");
    }

    #[test]
    fn an_integer_serves_as_a_passcode_and_never_as_a_number() {
        let request = read(&envelope(r#""phoneNumber":15550100123,"otpCode":11111"#)).unwrap();
        assert_eq!(request.otp_code, "11111");
        assert_eq!(request.phone_number, Err(NotANumber::JsonNumber));
        let longest = envelope(r#""phoneNumber":"+15550100123","otpCode":18446744073709551615"#);
        assert_eq!(read(&longest).unwrap().otp_code, "18446744073709551615");
        let unquoted =
            PREVIEW.replace(r#""9876543210""#, "9876543210").replace(r#""11111""#, "11111");
        assert_eq!(read(&unquoted).unwrap().phone_number, Err(NotANumber::Placeholder));
        let with_plus = PREVIEW.replace(r#""9876543210""#, r#""+9876543210""#);
        assert_eq!(read(&with_plus).unwrap().phone_number, Err(NotANumber::Placeholder));
    }

    #[test]
    fn the_placeholder_is_a_placeholder_in_a_preview_only() {
        let request = read(&envelope(r#""phoneNumber":"9876543210","otpCode":"1""#)).unwrap();
        assert_eq!(request.phone_number, Err(NotANumber::Invalid(InvalidPhoneNumber::NoPlus)));
    }

    #[test]
    fn an_envelope_without_an_expiry_holds_for_ten_minutes() {
        let request = read(&envelope(r#""phoneNumber":"+15550100123","otpCode":"1""#)).unwrap();
        assert_eq!(request.valid_until, Some(datetime!(2026-01-31 12:10:00 UTC)));
        let timeless = BARE.replacen('{', r#"{"eventType":"com.okta.telephony.provider","#, 1);
        assert_eq!(reason(&timeless), Reason::MissingOtpExpires);
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_type_is_refused_by_name() {
        use Reason::*;
        let number = r#""phoneNumber":"+15550100123""#;
        for (profile, expected) in [
            (r#""otpCode":"1""#.to_owned(), MissingPhoneNumber),
            (r#""otpCode":"1","phoneNumber":null"#.to_owned(), MissingPhoneNumber),
            (r#""otpCode":"1","phoneNumber":true"#.to_owned(), InvalidField),
            (r#""otpCode":"1","phoneNumber":["+15550100123"]"#.to_owned(), InvalidField),
            (number.to_owned(), MissingOtpCode),
            (format!(r#"{number},"otpCode":null"#), MissingOtpCode),
            (format!(r#"{number},"otpCode":"""#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":"  ""#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":"1\u0000""#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":"{}""#, "1".repeat(33)), InvalidOtpCode),
            (format!(r#"{number},"otpCode":-1"#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":1.5"#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":18446744073709551616"#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":{{"a":[1]}}"#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":"evil.example/p""#), InvalidOtpCode),
            // The names on Okta's help page on telephony by Workflows.
            (format!(r#"{number},"otp":"1","messageTemplate":"Your code is 1""#), MissingOtpCode),
        ] {
            assert_eq!(reason(&envelope(&profile)), expected, "{profile}");
        }
        for (body, expected) in [
            ("{}", MissingMessageProfile),
            (r#"{"data":null}"#, MissingMessageProfile),
            (r#"{"data":{}}"#, MissingMessageProfile),
            (r#"{"data":[null,{"otpCode":"1"}]}"#, InvalidField),
            ("[]", InvalidField),
            ("7", InvalidField),
            (r#"{"data":5}"#, InvalidField),
            (r#"{"data":{"messageProfile":"x"}}"#, InvalidField),
            (r#"{"eventType":"com.okta.user.pre-registration","data":{}}"#, UnsupportedEventType),
            (r#"{"eventType":7,"data":{}}"#, UnsupportedEventType),
        ] {
            assert_eq!(reason(body), expected, "{body}");
        }
    }

    #[test]
    fn a_passcode_has_letters_digits_spaces_hyphens_and_number_signs_and_what_else_comes_is_refused_by_its_place()
     {
        let with = |code: &str| read(&BARE.replace("123456", code));
        for code in
            ["123456", "12 34", "12-34", "#12345", "aB3dE", "01234567890123456789012345678901"]
        {
            assert_eq!(with(code).unwrap().otp_code, code);
        }
        for (code, at) in [
            ("evil.example/p", 5),
            ("1:2", 2),
            ("12\u{a0}34", 3),
            ("\u{661}\u{662}", 1),
            ("1234é", 5),
            ("12\\n34", 3),
            ("1234!", 5),
            ("12_34", 3),
            ("1\\u0000", 2),
            ("${code}", 1),
        ] {
            let refusal = with(code).unwrap_err();
            assert_eq!(refusal.reason, Reason::InvalidOtpCode, "{code}");
            assert!(refusal.fix.contains(&format!("at position {at},")), "{code}: {}", refusal.fix);
        }
    }

    #[test]
    fn an_enrolment_is_one_however_its_step_is_written_and_an_unknown_step_is_named() {
        let with = |step: &str| read(&PREVIEW.replace(ENROLLMENT, step)).unwrap();
        for step in [
            ENROLLMENT,
            "com.okta.user.telephony.Pre-Enrollment",
            " com.okta.user.telephony.pre-enrollment\\n",
        ] {
            assert!(with(step).enrollment && with(step).ignored.is_empty(), "{step}");
        }
        for step in [SIGN_IN].into_iter().chain(RECOVERY) {
            assert!(!with(step).enrollment && with(step).ignored.is_empty(), "{step}");
        }
        for step in ["", "com.okta.user.telephony.mfa-enrollment"] {
            assert_eq!((with(step).enrollment, with(step).ignored), (false, vec!["requestType"]));
        }
    }

    #[test]
    fn what_the_hook_can_do_without_refuses_no_sign_in() {
        let url = r#"{"value":"/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview"}"#;
        assert!(PREVIEW.contains(url));
        for other in ["\"/x\"", "7", "-7", "0.5", "true", "null", "[{}]", "{}", "{\"value\":[]}"] {
            let payload = PREVIEW.replace(url, other);
            let body = parse(payload.as_bytes()).unwrap_or_else(|e| panic!("{other}: {e:?}"));
            assert!(!body.is_preview(), "{other}");
            body.into_request().expect(other);
        }
    }

    /// An envelope with every field that is read.
    fn whole() -> serde_json::Value {
        let sample = include_str!("../../sample/okta-envelope.json");
        serde_json::from_str(sample).unwrap()
    }

    // docs/answers.md says the same to people.
    #[test]
    fn every_field_is_needed_and_refused_by_name_or_ignored_by_name_whatever_it_holds() {
        use Reason::*;
        /// What becomes of a value of another type than the field has.
        enum Other {
            Refused(Reason),
            Ignored,
            Unread,
        }
        use Other::*;
        let fields = [
            ("/eventId", Ignored),
            ("/eventTime", Ignored),
            ("/eventType", Refused(UnsupportedEventType)),
            ("/eventTypeVersion", Unread),
            ("/contentType", Unread),
            ("/cloudEventVersion", Unread),
            ("/source", Unread),
            ("/requestType", Ignored),
            ("/data", Refused(InvalidField)),
            ("/data/context", Ignored),
            ("/data/context/request", Ignored),
            ("/data/context/request/id", Unread),
            ("/data/context/request/method", Unread),
            ("/data/context/request/url", Ignored),
            ("/data/context/request/url/value", Ignored),
            ("/data/context/request/ipAddress", Ignored),
            ("/data/userProfile", Ignored),
            ("/data/userProfile/firstName", Unread),
            ("/data/userProfile/lastName", Unread),
            ("/data/userProfile/login", Unread),
            ("/data/userProfile/userId", Ignored),
            ("/data/messageProfile", Refused(InvalidField)),
            ("/data/messageProfile/msgTemplate", Ignored),
            ("/data/messageProfile/phoneNumber", Refused(InvalidField)),
            ("/data/messageProfile/otpExpires", Ignored),
            ("/data/messageProfile/otpCode", Refused(InvalidOtpCode)),
            ("/data/messageProfile/locale", Ignored),
        ];
        let of_other_types = ["true", "false", "-1", "0.5", "1e999", "[]", "[{}]", r#""\ud800""#];
        let holds = |field: &str, value: &str| {
            let mut body = whole();
            *body.pointer_mut(field).expect(field) = "HERE".into();
            read(&body.to_string().replace("\"HERE\"", value))
        };
        for (field, other) in fields {
            let name = field[1..].replace('/', ".");
            for value in of_other_types {
                let request = holds(field, value);
                match other {
                    // Nothing that is needed can be half of a surrogate pair, or a number beyond all bounds.
                    Refused(_) if ["1e999", r#""\ud800""#].contains(&value) => {
                        assert_eq!(request.unwrap_err().reason, InvalidJson, "{name}: {value}");
                    }
                    Refused(reason) => {
                        assert_eq!(request.unwrap_err().reason, reason, "{name}: {value}");
                    }
                    Ignored => assert_eq!(request.unwrap().ignored, [&name], "{value}"),
                    Unread => assert_eq!(request, read(&whole().to_string()), "{name}: {value}"),
                }
            }
            if !matches!(other, Refused(_)) {
                // As if it were not there, and that is all.
                for value in ["null", "{}", r#""""#, &format!("{:?}", "x".repeat(50_000))] {
                    let request = holds(field, value).expect(&name);
                    assert_eq!(request.otp_code, "246810", "{name}: {value}");
                    assert!(value != "null" || request.ignored.is_empty(), "{name}");
                }
            }
            let twice = whole().to_string();
            let last = format!("\"{}\":", field.rsplit('/').next().unwrap());
            let twice = twice.replacen(&last, &[&last, "null,", &last].concat(), 1);
            match other {
                Unread => assert!(read(&twice).is_ok(), "{name}"),
                // The first "id" and the like belong to others.
                _ => assert_eq!(reason(&twice), DuplicateField, "{name}"),
            }
        }
    }

    #[test]
    fn the_channel_need_not_be_said_and_is_never_taken_for_sms_where_it_is_something_else() {
        for (value, channel) in [
            ("null", Some(Channel::Sms)),
            (r#""""#, Some(Channel::Sms)),
            (r#"" ""#, Some(Channel::Sms)),
            (r#"" SMS\u00a0""#, Some(Channel::Sms)),
            ("7", None),
            ("[\"SMS\"]", None),
            ("{}", None),
            ("false", None),
        ] {
            let fields =
                format!(r#""phoneNumber":"+15550100123","otpCode":"1","deliveryChannel":{value}"#);
            let request = read(&envelope(&fields)).unwrap();
            assert_eq!(request.channel, channel, "{value}");
        }
    }

    #[test]
    fn a_date_that_is_not_understood_refuses_nothing_and_leaves_the_expiry_to_the_events_time() {
        const EXPIRES: &str = "data.messageProfile.otpExpires";
        let at = datetime!(2026-01-31 12:05:00 UTC);
        let ten_minutes = datetime!(2026-01-31 12:10:00 UTC);
        let good = r#""2026-01-31T12:05:00+0000""#;
        for (event_time, otp_expires, valid_until, ignored) in [
            (r#""2026-01-31 12:00""#, good, Some(at), &[][..]),
            ("1769860800", "1769861100000", Some(at), &[]),
            (r#""noon""#, good, Some(at), &["eventTime"]),
            (r#""2026-01-31T12:00Z""#, r#""soon""#, Some(ten_minutes), &[EXPIRES]),
            (r#""2026-01-31T12:00Z""#, "300", Some(ten_minutes), &[EXPIRES]),
            (r#""2026-01-31T12:00Z""#, r#""""#, Some(ten_minutes), &[EXPIRES]),
            (r#""2026-01-31T12:00Z""#, "null", Some(ten_minutes), &[]),
            (r#""noon""#, r#""soon""#, None, &["eventTime", EXPIRES]),
            (r#""noon""#, "null", None, &["eventTime"]),
            ("null", "{}", None, &[EXPIRES]),
        ] {
            let mut body = whole();
            body["eventTime"] = serde_json::from_str(event_time).unwrap();
            body["data"]["messageProfile"]["otpExpires"] =
                serde_json::from_str(otp_expires).unwrap();
            let request = read(&body.to_string()).unwrap();
            assert_eq!(request.valid_until, valid_until, "{event_time} {otp_expires}");
            assert_eq!(request.ignored, ignored, "{event_time} {otp_expires}");
        }
        let bare = BARE.replace(r#""otpCode""#, r#""otpExpires":"soon","otpCode""#);
        assert_eq!(read(&bare).unwrap().valid_until, None);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_body_and_another_encoding_is_named() {
        assert_eq!(read(&["\u{feff}", PREVIEW].concat()), read(PREVIEW));
        assert_eq!(reason("\u{feff}\u{feff}{}"), Reason::InvalidJson);
        let utf16 = |bytes_of: fn(u16) -> [u8; 2], mark: &str| {
            let text = [mark, BARE].concat();
            text.encode_utf16().flat_map(bytes_of).collect::<Vec<_>>()
        };
        let utf32 = BARE.chars().flat_map(|it| u32::from(it).to_be_bytes()).collect();
        for body in [
            utf16(u16::to_le_bytes, "\u{feff}"),
            utf16(u16::to_be_bytes, "\u{feff}"),
            utf16(u16::to_le_bytes, ""),
            utf16(u16::to_be_bytes, ""),
            utf32,
        ] {
            let refusal = parse(&body).err().unwrap();
            assert_eq!(refusal.reason, Reason::InvalidJson);
            assert!(refusal.fix.contains("send it as UTF-8"), "{refusal:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for body in ["", " ", "x", "{", r#"{"data":"#, r#"{"a":[1,"#, "{}{}", "{}\u{feff}"] {
            assert_eq!(reason(body), Reason::InvalidJson, "{body:?}");
        }
        let refusal = parse(b"{\"x\":\"\xff\"}").err().unwrap();
        assert_eq!(
            (refusal.reason, refusal.fix.as_ref()),
            (Reason::InvalidJson, "The body is not UTF-8.")
        );
    }

    #[test]
    fn a_refusal_never_quotes_the_body() {
        for body in [
            r#"{"data":"+15550100123"}"#,
            r#"{"data":{"messageProfile":"+15550100123"}}"#,
            "+15550100123",
        ] {
            let refusal = read(body).unwrap_err();
            assert!(!format!("{refusal:?}").contains("5550100"), "{refusal:?}");
        }
    }

    #[test]
    fn what_is_not_read_may_be_nested_as_deep_as_the_body_is_long() {
        let deep = |open: &str, close: &str| {
            let levels = (BODY_LIMIT - 200) / (open.len() + close.len());
            [open.repeat(levels), "0".into(), close.repeat(levels)].concat()
        };
        for value in [deep("[", "]"), deep(r#"{"a":"#, "}")] {
            assert!(read(&BARE.replacen('{', &format!(r#"{{"x":{value},"#), 1)).is_ok());
            // Nobody looks into a value of the wrong type either.
            let number = BARE.replace(r#""+15550100123""#, &value);
            assert_eq!(reason(&number), Reason::InvalidField);
            assert_eq!(reason(&format!(r#"{{"data":[{value}]}}"#)), Reason::InvalidField);
        }
        assert_eq!(reason(&"[".repeat(BODY_LIMIT)), Reason::InvalidJson);
        assert_eq!(reason(&r#"{"data":"#.repeat(BODY_LIMIT / 8)), Reason::InvalidJson);
    }

    #[test]
    fn every_escape_is_read_in_every_text() {
        let body =
            PREVIEW.replace("SMS", r"\u0053M\u0053").replace("(HOOK)", r#"\/\"\\\n\ud83d\ude00"#);
        let body = body.replace("otpCode", r"otp\u0043ode").replace("/generate", r"\/generate");
        let body = parse(body.as_bytes()).unwrap();
        assert!(body.is_preview());
        let request = body.into_request().unwrap();
        assert_eq!(request.channel, Some(Channel::Sms));
        assert_eq!(request.msg_template.as_deref(), Some("/\"\\\n😀Your code is 11111"));
        assert_eq!(request.otp_code, "11111");
    }

    #[test]
    fn a_field_that_is_read_may_be_there_once_and_others_as_often_as_they_like() {
        let twice = BARE.replace(r#""otpCode""#, r#""otpCode":"1","otpCode""#);
        assert_eq!(reason(&twice), Reason::DuplicateField);
        let twice = BARE.replace(r#""data""#, r#""data":null,"data""#);
        assert_eq!(reason(&twice), Reason::DuplicateField);
        let twice = BARE.replace(r#""otpCode""#, r#""otpCode":"1","otp\u0043ode""#);
        assert_eq!(reason(&twice), Reason::DuplicateField);
        let twice = PREVIEW.replace(r#""userId""#, r#""userId":7,"userId""#);
        assert_eq!(reason(&twice), Reason::DuplicateField);
        let twice = BARE.replace(r#""otpCode""#, r#""color":"red","color":"blue","otpCode""#);
        assert!(read(&twice).is_ok());
    }

    #[test]
    fn a_refusal_tells_the_field_or_line_and_column() {
        for (body, fix) in [
            ("{\n\"data\" 5}", "The body is not JSON: see line 2, column 8."),
            ("{}\n{}", "The body is not JSON: see line 2, column 1."),
            (
                "{\"data\":{},\n\"data\":{}, \"x\":1}",
                "A field is there twice: see line 2, column 6.",
            ),
            ("5", "The body is not an object."),
            ("{\"data\": 5}", "data is not an object."),
            ("{\"data\":{\"messageProfile\":[]}}", "data.messageProfile is not an object."),
        ] {
            assert_eq!(read(body).unwrap_err().fix, fix, "{body}");
        }
    }

    #[test]
    fn what_is_read_says_something_and_what_is_not_may_be_anything() {
        for value in [r#""\ud800""#, "1e999"] {
            assert!(read(&BARE.replace('{', &format!(r#"{{"firstName":{value},"#))).is_ok());
            let body = BARE.replace(r#""123456""#, value);
            assert_eq!(reason(&body), Reason::InvalidJson, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&body).and_then(Body::into_request);
        }

        #[test]
        fn any_passcode_that_is_taken_is_one(code in "\\PC{0,40}|[-#0-9A-Za-z ]{0,40}") {
            let body = serde_json::json!({"data": {"messageProfile": {"phoneNumber": "+15550100123", "otpCode": code}}});
            if let Ok(request) = read(&body.to_string()) {
                let code = request.otp_code;
                prop_assert!((1..=OTP_CODE_LIMIT).contains(&code.len()));
                prop_assert!(code.bytes().all(|b| b.is_ascii_alphanumeric() || b" -#".contains(&b)));
            }
        }

        #[test]
        fn any_damage_to_a_payload_is_read_or_refused(at in 0..PREVIEW.len(), byte in any::<u8>(), cut in 0..PREVIEW.len()) {
            let mut body = PREVIEW.as_bytes().to_vec();
            body[at] = byte;
            let _ = parse(&body).and_then(Body::into_request);
            let _ = parse(&body[..cut]).and_then(Body::into_request);
        }
    }
}
