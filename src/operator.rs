//! What the operator may ask: whether the configuration is in order, what would become of a message, and
//! what became of those that were sent. Sends nothing and changes nothing.
//!
//! `GET /api/health` is for probes: it needs no credentials and tells one thing. The rest needs the
//! operator's own, which can't send, and does not exist while `operator_secret` is not set.

pub mod deliveries;

use std::time::Duration;

use self::deliveries::View;
use crate::after::After;
use crate::callers::auth::{self, Credentials, Proof};
use crate::config::{self, Check, Finding, Gate, Problems, VARIABLES};
use crate::handled::{Handled, Response};
use crate::hook::request::{ENROLLMENT, HookRequest, NotANumber};
use crate::json::read::Json;
use crate::json::write::Object;
use crate::message::{self, Passcode};
use crate::numbering::Region;
use crate::phone_number::PhoneNumber;
use crate::policy;
use crate::policy::limits::{self, Limit};
use crate::ports::{BodyError, InboundRequest, Ports, StoreUnavailable};
use crate::records::canonical_id;
use crate::records::store::Records;
use crate::refusal::Refusal;
use crate::telemetry::{self, OperatorLine};

/// Whether the configuration is in order: 200 or 503.
const HEALTH_PATH: &str = "/api/health";

/// What is wrong with it, variable by variable.
const DETAILS_PATH: &str = "/api/health/details";

/// What would become of a message.
const EXPLAIN_PATH: &str = "/api/explain";

/// The most bytes of a question's body.
const QUESTION_LIMIT: usize = 8 * 1024;

/// The time that a question's body may take.
const QUESTION_TIME: Duration = Duration::from_secs(2);

/// The value of `WWW-Authenticate` beside a 401.
const CHALLENGE: &str = r#"Basic realm="okta-telephony-operator", charset="UTF-8""#;

/// One of the operator's pages.
enum Page<'a> {
    Details,
    Explain,
    Deliveries,
    /// Of the message with this id.
    Delivery(&'a str),
}

impl<'a> Page<'a> {
    fn at(path: &'a str) -> Option<Self> {
        match path {
            DETAILS_PATH => Some(Self::Details),
            EXPLAIN_PATH => Some(Self::Explain),
            deliveries::PATH => Some(Self::Deliveries),
            path => {
                let message_id = path.strip_prefix(deliveries::PATH)?.strip_prefix('/')?;
                Some(Self::Delivery(message_id))
            }
        }
    }

    /// The path in the log.
    fn path(&self) -> &'static str {
        match self {
            Self::Details => DETAILS_PATH,
            Self::Explain => EXPLAIN_PATH,
            Self::Deliveries | Self::Delivery(_) => deliveries::PATH,
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Explain => "POST",
            _ => "GET",
        }
    }
}

/// Handles a request for one of these paths; `None` where there is nothing.
pub fn handle(path: &str, request: &mut dyn InboundRequest, ports: Ports<'_>) -> Option<Handled> {
    let arrived = ports.clock.instant();
    if path == HEALTH_PATH {
        let response = match request.method().as_str() {
            "GET" | "HEAD" => health(ports),
            _ => method_not_allowed("GET, HEAD"),
        };
        return Some(Handled { response, log: String::new(), after: After::Nothing });
    }
    let page = Page::at(path)?;
    let mut line = OperatorLine::new(page.path());
    let response = match config::read_operator(ports.variables) {
        Ok(None) => return None,
        Ok(Some(credentials)) => {
            match proof(&request.header("authorization"), &credentials, ports) {
                Ok(proof) => line.credential = proof,
                // The operator may have what can't be read.
                Err(problems) => line.fix = Some(problems.text()),
            }
            if line.credential.is_none() {
                let mut response = error(401, "The operator's credentials are needed.");
                response.headers.push(("www-authenticate", CHALLENGE.into()));
                response
            } else if request.method() != page.method() {
                method_not_allowed(page.method())
            } else {
                let shown = match page {
                    Page::Details => Ok(details(ports)),
                    Page::Explain => question(request, ports)
                        .map(|question| json(200, explain(question, ports).json())),
                    Page::Deliveries => newest(request, ports),
                    Page::Delivery(message_id) => delivery(message_id, ports),
                };
                shown.unwrap_or_else(|NotShown { status, why, fix }| {
                    line.fix = fix;
                    error(status, why)
                })
            }
        }
        // Credentials that are not in order are none, and these pages are where it would be told.
        Err(problems) => {
            line.fix = Some(problems.text());
            error(404, "The operator's pages are not there: see the hook's log.")
        }
    };
    let elapsed = ports.clock.instant().since(arrived);
    let log = line.finish(ports.clock.now(), response.status, elapsed);
    Some(Handled { response, log, after: After::Nothing })
}

/// Why an operator who may see a page does not.
struct NotShown {
    status: u16,
    why: &'static str,
    /// What the log says besides.
    fix: Option<String>,
}

impl NotShown {
    fn new(status: u16, why: &'static str) -> Self {
        Self { status, why, fix: None }
    }
}

/// The records, where there are any.
fn records(ports: Ports<'_>) -> Result<Records<'_>, NotShown> {
    match config::read_bounds(ports.variables) {
        Ok(Some(bounds)) => Ok(Records::new(bounds, ports)),
        Ok(None) => Err(NotShown::new(404, "Nothing is remembered: record_slots is 0.")),
        Err(problems) => {
            let why = "What is remembered is not in order: see the hook's log.";
            Err(NotShown { fix: Some(problems.text()), ..NotShown::new(503, why) })
        }
    }
}

/// The store of records fails, or is too slow.
fn unread(records: &Records<'_>) -> NotShown {
    let why = "The store of records is down or too slow: see the hook's log.";
    NotShown { fix: Some(records.fix().into()), ..NotShown::new(503, why) }
}

/// What became of the newest messages: a page for browsers, JSON for all else.
fn newest(request: &dyn InboundRequest, ports: Ports<'_>) -> Result<Response, NotShown> {
    let filter = deliveries::filter(&request.query().unwrap_or_default())
        .map_err(|why| NotShown::new(400, why))?;
    let records = records(ports)?;
    if !deliveries::wants_html(&request.header("accept")) {
        let newest = records.newest(filter.limit, filter.status);
        let newest = newest.map_err(|StoreUnavailable| unread(&records))?;
        return Ok(deliveries::json_list(&newest));
    }
    let newest = records.newest(filter.limit, None);
    let newest = newest.map_err(|StoreUnavailable| unread(&records))?;
    let check = config::check(ports.variables);
    Ok(deliveries::page(&View {
        deliveries: &newest,
        covers: filter.limit,
        status: filter.status,
        problems: check.problems(),
        warnings: &check.warnings,
        now: ports.clock.now(),
    }))
}

/// What became of a message.
fn delivery(message_id: &str, ports: Ports<'_>) -> Result<Response, NotShown> {
    let records = records(ports)?;
    let found = records.find(canonical_id(message_id));
    found
        .map_err(|StoreUnavailable| unread(&records))?
        .map(|delivery| deliveries::json_one(&delivery))
        .ok_or_else(|| NotShown::new(404, "No message with this id is remembered."))
}

/// How the operator has proven itself, be it by the secret that was valid until the last change.
fn proof(
    values: &[Vec<u8>],
    credentials: &Credentials,
    ports: Ports<'_>,
) -> Result<Option<&'static str>, Problems> {
    if auth::check(values, credentials).is_ok() {
        return Ok(Some(Proof::Basic.name(false)));
    }
    let previous = config::read_previous_operator(ports.variables, credentials)?;
    let is_previous = previous.is_some_and(|previous| auth::check(values, &previous).is_ok());
    Ok(is_previous.then(|| Proof::Basic.name(true)))
}

fn json(status: u16, body: String) -> Response {
    Response {
        status,
        headers: vec![
            ("content-type", "application/json".into()),
            ("cache-control", "no-store".into()),
        ],
        body: body.into_bytes(),
    }
}

fn error(status: u16, error: &str) -> Response {
    let mut body = String::new();
    Object::new(&mut body).text("error", error);
    json(status, body)
}

fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = error(405, "This method is not for this page.");
    response.headers.push(("allow", allow.into()));
    response
}

/// Whether the configuration is in order. Neither ACS nor the store is asked: a pod that is not
/// ready while ACS is down would take the second road from those who need it.
fn health(ports: Ports<'_>) -> Response {
    let (in_order, status) = status(&config::check(ports.variables));
    let mut body = String::new();
    Object::new(&mut body).text("status", status);
    json(if in_order { 200 } else { 503 }, body)
}

fn status(check: &Check) -> (bool, &'static str) {
    let in_order = check.problems().is_empty();
    (in_order, if in_order { "ok" } else { "misconfigured" })
}

fn details(ports: Ports<'_>) -> Response {
    let check = config::check(ports.variables);
    let mut body = String::new();
    let mut health = Object::new(&mut body);
    health.text("status", status(&check).1);
    let mut variables = health.list("variables");
    for &name in &VARIABLES {
        let problems = fixes(check.problems(), name);
        variables
            .object()
            .text("name", name)
            .bool("ok", problems.is_empty())
            .texts("problems", &problems)
            .texts("warnings", &fixes(&check.warnings, name));
    }
    drop(variables);
    drop(health);
    json(200, body)
}

/// What is to be said of a variable.
fn fixes<'a>(findings: &'a [Finding], variable: &str) -> Vec<&'a str> {
    let of_variable = findings.iter().filter(|finding| finding.variable == variable);
    of_variable.map(|finding| finding.fix.as_str()).collect()
}

/// A message that is not to be sent.
struct Question {
    phone_number: String,
    locale: Option<String>,
    request_type: Option<String>,
    user_id: Option<String>,
    ip_address: Option<String>,
    msg_template: Option<String>,
}

fn question(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Result<Question, NotShown> {
    let until = ports.clock.instant().plus(QUESTION_TIME);
    let body = request.body().read(QUESTION_LIMIT, until).map_err(|cause| match cause {
        BodyError::TooLarge => NotShown::new(413, "The body is too large."),
        BodyError::Late => NotShown::new(408, "The body did not arrive in time."),
        BodyError::Broken => NotShown::new(400, "The connection broke before the body ended."),
    })?;
    Question::read(&body).ok_or_else(|| {
        NotShown::new(
            400,
            "The body must be JSON with phoneNumber and, if need be, locale, requestType, userId, ipAddress and \
             msgTemplate, all of them text.",
        )
    })
}

impl Question {
    /// Takes no member but its own: one that is misspelt would be answered as if it were not there.
    fn read(body: &[u8]) -> Option<Self> {
        let names = ["phoneNumber", "locale", "requestType", "userId", "ipAddress", "msgTemplate"];
        let body = Json::parse(body).ok()?;
        let given = body.named(names).ok()?;
        if body.members()?.count() > given.iter().flatten().count() {
            return None;
        }
        let mut texts = [const { None }; 6];
        for (text, value) in texts.iter_mut().zip(given) {
            *text = match value {
                Some(value) if !value.is_null() => Some(value.text()?.into_owned()),
                _ => None,
            };
        }
        let [phone_number, locale, request_type, user_id, ip_address, msg_template] = texts;
        let phone_number = phone_number?;
        Some(Self { phone_number, locale, request_type, user_id, ip_address, msg_template })
    }
}

/// What would become of a message. What is not known is left out.
#[derive(Default)]
struct Explanation {
    verdict: &'static str,
    reason: &'static str,
    fix: Option<String>,
    would_refuse: Option<&'static str>,
    okta_status: &'static str,
    warnings: Vec<&'static str>,
    number: Option<String>,
    country: Option<Region>,
    takes_sms: Option<bool>,
    sender: Option<String>,
    sender_type: Option<&'static str>,
    secondary_sender: Option<String>,
    text: Option<String>,
    segments: Option<u32>,
    encoding: Option<&'static str>,
    limits: Vec<LimitUsed>,
}

struct LimitUsed {
    limit: &'static str,
    rate: String,
    used: u32,
}

/// The passcode of the text, which is nobody's.
const SAMPLE_CODE: &str = "123456";

/// Okta's text, which only Okta knows.
const SAMPLE_TEMPLATE: &str = "Your verification code is ${code}.";

/// How long the passcode of the text holds: as long as Okta's.
const SAMPLE_LIFETIME: Duration = Duration::from_secs(300);

fn explain(question: Question, ports: Ports<'_>) -> Explanation {
    let now = ports.clock.now();
    let request = HookRequest {
        event_id: None,
        event_time: None,
        delivery_channel: None,
        phone_number: PhoneNumber::parse(&question.phone_number).map_err(NotANumber::Invalid),
        otp_code: SAMPLE_CODE.into(),
        otp_expires: Some(now + SAMPLE_LIFETIME),
        valid_until: None,
        msg_template: Some(question.msg_template.unwrap_or_else(|| SAMPLE_TEMPLATE.into())),
        locale: question.locale,
        enrollment: question.request_type.as_deref() == Some(ENROLLMENT),
        user_id: question.user_id,
        ip_address: question.ip_address,
    };
    let mut explanation = Explanation { okta_status: "FAILED", ..Explanation::default() };
    (explanation.verdict, explanation.reason) = match explanation.fill_in(&request, ports) {
        Ok(()) => {
            explanation.okta_status = "SUCCESSFUL";
            ("sent", "accepted")
        }
        Err(refusal) => {
            explanation.fix = Some(refusal.log_fix.unwrap_or(refusal.fix).into_owned());
            ("refused", refusal.reason.code())
        }
    };
    explanation
}

impl Explanation {
    fn json(&self) -> String {
        let mut body = String::new();
        let mut answer = Object::new(&mut body);
        answer
            .text("verdict", self.verdict)
            .text("reason", self.reason)
            .text("fix", self.fix.as_deref())
            .text("would_refuse", self.would_refuse)
            .text("okta_status", self.okta_status)
            .texts("warnings", &self.warnings)
            .text("number", self.number.as_deref())
            .text("country", self.country.as_ref().map(Region::code))
            .bool("takes_sms", self.takes_sms)
            .text("sender", self.sender.as_deref())
            .text("sender_type", self.sender_type)
            .text("secondary_sender", self.secondary_sender.as_deref())
            .text("text", self.text.as_deref())
            .number("segments", self.segments.map(u64::from))
            .text("encoding", self.encoding);
        let mut limits = answer.list("limits");
        for LimitUsed { limit, rate, used } in &self.limits {
            let mut entry = limits.object();
            entry
                .text("limit", *limit)
                .text("rate", rate.as_str())
                .number("used", u64::from(*used));
        }
        drop(limits);
        drop(answer);
        body
    }

    /// The way of a hook, without what it changes. Unlike a hook it goes on after a refusal, of which the
    /// first counts, so that the operator sees all of it.
    fn fill_in(&mut self, request: &HookRequest, ports: Ports<'_>) -> Result<(), Refusal> {
        let misconfigured = |problems: Problems| problems.into_refusal(ports.variables);
        let gate = Gate::read(ports.variables);
        let mut verdict = gate.callers.as_ref().map(drop).map_err(Refusal::clone);
        verdict = verdict.and(gate.finish().map_err(misconfigured));

        let now = ports.clock.now();
        let to = match policy::admit(request, now) {
            Ok(to) => to,
            Err(refusal) => return verdict.and(Err(refusal)),
        };
        let plan = to.plan();
        let canonical = to.canonical();
        self.number = Some(to.masked());
        self.country = plan.region;
        self.takes_sms = Some(plan.takes_sms);
        let rules = match config::read_rules(ports.variables, request) {
            Ok(rules) => rules,
            Err(problems) => return verdict.and(Err(misconfigured(problems))),
        };
        verdict = self.hold(verdict, policy::check(&rules, to, plan), ports);

        let sending = match config::read_sending(ports.variables, plan.region) {
            Ok(sending) => sending,
            Err(problems) => return verdict.and(Err(misconfigured(problems))),
        };
        self.sender_type = Some(sending.primary.sender.kind.name());
        self.sender = Some(sending.primary.sender.value.clone());
        self.secondary_sender = sending.secondary.map(|acs| acs.sender.value);
        let wording = match config::read_wording(ports.variables) {
            Ok(wording) => wording,
            Err(problems) => return verdict.and(Err(misconfigured(problems))),
        };
        let text = wording.text(&Passcode::of(request, now));
        let segments = message::segments(&text);
        self.text = Some(text);
        self.segments = Some(segments.count);
        self.encoding = Some(segments.encoding.name());

        let limits = policy::limits_of(&rules, request, &canonical);
        let key = match config::read_store_key(ports.variables, Some(&sending.primary.resource)) {
            Ok(key) => key,
            Err(problems) => return verdict.and(Err(misconfigured(problems))),
        };
        let Ok(used) = limits::used(&limits, &key, ports.store, now) else {
            self.warnings.push(telemetry::STORE_UNAVAILABLE);
            return verdict;
        };
        for (Limit { scope, rate, .. }, used) in limits.iter().zip(used) {
            self.limits.push(LimitUsed { limit: scope.name(), rate: rate.to_string(), used });
            if used >= rate.count() {
                verdict = self.hold(verdict, Err(policy::limit_reached(*scope, *rate)), ports);
            }
        }
        verdict
    }

    /// Adds what the policy says to the verdict so far.
    fn hold(
        &mut self,
        verdict: Result<(), Refusal>,
        checked: Result<(), Refusal>,
        ports: Ports<'_>,
    ) -> Result<(), Refusal> {
        let (Ok(()), None, Err(refusal)) = (&verdict, self.would_refuse, checked) else {
            return verdict;
        };
        let on_refusal = config::read_on_refusal(ports.variables)
            .map_err(|problems| problems.into_refusal(ports.variables))?;
        if on_refusal.lets_pass(refusal.reason) {
            self.would_refuse = Some(refusal.reason.code());
            return Ok(());
        }
        if !on_refusal.as_failed {
            self.okta_status = "SUCCESSFUL";
        }
        Err(refusal)
    }
}
