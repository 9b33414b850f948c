//! What the request says: Okta's JSON, in either dialect, to a [`HookRequest`].

use std::borrow::Cow;
use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::read::{Json, Place, Unfit};
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

/// The `requestType` of a person who enrols a phone ("Telephony inline hook reference", Okta).
pub const ENROLLMENT: &str = "com.okta.user.telephony.pre-enrollment";

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
    /// The channel, trimmed, as Okta wrote it; absent or empty means SMS.
    pub delivery_channel: Option<String>,
    /// The recipient, or what keeps it from being one.
    pub phone_number: Result<PhoneNumber, NotANumber>,
    /// The passcode.
    pub otp_code: String,
    /// Until when the passcode holds, where the request says so.
    pub otp_expires: Option<OffsetDateTime>,
    /// From when on the request is too old to be answered: at `otp_expires`, or some time after
    /// `event_time`. Only a classic request may leave it open.
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
            .field("phone_number", &self.phone_number)
            .finish_non_exhaustive()
    }
}

/// A body that is JSON of the right shape, its fields not yet looked at. Already tells the dialect.
///
/// `null` counts as absent.
pub struct Body<'a> {
    event_id: Option<Value<'a>>,
    event_time: Option<Value<'a>>,
    event_type: Option<Value<'a>>,
    request_type: Option<Value<'a>>,
    url: Option<Value<'a>>,
    ip_address: Option<Value<'a>>,
    user_id: Option<Value<'a>>,
    message_profile: Option<MessageProfile<'a>>,
}

struct MessageProfile<'a> {
    msg_template: Option<Value<'a>>,
    phone_number: Option<Value<'a>>,
    otp_expires: Option<Value<'a>>,
    delivery_channel: Option<Value<'a>>,
    otp_code: Option<Value<'a>>,
    locale: Option<Value<'a>>,
}

/// Reads a body as JSON.
///
/// Refuses, with 400, what is not UTF-8, not JSON, nested deeper than [`NESTING_LIMIT`], or has a
/// field twice that the hook reads; other fields are ignored.
pub fn parse(body: &[u8]) -> Result<Body<'_>, Refusal> {
    if str::from_utf8(body).is_err() {
        return Err(Refusal::new(Reason::InvalidJson, "The body is not UTF-8."));
    }
    let (body, levels) = Json::parse_and_measure(body).map_err(not_json)?;
    if levels > NESTING_LIMIT {
        let fix = format!("The body is nested deeper than {NESTING_LIMIT} levels.");
        return Err(Refusal::new(Reason::InvalidJson, fix));
    }
    let names = ["eventId", "eventTime", "eventType", "requestType", "data"];
    let [event_id, event_time, event_type, request_type, data] = members(body, names)?;
    let [context, user_profile, message_profile] = match data {
        Some(data) => members(data, ["context", "userProfile", "messageProfile"])?,
        None => [None; 3],
    };
    let [request] = lenient(context, ["request"])?;
    let [url, ip_address] = lenient(request, ["url", "ipAddress"])?;
    let [url] = lenient(url, ["value"])?;
    let [user_id] = lenient(user_profile, ["userId"])?;
    Ok(Body {
        event_id: value(event_id),
        event_time: value(event_time),
        event_type: value(event_type),
        request_type: value(request_type),
        url: value(url),
        ip_address: value(ip_address),
        user_id: value(user_id),
        message_profile: message_profile.map(profile).transpose()?,
    })
}

fn profile(profile: Json<'_>) -> Result<MessageProfile<'_>, Refusal> {
    let names =
        ["msgTemplate", "phoneNumber", "otpExpires", "deliveryChannel", "otpCode", "locale"];
    let [msg_template, phone_number, otp_expires, delivery_channel, otp_code, locale] =
        members(profile, names)?.map(value);
    Ok(MessageProfile {
        msg_template,
        phone_number,
        otp_expires,
        delivery_channel,
        otp_code,
        locale,
    })
}

/// The members that are read of an object, each there at most once.
fn members<'a, const N: usize>(
    object: Json<'a>,
    names: [&'static str; N],
) -> Result<[Option<Json<'a>>; N], Refusal> {
    let members = object.given(names).map_err(|unfit| match unfit {
        Unfit::NotAnObject => {
            refused_at(Reason::InvalidField, "A field is not of its type", object.place())
        }
        Unfit::Twice(end) => {
            refused_at(Reason::DuplicateField, "A field is there twice", object.place_of(end))
        }
    })?;
    match members.iter().flatten().find(|member| !member.is_readable()) {
        Some(member) => Err(not_json(member.place())),
        None => Ok(members),
    }
}

/// The same of what the hook can do without: of a value of another type it is nothing.
fn lenient<'a, const N: usize>(
    object: Option<Json<'a>>,
    names: [&'static str; N],
) -> Result<[Option<Json<'a>>; N], Refusal> {
    match object {
        Some(object) if object.is_object() => members(object, names),
        _ => Ok([None; N]),
    }
}

fn not_json(place: Place) -> Refusal {
    refused_at(Reason::InvalidJson, "The body is not JSON", place)
}

fn refused_at(reason: Reason, what: &str, Place { line, column }: Place) -> Refusal {
    Refusal::new(reason, format!("{what}: see line {line}, column {column}."))
}

impl Body<'_> {
    /// How the request is worded.
    pub fn dialect(&self) -> Dialect {
        match self.event_type {
            Some(_) => Dialect::Documented,
            None => Dialect::Classic,
        }
    }

    /// Okta's id of the event, to the letter: a log has it as an [`Identifier`](crate::telemetry::Identifier).
    pub fn event_id(&self) -> Option<&str> {
        self.event_id.as_ref()?.as_text()
    }

    /// Which step asks, such as `com.okta.user.telephony.pre-enrollment`: an open set.
    pub fn request_type(&self) -> Option<&str> {
        self.request_type.as_ref()?.as_text()
    }

    /// The request is the preview of Okta's Admin Console, which calls the hook from a URL of its
    /// own (`/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview`).
    pub fn is_preview(&self) -> bool {
        let url = self.url.as_ref().and_then(Value::as_text);
        url.is_some_and(|url| url.ends_with("/generatePreview"))
    }

    /// Looks at the fields.
    pub fn into_request(self) -> Result<HookRequest, Refusal> {
        let documented = self.dialect() == Dialect::Documented;
        let preview = self.is_preview();
        let enrollment = self.request_type() == Some(ENROLLMENT);
        if documented && self.event_type.as_ref().and_then(Value::as_text) != Some(EVENT_TYPE) {
            return Err(Refusal::new(
                Reason::UnsupportedEventType,
                "eventType is not com.okta.telephony.provider: the hook in Okta must be of type Telephony.",
            ));
        }
        let Some(profile) = self.message_profile else {
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
        let event_time = date(self.event_time, Reason::InvalidEventTime, "eventTime");
        let otp_expires = date(profile.otp_expires, Reason::InvalidOtpExpires, "otpExpires")?;
        let valid_until = match otp_expires {
            None if documented => match event_time.clone()? {
                Some(time) => Some(time.saturating_add(DEFAULT_LIFETIME)),
                None => {
                    let name = "otpExpires, and eventTime to infer it from,";
                    return Err(missing(Reason::MissingOtpExpires, name));
                }
            },
            expires => expires,
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
        let delivery_channel = match profile.delivery_channel {
            None => None,
            Some(Value::Text(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Some(_) => Some("?".to_owned()),
        };
        Ok(HookRequest {
            event_id: self.event_id.and_then(Value::into_text),
            // What is not needed does not refuse a sign-in.
            event_time: event_time.unwrap_or_default(),
            delivery_channel,
            phone_number,
            otp_code,
            otp_expires,
            valid_until,
            msg_template,
            locale: profile.locale.and_then(Value::into_text),
            enrollment,
            user_id: self.user_id.and_then(Value::into_text),
            ip_address: self.ip_address.as_ref().and_then(Value::as_text).map(str::to_owned),
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
        Value::Integer(digits) if preview && *digits == PREVIEW_NUMBER => {
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
        Value::Integer(digits) => digits.to_owned(),
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

/// A field's value. Never fails to read, so that a wrong type is refused by the field's name.
enum Value<'a> {
    Text(Cow<'a, str>),
    /// A whole number that is not negative, as its digits.
    Integer(&'a str),
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
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.into_owned()),
            _ => None,
        }
    }
}

fn value(field: Option<Json<'_>>) -> Option<Value<'_>> {
    let field = field?;
    let digits = || field.digits().map(Value::Integer);
    Some(field.text().map(Value::Text).or_else(digits).unwrap_or(Value::Other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    /// The payload of Okta's preview, from its telephony inline hook reference.
    const PREVIEW: &str = r#"{"eventId":"uS5871kJThSsU8qlA1LTcg","eventTime":"2022-01-28T21:43:40.000Z","eventType":"com.okta.telephony.provider","eventTypeVersion":"1.0","contentType":"application/json","cloudEventVersion":"0.1","source":"https://${yourOktaDomain}/api/v1/inlineHooks/calz6lVQA77AwFeEe0g3","requestType":"com.okta.user.telephony.pre-enrollment","data":{"context":{"request":{"id":"reqRgSk8IBBRhuo0YdlEDTmUw","method":"POST","url":{"value":"/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview"},"ipAddress":"127.0.0.1"}},"userProfile":{"firstName":"test","lastName":"user","login":"test.user@okta.com","userId":"00uyxxSknGtK8022w0g3"},"messageProfile":{"msgTemplate":"(HOOK)Your code is 11111","phoneNumber":"9876543210","otpExpires":"2022-01-28T21:48:34.321Z","deliveryChannel":"SMS","otpCode":"11111","locale":"EN-US"}}}"#;

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
                delivery_channel: Some("SMS".into()),
                phone_number: Err(NotANumber::Placeholder),
                otp_code: "11111".into(),
                otp_expires: Some(datetime!(2022-01-28 21:48:34.321 UTC)),
                valid_until: Some(datetime!(2022-01-28 21:48:34.321 UTC)),
                msg_template: Some("(HOOK)Your code is 11111".into()),
                locale: Some("EN-US".into()),
                enrollment: true,
                user_id: Some("00uyxxSknGtK8022w0g3".into()),
                ip_address: Some("127.0.0.1".into()),
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
        let unquoted =
            PREVIEW.replace(r#""9876543210""#, "9876543210").replace(r#""11111""#, "11111");
        assert_eq!(read(&unquoted).unwrap().phone_number, Err(NotANumber::Placeholder));
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
            (format!(r#"{number},"otpCode":{{"a":[1]}}"#), InvalidOtpCode),
            (format!(r#"{number},"otpCode":"1","otpExpires":"soon""#), InvalidOtpExpires),
            (format!(r#"{number},"otpCode":"1","otpExpires":1700000000"#), InvalidOtpExpires),
            (format!(r#"{number},"otpCode":"1","msgTemplate":5"#), InvalidMsgTemplate),
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
        let timed = envelope(&format!(r#"{number},"otpCode":"1""#));
        assert_eq!(reason(&timed.replace("2026-01-31T12:00:00.000Z", "noon")), InvalidEventTime);
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
        let untimed = PREVIEW.replace("2022-01-28T21:43:40.000Z", "2022-01-28T21:43:40+0000");
        assert_eq!(read(&untimed).unwrap().event_time, None);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for body in ["", " ", "x", "{", r#"{"data":"#, r#"{"a":[1,"#, "{}{}", "\u{feff}{}"] {
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
    fn nesting_is_bounded_where_it_counts_and_not_in_strings() {
        let nested = |levels: usize| {
            format!(r#"{{"x":{}{},{}"#, "[".repeat(levels - 1), "]".repeat(levels - 1), &BARE[1..])
        };
        assert!(read(&nested(NESTING_LIMIT)).is_ok());
        assert_eq!(reason(&nested(NESTING_LIMIT + 1)), Reason::InvalidJson);
        assert_eq!(reason(&"[".repeat(BODY_LIMIT)), Reason::InvalidJson);
        let text = format!(r#"{{"x":"\"{}",{}"#, "[".repeat(100), &BARE[1..]);
        assert!(read(&text).is_ok());
    }

    #[test]
    fn a_field_that_is_read_may_be_there_once_and_others_as_often_as_they_like() {
        let twice = BARE.replace(r#""otpCode""#, r#""otpCode":"1","otpCode""#);
        assert_eq!(reason(&twice), Reason::DuplicateField);
        let twice = BARE.replace(r#""data""#, r#""data":null,"data""#);
        assert_eq!(reason(&twice), Reason::DuplicateField);
        let twice = BARE.replace(r#""otpCode""#, r#""color":"red","color":"blue","otpCode""#);
        assert!(read(&twice).is_ok());
    }

    #[test]
    fn a_refusal_tells_line_and_column() {
        for (body, fix) in [
            ("{\n\"data\" 5}", "The body is not JSON: see line 2, column 8."),
            ("{\n\"data\": 5}", "A field is not of its type: see line 2, column 9."),
            ("{\n\"data\":[]}", "A field is not of its type: see line 2, column 7."),
            (
                "{\"data\":{},\n\"data\":{}, \"x\":1}",
                "A field is there twice: see line 2, column 9.",
            ),
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
        fn any_damage_to_a_payload_is_read_or_refused(at in 0..PREVIEW.len(), byte in any::<u8>(), cut in 0..PREVIEW.len()) {
            let mut body = PREVIEW.as_bytes().to_vec();
            body[at] = byte;
            let _ = parse(&body).and_then(Body::into_request);
            let _ = parse(&body[..cut]).and_then(Body::into_request);
        }
    }
}
