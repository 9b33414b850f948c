//! Routes to handlers, and the way of one hook from top to bottom.

use std::time::Duration;

use crate::acs::roads::{self, Road, Roads};
use crate::acs::sms::{Message, Repeatability};
use crate::config::{self, Gate};
use crate::message::{self, Passcode, Segments};
use crate::numbering;
use crate::okta::auth;
use crate::okta::request::{self, BODY_LIMIT, Dialect};
use crate::okta::response::{self, Outcome, ResponseFormat};
use crate::operator;
use crate::policy::{self, limits, limits::Counted};
use crate::ports::{BodyError, InboundRequest, Instant, Ports};
use crate::refusal::{Reason, Refusal};
use crate::telemetry::{HookLine, Identifier, Milliseconds};

/// Where Okta calls.
pub const HOOK_PATH: &str = "/api/okta-telephony";

/// The warning of a hook that could not count its message, or not know which road is down.
const STORE_UNAVAILABLE: &str = "store_unavailable";

/// The warning of a hook whose message two ACS resources may have sent.
const MAY_BE_DOUBLE: &str = "may_be_double";

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
    // A slash too many at the end of the URL in Okta is no reason to send nothing.
    let path = request.path();
    match path.strip_suffix('/').unwrap_or(&path) {
        HOOK_PATH => handle_hook(request, ports),
        path => operator::handle(path, request, ports).unwrap_or_else(not_found),
    }
}

fn not_found() -> Handled {
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
        segments: None,
        as_successful: false,
        line: HookLine::default(),
    };
    let result = hook.run(request, ports);

    let refusal = result.err();
    let outcome = match &refusal {
        Some(refusal) => Outcome::Refused { refusal, as_successful: hook.as_successful },
        None => Outcome::Accepted {
            message_id: hook.line.message_id.as_ref().map(Identifier::as_str),
            sender_type: hook.line.sender_type.unwrap_or_default(),
            segments: hook.segments,
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
    let log_line = hook.line.finish(ports.clock.now(), elapsed, refusal);
    Handled { response, log_line: Some(log_line) }
}

/// One call of the hook, and what is known of it so far.
struct Hook {
    arrived: Instant,
    format: ResponseFormat,
    dialect: Option<Dialect>,
    segments: Option<Segments>,
    /// Okta is told of a refusal as of a success.
    as_successful: bool,
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

        let misconfigured = |problems: config::Problems| problems.into_refusal(ports.variables);
        gate.finish().map_err(misconfigured)?;
        let now = ports.clock.now();
        let to = policy::admit(&hook_request, now)?;
        let plan = numbering::look_up(to);
        self.line.country = plan.region;
        let canonical = to.canonical();
        let rules = config::read_rules(ports.variables, &hook_request).map_err(misconfigured)?;
        if let Err(refusal) = policy::check(&rules, &canonical, plan) {
            self.refuse(refusal, ports)?;
        }

        let sending = config::read_sending(ports.variables, plan.region).map_err(misconfigured)?;
        let wording = config::read_wording(ports.variables).map_err(misconfigured)?;
        let text = wording.text(&Passcode::of(&hook_request, now));
        let segments = message::segments(&text);
        self.segments = Some(segments);
        (self.line.segments, self.line.encoding) =
            (Some(segments.count), Some(segments.encoding.name()));

        let counted = policy::limits_of(&rules, &hook_request, &canonical);
        // What would have been refused by now would not have been counted either.
        if !counted.is_empty() && self.line.would_refuse.is_none() {
            let key =
                config::read_store_key(ports.variables, &sending.primary).map_err(misconfigured)?;
            match limits::count(&counted, &key, ports.store, now) {
                Counted::Admitted => {}
                Counted::StoreFailed => self.line.warnings.push(STORE_UNAVAILABLE),
                Counted::Reached { scope, rate } => {
                    self.refuse(policy::limit_reached(scope, rate), ports)?;
                }
            }
        }

        let repeatability = Repeatability::of(
            hook_request.event_id.as_deref(),
            hook_request.event_time,
            now,
            ports.random,
        );
        let message = Message { to, text: &text, repeatability };
        let roads = Roads { primary: &sending.primary, secondary: sending.secondary.as_ref() };
        let delivery = roads::send(&roads, &message, ports, until);
        let acs = match delivery.road {
            Road::Primary => Some(&sending.primary),
            Road::Secondary => sending.secondary.as_ref(),
        };
        self.line.sender_type = acs.map(|acs| acs.sender.kind.name());
        self.line.road = sending.secondary.is_some().then(|| delivery.road.name());
        self.line.went_over = delivery.went_over.map(Reason::code);
        if delivery.may_be_double {
            self.line.warnings.push(MAY_BE_DOUBLE);
        }
        if delivery.store_failed && !self.line.warnings.contains(&STORE_UNAVAILABLE) {
            self.line.warnings.push(STORE_UNAVAILABLE);
        }
        self.line.attempts = delivery.attempts;
        self.line.acs_status = delivery.status;
        self.line.acs_error = delivery.error_code;
        self.line.acs_ms = Some(Milliseconds(delivery.elapsed));
        self.line.message_id = delivery.result?.as_deref().map(Identifier::new);
        Ok(())
    }

    /// What the policy refuses is refused, unless the policy is only observed. Okta sends itself
    /// what it is told has failed, so the owner may have it told something else.
    fn refuse(&mut self, refusal: Refusal, ports: Ports<'_>) -> Result<(), Refusal> {
        let on_refusal = config::read_on_refusal(ports.variables)
            .map_err(|problems| problems.into_refusal(ports.variables))?;
        if on_refusal.lets_pass(refusal.reason) {
            self.line.would_refuse = Some(refusal.reason.code());
            return Ok(());
        }
        self.as_successful = !on_refusal.as_failed;
        self.line.okta_status = self.as_successful.then_some("SUCCESSFUL");
        Err(refusal)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::{FakeHost, FakeRequest};
    use serde_json::Value;

    const BARE: &str =
        r#"{"data":{"messageProfile":{"phoneNumber":"+15550100123","otpCode":"123456"}}}"#;

    fn reason(handled: &Handled) -> String {
        let line: Value = serde_json::from_str(handled.log_line.as_ref().unwrap()).unwrap();
        line["reason"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_hook_sends_and_answers_and_tells() {
        let host = FakeHost::default();
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert_eq!(handled.response.status, 200);
        assert_eq!(
            String::from_utf8(handled.response.body).unwrap(),
            r#"{"commands":[{"type":"com.okta.telephony.action","value":{"status":"SUCCESS","provider":"ACS","transactionId":"id-1","transactionMetadata":"shortcode"}}],"debugContext":{"segments":1,"encoding":"gsm7"}}"#
        );
        assert_eq!(
            handled.log_line.unwrap(),
            concat!(
                r#"{"v":1,"time":"2026-01-31T12:00:00Z","level":"info","event":"hook","outcome":"accepted","#,
                r#""reason":"accepted","http_status":200,"preview":false,"number":"+1********23","#,
                r#""segments":1,"encoding":"gsm7","sender_type":"shortcode","acs_status":202,"message_id":"id-1","attempts":1,"#,
                r#""acs_ms":20.0,"ms":20.0}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_stranger_costs_no_body_and_only_the_variables_that_tell_strangers_apart() {
        let host = FakeHost::default();
        let mut request = FakeRequest::hook(BARE);
        request.headers.retain(|(name, _)| *name != "authorization");
        let handled = handle(&mut request, host.ports());
        assert_eq!(handled.response.status, 401);
        assert!(handled.response.headers.contains(&("www-authenticate", auth::CHALLENGE)));
        assert!(!request.body_was_read);
        assert_eq!(
            *host.read.borrow(),
            ["okta_response_format", "hook_deadline_ms", "okta_basic_secret", "okta_user"]
        );
    }

    #[test]
    fn every_variable_is_read_once() {
        let host = FakeHost::default();
        handle(&mut FakeRequest::hook(BARE), host.ports());
        let mut read = host.read.borrow().clone();
        read.sort_unstable();
        read.dedup();
        assert_eq!(read.len(), host.read.borrow().len());
    }

    #[test]
    fn without_credentials_configured_nothing_is_read_or_sent() {
        let host = FakeHost::default().with("okta_basic_secret", "");
        let mut request = FakeRequest::hook(BARE);
        request.headers[0].1 = b"Basic b2t0YTo=".to_vec();
        let handled = handle(&mut request, host.ports());
        assert_eq!((handled.response.status, reason(&handled).as_str()), (200, "misconfigured"));
        assert!(!request.body_was_read);
        assert!(host.sent.borrow().is_empty());
    }

    #[test]
    fn other_methods_are_told_which_one_to_use() {
        for method in ["GET", "HEAD", "PUT", "post", "BREW"] {
            let host = FakeHost::default();
            let mut request = FakeRequest::hook(BARE);
            request.method = method;
            let handled = handle(&mut request, host.ports());
            assert_eq!(handled.response.status, 405, "{method}");
            assert!(handled.response.headers.contains(&("allow", "POST")));
        }
    }

    #[test]
    fn bodies_that_are_not_json_or_too_large_or_late_are_refused_unparsed() {
        let host = FakeHost::default();
        let refused = |request: &mut FakeRequest| {
            let handled = handle(request, host.ports());
            (handled.response.status, reason(&handled))
        };
        for content_type in
            ["text/plain", "", "application/jsonp", "application/x-www-form-urlencoded"]
        {
            let mut request = FakeRequest::hook(BARE);
            request.headers[1].1 = content_type.into();
            assert_eq!(refused(&mut request), (415, "unsupported_media_type".into()));
            assert!(!request.body_was_read);
        }
        let mut request = FakeRequest::hook(BARE);
        request.headers.push(("content-length", b"65537".to_vec()));
        assert_eq!(refused(&mut request), (413, "body_too_large".into()));
        assert!(!request.body_was_read);
        let mut request = FakeRequest::hook(vec![b' '; BODY_LIMIT + 1]);
        assert_eq!(refused(&mut request), (413, "body_too_large".into()));
        for (error, expected) in [
            (BodyError::Late, (408, "request_timeout".into())),
            (BodyError::Broken, (400, "incomplete_body".into())),
        ] {
            let mut request = FakeRequest::hook(BARE);
            request.body = Err(error);
            assert_eq!(refused(&mut request), expected);
        }
        assert!(host.sent.borrow().is_empty());
    }

    #[test]
    fn json_may_have_parameters() {
        let host = FakeHost::default();
        let mut request = FakeRequest::hook(BARE);
        request.headers[1].1 = b"Application/JSON; charset=utf-8".to_vec();
        assert_eq!(handle(&mut request, host.ports()).response.status, 200);
    }

    #[test]
    fn documented_refuses_a_bare_payload() {
        let host = FakeHost::default().with("okta_response_format", "documented");
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert_eq!((handled.response.status, reason(&handled).as_str()), (400, "not_an_envelope"));
        assert!(host.sent.borrow().is_empty());
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        let mut request = FakeRequest::hook(BARE);
        request.path = "/api/okta-telephony/";
        let handled = handle(&mut request, FakeHost::default().ports());
        assert_eq!(handled.response.status, 200);
    }

    #[test]
    fn elsewhere_there_is_nothing() {
        let mut request = FakeRequest::hook(BARE);
        request.path = "/api/okta-telephony/x";
        let handled = handle(&mut request, FakeHost::default().ports());
        assert_eq!(handled.response.status, 404);
        assert!(handled.log_line.is_none());
    }
}
