//! `POST /v1/messaging` and `POST /v1/voice`: what the service checks, and what it answers.
//!
//! The sources are Telesign's OpenAPI files of SMS and of voice messages, and its page "All status and error codes". Nothing here knows sockets: a
//! request goes in, a [`Verdict`] comes out.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use http::request::Parts;
use http::{StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::fault::{self, ErrorForm, Fault, FaultNumber, OddAnswer, OddReport};
use super::fields;
use super::signature::{self, Key};
use super::{CALLS_PATH, status};
use crate::phone::{NewMessage, Voice};
use crate::reply::{Reply, ReplyBody, Spoilt, Times};

/// Who a call is from where the request names no number.
const NUMBER_OF_TELESIGN: &str = "a number of Telesign's";

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Verdict {
    pub reply: Reply,
    /// The message, if there is one. A repeat is another one.
    pub accepted: Option<Accepted>,
    /// See [`crate::phone::ReceivedRequest::reasons`].
    pub reasons: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Accepted {
    pub message: NewMessage,
    pub odd_report: Option<OddReport>,
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// `None`: by something in front, which knows no codes.
    code: Option<u16>,
    /// What should have been signed: all of the request.
    signature_string: Option<String>,
    /// For the developer.
    reason: String,
}

impl Refusal {
    pub fn new(status: StatusCode, code: u16, reason: impl Into<String>) -> Self {
        Self { status, code: Some(code), signature_string: None, reason: reason.into() }
    }

    /// The same with what should have been signed.
    pub fn giving_back(self, signature_string: &str) -> Self {
        Self { signature_string: Some(signature_string.to_owned()), ..self }
    }

    /// The same as older operations have it, which report completions: the status, and a code below 0.
    pub fn older(&self) -> (StatusCode, i32) {
        let code = match self.code {
            Some(10002) => -30012,
            Some(10003) => -30011,
            Some(10004) => -30010,
            Some(10005) => -30009,
            Some(10006) => -30008,
            Some(10007) => -30007,
            Some(10008 | 10022) => -30006,
            Some(10009) => -30004,
            Some(10015) => -30000,
            Some(10028) => -30005,
            _ => -10001,
        };
        (self.status, code)
    }

    pub fn without_code(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, code: None, signature_string: None, reason: reason.into() }
    }
}

impl Verdict {
    pub fn refused(refusal: &Refusal, now: OffsetDateTime) -> Self {
        let Refusal { status, code, signature_string, reason } = refusal;
        let body = code.map_or(ReplyBody::Empty, |code| {
            let mut body = envelope(&reference_id(), status::of_answer(code, true, now), None);
            if let Some(signed) = signature_string {
                body["signature_string"] = json!(signed);
            }
            ReplyBody::Json(body)
        });
        Self::told(Reply::of(*status, body), format!("Refused: {reason}"))
    }

    fn told(reply: Reply, reason: String) -> Self {
        Self { reply, accepted: None, reasons: vec![reason] }
    }
}

/// What the account is.
pub(super) struct Account<'a> {
    pub customer_id: &'a str,
    pub api_key: &'a str,
    /// The same, to check signatures with.
    pub key: &'a Key,
    /// Its senders; without them it has every one.
    pub senders: Option<&'a [String]>,
    /// What every message meets, whatever its number.
    pub fault: Option<&'static FaultNumber>,
}

/// What is known of requests before: of the newest, so that a load test does not fill the memory.
#[derive(Default)]
pub(super) struct Record {
    nonces: Known,
    /// Hashes of bodies: one that comes again is a repeat, which Telesign does not know, and faults do.
    bodies: Known,
}

#[derive(Default)]
struct Known {
    all: HashSet<Vec<u8>>,
    newest: VecDeque<Vec<u8>>,
}

impl Known {
    const ITEMS: usize = 20_000;

    /// Whether it was not known. It is from then on.
    fn learn(&mut self, item: Vec<u8>) -> bool {
        let is_new = self.all.insert(item.clone());
        if is_new {
            self.newest.push_back(item);
        }
        if self.newest.len() > Self::ITEMS
            && let Some(oldest) = self.newest.pop_front()
        {
            self.all.remove(&oldest);
        }
        is_new
    }
}

impl Record {
    /// Whether a nonce is new. It is used from then on.
    pub fn is_new_nonce(&mut self, nonce: &str) -> bool {
        self.nonces.learn(nonce.as_bytes().to_vec())
    }
}

/// A request that passed every check that concerns it as a whole.
#[derive(Debug)]
pub(super) struct SendRequest {
    fields: BTreeMap<String, String>,
    /// It asks for a call.
    is_call: bool,
    /// It has not come before.
    is_first: bool,
}

/// The checks in the order in which a front end would do them: caller, type, content.
pub(super) fn check(
    head: &Parts,
    body: &[u8],
    account: &Account<'_>,
    record: &mut Record,
    now: OffsetDateTime,
) -> Result<SendRequest, Refusal> {
    signature::check(head, body, account, record, now)?;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let fields = match is_form {
        true => form_urlencoded::parse(body).into_owned().collect(),
        // What is no form has no fields.
        false => BTreeMap::new(),
    };
    let is_call = head.uri.path() == CALLS_PATH;
    if let Some((code, reason)) = fields::flaw(&fields, is_call) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, code, reason));
    }
    Ok(SendRequest {
        fields,
        is_call,
        is_first: record.bodies.learn(Sha256::digest(body).to_vec()),
    })
}

impl SendRequest {
    /// Accepts the message, but for what the account and the faults have against it.
    pub fn execute(&self, account: &Account<'_>, now: OffsetDateTime) -> Verdict {
        let to = format!("+{}", self.fields["phone_number"]);
        let fault = account.fault.or(fault::lookup(&to));
        let happens = |times| times == Times::Always || self.is_first;
        let told = fault.map(|it| format!("Fault: {}: {}", it.number, it.meaning));
        let id = reference_id();
        match fault.map(|it| it.fault) {
            Some(Fault::RefuseRequest { status, code, retry_after, form, times })
                if happens(times) =>
            {
                // The table of faults has valid ones only.
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let body = match form {
                    ErrorForm::Envelope => {
                        ReplyBody::Json(self.envelope(&id, status::of_answer(code, true, now)))
                    }
                    ErrorForm::Older => ReplyBody::Json(older_error(&id, -i32::from(code))),
                    ErrorForm::Empty => ReplyBody::Empty,
                };
                let reply = Reply::Answer { status, retry_after, body, delay: Duration::ZERO };
                return Verdict::told(reply, told.unwrap_or_default());
            }
            Some(Fault::NeverAnswer) => {
                return Verdict::told(Reply::Silence, told.unwrap_or_default());
            }
            Some(Fault::Cut) => return Verdict::told(Reply::Cut, told.unwrap_or_default()),
            Some(Fault::RefuseMessage { code, times }) if happens(times) => {
                let body = self.envelope(&id, status::of_answer(code, false, now));
                return Verdict::told(Reply::json(StatusCode::OK, body), told.unwrap_or_default());
            }
            _ => {}
        }
        let sender = self.fields.get(if self.is_call { "caller_id" } else { "sender_id" });
        let owns = |sender: &String| account.senders.is_none_or(|all| all.contains(sender));
        let is_owned = sender.map_or(account.senders.is_none(), owns);
        if !is_owned {
            let status = status::of_answer(status::UNKNOWN_SENDER, false, now);
            let reply = Reply::json(StatusCode::OK, self.envelope(&id, status));
            return Verdict::told(
                reply,
                "Refused: the account does not have the sender".to_owned(),
            );
        }
        let odd = match fault.map(|it| it.fault) {
            Some(Fault::Accept(OddAnswer::Spoilt(Spoilt::CutFirstTime))) if !self.is_first => None,
            Some(Fault::Accept(odd)) => Some(odd),
            _ => None,
        };
        let odd_report = match fault.map(|it| it.fault) {
            Some(Fault::Report(odd)) => Some(odd),
            _ => None,
        };
        Verdict {
            reply: self.answer(&id, odd, now),
            accepted: Some(Accepted { message: self.message(id, to), odd_report }),
            reasons: told.filter(|_| odd.is_some()).into_iter().collect(),
        }
    }

    fn answer(&self, id: &str, odd: Option<OddAnswer>, now: OffsetDateTime) -> Reply {
        let (taken, code) = match self.is_call {
            true => (StatusCode::CREATED, status::CALLING),
            false => (StatusCode::OK, status::IN_PROGRESS),
        };
        let mut body = self.envelope(id, status::of_answer(code, false, now));
        let (status, spoilt) = match odd {
            Some(OddAnswer::Spoilt(how)) => (taken, Some(how)),
            Some(OddAnswer::Nothing) => {
                body = json!({});
                (taken, None)
            }
            Some(OddAnswer::NoReferenceId) => {
                if let Some(body) = body.as_object_mut() {
                    body.remove("reference_id");
                }
                (taken, None)
            }
            Some(OddAnswer::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, None),
            None => (taken, None),
        };
        Reply::json(status, body).spoilt(spoilt)
    }

    fn envelope(&self, id: &str, status: Value) -> Value {
        envelope(id, status, self.fields.get("external_id"))
    }

    /// Who says it: all voices are called by their language.
    fn voice(&self) -> Voice {
        let name = self.fields.get("voice").map_or(fields::DEFAULT_VOICE, String::as_str);
        let language = name.trim_start_matches("f-").to_owned();
        Voice { language, name: Some(name.to_owned()) }
    }

    fn message(&self, id: String, to: String) -> NewMessage {
        let said = |name: &str| self.fields.get(name).cloned();
        let others = [
            "message_type",
            "account_lifecycle_event",
            "dlt_entity_id",
            "dlt_template_id",
            "prompt_message",
            "prompt_digit",
        ];
        let details =
            others.iter().filter_map(|name| Some(((*name).to_owned(), said(name)?.into())));
        NewMessage {
            id,
            from: said("sender_id").or(said("caller_id")).unwrap_or(NUMBER_OF_TELESIGN.to_owned()),
            to,
            text: said("message").unwrap_or_default(),
            tag: said("external_id"),
            expires: None,
            details: details.collect(),
            voice: self.is_call.then(|| self.voice()),
            takes_feedback: !self.is_call,
        }
    }
}

/// The body of an answer.
fn envelope(id: &str, status: Value, external_id: Option<&String>) -> Value {
    let mut body = json!({ "reference_id": id, "status": status });
    if let Some(external_id) = external_id {
        body["external_id"] = json!(external_id);
    }
    body
}

/// The body of an error of older operations, whose codes are below 0.
pub(super) fn older_error(id: &str, code: i32) -> Value {
    json!({
        "reference_id": id,
        "resource_uri": null,
        "sub_resource": "sms",
        "errors": [{ "code": code, "description": "Refused by the emulator" }],
        "status": { "code": 500, "description": "Transaction not attempted" },
    })
}

/// The answer to the report that a passcode was used. Of this one the code is text.
pub(super) fn completed(id: &str, now: OffsetDateTime) -> Reply {
    let mut status = status::of_answer(status::COMPLETED, false, now);
    status["code"] = status::COMPLETED.to_string().into();
    let body = json!({ "reference_id": id, "subresource": "sms", "errors": [], "status": status });
    Reply::json(StatusCode::OK, body)
}

/// 32 hexadecimal digits.
fn reference_id() -> String {
    Uuid::new_v4().simple().to_string().to_uppercase()
}
