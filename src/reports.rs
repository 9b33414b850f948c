//! Delivery reports: what the carriers say became of the messages, as Azure Event Grid brings it of ACS's, and Infobip,
//! Telesign and Twilio of their own, or as [ACS says when it is asked](ask).
//!
//! The status that Event Grid is answered decides whether it comes again ("Azure Event Grid delivery and
//! retry"): after 400, 401, 403 and 413 it does not, and what it brought is lost or goes to its dead
//! letters. So those are for what a repeat can't mend; what may be mended meanwhile is a 503. Infobip and
//! Telesign come again after whatever is not 200, and Twilio three times after 5xx. Reports come at least once, in any
//! order.
//!
//! What a repeat can't mend is counted, with its reason, where the operator looks.

mod asked;
pub mod event_grid;
pub mod infobip;
mod lines;
pub mod telesign;
pub mod twilio;

use std::time::Duration;

use serde::Serialize;

pub use self::asked::{NoReport, ask};

use self::event_grid::{Event, SmsReceived};
use self::telesign::NotAReport;
use self::twilio::signature::{self, Signature};
use crate::callers::bearer::issuer;
use crate::callers::{Callers, Cause, Proof};
use crate::identifier::Identifier;
use crate::json::utf8;
use crate::outcome::{self, TakenReport};
use crate::ports::{InboundRequest, Instant, Ports, Response};
use crate::providers::telesign::signature::is_of;
use crate::providers::{self, Provider};
use crate::records::store::{Records, Told};
use crate::records::{CanaryHashes, EVENT_TAG, Moment, Reported};
use crate::settings::Settings;
use crate::telemetry;
use crate::telemetry::stranger::{Door, SAMPLED, Stranger};
use crate::webhook::{self, DeliveryFacts, NotTaken, text};

/// Where Event Grid delivers.
pub const REPORTS_PATH: &str = "/api/delivery-reports";

/// Where Infobip delivers.
pub const INFOBIP_REPORTS_PATH: &str = "/api/delivery-reports/infobip";

/// Where Telesign delivers.
pub const TELESIGN_REPORTS_PATH: &str = "/api/delivery-reports/telesign";

/// Where Twilio delivers.
pub const TWILIO_REPORTS_PATH: &str = providers::twilio::REPORTS_PATH;

/// Who delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// Azure Event Grid, of ACS's messages.
    EventGrid,
    /// Infobip, of its own.
    Infobip,
    /// Telesign, of its own.
    Telesign,
    /// Twilio, of its own, one by one.
    Twilio,
}

/// What became of a message, as a delivery says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// The provider's message id in the form of [`canonical_id`](crate::records::canonical_id), to the letter.
    pub message_id: Identifier,
    /// What the carrier says.
    pub reported: Reported,
    /// The report has a date that has come, or none by design and is sent at once. Otherwise nobody knows of when it is,
    /// and its time is that of its arrival.
    pub has_date: bool,
    /// The tag that was sent with the message.
    pub tag: Option<Identifier>,
}

/// What a delivery says.
#[derive(Default)]
struct Said {
    /// How many events there were.
    events: usize,
    reports: Vec<DeliveryReport>,
    received: Vec<SmsReceived>,
    /// The code that Event Grid wants to have back.
    validation: Option<String>,
    /// The subscription was deleted.
    gone: bool,
    /// How many there were that say nothing.
    others: usize,
    /// Why events could not be taken, each as often as it happened.
    faults: Vec<String>,
}

/// The most letters of a status that is neither delivered nor failed.
const STATUS_LIMIT: usize = 32;

/// The time that a delivery may take to arrive and to be checked. Event Grid waits 30 seconds.
const TIME: Duration = Duration::from_secs(10);

/// The part of it that the keys for a token may take. Whoever shows a token that says what it must, true or
/// not, waits so long for an issuer that hangs, with an instance of which the host has but so many.
const KEYS_TIME: Duration = Duration::from_secs(2);

/// Who delivers CloudEvents: what Event Grid says of itself in `WebHook-Request-Origin`.
const ORIGIN: &str = "eventgrid.azure.net";

/// What is to be done about a subscription that was deleted.
const GONE: &str = "the event subscription is gone: no more reports come until there is another";

/// A delivery that has been answered, for what is done after that.
#[derive(Debug)]
pub struct Answered {
    settings: Settings,
    reports: Vec<TakenReport>,
    /// The keys of the reporter's issuer are worth asking for before they grow stale.
    refresh_due: bool,
}

impl Answered {
    /// A report that was asked for.
    pub fn asked(settings: Settings, report: TakenReport) -> Self {
        Self { settings, reports: vec![report], refresh_due: false }
    }
}

/// The line of a report for the log.
pub fn line(report: &TakenReport, ports: Ports<'_>) -> String {
    lines::report(report, ports.clock.now())
}

/// A report that is written down, with what the records said to it.
fn taken(report: DeliveryReport, told: Told, canaries: &CanaryHashes) -> TakenReport {
    let DeliveryReport { message_id, reported, has_date, tag } = report;
    let Told { accepted, news: is_news } = told;
    let known = accepted.as_ref().and_then(|it| it.event_id.as_deref());
    let tagged = tag.as_ref().and_then(|tag| tag.as_str().strip_prefix(EVENT_TAG));
    let event_id = known.or(tagged).map(Identifier::new);
    let canary = accepted.as_ref().is_some_and(|accepted| canaries.contain(accepted));
    TakenReport { message_id, event_id, reported, has_date, accepted, canary, is_news }
}

/// Handles a request for the receiver: the answer, the lines for the log, whether those are told at any rate, and what
/// is left to do.
pub fn handle(
    request: &mut dyn InboundRequest,
    reporter: Reporter,
    ports: Ports<'_>,
) -> (Response, String, Option<Stranger>, Answered) {
    let arrived = ports.clock.instant();
    let mut batch = Batch {
        reporter,
        settings: Settings::read(ports.variables),
        arrived,
        facts: DeliveryFacts::default(),
        lines: String::new(),
        reports: Vec::new(),
        unproven: None,
        refresh_due: false,
    };
    let response = match request.method().as_str() {
        "POST" => batch.take(request, ports),
        "OPTIONS" if reporter == Reporter::EventGrid => handshake(&batch.settings),
        _ => Err(NotTaken::new(405, "Reports are delivered by POST.", "another method than POST")),
    };
    let Batch { settings, mut facts, lines, reports, unproven, refresh_due, .. } = batch;
    let response = response.unwrap_or_else(|not_taken| {
        let response = not_taken.answer(reporter.methods(), reporter.challenge());
        facts.fix = Some(not_taken.fix.into_owned());
        response
    });
    facts.http_status = response.status;
    facts.ms = telemetry::milliseconds(ports.clock.instant().since(arrived));
    let stranger = facts.credential.is_none().then(|| {
        facts.sampled = Some(SAMPLED);
        let fix = facts.fix.as_deref().unwrap_or_default();
        Stranger::new(Door::Reports, facts.http_status, unproven, fix)
    });
    let log =
        webhook::delivery_line("delivery_reports", &facts, ports.clock.now()) + lines.as_str();
    (response, log, stranger, Answered { settings, reports, refresh_due })
}

/// Does what is left to do once the answer has left: telemetry, and keys that grow stale.
pub fn finish(answered: Answered, ports: Ports<'_>) {
    let Answered { settings, reports, refresh_due } = answered;
    let news: Vec<_> =
        reports.iter().filter(|report| report.is_news).map(telemetry::of_report).collect();
    if let (Ok(Some(sink)), false) = (&settings.sink, news.is_empty()) {
        telemetry::track(sink, &news, ports);
    }
    if refresh_due
        && let (Ok(Some(reporters)), Ok(key)) = (&settings.reporters, settings.store_key())
        && let Some(oauth) = &reporters.oauth
    {
        issuer::refresh(&oauth.issuer, &key, ports);
    }
}

/// The letters of a provider's name for a status, fit for a log, where there are any.
fn letters(name: &str) -> Option<String> {
    let letter = |c: char| if c.is_ascii_alphabetic() { c } else { '_' };
    let letters: String = name.chars().take(STATUS_LIMIT).map(letter).collect();
    Some(letters).filter(|letters| letters.contains(|c| c != '_'))
}

/// CloudEvents' handshake ("Endpoint validation with CloudEvents schema"; CloudEvents' "HTTP 1.1 Web Hooks",
/// section 4): who may deliver. It needs no secret, since Event Grid shows none. Attack: whoever has some
/// service deliver to the hook has it ask first, and is told that Event Grid may; what the request says of
/// itself is never repeated, and `WebHook-Request-Callback` never called.
fn handshake(settings: &Settings) -> Result<Response, NotTaken> {
    reporters(settings, Reporter::EventGrid)?;
    let headers = vec![
        ("allow", "POST, OPTIONS".into()),
        ("webhook-allowed-origin", ORIGIN.into()),
        ("webhook-allowed-rate", "*".into()),
        ("cache-control", "no-store".into()),
    ];
    Ok(Response { status: 200, headers, body: Vec::new() })
}

fn reporters(settings: &Settings, by: Reporter) -> Result<&Callers, NotTaken> {
    match &settings.reporters {
        Ok(Some(reporters)) => Ok(reporters),
        Ok(None) => Err(NotTaken::for_now(by.is_not_expected())),
        Err(problems) => Err(NotTaken::for_now(problems.to_string())),
    }
}

impl Reporter {
    /// Who delivers at a path.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            REPORTS_PATH => Some(Self::EventGrid),
            INFOBIP_REPORTS_PATH => Some(Self::Infobip),
            TELESIGN_REPORTS_PATH => Some(Self::Telesign),
            TWILIO_REPORTS_PATH => Some(Self::Twilio),
            _ => None,
        }
    }

    /// What is missing in the configuration for it to prove itself.
    fn is_not_expected(self) -> &'static str {
        match self {
            Self::EventGrid => {
                "reports.secret is not set in the secrets: set it to what the event subscription sends in the header \
                 x-report-secret, or reports.oauth in the settings to the issuer of its tokens."
            }
            Self::Infobip => {
                "reports.secret is not set in the secrets: set it to the password, or the header x-report-secret, of \
                 Infobip's subscription, which has no token of reports.oauth."
            }
            Self::Telesign => {
                "no provider of the kind telesign has its API key, by which Telesign's reports prove themselves: set it in \
                 the secrets."
            }
            Self::Twilio => {
                "nothing proves Twilio's reports: set public_url in the settings, and auth_token of a provider of the kind \
                 twilio in the secrets."
            }
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Self::EventGrid => "POST, OPTIONS",
            Self::Infobip | Self::Telesign | Self::Twilio => "POST",
        }
    }

    fn challenge(self) -> &'static str {
        match self {
            Self::EventGrid => "Bearer",
            Self::Infobip => "Basic realm=\"okta-telephony-reports\"",
            Self::Telesign => "TSA",
            // No registered scheme: that of a signature has no name.
            Self::Twilio => "Signature realm=\"okta-telephony-reports\"",
        }
    }

    /// The most bytes of a delivery.
    fn body_limit(self) -> usize {
        match self {
            Self::EventGrid => event_grid::BODY_LIMIT,
            Self::Infobip => infobip::BODY_LIMIT,
            Self::Telesign => telesign::BODY_LIMIT,
            Self::Twilio => twilio::BODY_LIMIT,
        }
    }

    /// Reads a delivery, or says why it is none.
    fn read(self, body: &[u8], query: &str, now: Moment) -> Result<Said, String> {
        let mut said = Said::default();
        match self {
            Self::EventGrid => {
                let events = event_grid::parse(body, now).map_err(|fault| fault.to_string())?;
                said.events = events.len();
                for event in events {
                    match event {
                        Ok(Event::Report(report)) => said.reports.push(report),
                        Ok(Event::Received(received)) => said.received.push(received),
                        Ok(Event::Validation { code }) => said.validation = Some(code),
                        Ok(Event::SubscriptionDeleted) => said.gone = true,
                        Ok(Event::Other) => said.others += 1,
                        Err(fault) => said.faults.push(fault.to_string()),
                    }
                }
            }
            Self::Infobip => {
                let results = infobip::parse(body, now).map_err(|fault| fault.to_string())?;
                said.events = results.len();
                for result in results {
                    match result {
                        Ok(Some(report)) => said.reports.push(report),
                        Ok(None) => said.others += 1,
                        Err(fault) => said.faults.push(fault.to_string()),
                    }
                }
            }
            Self::Telesign => {
                said.events = 1;
                match telesign::parse(body, now) {
                    Ok(report) => said.reports.push(report),
                    Err(fault @ NotAReport::ReferenceId) => said.faults.push(fault.to_string()),
                    Err(fault) => return Err(fault.to_string()),
                }
            }
            Self::Twilio => {
                said.events = 1;
                match twilio::parse(body, query, now).map_err(|fault| fault.to_string())? {
                    Some(report) => said.reports.push(report),
                    None => said.others = 1,
                }
            }
        }
        Ok(said)
    }
}

/// One delivery, and what is known of it so far.
struct Batch {
    reporter: Reporter,
    settings: Settings,
    arrived: Instant,
    facts: DeliveryFacts,
    /// The lines of the events, after its own.
    lines: String,
    reports: Vec<TakenReport>,
    /// Why the reporter has not proven itself.
    unproven: Option<Cause>,
    refresh_due: bool,
}

impl Batch {
    fn take(
        &mut self,
        request: &mut dyn InboundRequest,
        ports: Ports<'_>,
    ) -> Result<Response, NotTaken> {
        let signed = match self.reporter {
            Reporter::EventGrid | Reporter::Infobip => {
                self.identify(request, ports)?;
                None
            }
            Reporter::Telesign => Some(self.read_signed_by_telesign(request)?),
            Reporter::Twilio => Some(self.read_signed_by_twilio(request)?),
        };
        let subscription = request.header("aeg-subscription-name");
        self.facts.subscription =
            subscription.first().map(|name| Identifier::new(&String::from_utf8_lossy(name)));
        let (taken, unreadable) = match self.take_events(request, signed, ports) {
            Ok((response, unreadable)) => (Ok(response), unreadable),
            // What comes again is not lost.
            Err(not_taken) if not_taken.status == 503 => return Err(not_taken),
            Err(not_taken) => {
                let unreadable = Some(not_taken.fix.to_string());
                (Err(not_taken), unreadable)
            }
        };
        if let (Some(reason), Ok(Some(bounds))) = (unreadable, &self.settings.records) {
            let count = self.facts.bad_events.max(1) as u64;
            // Where the store fails, the log still has it.
            let _ = Records::new(*bounds, ports).count_unreadable(count, reason);
        }
        taken
    }

    /// Takes the events of a delivery, whose body has been read where it is `signed`, and says why some of them could not be read, where
    /// that is so.
    fn take_events(
        &mut self,
        request: &mut dyn InboundRequest,
        signed: Option<Vec<u8>>,
        ports: Ports<'_>,
    ) -> Result<(Response, Option<String>), NotTaken> {
        let body = signed.map_or_else(|| self.read(request), Ok)?;
        let query = request.query().unwrap_or_default();
        let said = self.reporter.read(&body, &query, ports.clock.milliseconds());
        let said = said
            .map_err(|fault| NotTaken::new(400, "The body is not a delivery of reports.", fault))?;
        let Said { events, reports, received, validation, gone, others, mut faults } = said;
        (self.facts.events, self.facts.other_events) = (events, others);
        self.facts.bad_events = faults.len();
        for received in received {
            self.lines += &lines::received(&received, ports.clock.now());
        }
        self.remember(reports, ports)?;
        faults.sort_unstable();
        faults.dedup();
        let unreadable = (!faults.is_empty()).then(|| faults.join("; "));
        let fixes: Vec<_> = gone.then_some(GONE).into_iter().chain(unreadable.as_deref()).collect();
        self.facts.fix = (!fixes.is_empty()).then(|| fixes.join("; "));
        match unreadable {
            // So Event Grid keeps it among the dead letters. Beside others it must not: they would be there, too.
            // The others have none, and would bring the same again.
            Some(unreadable)
                if self.reporter == Reporter::EventGrid
                    && self.facts.bad_events == self.facts.events =>
            {
                Err(NotTaken::new(400, "No event of these can be read.", unreadable))
            }
            unreadable => {
                let taken = || text(200, "The reports are taken.");
                Ok((validation.map_or_else(taken, |code| validated(&code)), unreadable))
            }
        }
    }

    /// Has the reporter prove itself.
    fn identify(&mut self, request: &dyn InboundRequest, ports: Ports<'_>) -> Result<(), NotTaken> {
        let reporters = reporters(&self.settings, self.reporter)?;
        // Each proves itself as it can; and the log names what that is.
        let reporters = &match self.reporter {
            Reporter::EventGrid => Callers { basic: None, ..reporters.clone() },
            _ => Callers { oauth: None, ..reporters.clone() },
        };
        if self.reporter == Reporter::Infobip
            && reporters.basic.is_none()
            && reporters.header.is_none()
        {
            return Err(NotTaken::for_now(self.reporter.is_not_expected()));
        }
        let key = reporters.oauth.as_ref().and_then(|_| self.settings.store_key().ok());
        let keys_until = ports.clock.instant().plus(KEYS_TIME);
        let caller =
            reporters.identify(request, key.as_ref(), ports, keys_until).map_err(|refused| {
                self.unproven = Some(refused.cause);
                match refused.cause {
                    Cause::Credentials | Cause::Secret | Cause::Token
                        if !refused.may_be_previous =>
                    {
                        NotTaken::unauthorized(refused.fix)
                    }
                    // The secret may be right once it is mended; and the key may be the issuer's newest, which the
                    // next delivery finds, and that has a newer token.
                    _ => NotTaken::for_now(refused.fix),
                }
            })?;
        self.facts.credential = Some(caller.proof.name());
        let warnings = outcome::of_keys(&caller.warnings).map(|warning| warning.name());
        self.facts.warnings.extend(warnings);
        self.refresh_due = caller.refresh.is_some();
        Ok(())
    }

    /// Reads a body that Telesign has signed, with the API key of any account: an account may have several, and which of
    /// them signs is not documented.
    ///
    /// Attack: whoever finds the endpoint says that messages arrived which did not. Without a signature the body is not
    /// read, and every key is tried in the same time. Only the body is signed, so a delivery can be repeated by who has
    /// seen it: it says then what is known.
    fn read_signed_by_telesign(
        &mut self,
        request: &mut dyn InboundRequest,
    ) -> Result<Vec<u8>, NotTaken> {
        let providers = self.settings.providers.as_ref();
        let providers = providers.map_err(|problems| NotTaken::for_now(problems.to_string()))?;
        let is_telesign = |it: &&Provider| it.api.kind() == providers::telesign::KIND;
        let keys = providers.iter().filter(is_telesign).map(|it| it.api.secret());
        let keys: Vec<_> = keys.cloned().collect();
        if keys.is_empty() {
            return Err(NotTaken::for_now(self.reporter.is_not_expected()));
        }
        let signatures = telesign::signatures(request);
        if signatures.is_empty() {
            self.unproven = Some(Cause::Credentials);
            let fix = "there is no signature of Telesign's in X-TS-Authorization, or in Authorization behind TSA";
            return Err(NotTaken::unauthorized(fix));
        }
        let body = self.read(request)?;
        let mut is_proven = false;
        for key in &keys {
            for signature in &signatures {
                is_proven |= is_of(&body, key, signature);
            }
        }
        if !is_proven {
            self.unproven = Some(Cause::Secret);
            let fix = "the signature is of none of the API keys of the providers of the kind telesign: give every key of \
                       the account that is valid, each in an entry of its own";
            return Err(NotTaken::unauthorized(fix));
        }
        self.facts.credential = Some("signature");
        Ok(body)
    }

    /// Reads the body of a delivery that is signed with the auth token of one of the accounts, or with its other one. A
    /// stranger without a signature has no body read.
    fn read_signed_by_twilio(
        &mut self,
        request: &mut dyn InboundRequest,
    ) -> Result<Vec<u8>, NotTaken> {
        let settings = &self.settings;
        let public_url = settings.public_url.as_ref();
        let public_url = public_url.map_err(|problems| NotTaken::for_now(problems.to_string()))?;
        let all = settings.providers.as_ref();
        let all = all.map_err(|problems| NotTaken::for_now(problems.to_string()))?;
        let of_twilio = all.iter().filter(|it| it.api.kind() == providers::twilio::KIND);
        let keys: Vec<_> = of_twilio.filter_map(|it| it.api.report_keys().cloned()).collect();
        let (Some(public_url), false) = (public_url, keys.is_empty()) else {
            return Err(NotTaken::for_now(self.reporter.is_not_expected()));
        };
        let query = request.query().map(|query| ["?", &query].concat()).unwrap_or_default();
        let urls = public_url.both_ways(&[TWILIO_REPORTS_PATH, &query].concat());
        let signature = match &request.header(signature::HEADER)[..] {
            [value] => Signature::parse(value),
            _ => None,
        };
        let Some(signature) = signature else {
            self.unproven = Some(Cause::Credentials);
            let fix = "there is no header X-Twilio-Signature with one signature";
            return Err(NotTaken::unauthorized(fix));
        };
        let body = self.read(request)?;
        let is_of = |secret| signature.is_of(secret, &urls, &body);
        let proof = if keys.iter().any(|keys| is_of(&keys.current)) {
            Proof::Signature
        } else if keys.iter().filter_map(|keys| keys.previous.as_ref()).any(is_of) {
            Proof::SignaturePrevious
        } else {
            self.unproven = Some(Cause::Secret);
            return Err(NotTaken::unauthorized(
                "the signature is not that of auth_token for this body at public_url: look at whether that is the account's \
                 primary auth token, and public_url what Twilio calls, with its path, which a proxy may change",
            ));
        };
        self.facts.credential = Some(proof.name());
        Ok(body)
    }

    fn read(&self, request: &mut dyn InboundRequest) -> Result<Vec<u8>, NotTaken> {
        webhook::read(request, self.reporter.body_limit(), self.arrived, TIME)
    }

    /// Writes the reports down and tells of each.
    fn remember(&mut self, reports: Vec<DeliveryReport>, ports: Ports<'_>) -> Result<(), NotTaken> {
        if reports.is_empty() {
            return Ok(());
        }
        let bounds = self.settings.records.as_ref();
        let bounds = bounds.map_err(|problems| NotTaken::for_now(problems.to_string()))?;
        let (told, fix) = match *bounds {
            None => (vec![Some(Told { accepted: None, news: true }); reports.len()], None),
            Some(bounds) => {
                let by_id = reports.iter().map(|it| (it.message_id.as_str(), it.reported.clone()));
                let records = Records::new(bounds, ports);
                let by_id: Vec<_> = by_id.collect();
                let told = match self.reporter {
                    Reporter::Twilio => records.report_undated(&by_id),
                    _ => records.report(&by_id),
                };
                let fix = told.iter().any(Option::is_none).then(|| records.fix());
                (told, fix)
            }
        };
        let canaries = self.settings.recorded_canaries();
        for (report, told) in reports.into_iter().zip(told) {
            // What is written down is told now: when it comes again with the rest, it is known.
            let Some(told) = told else { continue };
            let report = taken(report, told, &canaries);
            self.lines += &line(&report, ports);
            self.reports.push(report);
        }
        fix.map_or(Ok(()), |fix| Err(NotTaken::for_now(fix)))
    }
}

/// Event Grid's handshake ("Endpoint validation with Event Grid event schema"), which takes 200 only.
fn validated(code: &str) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Validated<'a> {
        validation_response: &'a str,
    }
    let content_type = ("content-type", "application/json".into());
    let headers = vec![content_type, ("cache-control", "no-store".into())];
    // A text: it can't fail to serialize.
    let body = serde_json::to_vec(&Validated { validation_response: code }).unwrap_or_default();
    Response { status: 200, headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::bearer::token::tests::token_of_scope;
    use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
    use crate::ports::{BodyError, Clock, SendError, Store, StoreUnavailable};
    use crate::records::{self, Status};
    use crate::{After, Handled};
    use proptest::prelude::*;

    const REPORT: &str = r#"[{"eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
        "data":{"messageId":"id-1","deliveryStatus":"Delivered","receivedTimestamp":"2026-01-31T12:00:02Z"}}]"#;

    fn deliver(host: &FakeHost, header: &'static str, value: &str) -> Handled {
        let mut request = FakeRequest::hook(REPORT);
        request.path = REPORTS_PATH;
        request.headers = vec![(header, value.as_bytes().to_vec())];
        crate::handle(&mut request, host.ports())
    }

    fn with_secret(secret: &str) -> FakeHost {
        FakeHost::default().with_secrets(&format!("reports.secret = \"{secret}\""))
    }

    #[test]
    fn what_can_be_mended_meanwhile_is_a_503_and_the_log_has_the_fix() {
        let with = || with_secret("0123456789abcdef");
        let down = with();
        down.records.0.replace(None);
        for (host, fix) in [
            (FakeHost::default(), "reports.secret is not set"),
            (with().with("secrets", "<unavailable>"), "secrets could not be read"),
            (with_secret("supersecret"), "must not be the same as okta_basic_secret"),
            (with().with_settings("records.slots = \"many\""), "records.slots must be"),
            (down, "records.slots to 0"),
        ] {
            let handled = deliver(&host, "x-report-secret", "0123456789abcdef");
            assert_eq!(handled.response.status, 503, "{fix}");
            assert!(handled.log.contains(fix), "{}", handled.log);
            let told = String::from_utf8(handled.response.body).unwrap();
            assert!(!told.contains("secret") && !told.contains("slots"), "{told}");
        }
    }

    #[test]
    fn infobip_comes_again_while_nothing_but_a_token_is_taken() {
        for host in [FakeHost::default(), FakeHost::default().with_settings(OAUTH)] {
            let mut request = FakeRequest::hook("{\"results\":[]}");
            request.path = INFOBIP_REPORTS_PATH;
            let handled = crate::handle(&mut request, host.ports());
            assert_eq!(handled.response.status, 503);
            assert!(handled.log.contains("of Infobip's subscription"), "{}", handled.log);
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
                if self.1.replace(true) {
                    Err(StoreUnavailable::Down)
                } else {
                    self.0.set(key, value)
                }
            }
        }
        let mut host = with_secret("s");
        let deliver = |records: &dyn Store, host: &FakeHost| {
            let two = [REPORT.trim_end_matches(']'), &REPORT[1..].replace("id-1", "id-2")];
            let mut request = FakeRequest::hook(two.join(","));
            request.path = REPORTS_PATH;
            request.headers = vec![("x-report-secret", b"s".to_vec())];
            let handled = crate::handle(&mut request, Ports { records, ..host.ports() });
            let After::Reports(done) = handled.after else { panic!() };
            let news = done.reports.iter().filter(|report| report.is_news);
            let told: Vec<_> = news.map(|it| it.message_id.as_str().to_owned()).collect();
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
    fn only_what_does_not_come_again_counts_as_unreadable_and_costs_a_delivery_store_calls() {
        let host = with_secret("s");
        let deliver = |host: &FakeHost, body: Result<Vec<u8>, BodyError>| {
            let mut request = FakeRequest::hook("");
            request.path = REPORTS_PATH;
            request.headers = vec![("x-report-secret", b"s".to_vec())];
            request.body = body;
            crate::handle(&mut request, host.ports()).response.status
        };
        let counted = |host: &FakeHost| {
            let Ok(Some(bounds)) = Settings::read(host).records else { panic!() };
            let unreadable = Records::new(bounds, host.ports()).unreadable().unwrap();
            unreadable.map_or(0, |unreadable| unreadable.count)
        };
        let batch = REPORT.replacen('[', "[7,{},", 1);
        for (body, status, count) in [
            (Ok(REPORT.into()), 200, 0),
            (Ok(b"[]".to_vec()), 200, 0),
            (Err(BodyError::Late), 503, 0),
            (Err(BodyError::Broken), 503, 0),
            (Err(BodyError::TooLarge), 413, 1),
            (Ok(b"x".to_vec()), 400, 2),
            (Ok(b"[7,7]".to_vec()), 400, 4),
            (Ok(batch.clone().into()), 200, 6),
        ] {
            assert_eq!((deliver(&host, body), counted(&host)), (status, count));
        }
        // Event Grid brings the whole batch again.
        let mut host = with_secret("s");
        let records = host.records.0.replace(None);
        assert_eq!(deliver(&host, Ok(batch.clone().into())), 503);
        host.records.0.replace(records);
        host.now += crate::records::breaker::BACKOFF;
        assert_eq!((deliver(&host, Ok(batch.into())), counted(&host)), (200, 2));
        // A store that fails makes no difference to what can't be read.
        host.records.0.replace(None);
        assert_eq!(deliver(&host, Ok(b"[7]".to_vec())), 400);
        let host = with_secret("s").with_settings("records.slots = 0");
        assert_eq!(deliver(&host, Ok(b"[7]".to_vec())), 400);
        assert!(host.records.0.borrow().as_ref().unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn whatever_date_a_wrong_report_has_a_true_one_that_comes_a_minute_later_holds(
            date in prop_oneof![
                any::<u64>().prop_map(|number| number.to_string()),
                // Up to the year 9999, in milliseconds.
                (0..=253_402_300_799_999_u64).prop_map(|number| number.to_string()),
                (1970..=9999, 1..=12, 1..=28)
                    .prop_map(|(year, month, day)| format!("\"{year:04}-{month:02}-{day:02}T12:00:00Z\"")),
                "\"[ -!#-Z^-~]{0,24}\"",
            ],
            milliseconds in records::CLOCKS_APART + 1..=3_600_000,
        ) {
            let mut host = with_secret("s");
            let deliver = |host: &FakeHost, status: &str, date: &str| {
                let report = REPORT.replace("Delivered", status);
                let mut request =
                    FakeRequest::hook(report.replace(r#""2026-01-31T12:00:02Z""#, date));
                request.path = REPORTS_PATH;
                request.headers = vec![("x-report-secret", b"s".to_vec())];
                crate::handle(&mut request, host.ports()).response.status
            };
            prop_assert_eq!(deliver(&host, "Failed", &date), 200);
            host.now += Duration::from_millis(milliseconds);
            let now = Clock::milliseconds(&host);
            prop_assert_eq!(deliver(&host, "Delivered", &now.to_string()), 200);
            let Ok(Some(bounds)) = Settings::read(&host).records else { panic!() };
            let found = Records::new(bounds, host.ports()).find("id-1").unwrap().unwrap();
            prop_assert_eq!(found.status(), Status::Delivered);
        }
    }

    #[test]
    fn the_tag_of_somebody_elses_message_is_told_nobody() {
        let host = with_secret("s");
        for (tag, told) in [("okta:uS58", Some("uS58")), ("jane.doe@contoso.com", None)] {
            let mut request = FakeRequest::hook(
                REPORT.replace(r#""data":{"#, &format!(r#""data":{{"tag":"{tag}","#)),
            );
            request.path = REPORTS_PATH;
            request.headers = vec![("x-report-secret", b"s".to_vec())];
            let handled = crate::handle(&mut request, host.ports());
            assert_eq!(handled.response.status, 200);
            let told = told.map(|id| format!(r#""event_id":"{id}""#));
            assert!(handled.log.contains(&told.clone().unwrap_or_default()), "{}", handled.log);
            assert_eq!(handled.log.contains("event_id"), told.is_some(), "{}", handled.log);
            assert!(!handled.log.contains("jane"), "{}", handled.log);
        }
    }

    #[test]
    fn with_no_slots_reports_are_told_and_not_kept() {
        let host = with_secret("s").with_settings("records.slots = 0");
        let handled = deliver(&host, "x-report-secret", "s");
        assert_eq!(handled.response.status, 200);
        assert!(handled.log.contains(r#""status":"delivered""#), "{}", handled.log);
        assert!(host.records.0.borrow().as_ref().unwrap().is_empty());
    }

    #[test]
    fn a_body_that_does_not_come_comes_again_and_one_that_is_too_large_does_not() {
        let host = with_secret("s");
        for (body, length, status) in [
            (Err(BodyError::Late), "10", 503),
            (Err(BodyError::Broken), "10", 503),
            (Err(BodyError::TooLarge), "10", 413),
            (Ok(b"[]".to_vec()), "1572865", 413),
            (Ok(b"[]".to_vec()), "1572864", 200),
        ] {
            let mut request = FakeRequest::hook("");
            request.path = REPORTS_PATH;
            request.headers =
                vec![("x-report-secret", b"s".to_vec()), ("content-length", length.into())];
            request.body = body;
            assert_eq!(crate::handle(&mut request, host.ports()).response.status, status);
        }
    }

    /// The role that Event Grid's tokens must have.
    const ROLE: &str = "AzureEventGridSecureWebhookSubscriber";

    const OAUTH: &str = "[reports.oauth]\nissuer = \"https://example.okta.com/oauth2/default\"\n\
                         audience = \"api://telephony\"\nclient_id = \"0oaclient\"";

    /// A host that takes such a token for Event Grid's.
    fn with_issuer(keys: &str) -> FakeHost {
        let metadata = r#"{"issuer":"https://example.okta.com/oauth2/default","jwks_uri":"https://example.okta.com/keys"}"#;
        let at = "https://example.okta.com/oauth2/default/.well-known/openid-configuration";
        FakeHost::default()
            .with_settings(OAUTH)
            .answering_to(at, [FakeAnswer::of(200, metadata)])
            .answering_to("https://example.okta.com/keys", [FakeAnswer::of(200, keys)])
    }

    #[test]
    fn a_token_of_event_grid_is_taken_and_of_others_not() {
        let (token, keys) = token_of_scope(ROLE);
        let bearer = ["Bearer ", &token].concat();
        let handled = deliver(&with_issuer(&keys), "authorization", &bearer);
        assert_eq!(handled.response.status, 200, "{}", handled.log);
        assert!(handled.log.contains(r#""credential":"oauth""#));
        for (from, to, fix) in [
            ("0oaclient", "4962773b", "oauth.client_id must be"),
            ("api://telephony", "other", "oauth.audience must be"),
        ] {
            let host = with_issuer(&keys).with_settings(&OAUTH.replace(from, to));
            let handled = deliver(&host, "authorization", &bearer);
            assert_eq!(handled.response.status, 401, "{to}");
            for told in ["reports.oauth: ", fix] {
                assert!(handled.log.contains(told), "{}", handled.log);
            }
        }
        let (token, keys) = token_of_scope("send");
        let bearer = ["Bearer ", &token].concat();
        let handled = deliver(&with_issuer(&keys), "authorization", &bearer);
        assert_eq!(handled.response.status, 401, "{}", handled.log);
    }

    #[test]
    fn a_former_secret_that_is_wrong_stops_no_token() {
        let (token, keys) = token_of_scope(ROLE);
        let host = with_issuer(&keys)
            .with_secrets("reports = { secret = \"s\", secret_previous = \"wrong\\n\" }");
        for (token, status) in [(&*token, 200), ("other", 503)] {
            let mut request = FakeRequest::hook(REPORT);
            request.path = REPORTS_PATH;
            request.headers = vec![
                ("x-report-secret", b"wrong".to_vec()),
                ("authorization", ["Bearer ", token].concat().into_bytes()),
            ];
            let handled = crate::handle(&mut request, host.ports());
            assert_eq!(handled.response.status, status, "{}", handled.log);
            let told = handled.log.contains("reports.secret_previous begins or ends");
            assert_eq!(told, status == 503, "{}", handled.log);
        }
    }

    #[test]
    fn reports_with_a_token_out_of_time_come_again() {
        let (token, keys) = token_of_scope(ROLE);
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
        let (token, keys) = token_of_scope(ROLE);
        let at = "https://example.okta.com/oauth2/default/.well-known/openid-configuration";
        let host =
            with_issuer(&keys).answering_to(at, [(Duration::ZERO, Err(SendError::NotConnected))]);
        let handled = deliver(&host, "authorization", &["Bearer ", &token].concat());
        assert_eq!(handled.response.status, 503, "{}", handled.log);
        assert!(handled.log.contains("reports.oauth: no connection"), "{}", handled.log);
        let host = with_issuer(&keys).answering_to(at, [(TIME, Err(SendError::Late))]);
        let before = host.instant.get();
        let handled = deliver(&host, "authorization", &["Bearer ", &token].concat());
        assert_eq!(handled.response.status, 503, "{}", handled.log);
        assert!(host.instant.get().since(before) <= KEYS_TIME);
    }
}
