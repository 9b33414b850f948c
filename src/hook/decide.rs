//! Whether a passcode is sent, to whom, with which text and by whom: a function of the settings, the request and
//! the counters. It reads the counters, and writes and sends nothing, so it also explains a number to the operator.

use numbering::Plan;
use time::OffsetDateTime;

use super::admit::admit;
use super::request::HookRequest;
use crate::message::{self, Segments};
use crate::phone_number::PhoneNumber;
use crate::policy::limits::{Counters, Limit};
use crate::policy::{self, Policy};
use crate::ports::StoreUnavailable;
use crate::providers::repeatability::Repeatability;
use crate::providers::{self, Candidates};
use crate::refusal::{Reason, Refusal};
use crate::settings::Ready;

/// What is to become of a message.
pub struct Decision<'a> {
    /// Who it is for.
    pub recipient: Recipient<'a>,
    /// Who can send it, or why nobody can.
    pub candidates: Result<Candidates<'a>, Refusal>,
    /// Its text, which has the passcode in it.
    pub text: String,
    /// Its length, as it is billed.
    pub segments: Segments,
    /// The limits that count it.
    pub limits: Vec<Limit>,
    /// A limit could not be looked at, since the store failed: nothing is counted.
    pub store_failed: bool,
    /// What the policy would refuse it for, if it did more than observe: then it is sent and not counted.
    pub would_refuse: Option<Reason>,
    /// Okta is told of the policy's refusal as of a success.
    pub told_as_successful: bool,
    /// The policy lets it go, or refuses it.
    pub policy: Result<(), Refusal>,
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
///
/// # Errors
///
/// A request for which there is no message: another channel, an expired passcode, no number.
pub fn decide<'a>(
    ready: &Ready<'a>,
    request: &'a HookRequest,
    counters: &mut Counters<'_>,
    now: OffsetDateTime,
) -> Result<Decision<'a>, Refusal> {
    let number = admit(request, now)?;
    let plan = number.plan();
    let canonical = number.canonical().into_owned();
    // From the event's time, not from this moment, so that a repeated call makes the same text.
    let first_sent = Repeatability::first_sent(request.event_time, now);
    let text = ready.wording.text(&request.passcode(first_sent));
    let mut decision = Decision {
        candidates: providers::candidates(ready.providers, plan.region),
        segments: message::segments(&text),
        text,
        limits: policy::limits_of(ready.policy, request.asking(&canonical)),
        recipient: Recipient { number, canonical, plan },
        store_failed: false,
        would_refuse: None,
        told_as_successful: false,
        policy: Ok(()),
    };
    let checked = policy::check(ready.policy, number, plan, request.enrollment);
    decision.hold_to(ready.policy, checked);
    if decision.is_counted() {
        decision.look_at_limits(ready.policy, counters);
    }
    Ok(decision)
}

impl Decision<'_> {
    /// The message is sent, or refused.
    pub fn verdict(&self) -> Result<(), &Refusal> {
        self.policy.as_ref().map(drop).and(self.candidates.as_ref().map(drop))
    }

    /// Whether the message counts against its limits. One that is not sent does not, nor one that the policy would
    /// refuse, nor one of which the store did not tell where its limits stand.
    pub fn is_counted(&self) -> bool {
        self.verdict().is_ok() && self.would_refuse.is_none() && !self.store_failed
    }

    /// Takes in what the policy says, of which the first refusal counts.
    fn hold_to(&mut self, policy: &Policy, checked: Result<(), Refusal>) {
        let Err(refusal) = checked else { return };
        if policy.lets_pass(refusal.reason) {
            self.would_refuse = Some(refusal.reason);
            return;
        }
        self.told_as_successful = !policy.refused_as_failed;
        self.policy = Err(refusal);
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
