//! Two roads to the phone: a message that the first can't take goes over to the second, inside the
//! same deadline, and a road that fails again and again is left aside until it works again.
//!
//! # When a message goes over
//!
//! | the first road | then |
//! |---|---|
//! | can't be reached, is not trusted, is not allowed; 3xx; 401, 403, 404, 408, 429; 501, 503 and other 5xx; its recipient's own 401, 403, 408, 429 or 5xx | over at once: nothing was sent |
//! | the connection breaks; 500, 502, 504 | once more on the same road after 100 ms, then over |
//! | 409, its recipient's own too: an earlier attempt is in progress | again on the same road, until its time ends |
//! | has not answered when its time ends | over |
//! | 400, 412 and other 4xx; its recipient's own 400 or 404 | not over: the message is wrong |
//! | a 202, or another answer, that can't be understood | not over: the message was most likely taken |
//!
//! One repeat, not two: what ails one connection, or one front end, is past it after one; what ails
//! the road would cost the second one 200 ms more. After the head of a 202 nothing goes over, so the
//! road has all the time that there is, and is tried as often as a single one.
//!
//! The first road has half of the time, the second one what is left; the one tried last is tried as
//! often as a single one is. Where both roads are one resource, with its two keys, there is nothing
//! to go over to: the first key has all the time, and the second signs where ACS does not take the
//! first (401, 403).
//!
//! # Doubles
//!
//! Each ACS resource knows repeated requests of its own only. So a message may come twice, with the
//! same passcode, where the first road may have taken it without saying so in time, and the second
//! one sends it too: the first was late, or its connection broke, or it answered 409, 500, 502 or
//! 504, and the repeat did not settle it. [`Delivery::may_be_double`] says so. So may an event for
//! which Okta calls the hook twice, where each call takes another road; of that, no call knows.
//!
//! # Down
//!
//! Okta runs few hooks of an org at once, so that hooks that hang hold up everybody's. A road that
//! failed 5 times in 30 seconds, without a success, is down: hooks take the other one first, which
//! is then tried as if it were alone, but leaves [`LAST_RESORT`] for the one that is down. Every 5
//! seconds one hook probes a primary that is down: it takes it first, as if it were up. (In less
//! time than that, a road that is slower than the limit would never be found up.) A secondary that
//! is down is as good as up again after 5 seconds, when its next message is its probe. Any success
//! on a road forgets its failures. With both down, it is as with both up, since something must be
//! tried.
//!
//! The store has no atomic change, so of two hooks that write at once one write is lost. That is
//! harmless, as nothing but the order of the roads and their time depends on it: a failure that is
//! lost puts a road down one failure later, a probe's start that is lost makes two probes, and a
//! road that is up but written down again is found out by the next probe, after 5 seconds.

use std::iter;
use std::time::Duration;

use crate::ports::{Instant, Ports, Store, StoreUnavailable};
use crate::providers::acs::sms::{
    self, Acs, Attempted, Message, Road, SHORTEST_ATTEMPT, Tried, Turn,
};
use crate::records::health::{Record, Records};
use crate::refusal::{Reason, Refusal};

/// What is left, of a hook's time, for a road that is down, after the other one.
pub const LAST_RESORT: Duration = Duration::from_millis(300);

/// Where both roads' records are kept.
const KEY: &str = "okta-telephony-acs/roads";

/// The roads that a message may take.
#[derive(Clone, Copy, Debug)]
pub struct Roads<'a> {
    /// The first.
    pub primary: &'a Acs,
    /// The second, where there is one for this recipient.
    pub secondary: Option<&'a Acs>,
}

impl<'a> Roads<'a> {
    /// One of them; the primary where there is no other.
    pub fn acs(&self, road: Road) -> &'a Acs {
        match road {
            Road::Primary => self.primary,
            Road::Secondary => self.secondary.unwrap_or(self.primary),
        }
    }
}

/// What became of a message.
#[derive(Debug)]
pub struct Delivery {
    /// The road whose outcome this is.
    pub road: Road,
    /// The attempts, on both roads, in order.
    pub attempts: Vec<(Road, Attempted)>,
    /// The last status that ACS gave on this road: the recipient's own where there is one.
    pub status: Option<u16>,
    /// ACS's error code for the whole request on this road, letters only, where it gave one.
    pub error_code: Option<String>,
    /// The time from the first attempt to the end of the last, on both roads.
    pub elapsed: Duration,
    /// The message id, which ACS may leave out, or why the message is not known to be sent.
    pub result: Result<Option<String>, Refusal>,
    /// Why the message went over to this road, where it did.
    pub went_over: Option<Reason>,
    /// Both roads may have sent the message, be the outcome what it is.
    pub may_be_double: bool,
    /// The store could not be read or written, so that roads that are down may not be known.
    pub store_failed: bool,
}

/// Sends a message over the road that is fit for it, and over the other one where that may help,
/// until `until` at the latest. With one road the store is not asked.
pub fn send(
    roads: &Roads<'_>,
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Delivery {
    let alone =
        Turn { road: Road::Primary, acs: roads.primary, until, deadline: until, patient: true };
    let Some(secondary) = roads.secondary else {
        return delivery(Road::Primary, sms::send(&alone, message, ports), None);
    };
    if roads.primary.resource.authority == secondary.resource.authority {
        return send_with_either_key(&alone, secondary, message, ports);
    }

    let remembered = read(ports.store);
    let mut store_failed = remembered.is_err();
    let mut records = remembered.unwrap_or_default();
    let choice = choose(&mut records, ports).unwrap_or_else(|StoreUnavailable| {
        store_failed = true;
        Choice::Half
    });

    let now = ports.clock.instant();
    let left = until.since(now);
    let (road, time, patient, last_resort) = match choice {
        Choice::Half => (Road::Primary, left / 2, false, None),
        Choice::Skip(down) => {
            (down.other(), left.saturating_sub(LAST_RESORT).max(left / 2), true, Some(down))
        }
    };
    // With too little time for two the first one has all of it. Just as much as an attempt is worth would be less
    // than that by the time its request is written, and nobody would be asked.
    let first_until = if time < SHORTEST_ATTEMPT { until } else { now.plus(time) };
    let turn = |road, until_then, patient| Turn {
        road,
        acs: roads.acs(road),
        until: until_then,
        deadline: until,
        patient,
    };
    let first = sms::send(&turn(road, first_until, patient), message, ports);
    let goes_over = first.may_go_over && first.ended.plus(SHORTEST_ATTEMPT) <= until;
    let second = goes_over.then(|| sms::send(&turn(road.other(), until, true), message, ports));

    let tried = [Some((road, &first)), second.as_ref().map(|second| (road.other(), second))];
    if !store_failed {
        store_failed = remember(tried, last_resort, records, ports).is_err();
    }
    let delivery = match second {
        None => delivery(road, first, None),
        Some(second) => delivery(road.other(), second, Some(first)),
    };
    Delivery { store_failed, ..delivery }
}

/// Sends over one resource, of which both keys are known. There is no other road, so the first key has
/// all the time, and only where ACS does not take it the second one signs.
fn send_with_either_key(
    first_key: &Turn<'_>,
    second_key: &Acs,
    message: &Message<'_>,
    ports: Ports<'_>,
) -> Delivery {
    let until = first_key.until;
    let first = sms::send(first_key, message, ports);
    let refused =
        first.result.as_ref().is_err_and(|refusal| refusal.reason == Reason::AcsUnauthorized);
    if !refused || first.ended.plus(SHORTEST_ATTEMPT) > until {
        return delivery(Road::Primary, first, None);
    }
    let turn =
        Turn { road: Road::Secondary, acs: second_key, until, deadline: until, patient: true };
    let second = sms::send(&turn, message, ports);
    // The resource knows the message again, whichever key signs it.
    Delivery { may_be_double: false, ..delivery(Road::Secondary, second, Some(first)) }
}

/// How the time is shared out.
enum Choice {
    /// The primary first, with half of it.
    Half,
    /// The road that is down last, with [`LAST_RESORT`].
    Skip(Road),
}

/// What the records speak for. A primary that is down is probed by being taken first now and then,
/// which other hooks are told before it starts; a secondary by being needed.
fn choose(records: &mut Records, ports: Ports<'_>) -> Result<Choice, StoreUnavailable> {
    let is_down = |road| records.of(road).is_down();
    let down = match [Road::Primary, Road::Secondary].map(is_down) {
        [true, false] => Road::Primary,
        [false, true] => Road::Secondary,
        _ => return Ok(Choice::Half),
    };
    let now = ports.clock.milliseconds();
    let record = records.of(down);
    if !record.probe_is_due(now) {
        return Ok(Choice::Skip(down));
    }
    if down == Road::Primary {
        record.put_probe_off(now);
        ports.store.set(KEY, &records.bytes())?;
    }
    Ok(Choice::Half)
}

fn read(store: &dyn Store) -> Result<Records, StoreUnavailable> {
    Ok(Records::parse(&store.get(KEY)?.unwrap_or_default()))
}

/// Writes down who failed and who is up again. `before` is what was known at the start: a success
/// after nothing is nothing to write. That the last resort failed is not news either: it was down, and in so
/// little time a road that is slow fails always, which must put off no probe.
fn remember(
    tried: [Option<(Road, &Tried)>; 2],
    last_resort: Option<Road>,
    mut before: Records,
    ports: Ports<'_>,
) -> Result<(), StoreUnavailable> {
    let tried = || {
        let tried = tried.iter().flatten();
        tried.filter(|(road, tried)| !tried.road_failed || Some(*road) != last_resort)
    };
    let news = |(road, tried): &(Road, &Tried)| {
        tried.road_failed || tried.result.is_ok() && *before.of(*road) != Record::default()
    };
    if !tried().any(news) {
        return Ok(());
    }
    // Read again: while this hook waited for a road, others have written what they saw of it.
    let mut records = read(ports.store)?;
    for (road, tried) in tried() {
        if tried.road_failed {
            records.of(*road).fail(ports.clock.milliseconds());
        } else if tried.result.is_ok() {
            *records.of(*road) = Record::default();
        }
    }
    ports.store.set(KEY, &records.bytes())
}

/// What became of the message, from the road that was tried last and the one before it.
fn delivery(road: Road, last: Tried, before: Option<Tried>) -> Delivery {
    let before = before.as_ref();
    let attempts_before = before.map_or(&[][..], |before| &before.attempts);
    let attempts_before = attempts_before.iter().map(|attempt| (road.other(), *attempt));
    let attempts = attempts_before.chain(last.attempts.iter().map(|attempt| (road, *attempt)));
    let may_be_sent_before = before.is_some_and(|tried| tried.may_be_sent);
    let went_over = before.and_then(|tried| Some(tried.result.as_ref().err()?.reason));
    let started = before.unwrap_or(&last).started;
    Delivery {
        road,
        attempts: attempts.collect(),
        status: last.status,
        error_code: last.error_code,
        elapsed: last.ended.since(started),
        may_be_double: last.may_be_sent && may_be_sent_before,
        result: last.result.map_err(|refusal| {
            let said = went_over.map(|reason| (road.other(), reason));
            completed(refusal, said, last.may_be_sent || may_be_sent_before)
        }),
        went_over,
        store_failed: false,
    }
}

/// A refusal with what the road before said, for the log, and with the warning.
fn completed(mut refusal: Refusal, before: Option<(Road, Reason)>, may_be_sent: bool) -> Refusal {
    if let Some((road, reason)) = before {
        let fix = refusal.log_fix.as_ref().unwrap_or(&refusal.fix);
        let log_fix =
            [fix.as_ref(), " The ", road.name(), " road had failed with ", reason.code(), "."]
                .concat();
        refusal = refusal.with_log_fix(log_fix);
    }
    if may_be_sent {
        for fix in iter::once(&mut refusal.fix).chain(&mut refusal.log_fix) {
            fix.to_mut().push_str(" The message may have been sent.");
        }
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone_number::PhoneNumber;
    use crate::ports::Clock;
    use crate::ports::fake::{Answers, FakeAnswer, FakeHost, ReadOnly};
    use crate::ports::{Answer, Body, BodyError, HttpClient, OutboundRequest, SendError};
    use crate::providers::acs::connection_string::ConnectionString;
    use crate::providers::acs::sms::Repeatability;
    use crate::sender::Sender;
    use proptest::prelude::*;
    use std::cell::RefCell;

    type Outcome = (Duration, Result<FakeAnswer, SendError>);

    const FIRST: &str = "contoso.communication.azure.com";
    const SECOND: &str = "fabrikam.communication.azure.com";
    const TIME: Duration = Duration::from_millis(2450);

    fn acs(authority: &str, key: &str, sender: &str) -> Acs {
        let resource = format!("endpoint=https://{authority}/;accesskey={key}");
        Acs {
            resource: ConnectionString::parse(&resource).unwrap(),
            api_version: "2021-03-07".into(),
            sender: Sender::parse(sender).unwrap(),
        }
    }

    fn send_over(host: &FakeHost, second: &str, ports: Ports<'_>, time: Duration) -> Delivery {
        let primary = acs(FIRST, "pw==", "12345");
        let secondary = acs(second, "c2VjcmV0", "+18005550199");
        let roads = Roads { primary: &primary, secondary: Some(&secondary) };
        let to = PhoneNumber::parse("+15550100123").unwrap();
        let repeatability = Repeatability::of(Some("event"), &to, None, host.now, host);
        let message = Message { to: &to, text: "Your code is 1", repeatability, tag: None };
        send(&roads, &message, ports, host.instant.get().plus(time))
    }

    fn send_one(host: &FakeHost) -> Delivery {
        send_over(host, SECOND, host.ports(), TIME)
    }

    fn host(
        first: impl IntoIterator<Item = Outcome>,
        second: impl IntoIterator<Item = Outcome>,
    ) -> FakeHost {
        FakeHost::default().answering_at(FIRST, first).answering_at(SECOND, second)
    }

    /// Requests on the first and on the second road.
    fn requests(host: &FakeHost) -> (usize, usize) {
        let sent = host.sent.borrow();
        let first = sent.iter().filter(|sent| sent.authority == FIRST).count();
        (first, sent.len() - first)
    }

    fn at_once(error: SendError) -> Outcome {
        (Duration::from_millis(1), Err(error))
    }

    fn hung() -> Outcome {
        (Duration::from_secs(60), Err(SendError::Broken))
    }

    fn recipient(status: u16) -> Outcome {
        let body = format!(r#"{{"value":[{{"httpStatusCode":{status},"successful":false}}]}}"#);
        FakeAnswer::of(202, &body)
    }

    fn accepted_without_body(error: BodyError) -> Outcome {
        let answer = FakeAnswer { status: 202, headers: Vec::new(), body: Err(error) };
        (Duration::from_millis(20), Ok(answer))
    }

    fn is_acceptance((_, answer): &Outcome) -> bool {
        let body = answer.as_ref().ok().and_then(|answer| answer.body.as_ref().ok());
        body.is_some_and(|body| body.contains("messageId"))
    }

    fn fix(delivery: &Delivery) -> &str {
        &delivery.result.as_ref().unwrap_err().fix
    }

    fn log_fix(delivery: &Delivery) -> &str {
        delivery.result.as_ref().unwrap_err().log_fix.as_deref().unwrap()
    }

    /// The host, `seconds` later.
    fn later(mut host: FakeHost, seconds: u64) -> FakeHost {
        host.now += Duration::from_secs(seconds);
        host.sent.borrow_mut().clear();
        host.store_calls.borrow_mut().clear();
        host
    }

    /// A host on which a road has just been found down, at its `now`.
    fn with_down(down: &[Road]) -> FakeHost {
        let host = FakeHost::default();
        let mut records = Records::default();
        for road in down {
            for _ in 0..record::FAILURES {
                records.of(*road).fail(host.milliseconds());
            }
            assert!(records.of(*road).is_down());
        }
        host.stored.borrow_mut().as_mut().unwrap().insert(KEY.into(), records.bytes());
        host
    }

    fn is_down(host: &FakeHost, road: Road) -> bool {
        read(host).unwrap().of(road).is_down()
    }

    #[test]
    fn one_road_asks_no_store() {
        let host = FakeHost::default().answering([FakeAnswer::of(401, "")]);
        let primary = acs(FIRST, "pw==", "12345");
        let to = PhoneNumber::parse("+15550100123").unwrap();
        let repeatability = Repeatability::of(None, &to, None, host.now, &host);
        let message = Message { to: &to, text: "1", repeatability, tag: None };
        let until = host.instant.get().plus(TIME);
        let roads = Roads { primary: &primary, secondary: None };
        let delivery = send(&roads, &message, host.ports(), until);
        assert!(delivery.result.unwrap_err().log_fix.is_none());
        assert!(host.store_calls.borrow().is_empty());
    }

    #[test]
    fn what_the_first_road_says_decides_whether_the_second_is_asked() {
        let broken = at_once(SendError::Broken);
        // What the first road answers, how often it is asked, whether the message goes over, and
        // whether it may then come twice.
        for (first, asked, goes_over, double) in [
            (at_once(SendError::NotConnected), 1, true, false),
            (at_once(SendError::Untrusted), 1, true, false),
            (at_once(SendError::NotAllowed), 1, true, false),
            (FakeAnswer::of(401, ""), 1, true, false),
            (FakeAnswer::of(403, ""), 1, true, false),
            (FakeAnswer::of(404, ""), 1, true, false),
            (FakeAnswer::throttled(None), 1, true, false),
            (FakeAnswer::throttled(Some("0")), 1, true, false),
            (FakeAnswer::throttled(Some("1")), 1, true, false),
            (FakeAnswer::throttled(Some("60")), 1, true, false),
            (FakeAnswer::of(301, ""), 1, true, false),
            (FakeAnswer::of(408, ""), 1, true, false),
            (FakeAnswer::of(501, ""), 1, true, false),
            (FakeAnswer::of(503, ""), 1, true, false),
            (recipient(401), 1, true, false),
            (recipient(403), 1, true, false),
            (recipient(429), 1, true, false),
            (recipient(503), 1, true, false),
            (broken, 2, true, true),
            (FakeAnswer::of(409, ""), 4, true, true),
            (recipient(409), 4, true, true),
            (FakeAnswer::of(500, ""), 2, true, true),
            (FakeAnswer::of(502, ""), 2, true, true),
            (FakeAnswer::of(504, ""), 2, true, true),
            (hung(), 1, true, true),
            (FakeAnswer::of(400, ""), 1, false, false),
            (FakeAnswer::of(412, ""), 1, false, false),
            (FakeAnswer::of(200, ""), 1, false, false),
            (FakeAnswer::of(202, "?"), 1, false, false),
            (accepted_without_body(BodyError::Late), 1, false, false),
            (accepted_without_body(BodyError::TooLarge), 1, false, false),
            (accepted_without_body(BodyError::Broken), 5, false, false),
            (recipient(400), 1, false, false),
            (recipient(404), 1, false, false),
            (recipient(202), 1, false, false),
            (FakeAnswer::accepted("id-1"), 1, false, false),
        ] {
            let label = format!("{first:?}");
            let sent = is_acceptance(&first);
            // A road that takes messages and can't be heard has failed, although nothing goes over.
            let unreadable = !sent
                && match &first.1 {
                    Ok(answer) if answer.status == 202 => {
                        !answer.body.as_ref().is_ok_and(|body| body.contains("successful"))
                    }
                    Ok(answer) => answer.status == 200,
                    Err(_) => false,
                };
            let host = host(vec![first; 9], [FakeAnswer::accepted("id-2")]);
            let delivery = send_one(&host);
            assert_eq!(requests(&host), (asked, usize::from(goes_over)), "{label}");
            assert_eq!(delivery.attempts.len(), asked + usize::from(goes_over), "{label}");
            assert_eq!(delivery.result.is_ok(), sent || goes_over, "{label}");
            let road = if goes_over { Road::Secondary } else { Road::Primary };
            assert_eq!((delivery.road, delivery.may_be_double), (road, double), "{label}");
            assert_eq!(delivery.went_over.is_some(), goes_over, "{label}");
            let failures = read(&host).unwrap() != Records::default();
            assert_eq!(failures, goes_over || unreadable, "{label}");
        }
    }

    #[test]
    fn once_the_first_road_has_said_202_nothing_that_it_says_later_sends_the_message_over() {
        for (then, asked) in [
            (FakeAnswer::of(503, ""), 5),
            (FakeAnswer::of(401, ""), 2),
            (at_once(SendError::NotConnected), 5),
            (at_once(SendError::Broken), 5),
            (hung(), 2),
        ] {
            let label = format!("{then:?}");
            let first = [&[accepted_without_body(BodyError::Broken)][..], &vec![then; 9]].concat();
            let host = host(first, [FakeAnswer::accepted("id-2")]);
            let delivery = send_one(&host);
            assert_eq!(requests(&host), (asked, 0), "{label}");
            assert_eq!(delivery.road, Road::Primary, "{label}");
            assert!(fix(&delivery).contains("may have been sent"), "{label}");
        }
    }

    #[test]
    fn once_the_first_road_has_said_202_it_has_all_the_time_and_every_repeat() {
        let accepted = || FakeAnswer::accepted("id-1").1;
        let late = |milliseconds, answer| (Duration::from_millis(milliseconds), answer);
        let broken = || accepted_without_body(BodyError::Broken);
        for first in [
            vec![broken(), FakeAnswer::of(503, ""), FakeAnswer::accepted("id-1")],
            vec![broken(), late(1300, accepted())],
            vec![late(1200, broken().1), late(20, accepted())],
        ] {
            let (label, asked) = (format!("{first:?}"), first.len());
            let host = host(first, []);
            let delivery = send_one(&host);
            assert_eq!(delivery.result, Ok(Some("id-1".into())), "{label}");
            assert_eq!(requests(&host), (asked, 0), "{label}");
        }
    }

    #[test]
    fn a_repeat_that_the_first_road_takes_keeps_the_message_there() {
        let broken = at_once(SendError::Broken);
        let host = host([broken, FakeAnswer::accepted("id-1")], []);
        let delivery = send_one(&host);
        assert_eq!(delivery.result, Ok(Some("id-1".into())));
        assert_eq!((delivery.road, delivery.attempts.len()), (Road::Primary, 2));
        assert!(!delivery.may_be_double);
        let sent = host.sent.borrow();
        assert_eq!((&sent[0].body, &sent[0].headers), (&sent[1].body, &sent[1].headers));
        assert_eq!(sent[1].at.since(sent[0].at).as_millis(), 101);
        assert_eq!(host.store_calls.borrow().len(), 1);
    }

    #[test]
    fn each_road_has_its_sender_and_signature_and_both_have_the_same_pair() {
        let first = [FakeAnswer::of(500, ""), FakeAnswer::of(500, "")];
        let host = host(first, [FakeAnswer::of(503, ""), FakeAnswer::accepted("id-2")]);
        assert!(send_one(&host).result.is_ok());
        let sent = host.sent.borrow();
        for pair in [[0, 1], [2, 3]] {
            let [a, b] = pair.map(|at| &sent[at]);
            assert_eq!((&a.body, &a.headers), (&b.body, &b.headers));
        }
        assert_ne!(sent[0].headers, sent[2].headers);
        assert!(sent[0].body.contains(r#""from":"12345""#));
        assert!(sent[2].body.contains(r#""from":"+18005550199""#));
        let rest = |body: &str| body.split_once("smsRecipients").unwrap().1.to_owned();
        assert_eq!(rest(&sent[0].body), rest(&sent[2].body));
    }

    #[test]
    fn a_hung_road_is_left_at_half_of_the_time_and_another_hung_one_at_the_end() {
        let host = host([hung()], [hung()]);
        let start = host.instant.get();
        let delivery = send_one(&host);
        let sent = host.sent.borrow();
        assert_eq!(sent[1].at.since(start).as_millis(), 1225);
        assert_eq!((delivery.elapsed, delivery.attempts.len()), (TIME, 2));
        assert_eq!(delivery.result.as_ref().unwrap_err().reason, Reason::DeadlineExceeded);
        assert!(fix(&delivery).ends_with("The message may have been sent."));
    }

    #[test]
    fn the_first_road_repeats_only_inside_its_half() {
        let slow = |status| (Duration::from_millis(1100), FakeAnswer::of(status, "").1);
        let host = host([slow(500)], [FakeAnswer::accepted("id-2")]);
        let delivery = send_one(&host);
        assert!(delivery.result.is_ok() && delivery.may_be_double);
        assert_eq!(requests(&host), (1, 1));
    }

    #[test]
    fn once_the_first_road_has_said_202_its_body_has_all_the_time() {
        /// A 202 whose body takes 2 seconds.
        struct SlowBody<'a>(&'a FakeHost);
        impl HttpClient for SlowBody<'_> {
            fn send(
                &self,
                _: &OutboundRequest<'_>,
                _: Instant,
            ) -> Result<Box<dyn Answer>, SendError> {
                self.0.sleep(self.0.instant.get().plus(Duration::from_millis(20)));
                Ok(Box::new(Given(self.0.instant.get().plus(Duration::from_secs(2)))))
            }
        }
        struct Given(Instant);
        impl Answer for Given {
            fn status(&self) -> u16 {
                202
            }
            fn header(&self, _: &'static str) -> Option<String> {
                None
            }
        }
        impl Body for Given {
            fn read(&mut self, _: usize, until: Instant) -> Result<Vec<u8>, BodyError> {
                if self.0 >= until {
                    return Err(BodyError::Late);
                }
                Ok(FakeAnswer::accepted("id-1").1.unwrap().body?.into_bytes())
            }
        }
        let host = FakeHost::default();
        let delivery =
            send_over(&host, SECOND, Ports { http: &SlowBody(&host), ..host.ports() }, TIME);
        assert_eq!(delivery.result, Ok(Some("id-1".into())));
        assert_eq!((delivery.road, delivery.attempts.len()), (Road::Primary, 1));
    }

    #[test]
    fn the_second_road_is_tried_as_if_it_were_alone() {
        let gone = at_once(SendError::NotConnected);
        let host = host([gone.clone()], vec![gone; 9]);
        let start = host.instant.get();
        let delivery = send_one(&host);
        assert_eq!(requests(&host), (1, 5));
        assert!(host.instant.get().since(start) < TIME);
        assert!(fix(&delivery).contains("acs_secondary_connection_string"));
        assert!(!fix(&delivery).contains("may have been sent"));
    }

    #[test]
    fn with_little_time_no_attempt_is_shorter_than_it_is_worth() {
        for (left, expected) in [(99, (0, 0)), (100, (1, 0)), (199, (1, 0)), (200, (1, 1))] {
            let host = host([hung()], [FakeAnswer::accepted("id-2")]);
            let delivery = send_over(&host, SECOND, host.ports(), Duration::from_millis(left));
            assert_eq!(requests(&host), expected, "{left}");
            assert!(delivery.elapsed.as_millis() <= u128::from(left), "{left}");
        }
    }

    #[test]
    fn with_little_time_a_clock_that_goes_on_leaves_the_first_road_its_attempt() {
        /// A clock that has gone on whenever it is looked at, as all others do.
        struct Ticking<'a>(&'a FakeHost);
        impl Clock for Ticking<'_> {
            fn instant(&self) -> Instant {
                let now = self.0.instant.get();
                self.0.instant.set(now.plus(Duration::from_micros(1)));
                now
            }
            fn since_1970(&self, instant: Instant) -> Duration {
                self.0.since_1970(instant)
            }
            fn sleep(&self, until: Instant) {
                self.0.sleep(until);
            }
        }
        for down in [&[][..], &[Road::Primary], &[Road::Secondary]] {
            for left in [101, 150, 199] {
                let accepted = || [FakeAnswer::accepted("id-1")];
                let host = later(with_down(down), 1)
                    .answering_at(FIRST, accepted())
                    .answering_at(SECOND, accepted());
                let ports = Ports { clock: &Ticking(&host), ..host.ports() };
                let delivery = send_over(&host, SECOND, ports, Duration::from_millis(left));
                assert_eq!(delivery.result, Ok(Some("id-1".into())), "{down:?}, {left} ms");
            }
        }
    }

    #[test]
    fn of_one_resource_the_second_key_signs_where_the_first_is_not_taken() {
        for status in [401, 403] {
            let answers = [FakeAnswer::of(status, ""), FakeAnswer::accepted("id-1")];
            let host = FakeHost::default().answering_at(FIRST, answers);
            let delivery = send_over(&host, FIRST, host.ports(), TIME);
            assert_eq!((delivery.road, delivery.may_be_double), (Road::Secondary, false));
            assert_eq!(delivery.went_over, Some(Reason::AcsUnauthorized));
            let sent = host.sent.borrow();
            assert_ne!(sent[0].headers.last(), sent[1].headers.last(), "each key signs for itself");
            assert!(host.store_calls.borrow().is_empty());
        }
    }

    #[test]
    fn of_one_resource_the_first_key_has_all_the_time() {
        let slow = (Duration::from_secs(2), FakeAnswer::accepted("id-1").1);
        let host = FakeHost::default().answering_at(FIRST, [slow]);
        let delivery = send_over(&host, FIRST, host.ports(), TIME);
        assert_eq!((delivery.road, delivery.attempts.len()), (Road::Primary, 1));
        assert!(delivery.result.is_ok());
        let host = FakeHost::default().answering_at(FIRST, vec![FakeAnswer::of(503, ""); 9]);
        let delivery = send_over(&host, FIRST, host.ports(), TIME);
        assert_eq!((delivery.road, delivery.attempts.len()), (Road::Primary, 5));
    }

    #[test]
    fn a_failure_on_both_roads_has_the_last_ones_reason_and_both_in_the_log() {
        let secondary = "acs_secondary_connection_string";
        for (first, second, reason, told, logged, may_be_sent) in [
            (
                FakeAnswer::of(401, ""),
                FakeAnswer::of(401, ""),
                Reason::AcsUnauthorized,
                secondary,
                "acs_unauthorized.",
                false,
            ),
            (
                hung(),
                FakeAnswer::of(404, ""),
                Reason::AcsRejected,
                secondary,
                "deadline_exceeded.",
                true,
            ),
            (
                FakeAnswer::throttled(None),
                FakeAnswer::of(400, ""),
                Reason::AcsRejected,
                "acs_secondary_senders",
                "acs_throttled.",
                false,
            ),
            (
                FakeAnswer::of(503, ""),
                hung(),
                Reason::DeadlineExceeded,
                "ACS",
                "acs_unavailable.",
                true,
            ),
            (
                at_once(SendError::Broken),
                at_once(SendError::NotAllowed),
                Reason::Misconfigured,
                "see the hook's log",
                "acs_unavailable.",
                true,
            ),
        ] {
            let label = format!("{first:?} {second:?}");
            let host = host(vec![first; 2], [second]);
            let delivery = send_one(&host);
            assert_eq!(delivery.result.as_ref().unwrap_err().reason, reason, "{label}");
            assert_eq!(delivery.road, Road::Secondary);
            assert!(fix(&delivery).contains(told), "{label}: {}", fix(&delivery));
            let logged = format!(" The primary road had failed with {logged}");
            assert!(log_fix(&delivery).contains(&logged), "{label}: {}", log_fix(&delivery));
            assert!(!fix(&delivery).contains("road"), "the caller is not told");
            for fix in [fix(&delivery), log_fix(&delivery)] {
                assert_eq!(
                    fix.ends_with(" The message may have been sent."),
                    may_be_sent,
                    "{label}"
                );
            }
        }
    }

    #[test]
    fn two_roads_that_may_both_have_sent_may_have_sent_twice_whatever_they_said() {
        for (first, second, double) in [
            (hung(), hung(), true),
            (hung(), FakeAnswer::of(202, "?"), true),
            (hung(), FakeAnswer::of(401, ""), false),
            (FakeAnswer::of(503, ""), hung(), false),
        ] {
            let label = format!("{first:?} {second:?}");
            assert_eq!(send_one(&host([first], [second])).may_be_double, double, "{label}");
        }
    }

    #[test]
    fn a_host_that_may_not_be_called_is_named_with_the_variable_of_its_road() {
        let forbidden = at_once(SendError::NotAllowed);
        let delivery = send_one(&host([forbidden.clone()], [forbidden]));
        assert!(log_fix(&delivery).contains("endpoint in acs_secondary_connection_string"));
        assert!(log_fix(&delivery).contains(&format!("https://{SECOND}")));
    }

    #[test]
    fn the_store_is_asked_once_and_written_only_where_there_is_news() {
        let get = format!("get {KEY}");
        let set = format!("set {KEY}");
        let good = || FakeAnswer::accepted("id-1");
        let host = later(host([good(), FakeAnswer::of(503, ""), good(), good()], [good()]), 0);
        let calls = |host: &FakeHost| {
            host.store_calls.borrow_mut().clear();
            send_one(host);
            host.store_calls.borrow().clone()
        };
        assert_eq!(calls(&host), [&*get]);
        assert_eq!(calls(&host), [&*get, &get, &set], "a failure");
        assert_eq!(calls(&host), [&*get, &get, &set], "the success that ends it");
        assert_eq!(calls(&host), [&*get]);
    }

    #[test]
    fn the_fifth_failure_within_30_seconds_puts_a_road_down() {
        for (apart, down) in [(0, true), (7, true), (8, false), (60, false)] {
            let mut host = host(
                vec![FakeAnswer::of(503, ""); 5],
                std::iter::repeat_n(FakeAnswer::accepted("id-2"), 5),
            );
            for n in 1..=5 {
                assert!(!is_down(&host, Road::Primary), "{apart} s apart, before failure {n}");
                assert!(send_one(&host).result.is_ok());
                host = later(host, apart);
            }
            assert_eq!(is_down(&host, Road::Primary), down, "{apart} s apart");
            assert!(!is_down(&host, Road::Secondary));
        }
    }

    #[test]
    fn a_success_forgets_the_failures_before_it() {
        let bad = || FakeAnswer::of(503, "");
        let first = (0..9).map(|n| if n == 4 { FakeAnswer::accepted("id-1") } else { bad() });
        let host = host(first, vec![FakeAnswer::accepted("id-2"); 8]);
        (0..9).for_each(|_| assert!(send_one(&host).result.is_ok()));
        assert!(!is_down(&host, Road::Primary));
    }

    #[test]
    fn a_road_that_is_down_is_skipped_and_tried_last() {
        let good = || FakeAnswer::accepted("id-2");
        let host = later(with_down(&[Road::Primary]), 4);
        let host = host.answering_at(FIRST, []).answering_at(SECOND, [good()]);
        let delivery = send_one(&host);
        assert_eq!((delivery.road, delivery.went_over), (Road::Secondary, None));
        assert_eq!(requests(&host), (0, 1));
        assert_eq!(host.store_calls.borrow().len(), 1);

        // Refused by the other one, which costs 20 ms, it has all that is left.
        let host = host.answering_at(SECOND, [FakeAnswer::of(403, "")]);
        let host = host.answering_at(FIRST, [(Duration::from_secs(2), good().1)]);
        let delivery = send_one(&host);
        assert_eq!((delivery.road, delivery.result.is_ok()), (Road::Primary, true));
        assert!(!is_down(&host, Road::Primary), "a success is a success");
    }

    #[test]
    fn a_road_that_is_down_is_the_last_resort_if_the_other_one_hangs() {
        let host = later(with_down(&[Road::Primary]), 4);
        let host = host.answering_at(SECOND, [hung()]).answering_at(FIRST, [hung()]);
        let start = host.instant.get();
        let delivery = send_one(&host);
        let sent = host.sent.borrow();
        assert_eq!((sent[0].authority.as_str(), sent[1].authority.as_str()), (SECOND, FIRST));
        assert_eq!(sent[1].at.since(start), TIME - LAST_RESORT);
        assert_eq!(delivery.elapsed, TIME);
        assert!(log_fix(&delivery).contains("The secondary road had failed with"));
    }

    #[test]
    fn while_one_road_is_down_the_other_is_tried_as_if_it_were_alone() {
        let host = later(with_down(&[Road::Primary]), 1).answering_at(FIRST, []);
        let host =
            host.answering_at(SECOND, [FakeAnswer::of(503, ""), FakeAnswer::accepted("id-2")]);
        assert!(send_one(&host).result.is_ok());
        assert_eq!(requests(&host), (0, 2));
    }

    #[test]
    fn one_hook_in_5_seconds_probes_until_one_succeeds() {
        let good = |id| FakeAnswer::accepted(id);
        let mut host = with_down(&[Road::Primary])
            .answering_at(FIRST, [hung(), hung(), good("id-1"), good("id-1")])
            .answering_at(SECOND, vec![good("id-2"); 9]);
        for (after, expected) in [
            (4, (0, 1)),
            (1, (1, 1)), // The first probe.
            (0, (0, 1)),
            (4, (0, 1)),
            (1, (1, 1)), // The second.
            (4, (0, 1)),
            (60, (1, 0)), // The third, which succeeds.
            (0, (1, 0)),
        ] {
            host = later(host, after);
            let start = host.instant.get();
            assert!(send_one(&host).result.is_ok());
            assert_eq!(requests(&host), expected, "{after}");
            if expected == (1, 1) {
                assert_eq!(host.sent.borrow()[1].at.since(start), TIME / 2);
            }
        }
    }

    #[test]
    fn a_probe_is_told_to_the_others_before_it_starts() {
        let host = later(with_down(&[Road::Primary]), 5)
            .answering_at(FIRST, [FakeAnswer::accepted("id-1")]);
        let mut records = read(&host).unwrap();
        assert!(matches!(choose(&mut records, host.ports()), Ok(Choice::Half)));
        let mut records = read(&host).unwrap();
        assert!(matches!(choose(&mut records, host.ports()), Ok(Choice::Skip(Road::Primary))));
    }

    #[test]
    fn a_road_that_is_up_again_and_slow_is_found_up() {
        let slow = (Duration::from_secs(1), FakeAnswer::accepted("id-1").1);
        let host = later(with_down(&[Road::Primary]), 5).answering_at(FIRST, [slow]);
        assert!(send_one(&host).result.is_ok());
        assert!(!is_down(&host, Road::Primary));
    }

    #[test]
    fn what_fails_as_the_last_resort_puts_no_probe_off() {
        let slow = || (Duration::from_millis(400), FakeAnswer::accepted("id-1").1);
        let mut host = with_down(&[Road::Primary]);
        let down = *read(&host).unwrap().of(Road::Primary);
        for _ in 0..2 {
            host = later(host, 2).answering_at(SECOND, [hung()]).answering_at(FIRST, [slow()]);
            assert!(send_one(&host).result.is_err());
            assert_eq!(requests(&host), (1, 1));
            assert_eq!(read(&host).unwrap().of(Road::Primary), &down);
        }
        let host = later(host, 1).answering_at(FIRST, [slow()]);
        assert_eq!(send_one(&host).road, Road::Primary);
        assert!(!is_down(&host, Road::Primary));
    }

    #[test]
    fn a_secondary_that_is_down_is_as_good_as_up_when_it_is_needed_after_5_seconds() {
        let slow = |seconds| (Duration::from_secs(seconds), FakeAnswer::accepted("id-2").1);
        let refused = || FakeAnswer::of(503, "");
        // Within them the primary is patient, and leaves little.
        let host = later(with_down(&[Road::Secondary]), 4);
        let host = host.answering_at(SECOND, [slow(1)]).answering_at(FIRST, vec![refused(); 9]);
        assert!(send_one(&host).result.is_err());
        assert_eq!(requests(&host), (5, 1));
        let host = later(with_down(&[Road::Secondary]), 5);
        let host = host.answering_at(SECOND, [slow(1)]).answering_at(FIRST, [refused()]);
        assert!(send_one(&host).result.is_ok());
        assert!(!is_down(&host, Road::Secondary));
        // It is not asked where it is not needed.
        let host = later(with_down(&[Road::Secondary]), 5);
        let host = host.answering_at(SECOND, []).answering_at(FIRST, [FakeAnswer::accepted("1")]);
        assert_eq!(send_one(&host).road, Road::Primary);
        assert_eq!(host.store_calls.borrow().len(), 1);
    }

    #[test]
    fn with_both_down_it_is_the_primary_first_and_nothing_is_skipped() {
        let host = later(with_down(&[Road::Primary, Road::Secondary]), 5);
        let host =
            host.answering_at(FIRST, [hung()]).answering_at(SECOND, [FakeAnswer::accepted("2")]);
        let start = host.instant.get();
        assert_eq!(send_one(&host).road, Road::Secondary);
        assert_eq!(host.sent.borrow()[1].at.since(start), TIME / 2);
        assert!(is_down(&host, Road::Primary) && !is_down(&host, Road::Secondary));
    }

    #[test]
    fn a_store_that_fails_holds_no_message_up_and_is_told() {
        let good = || FakeAnswer::accepted("id-2");
        let host = host([FakeAnswer::of(503, "")], [good()]);
        host.stored.replace(None);
        let delivery = send_one(&host);
        assert!(delivery.result.is_ok() && delivery.store_failed);
        assert_eq!(host.store_calls.borrow().len(), 1, "a store that fails is not asked again");
        assert!(!send_one(&FakeHost::default()).store_failed);
    }

    #[test]
    fn a_probe_that_can_not_be_told_is_none_and_the_road_counts_as_up() {
        let host = later(with_down(&[Road::Primary]), 5);
        let host =
            host.answering_at(FIRST, [FakeAnswer::accepted("id-1")]).answering_at(SECOND, []);
        let ports = Ports { store: &ReadOnly(&host), ..host.ports() };
        let delivery = send_over(&host, SECOND, ports, TIME);
        assert_eq!((delivery.road, delivery.store_failed), (Road::Primary, true));
    }

    #[test]
    fn what_others_wrote_while_a_hook_waited_is_kept() {
        /// A store in which another failure of the primary stands from the second reading on.
        struct Busy<'a>(&'a FakeHost);
        impl Store for Busy<'_> {
            fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
                let mut records = read(self.0)?;
                records.of(Road::Primary).fail(self.0.milliseconds());
                let before = self.0.get(key)?;
                self.0.set(key, &records.bytes())?;
                Ok(before)
            }
            fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
                self.0.set(key, value)
            }
        }
        let host = host(vec![FakeAnswer::of(503, ""); 3], vec![FakeAnswer::accepted("2"); 3]);
        for _ in 0..3 {
            let ports = Ports { store: &Busy(&host), ..host.ports() };
            assert!(send_over(&host, SECOND, ports, TIME).result.is_ok());
        }
        assert!(is_down(&host, Road::Primary));
    }

    #[test]
    fn a_clock_that_goes_back_keeps_no_road_down() {
        for back in [1, 6, 3600, 70 * 365 * 86_400] {
            let mut host = with_down(&[Road::Primary]);
            host.now -= Duration::from_secs(back);
            // The probe is further off than probes are apart.
            let host = host.answering_at(FIRST, [FakeAnswer::accepted("id-1")]);
            assert_eq!(send_one(&host).road, Road::Primary, "{back}");
        }
    }

    proptest! {
        #[test]
        fn any_stored_bytes_are_records_or_none(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..120),
                prop::collection::vec(any::<u8>(), 96).prop_map(|mut bytes| { bytes.insert(0, 1); bytes }),
            ],
            now: u64,
        ) {
            let mut records = Records::parse(&bytes);
            if records != Records::default() {
                prop_assert_eq!(records.bytes(), bytes.clone());
            }
            for road in [Road::Primary, Road::Secondary] {
                let record = records.of(road);
                let _ = record.probe_is_due(now);
                record.fail(now);
                record.put_probe_off(now);
            }
            let host = FakeHost::default();
            host.stored.borrow_mut().as_mut().unwrap().insert(KEY.into(), bytes);
            let delivery = send_over(&host, SECOND, host.ports(), TIME);
            prop_assert!(delivery.result.is_ok() && !delivery.store_failed);
        }

        #[test]
        fn whatever_the_roads_say_the_deadline_is_kept_and_one_success_is_the_end(
            first in prop::collection::vec(any_outcome(), 12),
            second in prop::collection::vec(any_outcome(), 12),
            down in prop::sample::subsequence(vec![Road::Primary, Road::Secondary], 0..=2),
            after in 0u64..8,
            left in 0u64..2500,
        ) {
            let left = Duration::from_millis(left);
            let host = later(with_down(&down), after)
                .answering_at(FIRST, first.clone())
                .answering_at(SECOND, second.clone());
            let start = host.instant.get();
            let delivery = send_over(&host, SECOND, host.ports(), left);
            prop_assert!(host.instant.get().since(start) <= left);
            prop_assert!(delivery.elapsed <= left);
            let (on_first, on_second) = requests(&host);
            prop_assert_eq!(delivery.attempts.len(), on_first + on_second);
            let asked = first[..on_first].iter().chain(&second[..on_second]);
            let successes = asked.filter(|outcome| is_acceptance(outcome)).count();
            prop_assert!(successes <= 1);
            prop_assert_eq!(delivery.result.is_ok(), successes == 1);
            for pair in host.sent.borrow().windows(2) {
                prop_assert!(pair[0].authority != pair[1].authority || pair[0].body == pair[1].body);
            }
        }
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        let answer = prop_oneof![
            prop::sample::select(vec![
                at_once(SendError::NotConnected),
                at_once(SendError::Untrusted),
                at_once(SendError::NotAllowed),
                at_once(SendError::Broken),
                FakeAnswer::throttled(Some("0")),
                FakeAnswer::throttled(Some("1")),
                accepted_without_body(BodyError::Broken),
                accepted_without_body(BodyError::Late),
                FakeAnswer::of(202, "?"),
            ]),
            (100u16..600).prop_map(|status| FakeAnswer::of(status, "")),
            (100u16..600).prop_map(recipient),
        ];
        let slow = (0u64..3000, answer.clone())
            .prop_map(|(takes, (_, answer))| (Duration::from_millis(takes), answer));
        prop_oneof![answer, slow, Just(hung()), Just(FakeAnswer::accepted("id"))]
    }

    /// The clock of day that runs with the other one.
    struct Running<'a>(&'a FakeHost);

    impl Clock for Running<'_> {
        fn instant(&self) -> Instant {
            self.0.instant.get()
        }

        fn since_1970(&self, instant: Instant) -> Duration {
            self.0.since_1970(instant) + instant.0
        }

        fn sleep(&self, until: Instant) {
            self.0.sleep(until);
        }
    }

    /// A store that shows each hook what had been written by the time it looks, although the hooks
    /// run one after the other here.
    struct Timeline<'a> {
        host: &'a FakeHost,
        writes: RefCell<Vec<(Instant, Vec<u8>)>>,
    }

    impl Store for Timeline<'_> {
        fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            let (now, writes) = (self.host.instant.get(), self.writes.borrow());
            let past = writes.iter().filter(|(at, _)| *at <= now);
            Ok(past.max_by_key(|(at, _)| *at).map(|(_, value)| value.clone()))
        }

        fn set(&self, _: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
            self.writes.borrow_mut().push((self.host.instant.get(), value.into()));
            Ok(())
        }
    }

    #[test]
    fn a_hung_road_makes_hooks_wait_for_a_second_or_two_and_not_for_the_minute() {
        let hooks = 30 * 60;
        let quick = (Duration::from_millis(80), FakeAnswer::accepted("id-2").1);
        let host = host(Answers::from(vec![hung(); hooks]), Answers::from(vec![quick; hooks]));
        let store = Timeline { host: &host, writes: RefCell::default() };
        let ports = Ports { clock: &Running(&host), store: &store, ..host.ports() };
        let mut times = Vec::new();
        for n in 0..hooks {
            let start = Instant(Duration::from_millis(n as u64 * 1000 / 30));
            host.instant.set(start);
            let delivery = send_over(&host, SECOND, ports, TIME);
            assert!(delivery.result.is_ok());
            times.push((start, host.instant.get()));
        }
        let at_once = |at: Instant| times.iter().filter(|(a, b)| *a <= at && at < *b).count();
        let most = times.iter().map(|(start, _)| at_once(*start)).max().unwrap();
        let mut waits: Vec<_> = times.iter().map(|(start, end)| end.since(*start)).collect();
        waits.sort_unstable();
        let of = |wait: Duration| waits.iter().filter(|w| **w == wait).count();
        let (median, worst) = (waits[hooks / 2], waits[hooks - 1]);
        let slow = of(worst);
        println!("median {median:?}, worst {worst:?} ({slow} hooks), at most {most} at once");
        assert_eq!(median.as_millis(), 80);
        assert_eq!(worst.as_millis(), 1305);
        // Those before the fifth failure was known, and a probe every 5 to 7 seconds.
        assert!(slow <= 55, "{slow} hooks waited for the hung road");
        assert!(most < 75, "{most} hooks at once: Okta runs no more");
    }
}
