//! Routes to handlers, and the way of one hook from top to bottom.

use std::time::Duration;

use crate::acs::sms::{self, Message, Repeatability};
use crate::config::{self, Gate};
use crate::message;
use crate::okta::auth;
use crate::okta::request::{self, BODY_LIMIT, Dialect};
use crate::okta::response::{self, Outcome, ResponseFormat};
use crate::policy;
use crate::ports::{BodyError, InboundRequest, Instant, Ports};
use crate::refusal::{Reason, Refusal};
use crate::telemetry::{HookLine, Identifier};

/// Where Okta calls.
pub const HOOK_PATH: &str = "/api/okta-telephony";

/// What is left of the deadline for the answer itself, once ACS's has come or has not.
const TIME_TO_ANSWER: Duration = Duration::from_millis(50);

/// An answer, whole.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, without `Content-Length`.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a request brings about: an answer, and what is done once it has left.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response,
    /// The line for the log, line feed included.
    pub log_line: Option<String>,
}

/// Handles any request.
pub fn handle(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    if request.path() == HOOK_PATH {
        return handle_hook(request, ports);
    }
    let response = Response {
        status: 404,
        headers: vec![("content-type", "text/plain; charset=utf-8")],
        body: format!("There is nothing here. Okta's hook is POST {HOOK_PATH}.\n").into_bytes(),
    };
    Handled { response, log_line: None }
}

fn handle_hook(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    let mut hook = Hook {
        arrived: ports.clock.instant(),
        format: ResponseFormat::Auto,
        dialect: None,
        line: HookLine::default(),
    };
    let result = hook.run(request, ports);

    let refusal = result.err();
    let outcome = match &refusal {
        Some(refusal) => Outcome::Refused(refusal),
        None => Outcome::Accepted {
            message_id: hook.line.message_id.as_ref().map(Identifier::as_str),
            sender_type: hook.line.sender_type.unwrap_or_default(),
        },
    };
    let mut headers = vec![("content-type", "application/json"), ("cache-control", "no-store")];
    match refusal.as_ref().map(|refusal| refusal.reason) {
        Some(Reason::Unauthorized) => headers.push(("www-authenticate", auth::CHALLENGE)),
        Some(Reason::MethodNotAllowed) => headers.push(("allow", "POST")),
        _ => {}
    }
    let response = Response {
        status: refusal.as_ref().map_or(200, |refusal| refusal.reason.http_status()),
        headers,
        body: response::body(outcome, hook.format.dialect(hook.dialect)),
    };
    let elapsed = ports.clock.instant().since(hook.arrived);
    let log_line = hook.line.finish(ports.clock.now(), elapsed, refusal.as_ref());
    Handled { response, log_line: Some(log_line) }
}

/// One call of the hook, and what is known of it so far.
struct Hook {
    arrived: Instant,
    format: ResponseFormat,
    dialect: Option<Dialect>,
    line: HookLine,
}

impl Hook {
    /// The way of one request: each step gives what the next one needs, or ends it.
    fn run(&mut self, request: &mut dyn InboundRequest, ports: Ports<'_>) -> Result<(), Refusal> {
        let gate = Gate::read(ports.variables);
        self.format = gate.response_format;
        let until = self.arrived.plus(gate.deadline - TIME_TO_ANSWER);

        if request.method() != "POST" {
            return Err(Refusal::new(Reason::MethodNotAllowed, "The hook takes POST only."));
        }
        match &gate.credentials {
            Ok(credentials) => auth::check(&request.header("authorization"), credentials)?,
            Err(refusal) => return Err(refusal.clone()),
        }
        let body = read_body(request, until)?;

        let body = request::parse(&body)?;
        self.dialect = Some(body.dialect());
        self.line.event_id = body.event_id().map(Identifier::new);
        self.line.request_type = body.request_type().map(Identifier::new);
        self.line.preview = body.is_preview();
        if self.format == ResponseFormat::Documented && body.dialect() == Dialect::Classic {
            return Err(not_an_envelope());
        }
        let hook_request = body.into_request()?;
        self.line.number = hook_request.phone_number.as_ref().ok().map(|number| number.masked());

        let acs = config::read_acs(ports.variables, gate)?;
        let now = ports.clock.now();
        let to = policy::admit(&hook_request, now)?;
        let text = message::text(hook_request.msg_template.as_deref(), &hook_request.otp_code);
        let repeatability = Repeatability::of(
            hook_request.event_id.as_deref(),
            hook_request.event_time,
            now,
            ports.random,
        );

        self.line.sender_type = Some(acs.sender.kind.name());
        let message = Message { to, text: &text, repeatability };
        let delivery = sms::send(&acs, &message, ports, until);
        self.line.attempts = delivery.attempts;
        self.line.acs_status = delivery.status;
        self.line.acs_error = delivery.error_code;
        self.line.acs_ms = Some(delivery.elapsed);
        self.line.message_id = delivery.result?.as_deref().map(Identifier::new);
        Ok(())
    }
}

/// The body, if its head promises JSON of a size that we take.
fn read_body(request: &mut dyn InboundRequest, until: Instant) -> Result<Vec<u8>, Refusal> {
    if !is_json(&request.header("content-type")) {
        let fix = "The Content-Type must be application/json.";
        return Err(Refusal::new(Reason::UnsupportedMediaType, fix));
    }
    let promised = request.header("content-length");
    let promised = promised.first().and_then(|value| str::from_utf8(value).ok()?.parse().ok());
    if promised.is_some_and(|length: u64| length > BODY_LIMIT as u64) {
        return Err(body_too_large());
    }
    request.body().read(BODY_LIMIT, until).map_err(|error| match error {
        BodyError::TooLarge => body_too_large(),
        BodyError::Late => {
            Refusal::new(Reason::RequestTimeout, "The body had not arrived when the deadline came.")
        }
        BodyError::Broken => {
            Refusal::new(Reason::IncompleteBody, "The connection broke before the body ended.")
        }
    })
}

/// `application/json`, with or without parameters.
fn is_json(content_type: &[Vec<u8>]) -> bool {
    let [value] = content_type else { return false };
    let media_type = value.split(|b| *b == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn body_too_large() -> Refusal {
    Refusal::new(Reason::BodyTooLarge, format!("The body has more than {BODY_LIMIT} bytes."))
}

fn not_an_envelope() -> Refusal {
    Refusal::new(
        Reason::NotAnEnvelope,
        "The body is a bare payload, which okta_response_format=documented refuses: it carries nothing against replay.",
    )
}
