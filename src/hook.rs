//! Okta's telephony inline hook: the way of one call, from the request to the answer and what comes after it.
//!
//! [`decide`](decide::decide) says whether the message is sent, [`providers::send`] sends it, and what
//! happened is one [`Outcome`]: the answer, the log line, telemetry and the record are made of it.
//!
//! Facts are from Okta's "Telephony inline hook" reference and guide and its "Inline hooks" concept
//! page.

mod admit;
pub mod answer;
pub mod decide;
pub mod request;

use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;

use self::answer::{answer, dialect};
use self::decide::{Decision, Planned, decide};
use self::request::{BODY_LIMIT, Dialect, HookRequest};
use crate::callers::Cause;
use crate::callers::bearer::issuer;
use crate::guard::blocks::Verdict;
use crate::guard::{Guard, Hash8, Key, Look, NotSent, Sent, Told};
use crate::identifier::Identifier;
use crate::message::Channel;
use crate::outcome::{self, Outcome, Warning};
use crate::ports::{BodyError, InboundRequest, Instant, Ports, Response, milliseconds};
use crate::providers::repeatability::Repeatability;
use crate::providers::{self, Message, Provider};
use crate::records::shared::Shared;
use crate::records::store::Records;
use crate::records::{Accepted, Bounds, EVENT_TAG, OF_A_CALL, canonical_id, number_hash};
use crate::refusal::{Fault, Reason, Refusal};
use crate::secret::Secret;
use crate::settings::{Hook, ResponseFormat, Settings};
use crate::telemetry;
use crate::telemetry::stranger::{Door, Stranger};
use crate::trace_context::{self, Trace};

/// Where Okta calls.
pub const HOOK_PATH: &str = "/api/okta-telephony";

/// What is left of the deadline for the answer itself, once the provider's has come or has not.
const TIME_TO_ANSWER: Duration = Duration::from_millis(50);

/// For how long a passcode holds of which the request does not say it. Okta's hold as long.
const PASSCODE_HOLDS: Duration = Duration::from_secs(300);

/// A hook that has been answered, for what is done after that.
#[derive(Debug)]
pub struct Answered {
    settings: Settings,
    outcome: Outcome,
    /// The values of the header `traceparent`, of a caller that has proven itself.
    traceparent: Vec<Vec<u8>>,
    /// The keys of the caller's issuer are worth asking for before they grow stale.
    refresh_due: bool,
    /// What the guard is to be told, where it is on and the person known.
    watched: Option<Watched>,
}

/// A message that the guard is to be told of.
#[derive(Debug)]
struct Watched {
    user: Hash8,
    expires: OffsetDateTime,
    is_enrollment: bool,
    is_recovery: bool,
    /// What it said, where it was asked.
    look: Option<Look>,
}

/// Handles a call of the hook: the answer, the line for the log, whether that is told at any rate, and what is left to
/// do.
pub fn handle(
    request: &mut dyn InboundRequest,
    ports: Ports<'_>,
) -> (Response, String, Option<Stranger>, Answered) {
    let mut call = Call {
        settings: Settings::read(ports.variables),
        dialect: None,
        challenges: Vec::new(),
        unproven: None,
        refresh_due: false,
        watched: None,
        outcome: Outcome::begin(ports.clock.instant()),
    };
    call.outcome.refusal = call.run(request, ports).err();
    let Call { settings, dialect: caller, challenges, unproven, refresh_due, watched, mut outcome } =
        call;

    let format = settings.hook.as_ref().map_or(ResponseFormat::Auto, |hook| hook.response_format);
    outcome.answered = ports.clock.instant();
    outcome.answered_at = ports.clock.time_at(outcome.answered);
    let response = answer(&outcome, dialect(format, caller), &challenges);
    let line = telemetry::hook_line(&outcome);
    // A stranger's trace would cost the owner.
    let traceparent = match (&settings.sink, outcome.credential) {
        (Ok(Some(_)), Some(_)) => request.header("traceparent"),
        _ => Vec::new(),
    };
    let stranger = outcome.credential.is_none().then(|| {
        let fix = outcome.refusal.as_ref().map_or("", Refusal::for_the_log);
        Stranger::new(Door::Hook, outcome.http_status(), unproven, fix)
    });
    (response, line, stranger, Answered { settings, outcome, traceparent, refresh_due, watched })
}

/// One call of the hook.
struct Call {
    settings: Settings,
    dialect: Option<Dialect>,
    /// What a caller is told that has not proven itself.
    challenges: Vec<String>,
    /// Why it has not.
    unproven: Option<Cause>,
    refresh_due: bool,
    watched: Option<Watched>,
    /// What is known so far.
    outcome: Outcome,
}

impl Call {
    /// The way of a call: each step gives what the next one needs, or ends it.
    fn run(&mut self, request: &mut dyn InboundRequest, ports: Ports<'_>) -> Result<(), Refusal> {
        let Hook { deadline, response_format } =
            self.settings.hook.as_ref().copied().unwrap_or_default();
        let until = self.outcome.arrived.plus(deadline - TIME_TO_ANSWER);

        if request.method() != "POST" {
            return Err(Refusal::new(Reason::MethodNotAllowed, "The hook takes POST only."));
        }
        self.identify(request, ports, until)?;
        let body = read_body(request, until)?;
        let request = self.understand(&body, response_format)?;

        let now = ports.clock.now();
        // The admin's preview is nobody's. Who is not known can't be said to have used a passcode: what they are sent is
        // not kept, and they are refused what is blocked.
        let guard = self.settings.guard().filter(|_| !request.preview);
        self.watched = guard.as_ref().zip(request.user_id.as_deref()).map(|(guard, user_id)| {
            let step = self.outcome.request_type.as_ref();
            Watched {
                user: Hash8::of_user(&guard.key, user_id),
                expires: request.otp_expires.unwrap_or(now + PASSCODE_HOLDS),
                is_enrollment: request.enrollment,
                is_recovery: step.is_some_and(|step| request::is_recovery(step.as_str())),
                look: None,
            }
        });
        let mut decision = decide(&self.settings, &request, guard.as_ref(), ports.store, now)?;
        note(&mut self.outcome, &decision);
        // Canaries are in no ratio.
        self.watched = self.watched.take().filter(|_| !decision.recipient.is_canary);
        let look = decision.guard.take().map(|mut look| {
            if look.count_probe(ports.store, milliseconds(now)).is_err() {
                self.outcome.warn(Warning::StoreUnavailable);
            }
            look
        });
        if let Some(watched) = &mut self.watched {
            watched.look = look;
        }
        let is_counted = decision.is_counted();
        let (to, Planned { candidates, body, counters, .. }) = decision.into_message()?;
        // Before the message leaves: counted after, a hundred hooks at once would all find room.
        if is_counted && counters.commit().is_err() {
            self.outcome.warn(Warning::StoreUnavailable);
        }
        let tag = self.outcome.event_id.as_ref().map(|id| [EVENT_TAG, id.as_str()].concat());
        let event_id = request.event_id.as_deref();
        let message = Message {
            to,
            content: body.content(),
            repeatability: Repeatability::of(event_id, to, request.event_time, now, ports.random),
            tag: tag.as_deref(),
            expires: request.otp_expires,
            is_enrollment: request.enrollment,
        };
        let sending = providers::send(&candidates, &message, ports, until);
        for (is_so, warning) in [
            (sending.may_be_double, Warning::MayBeDouble),
            (sending.silent_connection, Warning::SilentConnection),
            (sending.store_failed, Warning::StoreUnavailable),
        ] {
            if is_so {
                self.outcome.warn(warning);
            }
        }
        // Who sends the message knows better than we how it is encoded.
        if let (Some(segments), Some(count)) = (&mut self.outcome.segments, sending.segments) {
            segments.count = count;
        }
        let result = sending.result.as_ref().map(drop).map_err(Refusal::clone);
        self.outcome.sending = Some(sending);
        result
    }

    /// Has the caller prove itself. Half of the time at most goes to the keys of its token: the other half is
    /// the provider's.
    fn identify(
        &mut self,
        request: &dyn InboundRequest,
        ports: Ports<'_>,
        until: Instant,
    ) -> Result<(), Refusal> {
        // Whoever asks has shown no credentials, so is not told what the log is told.
        let callers = self.settings.callers.as_ref().map_err(|problems| {
            let told = "The hook has no valid credentials configured and sends nothing: see the hook's log.";
            Refusal::new(Reason::Misconfigured, told).with_log_fix(problems.to_string())
        })?;
        let key = callers.oauth.as_ref().and_then(|_| self.settings.store_key().ok());
        let now = ports.clock.instant();
        let half = now.plus(until.since(now) / 2);
        match callers.identify(request, key.as_ref(), ports, half) {
            Ok(caller) => {
                self.outcome.credential = Some(caller.proof);
                self.refresh_due = caller.refresh.is_some();
                for warning in outcome::of_keys(&caller.warnings) {
                    self.outcome.warn(warning);
                }
                Ok(())
            }
            Err(refused) => {
                self.challenges = refused.challenges;
                self.unproven = Some(refused.cause);
                let (reason, told) = match refused.cause {
                    Cause::Credentials
                    | Cause::Secret
                    | Cause::Token
                    | Cause::TokenUntimely
                    | Cause::TokenKeyUnknown => (
                        Reason::Unauthorized,
                        "The caller's credentials are not those that the hook expects: see the hook's log.",
                    ),
                    Cause::KeysUnavailable => (
                        Reason::IssuerUnavailable,
                        "The keys of the authorization server are not to be had: see the hook's log.",
                    ),
                    // Anybody can write what the token says: nothing of the configuration is told yet.
                    Cause::NoStoreKey => {
                        (Reason::Misconfigured, "The hook is misconfigured: see the hook's log.")
                    }
                };
                Err(Refusal::new(reason, told).with_log_fix(refused.fix))
            }
        }
    }

    /// Reads the request.
    fn understand(&mut self, body: &[u8], format: ResponseFormat) -> Result<HookRequest, Refusal> {
        let body = request::parse(body)?;
        self.dialect = Some(body.dialect());
        self.outcome.event_id = body.event_id().map(Identifier::new);
        self.outcome.request_type = body.request_type().map(Identifier::new);
        self.outcome.preview = body.is_preview();
        if format == ResponseFormat::Documented && body.dialect() == Dialect::Classic {
            return Err(Refusal::new(
                Reason::NotAnEnvelope,
                "The body is a bare payload, which okta.response_format = \"documented\" refuses: it carries nothing \
                 against replay.",
            ));
        }
        let request = body.into_request()?;
        self.outcome.channel = request.channel;
        if !request.ignored.is_empty() {
            self.outcome.warn(Warning::FieldIgnored);
            self.outcome.ignored_fields.clone_from(&request.ignored);
        }
        self.outcome.masked_number =
            request.phone_number.as_ref().ok().map(|number| number.masked());
        Ok(request)
    }
}

/// What a decision says that the outcome tells.
fn note(outcome: &mut Outcome, decision: &Decision<'_>) {
    outcome.country = decision.recipient.plan.region;
    outcome.number = Some(Secret::from(&*decision.recipient.canonical));
    outcome.canary = decision.recipient.is_canary;
    outcome.would_refuse = decision.would_refuse();
    outcome.block = decision.block().as_ref().map(Key::to_string);
    outcome.told_as_successful = decision.told_as_successful;
    if let Ok(message) = &decision.message {
        outcome.segments = message.body.segments();
        if message.store_failed {
            outcome.warn(Warning::StoreUnavailable);
        }
    }
    if let Some(look) = &decision.guard {
        if look.store_failed {
            outcome.warn(Warning::StoreUnavailable);
        }
        if look.feed_is_stale() {
            outcome.warn(Warning::FeedStale);
        }
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

/// Does what is left to do once the answer has left: the record of the message, telemetry where it is told of this
/// call, and keys that grow stale. A host may end the instance at any time from then on, so nothing that is right
/// only if it happens is here.
pub fn finish(answered: Answered, is_tracked: bool, ports: Ports<'_>) {
    let Answered { settings, outcome, traceparent, refresh_due, watched } = answered;
    // A section that is not in order is told by the check of the configuration.
    let sink = settings.sink.as_ref().ok().and_then(Option::as_ref);
    let parent = trace_context::parent(&traceparent);
    let trace = sink.map(|_| Trace::begin(parent.as_ref(), ports.random));
    remember(&settings, &outcome, trace, watched, ports);
    if let (Some(sink), Some(trace)) = (sink, trace)
        && is_tracked
    {
        let parent = parent.map(|parent| parent.span_id);
        telemetry::track(sink, &telemetry::of_hook(&outcome, trace, parent, ports.random), ports);
    }
    if refresh_due
        && let (Ok(callers), Ok(key)) = (&settings.callers, settings.store_key())
        && let Some(oauth) = &callers.oauth
    {
        issuer::refresh(&oauth.issuer, &key, ports);
    }
}

/// Writes down what became of a message: for the list, if a provider took it, and for the guard.
fn remember(
    settings: &Settings,
    outcome: &Outcome,
    trace: Option<Trace>,
    watched: Option<Watched>,
    ports: Ports<'_>,
) {
    let Ok(Some(bounds)) = settings.records else { return };
    let guard = watched.and_then(|watched| Some((settings.guard()?, watched)));
    if guard.is_none() && outcome.message_id().is_none() {
        return;
    }
    let shared = Rc::new(Shared::new(ports));
    // What could not be written is seen in the list; that the store is down, in the log.
    record(bounds, settings, outcome, trace, &shared);
    if let Some((guard, watched)) = guard {
        tell(&guard, watched, settings, outcome, &shared, ports);
    }
    if shared.found_down() {
        ports.log.print(&telemetry::trouble("records", &shared.fix(), ports.clock.now()));
    }
}

/// Tells the guard what became of a message. What it could not write down lets it see less, and refuse less.
fn tell(
    guard: &Guard<'_>,
    watched: Watched,
    settings: &Settings,
    outcome: &Outcome,
    shared: &Rc<Shared<'_>>,
    ports: Ports<'_>,
) {
    let Watched { user, expires, is_enrollment, is_recovery, look } = watched;
    let told = match (outcome.refusal.as_ref().map(|it| it.reason), &look, &outcome.sending) {
        (Some(Reason::ConversionTooLow), ..) => Some(Told::NotSent(user, NotSent::ByGuard)),
        (Some(reason), ..) => match reason.fault() {
            Fault::Request => None,
            Fault::Policy => Some(Told::NotSent(user, NotSent::ByPolicy)),
            Fault::Service => Some(Told::NotSent(user, NotSent::Failed)),
        },
        (None, Some(look), Some(sending)) => {
            let channel = outcome.channel.unwrap_or(Channel::Sms);
            let wants_to_know =
                |it: &Provider| it.name == sending.provider && it.api.takes_feedback(channel);
            let providers = settings.providers.as_deref().unwrap_or_default();
            let message_id = outcome.message_id().filter(|_| providers.iter().any(wants_to_know));
            Some(Told::Sent(Box::new(Sent {
                at: milliseconds(outcome.answered_at),
                expires: milliseconds(expires),
                user,
                number: look.to.number,
                block: look.to.block,
                region: look.to.region,
                channel,
                is_enrollment,
                is_recovery,
                would_refuse: matches!(look.verdict, Verdict::Blocked { .. }),
                provider: sending.provider.clone(),
                message_id: message_id.map(|id| id.as_str().to_owned()),
            })))
        }
        _ => None,
    };
    let _ = guard.tell(look, told, shared, ports.store);
}

/// Writes down what the hook saw of a message that a provider took.
fn record(
    bounds: Bounds,
    settings: &Settings,
    outcome: &Outcome,
    trace: Option<Trace>,
    shared: &Rc<Shared<'_>>,
) {
    let (Some(message_id), Some(sending), Some(number), Ok(key)) =
        (outcome.message_id(), &outcome.sending, &outcome.number, settings.store_key())
    else {
        return;
    };
    let text = |identifier: &Option<Identifier>| {
        identifier.as_ref().map(|identifier| identifier.as_str().to_owned())
    };
    let accepted = Accepted {
        at: milliseconds(outcome.answered_at),
        event_id: text(&outcome.event_id),
        request_type: text(&outcome.request_type),
        region: outcome.country,
        provider: sending.provider.clone(),
        sender_type: sending.sender,
        attempts: sending.attempts.len() as u32,
        segments: match outcome.channel {
            Some(Channel::Call) => OF_A_CALL,
            _ => outcome.segments.map_or(1, |segments| segments.count),
        },
        number: number_hash(&key, number.reveal()),
        trace,
    };
    let records = Records::over(bounds, Rc::clone(shared));
    let _ = records.accept(canonical_id(message_id.as_str()), &accepted);
}

#[cfg(test)]
mod tests;
