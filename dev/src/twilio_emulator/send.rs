//! `POST /2010-04-01/Accounts/{AccountSid}/Messages.json` and `…/Calls.json`: what the service checks, and what it answers.
//!
//! The sources are Twilio's OpenAPI specification of its API of 2010-04-01, the tests of its client for Python, and its error
//! and warning dictionary. Nothing here knows sockets: a request goes in, a [`Verdict`] comes out.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use uuid::Uuid;

use super::Resource;
use super::callback::Callback;
use super::fault::{self, Fault, FaultNumber, OddAnswer, OddReport};
use super::{
    DEVELOPMENT_ACCOUNT_SID, DEVELOPMENT_KEY_SECRET, DEVELOPMENT_KEY_SID, TEST_ACCOUNT_SID,
    TEST_AUTH_TOKEN, magic, twiml,
};
use crate::phone::{NewMessage, Voice};
use crate::reply::{Reply, ReplyBody, Spoilt, Times};
use crate::segments::segments;

/// The most characters of a text.
const BODY_MAX: usize = 1600;
/// The most characters of a call's instructions.
const TWIML_MAX: usize = 4000;
/// The seconds that a message may be valid.
const VALIDITY: std::ops::RangeInclusive<i64> = 1..=36_000;
/// The most characters of a callback's URL.
const CALLBACK_MAX: usize = 4000;

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Verdict {
    pub reply: Reply,
    pub accepted: Option<Accepted>,
    /// See [`crate::phone::ReceivedRequest::reasons`].
    pub reasons: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Accepted {
    pub message: NewMessage,
    /// Where its status is called back to, if it is.
    pub callback: Option<Callback>,
}

/// The forms that the body of an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{"code":…,"message":…,"more_info":…,"status":…}`.
    Older,
    /// That of RFC 9457.
    Newer,
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: u32,
    /// For the developer.
    reason: String,
}

impl Refusal {
    pub fn new(status: StatusCode, code: u32, reason: impl Into<String>) -> Self {
        Self { status, code, reason: reason.into() }
    }

    /// A flaw of what is to be sent.
    pub fn of(code: u32, reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, reason)
    }
}

impl Verdict {
    pub fn refused(refusal: &Refusal) -> Self {
        let Refusal { status, code, reason } = refusal;
        let body = error(*status, *code, ErrorForm::Older);
        Self::told(Reply::json(*status, body), format!("Refused: {code}: {reason}"))
    }

    fn told(reply: Reply, reason: String) -> Self {
        Self { reply, accepted: None, reasons: vec![reason] }
    }
}

/// What the account is.
pub(super) struct Account<'a> {
    /// Its primary auth token, which opens it, too.
    pub auth_token: &'a str,
    /// Its senders; without them it has every one.
    pub senders: Option<&'a [String]>,
    /// What every message meets, whatever its number.
    pub fault: Option<&'static FaultNumber>,
}

/// The messages that have met a fault which happens the first time only.
#[derive(Default)]
pub(super) struct Record(HashSet<(&'static str, String, String)>);

impl Record {
    /// Whether a message, which has no id, is sent for the first time; the next one after a repeat is one again.
    fn is_first(&mut self, fault: &FaultNumber, to: &str, text: &str) -> bool {
        let key = (fault.number, to.to_owned(), text.to_owned());
        let is_repeat = self.0.remove(&key);
        if !is_repeat {
            self.0.insert(key);
        }
        !is_repeat
    }
}

/// A request that passed every check.
#[derive(Debug)]
pub(super) struct SendRequest {
    account_sid: String,
    from: From,
    to: String,
    /// The text, or what a call says.
    body: String,
    /// Who says it, if it is a call.
    voice: Option<Voice>,
    validity: Option<i64>,
    callback: Option<Callback>,
    is_test: bool,
    takes_feedback: bool,
    resource: Resource,
}

#[derive(Debug)]
enum From {
    Sender(String),
    Service(String),
}

/// The checks in the order in which a front end would do them: caller, account, content.
pub(super) fn check(
    resource: Resource,
    account_sid: &str,
    headers: &HeaderMap,
    body: &[u8],
    account: &Account<'_>,
) -> Result<SendRequest, Refusal> {
    let caller = caller(headers, account)?;
    if caller != account_sid {
        let reason = "the account in the path is not that of the credentials";
        return Err(Refusal::new(StatusCode::NOT_FOUND, 20_404, reason));
    }
    let is_test = caller == TEST_ACCOUNT_SID;
    let form = form(headers, body);
    let value = |name: &str| form.get(name).map(String::as_str).filter(|it| !it.is_empty());

    let to = value("To").ok_or_else(|| Refusal::of(21_604, "To is missing"))?;
    if !is_number(to) {
        return Err(Refusal::of(21_211, "To is no number with + and digits"));
    }
    let from = match (value("From"), value("MessagingServiceSid")) {
        (_, Some(_)) if is_test => {
            return Err(Refusal::of(21_705, "test credentials have no Messaging Service"));
        }
        (_, Some(_)) if resource == Resource::Calls => {
            return Err(Refusal::of(21_201, "a call is from no Messaging Service"));
        }
        (_, Some(sid)) if !is_service(sid) => {
            return Err(Refusal::of(21_705, "MessagingServiceSid is none"));
        }
        (_, Some(sid)) => From::Service(sid.to_owned()),
        (Some(from), None) if resource == Resource::Calls && !is_number(from) => {
            return Err(Refusal::of(21_210, "From is no number with + and digits"));
        }
        (Some(from), None) if !is_sender(from) => {
            return Err(Refusal::of(21_212, "From is no sender"));
        }
        (Some(from), None) => From::Sender(from.to_owned()),
        (None, None) => {
            return Err(Refusal::of(21_603, "From and MessagingServiceSid are missing"));
        }
    };
    let (text, voice) = match resource {
        Resource::Messages => {
            let text = value("Body").ok_or_else(|| Refusal::of(21_602, "Body is missing"))?;
            if text.chars().count() > BODY_MAX {
                let reason = format!("Body has more than {BODY_MAX} characters");
                return Err(Refusal::of(21_617, reason));
            }
            (text.to_owned(), None)
        }
        Resource::Calls => {
            let twiml = value("Twiml").ok_or_else(|| Refusal::of(21_205, "Twiml is missing"))?;
            if twiml.chars().count() > TWIML_MAX {
                let reason = format!("Twiml has more than {TWIML_MAX} characters");
                return Err(Refusal::of(20_001, reason));
            }
            let seconds = |name| value(name).is_none_or(|it| it.parse::<u32>().is_ok());
            if !seconds("Timeout") || !seconds("TimeLimit") {
                return Err(Refusal::of(20_001, "Timeout or TimeLimit is no number"));
            }
            // What is wrong with it shows once somebody has picked up.
            match twiml::said(twiml) {
                Some((text, voice)) => (text, Some(voice)),
                None => ("12100: Document parse failure".to_owned(), None),
            }
        }
    };
    let validity = match value("ValidityPeriod").map(str::parse) {
        None => None,
        Some(Ok(seconds)) if VALIDITY.contains(&seconds) => Some(seconds),
        // No page names the code.
        Some(_) => return Err(Refusal::of(20_001, "ValidityPeriod is not from 1 to 36000")),
    };
    let callback = value("StatusCallback").map(callback).transpose()?;
    let magic = match &from {
        From::Sender(from) if is_test => magic::code(resource, from, to),
        _ => None,
    };
    if let Some(code) = magic {
        return Err(Refusal::of(code, "one of Twilio's magic numbers"));
    }
    let sender = match &from {
        From::Sender(sender) | From::Service(sender) => sender,
    };
    if account.senders.is_some_and(|senders| !senders.contains(sender)) {
        let code = match resource {
            Resource::Calls => 21_210,
            Resource::Messages if is_service(sender) => 21_703,
            Resource::Messages => 21_606,
        };
        return Err(Refusal::of(code, "the account does not have this sender"));
    }
    Ok(SendRequest {
        account_sid: account_sid.to_owned(),
        from,
        to: to.to_owned(),
        body: text,
        voice,
        resource,
        validity,
        // "No status callbacks".
        callback: callback.filter(|_| !is_test),
        is_test,
        takes_feedback: resource == Resource::Messages && value("ProvideFeedback") == Some("true"),
    })
}

/// The account that the credentials open.
pub(super) fn caller(headers: &HeaderMap, account: &Account<'_>) -> Result<&'static str, Refusal> {
    let unauthorized = |why| Refusal::new(StatusCode::UNAUTHORIZED, 20_003, why);
    let said = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let said = said.ok_or_else(|| unauthorized("the authorization header is missing"))?;
    let decoded = said.strip_prefix("Basic ").and_then(|it| BASE64.decode(it).ok());
    let decoded = decoded.and_then(|it| String::from_utf8(it).ok());
    let pair = decoded.as_deref().and_then(|it| it.split_once(':'));
    match pair.ok_or_else(|| unauthorized("the authorization header has no Basic credentials"))? {
        (DEVELOPMENT_KEY_SID, DEVELOPMENT_KEY_SECRET) => Ok(DEVELOPMENT_ACCOUNT_SID),
        (DEVELOPMENT_ACCOUNT_SID, token) if token == account.auth_token => {
            Ok(DEVELOPMENT_ACCOUNT_SID)
        }
        (TEST_ACCOUNT_SID, TEST_AUTH_TOKEN) => Ok(TEST_ACCOUNT_SID),
        _ => Err(unauthorized("the credentials are others")),
    }
}

/// The parameters; none of a body of another type. Their names are case-sensitive, and one that is not known is ignored.
pub(super) fn form(headers: &HeaderMap, body: &[u8]) -> HashMap<String, String> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return HashMap::new();
    }
    form_urlencoded::parse(body).into_owned().collect()
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_sender(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short_code = digits && matches!(text.len(), 5 | 6);
    let is_name = !digits
        && text.len() <= 11
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
    is_number(text) || is_short_code || is_name
}

fn is_service(text: &str) -> bool {
    let digits = text.strip_prefix("MG");
    digits.is_some_and(|it| it.len() == 32 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn callback(url: &str) -> Result<Callback, Refusal> {
    let refused = |why| Refusal::of(21_609, why);
    let (bare, overrides) = url.split_once('#').unwrap_or((url, ""));
    let uri: Uri = bare.parse().map_err(|_| refused("StatusCallback is no URL"))?;
    let host = uri.host().unwrap_or_default();
    if url.len() > CALLBACK_MAX
        || !matches!(uri.scheme_str(), Some("http" | "https"))
        || host.is_empty()
        || host.contains('_')
    {
        return Err(refused("StatusCallback is no URL with a valid host name"));
    }
    Callback::new(uri, overrides)
        .ok_or_else(|| refused("StatusCallback has overrides that there are not"))
}

impl SendRequest {
    /// Accepts the message, but for what the faults have against it.
    pub fn execute(
        self,
        account: &Account<'_>,
        record: &mut Record,
        now: OffsetDateTime,
    ) -> Verdict {
        let kind = if self.resource == Resource::Calls { "CA" } else { "SM" };
        let sid = format!("{kind}{}", Uuid::new_v4().simple());
        if self.is_test {
            let reply = Reply::json(StatusCode::CREATED, self.answer(&sid, now));
            return Verdict::told(reply, "Test credentials: nothing is sent".to_owned());
        }
        let fault = account.fault.or(fault::lookup(&self.to));
        let mut happens = |fault: &FaultNumber, times| {
            times == Times::Always || record.is_first(fault, &self.to, &self.body)
        };
        let mut odd = None;
        let mut odd_report = None;
        if let Some(fault) = fault {
            let reply = match fault.fault {
                Fault::Refuse { status, code, retry_after, form, times }
                    if happens(fault, times) =>
                {
                    // The table of faults has valid ones only.
                    let status =
                        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    let body = match code {
                        0 => ReplyBody::Empty,
                        code => ReplyBody::Json(error(status, code, form)),
                    };
                    Some(Reply::Answer { status, retry_after, body, delay: Duration::ZERO })
                }
                Fault::NeverAnswer => Some(Reply::Silence),
                Fault::Cut => Some(Reply::Cut),
                Fault::Accept(it @ OddAnswer::Spoilt(Spoilt::CutFirstTime)) => {
                    odd = happens(fault, Times::First).then_some(it);
                    None
                }
                Fault::Accept(it) => {
                    odd = Some(it);
                    None
                }
                Fault::Report(it) => {
                    odd_report = Some(it);
                    None
                }
                Fault::Refuse { .. } => None,
            };
            if let Some(reply) = reply {
                return Verdict::told(reply, reason(fault));
            }
        }
        let mut answer = self.answer(&sid, now);
        match (odd, answer.as_object_mut()) {
            (Some(OddAnswer::Nothing), _) => answer = json!({}),
            (Some(OddAnswer::NoSid), Some(members)) => drop(members.remove("sid")),
            _ => {}
        }
        let spoilt = match odd {
            Some(OddAnswer::Spoilt(how)) => Some(how),
            _ => None,
        };
        Verdict {
            reply: Reply::json(StatusCode::CREATED, answer).spoilt(spoilt),
            reasons: fault.filter(|_| odd.is_some()).map(reason).into_iter().collect(),
            accepted: Some(self.accepted(sid, odd_report, now)),
        }
    }

    fn accepted(self, sid: String, odd_report: Option<OddReport>, now: OffsetDateTime) -> Accepted {
        let (From::Sender(from) | From::Service(from)) = self.from;
        let callback = self.callback.map(|mut it| {
            it.odd = odd_report;
            it
        });
        let url =
            callback.as_ref().map(|it| ("StatusCallback".to_owned(), it.url.to_string().into()));
        let message = NewMessage {
            id: sid,
            from,
            to: self.to,
            text: self.body,
            tag: callback.as_ref().and_then(Callback::tag),
            expires: self.validity.map(|seconds| now + time::Duration::seconds(seconds)),
            details: url.into_iter().collect::<Map<String, Value>>(),
            voice: self.voice,
            takes_feedback: self.takes_feedback,
        };
        Accepted { message, callback }
    }

    fn answer(&self, sid: &str, now: OffsetDateTime) -> Value {
        let account = &self.account_sid;
        if self.resource == Resource::Calls {
            return self.answer_of_call(sid);
        }
        let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}");
        let date = now.format(&Rfc2822).unwrap_or_default();
        // A service picks its sender later, and only then says how many segments there are.
        let (from, service, status, segments) = match &self.from {
            From::Sender(from) => (Some(from), None, "queued", segments(&self.body)),
            From::Service(service) => (None, Some(service), "accepted", 0),
        };
        json!({
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": date,
            "date_sent": null,
            "date_updated": date,
            "direction": "outbound-api",
            "error_code": null,
            "error_message": null,
            "from": from,
            "messaging_service_sid": service,
            "num_media": "0",
            "num_segments": segments.to_string(),
            "price": null,
            "price_unit": null,
            "sid": sid,
            "status": status,
            "subresource_uris": { "media": format!("{uri}/Media.json") },
            "to": self.to,
            "uri": format!("{uri}.json"),
        })
    }
}

impl SendRequest {
    fn answer_of_call(&self, sid: &str) -> Value {
        let account = &self.account_sid;
        let (From::Sender(from) | From::Service(from)) = &self.from;
        json!({
            "account_sid": account,
            "annotation": null,
            "answered_by": null,
            "api_version": "2010-04-01",
            "caller_name": null,
            "date_created": null,
            "date_updated": null,
            "direction": "outbound-api",
            "duration": null,
            "end_time": null,
            "forwarded_from": null,
            "from": from,
            "parent_call_sid": null,
            "price": null,
            "price_unit": "USD",
            "sid": sid,
            "start_time": null,
            "status": "queued",
            "to": self.to,
            "uri": format!("/2010-04-01/Accounts/{account}/Calls/{sid}.json"),
        })
    }
}

fn reason(fault: &FaultNumber) -> String {
    format!("Fault: {}: {}", fault.number, fault.meaning)
}

/// The body of an error.
pub(super) fn error(status: StatusCode, code: u32, form: ErrorForm) -> Value {
    let message = match code {
        20_001 => "Invalid parameter",
        20_003 => "Authenticate",
        20_404 => "The requested resource was not found",
        20_429 => "Too Many Requests",
        21_211 => "Invalid 'To' Phone Number",
        21_212 => "Invalid From Number",
        21_408 => "Permission to send an SMS has not been enabled for the region",
        21_602 => "Message body is required",
        21_603 => "A 'From' phone number is required",
        21_604 => "A 'To' phone number is required",
        21_606 => "The 'From' phone number provided is not a valid message-capable phone number",
        21_609 => "Invalid 'StatusCallback'",
        21_610 => "Attempt to send to unsubscribed recipient",
        21_611 => "This 'From' number has exceeded the maximum number of queued messages",
        21_612 => "The 'To' phone number is not currently reachable",
        21_614 => "'To' number is not a valid mobile number",
        21_617 => "The concatenated message body exceeds the 1600 character limit",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    match form {
        ErrorForm::Older => json!({
            "code": code,
            "message": message,
            "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
            "status": status.as_u16(),
        }),
        ErrorForm::Newer => json!({
            "type": format!("https://www.twilio.com/docs/api/errors/{code}"),
            "title": message,
            "status": status.as_u16(),
            "code": code,
        }),
    }
}
