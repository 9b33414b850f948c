//! Whether a passcode is sent, to whom, with which text and by whom: a function of the settings, the request, the counters
//! and what the guard blocks. It reads those, and writes and sends nothing, so it also explains a number to the operator.
//!
//! The policy speaks first, whatever else may be wrong with the settings: what it refuses must not reach Okta as a
//! failure of the hook, upon which Okta sends the passcode itself.

use numbering::Plan;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::admit::admit;
use super::request::HookRequest;
use crate::guard::blocks::Verdict;
use crate::guard::{Guard, Key, Look, Mode};
use crate::message::{self, Announcement, Channel, Segments};
use crate::phone_number::PhoneNumber;
use crate::policy::limits::{Counters, Limit};
use crate::policy::{self, Asking, Policy};
use crate::ports::{Store, StoreUnavailable, date, milliseconds};
use crate::providers::repeatability::Repeatability;
use crate::providers::{self, Candidate, Content};
use crate::records::Moment;
use crate::refusal::{Reason, Refusal};
use crate::settings::{Ready, Settings};

/// What is to become of a message.
pub struct Decision<'a> {
    /// Who it is for.
    pub recipient: Recipient<'a>,
    /// What the guard says, where it was asked.
    pub guard: Option<Look>,
    /// What the policy would refuse it for, if it did more than observe: then it is sent and not counted.
    policy_would_refuse: Option<Reason>,
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
    pub candidates: Vec<Candidate<'a>>,
    /// What it says, which has the passcode in it.
    pub body: Body,
    /// The limits that count it.
    pub limits: Vec<Limit>,
    /// Where they stand.
    pub counters: Counters<'a>,
    /// A limit could not be looked at, since the store failed: nothing is counted.
    pub store_failed: bool,
}

/// What a message says.
pub enum Body {
    /// A text, and its length as it is billed.
    Text(String, Segments),
    /// The words of a call.
    Call(Announcement),
}

impl Body {
    /// As a provider is told it.
    pub fn content(&self) -> Content<'_> {
        match self {
            Self::Text(text, _) => Content::Text(text),
            Self::Call(announcement) => Content::Call(announcement),
        }
    }

    /// The length of a text; `None` of a call, which is billed by the time that it takes.
    pub fn segments(&self) -> Option<Segments> {
        match self {
            Self::Text(_, segments) => Some(*segments),
            Self::Call(_) => None,
        }
    }
}

/// Who a message is for.
pub struct Recipient<'a> {
    /// The number, as Okta wrote it.
    pub number: &'a PhoneNumber,
    /// The form by which limits and records know it.
    pub canonical: String,
    /// What the numbering plans know of it.
    pub plan: Plan,
    /// It is one that canary messages go to.
    pub is_canary: bool,
}

/// Decides on a request. The counters are looked at only where nothing else refuses the message, and the guard is asked last.
///
/// # Errors
///
/// A request for which there is no message: another channel, an expired passcode, no number; or a policy that is not
/// in order.
pub fn decide<'a>(
    settings: &'a Settings,
    request: &'a HookRequest,
    guard: Option<&Guard<'_>>,
    store: &'a dyn Store,
    now: OffsetDateTime,
) -> Result<Decision<'a>, Refusal> {
    let (channel, number) = admit(request, now)?;
    let plan = number.plan();
    let canonical = number.canonical().into_owned();
    let policy = settings.policy.as_ref().map_err(|_| settings.misconfigured())?;
    // A list that is not in order has no canaries; the check of the configuration tells of it.
    let is_canary = settings.canary.as_ref().is_ok_and(|canaries| canaries.contain(number));
    let recipient = Recipient { number, canonical, plan, is_canary };
    let mut decision = Decision {
        message: plan_message(settings, request, channel, &recipient, store, now),
        recipient,
        guard: None,
        policy_would_refuse: None,
        told_as_successful: false,
        refusal: None,
    };
    decision.hold_to(policy, policy::check(policy, number, plan, channel, request.enrollment));
    decision.look_at_limits(policy, request.event_id.as_deref());
    if let Some(guard) = guard {
        decision.ask(guard, policy, store, now);
    }
    Ok(decision)
}

/// The message to a recipient, for which all that messages need must be in order.
fn plan_message<'a>(
    settings: &'a Settings,
    request: &HookRequest,
    channel: Channel,
    recipient: &Recipient<'_>,
    store: &'a dyn Store,
    now: OffsetDateTime,
) -> Result<Planned<'a>, Refusal> {
    let Ready { policy, wording, providers, store_key } = settings.ready()?;
    // From the event's time, not from this moment, so that a repeated call makes the same text.
    let first_sent = Repeatability::first_sent(request.event_time, now);
    let passcode = request.passcode(first_sent);
    let body = match channel {
        Channel::Sms => {
            let text = wording.text(&passcode);
            let segments = message::segments(&text);
            Body::Text(text, segments)
        }
        Channel::Call => Body::Call(wording.announcement(&passcode)),
    };
    let weight = body.segments().map_or(1, |segments| segments.count);
    let Recipient { canonical, plan, is_canary, .. } = recipient;
    let asking = Asking { is_canary: *is_canary, ..request.asking(canonical, channel, weight) };
    Ok(Planned {
        candidates: providers::candidates(providers, channel, plan.region, canonical)?,
        body,
        limits: policy::limits_of(policy, asking),
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

    /// What the policy or the guard would refuse it for, if it did more than observe.
    pub fn would_refuse(&self) -> Option<Reason> {
        let is_blocked = self.refusal.is_none() && self.block().is_some();
        self.policy_would_refuse.or(is_blocked.then_some(Reason::ConversionTooLow))
    }

    /// What the guard blocks, if the message is to it.
    pub fn block(&self) -> Option<Key> {
        match self.guard.as_ref()?.verdict {
            Verdict::Blocked { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Whether the message counts against its limits: one that the policy would refuse does not, nor one of which the
    /// store did not tell where its limits stand.
    pub fn is_counted(&self) -> bool {
        self.policy_would_refuse.is_none()
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
            self.policy_would_refuse = Some(refusal.reason);
            return;
        }
        self.refuse(policy, refusal);
    }

    fn refuse(&mut self, policy: &Policy, refusal: Refusal) {
        self.told_as_successful = !policy.refused_as_failed;
        self.refusal = Some(refusal);
    }

    /// Takes in what the guard says. It has a mode of its own: a policy that only observes does not keep it from refusing.
    fn ask(&mut self, guard: &Guard<'_>, policy: &Policy, store: &dyn Store, now: OffsetDateTime) {
        if self.refusal.is_some() || self.message.is_err() || self.recipient.is_canary {
            return;
        }
        let Recipient { canonical, plan, .. } = &self.recipient;
        let look = guard.look(canonical, plan.region, store, milliseconds(now));
        if let Verdict::Blocked { key, until } = look.verdict
            && guard.rules.mode == Mode::Enforce
        {
            self.refuse(policy, blocked(key, until));
        }
        self.guard = Some(look);
    }

    fn look_at_limits(&mut self, policy: &Policy, event_id: Option<&str>) {
        let (None, None, Ok(message)) =
            (&self.refusal, self.policy_would_refuse, &mut self.message)
        else {
            return;
        };
        match message.reached(event_id, self.recipient.number) {
            Ok(None) => {}
            Ok(Some(refusal)) => self.hold_to(policy, Err(refusal)),
            // A sign-in is worth more than a limit.
            Err(_) => message.store_failed = true,
        }
    }
}

/// The refusal of a message to what the guard blocks.
fn blocked(key: Key, until: Moment) -> Refusal {
    let until = date(until).format(&Rfc3339).unwrap_or_default();
    let of = match key {
        Key::Block(_) => "numbers that differ in their last four digits only",
        Key::Country(_) => "this country",
    };
    let told = format!(
        "Passcodes to {of} are hardly ever typed in, so none is sent there until {until}: see the hook's log."
    );
    let fix = format!(
        "Passcodes to {of} are hardly ever typed in, as in an attack, so none is sent there until {until}. If these are your \
         people, add \"{key}\" to guard.lifted, or the beginning of their numbers to guard.exempt_prefixes."
    );
    Refusal::new(Reason::ConversionTooLow, told).with_log_fix(fix)
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
            if !self.counters.admits(limit)? {
                return Ok(Some(policy::limit_reached(limit.scope, limit.rate)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeHost;
    use proptest::prelude::*;
    use time::Duration;

    /// A message that somebody asks for.
    #[derive(Clone, Copy, Debug)]
    struct Asked {
        at: OffsetDateTime,
        is_enrollment: bool,
        number: &'static str,
        user: &'static str,
        address: &'static str,
        channel: Channel,
        text: &'static str,
    }

    /// Has the first of the numbers be a canary's.
    const CANARY: &str = "\ncanary.numbers = ['+1 (425) 555-0123']";

    const TEXTS: [&str; 2] = [
        "Code ${code}",
        "Код ${code}: никому его не говорите, даже тем, кто позвонит и скажет, что он от нас",
    ];

    impl Asked {
        fn request(&self) -> HookRequest {
            HookRequest {
                event_id: None,
                event_time: None,
                channel: Some(self.channel),
                phone_number: Ok(PhoneNumber::parse(self.number).unwrap()),
                otp_code: "123456".into(),
                otp_expires: None,
                valid_until: None,
                msg_template: Some(self.text.into()),
                locale: None,
                enrollment: self.is_enrollment,
                user_id: Some(self.user.into()),
                ip_address: Some(self.address.into()),
                preview: false,
                ignored: Vec::new(),
            }
        }
    }

    /// Which of these messages are sent, each counted as the hook does it.
    fn sent(limits: &str, asked: impl IntoIterator<Item = Asked>) -> Vec<bool> {
        let providers = "[[providers]]\nkind = \"acs\"\n[[providers]]\nkind = \"infobip\"\n\
                         base_url = \"https://abc12.api.infobip.com\"\nsenders.default = \"CONTOSO\"\n\
                         voice = true\nvoice_from = \"+447860099299\"";
        let host = FakeHost::default()
            .with_settings(&format!("limits = {limits}\n{providers}"))
            .with_secrets("providers.infobip.api_key = \"0123456789abcdef\"");
        let settings = Settings::read(&host);
        let is_sent = |asked: Asked| {
            let request = asked.request();
            match decide(&settings, &request, None, &host, asked.at).unwrap().into_message() {
                Ok((_, message)) => message.counters.commit().is_ok(),
                Err(refusal) => {
                    assert_eq!(refusal.reason, Reason::RateLimited, "{}", refusal.fix);
                    false
                }
            }
        };
        asked.into_iter().map(is_sent).collect()
    }

    #[test]
    fn a_canary_needs_room_in_every_limit_and_takes_it_in_that_of_its_number_only() {
        let to = |number| Asked {
            at: OffsetDateTime::UNIX_EPOCH,
            is_enrollment: false,
            number,
            user: "u",
            address: "192.0.2.1",
            channel: Channel::Sms,
            text: TEXTS[0],
        };
        let (canary, person) = (to("+14255550123"), to("+14255550124"));
        let asked = [canary, canary, person, person, person, canary];
        let with = |limits: &str| sent(&[limits, CANARY].concat(), asked);
        for limits in ["{ total = '2/1h' }", "{ per_user = '2/1h' }", "{ per_ip = '2/1h' }"] {
            assert_eq!(with(limits), [true, true, true, true, false, false], "{limits}");
        }
        let expected = [true, false, true, false, false, false];
        assert_eq!(with("{ per_number = '1/1h' }"), expected);
    }

    #[test]
    fn the_limits_in_total_count_segments_and_the_others_messages() {
        let [short, long] = TEXTS;
        assert_eq!((message::segments(short).count, message::segments(long).count), (1, 2));
        for is_enrollment in [false, true] {
            let asked = |text| Asked {
                at: OffsetDateTime::UNIX_EPOCH,
                is_enrollment,
                number: "+14255550123",
                user: "u",
                address: "192.0.2.1",
                channel: Channel::Sms,
                text,
            };
            let four = [long, short, long, short].map(asked);
            assert_eq!(sent("{ total = '4/1h' }", four), [true, true, false, true]);
            assert_eq!(sent("{ per_number = '3/1h' }", four), [true, true, true, false]);
        }
    }

    fn one_of_channels() -> impl Strategy<Value = Channel> {
        prop_oneof![Just(Channel::Sms), Just(Channel::Call)]
    }

    /// Messages that strangers and the person ask for in any order: for few numbers, users and addresses, so that they
    /// meet at every limit.
    fn interleavings() -> impl Strategy<Value = Vec<Asked>> {
        let one_of = prop::sample::select::<&'static str>;
        let asked = (
            any::<bool>(),
            one_of(vec!["+14255550123", "+14255550124", "+4915123456789"]),
            one_of(vec!["u1", "u2"]),
            one_of(vec!["192.0.2.1", "192.0.2.2"]),
            one_of(TEXTS.to_vec()),
            0..120_i64,
            one_of_channels(),
        );
        prop::collection::vec(asked, 0..60).prop_map(|all| {
            let mut at = OffsetDateTime::UNIX_EPOCH;
            let asked = all.into_iter().map(
                |(is_enrollment, number, user, address, text, pause, channel)| {
                    at += Duration::seconds(pause);
                    Asked { at, is_enrollment, number, user, address, channel, text }
                },
            );
            asked.collect()
        })
    }

    /// Limits of which each is reached within the interleavings, some of them off.
    fn limits() -> impl Strategy<Value = String> {
        let rate = || {
            let rate = (1..6_u32, 60..1800_u32);
            prop_oneof![
                Just(String::new()),
                rate.prop_map(|(count, window)| format!("{count}/{window}s"))
            ]
        };
        let rates = (rate(), rate(), rate(), rate(), rate(), rate(), rate(), rate());
        rates.prop_map(|(a, b, c, d, e, f, g, h)| {
            format!(
                "{{ per_number = '{a}', per_user = '{b}', per_ip = '{c}', per_prefix = '{d}', total = '{e}', \
                 enrollment_total = '{f}', calls_per_number = '{g}', calls_total = '{h}' }}"
            )
        })
    }

    /// Which messages of a kind are sent among all, and which without those of the other kinds.
    fn sent_among_all_and_alone(
        limits: &str,
        asked: &[Asked],
        is_of_kind: impl Fn(&Asked) -> bool + Copy,
    ) -> (Vec<bool>, Vec<bool>) {
        let among_all = sent(limits, asked.iter().copied()).into_iter().zip(asked);
        (
            among_all.filter(|(_, asked)| is_of_kind(asked)).map(|(sent, _)| sent).collect(),
            sent(limits, asked.iter().copied().filter(is_of_kind)),
        )
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_by_enrolment_sign_ins_are_admitted_up_to_their_own_limits(
            limits in limits(), asked in interleavings()
        ) {
            let (among_all, alone) = sent_among_all_and_alone(&limits, &asked, |asked| !asked.is_enrollment);
            prop_assert_eq!(among_all, alone, "{}", limits);
        }

        #[test]
        fn whatever_is_asked_for_by_sign_in_enrolments_are_admitted_up_to_their_own_limits(
            limits in limits(), asked in interleavings()
        ) {
            let (among_all, alone) = sent_among_all_and_alone(&limits, &asked, |asked| asked.is_enrollment);
            prop_assert_eq!(among_all, alone, "{}", limits);
        }

        #[test]
        fn whatever_is_asked_for_by_one_channel_the_other_is_admitted_up_to_its_own_limits(
            limits in limits(), asked in interleavings(), channel in one_of_channels()
        ) {
            let is_of_channel = |asked: &Asked| asked.channel == channel;
            let (among_all, alone) = sent_among_all_and_alone(&limits, &asked, is_of_channel);
            prop_assert_eq!(among_all, alone, "{}", limits);
        }

        #[test]
        fn whatever_is_asked_for_canaries_everybody_else_is_admitted_up_to_their_own_limits(
            limits in limits(), asked in interleavings()
        ) {
            let limits = [&limits, CANARY].concat();
            let is_a_person = |asked: &Asked| asked.number != "+14255550123";
            let (among_all, alone) = sent_among_all_and_alone(&limits, &asked, is_a_person);
            prop_assert_eq!(among_all, alone, "{}", limits);
        }
    }
}
