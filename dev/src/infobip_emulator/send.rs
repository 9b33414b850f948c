//! `POST /sms/3/messages` and `POST /tts/3/advanced`: what the service checks, and what it answers.
//!
//! The sources are Infobip's OpenAPI specifications of SMS and voice (version 3.210.0), the tests of its client for Java, and its
//! pages "Response status and error codes" and "Idempotent message sending". Nothing here knows sockets: a request goes
//! in, a [`Verdict`] comes out.

use std::collections::HashMap;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::fault::{self, ErrorForm, Fault, FaultNumber, OddAnswer, OddReport};
use super::fields::{Violation, violations};
use super::status::{self, Status};
use crate::phone::{NewMessage, Voice};
use crate::reply::{Reply, ReplyBody, Spoilt, Times};
use crate::segments::segments;

/// A text longer than this, or of more than [`PARTS_MAX`] parts, is REJECTED_MESSAGE_TOO_LONG.
const TEXT_MAX: usize = 4000;
const PARTS_MAX: usize = 25;
/// A validity period that is longer is taken for this.
const VALID_FOR_MAX: time::Duration = time::Duration::hours(48);
/// How long a messageId is known again. "Within the configured grace period": no page says how long that is.
const KNOWN_FOR: time::Duration = time::Duration::hours(1);

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Verdict {
    pub reply: Reply,
    /// The messages that are new.
    pub accepted: Vec<Accepted>,
    /// The ids of messages that were there already.
    pub repeated: Vec<String>,
    /// See [`crate::phone::ReceivedRequest::reasons`].
    pub reasons: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Accepted {
    pub message: NewMessage,
    /// Whether a report of its delivery is wanted.
    pub is_reported: bool,
    pub odd_report: Option<OddReport>,
}

/// Why a whole request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    violations: Vec<Violation>,
    /// For the developer.
    pub reason: String,
}

impl Refusal {
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, violations: Vec::new(), reason: reason.into() }
    }

    fn of(violations: Vec<Violation>) -> Self {
        let told = violations.iter().map(|it| format!("{} {}", it.property, it.violation));
        let reason = told.collect::<Vec<_>>().join("; ");
        Self { status: StatusCode::BAD_REQUEST, violations, reason }
    }
}

impl Verdict {
    pub fn refused(operation: Operation, refusal: Refusal) -> Self {
        let Refusal { status, violations, reason } = refusal;
        let body = match operation {
            Operation::Sms => api_error(status, &violations),
            Operation::Voice => request_error(status),
        };
        Self::told(Reply::json(status, body), format!("Refused: {reason}"))
    }

    fn told(reply: Reply, reason: String) -> Self {
        Self { reply, accepted: Vec::new(), repeated: Vec::new(), reasons: vec![reason] }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// To send messages.
    Sms,
    /// To call.
    Voice,
}

/// What the account is.
pub(super) struct Account<'a> {
    /// A key that may send.
    pub api_key: &'a str,
    /// A key that may not.
    pub key_without_scope: &'a str,
    /// Its senders; without them it has every one.
    pub senders: Option<&'a [String]>,
    /// A repeat is known by its messageId.
    pub idempotent: bool,
    /// What every message meets, whatever its number.
    pub fault: Option<&'static FaultNumber>,
}

/// A request that passed every check that concerns it as a whole.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendRequest {
    messages: Vec<Sms>,
    options: Option<OfRequest>,
    #[serde(skip)]
    is_of_calls: bool,
}

/// A request for calls, as far as the emulator does what it says.
#[derive(Debug, Deserialize)]
struct CallRequest {
    messages: Vec<Call>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    from: Option<String>,
    destinations: Vec<Destination>,
    #[serde(default)]
    text: String,
    language: Option<String>,
    voice: Option<CallVoice>,
    callback_data: Option<String>,
    /// In minutes.
    validity_period: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct CallVoice {
    name: Option<String>,
}

impl From<CallRequest> for SendRequest {
    fn from(request: CallRequest) -> Self {
        let messages = request.messages.into_iter().map(Sms::from).collect();
        Self { messages, options: None, is_of_calls: true }
    }
}

impl From<Call> for Sms {
    fn from(call: Call) -> Self {
        let Call { from, destinations, text, language, voice, callback_data, validity_period } =
            call;
        let period = |amount| ValidityPeriod { amount, time_unit: TimeUnit::Minutes };
        Self {
            sender: from,
            destinations,
            content: Content { text },
            options: Some(Options { validity_period: validity_period.map(period), regional: None }),
            webhooks: Some(Webhooks { delivery: None, callback_data }),
            voice: Some(Voice {
                language: language.unwrap_or_else(|| "en".to_owned()),
                name: voice.and_then(|voice| voice.name),
            }),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfRequest {
    include_sms_count_in_response: Option<bool>,
    conversion_tracking: Option<ConversionTracking>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversionTracking {
    use_conversion_tracking: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sms {
    sender: Option<String>,
    destinations: Vec<Destination>,
    content: Content,
    options: Option<Options>,
    webhooks: Option<Webhooks>,
    /// Who says it, if it is a call.
    #[serde(skip)]
    voice: Option<Voice>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Destination {
    to: String,
    message_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Content {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    validity_period: Option<ValidityPeriod>,
    regional: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValidityPeriod {
    amount: i64,
    #[serde(default)]
    time_unit: TimeUnit,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum TimeUnit {
    Seconds,
    #[default]
    Minutes,
    Hours,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhooks {
    delivery: Option<Delivery>,
    callback_data: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delivery {
    notify: Option<bool>,
}

/// The checks in the order in which a front end would do them: caller, type, content.
pub(super) fn check(
    operation: Operation,
    headers: &HeaderMap,
    body: &[u8],
    account: &Account<'_>,
) -> Result<SendRequest, Refusal> {
    check_key(headers, account)?;
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        // XML is documented, too, and not emulated; no page says what other types are answered.
        let reason = format!("the content type is {content_type:?}, not application/json");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let of_request = |violation: String| {
        Refusal::of(vec![Violation { property: "request".to_owned(), violation }])
    };
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| of_request(format!("is not a JSON object: {error}")))?;
    let body = Value::Object(body);
    match violations(operation, &body) {
        found if found.is_empty() => {
            let request = match operation {
                Operation::Sms => serde_json::from_value(body),
                Operation::Voice => {
                    serde_json::from_value(body).map(|request: CallRequest| request.into())
                }
            };
            request.map_err(|error| of_request(error.to_string()))
        }
        found => Err(Refusal::of(found)),
    }
}

pub(super) fn check_key(headers: &HeaderMap, account: &Account<'_>) -> Result<(), Refusal> {
    let unauthorized = |why: &str| Err(Refusal::new(StatusCode::UNAUTHORIZED, why));
    let Some(said) = headers.get(header::AUTHORIZATION) else {
        return unauthorized("the authorization header is missing");
    };
    match said.to_str().ok().and_then(|said| said.strip_prefix("App ")) {
        None => unauthorized("the authorization header does not begin with App and a blank"),
        Some(key) if key == account.api_key => Ok(()),
        Some(key) if key == account.key_without_scope => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "the API key has no scope that may send messages",
        )),
        Some(_) => unauthorized("the API key is another one"),
    }
}

/// The messages that are known again.
#[derive(Default)]
pub(super) struct Record {
    /// By messageId: when it came last, and whether it was accepted.
    seen: HashMap<String, (OffsetDateTime, bool)>,
}

impl Record {
    fn put(&mut self, id: &str, is_accepted: bool, now: OffsetDateTime) {
        // Many and old ones only where a load test runs.
        if self.seen.len() % 10_000 == 9_999 {
            self.seen.retain(|_, (seen, _)| now - *seen <= KNOWN_FOR);
        }
        let known = self.seen.entry(id.to_owned()).or_insert((now, false));
        *known = (now, known.1 || is_accepted);
    }

    fn is_accepted(&self, id: &str, now: OffsetDateTime) -> bool {
        let known = self.seen.get(id);
        known.is_some_and(|(seen, accepted)| *accepted && now - *seen <= KNOWN_FOR)
    }
}

/// A message to one destination.
struct One<'a> {
    sms: &'a Sms,
    to: &'a str,
    id: String,
    fault: Option<&'static FaultNumber>,
    is_first: bool,
    /// It is there already, and known by its id.
    is_repeat: bool,
}

impl One<'_> {
    fn happens(&self, times: Times) -> bool {
        times == Times::Always || self.is_first
    }

    /// What is wrong with it, before faults.
    fn flaw(&self, senders: Option<&[String]>) -> Option<u16> {
        let digits = self.to.strip_prefix('+').unwrap_or(self.to);
        let owns = |sender: &String| senders.is_none_or(|senders| senders.contains(sender));
        let text = &self.sms.content.text;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.len() > 15 {
            Some(status::BAD_DESTINATION)
        } else if digits.len() < 7 || digits.starts_with('0') {
            Some(status::PREFIX_MISSING)
        } else if !self.sms.sender.as_ref().is_some_and(owns) {
            Some(status::UNKNOWN_SENDER)
        } else if text.len() > TEXT_MAX || segments(text) > PARTS_MAX {
            Some(status::TOO_LONG)
        } else {
            None
        }
    }

    /// What is odd about the answer once it is accepted.
    fn odd_answer(&self) -> Option<OddAnswer> {
        match self.fault?.fault {
            Fault::Accept(OddAnswer::Spoilt(Spoilt::CutFirstTime)) if !self.is_first => None,
            Fault::Accept(odd) => Some(odd),
            _ => None,
        }
    }

    fn message(&self, now: OffsetDateTime) -> NewMessage {
        let options = self.sms.options.as_ref();
        let period = options.and_then(|options| options.validity_period.as_ref());
        let regional = options.and_then(|options| options.regional.clone());
        let number = self.to.strip_prefix('+').unwrap_or(self.to);
        let webhooks = self.sms.webhooks.as_ref();
        NewMessage {
            id: self.id.clone(),
            from: self.sms.sender.clone().unwrap_or_default(),
            to: format!("+{number}"),
            text: self.sms.content.text.clone(),
            tag: webhooks.and_then(|it| it.callback_data.clone()),
            expires: period.map(|period| now + period.duration()),
            details: regional.map(|it| ("regional".to_owned(), it)).into_iter().collect(),
            voice: self.sms.voice.clone(),
            takes_feedback: false,
        }
    }
}

impl ValidityPeriod {
    fn duration(&self) -> time::Duration {
        let period = match self.time_unit {
            TimeUnit::Seconds => time::Duration::seconds(self.amount),
            TimeUnit::Minutes => time::Duration::minutes(self.amount),
            TimeUnit::Hours => time::Duration::hours(self.amount),
        };
        period.min(VALID_FOR_MAX)
    }
}

impl SendRequest {
    /// Accepts the messages, but for what the account and the faults have against it.
    pub fn execute(
        &self,
        account: &Account<'_>,
        record: &mut Record,
        now: OffsetDateTime,
    ) -> Verdict {
        let ones: Vec<_> = self.ones(account, record, now).collect();
        for one in &ones {
            record.put(&one.id, false, now);
        }
        let fault = |one| fault_of_whole_request(one, self.is_of_calls);
        if let Some(verdict) = ones.iter().find_map(fault) {
            return verdict;
        }
        let mut verdict = Verdict {
            reply: Reply::Silence,
            accepted: Vec::new(),
            repeated: Vec::new(),
            reasons: Vec::new(),
        };
        let mut items = Vec::new();
        let mut odd_answer = None;
        for one in &ones {
            let (status, odd) = self.send(one, account, record, now, &mut verdict);
            odd_answer = odd_answer.or(odd);
            items.push(self.item(one, status, odd));
        }
        verdict.reply = answer(items, odd_answer);
        verdict
    }

    fn ones<'a>(
        &'a self,
        account: &Account<'_>,
        record: &Record,
        now: OffsetDateTime,
    ) -> impl Iterator<Item = One<'a>> {
        let pairs =
            self.messages.iter().flat_map(|sms| sms.destinations.iter().map(move |to| (sms, to)));
        pairs.map(move |(sms, Destination { to, message_id })| {
            let id = message_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
            let number = format!("+{}", to.strip_prefix('+').unwrap_or(to));
            One {
                sms,
                to,
                fault: account.fault.or(fault::lookup(&number)),
                is_first: !record.seen.contains_key(&id),
                // It is switched on by channel: here for SMS.
                is_repeat: account.idempotent && !self.is_of_calls && record.is_accepted(&id, now),
                id,
            }
        })
    }

    /// Whether conversions are tracked.
    fn is_tracked(&self) -> bool {
        let tracking = self.options.as_ref().and_then(|it| it.conversion_tracking.as_ref());
        tracking.and_then(|it| it.use_conversion_tracking) == Some(true)
    }

    /// What becomes of one message: the id of its status, and what is odd about the answer.
    fn send(
        &self,
        one: &One<'_>,
        account: &Account<'_>,
        record: &mut Record,
        now: OffsetDateTime,
        verdict: &mut Verdict,
    ) -> (u16, Option<OddAnswer>) {
        let told = |what: &str, why: &str| format!("{what}: {}: {why}", one.to);
        if one.is_repeat {
            verdict.reasons.push(told("Repeated", &format!("this is {} again", one.id)));
            verdict.repeated.push(one.id.clone());
            return (status::DUPLICATE_ID, one.odd_answer());
        }
        if let Some(flaw) = one.flaw(account.senders) {
            verdict.reasons.push(told("Refused", Status::of(flaw).name));
            return (flaw, None);
        }
        match one.fault.map(|fault| (fault, fault.fault)) {
            Some((fault, Fault::RefuseMessage { status, times })) if one.happens(times) => {
                verdict.reasons.push(fault_reason(fault));
                return (status, None);
            }
            Some((fault, Fault::Accept(_))) => verdict.reasons.push(fault_reason(fault)),
            _ => {}
        }
        record.put(&one.id, true, now);
        let delivery = one.sms.webhooks.as_ref().and_then(|it| it.delivery.as_ref());
        verdict.accepted.push(Accepted {
            message: NewMessage { takes_feedback: self.is_tracked(), ..one.message(now) },
            is_reported: delivery.and_then(|it| it.notify) != Some(false),
            odd_report: match one.fault.map(|fault| fault.fault) {
                Some(Fault::Report(odd)) => Some(odd),
                _ => None,
            },
        });
        (status::ACCEPTED, one.odd_answer())
    }

    fn item(&self, one: &One<'_>, status: u16, odd: Option<OddAnswer>) -> Value {
        let mut item = json!({
            "messageId": one.id,
            "status": Status::of(status).json(),
        });
        item[if self.is_of_calls { "to" } else { "destination" }] = json!(one.to);
        let counts = self.options.as_ref().and_then(|it| it.include_sms_count_in_response);
        if counts == Some(true) {
            item["details"] = json!({ "messageCount": segments(&one.sms.content.text) });
        }
        if let (Some(OddAnswer::NoMessageId), Some(item)) = (odd, item.as_object_mut()) {
            item.remove("messageId");
        }
        item
    }
}

/// A message with a fault of that kind takes the others with it.
fn fault_of_whole_request(one: &One<'_>, is_of_calls: bool) -> Option<Verdict> {
    let fault = one.fault.filter(|_| !one.is_repeat)?;
    let reply = match fault.fault {
        Fault::RefuseRequest { status, retry_after, form, times } if one.happens(times) => {
            // The table of faults has valid ones only.
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let violation = Violation {
                property: "messages[0].destinations[0].to".to_owned(),
                violation: "is refused by the emulator".to_owned(),
            };
            let violations =
                if status == StatusCode::BAD_REQUEST { vec![violation] } else { vec![] };
            let body = match form {
                ErrorForm::ApiError if !is_of_calls => {
                    ReplyBody::Json(api_error(status, &violations))
                }
                ErrorForm::ApiError => ReplyBody::Json(request_error(status)),
                ErrorForm::RequestError => ReplyBody::Json(request_error(status)),
                ErrorForm::Empty => ReplyBody::Empty,
            };
            Reply::Answer { status, retry_after, body, delay: Duration::ZERO }
        }
        Fault::NeverAnswer => Reply::Silence,
        Fault::Cut => Reply::Cut,
        _ => return None,
    };
    Some(Verdict::told(reply, fault_reason(fault)))
}

fn fault_reason(fault: &FaultNumber) -> String {
    format!("Fault: {}: {}", fault.number, fault.meaning)
}

fn answer(items: Vec<Value>, odd: Option<OddAnswer>) -> Reply {
    let items = if odd == Some(OddAnswer::NoMessages) { Vec::new() } else { items };
    let bulk_id = Uuid::new_v4().as_u128().to_string();
    let body = json!({ "bulkId": &bulk_id[..bulk_id.len().min(19)], "messages": items });
    let spoilt = match odd {
        Some(OddAnswer::Spoilt(how)) => Some(how),
        _ => None,
    };
    Reply::json(StatusCode::OK, body).spoilt(spoilt)
}

/// The error of SMS, of which all five keys are always there.
fn api_error(status: StatusCode, violations: &[Violation]) -> Value {
    let (description, action) = match status.as_u16() {
        400 => {
            ("Request cannot be processed.", "Check the syntax, violations and adjust the request.")
        }
        401 => (
            "The request lacks valid authentication credentials for the requested resource.",
            "Check the resources and adjust authentication credentials.",
        ),
        403 => (
            "Insufficient permissions to access the requested resource.",
            "Repeat the request with new or different credentials.",
        ),
        429 => (
            "Too many requests sent.",
            "Check request rate limit specified in the API endpoint documentation resource.",
        ),
        500 => ("Something went wrong.", "Contact the support."),
        _ => (status.canonical_reason().unwrap_or_default(), ""),
    };
    let authentication = json!([{ "name": "API Authentication", "url": "https://www.infobip.com/docs/essentials/api-authentication" }]);
    json!({
        "errorCode": format!("E{}", status.as_u16()),
        "description": description,
        "action": action,
        "violations": violations.iter().map(Violation::json).collect::<Vec<_>>(),
        "resources": if status == StatusCode::UNAUTHORIZED { authentication } else { json!([]) },
    })
}

/// The error of older operations.
pub(super) fn request_error(status: StatusCode) -> Value {
    let (id, text) = match status.as_u16() {
        400 => ("BAD_REQUEST", "Bad Request"),
        401 => ("UNAUTHORIZED", "Unauthorized"),
        403 => ("FORBIDDEN", "Forbidden"),
        404 => ("NOT_FOUND", "Not found"),
        429 => ("TOO_MANY_REQUESTS", "Too many requests"),
        _ => ("GENERAL_ERROR", "Something went wrong. Please contact support."),
    };
    json!({ "requestError": { "serviceException": { "messageId": id, "text": text } } })
}
