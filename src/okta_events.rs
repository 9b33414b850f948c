//! Okta's events: which passcodes were used, and what the hook can't see itself, such as that Okta gave up on it.
//!
//! A batch is kept first, and then answered: what could not be kept is to come again.
//!
//! Okta's event hook asks once whether it has reached the right place, and then delivers batches of events ("Event hooks",
//! Okta's developer documentation). It waits for 3 seconds. What is answered 5xx, or nothing, comes once more; what is
//! answered 4xx never does, so that is for what a repeat can't mend. Events come at least once, late, and in any order.
//!
//! Attack: whoever delivers can say that passcodes were used that were not, and so keep an attack from being seen. There
//! is no signature, so the proof is the secret that Okta sends with each request, that of the one question included.

mod event;
mod lines;
mod method;

use std::cmp::Reverse;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

pub use self::event::{
    BODY_LIMIT, BadEvent, Delivery, EVENTS_LIMIT, Event, NotADelivery, Said, UserId, parse,
};
use crate::callers::Cause;
use crate::guard::ledger::KeptUse;
use crate::guard::{Change, Guard, Hash8, Mode, OF_ONE_ENROLMENT, Sent, Use, What};
use crate::outcome::{Happened, TakenEvent};
use crate::ports::{InboundRequest, Instant, Ports, Response};
use crate::providers::feedback;
use crate::records::Moment;
use crate::records::shared::Shared;
use crate::settings::{Problems, Settings};
use crate::telemetry;
use crate::telemetry::stranger::{Door, SAMPLED, Stranger};
use crate::webhook::{self, DeliveryFacts, NotTaken};

/// Where Okta delivers.
pub const EVENTS_PATH: &str = "/api/okta-events";

/// The time that a delivery may take to arrive. Okta waits for 3 seconds, in which it has to be kept as well.
const TIME: Duration = Duration::from_secs(2);

/// The longest that providers are told which passcodes of a delivery were used.
const FEEDBACK_TIME: Duration = Duration::from_secs(10);

/// The header with the value that Okta wants to have back.
const CHALLENGE: &str = "x-okta-verification-challenge";

/// The longest value of it, in bytes. Okta does not say how long it is; that of its example has 20.
const CHALLENGE_LIMIT: usize = 256;

/// The status of a batch that was taken.
const TAKEN: u16 = 204;

/// The methods that there are.
const METHODS: &str = "GET, POST";

/// How a caller can prove itself.
const PROOF: &str = "Basic realm=\"okta-telephony-events\", charset=\"UTF-8\"";

/// A delivery that has been answered, for what is done after that.
#[derive(Debug)]
pub struct Answered {
    settings: Settings,
    /// What was news.
    events: Vec<TakenEvent>,
    /// A batch was taken, so there may be something to judge.
    is_taken: bool,
}

/// One request of Okta's event hook, and what is known of it so far.
struct Call {
    settings: Settings,
    arrived: Instant,
    facts: DeliveryFacts,
    /// Why the caller has not proven itself.
    unproven: Option<Cause>,
    events: Vec<TakenEvent>,
}

/// Handles a request for the receiver: the answer, the lines for the log, whether those are told at any rate, and what
/// is left to do.
pub fn handle(
    request: &mut dyn InboundRequest,
    ports: Ports<'_>,
) -> (Response, String, Option<Stranger>, Answered) {
    let mut call = Call {
        settings: Settings::read(ports.variables),
        arrived: ports.clock.instant(),
        facts: DeliveryFacts::default(),
        unproven: None,
        events: Vec::new(),
    };
    let response = match request.method().as_str() {
        "GET" => call.verify(request, ports),
        "POST" => call.take(request, ports),
        _ => Err(NotTaken::new(
            405,
            "Events are delivered by POST.",
            "another method than GET and POST",
        )),
    };
    let Call { settings, arrived, mut facts, unproven, events } = call;
    let response = response.unwrap_or_else(|not_taken| {
        let response = not_taken.answer(METHODS, PROOF);
        facts.fix = Some(not_taken.fix.into_owned());
        response
    });
    facts.http_status = response.status;
    let is_taken = response.status == TAKEN;
    facts.ms = telemetry::milliseconds(ports.clock.instant().since(arrived));
    let stranger = facts.credential.is_none().then(|| {
        facts.sampled = Some(SAMPLED);
        let fix = facts.fix.as_deref().unwrap_or_default();
        Stranger::new(Door::Events, facts.http_status, unproven, fix)
    });
    let now = ports.clock.now();
    let mut log = webhook::delivery_line("okta_events", &facts, now);
    log.extend(events.iter().map(|event| lines::event(event, now)));
    (response, log, stranger, Answered { settings, events, is_taken })
}

/// Does what is left to do once the answer has left.
pub fn finish(answered: Answered, ports: Ports<'_>) {
    let Answered { settings, events, is_taken } = answered;
    let guard = settings.guard().filter(|_| is_taken);
    let changes = guard.map_or_else(Vec::new, |guard| judge(&guard, ports));
    let (mode, now) = (settings.guard.as_ref().map_or(Mode::Off, |it| it.mode), ports.clock.now());
    for change in &changes {
        ports.log.print(&telemetry::guard_line(change, mode, now));
    }
    let of_change = |change| telemetry::of_change(change, mode, now);
    let items: Vec<_> =
        events.iter().map(telemetry::of_event).chain(changes.iter().map(of_change)).collect();
    if let (Ok(Some(sink)), false) = (&settings.sink, items.is_empty()) {
        telemetry::track(sink, &items, ports);
    }
    give_feedback(&settings, &events, ports);
}

/// Has providers know which of their passcodes were used, where they are to. What one does not take is told once of it.
fn give_feedback(settings: &Settings, events: &[TakenEvent], ports: Ports<'_>) {
    let Ok(providers) = &settings.providers else { return };
    let until = ports.clock.instant().plus(FEEDBACK_TIME);
    let mut failed = Vec::new();
    for send in events.iter().filter_map(|event| event.converted.as_ref()) {
        let Some(id) = &send.message_id else { continue };
        if ports.clock.instant() >= until {
            return;
        }
        let given = feedback(providers, &send.provider, send.channel, id, ports, until);
        if let Some(Err(fix)) = given
            && !failed.contains(&&send.provider)
        {
            ports.log.print(&telemetry::trouble("feedback", &fix, ports.clock.now()));
            failed.push(&send.provider);
        }
    }
}

/// Has the guard judge, if it is time to.
fn judge(guard: &Guard<'_>, ports: Ports<'_>) -> Vec<Change> {
    let shared = Rc::new(Shared::new(ports));
    let changes = guard.judge(&shared);
    if shared.found_down() {
        ports.log.print(&telemetry::trouble("records", &shared.fix(), ports.clock.now()));
    }
    // What could not be judged is judged with the next batch.
    changes.unwrap_or_default()
}

impl Call {
    /// Answers whether Okta has reached the right place: with what it sent, in JSON.
    ///
    /// Attack: whoever has the hook repeat a text has it say what they like. So the secret is looked at first, and the text
    /// is short and plain.
    fn verify(
        &mut self,
        request: &dyn InboundRequest,
        ports: Ports<'_>,
    ) -> Result<Response, NotTaken> {
        self.identify(request, ports)?;
        let values = request.header(CHALLENGE);
        let challenge = match &values[..] {
            [value] if (1..=CHALLENGE_LIMIT).contains(&value.len()) => {
                str::from_utf8(value).ok().filter(|it| it.bytes().all(|b| b.is_ascii_graphic()))
            }
            _ => None,
        };
        let Some(challenge) = challenge else {
            return Err(NotTaken::new(
                400,
                "There is no challenge to answer.",
                "there is not one header X-Okta-Verification-Challenge of at most 256 plain characters: is it Okta that asks?",
            ));
        };
        let headers =
            vec![("content-type", "application/json".into()), ("cache-control", "no-store".into())];
        let body = json!({ "verification": challenge }).to_string().into_bytes();
        Ok(Response { status: 200, headers, body })
    }

    /// Takes a delivery.
    fn take(
        &mut self,
        request: &mut dyn InboundRequest,
        ports: Ports<'_>,
    ) -> Result<Response, NotTaken> {
        self.identify(request, ports)?;
        let body = webhook::read(request, BODY_LIMIT, self.arrived, TIME)?;
        let delivery = parse(&body, ports.clock.milliseconds()).map_err(|fault| {
            NotTaken::new(400, "The body is not a delivery of events.", fault.to_string())
        })?;
        let Delivery { count, events, others, mut bad, newest } = delivery;
        self.facts.events = count;
        self.facts.other_events = others;
        self.facts.bad_events = bad.len();
        self.keep(events, newest, ports)?;
        bad.sort_unstable();
        bad.dedup();
        let faults: Vec<_> = bad.iter().map(ToString::to_string).collect();
        self.facts.fix = (!faults.is_empty()).then(|| faults.join("; "));
        let headers = vec![("cache-control", "no-store".into())];
        Ok(Response { status: TAKEN, headers, body: Vec::new() })
    }

    /// Keeps events, and finds out which of them are news and which passcodes they tell of.
    fn keep(
        &mut self,
        events: Vec<Event>,
        newest: Option<Moment>,
        ports: Ports<'_>,
    ) -> Result<(), NotTaken> {
        let for_now = |problems: Problems| NotTaken::for_now(problems.to_string());
        // Where nothing is to be remembered, each event is told of as often as it comes.
        if self.settings.records.clone().map_err(for_now)?.is_none() {
            let unkept = |event| told(event, None);
            self.events = events.into_iter().filter_map(unkept).collect();
            return Ok(());
        }
        let key = self.settings.store_key().map_err(for_now)?;
        let (mut uses, mut others) = (Vec::new(), Vec::new());
        for event in &events {
            let id = Hash8::of_event(&key, &event.uuid);
            match &event.said {
                Said::Person { user, what } => uses.push(Use {
                    id,
                    user: Hash8::of_user(&key, user.as_str()),
                    at: event.published,
                    what: *what,
                }),
                Said::SentByOkta { .. } | Said::RefusedByOkta { .. } | Said::HookGivenUp => {
                    others.push(id);
                }
            }
        }
        let shared = Rc::new(Shared::new(ports));
        let kept = self.settings.ledger(&shared).keep(&uses, &others, newest);
        let kept = kept.map_err(|_| NotTaken::for_now(shared.fix()))?;
        let is_told = uses_to_tell(&uses, &kept.uses);
        let mut of_uses = kept.uses.into_iter().zip(is_told);
        let mut of_others = kept.others.into_iter();
        for event in events {
            let (is_news, is_told, converted) = match event.said {
                Said::Person { .. } => {
                    let (kept, is_told) = of_uses.next().unwrap_or_default();
                    (kept.is_news, is_told, kept.converted)
                }
                _ => (of_others.next().unwrap_or_default(), true, None),
            };
            self.facts.known_events += usize::from(!is_news);
            if is_news && is_told {
                self.events.extend(told(event, converted));
            }
        }
        Ok(())
    }

    /// Has the caller prove itself.
    fn identify(&mut self, request: &dyn InboundRequest, ports: Ports<'_>) -> Result<(), NotTaken> {
        let callers = match &self.settings.events {
            Ok(Some(callers)) => callers,
            Ok(None) => {
                return Err(NotTaken::for_now(
                    "events.secret is not set in the secrets: set it to what Okta's event hook sends in the header \
                     Authorization.",
                ));
            }
            Err(problems) => return Err(NotTaken::for_now(problems.to_string())),
        };
        let caller = callers.identify(request, None, ports, self.arrived).map_err(|refused| {
            self.unproven = Some(refused.cause);
            // The secret may be right once what is wrong with the previous one is mended.
            match refused.may_be_previous {
                true => NotTaken::for_now(refused.fix),
                false => NotTaken::unauthorized(refused.fix),
            }
        })?;
        self.facts.credential = Some(caller.proof.name());
        Ok(())
    }
}

/// Which uses are told of. Of one enrolment Okta may tell twice, which is one passcode: the event that is known to be of it,
/// or else the first, is told of.
fn uses_to_tell(uses: &[Use], kept: &[KeptUse]) -> Vec<bool> {
    let rank = |at: usize| (kept[at].converted.is_some(), Reverse(at));
    let is_one_enrolment = |one: &Use, other: &Use| {
        [one, other].iter().all(|it| it.what == What::Activated)
            && one.user == other.user
            && one.at.abs_diff(other.at) <= OF_ONE_ENROLMENT
    };
    let is_told = |(at, one): (usize, &Use)| {
        let mut others = uses.iter().enumerate();
        !others.any(|(by, other)| is_one_enrolment(one, other) && rank(by) > rank(at))
    };
    uses.iter().enumerate().map(is_told).collect()
}

/// What is told of an event that says that this passcode was used; `None` where there is nothing to tell.
fn told(event: Event, converted: Option<Sent>) -> Option<TakenEvent> {
    let Event { published, channel, said, .. } = event;
    let (what, country) = match said {
        Said::Person { what: What::Phone(_) | What::Activated, .. } => {
            (Happened::PasscodeUsed, converted.as_ref().and_then(|send| send.region))
        }
        Said::Person { what: What::WrongCode, .. } => (Happened::PasscodeWrong, None),
        Said::Person { what: What::OtherMethod | What::Removed, .. } => return None,
        Said::SentByOkta { country } => (Happened::SentByOkta, country),
        Said::RefusedByOkta { country } => (Happened::RefusedByOkta, country),
        Said::HookGivenUp => (Happened::HookGivenUp, None),
    };
    let channel = converted.as_ref().map(|send| send.channel).or(channel);
    Some(TakenEvent { what, published, channel, country, converted })
}

#[cfg(test)]
mod tests;
