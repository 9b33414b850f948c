//! `POST /sms`: what the service checks, and what it answers.
//!
//! The sources are the specification in Azure/azure-rest-api-specs
//! (`specification/communication/data-plane/Sms`), its example `SmsSend.json`, the pages "SMS
//! FAQ" and "Repeatability of requests", and the recordings of Microsoft's SDK tests. Nothing here
//! knows sockets: a request goes in, a [`Verdict`] comes out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

use super::fault::{self, Fault, FaultNumber, OddAnswer, OddItem, OddReport, RefusalBody};
use super::repeatability::{Fingerprint, INVALID_FIRST_SENT, Record, Rejection, Repeatable, Seen};
use super::signature::{self, Flaw};
use crate::phone::NewMessage;
use crate::reply::{Reply, ReplyBody, Spoilt, Times};

/// The versions in the specification's `stable` and `preview` folders.
const API_VERSIONS: &[&str] = &[
    "2020-07-20-preview1",
    "2021-01-29",
    "2021-03-07",
    "2022-07-07",
    "2024-01-02",
    "2024-01-14-preview",
    "2024-01-21-preview",
    "2024-02-05",
    "2024-02-05-preview",
    "2024-12-10-preview",
    "2025-05-29-preview",
    "2025-08-01-preview",
    "2025-09-17",
    "2026-01-23",
];

/// The version that describes its errors, and has Messaging Connect and the time to wait for a report as they are checked
/// here.
const NEWEST: &str = "2026-01-23";

/// The versions that say what became of a message.
const VERSIONS_WITH_REPORTS: [&str; 2] = ["2025-08-01-preview", NEWEST];

/// `minimum` and `maximum` of `deliveryReportTimeoutInSeconds`.
const REPORT_TIMEOUT: RangeInclusive<i64> = 60..=43_200;

/// "A minimum of 1 and upto 100."
const RECIPIENTS_MAX: usize = 100;
/// `maxLength` of `message`; the service counts UTF-16 units, as .NET does.
const TEXT_MAX: usize = 2048;

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Verdict {
    pub reply: Reply,
    /// The messages that are new.
    pub accepted: Vec<Accepted>,
    /// See [`super::ReceivedRequest::reasons`].
    pub reasons: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Accepted {
    pub message: NewMessage,
    pub delivery_report: bool,
    pub odd_report: Option<OddReport>,
}

impl Verdict {
    /// The whole request is refused, and the sender is told why.
    pub fn refused(status: StatusCode, reason: impl Into<String>) -> Verdict {
        let reason = reason.into();
        let body = error(&name_of(status), &reason);
        Verdict::told(Reply::json(status, body), reason)
    }

    /// The whole request is refused in the service's own words. `reason` is for the developer.
    fn refused_with(status: StatusCode, body: RefusalBody, reason: impl Into<String>) -> Verdict {
        let reason = reason.into();
        Verdict::told(Reply::of(status, refusal_body(status, body, &reason)), reason)
    }

    fn told(reply: Reply, reason: String) -> Verdict {
        Verdict { reply, accepted: Vec::new(), reasons: vec![format!("Refused: {reason}")] }
    }
}

/// A request that passed every check that concerns it as a whole.
#[derive(Debug)]
pub(super) struct SendRequest {
    from: String,
    recipients: Vec<Recipient>,
    text: String,
    tag: Option<String>,
    delivery_report: bool,
}

#[derive(Debug)]
struct Recipient {
    to: String,
    repeatability_request_id: Option<String>,
    repeatability_first_sent: Option<String>,
    fault: Option<&'static FaultNumber>,
}

/// The checks in the order in which a front end would do them: version, caller, type, content. `key` is
/// the decoded access key.
pub(super) fn check(
    head: &Parts,
    body: &[u8],
    key: &[u8],
    now: OffsetDateTime,
) -> Result<SendRequest, Verdict> {
    let version = check_caller(head, body, key, now, API_VERSIONS)?;
    check_content_type(&head.headers)
        .map_err(|reason| Verdict::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason))?;
    SendRequest::parse(body, version).map_err(|violations| {
        let mut reason = String::from("Refused:");
        for (field, messages) in &violations.0 {
            // Writing to a String does not fail.
            let _ = write!(reason, " {field}: {}", messages.join(" "));
        }
        Verdict {
            reply: Reply::json(StatusCode::BAD_REQUEST, validation_error(violations, version)),
            accepted: Vec::new(),
            reasons: vec![reason],
        }
    })
}

/// The checks of a `GET /deliveryReports/{outgoingMessageId}`.
pub(super) fn check_question(head: &Parts, key: &[u8], now: OffsetDateTime) -> Result<(), Verdict> {
    check_caller(head, b"", key, now, &VERSIONS_WITH_REPORTS).map(drop)
}

/// The answer to a question for a report that there is not, or not yet.
pub(super) fn no_report() -> Value {
    problem(StatusCode::NOT_FOUND, "Not Found", "15.5.5")
}

/// Version and signature. Gives the version, one of `versions`.
fn check_caller<'a>(
    head: &'a Parts,
    body: &[u8],
    key: &[u8],
    now: OffsetDateTime,
    versions: &[&str],
) -> Result<&'a str, Verdict> {
    let version = check_api_version(&head.uri, versions)
        .map_err(|(body, reason)| Verdict::refused_with(StatusCode::BAD_REQUEST, body, reason))?;
    signature::verify(key, now, &head.method, &head.uri, &head.headers, body).map_err(|flaw| {
        let body = match flaw {
            Flaw::ContentHash { .. } => fault::OTHER_CONTENT,
            _ => fault::DENIED,
        };
        Verdict::refused_with(StatusCode::UNAUTHORIZED, body, flaw.to_string())
    })?;
    Ok(version)
}

/// The codes besides [`fault::NO_API_VERSION`]'s are those of ASP.NET's API versioning, which the service has that
/// one from.
fn check_api_version<'a>(uri: &'a Uri, known: &[&str]) -> Result<&'a str, (RefusalBody, String)> {
    let mut versions = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("api-version="));
    match (versions.next(), versions.next()) {
        (None, _) => {
            Err((fault::NO_API_VERSION, "the api-version query parameter is missing".into()))
        }
        (Some(_), Some(_)) => {
            let body = RefusalBody::Error(
                "AmbiguousApiVersion",
                "More than one API version was specified.",
            );
            Err((body, "the api-version query parameter is repeated".into()))
        }
        (Some(version), None) if !known.contains(&version) => {
            let body = RefusalBody::Error(
                "UnsupportedApiVersion",
                "The HTTP resource does not support the API version.",
            );
            let known = known.join(", ");
            Err((body, format!("the api-version {version:?} is not one of {known}")))
        }
        (Some(version), None) => Ok(version),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), String> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(format!("the content type is {content_type:?}, not application/json"))
    }
}

/// What is wrong with which field.
#[derive(Debug, Default)]
struct Violations(BTreeMap<String, Vec<String>>);

impl Violations {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.entry(field.into()).or_default().push(message.into());
    }
}

impl SendRequest {
    /// Fields that the version does not have are ignored, as newer ones have more.
    fn parse(body: &[u8], version: &str) -> Result<SendRequest, Violations> {
        let mut violations = Violations::default();
        let root: Map<String, Value> = match serde_json::from_slice(body) {
            Ok(root) => root,
            Err(error) => {
                violations.add("$", format!("The body is not a JSON object: {error}."));
                return Err(violations);
            }
        };

        let from = required_text(&root, "from", "From", &mut violations);
        if from.is_some_and(|from| !is_sender(from)) {
            violations.add("From", "Invalid sender phone number format.");
        }

        let text = required_text(&root, "message", "Message", &mut violations);
        if text.is_some_and(|text| text.encode_utf16().count() > TEXT_MAX) {
            violations.add("Message", format!("Max of {TEXT_MAX} characters."));
        }

        let mut recipients = Vec::new();
        match root.get("smsRecipients") {
            Some(Value::Array(items)) if items.is_empty() => {
                violations.add("SmsRecipients", "Min of 1 phone number.");
            }
            Some(Value::Array(items)) if items.len() > RECIPIENTS_MAX => {
                let message = format!("Max of {RECIPIENTS_MAX} phone numbers.");
                violations.add("SmsRecipients", message);
            }
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let name = format!("SmsRecipients[{index}]");
                    recipients.extend(Recipient::parse(item, &name, &mut violations));
                }
            }
            Some(_) => violations.add("SmsRecipients", "An array is expected."),
            None => violations.add("SmsRecipients", "The field is required."),
        }

        let mut tag = None;
        let mut delivery_report = false;
        match root.get("smsSendOptions") {
            None | Some(Value::Null) => {}
            Some(Value::Object(options)) => {
                match options.get("enableDeliveryReport") {
                    Some(Value::Bool(enabled)) => delivery_report = *enabled,
                    _ => violations
                        .add("SmsSendOptions.EnableDeliveryReport", "A boolean is required."),
                }
                tag = optional_text(options, "tag", "SmsSendOptions.Tag", &mut violations);
                if version == NEWEST {
                    check_newest_options(options, &mut violations);
                }
            }
            Some(_) => violations.add("SmsSendOptions", "An object is expected."),
        }

        match (from, text) {
            (Some(from), Some(text)) if violations.0.is_empty() => Ok(SendRequest {
                from: from.to_owned(),
                recipients,
                text: text.to_owned(),
                tag,
                delivery_report,
            }),
            _ => Err(violations),
        }
    }
}

/// What only version 2026-01-23 has as it is checked here.
fn check_newest_options(options: &Map<String, Value>, violations: &mut Violations) {
    const TIMEOUT: &str = "SmsSendOptions.DeliveryReportTimeoutInSeconds";
    const CONNECT: &str = "SmsSendOptions.MessagingConnect";
    match options.get("deliveryReportTimeoutInSeconds") {
        None | Some(Value::Null) => {}
        Some(value) if value.as_i64().is_some_and(|it| REPORT_TIMEOUT.contains(&it)) => {}
        Some(_) => violations.add(TIMEOUT, "An integer from 60 to 43200 is expected."),
    }
    match options.get("messagingConnect") {
        None | Some(Value::Null) => {}
        Some(Value::Object(connect)) => {
            required_text(connect, "partner", &format!("{CONNECT}.Partner"), violations);
            match connect.get("partnerParams") {
                Some(Value::Object(parameters)) if !parameters.is_empty() => {}
                _ => violations.add(
                    format!("{CONNECT}.PartnerParams"),
                    "An object with at least one parameter is required.",
                ),
            }
        }
        Some(_) => violations.add(CONNECT, "An object is expected."),
    }
}

impl Recipient {
    fn parse(item: &Value, name: &str, violations: &mut Violations) -> Option<Recipient> {
        let Value::Object(item) = item else {
            violations.add(name, "An object is expected.");
            return None;
        };
        let mut optional = |key, field| {
            let field = format!("{name}.{field}");
            optional_text(item, key, &field, violations)
        };
        let repeatability_request_id = optional("repeatabilityRequestId", "RepeatabilityRequestId");
        let repeatability_first_sent = optional("repeatabilityFirstSent", "RepeatabilityFirstSent");
        let to = required_text(item, "to", &format!("{name}.To"), violations)?;
        Some(Recipient {
            to: to.to_owned(),
            repeatability_request_id,
            repeatability_first_sent,
            fault: fault::lookup(to),
        })
    }
}

fn required_text<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    field: &str,
    violations: &mut Violations,
) -> Option<&'a str> {
    match object.get(key) {
        Some(Value::String(text)) => return Some(text),
        Some(Value::Null) | None => violations.add(field, "The field is required."),
        Some(_) => violations.add(field, "A string is expected."),
    }
    None
}

fn optional_text(
    object: &Map<String, Value>,
    key: &str,
    field: &str,
    violations: &mut Violations,
) -> Option<String> {
    match object.get(key) {
        Some(Value::String(text)) => return Some(text.clone()),
        Some(Value::Null) | None => {}
        Some(_) => violations.add(field, "A string is expected."),
    }
    None
}

/// A plus, a country code (none begins with 0) and at most 15 digits in all; the lower bound is the
/// emulator's.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// The three kinds of sender of the page "SMS FAQ": a number, a short code of 5 or 6 digits without
/// a plus, or an alphanumeric sender of up to 11 characters with at least one letter.
fn is_sender(from: &str) -> bool {
    let is_short_code = matches!(from.len(), 5 | 6) && from.bytes().all(|b| b.is_ascii_digit());
    let is_alphanumeric = from.len() <= 11
        && from.bytes().any(|byte| byte.is_ascii_alphabetic())
        && from.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte));
    is_e164(from) || is_short_code || is_alphanumeric
}

/// What is to be done about one recipient, before faults.
enum Standing {
    Rejected(Rejection),
    InvalidTo,
    Repeat { message_id: String },
    Execute(Execution),
}

struct Execution {
    /// Whether this id was not seen before; see [`Times::First`].
    first: bool,
    /// What to put down in the record, if the sender may repeat the message.
    repeatable: Option<(Repeatable, Fingerprint)>,
    fault: Option<&'static FaultNumber>,
}

impl Execution {
    fn happens(&self, times: Times) -> bool {
        times == Times::Always || self.first
    }

    fn record(&self, record: &mut Record, message_id: Option<&str>, now: OffsetDateTime) {
        if let Some((repeatable, fingerprint)) = &self.repeatable {
            let message_id = message_id.map(str::to_owned);
            record.put(repeatable, *fingerprint, message_id, now);
        }
    }
}

impl SendRequest {
    /// Gives every recipient the same fault.
    pub fn with_fault(mut self, fault: &'static FaultNumber) -> Self {
        for recipient in &mut self.recipients {
            recipient.fault = Some(fault);
        }
        self
    }

    /// Accepts the messages, but for what the record and the faults have against it. `owned` are the senders of the
    /// resource; without them it has every one.
    pub fn execute(
        &self,
        owned: Option<&[String]>,
        record: &mut Record,
        now: OffsetDateTime,
    ) -> Verdict {
        if owned.is_some_and(|owned| !owned.contains(&self.from)) {
            let reason = format!("{:?} is no sender of the resource", self.from);
            return Verdict::refused_with(StatusCode::UNAUTHORIZED, fault::NOT_OWNED, reason);
        }
        if let Some(verdict) = self.fault_of_whole_request(record, now) {
            return verdict;
        }

        let mut items = Vec::new();
        let mut accepted = Vec::new();
        let mut reasons = Vec::new();
        let mut odd_answer = None;
        for recipient in &self.recipients {
            let to = &recipient.to;
            let execution = match self.standing(recipient, record, now) {
                Standing::Rejected(rejection) => {
                    reasons.push(format!("Refused: {to}: {}", rejection.message));
                    items.push(rejected_item(recipient, &rejection));
                    continue;
                }
                Standing::InvalidTo => {
                    reasons.push(format!("Refused: {to:?} is no number in E.164 form"));
                    items.push(failed_item(recipient, 400, None));
                    continue;
                }
                Standing::Repeat { message_id } => {
                    reasons.push(format!("Repeated: {to}: this is {message_id} again"));
                    items.push(accepted_item(recipient, &message_id));
                    let odd = recipient.fault.and_then(FaultNumber::odd_answer);
                    let odd = odd.filter(|odd| *odd != OddAnswer::Spoilt(Spoilt::CutFirstTime));
                    odd_answer = odd_answer.or(odd);
                    continue;
                }
                Standing::Execute(execution) => execution,
            };
            if let Some(fault) = execution.fault {
                match fault.fault {
                    Fault::FailRecipient { status, odd, times } if execution.happens(times) => {
                        execution.record(record, None, now);
                        reasons.push(fault_reason(fault));
                        let mut item = failed_item(recipient, status, odd);
                        if odd == Some(OddItem::WithId) {
                            item.insert("messageId".to_owned(), json!(new_message_id(now)));
                        }
                        items.push(item);
                        continue;
                    }
                    Fault::Accept(odd) => {
                        reasons.push(fault_reason(fault));
                        odd_answer = odd_answer.or(Some(odd));
                    }
                    _ => {}
                }
            }
            let message_id = new_message_id(now);
            execution.record(record, Some(&message_id), now);
            items.push(accepted_item(recipient, &message_id));
            accepted.push(Accepted {
                message: self.message(recipient, message_id),
                delivery_report: self.delivery_report,
                odd_report: execution.fault.and_then(FaultNumber::odd_report),
            });
        }
        Verdict { reply: answer(items, odd_answer), accepted, reasons }
    }

    fn message(&self, recipient: &Recipient, id: String) -> NewMessage {
        let details = [
            ("repeatabilityRequestId", json!(recipient.repeatability_request_id)),
            ("repeatabilityFirstSent", json!(recipient.repeatability_first_sent)),
            ("enableDeliveryReport", json!(self.delivery_report)),
        ];
        NewMessage {
            takes_feedback: false,
            id,
            from: self.from.clone(),
            to: recipient.to.clone(),
            text: self.text.clone(),
            tag: self.tag.clone(),
            expires: None,
            details: details.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
            voice: None,
        }
    }

    /// The first recipient whose number has a fault of that kind decides.
    fn fault_of_whole_request(&self, record: &mut Record, now: OffsetDateTime) -> Option<Verdict> {
        for recipient in &self.recipients {
            let Standing::Execute(execution) = self.standing(recipient, record, now) else {
                continue;
            };
            let Some(fault) = execution.fault else {
                continue;
            };
            let reply = match fault.fault {
                Fault::RefuseRequest { status, retry_after, body, times }
                    if execution.happens(times) =>
                {
                    execution.record(record, None, now);
                    // The table of faults has valid ones only.
                    let status =
                        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    let body = refusal_body(status, body, &fault_reason(fault));
                    Reply::Answer { status, retry_after, body, delay: Duration::ZERO }
                }
                Fault::NeverAnswer => Reply::Silence,
                Fault::Cut => Reply::Cut,
                _ => continue,
            };
            return Some(Verdict {
                reply,
                accepted: Vec::new(),
                reasons: vec![fault_reason(fault)],
            });
        }
        None
    }

    fn standing(&self, recipient: &Recipient, record: &Record, now: OffsetDateTime) -> Standing {
        let fault = recipient.fault;
        let repeatable = Repeatable::parse(
            recipient.repeatability_request_id.as_deref(),
            recipient.repeatability_first_sent.as_deref(),
            now,
        );
        let repeatable = match repeatable {
            Err(rejection) => return Standing::Rejected(rejection),
            Ok(_) if !is_e164(&recipient.to) => return Standing::InvalidTo,
            Ok(None) => {
                return Standing::Execute(Execution { first: true, repeatable: None, fault });
            }
            Ok(Some(repeatable)) => repeatable,
        };
        let fingerprint = self.fingerprint(recipient);
        let first = match record.look_up(&repeatable, &fingerprint) {
            Seen::Accepted { message_id } => return Standing::Repeat { message_id },
            Seen::Different => {
                return Standing::Rejected(Rejection {
                    status: 400,
                    message: "repeatability-request-id was used before, for another message.",
                });
            }
            Seen::Failed => false,
            Seen::Never => true,
        };
        Standing::Execute(Execution { first, repeatable: Some((repeatable, fingerprint)), fault })
    }

    fn fingerprint(&self, recipient: &Recipient) -> Fingerprint {
        // As JSON, since that tells where each part ends.
        let message = json!([self.from, recipient.to, self.text, self.tag, self.delivery_report,]);
        Sha256::digest(message.to_string()).into()
    }
}

fn fault_reason(fault: &FaultNumber) -> String {
    format!("Fault: {}: {}", fault.number, fault.meaning)
}

/// `reason` is for the developer, and told only where the service has no words of its own.
fn refusal_body(status: StatusCode, body: RefusalBody, reason: &str) -> ReplyBody {
    const INVALID: &str = "Invalid recipient phone number format.";
    ReplyBody::Json(match body {
        RefusalBody::Error(code, message) => error(code, message),
        RefusalBody::NamedError => error(&name_of(status), reason),
        RefusalBody::Validation => {
            let mut violations = Violations::default();
            violations.add("SmsRecipients", INVALID);
            validation_error(violations, NEWEST)
        }
        RefusalBody::BareValidation => json!({ "SmsRecipients": [INVALID] }),
        RefusalBody::Empty => return ReplyBody::Empty,
    })
}

fn answer(mut items: Vec<Map<String, Value>>, odd_answer: Option<OddAnswer>) -> Reply {
    for item in &mut items {
        make_odd(item, odd_answer);
    }
    let spoilt = match odd_answer {
        Some(OddAnswer::Spoilt(how)) => Some(how),
        _ => None,
    };
    let body = match odd_answer {
        Some(OddAnswer::NoItems) => json!({ "value": [] }),
        _ => json!({ "value": items }),
    };
    Reply::json(StatusCode::ACCEPTED, body).spoilt(spoilt)
}

fn make_odd(item: &mut Map<String, Value>, odd: Option<OddAnswer>) {
    match odd {
        Some(OddAnswer::NoMessageId) => drop(item.remove("messageId")),
        Some(OddAnswer::NotSuccessful) => drop(item.insert("successful".to_owned(), json!(false))),
        Some(odd @ (OddAnswer::BareId | OddAnswer::IdWithRegion)) => {
            if let Some(Value::String(id)) = item.get_mut("messageId") {
                *id = match odd {
                    OddAnswer::BareId => id.trim_start_matches(OUTGOING).to_owned(),
                    _ => format!("{id}_noam"),
                };
            }
        }
        _ => {}
    }
}

fn item(recipient: &Recipient, status: u16) -> Map<String, Value> {
    Map::from_iter([
        ("to".to_owned(), json!(recipient.to)),
        ("httpStatusCode".to_owned(), json!(status)),
        ("successful".to_owned(), json!(status == 202)),
    ])
}

fn accepted_item(recipient: &Recipient, message_id: &str) -> Map<String, Value> {
    let mut item = item(recipient, 202);
    item.insert("messageId".to_owned(), json!(message_id));
    with_repeatability(item, recipient, "accepted")
}

fn failed_item(recipient: &Recipient, status: u16, odd: Option<OddItem>) -> Map<String, Value> {
    if odd == Some(OddItem::Rejected) {
        return rejected_item(recipient, &Rejection { status, message: INVALID_FIRST_SENT });
    }
    let message = match status {
        400 => "Invalid To phone number format.",
        _ => "ServiceUnavailable",
    };
    let mut item = item(recipient, status);
    item.insert("errorMessage".to_owned(), json!(message));
    // Its repeatability was in order, so that is not what is rejected.
    with_repeatability(item, recipient, "accepted")
}

fn rejected_item(recipient: &Recipient, rejection: &Rejection) -> Map<String, Value> {
    let mut item = item(recipient, rejection.status);
    item.insert("errorMessage".to_owned(), json!(rejection.message));
    with_repeatability(item, recipient, "rejected")
}

/// The service leaves the result out where the sender said nothing about repeating.
fn with_repeatability(
    mut item: Map<String, Value>,
    recipient: &Recipient,
    result: &str,
) -> Map<String, Value> {
    if recipient.repeatability_request_id.is_some() || recipient.repeatability_first_sent.is_some()
    {
        item.insert("repeatabilityResult".to_owned(), json!(result));
    }
    item
}

/// What a message id begins with.
const OUTGOING: &str = "Outgoing_";

/// `Outgoing_`, as in the delivery reports of the page "Azure Communication Services as an Event
/// Grid source"; the specification's examples of an answer lack it.
fn new_message_id(now: OffsetDateTime) -> String {
    let seconds = now
        .format(format_description!("[year][month][day][hour][minute][second]"))
        // Formatting fails only for what a moment lacks, and this one has a date and a time.
        .unwrap_or_default();
    format!("{OUTGOING}{seconds}{}", Uuid::new_v4())
}

fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

/// Such as `NotFound`.
fn name_of(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().split(' ').collect()
}

/// Version 2026-01-23 describes its form. Of those before it a bare one was seen (dotnet-quickstarts, issue 49).
fn validation_error(violations: Violations, version: &str) -> Value {
    if version != NEWEST {
        return json!(violations.0);
    }
    let title = "One or more validation errors occurred.";
    let mut problem = problem(StatusCode::BAD_REQUEST, title, "15.5.1");
    problem["errors"] = json!(violations.0);
    problem
}

/// A problem as version 2026-01-23 has it, with the section of RFC 9110 that has the status.
fn problem(status: StatusCode, title: &str, section: &str) -> Value {
    let trace = Uuid::new_v4().simple().to_string();
    json!({
        "type": format!("https://tools.ietf.org/html/rfc9110#section-{section}"),
        "title": title,
        "status": status.as_u16(),
        // W3C Trace Context: version, trace, span, flags.
        "traceId": format!("00-{trace}-{}-00", &trace[..16]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-26 16:06:51 UTC);
    const NOW_TEXT: &str = "Thu, 26 Mar 2026 16:06:51 GMT";
    const ID: &str = "fda6d242-46aa-4247-8bf6-619a1206f9c3";

    fn message() -> Value {
        json!({
            "from": "+18001110000",
            "smsRecipients": [{
                "to": "+15550100199",
                "repeatabilityRequestId": ID,
                "repeatabilityFirstSent": NOW_TEXT,
            }],
            "message": "Hello",
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut message = message();
        *message.pointer_mut(pointer).unwrap() = value;
        message
    }

    fn execute(record: &mut Record, body: &Value) -> (Vec<Value>, usize) {
        let request = SendRequest::parse(body.to_string().as_bytes(), NEWEST).unwrap();
        let verdict = request.execute(None, record, NOW);
        let Reply::Answer { body: ReplyBody::Json(body), .. } = verdict.reply else {
            panic!("{verdict:?}");
        };
        let items = body["value"].as_array().expect("items").clone();
        (items, verdict.accepted.len())
    }

    const TIMEOUT: &str = "SmsSendOptions.DeliveryReportTimeoutInSeconds";
    const CONNECT: &str = "SmsSendOptions.MessagingConnect";
    const PARTNER: &str = "SmsSendOptions.MessagingConnect.Partner";
    const PARAMETERS: &str = "SmsSendOptions.MessagingConnect.PartnerParams";

    #[test]
    fn a_wrong_field_is_named() {
        let long = "a".repeat(TEXT_MAX + 1);
        let options = |value| {
            let mut message = message();
            message["smsSendOptions"] = value;
            message
        };
        let option = |name: &str, value: Value| {
            let mut chosen = json!({ "enableDeliveryReport": true });
            chosen[name] = value;
            options(chosen)
        };
        let timeout = |value| option("deliveryReportTimeoutInSeconds", value);
        let connect = |value| option("messagingConnect", value);
        let recipients = |count| with("/smsRecipients", json!(vec![json!({"to": "+1"}); count]));
        for (body, field) in [
            (json!({}), "From"),
            (json!({}), "SmsRecipients"),
            (json!({}), "Message"),
            (with("/from", json!(5)), "From"),
            (with("/from", Value::Null), "From"),
            (with("/message", json!(["Hello"])), "Message"),
            (with("/message", json!(long)), "Message"),
            // One character, two UTF-16 units.
            (with("/message", json!("😀".repeat(TEXT_MAX / 2 + 1))), "Message"),
            (recipients(0), "SmsRecipients"),
            (recipients(RECIPIENTS_MAX + 1), "SmsRecipients"),
            (with("/smsRecipients", json!({})), "SmsRecipients"),
            (with("/smsRecipients/0", json!("+15550100199")), "SmsRecipients[0]"),
            (with("/smsRecipients/0", json!({})), "SmsRecipients[0].To"),
            (with("/smsRecipients/0/to", json!(15550100199_u64)), "SmsRecipients[0].To"),
            (
                with("/smsRecipients/0/repeatabilityRequestId", json!(1)),
                "SmsRecipients[0].RepeatabilityRequestId",
            ),
            (options(json!(true)), "SmsSendOptions"),
            (options(json!({})), "SmsSendOptions.EnableDeliveryReport"),
            (
                options(json!({ "enableDeliveryReport": "true" })),
                "SmsSendOptions.EnableDeliveryReport",
            ),
            (options(json!({ "enableDeliveryReport": true, "tag": 1 })), "SmsSendOptions.Tag"),
            (timeout(json!(59)), TIMEOUT),
            (timeout(json!(43_201)), TIMEOUT),
            (timeout(json!(60.5)), TIMEOUT),
            (timeout(json!("300")), TIMEOUT),
            (connect(json!("infobip")), CONNECT),
            (connect(json!({ "partnerParams": { "apiKey": "k" } })), PARTNER),
            (connect(json!({ "partner": 1, "partnerParams": { "apiKey": "k" } })), PARTNER),
            (connect(json!({ "partner": "infobip" })), PARAMETERS),
            (connect(json!({ "partner": "infobip", "partnerParams": {} })), PARAMETERS),
            (connect(json!({ "partner": "infobip", "partnerParams": "k" })), PARAMETERS),
            // As the version before has it.
            (connect(json!({ "partner": "infobip", "apiKey": "k" })), PARAMETERS),
        ] {
            let violations = SendRequest::parse(body.to_string().as_bytes(), NEWEST).unwrap_err();
            assert!(violations.0.contains_key(field), "{field}: {violations:?}");
            let answer = validation_error(violations, NEWEST);
            assert_eq!(answer["status"], 400);
            assert!(answer["errors"][field][0].is_string());
        }
    }

    #[test]
    fn what_the_limits_allow_is_allowed() {
        for body in [
            message(),
            with("/message", json!("")),
            with("/message", json!("😀".repeat(TEXT_MAX / 2))),
            with("/smsRecipients", json!(vec![json!({"to": "+15550100199"}); RECIPIENTS_MAX])),
            json!({
                "from": "12345",
                "smsRecipients": [{ "to": "+15550100199", "repeatabilityRequestId": null }],
                "message": "Hello",
                "smsSendOptions": null,
                "deliveryReportTimeoutInSeconds": 60,
            }),
            json!({
                "from": "12345",
                "smsRecipients": [{ "to": "+15550100199" }],
                "message": "Hello",
                "smsSendOptions": {
                    "enableDeliveryReport": true,
                    "deliveryReportTimeoutInSeconds": 43_200,
                    "messagingConnect": { "partner": "p", "partnerParams": { "apiKey": "k" } },
                },
            }),
        ] {
            assert!(SendRequest::parse(body.to_string().as_bytes(), NEWEST).is_ok(), "{body}");
        }
    }

    #[test]
    fn an_older_version_ignores_what_it_does_not_have_and_says_what_is_wrong_in_its_own_form() {
        let mut body = message();
        body["smsSendOptions"] =
            json!({ "enableDeliveryReport": true, "deliveryReportTimeoutInSeconds": 1 });
        let older = |body: &Value| SendRequest::parse(body.to_string().as_bytes(), "2021-03-07");
        assert!(older(&body).is_ok());
        let violations = older(&with("/from", json!(5))).unwrap_err();
        let answer = validation_error(violations, "2021-03-07");
        assert_eq!(answer, json!({ "From": ["A string is expected."] }));
    }

    #[test]
    fn a_sender_is_a_number_a_short_code_or_a_name() {
        for right in ["+18001110000", "12345", "123456", "Contoso", "A", "a b+c-d_e&f", "+1a"] {
            assert!(is_sender(right), "{right}");
        }
        for wrong in [
            "",
            "+",
            "1234",
            "1234567",
            "18001110000",
            "+123456",
            "+1234567890123456",
            "+0123456789",
            "+1 800 111",
            "abcdefghijkl",
            "Contoso!",
            "Ünder",
            "  ",
        ] {
            assert!(!is_sender(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_recipient_may_fail_inside_of_a_202() {
        for to in
            ["", "15550100199", "+155501", "+1555010019912345", "+1555010019x", "+０１２３４５６"]
        {
            let (items, accepted) = execute(
                &mut Record::default(),
                &with("/smsRecipients", json!([{ "to": to }, { "to": "+15550100199" }])),
            );
            let expected = json!({
                "to": to,
                "httpStatusCode": 400,
                "errorMessage": "Invalid To phone number format.",
                "successful": false,
            });
            assert_eq!(items[0], expected);
            assert_eq!(items[1]["successful"], true);
            assert_eq!(items[1].get("repeatabilityResult"), None);
            assert_eq!(accepted, 1);
        }
    }

    #[test]
    fn repeatability_that_is_out_of_order_is_rejected_for_that_recipient() {
        for (recipient, status) in [
            (json!({ "repeatabilityRequestId": ID }), 400),
            (json!({ "repeatabilityFirstSent": NOW_TEXT }), 400),
            (json!({ "repeatabilityRequestId": "1", "repeatabilityFirstSent": NOW_TEXT }), 400),
            (json!({ "repeatabilityRequestId": ID, "repeatabilityFirstSent": "today" }), 400),
            (
                json!({
                    "repeatabilityRequestId": ID,
                    "repeatabilityFirstSent": "Thu, 26 Mar 2026 16:01:50 GMT",
                }),
                412,
            ),
        ] {
            let mut recipient = recipient;
            recipient["to"] = json!("+15550100199");
            let body = with("/smsRecipients/0", recipient);
            let (items, accepted) = execute(&mut Record::default(), &body);
            assert_eq!(items[0]["httpStatusCode"], status, "{body}");
            assert_eq!(items[0]["repeatabilityResult"], "rejected");
            assert_eq!(items[0]["successful"], false);
            assert!(items[0]["errorMessage"].is_string());
            assert_eq!(accepted, 0);
        }
    }

    #[test]
    fn a_repeat_that_does_not_match_the_original_is_rejected() {
        for (pointer, value) in [
            ("/message", json!("Other")),
            ("/from", json!("Contoso")),
            ("/smsRecipients/0/to", json!("+15550100198")),
            ("/smsRecipients/0/repeatabilityFirstSent", json!("Thu, 26 Mar 2026 16:06:50 GMT")),
        ] {
            let mut record = Record::default();
            let (original, _) = execute(&mut record, &message());
            let (items, accepted) = execute(&mut record, &with(pointer, value));
            assert_eq!(items[0]["httpStatusCode"], 400, "{pointer}");
            assert_eq!(items[0]["repeatabilityResult"], "rejected");
            assert_eq!(accepted, 0);

            // The original is still what the record knows.
            let (items, accepted) = execute(&mut record, &message());
            assert_eq!(items, original);
            assert_eq!(accepted, 0);
        }
    }

    #[test]
    fn an_id_is_the_same_in_either_case() {
        let mut record = Record::default();
        let (original, _) = execute(&mut record, &message());
        let upper = json!(ID.to_uppercase());
        let (repeat, accepted) =
            execute(&mut record, &with("/smsRecipients/0/repeatabilityRequestId", upper));
        assert_eq!(repeat, original);
        assert_eq!(accepted, 0);
    }

    #[test]
    fn without_repeatability_every_message_is_a_new_one() {
        let mut record = Record::default();
        let body = with("/smsRecipients/0", json!({ "to": "+15550100199" }));
        let (first, _) = execute(&mut record, &body);
        let (second, accepted) = execute(&mut record, &body);
        assert_ne!(first[0]["messageId"], second[0]["messageId"]);
        assert_eq!(accepted, 1);
    }

    #[test]
    fn a_recipient_that_fails_the_first_time_is_accepted_the_second() {
        let mut record = Record::default();
        let body = with("/smsRecipients/0/to", json!("+15550102503"));
        let (items, accepted) = execute(&mut record, &body);
        assert_eq!(items[0]["httpStatusCode"], 503);
        assert_eq!(items[0]["errorMessage"], "ServiceUnavailable");
        assert_eq!(accepted, 0);
        let (items, accepted) = execute(&mut record, &body);
        assert_eq!(items[0]["httpStatusCode"], 202);
        assert_eq!(accepted, 1);
    }

    #[test]
    fn a_recipient_that_always_fails_fails_again() {
        for (number, status) in [("+15550101400", 400), ("+15550101503", 503)] {
            let mut record = Record::default();
            for _ in 0..2 {
                let body = with("/smsRecipients/0/to", json!(number));
                let (items, accepted) = execute(&mut record, &body);
                assert_eq!(items[0]["httpStatusCode"], status);
                assert_eq!(accepted, 0);
            }
        }
    }

    #[test]
    fn a_fault_of_the_whole_request_takes_the_other_recipients_with_it() {
        let recipients = json!([{ "to": "+15550100199" }, { "to": "+15550100500" }]);
        let body = with("/smsRecipients", recipients).to_string();
        let request = SendRequest::parse(body.as_bytes(), NEWEST).unwrap();
        let verdict = request.execute(None, &mut Record::default(), NOW);
        assert_eq!(verdict.reply.status(), Some(500));
        assert!(verdict.accepted.is_empty());
    }
}
