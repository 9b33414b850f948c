//! What became of passcodes: the sends and the uses of the same people, put together.
//!
//! A pure function of both, so that neither the order in which events come, nor how often, makes a difference.

use std::collections::BTreeMap;

use super::{Hash8, Sent, Use, What};
use crate::records::Moment;

/// For how long after a passcode's expiry its use is still one: clocks are apart, and Okta checks before it tells.
const AFTER_EXPIRY: u64 = 2 * 60 * 1000;

/// By how much the clock of a host may be ahead of Okta's, so that a passcode seems to be used before it was sent.
const AHEAD: u64 = 30 * 1000;

/// Within which time two events that a phone was enrolled are of one passcode: Okta may tell one for each channel of the
/// phone, "typically … with the exact same timestamp" (Okta's support, "Duplicated user.mfa.factor.activate events for SMS
/// and voice enrollment in OIE").
pub const OF_ONE_ENROLMENT: u64 = 2000;

/// How long after a send another method still excuses it.
const EXCUSED_WITHIN: u64 = 60 * 60 * 1000;

/// How many sends of one person other methods excuse. Attack: an account of the attacker's own, with a method that costs
/// nothing, would otherwise excuse any number of sends.
const MOST_EXCUSED: usize = 3;

/// What became of a passcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    Unused,
    /// It was typed in, at this time.
    Used(Moment),
    /// The person asked for another one, to the same number, while it was valid. To another number it would be a way
    /// around the guard: one account, and a thousand numbers.
    Superseded,
    /// The person signed in by another method, or has the phone no more.
    Excused,
}

/// What became of each of these sends, by these uses. All sends and uses of a person must be among them.
pub fn fates(sends: &[Sent], uses: &[Use]) -> Vec<Fate> {
    let mut people = BTreeMap::<Hash8, (Vec<usize>, Vec<&Use>)>::new();
    for (at, send) in sends.iter().enumerate() {
        people.entry(send.user).or_default().0.push(at);
    }
    for it in uses {
        if let Some((_, of_person)) = people.get_mut(&it.user) {
            of_person.push(it);
        }
    }
    let mut fates = vec![Fate::Unused; sends.len()];
    for (mut theirs, mut uses) in people.into_values() {
        theirs.sort_by_key(|&at| (sends[at].at, sends[at].number));
        uses.sort_by_key(|it| (it.at, it.id));
        uses.dedup_by_key(|it| it.id);
        convert(sends, &theirs, &uses, &mut fates);
        supersede(sends, &theirs, &mut fates);
        excuse(sends, &theirs, &uses, &mut fates);
    }
    fates
}

/// Which of a person's sends were used.
fn convert(sends: &[Sent], theirs: &[usize], uses: &[&Use], fates: &mut [Fate]) {
    let mut enrolled: Option<Moment> = None;
    for it in uses {
        let (channel, is_enrolment) = match it.what {
            What::Phone(channel) => (channel, false),
            What::Activated => (None, true),
            What::WrongCode | What::OtherMethod | What::Removed => continue,
        };
        if is_enrolment {
            if enrolled.is_some_and(|before| it.at - before <= OF_ONE_ENROLMENT) {
                continue;
            }
            enrolled = Some(it.at);
        }
        let is_open = |&&at: &&usize| {
            let send = &sends[at];
            fates[at] == Fate::Unused
                && send.at <= it.at.saturating_add(AHEAD)
                && it.at <= send.expires.saturating_add(AFTER_EXPIRY)
                && (send.is_enrollment || !is_enrolment)
        };
        // The newest that was sent before; one by the channel that the event names, if there is one; and an enrolment only
        // where no sign-in is open. Attack: who signs in by their own phone, while a passcode to a number that pays them is
        // open, would have that one look used.
        let is_by = |at: usize| channel.is_none_or(|channel| sends[at].channel == channel);
        let newest = theirs.iter().filter(is_open).max_by_key(|&&at| {
            let send = &sends[at];
            (send.at <= it.at, is_by(at), send.is_enrollment == is_enrolment, send.at)
        });
        if let Some(&at) = newest {
            fates[at] = Fate::Used(it.at);
        }
    }
}

fn supersede(sends: &[Sent], theirs: &[usize], fates: &mut [Fate]) {
    for (place, &at) in theirs.iter().enumerate() {
        let send = &sends[at];
        let replaces =
            |&later: &usize| sends[later].number == send.number && sends[later].at <= send.expires;
        if fates[at] == Fate::Unused && theirs[place + 1..].iter().any(replaces) {
            fates[at] = Fate::Superseded;
        }
    }
}

fn excuse(sends: &[Sent], theirs: &[usize], uses: &[&Use], fates: &mut [Fate]) {
    let excuses = |it: &&&Use| matches!(it.what, What::OtherMethod | What::Removed);
    let is_excused = |send: &Sent| {
        let within = send.at..=send.at.saturating_add(EXCUSED_WITHIN);
        uses.iter().filter(excuses).any(|it| within.contains(&it.at))
    };
    let mut left = MOST_EXCUSED;
    for &at in theirs {
        if left > 0 && fates[at] == Fate::Unused && is_excused(&sends[at]) {
            fates[at] = Fate::Excused;
            left -= 1;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::message::Channel;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;

    /// A send of a person to a number, some minutes after 1970 began. The passcode is valid for five.
    pub(in crate::guard) fn send(user: u8, number: u8, minute: u64) -> Sent {
        Sent {
            at: minute * MINUTE,
            expires: (minute + 5) * MINUTE,
            user: Hash8::from_bytes([user; 8]),
            number: Hash8::from_bytes([number; 8]),
            block: Hash8::from_bytes([100; 8]),
            region: None,
            channel: Channel::Sms,
            is_enrollment: false,
            is_recovery: false,
            would_refuse: false,
            provider: "acs".into(),
            message_id: None,
        }
    }

    pub(in crate::guard) fn it(id: u8, user: u8, minute: u64, what: What) -> Use {
        let at = minute * MINUTE + 1000;
        Use { id: Hash8::from_bytes([id; 8]), user: Hash8::from_bytes([user; 8]), at, what }
    }

    const PHONE: What = What::Phone(None);

    fn names(sends: &[Sent], uses: &[Use]) -> String {
        let letter = |fate| match fate {
            Fate::Unused => '-',
            Fate::Used(_) => 'u',
            Fate::Superseded => 's',
            Fate::Excused => 'e',
        };
        fates(sends, uses).into_iter().map(letter).collect()
    }

    #[test]
    fn a_use_is_of_the_newest_send_before_it_that_has_not_expired() {
        let sends = [send(1, 1, 0), send(1, 2, 2), send(2, 3, 0)];
        for (uses, fates) in [
            (vec![], "---"),
            (vec![it(1, 1, 3, PHONE)], "-u-"),
            (vec![it(1, 1, 1, PHONE)], "u--"),
            // By a host whose clock is ahead.
            (vec![Use { at: 100_000, ..it(1, 1, 1, PHONE) }], "u--"),
            (
                vec![Use { at: 2 * MINUTE - 10_000, ..it(1, 1, 1, PHONE) }, it(2, 1, 1, PHONE)],
                "uu-",
            ),
            (vec![it(1, 1, 3, PHONE), it(2, 1, 4, PHONE)], "uu-"),
            (vec![it(1, 1, 8, PHONE)], "-u-"),
            (vec![it(1, 1, 9, PHONE)], "---"),
            (vec![it(1, 2, 6, PHONE)], "--u"),
            (vec![it(1, 3, 1, PHONE)], "---"),
            (vec![it(1, 1, 3, What::WrongCode)], "---"),
        ] {
            assert_eq!(names(&sends, &uses), fates, "{uses:?}");
        }
    }

    #[test]
    fn a_use_by_a_channel_is_of_a_send_by_it_if_there_is_one() {
        let call = Sent { channel: Channel::Call, ..send(1, 2, 1) };
        let by = |channel| [it(1, 1, 2, What::Phone(Some(channel)))];
        assert_eq!(names(&[send(1, 1, 0), call.clone()], &by(Channel::Sms)), "u-");
        assert_eq!(names(&[send(1, 1, 0), call.clone()], &by(Channel::Call)), "-u");
        assert_eq!(names(&[call], &by(Channel::Sms)), "u");
    }

    #[test]
    fn an_enrolment_is_told_twice_and_counts_once_and_for_enrolments_only() {
        let enrols = |number| Sent { is_enrollment: true, ..send(1, number, 0) };
        let twice = [it(1, 1, 1, What::Activated), it(2, 1, 1, What::Activated)];
        assert_eq!(names(&[enrols(1), enrols(2)], &twice).matches('u').count(), 1);
        assert_eq!(names(&[send(1, 1, 0)], &twice), "-");
    }

    #[test]
    fn a_sign_in_is_by_no_enrolment_while_another_send_is_open() {
        let enrols = Sent { is_enrollment: true, ..send(1, 2, 1) };
        assert_eq!(names(&[send(1, 1, 0), enrols.clone()], &[it(1, 1, 2, PHONE)]), "u-");
        assert_eq!(names(&[enrols], &[it(1, 1, 2, PHONE)]), "u");
    }

    #[test]
    fn another_passcode_to_the_same_number_supersedes_and_to_another_number_does_not() {
        assert_eq!(names(&[send(1, 1, 0), send(1, 1, 1)], &[]), "s-");
        assert_eq!(names(&[send(1, 1, 0), send(1, 2, 1)], &[]), "--");
        assert_eq!(names(&[send(1, 1, 0), send(2, 1, 1)], &[]), "--");
        assert_eq!(names(&[send(1, 1, 0), send(1, 1, 6)], &[]), "--");
        assert_eq!(names(&[send(1, 1, 0), send(1, 1, 1)], &[it(1, 1, 2, PHONE)]), "su");
    }

    #[test]
    fn another_method_excuses_three_sends_of_a_person_within_an_hour() {
        let sends: Vec<_> = (0..5).map(|number| send(1, number, 0)).collect();
        for what in [What::OtherMethod, What::Removed] {
            assert_eq!(names(&sends, &[it(1, 1, 1, what)]), "eee--");
            assert_eq!(names(&sends, &[it(1, 1, 60, what)]), "-----");
        }
        assert_eq!(names(&[send(1, 1, 2)], &[it(1, 1, 1, What::OtherMethod)]), "-");
    }

    pub(in crate::guard) fn sends() -> impl Strategy<Value = Vec<Sent>> {
        let one = (0..4_u8, 0..6_u8, 0..30_u64, any::<bool>(), any::<bool>()).prop_map(
            |(user, number, minute, is_enrollment, is_call)| Sent {
                is_enrollment,
                channel: if is_call { Channel::Call } else { Channel::Sms },
                ..send(user, number, minute)
            },
        );
        prop::collection::vec(one, 0..30)
    }

    pub(in crate::guard) fn uses() -> impl Strategy<Value = Vec<Use>> {
        let what = prop_oneof![
            4 => Just(PHONE),
            2 => Just(What::Phone(Some(Channel::Sms))),
            1 => Just(What::Phone(Some(Channel::Call))),
            2 => Just(What::Activated),
            1 => Just(What::WrongCode),
            1 => Just(What::OtherMethod),
            1 => Just(What::Removed),
        ];
        let one = (0..4_u8, 0..40_u64, what);
        prop::collection::vec(one, 0..30).prop_map(|all| {
            let of = |(id, (user, minute, what)): (usize, (u8, u64, What))| {
                it(id as u8, user, minute, what)
            };
            all.into_iter().enumerate().map(of).collect()
        })
    }

    proptest! {
        #[test]
        fn in_whatever_order_and_however_often_events_come_their_fates_are_the_same(
            sends in sends(), (uses, shuffled) in uses().prop_flat_map(|uses| {
                let twice: Vec<_> = uses.iter().chain(&uses).cloned().collect();
                (Just(uses), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(fates(&sends, &shuffled), fates(&sends, &uses));
        }

        #[test]
        fn each_lost_use_costs_one_conversion_at_most_and_brings_none(
            sends in sends(), uses in uses(), lost in any::<prop::sample::Index>()
        ) {
            prop_assume!(!uses.is_empty());
            let used = |uses: &[Use]| {
                fates(&sends, uses).iter().filter(|it| matches!(it, Fate::Used(_))).count()
            };
            let mut fewer = uses.clone();
            let lost = fewer.remove(lost.index(uses.len()));
            let (all, rest) = (used(&uses), used(&fewer));
            prop_assert!(rest <= all + 1 && all <= rest + 1, "{} {}: {:?}", all, rest, lost);
        }
    }
}
