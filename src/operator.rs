//! What the operator may ask: whether the configuration is in order, what would become of a message, and
//! what became of those that were sent. Sends no message and changes nothing, but that a report which a provider is
//! asked for is written down.
//!
//! `GET /api/health` is for probes: it needs no credentials and tells one thing. The rest needs the
//! operator's own, which can't send, and does not exist while `operator.secret` is not set.

pub mod deliveries;
mod explain;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use self::deliveries::{Day, Guarded, Query, View};
use self::explain::{Question, explain};
use crate::callers::Refused;
use crate::guard::{self, Mode, Rules};
use crate::hook::HOOK_PATH;
use crate::okta_events::EVENTS_PATH;
use crate::outcome::TakenReport;
use crate::ports::{BodyError, InboundRequest, Ports, Response, StoreUnavailable};
use crate::providers::{acs, infobip, telesign, twilio};
use crate::records::canonical_id;
use crate::records::shared::Shared;
use crate::records::store::Records;
use crate::reports::{
    self, INFOBIP_REPORTS_PATH, NoReport, REPORTS_PATH, TELESIGN_REPORTS_PATH, TWILIO_REPORTS_PATH,
};
use crate::settings::{Check, Settings};
use crate::telemetry::stranger::{Door, SAMPLED, Stranger};
use crate::telemetry::{self, OperatorFacts};

/// Whether the configuration is in order: 200 or 503.
const HEALTH_PATH: &str = "/api/health";

/// What is wrong with it.
const DETAILS_PATH: &str = "/api/health/details";

/// What would become of a message.
const EXPLAIN_PATH: &str = "/api/explain";

/// The most bytes of a question's body.
const QUESTION_LIMIT: usize = 8 * 1024;

/// The time that a question's body may take.
const QUESTION_TIME: Duration = Duration::from_secs(2);

/// One of the operator's pages.
enum Page<'a> {
    Details,
    Explain,
    Deliveries,
    /// Of the message with this id.
    Delivery(&'a str),
}

/// What is at a path, with its method and its path in the log.
fn page(path: &str) -> Option<(Page<'_>, &'static str, &'static str)> {
    Some(match path {
        DETAILS_PATH => (Page::Details, "GET", DETAILS_PATH),
        EXPLAIN_PATH => (Page::Explain, "POST", EXPLAIN_PATH),
        deliveries::PATH => (Page::Deliveries, "GET", deliveries::PATH),
        path => {
            let message_id = path.strip_prefix(deliveries::PATH)?.strip_prefix('/')?;
            (Page::Delivery(message_id), "GET", deliveries::PATH)
        }
    })
}

/// Handles a request for one of these paths: the answer, the lines for the log, whether those are told at any rate, and
/// what is left to do; `None` where there is nothing.
pub fn handle(
    path: &str,
    request: &mut dyn InboundRequest,
    ports: Ports<'_>,
) -> Option<(Response, String, Option<Stranger>, Option<reports::Answered>)> {
    let arrived = ports.clock.instant();
    if path == HEALTH_PATH {
        let response = match request.method().as_str() {
            "GET" | "HEAD" => health(&Settings::read_and_check(ports.variables).1),
            _ => NotShown::method("GET, HEAD").answer().response,
        };
        return Some((response, String::new(), None, None));
    }
    let (page, method, path) = page(path)?;
    let (settings, check) = Settings::read_and_check(ports.variables);
    let (mut credential, mut unproven) = (None, None);
    let shown = match &settings.operator {
        Ok(None) => return None,
        // Credentials that are not in order are none, and these pages are where it would be told.
        Err(problems) => {
            Err(NotShown::new(404, "The operator's pages are not there: see the hook's log.")
                .with_fix(problems))
        }
        Ok(Some(operator)) => match operator.identify(request, None, ports, arrived) {
            Err(Refused { cause, fix, may_be_previous, challenges }) => {
                unproven = Some(cause);
                let challenges = challenges.into_iter().map(|it| ("www-authenticate", it.into()));
                Err(NotShown {
                    // What may be the operator's own mistake is told; a stranger's is nothing to mend.
                    fix: may_be_previous.then_some(fix),
                    headers: challenges.collect(),
                    ..NotShown::new(401, "The operator's credentials are needed.")
                })
            }
            Ok(caller) => {
                credential = Some(caller.proof.name());
                if request.method() == method {
                    show(page, request, &settings, &check, ports)
                } else {
                    Err(NotShown::method(method))
                }
            }
        },
    };
    let Shown { response, fix, report } = shown.unwrap_or_else(NotShown::answer);
    let stranger = credential.is_none().then(|| {
        let fix = fix.as_deref().unwrap_or_default();
        Stranger::new(Door::Operator, response.status, unproven, fix)
    });
    let facts = OperatorFacts {
        path,
        fix,
        http_status: response.status,
        credential,
        sampled: stranger.map(|_| SAMPLED),
        ms: telemetry::milliseconds(ports.clock.instant().since(arrived)),
    };
    let mut lines = telemetry::operator_line(&facts, ports.clock.now());
    let answered = report.map(|report| {
        lines += &reports::line(&report, ports);
        reports::Answered::asked(settings, report)
    });
    Some((response, lines, stranger, answered))
}

/// A page that is shown, or why it is not.
struct Shown {
    response: Response,
    /// What the log says besides.
    fix: Option<String>,
    /// The report that was asked for.
    report: Option<TakenReport>,
}

impl From<Response> for Shown {
    fn from(response: Response) -> Self {
        Self { response, fix: None, report: None }
    }
}

/// Why a page is not shown.
struct NotShown {
    status: u16,
    why: Cow<'static, str>,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    /// What the log says besides.
    fix: Option<String>,
}

impl NotShown {
    fn new(status: u16, why: impl Into<Cow<'static, str>>) -> Self {
        Self { status, why: why.into(), headers: Vec::new(), fix: None }
    }

    /// The method is not for this page.
    fn method(allow: &'static str) -> Self {
        let headers = vec![("allow", allow.into())];
        Self { headers, ..Self::new(405, "This method is not for this page.") }
    }

    /// The operator has something to mend.
    fn with_fix(self, fix: impl ToString) -> Self {
        Self { fix: Some(fix.to_string()), ..self }
    }

    fn answer(self) -> Shown {
        let mut response = json(self.status, &json!({ "error": self.why }));
        response.headers.extend(self.headers);
        Shown { fix: self.fix, ..response.into() }
    }
}

/// Shows a page to the operator.
fn show(
    page: Page<'_>,
    request: &mut dyn InboundRequest,
    settings: &Settings,
    check: &Check,
    ports: Ports<'_>,
) -> Result<Shown, NotShown> {
    match page {
        Page::Details => Ok(details(settings, check).into()),
        Page::Explain => {
            let question = question(request, ports)?;
            Ok(json(200, &explain(question, settings, ports)).into())
        }
        Page::Deliveries => newest(request, settings, check, ports),
        Page::Delivery(message_id) => delivery(message_id, settings, ports),
    }
}

/// The records, where there are any.
fn records<'a>(settings: &Settings, shared: Rc<Shared<'a>>) -> Result<Records<'a>, NotShown> {
    match &settings.records {
        Ok(Some(bounds)) => {
            Ok(Records::over(*bounds, shared).with_canaries(settings.recorded_canaries()))
        }
        Ok(None) => Err(NotShown::new(404, "Nothing is remembered: records.slots is 0.")),
        Err(problems) => {
            let why = "What is remembered is not in order: see the hook's log.";
            Err(NotShown::new(503, why).with_fix(problems))
        }
    }
}

/// The store of records fails, or is too slow.
fn unread(records: &Records<'_>) -> NotShown {
    let why = "The store of records is down or too slow: see the hook's log.";
    NotShown::new(503, why).with_fix(records.fix())
}

/// What became of the newest messages: a page, or JSON where the query asks for it.
fn newest(
    request: &dyn InboundRequest,
    settings: &Settings,
    check: &Check,
    ports: Ports<'_>,
) -> Result<Shown, NotShown> {
    let query = Query::parse(&request.query().unwrap_or_default());
    let query = query.map_err(|why| NotShown::new(400, why))?;
    let shared = Rc::new(Shared::new(ports));
    let records = records(settings, Rc::clone(&shared))?;
    // The page has them all, and counts them; JSON is for those that are asked for.
    let status = if query.json { query.status } else { None };
    let mut day = Day::new(shared.now());
    let newest = records.newest(query.limit, status, |delivery| day.count(delivery));
    let newest = newest.map_err(|_| unread(&records))?;
    let unreadable = records.unreadable().map_err(|_| unread(&records))?;
    // The page without it is better than none.
    let guarded = guarded(settings, &shared, &day);
    let fix = matches!(guarded, Err(NO_LEDGER)).then(|| shared.fix().into_owned());
    let show = if query.json { deliveries::json_list } else { deliveries::page };
    let response = show(&View {
        deliveries: &newest,
        day: &day,
        slots: records.bounds().slots,
        guarded: guarded.as_ref().map_err(|why| *why),
        unreadable: unreadable.as_ref(),
        covers: query.limit,
        status: query.status,
        problems: &check.problems,
        warnings: &check.warnings,
        asks_acs: settings.asks_acs == Ok(true),
    });
    Ok(Shown { response, fix, report: None })
}

const NO_LEDGER: &str = "What the guard knows can’t be read: see the hook’s log.";

/// What the guard knows of the last 24 hours, or why it knows nothing and what to do about it.
fn guarded(
    settings: &Settings,
    shared: &Rc<Shared<'_>>,
    day: &Day,
) -> Result<Guarded, &'static str> {
    let Some(guard) = settings.guard() else {
        return Err(match (&settings.guard, &settings.events) {
            (Ok(Rules { mode: Mode::Off, .. }), Ok(None)) => {
                "To see which passcodes are used, set events.secret and register Okta’s event hook: docs/okta-events.md."
            }
            (Ok(Rules { mode: Mode::Off, .. }), _) => {
                "To see which passcodes are used, set guard.mode to \"shadow\", which refuses nothing."
            }
            _ => "The guard’s settings are not in order: see the hook’s log.",
        });
    };
    let ledger = settings.ledger(shared);
    let read = || {
        let (whole, feed) = (ledger.whole()?, ledger.feed()?);
        Ok(Guarded::of(guard.rules, &whole, &feed, &guard::blocks(shared)?, day))
    };
    read().map_err(|_: StoreUnavailable| NO_LEDGER)
}

/// What became of a message. Where nothing is reported of it yet, whoever may know is asked.
fn delivery(message_id: &str, settings: &Settings, ports: Ports<'_>) -> Result<Shown, NotShown> {
    let records = records(settings, Rc::new(Shared::new(ports)))?;
    let id = canonical_id(message_id);
    let find = || records.find(id).map_err(|_| unread(&records));
    let mut found = find()?;
    let is_reported = found.as_ref().is_some_and(|delivery| delivery.reported.is_some());
    let taken_by = found.as_ref().and_then(|delivery| Some(&*delivery.accepted.as_ref()?.provider));
    let asked =
        if is_reported { None } else { reports::ask(settings, message_id, taken_by, ports) };
    let (report, no_report) = match asked.transpose() {
        Ok(report) => (report, None),
        Err(no_report) => (None, Some(no_report)),
    };
    if report.is_some() {
        found = find()?;
    }
    let told = no_report.as_ref().map(ToString::to_string);
    let fix = match no_report {
        Some(NoReport::Failed(fix)) => Some(fix),
        _ => None,
    };
    let Some(delivery) = found else {
        let why = "No message with this id is remembered.";
        let why = told.map_or(why.into(), |told| Cow::from([why, " ", &told].concat()));
        return Err(NotShown { fix, ..NotShown::new(404, why) });
    };
    Ok(Shown { response: deliveries::json_one(&delivery, told.as_deref()), fix, report })
}

fn json(status: u16, body: &impl Serialize) -> Response {
    Response {
        status,
        headers: vec![
            ("content-type", "application/json".into()),
            ("cache-control", "no-store".into()),
        ],
        // Texts and numbers: nothing in them can fail to serialize.
        body: serde_json::to_vec(body).unwrap_or_default(),
    }
}

/// Whether the configuration is in order. Neither a provider nor the store is asked: a pod that is not ready
/// while the first provider is down would take the second from those who need it.
fn health(check: &Check) -> Response {
    let status = if check.problems.is_empty() { 200 } else { 503 };
    json(status, &json!({ "status": check.status() }))
}

fn details(settings: &Settings, check: &Check) -> Response {
    let Check { problems, warnings } = check;
    let mut details =
        json!({ "status": check.status(), "problems": problems, "warnings": warnings });
    if let Some(webhooks) = webhooks(settings) {
        details["webhooks"] = json!(webhooks);
    }
    json(200, &details)
}

/// The URLs that others call, where the public one is known: Okta's hook, its event hook where that is set up, and that for
/// the reports of each kind of provider that there is.
fn webhooks(settings: &Settings) -> Option<BTreeMap<&'static str, String>> {
    let public_url = settings.public_url.as_ref().ok()?.as_ref()?;
    let kinds = settings.providers.iter().flatten().map(|provider| provider.api.kind());
    let of_kind = |kind| match kind {
        acs::KIND => Some(("event_grid", REPORTS_PATH)),
        infobip::KIND => Some((infobip::KIND, INFOBIP_REPORTS_PATH)),
        telesign::KIND => Some((telesign::KIND, TELESIGN_REPORTS_PATH)),
        twilio::KIND => Some((twilio::KIND, TWILIO_REPORTS_PATH)),
        _ => None,
    };
    let events = matches!(settings.events, Ok(Some(_))).then_some(("okta_events", EVENTS_PATH));
    let paths = [("okta", HOOK_PATH)].into_iter().chain(events).chain(kinds.filter_map(of_kind));
    Some(paths.map(|(caller, path)| (caller, public_url.of(path))).collect::<BTreeMap<_, _>>())
}

fn question(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Result<Question, NotShown> {
    let until = ports.clock.instant().plus(QUESTION_TIME);
    let body = request.body().read(QUESTION_LIMIT, until).map_err(|cause| match cause {
        BodyError::TooLarge => NotShown::new(413, "The body is too large."),
        BodyError::Late => NotShown::new(408, "The body did not arrive in time."),
        BodyError::Broken => NotShown::new(400, "The connection broke before the body ended."),
    })?;
    serde_json::from_slice(&body).map_err(|_| {
        NotShown::new(
            400,
            "The body must be JSON with phoneNumber and, if need be, deliveryChannel, locale, requestType, userId, \
             ipAddress and msgTemplate, all of them text.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Store;
    use crate::ports::fake::{FakeHost, FakeRequest};
    use serde_json::Value;

    /// A store in which some keys can't be read.
    struct Without<'a>(&'static str, &'a dyn Store);

    impl Store for Without<'_> {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            if key.contains(self.0) { Err(StoreUnavailable::Down) } else { self.1.get(key) }
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
            self.1.set(key, value)
        }
    }

    /// The list of deliveries as JSON, and the log.
    fn deliveries(secrets: &str, settings: &str, unreadable: &'static str) -> (u16, Value, String) {
        let secrets = ["operator.secret = '0123456789abcdef'\n", secrets].concat();
        let host = FakeHost::default().with_secrets(&secrets).with_settings(settings);
        let ports = host.ports();
        let records = Without(unreadable, ports.records);
        let mut request = FakeRequest::hook("");
        (request.method, request.path) = ("GET", "/api/deliveries?format=json");
        request.headers =
            vec![("authorization", b"Basic b3BlcmF0b3I6MDEyMzQ1Njc4OWFiY2RlZg==".into())];
        let ports = Ports { records: &records, ..ports };
        let (response, log, ..) = handle(deliveries::PATH, &mut request, ports).unwrap();
        (response.status, serde_json::from_slice(&response.body).unwrap(), log)
    }

    #[test]
    fn without_what_the_guard_knows_the_page_says_why_and_has_the_rest() {
        let events = "events.secret = 'event-secret-c0ffee'";
        for (secrets, settings, unreadable, expected) in [
            ("", "", "nothing", Some("set events.secret and register")),
            (events, "guard.mode = 'off'", "nothing", Some("set guard.mode to \"shadow\"")),
            (events, "guard.mode = 'of'", "nothing", Some("are not in order")),
            (events, "", "nothing", None),
            (events, "", ".guard.sent.", Some("can’t be read")),
            (events, "", ".guard.feed.", Some("can’t be read")),
            (events, "", ".guard.blocks.", Some("can’t be read")),
        ] {
            let (status, list, log) = deliveries(secrets, settings, unreadable);
            assert_eq!((status, &list["count"]), (200, &json!(0)), "{list}");
            assert_eq!(list["hours"].as_array().unwrap().len(), 24);
            assert_eq!(list.get("guard").is_some(), expected.is_none(), "{list}");
            let told = list["noGuard"].as_str().unwrap_or_default();
            assert!(told.contains(expected.unwrap_or_default()), "{told}");
            assert_eq!(log.contains("key-value store records"), unreadable != "nothing", "{log}");
        }
        let (status, list, log) = deliveries(events, "", ".accepted.");
        assert_eq!(status, 503, "{list}");
        assert!(log.contains("key-value store records"), "{log}");
    }
}
