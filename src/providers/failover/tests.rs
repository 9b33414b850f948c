use super::*;
use crate::phone_number::PhoneNumber;
use crate::ports::fake::{Answers, AtOnce, FakeAnswer, FakeHost, ReadOnly, Sent};
use crate::ports::{Answer, Body, BodyError, OutboundRequest, SendError};
use crate::ports::{Clock, Store};
use crate::providers::repeatability::Repeatability;
use crate::providers::{Content, Provider, candidates};
use proptest::prelude::*;
use std::cell::RefCell;

type Outcome = (Duration, Result<FakeAnswer, SendError>);

const NAMES: [&str; 2] = ["acs", "other"];
const FIRST: &str = "contoso.communication.azure.com";
const SECOND: &str = "fabrikam.communication.azure.com";
const TIME: Duration = Duration::from_millis(2450);

fn provider(at: usize, authority: &str) -> Provider {
    let (key, sender) = [("pw==", "12345"), ("c2VjcmV0", "+18005550199")][at];
    crate::providers::tests::provider(NAMES[at], authority, key, &[("default", sender)])
}

fn send_with(providers: &[Provider], host: &FakeHost, ports: Ports<'_>, time: Duration) -> Sending {
    let candidates = candidates(providers, Channel::Sms, None, "+15550100123").unwrap();
    let to = PhoneNumber::parse("+15550100123").unwrap();
    let repeatability = Repeatability::of(Some("event"), &to, None, host.now, host);
    let message = Message {
        to: &to,
        content: Content::Text("Your code is 1"),
        repeatability,
        tag: None,
        expires: None,
        is_enrollment: false,
    };
    send(&candidates, &message, ports, host.instant.get().plus(time))
}

/// Sends with two providers, of which the second one is at that authority.
fn send_over(host: &FakeHost, second: &str, ports: Ports<'_>, time: Duration) -> Sending {
    send_with(&[provider(0, FIRST), provider(1, second)], host, ports, time)
}

/// The place of the provider whose outcome it is.
fn last(sending: &Sending) -> usize {
    NAMES.iter().position(|name| *name == sending.provider).unwrap()
}

fn send_one(host: &FakeHost) -> Sending {
    send_over(host, SECOND, host.ports(), TIME)
}

fn host(
    first: impl IntoIterator<Item = Outcome>,
    second: impl IntoIterator<Item = Outcome>,
) -> FakeHost {
    FakeHost::default().answering_at(FIRST, first).answering_at(SECOND, second)
}

/// How many requests the first and the second provider got.
fn requests(host: &FakeHost) -> (usize, usize) {
    let sent = host.sent.borrow();
    let to = |authority: &str| sent.iter().filter(|sent| sent.authority == authority).count();
    (to(FIRST), to(SECOND))
}

/// The requests over the connections with the authority as it is configured.
fn sent_as_usual(host: &FakeHost) -> Vec<Sent> {
    let mut sent = host.sent.borrow().clone();
    sent.retain(|sent| !sent.authority.ends_with(":443"));
    sent
}

/// How many attempts were made over the connections with the authority as it is configured.
fn over_the_usual_connection(sending: &Sending) -> usize {
    sending.attempts.iter().filter(|attempt| !attempt.authority.ends_with(":443")).count()
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

fn recipient_with_id(status: u16) -> Outcome {
    let body = format!(
        r#"{{"value":[{{"messageId":"id-1","httpStatusCode":{status},"successful":false}}]}}"#
    );
    FakeAnswer::of(202, &body)
}

fn unauthorized() -> Outcome {
    FakeAnswer::of(401, r#"{"error":{"code":"Unauthorized","message":""}}"#)
}

fn is_refusal_of_the_sender(outcome: &Outcome) -> bool {
    let refusals = [unauthorized(), FakeAnswer::of(404, ""), recipient(401), recipient(403)];
    refusals.iter().any(|refusal| format!("{refusal:?}") == format!("{outcome:?}"))
}

fn accepted_without_body(error: BodyError) -> Outcome {
    let answer = FakeAnswer { status: 202, headers: Vec::new(), body: Err(error) };
    (Duration::from_millis(20), Ok(answer))
}

fn is_acceptance((_, answer): &Outcome) -> bool {
    let body = answer.as_ref().ok().and_then(|answer| answer.body.as_ref().ok());
    body.is_some_and(|body| body.contains("messageId"))
}

fn fix(sending: &Sending) -> &str {
    &sending.result.as_ref().unwrap_err().fix
}

fn log_fix(sending: &Sending) -> &str {
    sending.result.as_ref().unwrap_err().log_fix.as_deref().unwrap()
}

/// The host, `seconds` later.
fn later(mut host: FakeHost, seconds: u64) -> FakeHost {
    host.now += Duration::from_secs(seconds);
    host.sent.borrow_mut().clear();
    host.store_calls.borrow_mut().clear();
    host
}

fn healths(host: &FakeHost) -> [Health; 2] {
    let known = health::read(host).unwrap();
    NAMES.map(|name| known.of(name))
}

/// A host on which the providers at these places have just been found down, at its `now`.
fn with_down(down: &[usize]) -> FakeHost {
    let host = FakeHost::default();
    let mut known = Known::default();
    for at in down {
        for _ in 0..health::FAILURES {
            known.change(NAMES[*at], |health| health.fail(host.milliseconds()));
        }
        assert!(known.of(NAMES[*at]).is_down());
    }
    health::write(&host, &known).unwrap();
    host.store_calls.borrow_mut().clear();
    host
}

fn is_down(host: &FakeHost, at: usize) -> bool {
    healths(host)[at].is_down()
}

#[test]
fn of_one_provider_no_failure_is_written_down() {
    let host = FakeHost::default().answering([FakeAnswer::of(401, "")]);
    let sending = send_with(&[provider(0, FIRST)], &host, host.ports(), TIME);
    assert!(sending.result.unwrap_err().log_fix.is_none());
    assert_eq!(*host.store_calls.borrow(), [format!("get {}", health::KEY)]);
}

#[test]
fn what_the_first_provider_says_decides_whether_the_second_is_asked() {
    let broken = at_once(SendError::Broken);
    // What the first provider answers, how often it is asked, whether the message fails over, and
    // whether it may then come twice.
    for (first, asked, fails_over, double) in [
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
        (unauthorized(), 1, true, false),
        (recipient_with_id(503), 2, true, true),
        (recipient_with_id(429), 1, true, true),
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
        let sender_refused = is_refusal_of_the_sender(&first);
        // A provider that takes messages and can't be heard has failed, although nothing fails over.
        let unreadable = !sent
            && match &first.1 {
                Ok(answer) if answer.status == 202 => {
                    !answer.body.as_ref().is_ok_and(|body| body.contains("successful"))
                }
                Ok(answer) => answer.status == 200,
                Err(_) => false,
            };
        let host = host(vec![first; 9], [FakeAnswer::accepted("id-2")]);
        let sending = send_one(&host);
        assert_eq!(requests(&host), (asked, usize::from(fails_over)), "{label}");
        let attempts = over_the_usual_connection(&sending);
        assert_eq!(attempts, asked + usize::from(fails_over), "{label}");
        assert_eq!(sending.result.is_ok(), sent || fails_over, "{label}");
        let at = usize::from(fails_over);
        assert_eq!((last(&sending), sending.may_be_double), (at, double), "{label}");
        assert_eq!(sending.failed_over.is_some(), fails_over, "{label}");
        let failures = healths(&host) != [Health::default(); 2];
        assert_eq!(failures, fails_over && !sender_refused || unreadable, "{label}");
    }
}

#[test]
fn once_the_first_provider_has_said_202_nothing_that_it_says_later_sends_the_message_over() {
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
        let sending = send_one(&host);
        assert_eq!(requests(&host), (asked, 0), "{label}");
        assert_eq!(last(&sending), 0, "{label}");
        assert!(fix(&sending).contains("may have been sent"), "{label}");
    }
}

#[test]
fn once_the_first_provider_has_said_202_it_has_all_the_time_and_every_repeat() {
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
        let sending = send_one(&host);
        assert_eq!(sending.result, Ok(Some("id-1".into())), "{label}");
        assert_eq!(requests(&host), (asked, 0), "{label}");
    }
}

#[test]
fn a_repeat_that_the_first_provider_takes_keeps_the_message_there() {
    let broken = at_once(SendError::Broken);
    let host = host([broken, FakeAnswer::accepted("id-1")], []);
    let sending = send_one(&host);
    assert_eq!(sending.result, Ok(Some("id-1".into())));
    assert_eq!((last(&sending), sending.attempts.len()), (0, 2));
    assert!(!sending.may_be_double);
    let sent = host.sent.borrow();
    assert_eq!((&sent[0].body, &sent[0].headers), (&sent[1].body, &sent[1].headers));
    assert_eq!(sent[1].at.since(sent[0].at).as_millis(), 101);
    assert_eq!(host.store_calls.borrow().len(), 1);
}

#[test]
fn each_provider_has_its_sender_and_signature_and_both_have_the_same_pair() {
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
fn a_hung_provider_is_left_at_half_of_the_time_and_another_hung_one_at_the_end() {
    let host = host([hung()], [hung()]);
    let start = host.instant.get();
    let sending = send_one(&host);
    assert_eq!(sent_as_usual(&host)[1].at.since(start).as_millis(), 1225);
    assert_eq!((sending.elapsed, sending.attempts.len()), (TIME, 4), "over each connection");
    assert_eq!(sending.result.as_ref().unwrap_err().reason, Reason::DeadlineExceeded);
    assert!(fix(&sending).ends_with("The message may have been sent."));
}

#[test]
fn the_first_provider_repeats_only_inside_its_half() {
    let slow = |status| (Duration::from_millis(1100), FakeAnswer::of(status, "").1);
    let host = host([slow(500)], [FakeAnswer::accepted("id-2")]);
    let sending = send_one(&host);
    assert!(sending.result.is_ok() && sending.may_be_double);
    assert_eq!(requests(&host), (1, 1));
}

#[test]
fn once_the_first_provider_has_said_202_its_body_has_all_the_time() {
    /// A 202 whose body takes 2 seconds.
    struct SlowBody(Instant);
    impl Answer for SlowBody {
        fn status(&self) -> u16 {
            202
        }
        fn header(&self, _: &'static str) -> Option<String> {
            None
        }
    }
    impl Body for SlowBody {
        fn read(&mut self, _: usize, until: Instant) -> Result<Vec<u8>, BodyError> {
            if self.0 >= until {
                return Err(BodyError::Late);
            }
            Ok(FakeAnswer::accepted("id-1").1.unwrap().body?.into_bytes())
        }
    }
    let host = FakeHost::default();
    let http = AtOnce(|_: &OutboundRequest<'_>, _| {
        host.sleep(host.instant.get().plus(Duration::from_millis(20)));
        Ok(Box::new(SlowBody(host.instant.get().plus(Duration::from_secs(2)))) as Box<dyn Answer>)
    });
    let sending = send_over(&host, SECOND, Ports { http: &http, ..host.ports() }, TIME);
    assert_eq!(sending.result, Ok(Some("id-1".into())));
    assert_eq!((last(&sending), sending.attempts.len()), (0, 1));
}

const FIRST_BY_PORT: &str = "contoso.communication.azure.com:443";

/// Sends with the first provider alone, and says over which connections.
fn send_alone(host: &FakeHost) -> (Sending, Vec<String>) {
    host.sent.borrow_mut().clear();
    let sending = send_with(&[provider(0, FIRST)], host, host.ports(), TIME);
    let over = host.sent.borrow().iter().map(|sent| sent.authority.clone()).collect();
    (sending, over)
}

#[test]
fn what_a_silent_connection_does_not_send_the_other_one_does_and_is_used_for_two_minutes() {
    let accepted = || FakeAnswer::accepted("id-1");
    for providers in [&[provider(0, FIRST)][..], &[provider(0, FIRST), provider(1, SECOND)]] {
        let host = FakeHost::default()
            .answering_at(FIRST, [hung(), accepted()])
            .answering_at(FIRST_BY_PORT, [accepted(), accepted()]);
        let sending = send_with(providers, &host, host.ports(), TIME);
        assert!(sending.result.is_ok() && sending.silent_connection && !sending.may_be_double);
        assert_eq!(sending.attempts.len(), 2);
        let sent = host.sent.borrow().clone();
        let [first, spare] = &sent[..] else { panic!("two requests") };
        assert_eq!((&*first.authority, &*spare.authority), (FIRST, FIRST_BY_PORT));
        assert_eq!(first.body, spare.body, "one message");
        assert_ne!(first.headers.last(), spare.headers.last(), "each authority is signed");

        let host = later(host, 119);
        assert!(!send_with(providers, &host, host.ports(), TIME).silent_connection);
        assert_eq!(host.sent.borrow()[0].authority, FIRST_BY_PORT);
        let host = later(host, 1);
        assert!(!send_with(providers, &host, host.ports(), TIME).silent_connection);
        assert_eq!(host.sent.borrow()[0].authority, FIRST);
    }
}

#[test]
fn what_the_other_connection_refuses_says_nothing_about_the_credentials() {
    for refused in [FakeAnswer::of(401, ""), FakeAnswer::of(421, ""), FakeAnswer::of(503, "")] {
        let host = FakeHost::default()
            .answering_at(FIRST, [hung()])
            .answering_at(FIRST_BY_PORT, [refused]);
        let (sending, over) = send_alone(&host);
        assert_eq!(sending.result.unwrap_err().reason, Reason::DeadlineExceeded);
        assert_eq!((sending.status, sending.silent_connection), (None, false));
        assert_eq!(over, [FIRST, FIRST_BY_PORT]);
    }
}

#[test]
fn a_connection_that_is_used_and_refused_is_left_for_the_usual_one_at_once() {
    let accepted = || FakeAnswer::accepted("id-1");
    let host = FakeHost::default()
        .answering_at(FIRST, [hung(), accepted(), accepted()])
        .answering_at(FIRST_BY_PORT, [accepted(), FakeAnswer::of(401, "")]);
    send_alone(&host);
    let (sending, over) = send_alone(&host);
    assert!(sending.result.is_ok() && sending.elapsed < Duration::from_millis(100));
    assert!(!sending.silent_connection && over == [FIRST_BY_PORT, FIRST]);
    assert_eq!(send_alone(&host).1, [FIRST]);
}

#[test]
fn a_refusal_over_a_connection_that_is_used_first_counts_at_once() {
    let host = FakeHost::default()
        .answering_at(FIRST, [hung()])
        .answering_at(FIRST_BY_PORT, [FakeAnswer::accepted("id-1"), FakeAnswer::of(429, "")]);
    send_alone(&host);
    let (sending, over) = send_alone(&host);
    assert_eq!(sending.result.as_ref().unwrap_err().reason, Reason::ProviderThrottled);
    assert!(!fix(&sending).contains("may have been sent"));
    assert_eq!((over, sending.elapsed.as_millis()), (vec![FIRST_BY_PORT.to_owned()], 20));
}

#[test]
fn what_the_first_provider_may_yet_take_is_waited_for_before_the_second_is_asked() {
    let after = |milliseconds, (_, answer)| (Duration::from_millis(milliseconds), answer);
    let host = FakeHost::default()
        .answering_at(FIRST, [after(700, FakeAnswer::of(503, ""))])
        .answering_at(FIRST_BY_PORT, [after(500, FakeAnswer::accepted("id-1"))])
        .answering_at(SECOND, [FakeAnswer::accepted("id-2")]);
    let sending = send_one(&host);
    assert_eq!((last(&sending), requests(&host)), (0, (1, 0)));
    assert!(sending.result.is_ok() && !sending.may_be_double);
}

#[test]
fn a_connection_that_falls_silent_to_a_recipient_of_one_provider_keeps_what_is_known_of_the_other()
{
    let host = with_down(&[1])
        .answering_at(FIRST, [hung()])
        .answering_at(FIRST_BY_PORT, [FakeAnswer::accepted("id-1")]);
    assert!(send_alone(&host).0.silent_connection);
    assert!(is_down(&host, 1));
}

#[test]
fn both_keys_of_a_resource_go_over_the_connection_that_is_well() {
    let accepted = || FakeAnswer::accepted("id-1");
    let host =
        FakeHost::default().answering_at(FIRST, [hung()]).answering_at(FIRST_BY_PORT, [accepted()]);
    assert!(send_over(&host, FIRST, host.ports(), TIME).silent_connection);
    // The first key is revoked; over the other connection its 401 may be the authority's.
    let refused = || FakeAnswer::of(401, "");
    let host = later(host, 1)
        .answering_at(FIRST, [refused(), accepted()])
        .answering_at(FIRST_BY_PORT, [refused()]);
    let sending = send_over(&host, FIRST, host.ports(), TIME);
    assert!(sending.result.is_ok() && !sending.silent_connection);
    assert_eq!((last(&sending), requests(&host).0), (1, 2));
}

#[test]
fn a_provider_that_is_slow_is_heard_over_the_connection_that_was_asked_first() {
    let slow = (Duration::from_millis(1500), FakeAnswer::accepted("id-1").1);
    let host = FakeHost::default()
        .answering_at(FIRST, [slow])
        .answering_at(FIRST_BY_PORT, [FakeAnswer::of(409, "")]);
    let (sending, over) = send_alone(&host);
    assert!(sending.result.is_ok() && !sending.silent_connection);
    assert_eq!((sending.elapsed.as_millis(), over.len()), (1500, 2));
}

#[test]
fn the_second_provider_is_tried_as_if_it_were_alone() {
    let gone = at_once(SendError::NotConnected);
    let host = host([gone.clone()], vec![gone; 9]);
    let start = host.instant.get();
    let sending = send_one(&host);
    assert_eq!(requests(&host), (1, 5));
    assert!(host.instant.get().since(start) < TIME);
    assert!(fix(&sending).contains("providers.other.connection_string"));
    assert!(!fix(&sending).contains("may have been sent"));
}

#[test]
fn with_little_time_no_attempt_is_shorter_than_it_is_worth() {
    for (left, expected) in [(99, (0, 0)), (100, (1, 0)), (199, (1, 0)), (200, (1, 1))] {
        let host = host([hung()], [FakeAnswer::accepted("id-2")]);
        let sending = send_over(&host, SECOND, host.ports(), Duration::from_millis(left));
        assert_eq!(requests(&host), expected, "{left}");
        assert!(sending.elapsed.as_millis() <= u128::from(left), "{left}");
    }
}

#[test]
fn with_little_time_a_clock_that_goes_on_leaves_the_first_provider_its_attempt() {
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
    for down in [&[][..], &[0], &[1]] {
        for left in [101, 150, 199] {
            let accepted = || [FakeAnswer::accepted("id-1")];
            let host = later(with_down(down), 1)
                .answering_at(FIRST, accepted())
                .answering_at(SECOND, accepted());
            let ports = Ports { clock: &Ticking(&host), ..host.ports() };
            let sending = send_over(&host, SECOND, ports, Duration::from_millis(left));
            assert_eq!(sending.result, Ok(Some("id-1".into())), "{down:?}, {left} ms");
        }
    }
}

#[test]
fn of_one_resource_the_second_key_signs_where_the_first_is_not_taken() {
    for status in [401, 403] {
        let answers = [FakeAnswer::of(status, ""), FakeAnswer::accepted("id-1")];
        let host = FakeHost::default().answering_at(FIRST, answers);
        let sending = send_over(&host, FIRST, host.ports(), TIME);
        assert_eq!((last(&sending), sending.may_be_double), (1, false));
        assert_eq!(sending.failed_over, Some(Reason::ProviderUnauthorized));
        let sent = host.sent.borrow();
        assert_ne!(sent[0].headers.last(), sent[1].headers.last(), "each key signs for itself");
        assert_eq!(healths(&host), [Health::default(); 2]);
    }
}

#[test]
fn of_one_resource_the_first_key_has_all_the_time() {
    let slow = (Duration::from_secs(2), FakeAnswer::accepted("id-1").1);
    let host = FakeHost::default().answering_at(FIRST, [slow]);
    let sending = send_over(&host, FIRST, host.ports(), TIME);
    assert_eq!((last(&sending), over_the_usual_connection(&sending)), (0, 1));
    assert!(sending.result.is_ok());
    let host = FakeHost::default().answering_at(FIRST, vec![FakeAnswer::of(503, ""); 9]);
    let sending = send_over(&host, FIRST, host.ports(), TIME);
    assert_eq!((last(&sending), sending.attempts.len()), (0, 5));
}

#[test]
fn a_failure_on_both_providers_has_the_last_ones_reason_and_both_in_the_log() {
    let secondary = "providers.other.connection_string of the secrets";
    for (first, second, reason, told, logged, may_be_sent) in [
        (
            FakeAnswer::of(401, ""),
            FakeAnswer::of(401, ""),
            Reason::ProviderUnauthorized,
            secondary,
            "provider_unauthorized.",
            false,
        ),
        (
            hung(),
            FakeAnswer::of(404, ""),
            Reason::ProviderRejected,
            secondary,
            "deadline_exceeded.",
            true,
        ),
        (
            FakeAnswer::throttled(None),
            FakeAnswer::of(400, ""),
            Reason::ProviderRejected,
            "providers.senders of the provider other",
            "provider_throttled.",
            false,
        ),
        (
            FakeAnswer::of(503, ""),
            hung(),
            Reason::DeadlineExceeded,
            "ACS",
            "provider_unavailable.",
            true,
        ),
        (
            at_once(SendError::Broken),
            at_once(SendError::NotAllowed),
            Reason::Misconfigured,
            "see the hook's log",
            "provider_unavailable.",
            true,
        ),
    ] {
        let label = format!("{first:?} {second:?}");
        let host = host(vec![first; 2], [second]);
        let sending = send_one(&host);
        assert_eq!(sending.result.as_ref().unwrap_err().reason, reason, "{label}");
        assert_eq!(last(&sending), 1);
        assert!(fix(&sending).contains(told), "{label}: {}", fix(&sending));
        let logged = format!(" Before, the provider acs failed with {logged}");
        assert!(log_fix(&sending).contains(&logged), "{label}: {}", log_fix(&sending));
        assert!(!fix(&sending).contains("Before"), "the caller is not told");
        for fix in [fix(&sending), log_fix(&sending)] {
            assert_eq!(fix.ends_with(" The message may have been sent."), may_be_sent, "{label}");
        }
    }
}

#[test]
fn two_providers_that_may_both_have_sent_may_have_sent_twice_whatever_they_said() {
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
fn a_host_that_may_not_be_called_is_named_with_the_variable_of_its_provider() {
    let forbidden = at_once(SendError::NotAllowed);
    let sending = send_one(&host([forbidden.clone()], [forbidden]));
    assert!(log_fix(&sending).contains("endpoint of the provider other"));
    assert!(log_fix(&sending).contains(&format!("https://{SECOND}")));
}

#[test]
fn the_store_is_asked_once_and_written_only_where_there_is_news() {
    let get = format!("get {}", health::KEY);
    let set = format!("set {}", health::KEY);
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
fn the_fifth_failure_within_30_seconds_puts_a_provider_down() {
    for (apart, down) in [(0, true), (7, true), (8, false), (60, false)] {
        let mut host = host(
            vec![FakeAnswer::of(503, ""); 5],
            std::iter::repeat_n(FakeAnswer::accepted("id-2"), 5),
        );
        for n in 1..=5 {
            assert!(!is_down(&host, 0), "{apart} s apart, before failure {n}");
            assert!(send_one(&host).result.is_ok());
            host = later(host, apart);
        }
        assert_eq!(is_down(&host, 0), down, "{apart} s apart");
        assert!(!is_down(&host, 1));
    }
}

#[test]
fn a_sender_that_is_refused_puts_no_provider_down_and_a_wrong_key_does() {
    let denied = || FakeAnswer::of(401, r#"{"error":{"code":"Denied","message":"?"}}"#);
    for (answer, down) in [
        (unauthorized(), false),
        (FakeAnswer::of(404, ""), false),
        (recipient(401), false),
        (recipient(403), false),
        (denied(), true),
        (FakeAnswer::of(401, ""), true),
        (FakeAnswer::of(403, ""), true),
    ] {
        let label = format!("{answer:?}");
        let host = host(vec![answer; 9], vec![FakeAnswer::accepted("id-2"); 9]);
        for _ in 0..9 {
            assert!(send_one(&host).result.is_ok(), "{label}");
        }
        assert_eq!(is_down(&host, 0), down, "{label}");
        assert_eq!(requests(&host), (if down { 5 } else { 9 }, 9), "{label}");
    }
}

#[test]
fn a_sender_that_is_refused_is_no_success_either() {
    let bad = || FakeAnswer::of(503, "");
    let first = (0..6).map(|n| if n == 2 { unauthorized() } else { bad() });
    let host = host(first, vec![FakeAnswer::accepted("id-2"); 6]);
    (0..6).for_each(|_| assert!(send_one(&host).result.is_ok()));
    assert!(is_down(&host, 0));
}

#[test]
fn a_success_forgets_the_failures_before_it() {
    let bad = || FakeAnswer::of(503, "");
    let first = (0..9).map(|n| if n == 4 { FakeAnswer::accepted("id-1") } else { bad() });
    let host = host(first, vec![FakeAnswer::accepted("id-2"); 8]);
    (0..9).for_each(|_| assert!(send_one(&host).result.is_ok()));
    assert!(!is_down(&host, 0));
}

#[test]
fn a_provider_that_is_down_is_skipped_and_tried_last() {
    let good = || FakeAnswer::accepted("id-2");
    let host = later(with_down(&[0]), 4);
    let host = host.answering_at(FIRST, []).answering_at(SECOND, [good()]);
    let sending = send_one(&host);
    assert_eq!((last(&sending), sending.failed_over), (1, None));
    assert_eq!(requests(&host), (0, 1));
    assert_eq!(host.store_calls.borrow().len(), 1);

    // Refused by the other one, which costs 20 ms, it has all that is left.
    let host = host.answering_at(SECOND, [FakeAnswer::of(403, "")]);
    let host = host.answering_at(FIRST, [(Duration::from_secs(2), good().1)]);
    let sending = send_one(&host);
    assert_eq!((last(&sending), sending.result.is_ok()), (0, true));
    assert!(!is_down(&host, 0), "a success is a success");
}

#[test]
fn a_provider_that_is_down_is_the_last_resort_if_the_other_one_hangs() {
    let host = later(with_down(&[0]), 4);
    let host = host.answering_at(SECOND, [hung()]).answering_at(FIRST, [hung()]);
    let start = host.instant.get();
    let sending = send_one(&host);
    let sent = sent_as_usual(&host);
    assert_eq!((sent[0].authority.as_str(), sent[1].authority.as_str()), (SECOND, FIRST));
    assert_eq!(sent[1].at.since(start), TIME - LAST_RESORT);
    assert_eq!(sending.elapsed, TIME);
    assert!(log_fix(&sending).contains("Before, the provider other failed with"));
}

#[test]
fn while_one_provider_is_down_the_other_is_tried_as_if_it_were_alone() {
    let host = later(with_down(&[0]), 1).answering_at(FIRST, []);
    let host = host.answering_at(SECOND, [FakeAnswer::of(503, ""), FakeAnswer::accepted("id-2")]);
    assert!(send_one(&host).result.is_ok());
    assert_eq!(requests(&host), (0, 2));
}

#[test]
fn one_hook_in_5_seconds_probes_until_one_succeeds() {
    let good = |id| FakeAnswer::accepted(id);
    let mut host = with_down(&[0])
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
            assert_eq!(sent_as_usual(&host)[1].at.since(start), TIME / 2);
        }
    }
}

#[test]
fn a_probe_is_told_to_the_others_before_it_starts() {
    let host = later(with_down(&[0]), 5);
    assert_eq!(chosen(2, &host), (0, 1, false));
    assert_eq!(chosen(2, &host), (1, 0, true));
}

/// The places of the two that are chosen of so many providers, and whether the second is the last resort.
fn chosen(providers: usize, host: &FakeHost) -> (usize, usize, bool) {
    let all = [provider(0, FIRST), provider(1, SECOND), third()];
    let candidates = candidates(&all[..providers], Channel::Sms, None, "+15550100123").unwrap();
    let mut known = health::read(host).unwrap();
    let choice = choose(&candidates, &mut known, host.ports()).unwrap();
    let place = |it: Candidate<'_>| all.iter().position(|other| other.name == it.provider.name);
    let places = (place(choice.first).unwrap(), place(choice.second).unwrap());
    (places.0, places.1, choice.second_is_last_resort)
}

fn third() -> Provider {
    let senders = [("default", "CONTOSO")];
    crate::providers::tests::provider("third", "third.example", "dGhpcmQ=", &senders)
}

#[test]
fn of_three_providers_the_first_two_that_are_up_are_asked_and_those_that_are_down_are_probed() {
    let with_third_down = |host: FakeHost| {
        let mut known = health::read(&host).unwrap();
        for _ in 0..health::FAILURES {
            known.change("third", |health| health.fail(host.milliseconds()));
        }
        health::write(&host, &known).unwrap();
        host
    };
    for (down, third_down, at_once, when_due) in [
        (&[][..], false, (0, 1, false), (0, 1, false)),
        (&[0], false, (1, 2, false), (0, 1, false)),
        (&[1], false, (0, 2, false), (0, 2, false)),
        (&[0, 1], false, (2, 0, true), (0, 2, false)),
        (&[], true, (0, 1, false), (0, 1, false)),
        (&[0], true, (1, 0, true), (0, 1, false)),
        (&[1], true, (0, 1, true), (0, 1, false)),
        (&[0, 1], true, (0, 1, false), (0, 1, false)),
    ] {
        let host = || match third_down {
            true => with_third_down(with_down(down)),
            false => with_down(down),
        };
        let label = format!("{down:?} {third_down}");
        assert_eq!(chosen(3, &later(host(), 1)), at_once, "{label}");
        assert_eq!(chosen(3, &later(host(), 5)), when_due, "{label}");
    }
}

#[test]
fn of_three_that_are_down_none_is_forgotten() {
    let host = with_down(&[0, 1]);
    let mut known = health::read(&host).unwrap();
    for _ in 0..health::FAILURES {
        known.change("third", |health| health.fail(host.milliseconds()));
    }
    health::write(&host, &known).unwrap();
    let host = later(host, 4);
    // The first two are asked, and fail again.
    assert_eq!(chosen(3, &host), (0, 1, false));
    let mut known = health::read(&host).unwrap();
    for name in NAMES {
        known.change(name, |health| health.fail(host.milliseconds()));
    }
    health::write(&host, &known).unwrap();
    assert_eq!(chosen(3, &later(host, 1)), (2, 0, false));
}

#[test]
fn two_keys_of_one_resource_are_one_provider_beside_another() {
    let unauthorized = || FakeAnswer::of(401, "");
    let [first, other_key] = [provider(0, FIRST), provider(1, FIRST)];
    let host = FakeHost::default()
        .answering_at(FIRST, [unauthorized(), unauthorized()])
        .answering_at("third.example", [FakeAnswer::accepted("id-3")]);
    let sending = send_with(&[first, other_key, third()], &host, host.ports(), TIME);
    let asked: Vec<_> = sending.attempts.iter().map(|attempt| &*attempt.provider).collect();
    assert_eq!(asked, ["acs", "other", "third"]);
    assert_eq!((&*sending.provider, sending.result.is_ok()), ("third", true));
    assert_eq!(sending.failed_over, Some(Reason::ProviderUnauthorized));
    assert!(!sending.may_be_double);
}

#[test]
fn a_provider_that_is_up_again_and_slow_is_found_up() {
    let slow = (Duration::from_secs(1), FakeAnswer::accepted("id-1").1);
    let host = later(with_down(&[0]), 5).answering_at(FIRST, [slow]);
    assert!(send_one(&host).result.is_ok());
    assert!(!is_down(&host, 0));
}

#[test]
fn what_fails_as_the_last_resort_puts_no_probe_off() {
    let slow = || (Duration::from_millis(400), FakeAnswer::accepted("id-1").1);
    let mut host = with_down(&[0]);
    let down = healths(&host)[0];
    for _ in 0..2 {
        host = later(host, 2).answering_at(SECOND, [hung()]).answering_at(FIRST, [slow()]);
        assert!(send_one(&host).result.is_err());
        assert_eq!(requests(&host), (1, 1));
        assert_eq!(healths(&host)[0], down);
    }
    let host = later(host, 1).answering_at(FIRST, [slow()]);
    assert_eq!(last(&send_one(&host)), 0);
    assert!(!is_down(&host, 0));
}

#[test]
fn a_second_provider_that_is_down_is_as_good_as_up_when_it_is_needed_after_5_seconds() {
    let slow = |seconds| (Duration::from_secs(seconds), FakeAnswer::accepted("id-2").1);
    let refused = || FakeAnswer::of(503, "");
    // Within them the primary is patient, and leaves little.
    let host = later(with_down(&[1]), 4);
    let host = host.answering_at(SECOND, [slow(1)]).answering_at(FIRST, vec![refused(); 9]);
    assert!(send_one(&host).result.is_err());
    assert_eq!(requests(&host), (5, 1));
    let host = later(with_down(&[1]), 5);
    let host = host.answering_at(SECOND, [slow(1)]).answering_at(FIRST, [refused()]);
    assert!(send_one(&host).result.is_ok());
    assert!(!is_down(&host, 1));
    // It is not asked where it is not needed.
    let host = later(with_down(&[1]), 5);
    let host = host.answering_at(SECOND, []).answering_at(FIRST, [FakeAnswer::accepted("1")]);
    assert_eq!(last(&send_one(&host)), 0);
    assert_eq!(host.store_calls.borrow().len(), 1);
}

#[test]
fn with_both_down_it_is_the_first_one_first_and_nothing_is_skipped() {
    let host = later(with_down(&[0, 1]), 5);
    let host = host.answering_at(FIRST, [hung()]).answering_at(SECOND, [FakeAnswer::accepted("2")]);
    let start = host.instant.get();
    assert_eq!(last(&send_one(&host)), 1);
    assert_eq!(sent_as_usual(&host)[1].at.since(start), TIME / 2);
    assert!(is_down(&host, 0) && !is_down(&host, 1));
}

#[test]
fn a_store_that_fails_holds_no_message_up_and_is_told() {
    let good = || FakeAnswer::accepted("id-2");
    let host = host([FakeAnswer::of(503, "")], [good()]);
    host.stored.replace(None);
    let sending = send_one(&host);
    assert!(sending.result.is_ok() && sending.store_failed);
    assert_eq!(host.store_calls.borrow().len(), 1, "a store that fails is not asked again");
    assert!(!send_one(&FakeHost::default()).store_failed);
}

#[test]
fn a_probe_that_can_not_be_told_is_none_and_the_provider_counts_as_up() {
    let host = later(with_down(&[0]), 5);
    let host = host.answering_at(FIRST, [FakeAnswer::accepted("id-1")]).answering_at(SECOND, []);
    let ports = Ports { store: &ReadOnly(&host), ..host.ports() };
    let sending = send_over(&host, SECOND, ports, TIME);
    assert_eq!((last(&sending), sending.store_failed), (0, true));
}

#[test]
fn what_others_wrote_while_a_hook_waited_is_kept() {
    /// A store in which another failure of the primary stands from the second reading on.
    struct Busy<'a>(&'a FakeHost);
    impl Store for Busy<'_> {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            let mut known = health::read(self.0)?;
            known.change(NAMES[0], |health| health.fail(self.0.milliseconds()));
            let before = self.0.get(key)?;
            health::write(self.0, &known)?;
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
    assert!(is_down(&host, 0));
}

#[test]
fn a_clock_that_goes_back_keeps_no_provider_down() {
    for back in [1, 6, 3600, 70 * 365 * 86_400] {
        let mut host = with_down(&[0]);
        host.now -= Duration::from_secs(back);
        // The probe is further off than probes are apart.
        let host = host.answering_at(FIRST, [FakeAnswer::accepted("id-1")]);
        assert_eq!(last(&send_one(&host)), 0, "{back}");
    }
}

proptest! {
    #[test]
    fn whatever_the_store_holds_the_message_is_sent(bytes: Vec<u8>) {
        let host = FakeHost::default();
        host.set(health::KEY, &bytes).unwrap();
        let sending = send_over(&host, SECOND, host.ports(), TIME);
        prop_assert!(sending.result.is_ok() && !sending.store_failed);
    }

    #[test]
    fn whatever_the_providers_say_the_deadline_is_kept_and_one_success_is_the_end(
        first in prop::collection::vec(any_outcome(), 12),
        second in prop::collection::vec(any_outcome(), 12),
        down in prop::sample::subsequence(vec![0, 1], 0..=2),
        after in 0u64..8,
        left in 0u64..2500,
    ) {
        let left = Duration::from_millis(left);
        let host = later(with_down(&down), after)
            .answering_at(FIRST, first.clone())
            .answering_at(SECOND, second.clone());
        let start = host.instant.get();
        let sending = send_over(&host, SECOND, host.ports(), left);
        prop_assert!(host.instant.get().since(start) <= left);
        prop_assert!(sending.elapsed <= left);
        prop_assert_eq!(sending.attempts.len(), host.sent.borrow().len());
        let (on_first, on_second) = requests(&host);
        prop_assert_eq!(over_the_usual_connection(&sending), on_first + on_second);
        let asked = first[..on_first].iter().chain(&second[..on_second]);
        let successes = asked.filter(|outcome| is_acceptance(outcome)).count();
        prop_assert!(successes <= 1);
        prop_assert_eq!(sending.result.is_ok(), successes == 1);
        for pair in host.sent.borrow().windows(2) {
            prop_assert!(pair[0].authority != pair[1].authority || pair[0].body == pair[1].body);
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_over_both_connections_the_deadline_is_kept_and_no_acceptance_is_passed_over(
        answers in prop::collection::vec(prop::collection::vec(any_outcome(), 12), 4),
        on_other_connection: [bool; 2],
        left in 0u64..2500,
    ) {
        let left = Duration::from_millis(left);
        let host = FakeHost::default();
        let mut known = Known::default();
        for (name, other) in NAMES.into_iter().zip(on_other_connection) {
            known.change(name, |health| health.set_other_connection(other, host.milliseconds()));
        }
        health::write(&host, &known).unwrap();
        let ways = [FIRST, FIRST_BY_PORT, SECOND, "fabrikam.communication.azure.com:443"];
        let host = ways.into_iter().zip(answers).fold(host, |host, (way, answers)| {
            host.answering_at(way, answers)
        });
        let start = host.instant.get();
        let sending = send_over(&host, SECOND, host.ports(), left);
        prop_assert!(host.instant.get().since(start) <= left);
        prop_assert_eq!(sending.attempts.len(), host.sent.borrow().len());
        let accepted = sending.attempts.iter().filter(|attempt| attempt.accepted).count();
        prop_assert_eq!(accepted, usize::from(sending.result.is_ok()));
        let asked = |name: &str| sending.attempts.iter().any(|attempt| attempt.provider == name);
        prop_assert!(!sending.may_be_double || NAMES.into_iter().all(asked));
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
fn a_hung_provider_makes_hooks_wait_for_a_second_or_two_and_not_for_the_minute() {
    let hooks = 30 * 60;
    let quick = (Duration::from_millis(80), FakeAnswer::accepted("id-2").1);
    let host = host(Answers::from(vec![hung(); hooks]), Answers::from(vec![quick; hooks]));
    let store = Timeline { host: &host, writes: RefCell::default() };
    let ports = Ports { clock: &Running(&host), store: &store, ..host.ports() };
    let mut times = Vec::new();
    for n in 0..hooks {
        let start = Instant(Duration::from_millis(n as u64 * 1000 / 30));
        host.instant.set(start);
        let sending = send_over(&host, SECOND, ports, TIME);
        assert!(sending.result.is_ok());
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
    assert!(slow <= 55, "{slow} hooks waited for the provider that hangs");
    assert!(most < 75, "{most} hooks at once: Okta runs no more");
}
