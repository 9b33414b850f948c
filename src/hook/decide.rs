//! Whether a passcode is sent, to whom, with which text and by whom: a function of the settings, the request and
//! the counters. It reads the counters, and writes and sends nothing, so it also explains a number to the operator.
//!
//! The policy speaks first, whatever else may be wrong with the settings: what it refuses must not reach Okta as a
//! failure of the hook, upon which Okta sends the passcode itself.

use numbering::Plan;
use time::OffsetDateTime;

use super::admit::admit;
use super::request::HookRequest;
use crate::message::{self, Segments};
use crate::phone_number::PhoneNumber;
use crate::policy::limits::{Counters, Limit};
use crate::policy::{self, Policy};
use crate::ports::{Store, StoreUnavailable};
use crate::providers::repeatability::Repeatability;
use crate::providers::{self, Candidates};
use crate::refusal::{Reason, Refusal};
use crate::settings::{Ready, Settings};

/// What is to become of a message.
pub struct Decision<'a> {
    /// Who it is for.
    pub recipient: Recipient<'a>,
    /// What the policy would refuse it for, if it did more than observe: then it is sent and not counted.
    pub would_refuse: Option<Reason>,
    /// Okta is told of the policy's refusal as of a success.
    pub told_as_successful: bool,
    /// The message, as far as the settings make one, whether it is refused or not.
    pub message: Result<Planned<'a>, Refusal>,
    /// Why the policy refuses it, if it does.
    refusal: Option<Refusal>,
}

/// A message that may be sent.
pub struct Planned<'a> {
    /// Who can send it.
    pub candidates: Candidates<'a>,
    /// Its text, which has the passcode in it.
    pub text: String,
    /// Its length, as it is billed.
    pub segments: Segments,
    /// The limits that count it.
    pub limits: Vec<Limit>,
    /// Where they stand.
    pub counters: Counters<'a>,
    /// A limit could not be looked at, since the store failed: nothing is counted.
    pub store_failed: bool,
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
/// A request for which there is no message: another channel, an expired passcode, no number; or a policy that is not
/// in order.
pub fn decide<'a>(
    settings: &'a Settings,
    request: &'a HookRequest,
    store: &'a dyn Store,
    now: OffsetDateTime,
) -> Result<Decision<'a>, Refusal> {
    let number = admit(request, now)?;
    let plan = number.plan();
    let canonical = number.canonical().into_owned();
    let policy = settings.policy.as_ref().map_err(|_| settings.misconfigured())?;
    let mut decision = Decision {
        message: plan_message(settings, request, &canonical, plan, store, now),
        recipient: Recipient { number, canonical, plan },
        would_refuse: None,
        told_as_successful: false,
        refusal: None,
    };
    decision.hold_to(policy, policy::check(policy, number, plan, request.enrollment));
    decision.look_at_limits(policy, request.event_id.as_deref());
    Ok(decision)
}

/// The message to a recipient, for which all that messages need must be in order.
fn plan_message<'a>(
    settings: &'a Settings,
    request: &HookRequest,
    canonical: &str,
    plan: Plan,
    store: &'a dyn Store,
    now: OffsetDateTime,
) -> Result<Planned<'a>, Refusal> {
    let Ready { policy, wording, providers, store_key } = settings.ready()?;
    // From the event's time, not from this moment, so that a repeated call makes the same text.
    let first_sent = Repeatability::first_sent(request.event_time, now);
    let text = wording.text(&request.passcode(first_sent));
    Ok(Planned {
        candidates: providers::candidates(providers, plan.region)?,
        segments: message::segments(&text),
        text,
        limits: policy::limits_of(policy, request.asking(canonical)),
        counters: Counters::new(store_key, store, now),
        store_failed: false,
    })
}

impl<'a> Decision<'a> {
    /// The message that is to be sent, or why none is.
    pub fn verdict(&self) -> Result<(), &Refusal> {
        match &self.refusal {
            Some(refusal) => Err(refusal),
            None => self.message.as_ref().map(drop),
        }
    }

    /// Whether the message counts against its limits: one that the policy would refuse does not, nor one of which the
    /// store did not tell where its limits stand.
    pub fn is_counted(&self) -> bool {
        self.would_refuse.is_none()
            && self.message.as_ref().is_ok_and(|message| !message.store_failed)
    }

    /// The message that is to be sent.
    pub fn into_message(self) -> Result<(&'a PhoneNumber, Planned<'a>), Refusal> {
        match self.refusal {
            Some(refusal) => Err(refusal),
            None => Ok((self.recipient.number, self.message?)),
        }
    }

    /// Takes in what the policy says.
    fn hold_to(&mut self, policy: &Policy, checked: Result<(), Refusal>) {
        let Err(refusal) = checked else { return };
        if policy.lets_pass(refusal.reason) {
            self.would_refuse = Some(refusal.reason);
            return;
        }
        self.told_as_successful = !policy.refused_as_failed;
        self.refusal = Some(refusal);
    }

    fn look_at_limits(&mut self, policy: &Policy, event_id: Option<&str>) {
        let (None, None, Ok(message)) = (&self.refusal, self.would_refuse, &mut self.message)
        else {
            return;
        };
        match message.reached(event_id, self.recipient.number) {
            Ok(None) => {}
            Ok(Some(refusal)) => self.hold_to(policy, Err(refusal)),
            // A sign-in is worth more than a limit.
            Err(StoreUnavailable) => message.store_failed = true,
        }
    }
}

impl Planned<'_> {
    /// The refusal by the first of its limits that is reached. A repeat of an event that they have counted is not held to them.
    fn reached(
        &mut self,
        event_id: Option<&str>,
        number: &PhoneNumber,
    ) -> Result<Option<Refusal>, StoreUnavailable> {
        if let Some(event_id) = event_id
            && self.counters.is_repeat(event_id, number.as_str(), &self.limits)?
        {
            return Ok(None);
        }
        for limit in &self.limits {
            if self.counters.used(limit)? >= limit.rate.count() {
                return Ok(Some(policy::limit_reached(limit.scope, limit.rate)));
            }
        }
        Ok(None)
    }
}
