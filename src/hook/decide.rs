//! Whether a passcode is sent, to whom, with which text and by whom: a pure function of the settings, the
//! request and the counters. It writes nothing and sends nothing, so it also explains a number to the operator.

use numbering::Plan;
use time::OffsetDateTime;

use super::admit::admit;
use super::request::HookRequest;
use crate::message::{self, Segments};
use crate::phone_number::PhoneNumber;
use crate::policy::limits::{Counters, Limit};
use crate::policy::{self, Policy};
use crate::ports::StoreUnavailable;
use crate::providers::acs::repeatability::Repeatability;
use crate::providers::{self, Candidates};
use crate::refusal::{Reason, Refusal};
use crate::settings::Ready;

/// What is to become of a request. Of a request that is refused, it holds what is known all the same.
pub struct Decision<'a> {
    /// Who the message is for.
    pub recipient: Option<Recipient<'a>>,
    /// Who can send it.
    pub candidates: Option<Candidates<'a>>,
    /// Its text, which has the passcode in it, and the length by which it is billed.
    pub text: Option<(String, Segments)>,
    /// The limits that count it.
    pub limits: Vec<Limit>,
    /// A limit could not be looked at, since the store failed: nothing is counted.
    pub store_failed: bool,
    /// What the policy would refuse it for, if it did more than observe: then it is sent and not counted.
    pub would_refuse: Option<Reason>,
    /// Okta is told of the refusal as of a success.
    pub told_as_successful: bool,
    /// It is sent, or refused.
    pub verdict: Result<(), Refusal>,
}

/// Who a message is for.
pub struct Recipient<'a> {
    /// The number, as Okta wrote it.
    pub number: &'a PhoneNumber,
    /// The form by which limits and records know it.
    pub canonical: String,
    /// What the numbering plans know of it.
    pub plan: Plan,
}

/// Decides on a request. The counters are looked at only where nothing else refuses the message.
pub fn decide<'a>(
    ready: &'a Ready<'a>,
    request: &'a HookRequest,
    counters: &mut Counters<'_>,
    now: OffsetDateTime,
) -> Decision<'a> {
    let mut decision = Decision {
        recipient: None,
        candidates: None,
        text: None,
        limits: Vec::new(),
        store_failed: false,
        would_refuse: None,
        told_as_successful: false,
        verdict: Ok(()),
    };
    let number = match admit(request, now) {
        Ok(number) => number,
        Err(refusal) => return Decision { verdict: Err(refusal), ..decision },
    };
    let plan = number.plan();
    let canonical = number.canonical().into_owned();

    decision.hold_to(ready.policy, policy::check(ready.policy, number, plan, request.enrollment));

    match providers::candidates(ready.providers, plan.region) {
        Ok(candidates) => decision.candidates = Some(candidates),
        Err(refusal) => decision.verdict = decision.verdict.and(Err(refusal)),
    }

    // Of the event, not of the moment: a call that is repeated must make the same message of it, minutes too.
    let first_sent = Repeatability::first_sent(request.event_time, now);
    let text = ready.wording.text(&request.passcode(first_sent));
    let segments = message::segments(&text);
    decision.text = Some((text, segments));

    decision.limits = policy::limits_of(ready.policy, request.asking(&canonical));
    decision.recipient = Some(Recipient { number, canonical, plan });
    if decision.is_counted() {
        decision.look_at_limits(ready.policy, counters);
    }
    decision
}

impl Decision<'_> {
    /// Whether the message counts against its limits: what the policy refuses, or would refuse, does not.
    pub fn is_counted(&self) -> bool {
        self.verdict.is_ok() && self.would_refuse.is_none() && !self.store_failed
    }

    /// Holds the verdict to what the policy says, of which the first refusal counts.
    fn hold_to(&mut self, policy: &Policy, checked: Result<(), Refusal>) {
        let Err(refusal) = checked else { return };
        if policy.lets_pass(refusal.reason) {
            self.would_refuse = Some(refusal.reason);
            return;
        }
        self.told_as_successful = !policy.refused_as_failed;
        self.verdict = Err(refusal);
    }

    fn look_at_limits(&mut self, policy: &Policy, counters: &mut Counters<'_>) {
        for limit in &self.limits {
            match counters.used(limit) {
                Ok(used) if used >= limit.rate.count() => {
                    let refusal = policy::limit_reached(limit.scope, limit.rate);
                    return self.hold_to(policy, Err(refusal));
                }
                Ok(_) => {}
                // A sign-in is worth more than a limit.
                Err(StoreUnavailable) => {
                    self.store_failed = true;
                    return;
                }
            }
        }
    }
}
