//! Delivery reports: what the carriers say became of the messages, as Azure Event Grid brings it.
//!
//! The status that Event Grid is answered decides whether it comes again ("Azure Event Grid delivery and
//! retry"): after 400, 401, 403 and 413 it does not, and what it brought is lost or goes to its dead
//! letters. So those are for what a repeat can't mend; what may be mended meanwhile is a 503. Events come
//! at least once, in any order.

pub mod event_grid;
mod lines;

use std::borrow::Cow;
use std::time::Duration;

use self::event_grid::{BODY_LIMIT, DeliveryReport, Event, SmsReceived};
use self::lines::ReportsLine;
use crate::after::{After, ReportDone, ReportsDone};
use crate::callers::bearer::{OAuth, Refused};
use crate::callers::reporters::{Reporters, Shown};
use crate::config;
use crate::handled::{Handled, Response};
use crate::json::write::Object;
use crate::ports::{BodyError, InboundRequest, Instant, Ports};
use crate::records::EVENT_TAG;
use crate::records::store::{Records, Told};
use crate::telemetry::Identifier;

/// Where Event Grid delivers.
pub const REPORTS_PATH: &str = "/api/delivery-reports";

/// The time that a delivery may take to arrive and to be checked. Event Grid waits 30 seconds.
const TIME: Duration = Duration::from_secs(10);

/// The part of it that the keys for a token may take. Whoever shows a token that says what it must, true or
/// not, waits so long for an issuer that hangs, with an instance of which the host has but so many.
const KEYS_TIME: Duration = Duration::from_secs(2);

/// What a delivery is answered.
#[derive(Debug)]
struct Refusal {
    status: u16,
    /// What the caller is told.
    told: &'static str,
    /// What the log says.
    fix: Cow<'static, str>,
}

impl Refusal {
    fn new(status: u16, told: &'static str, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { status, told, fix: fix.into() }
    }

    /// One that Event Grid comes again after.
    fn for_now(fix: impl Into<Cow<'static, str>>) -> Self {
        Self::new(503, "The reports can't be taken now.", fix)
    }

    fn unauthorized(fix: impl Into<Cow<'static, str>>) -> Self {
        Self::new(401, "The credentials are not those that are expected.", fix)
    }
}

/// Handles a request for the receiver.
pub fn handle(request: &mut dyn InboundRequest, ports: Ports<'_>) -> Handled {
    let arrived = ports.clock.instant();
    let mut delivery = Delivery {
        until: arrived.plus(TIME),
        line: ReportsLine::default(),
        lines: String::new(),
        done: ReportsDone::default(),
    };
    let response = match request.method().as_str() {
        "POST" => delivery.take(request, ports),
        "OPTIONS" => handshake(ports),
        _ => Err(Refusal::new(405, "Reports are delivered by POST.", "another method than POST")),
    };
    let response = response.unwrap_or_else(|refusal| {
        delivery.line.fix = Some(refusal.fix);
        let mut response = text(refusal.status, refusal.told);
        match refusal.status {
            405 => response.headers.push(("allow", "POST, OPTIONS".into())),
            // RFC 9110, section 11.6.1, demands one at least.
            401 => response.headers.push(("www-authenticate", "Bearer".into())),
            _ => {}
        }
        response
    });
    let elapsed = ports.clock.instant().since(arrived);
    let Delivery { line, lines, done, .. } = delivery;
    let log = line.finish(ports.clock.now(), response.status, elapsed) + lines.as_str();
    Handled { response, log, after: After::Reports(Box::new(done)) }
}

fn text(status: u16, text: &str) -> Response {
    let content_type = ("content-type", "text/plain; charset=utf-8".into());
    let headers = vec![content_type, ("cache-control", "no-store".into())];
    Response { status, headers, body: [text, "\n"].concat().into_bytes() }
}

/// CloudEvents' handshake ("Endpoint validation with CloudEvents schema"; CloudEvents' "HTTP 1.1 Web Hooks",
/// section 4): who may deliver. It needs no secret, since Event Grid shows none. Attack: whoever has some
/// service deliver to the hook has it ask first, and is told that Event Grid may; what the request says of
/// itself is never repeated, and `WebHook-Request-Callback` never called.
fn handshake(ports: Ports<'_>) -> Result<Response, Refusal> {
    reporters(ports)?;
    let origin = config::read_report_origin(ports.variables)
        .map_err(|problems| Refusal::for_now(problems.text()))?;
    let headers = vec![
        ("allow", "POST, OPTIONS".into()),
        ("webhook-allowed-origin", origin.into()),
        ("webhook-allowed-rate", "*".into()),
        ("cache-control", "no-store".into()),
    ];
    Ok(Response { status: 200, headers, body: Vec::new() })
}

fn reporters(ports: Ports<'_>) -> Result<Reporters, Refusal> {
    config::read_reporters(ports.variables)
        .map_err(|problems| Refusal::for_now(problems.text()))?
        .ok_or_else(|| {
            Refusal::for_now(
                "report_secret is not set: set it to what the event subscription sends in the header x-report-secret, \
                 or report_oauth_issuer to the issuer of its tokens.",
            )
        })
}

/// One delivery, and what is known of it so far.
struct Delivery {
    until: Instant,
    line: ReportsLine,
    /// The lines of the events, after its own.
    lines: String,
    done: ReportsDone,
}

impl Delivery {
    fn take(
        &mut self,
        request: &mut dyn InboundRequest,
        ports: Ports<'_>,
    ) -> Result<Response, Refusal> {
        let reporters = reporters(ports)?;
        self.line.credential = Some(self.identify(&reporters, request, ports)?);
        let subscription = request.header("aeg-subscription-name");
        self.line.subscription =
            subscription.first().map(|name| Identifier::new(&String::from_utf8_lossy(name)));
        let body = self.read(request)?;
        let events = event_grid::parse(&body).map_err(|fault| {
            Refusal::new(400, "The body is not one of Event Grid's.", fault.to_string())
        })?;
        self.line.events = events.len();

        let mut reports = Vec::new();
        let mut validation = None;
        for event in events {
            match event {
                Ok(Event::Report(report)) => reports.push(report),
                Ok(Event::Received(received)) => self.tell_received(&received, ports),
                Ok(Event::Validation { code }) => validation = Some(code),
                Ok(Event::SubscriptionDeleted) => {
                    self.line.fix = Some(
                        "the event subscription is gone: no more reports come until there is another"
                            .into(),
                    );
                }
                Ok(Event::Other) => self.line.other_events += 1,
                Err(fault) => {
                    self.line.bad_events += 1;
                    self.line.fix = Some(fault.to_string().into());
                }
            }
        }
        self.remember(reports, ports)?;
        if self.line.bad_events > 0 && self.line.bad_events == self.line.events {
            let fix = self.line.fix.take().unwrap_or_default();
            return Err(Refusal::new(400, "No event of these can be read.", fix));
        }
        Ok(match validation {
            Some(code) => validated(&code),
            None => text(200, "The reports are taken."),
        })
    }

    /// How the reporter has proven itself, be it by what was valid until the last change.
    fn identify(
        &mut self,
        reporters: &Reporters,
        request: &dyn InboundRequest,
        ports: Ports<'_>,
    ) -> Result<&'static str, Refusal> {
        let shown = Shown::of(request);
        let mut unreadable = None;
        if let (Some(expected), Some(shown)) = (&reporters.secret, &shown) {
            if shown.is(expected) {
                return Ok(shown.name(false));
            }
            match config::read_previous_report_secret(ports.variables) {
                Ok(Some(previous)) if shown.is(&previous) => return Ok(shown.name(true)),
                Ok(_) => {}
                Err(problems) => unreadable = Some(problems),
            }
        }
        let proven = match reporters.token(request) {
            Some((oauth, token)) => self.check_token(oauth, &token, ports),
            None => Err(Refusal::unauthorized(match shown {
                Some(_) => "what x-report-secret, or code in the query, holds is not report_secret",
                None => {
                    "there is neither one header x-report-secret nor what else would prove who delivers"
                }
            })),
        };
        match (proven, unreadable) {
            (Ok(()), _) => Ok("oauth"),
            // It may be what the reporter shows.
            (Err(_), Some(problems)) => Err(Refusal::for_now(problems.text())),
            (Err(refusal), None) => Err(refusal),
        }
    }

    fn check_token(
        &mut self,
        oauth: &OAuth,
        token: &[u8],
        ports: Ports<'_>,
    ) -> Result<(), Refusal> {
        let key = || config::read_store_key(ports.variables, None);
        let until = ports.clock.instant().plus(KEYS_TIME);
        let checked = oauth.check(token, key, ports, until).map_err(|refused| match refused {
            Refused::Token(fault) => Refusal::unauthorized(fault),
            // The key may be the issuer's newest, which the next delivery finds, and that has a newer token.
            Refused::Untimely(cause)
            | Refused::UnknownKey(cause)
            | Refused::KeysUnavailable(cause) => Refusal::for_now(cause),
            Refused::NoStoreKey(problems) => Refusal::for_now(problems.text()),
        })?;
        self.line.warnings.extend(checked.warnings.names());
        self.done.refresh = checked.refresh_due.then(|| (oauth.issuer.clone(), checked.key));
        Ok(())
    }

    fn read(&mut self, request: &mut dyn InboundRequest) -> Result<Vec<u8>, Refusal> {
        request.body().read(BODY_LIMIT, self.until).map_err(|error| match error {
            BodyError::TooLarge => {
                Refusal::new(413, "The body is too large.", "the body is over 1.5 MiB")
            }
            BodyError::Late => Refusal::for_now("the body had not arrived within 10 seconds"),
            BodyError::Broken => Refusal::for_now("the connection broke before the body ended"),
        })
    }

    /// Writes the reports down and tells of each.
    fn remember(&mut self, reports: Vec<DeliveryReport>, ports: Ports<'_>) -> Result<(), Refusal> {
        if reports.is_empty() {
            return Ok(());
        }
        let bounds = config::read_bounds(ports.variables)
            .map_err(|problems| Refusal::for_now(problems.text()))?;
        let (told, fix) = match bounds {
            None => (vec![Some(Told { accepted: None, news: true }); reports.len()], None),
            Some(bounds) => {
                let by_id = reports.iter().map(|it| (it.message_id.as_str(), it.reported.clone()));
                let records = Records::new(bounds, ports);
                let told = records.report(&by_id.collect::<Vec<_>>());
                let fix = told.iter().any(Option::is_none).then(|| records.fix());
                (told, fix)
            }
        };
        for (DeliveryReport { message_id, reported, tag, .. }, told) in
            reports.into_iter().zip(told)
        {
            // What is written down is told now: when it comes again with the rest, it is known.
            let Some(Told { accepted, news }) = told else { continue };
            let known = accepted.as_ref().and_then(|it| it.event_id.as_deref());
            let tagged = tag.as_ref().and_then(|tag| tag.as_str().strip_prefix(EVENT_TAG));
            let event_id = known.or(tagged).map(Identifier::new);
            let report = ReportDone { message_id, event_id, reported, accepted };
            self.lines += &lines::report(&report, news, ports.clock.now());
            if news {
                self.done.reports.push(report);
            }
        }
        fix.map_or(Ok(()), |fix| Err(Refusal::for_now(fix)))
    }

    fn tell_received(&mut self, received: &SmsReceived, ports: Ports<'_>) {
        self.lines += &lines::received(received, ports.clock.now());
    }
}

/// Event Grid's handshake ("Endpoint validation with Event Grid event schema"), which takes 200 only.
fn validated(code: &str) -> Response {
    let content_type = ("content-type", "application/json".into());
    let headers = vec![content_type, ("cache-control", "no-store".into())];
    let mut body = String::new();
    Object::new(&mut body).text("validationResponse", code);
    Response { status: 200, headers, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::bearer::token::tests::token_and_keys;
    use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
    use crate::ports::{SendError, Store, StoreUnavailable};

    const REPORT: &str = r#"[{"eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
        "data":{"messageId":"id-1","deliveryStatus":"Delivered","receivedTimestamp":"2026-01-31T12:00:02Z"}}]"#;

    fn deliver(host: &FakeHost, header: &'static str, value: &str) -> Handled {
        let mut request = FakeRequest::hook(REPORT);
        request.path = REPORTS_PATH;
        request.headers = vec![(header, value.as_bytes().to_vec())];
        handle(&mut request, host.ports())
    }

    #[test]
    fn what_can_be_mended_meanwhile_is_a_503_and_the_log_has_the_fix() {
        let with = || FakeHost::default().with("report_secret", "0123456789abcdef");
        let down = with();
        down.records.0.replace(None);
        for (host, fix) in [
            (FakeHost::default(), "report_secret is not set"),
            (with().with("report_secret", "<unavailable>"), "report_secret could not be read"),
            (
                with().with("report_secret", "supersecret"),
                "must not be the same as okta_basic_secret",
            ),
            (with().with("record_slots", "many"), "record_slots must be"),
            (down, "record_slots to 0"),
        ] {
            let handled = deliver(&host, "x-report-secret", "0123456789abcdef");
            assert_eq!(handled.response.status, 503, "{fix}");
            assert!(handled.log.contains(fix), "{}", handled.log);
            let told = String::from_utf8(handled.response.body).unwrap();
            assert!(!told.contains("secret") && !told.contains("slots"), "{told}");
        }
    }

    #[test]
    fn of_a_batch_that_comes_again_each_report_is_told_once() {
        /// Takes one value, and then no more.
        struct Filling<'a>(&'a dyn Store, std::cell::Cell<bool>);
        impl Store for Filling<'_> {
            fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
                self.0.get(key)
            }
            fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
                if self.1.replace(true) { Err(StoreUnavailable) } else { self.0.set(key, value) }
            }
        }
        let mut host = FakeHost::default().with("report_secret", "s");
        let deliver = |records: &dyn Store, host: &FakeHost| {
            let two = [REPORT.trim_end_matches(']'), &REPORT[1..].replace("id-1", "id-2")];
            let mut request = FakeRequest::hook(two.join(","));
            request.headers = vec![("x-report-secret", b"s".to_vec())];
            let handled = handle(&mut request, Ports { records, ..host.ports() });
            let After::Reports(done) = handled.after else { panic!() };
            let told: Vec<_> =
                done.reports.iter().map(|it| it.message_id.as_str().to_owned()).collect();
            (handled.response.status, told, handled.log.matches(r#""known":true"#).count())
        };
        let filling = Filling(&host.records, Default::default());
        let (status, mut told, _) = deliver(&filling, &host);
        assert_eq!((status, told.len()), (503, 1));
        host.now += crate::records::breaker::BACKOFF;
        let (status, rest, known) = deliver(&host.records, &host);
        assert_eq!((status, known), (200, 1));
        told.extend(rest);
        told.sort_unstable();
        assert_eq!(told, ["id-1", "id-2"]);
    }

    #[test]
    fn the_tag_of_somebody_elses_message_is_told_nobody() {
        let host = FakeHost::default().with("report_secret", "s");
        for (tag, told) in [("okta:uS58", Some("uS58")), ("jane.doe@contoso.com", None)] {
            let mut request = FakeRequest::hook(
                REPORT.replace(r#""data":{"#, &format!(r#""data":{{"tag":"{tag}","#)),
            );
            request.headers = vec![("x-report-secret", b"s".to_vec())];
            let handled = handle(&mut request, host.ports());
            assert_eq!(handled.response.status, 200);
            let told = told.map(|id| format!(r#""event_id":"{id}""#));
            assert!(handled.log.contains(&told.clone().unwrap_or_default()), "{}", handled.log);
            assert_eq!(handled.log.contains("event_id"), told.is_some(), "{}", handled.log);
            assert!(!handled.log.contains("jane"), "{}", handled.log);
        }
    }

    #[test]
    fn with_no_slots_reports_are_told_and_not_kept() {
        let host = FakeHost::default().with("report_secret", "s").with("record_slots", "0");
        let handled = deliver(&host, "x-report-secret", "s");
        assert_eq!(handled.response.status, 200);
        assert!(handled.log.contains(r#""status":"delivered""#), "{}", handled.log);
        assert!(host.records.0.borrow().as_ref().unwrap().is_empty());
    }

    #[test]
    fn a_body_that_does_not_come_comes_again_and_one_that_is_too_large_does_not() {
        let host = FakeHost::default().with("report_secret", "s");
        for (body, length, status) in [
            (Err(BodyError::Late), "10", 503),
            (Err(BodyError::Broken), "10", 503),
            (Err(BodyError::TooLarge), "10", 413),
            (Ok(b"[]".to_vec()), "1572865", 413),
            (Ok(b"[]".to_vec()), "1572864", 200),
        ] {
            let mut request = FakeRequest::hook("");
            request.headers =
                vec![("x-report-secret", b"s".to_vec()), ("content-length", length.into())];
            request.body = body;
            assert_eq!(handle(&mut request, host.ports()).response.status, status);
        }
    }

    /// A host that takes the token of [`token_and_keys`] for Event Grid's.
    fn with_issuer(keys: &str) -> FakeHost {
        let metadata = r#"{"issuer":"https://example.okta.com/oauth2/default","jwks_uri":"https://example.okta.com/keys"}"#;
        let at = "https://example.okta.com/oauth2/default/.well-known/openid-configuration";
        FakeHost::default()
            .with("report_oauth_issuer", "https://example.okta.com/oauth2/default")
            .with("report_oauth_audience", "api://telephony")
            .with("report_oauth_client_id", "0oaclient")
            .with("report_oauth_scope", "send")
            .answering_to(at, [FakeAnswer::of(200, metadata)])
            .answering_to("https://example.okta.com/keys", [FakeAnswer::of(200, keys)])
    }

    #[test]
    fn a_token_of_event_grid_is_taken_and_of_others_not() {
        let (token, keys) = token_and_keys();
        let bearer = ["Bearer ", &token].concat();
        let handled = deliver(&with_issuer(&keys), "authorization", &bearer);
        assert_eq!(handled.response.status, 200, "{}", handled.log);
        assert!(handled.log.contains(r#""credential":"oauth""#));
        for (name, value, fix) in [
            ("report_oauth_client_id", "4962773b", "report_oauth_client_id must be"),
            (
                "report_oauth_scope",
                "AzureEventGridSecureWebhookSubscriber",
                "report_oauth_scope must be",
            ),
            ("report_oauth_audience", "other", "report_oauth_audience must be"),
        ] {
            let handled = deliver(&with_issuer(&keys).with(name, value), "authorization", &bearer);
            assert_eq!(handled.response.status, 401, "{name}");
            assert!(
                handled.log.contains(fix) && !handled.log.contains("okta_oauth"),
                "{}",
                handled.log
            );
        }
    }

    #[test]
    fn a_former_secret_that_is_wrong_stops_no_token() {
        let (token, keys) = token_and_keys();
        let host =
            with_issuer(&keys).with("report_secret", "s").with("report_secret_previous", "wrong\n");
        for (token, status) in [(&*token, 200), ("other", 503)] {
            let mut request = FakeRequest::hook(REPORT);
            request.headers = vec![
                ("x-report-secret", b"wrong".to_vec()),
                ("authorization", ["Bearer ", token].concat().into_bytes()),
            ];
            let handled = handle(&mut request, host.ports());
            assert_eq!(handled.response.status, status, "{}", handled.log);
            let told = handled.log.contains("report_secret_previous begins or ends");
            assert_eq!(told, status == 503, "{}", handled.log);
        }
    }

    #[test]
    fn reports_with_a_token_out_of_time_come_again() {
        let (token, keys) = token_and_keys();
        for (hours, fault) in [(-24, "not valid yet"), (24, "has expired")] {
            let mut host = with_issuer(&keys);
            host.now += time::Duration::hours(hours);
            let handled = deliver(&host, "authorization", &["Bearer ", &token].concat());
            assert_eq!(handled.response.status, 503, "{}", handled.log);
            assert!(handled.log.contains(fault), "{}", handled.log);
        }
    }

    #[test]
    fn while_the_issuers_keys_are_not_to_be_had_reports_come_again() {
        let (token, keys) = token_and_keys();
        let at = "https://example.okta.com/oauth2/default/.well-known/openid-configuration";
        let host =
            with_issuer(&keys).answering_to(at, [(Duration::ZERO, Err(SendError::NotConnected))]);
        let handled = deliver(&host, "authorization", &["Bearer ", &token].concat());
        assert_eq!(handled.response.status, 503, "{}", handled.log);
        assert!(handled.log.contains("report_oauth_issuer"), "{}", handled.log);
        let host = with_issuer(&keys).answering_to(at, [(TIME, Err(SendError::Late))]);
        let before = host.instant.get();
        let handled = deliver(&host, "authorization", &["Bearer ", &token].concat());
        assert_eq!(handled.response.status, 503, "{}", handled.log);
        assert!(host.instant.get().since(before) <= KEYS_TIME);
    }
}
