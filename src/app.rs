//! Routes to handlers, and the way of one hook from top to bottom.

use std::time::Duration;

use time::OffsetDateTime;

use crate::after::{AcsAttempt, After, HookDone};
use crate::callers::auth::{self, Callers, Proof};
use crate::callers::bearer::issuer::Issuer;
use crate::callers::bearer::{OAuth, Refused};
use crate::config::{self, Gate, Sending};
use crate::handled::{Handled, Response};
use crate::hook::HOOK_PATH;
use crate::hook::answer::{self, Outcome, ResponseFormat};
use crate::hook::request::{self, BODY_LIMIT, Dialect};
use crate::json::write::Thousandths;
use crate::message::{self, Passcode, Segments};
use crate::operator;
use crate::policy;
use crate::policy::limits::{self, Counted, Limit};
use crate::ports::{BodyError, InboundRequest, Instant, Ports};
use crate::providers::acs::connection_string::ConnectionString;
use crate::providers::acs::sms::{Message, Repeatability};
use crate::providers::failover::{self, Roads};
use crate::records::EVENT_TAG;
use crate::records::store_key::StoreKey;
use crate::refusal::{Reason, Refusal};
use crate::reports::{self, REPORTS_PATH};
use crate::secret::Secret;
use crate::sender::SenderType;
use crate::telemetry::{HookLine, Identifier, MAY_BE_DOUBLE, STORE_UNAVAILABLE};

/// What is left of the deadline for the answer itself, once ACS's has come or has not.
const TIME_TO_ANSWER: Duration = Duration::from_millis(50);

/// Handles any request.
pub fn handle(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    // A slash too many at the end of the URL in Okta is no reason to send nothing.
    let path = request.path();
    match path.strip_suffix('/').unwrap_or(&path) {
        HOOK_PATH => handle_hook(request, ports),
        REPORTS_PATH => reports::handle(request, ports),
        path => operator::handle(path, request, ports).unwrap_or_else(not_found),
    }
}

fn not_found() -> Handled {
    let response = Response {
        status: 404,
        headers: vec![("content-type", "text/plain; charset=utf-8".into())],
        body: format!("There is nothing here. Okta's hook is POST {HOOK_PATH}.\n").into_bytes(),
    };
    Handled { response, log: String::new(), after: After::Nothing }
}

fn handle_hook(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    let mut hook = Hook {
        arrived: ports.clock.instant(),
        format: ResponseFormat::Auto,
        dialect: None,
        segments: None,
        challenges: Vec::new(),
        refresh: None,
        store_key: None,
        resource: None,
        number: None,
        attempts: Vec::new(),
        line: HookLine::default(),
    };
    let result = hook.run(request, ports);

    let refusal = result.err();
    let outcome = match &refusal {
        Some(refusal) => {
            Outcome::Refused { refusal, as_successful: hook.line.okta_status.is_some() }
        }
        None => Outcome::Accepted {
            message_id: hook.line.message_id.as_ref().map(Identifier::as_str),
            sender_type: hook.line.sender_type.map_or("", SenderType::name),
            segments: hook.segments,
        },
    };
    let mut headers =
        vec![("content-type", "application/json".into()), ("cache-control", "no-store".into())];
    match refusal.as_ref().map(|refusal| refusal.reason) {
        Some(Reason::Unauthorized) => {
            let challenges =
                hook.challenges.iter().map(|challenge| ("www-authenticate", (*challenge).into()));
            headers.extend(challenges);
        }
        Some(Reason::MethodNotAllowed) => headers.push(("allow", "POST".into())),
        _ => {}
    }
    let response = Response {
        status: refusal.as_ref().map_or(200, |refusal| refusal.reason.http_status()),
        headers,
        body: answer::body(outcome, hook.format.dialect(hook.dialect)),
    };
    let answered = ports.clock.instant();
    let now = ports.clock.time_at(answered);
    let refused = refusal.is_some();
    hook.line.finish(now, answered.since(hook.arrived), refusal);
    let log = hook.line.text();
    let Hook { arrived, line, refresh, store_key, resource, number, attempts, .. } = hook;
    // A stranger's trace would cost the owner. After a refusal it is read without asking whether there is a sink:
    // that would read variables which a refusal has not needed.
    let traceparent = match line.credential {
        Some(_) if refused || config::has_sink(ports.variables) => request.header("traceparent"),
        _ => Vec::new(),
    };
    let done = HookDone {
        arrived,
        answered,
        now,
        line,
        attempts,
        number,
        store_key,
        resource,
        traceparent,
        refresh,
    };
    Handled { response, log, after: After::Hook(Box::new(done)) }
}

/// One call of the hook, and what is known of it so far.
struct Hook {
    arrived: Instant,
    format: ResponseFormat,
    dialect: Option<Dialect>,
    segments: Option<Segments>,
    /// What a caller is told that has not proven itself.
    challenges: Vec<&'static str>,
    refresh: Option<(Issuer, StoreKey)>,
    /// The key of the store, where the way so far has needed it.
    store_key: Option<StoreKey>,
    /// The primary resource, once ACS has taken the message: a key of the store may yet be made of it.
    resource: Option<ConnectionString>,
    /// The recipient in its canonical form.
    number: Option<Secret>,
    attempts: Vec<AcsAttempt>,
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
        let callers = gate.callers.as_ref().map_err(Refusal::clone)?;
        self.challenges = callers.challenges().collect();
        self.line.credential = Some(self.identify(callers, request, ports, until)?);
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
        let plan = to.plan();
        self.line.country = plan.region;
        let canonical = to.canonical();
        let rules = config::read_rules(ports.variables, &hook_request).map_err(misconfigured)?;
        if let Err(refusal) = policy::check(&rules, to, plan) {
            self.refuse(refusal, ports)?;
        }

        let sending = config::read_sending(ports.variables, plan.region).map_err(misconfigured)?;
        let wording = config::read_wording(ports.variables).map_err(misconfigured)?;
        let repeatability = Repeatability::of(
            hook_request.event_id.as_deref(),
            to,
            hook_request.event_time,
            now,
            ports.random,
        );
        // Of the event, not of the moment: a call that is repeated must make the same message of it, minutes too.
        let text = wording.text(&Passcode::of(&hook_request, repeatability.first_sent));
        let segments = message::segments(&text);
        self.segments = Some(segments);
        (self.line.segments, self.line.encoding) =
            (Some(segments.count), Some(segments.encoding.name()));

        // What would have been refused by now would not have been counted either.
        if self.line.would_refuse.is_none() {
            let limits = policy::limits_of(&rules, &hook_request, &canonical);
            self.count(&limits, &sending.primary.resource, ports, now)?;
        }
        let tag = self.line.event_id.as_ref().map(|id| [EVENT_TAG, id.as_str()].concat());
        let message = Message { to, text: &text, repeatability, tag: tag.as_deref() };
        self.send(&sending, &message, ports, until)?;
        self.number = Some(Secret::from(&*canonical));
        self.resource = Some(sending.primary.resource);
        Ok(())
    }

    /// How the caller has proven itself, be it by what was valid until the last change.
    fn identify(
        &mut self,
        callers: &Callers,
        request: &dyn InboundRequest,
        ports: Ports<'_>,
        until: Instant,
    ) -> Result<&'static str, Refusal> {
        let refusal = match callers.identify(request) {
            Ok(proof) => return Ok(proof.name(false)),
            Err(refusal) => refusal,
        };
        let problems = match config::read_previous_callers(ports.variables, callers) {
            Ok(previous) => match previous.identify(request) {
                Ok(proof) => return Ok(proof.name(true)),
                Err(_) => None,
            },
            Err(problems) => Some(problems.text()),
        };
        let refusal = match callers.token(request) {
            Some((oauth, token)) => match self.check_token(oauth, &token, ports, until) {
                Ok(()) => return Ok(Proof::OAuth.name(false)),
                Err(refusal) => refusal,
            },
            None => refusal,
        };
        // The caller may have what can't be read: the log tells the owner, and nobody else is told.
        let Some(mut log_fix) = problems else { return Err(refusal) };
        if let Some(besides) = &refusal.log_fix {
            log_fix.extend(["; besides, ", besides]);
        }
        Err(refusal.with_log_fix(log_fix))
    }

    /// Checks a bearer token, in half of the time: the other half is ACS's.
    fn check_token(
        &mut self,
        oauth: &OAuth,
        token: &[u8],
        ports: Ports<'_>,
        until: Instant,
    ) -> Result<(), Refusal> {
        let key = || config::read_store_key(ports.variables, None);
        let now = ports.clock.instant();
        let half = now.plus(until.since(now) / 2);
        let checked = oauth.check(token, key, ports, half).map_err(|refused| match refused {
            Refused::Token(fault) | Refused::Untimely(fault) | Refused::UnknownKey(fault) => {
                for challenge in self.challenges.iter_mut().filter(|it| **it == auth::BEARER) {
                    *challenge = auth::INVALID_TOKEN;
                }
                auth::unauthorized(fault)
            }
            Refused::KeysUnavailable(cause) => {
                let told =
                    "The keys of the authorization server are not to be had: see the hook's log.";
                Refusal::new(Reason::IssuerUnavailable, told).with_log_fix(cause)
            }
            // Anybody can write what the token says: nothing of the configuration is told yet.
            Refused::NoStoreKey(problems) => {
                let told = "The hook is misconfigured: see the hook's log.";
                Refusal::new(Reason::Misconfigured, told).with_log_fix(problems.text())
            }
        })?;
        for warning in checked.warnings.names() {
            self.line.warn(warning);
        }
        self.refresh = checked.refresh_due.then(|| (oauth.issuer.clone(), checked.key.clone()));
        self.store_key = Some(checked.key);
        Ok(())
    }

    /// Counts the message against its limits, before it leaves.
    fn count(
        &mut self,
        limits: &[Limit<'_>],
        resource: &ConnectionString,
        ports: Ports<'_>,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        if limits.is_empty() {
            return Ok(());
        }
        let key = match self.store_key.take() {
            Some(key) => key,
            None => config::read_store_key(ports.variables, Some(resource))
                .map_err(|problems| problems.into_refusal(ports.variables))?,
        };
        match limits::count(limits, self.store_key.insert(key), ports.store, now) {
            Counted::Admitted => Ok(()),
            Counted::StoreFailed => {
                self.line.warn(STORE_UNAVAILABLE);
                Ok(())
            }
            Counted::Reached { scope, rate } => {
                self.refuse(policy::limit_reached(scope, rate), ports)
            }
        }
    }

    fn send(
        &mut self,
        sending: &Sending,
        message: &Message<'_>,
        ports: Ports<'_>,
        until: Instant,
    ) -> Result<(), Refusal> {
        let roads = Roads { primary: &sending.primary, secondary: sending.secondary.as_ref() };
        let delivery = failover::send(&roads, message, ports, until);
        self.line.sender_type = Some(roads.acs(delivery.road).sender.kind);
        self.line.road = roads.secondary.is_some().then(|| delivery.road.name());
        self.line.went_over = delivery.went_over.map(Reason::code);
        self.line.attempts = u32::try_from(delivery.attempts.len()).unwrap_or(u32::MAX);
        let attempts = delivery.attempts.iter().map(|(road, attempted)| AcsAttempt {
            authority: roads.acs(*road).resource.authority.clone(),
            road: *road,
            attempted: *attempted,
        });
        self.attempts = attempts.collect();
        self.line.acs_status = delivery.status;
        self.line.acs_error = delivery.error_code;
        self.line.acs_ms = Some(Thousandths::milliseconds(delivery.elapsed));
        if delivery.may_be_double {
            self.line.warn(MAY_BE_DOUBLE);
        }
        if delivery.store_failed {
            self.line.warn(STORE_UNAVAILABLE);
        }
        self.line.message_id = delivery.result?.as_deref().map(Identifier::of_message);
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
        self.line.okta_status = (!on_refusal.as_failed).then_some("SUCCESSFUL");
        Err(refusal)
    }
}

/// The body, if its head promises JSON of a size that we take.
fn read_body(request: &mut dyn InboundRequest, until: Instant) -> Result<Vec<u8>, Refusal> {
    if !is_json(&request.header("content-type")) {
        let fix = "The Content-Type must be application/json.";
        return Err(Refusal::new(Reason::UnsupportedMediaType, fix));
    }
    request.body().read(BODY_LIMIT, until).map_err(|error| match error {
        BodyError::TooLarge => {
            let fix = format!("The body has more than {BODY_LIMIT} bytes.");
            Refusal::new(Reason::BodyTooLarge, fix)
        }
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

fn not_an_envelope() -> Refusal {
    Refusal::new(
        Reason::NotAnEnvelope,
        "The body is a bare payload, which okta_response_format=documented refuses: it carries nothing against replay.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::bearer::token::tests::token_and_keys;
    use crate::ports::SendError;
    use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
    use serde_json::Value;

    const BARE: &str =
        r#"{"data":{"messageProfile":{"phoneNumber":"+15550100123","otpCode":"123456"}}}"#;

    fn reason(handled: &Handled) -> String {
        let line: Value = serde_json::from_str(&handled.log).unwrap();
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
            handled.log,
            concat!(
                r#"{"v":1,"time":"2026-01-31T12:00:00Z","level":"info","event":"hook","outcome":"accepted","#,
                r#""reason":"accepted","http_status":200,"credential":"basic","preview":false,"number":"+1********23","#,
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
        let challenge = r#"Basic realm="okta-telephony", charset="UTF-8""#;
        assert!(handled.response.headers.contains(&("www-authenticate", challenge.into())));
        assert!(!request.body_was_read);
        assert_eq!(
            *host.read.borrow(),
            [
                "okta_user",
                "okta_basic_secret",
                "okta_header_secret",
                "okta_oauth_issuer",
                "okta_response_format",
                "hook_deadline_ms",
                "okta_basic_secret_previous"
            ]
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
    fn with_limits_too_every_variable_is_read_once_and_the_store_key_made_once() {
        let host = FakeHost::default().with("rate_limit_per_number", "5/10m");
        handle(&mut FakeRequest::hook(BARE), host.ports());
        let (token, keys) = token_and_keys();
        let by_token = with_issuer(&keys)
            .with("rate_limit_per_number", "5/10m")
            .with("store_secret", "0123456789abcdef");
        post(&by_token, &token);
        for host in [host, by_token] {
            let mut read = host.read.borrow().clone();
            assert_eq!(read.iter().filter(|name| **name == "store_secret").count(), 1);
            read.sort_unstable();
            read.dedup();
            assert_eq!(read.len(), host.read.borrow().len());
        }
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
    fn what_a_rule_refuses_costs_neither_what_sending_needs_nor_the_store() {
        let host = FakeHost::default().with("allowed_countries", "US");
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert_eq!(reason(&handled), "country_not_allowed");
        let read = host.read.borrow();
        assert!(!read.iter().any(|name| name.starts_with("acs_") || name.contains("template")));
        assert_eq!(*host.store_calls.borrow(), [""; 0]);
        assert!(host.sent.borrow().is_empty());
    }

    #[test]
    fn without_limits_and_a_second_road_the_store_is_not_asked() {
        let host = FakeHost::default();
        assert_eq!(handle(&mut FakeRequest::hook(BARE), host.ports()).response.status, 200);
        assert_eq!(*host.store_calls.borrow(), [""; 0]);
        let host = FakeHost::default().with("rate_limit_per_number", "5/10m");
        handle(&mut FakeRequest::hook(BARE), host.ports());
        assert_eq!(host.store_calls.borrow().len(), 2, "one read and one write");
    }

    #[test]
    fn the_other_key_of_a_resource_has_the_senders_of_the_first() {
        let host = FakeHost::default()
            .with(
                "acs_secondary_connection_string",
                "endpoint=https://contoso.communication.azure.com/;accesskey=b3RoZXI=",
            )
            .with("acs_secondary_senders", "GB=CONTOSO")
            .answering([FakeAnswer::of(401, ""), FakeAnswer::accepted("id-2")]);
        assert_eq!(reason(&handle(&mut FakeRequest::hook(BARE), host.ports())), "accepted");
        let sent = host.sent.borrow();
        assert_eq!(sent.len(), 2);
        assert!(sent[1].body.contains(r#""from":"12345""#), "{}", sent[1].body);
    }

    #[test]
    fn a_store_that_fails_stops_nobody_and_is_told_of() {
        let host = FakeHost::default().with("rate_limit_per_number", "5/10m");
        host.stored.replace(None);
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        let line: Value = serde_json::from_str(&handled.log).unwrap();
        assert_eq!((&line["outcome"], &line["level"]), (&"accepted".into(), &"warn".into()));
        assert_eq!(line["warnings"], serde_json::json!(["store_unavailable"]));
        assert_eq!(host.sent.borrow().len(), 1);
    }

    const OPENID: &str = "https://example.okta.com/oauth2/default/.well-known/openid-configuration";
    const KEYS: &str = "https://example.okta.com/keys";

    /// A host that takes tokens, whose issuer has these keys.
    fn with_issuer(keys: &str) -> FakeHost {
        let metadata = r#"{"issuer":"https://example.okta.com/oauth2/default","jwks_uri":"https://example.okta.com/keys"}"#;
        FakeHost::default()
            .with("okta_basic_secret", "")
            .with("okta_oauth_issuer", "https://example.okta.com/oauth2/default")
            .with("okta_oauth_audience", "api://telephony")
            .with("okta_oauth_client_id", "0oaclient")
            .answering_to(OPENID, [FakeAnswer::of(200, metadata)])
            .answering_to(KEYS, [FakeAnswer::of(200, keys)])
    }

    fn refreshes(handled: Handled) -> bool {
        matches!(handled.after, After::Hook(done) if done.refresh.is_some())
    }

    /// Posts a hook with a token, and gives its line.
    fn post(host: &FakeHost, token: &str) -> (Handled, Value) {
        let mut request = FakeRequest::hook(BARE);
        request.headers[0].1 = format!("Bearer {token}").into_bytes();
        let handled = handle(&mut request, host.ports());
        let line = serde_json::from_str(&handled.log).unwrap();
        (handled, line)
    }

    #[test]
    fn a_token_is_judged_by_the_keys_that_the_issuer_has_now() {
        let (token, keys) = token_and_keys();
        let mut host = with_issuer(&keys);
        let (_, line) = post(&host, &token);
        assert_eq!((&line["reason"], &line["credential"]), (&"accepted".into(), &"oauth".into()));
        // The keys hold for five minutes, and the issuer has taken this one back.
        host.now += Duration::from_secs(301);
        let host = host.answering_to(KEYS, [FakeAnswer::of(200, &keys.replace("one", "two"))]);
        let (handled, _) = post(&host, &token);
        assert_eq!(handled.response.status, 401);
    }

    #[test]
    fn keys_are_renewed_after_the_answer_in_their_last_tenth_and_used_while_the_issuer_is_down() {
        let (token, keys) = token_and_keys();
        let mut host = with_issuer(&keys).answering(["1", "2", "3"].map(FakeAnswer::accepted));
        assert!(!refreshes(post(&host, &token).0));
        host.now += Duration::from_secs(280);
        assert!(refreshes(post(&host, &token).0));
        host.now += Duration::from_secs(60);
        let host = host.answering_to(OPENID, [(Duration::ZERO, Err(SendError::NotConnected))]);
        let (_, line) = post(&host, &token);
        assert_eq!(line["reason"], "accepted", "{line}");
        assert_eq!(line["warnings"], serde_json::json!(["keys_stale"]));
    }

    #[test]
    fn a_key_that_could_not_be_looked_for_is_no_fault_of_the_token() {
        let (token, keys) = token_and_keys();
        let mut host = with_issuer(&keys.replace("one", "two"));
        let (handled, _) = post(&host, &token);
        assert_eq!(handled.response.status, 401, "the issuer has no such key");
        host.now += Duration::from_secs(61);
        let host = host.answering_to(OPENID, [(Duration::ZERO, Err(SendError::NotConnected))]);
        let (handled, line) = post(&host, &token);
        assert_eq!((handled.response.status, &line["reason"]), (200, &"issuer_unavailable".into()));
        assert!(
            line["fix"].as_str().unwrap().contains("no connection to the authorization server"),
            "{line}"
        );
    }

    #[test]
    fn a_stranger_with_a_token_is_told_nothing_of_the_configuration() {
        let (token, keys) = token_and_keys();
        let host = with_issuer(&keys).with("acs_connection_string", "").with("acs_senders", "?");
        let (handled, line) = post(&host, &token);
        assert_eq!(line["reason"], "misconfigured");
        assert!(line["fix"].as_str().unwrap().contains("acs_connection_string"));
        let told = String::from_utf8(handled.response.body).unwrap();
        assert!(!told.contains("acs_"), "{told}");
    }

    #[test]
    fn a_previous_secret_holds_beside_anybodys_token() {
        let host = with_issuer("{}")
            .with("okta_header_name", "x-key")
            .with("okta_header_secret", "new")
            .with("okta_header_secret_previous", "old");
        let mut request = FakeRequest::hook(BARE);
        request.headers[0].1 = b"Bearer of-the-gateway".to_vec();
        request.headers.push(("x-key", b"old".to_vec()));
        assert_eq!(handle(&mut request, host.ports()).response.status, 200);
        let host = host.with("okta_header_secret_previous", "old\n");
        let handled = handle(&mut request, host.ports());
        assert_eq!(handled.response.status, 401);
        for fix in
            ["okta_header_secret_previous begins or ends with white space", "not a signed JWT"]
        {
            assert!(handled.log.contains(fix), "{}", handled.log);
        }
    }

    #[test]
    fn a_call_that_is_repeated_makes_the_same_message_of_the_event() {
        let mut host = FakeHost::default()
            .with("message_template", "${code} holds for ${minutes} minutes")
            .answering(["1", "2"].map(FakeAnswer::accepted));
        // Of the host's time, to the second; it expires 302 seconds later.
        let envelope = include_str!("../sample/okta-envelope.json").replace("12:05:00", "12:05:02");
        for _ in 0..2 {
            let handled = handle(&mut FakeRequest::hook(&*envelope), host.ports());
            assert_eq!(handled.response.status, 200);
            host.now += Duration::from_secs(3);
        }
        let sent = host.sent.borrow();
        assert!(sent[0].body.contains("holds for 6 minutes"));
        assert_eq!(sent[0].body, sent[1].body);
    }

    #[test]
    fn acs_message_id_without_a_letter_is_told_to_the_letter() {
        let id = "2020061020372512345678-7890-4123-9012-345678901234";
        let host = FakeHost::default().answering([FakeAnswer::accepted(id)]);
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert!(String::from_utf8(handled.response.body).unwrap().contains(id));
        let After::Hook(done) = handled.after else { panic!() };
        assert_eq!(done.line.message_id.unwrap().as_str(), id);
    }

    #[test]
    fn a_message_that_goes_over_is_told_with_its_road_and_its_sender() {
        let host = FakeHost::default()
            .with("acs_secondary_connection_string", "endpoint=https://b.example/;accesskey=pw==")
            .with("acs_secondary_senders", "*=CONTOSO")
            .with("rate_limit_per_number", "5/10m")
            .answering([FakeAnswer::of(401, ""), FakeAnswer::accepted("id-2")]);
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        let line: Value = serde_json::from_str(&handled.log).unwrap();
        for (name, value) in [
            ("outcome", "accepted"),
            ("road", "secondary"),
            ("went_over", "acs_unauthorized"),
            ("sender_type", "alphanumeric"),
        ] {
            assert_eq!(line[name], value, "{line}");
        }
        host.stored.replace(None);
        let host = host.answering([FakeAnswer::accepted("id-3")]);
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        let line: Value = serde_json::from_str(&handled.log).unwrap();
        assert_eq!(line["warnings"], serde_json::json!(["store_unavailable"]), "once");
    }

    #[test]
    fn a_country_without_a_sender_on_the_second_road_has_none() {
        let host = FakeHost::default()
            .with("acs_secondary_connection_string", "endpoint=https://b.example/;accesskey=pw==")
            .with("acs_secondary_senders", "GB=CONTOSO")
            .answering([FakeAnswer::of(401, "")]);
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert_eq!(reason(&handled), "acs_unauthorized");
        assert_eq!(host.sent.borrow().len(), 1);
    }

    #[test]
    fn what_would_be_refused_counts_nowhere() {
        let host = FakeHost::default()
            .with("policy_mode", "observe")
            .with("allowed_countries", "US")
            .with("rate_limit_per_number", "5/10m");
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert!(handled.log.contains(r#""would_refuse":"country_not_allowed""#));
        assert_eq!(host.sent.borrow().len(), 1);
        assert_eq!(*host.store_calls.borrow(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_where_it_is_first_needed_is_told_with_all_else_that_is_wrong() {
        let host =
            FakeHost::default().with("allowed_countries", "UK").with("acs_senders", "US=nothing!");
        let handled = handle(&mut FakeRequest::hook(BARE), host.ports());
        assert_eq!(reason(&handled), "misconfigured");
        let line = handled.log;
        assert!(line.contains("allowed_countries must be") && line.contains("acs_senders is no"));
    }

    #[test]
    fn other_methods_are_told_which_one_to_use() {
        for method in ["GET", "HEAD", "PUT", "post", "BREW"] {
            let host = FakeHost::default();
            let mut request = FakeRequest::hook(BARE);
            request.method = method;
            let handled = handle(&mut request, host.ports());
            assert_eq!(handled.response.status, 405, "{method}");
            assert!(handled.response.headers.contains(&("allow", "POST".into())));
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
        assert!(handled.log.is_empty());
    }
}
