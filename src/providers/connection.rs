//! Over which of two connections a provider is asked, so that one that has died without a word costs a few hooks
//! some time, and no more.
//!
//! # Why there are two
//!
//! Spin keeps connections from hook to hook. Over HTTP/2 it has one for all hooks, and keeps that for as long as
//! there are hooks. If the network drops it without a word, as a firewall does that has forgotten it, every
//! request on it waits in vain until TCP gives it up, which takes 15 minutes. A component can't close a
//! connection, but it can have another one: Spin keeps them by scheme and authority, as the authority is written.
//! `name:443` is the same server as `name` (RFC 9110, section 4.2.3), and has a connection of its own.
//!
//! # How they are used
//!
//! A request that has brought no answer after half of its time is sent over the other connection as well. If
//! that brings the acceptance, those after it use it first for a while (`records::health`). Meanwhile nobody uses the
//! first one, so that Spin gives it up.
//!
//! | an answer over | counts |
//! |---|---|
//! | either | at once, if it is an acceptance |
//! | the usual connection | whatever it is, but not while the other one may still bring an acceptance |
//! | the other one, tried as the second | only if it is an acceptance |
//! | the other one, used first | likewise as the usual one's; not a 401, 403, 404 or 421 |
//!
//! Nobody knows whether each provider takes an authority with its port, and those four may come of it: a 401 over
//! the other connection says nothing about the credentials. Over HTTP/1.1 the host leaves the port out again, so
//! that the signature is wrong; but there each request has a connection of its own.
//!
//! That is for providers that know a repeated request only, or the message might be sent twice.

use std::borrow::Cow;

use http::uri::Authority;

use super::SHORTEST_ATTEMPT;
use crate::ports::{Answer, Clock, HttpClient, InFlight, Instant, SendError};

/// One of the two connections to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The one with the authority as it is configured.
    Usual,
    /// The one with the port written in another way.
    Other,
}

impl Connection {
    fn other(self) -> Self {
        match self {
            Self::Usual => Self::Other,
            Self::Other => Self::Usual,
        }
    }

    /// How the authority is written to have this connection, of a provider that is asked over TLS.
    pub fn authority(self, usual: &str) -> Cow<'_, str> {
        if self == Self::Usual {
            return usual.into();
        }
        match usual
            .parse::<Authority>()
            .as_ref()
            .map(|authority| (authority.host(), authority.port()))
        {
            // A port may begin with zeros (RFC 3986, section 3.2.3).
            Ok((host, Some(port))) => format!("{host}:0{port}").into(),
            _ => format!("{usual}:443").into(),
        }
    }
}

/// What came of a request that may have been sent over both connections.
pub struct Asked {
    /// What counts.
    pub answer: Result<Box<dyn Answer>, SendError>,
    /// Where that came: its place in `tries`.
    pub of: usize,
    /// The connection that those after this one use first, if not the one that was first here.
    pub changed_to: Option<Connection>,
    /// The first connection had brought nothing after half of the time, and the other one brought what counts.
    pub was_silent: bool,
    /// Each time that the request was sent, in order: once, or once over each connection.
    pub tries: Vec<Try>,
}

/// A request, as it was sent over one of the connections.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// The connection.
    pub over: Connection,
    /// When it was sent.
    pub started: Instant,
    /// When its answer came, or it failed; or when it was no longer waited for.
    pub ended: Instant,
    /// What it brought; nothing where it was no longer waited for.
    pub outcome: Option<Result<u16, SendError>>,
}

/// Sends a request over `first` and, if there is no answer at `spare_at`, over the other connection as well. Waits
/// for the head of an answer that counts, until `until` at the latest. `send` is what sends it.
pub fn ask(
    http: &dyn HttpClient,
    clock: &dyn Clock,
    first: Connection,
    spare_at: Option<Instant>,
    until: Instant,
    send: impl Fn(&mut dyn InFlight, Connection),
) -> Asked {
    let mut in_flight = http.in_flight();
    let mut tries = Vec::new();
    let start = |in_flight: &mut dyn InFlight, tries: &mut Vec<Try>, over| {
        tries.push(Try { over, started: clock.instant(), ended: until, outcome: None });
        send(in_flight, over);
    };
    start(&mut *in_flight, &mut tries, first);
    let mut spare_at = spare_at.filter(|at| *at < until);
    let mut first_was_silent = false;
    // What counts unless an acceptance comes, and what counts only if there is nothing else.
    let (mut answered, mut refused) = (None, None);
    loop {
        let Some((number, answer)) = in_flight.next(spare_at.unwrap_or(until)) else {
            if spare_at.take().is_none() {
                break;
            }
            first_was_silent = true;
            start(&mut *in_flight, &mut tries, first.other());
            continue;
        };
        let now = clock.instant();
        let status = answer.as_ref().map(|answer| answer.status()).map_err(|error| *error);
        let over = tries[number].over;
        (tries[number].ended, tries[number].outcome) = (now, Some(status));
        let is_trusted = over == Connection::Usual
            || first == Connection::Other
                && status.is_ok_and(|status| !matches!(status, 401 | 403 | 404 | 421));
        if status.is_ok_and(|status| (200..300).contains(&status)) {
            answered = Some((number, answer));
            break;
        } else if is_trusted {
            answered = Some((number, answer));
        } else {
            refused = Some((number, answer));
            // The usual connection is asked now, if it was not before.
            if tries.len() == 1 && now.plus(SHORTEST_ATTEMPT) <= until {
                spare_at = None;
                start(&mut *in_flight, &mut tries, Connection::Usual);
            }
        }
        if tries.iter().all(|it| it.outcome.is_some()) {
            break;
        }
    }
    let now = clock.instant();
    tries.iter_mut().filter(|it| it.outcome.is_none()).for_each(|it| it.ended = now);
    let unanswered = tries.iter().position(|it| it.outcome.is_none());
    let late = unanswered.map(|number| (number, Err(SendError::Late)));
    let (of, answer) = answered.or(late).or(refused).unwrap_or((0, Err(SendError::Late)));
    let over = tries[of].over;
    let changed_to = Some(over).filter(|over| answer.is_ok() && *over != first);
    let was_silent = first_was_silent && changed_to.is_some();
    Asked { answer, of, changed_to, was_silent, tries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::{FakeAnswer, FakeHost};
    use crate::ports::{OutboundMethod, OutboundRequest};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn the_other_connection_has_the_port_written_in_another_way() {
        for (usual, other) in [
            ("contoso.communication.azure.com", "contoso.communication.azure.com:443"),
            ("127.0.0.1:3001", "127.0.0.1:03001"),
            ("[::1]", "[::1]:443"),
            ("[::1]:3001", "[::1]:03001"),
        ] {
            assert_eq!(Connection::Usual.authority(usual), usual);
            assert_eq!(Connection::Other.authority(usual), other);
            let port = |authority: &str| authority.parse::<Authority>().unwrap().port_u16();
            assert_eq!(port(other), port(usual).or(Some(443)));
        }
    }

    type Takes = (u64, Result<u16, SendError>);

    /// Asks with 1,000 ms to go, where each connection takes so many milliseconds for this.
    fn asked(
        first: Connection,
        spare_at: Option<u64>,
        usual: Takes,
        other: Takes,
    ) -> (Asked, Duration) {
        let answer = |(takes, outcome): Takes| {
            let answer = outcome.map(|status| FakeAnswer::of(status, "").1.unwrap());
            [(Duration::from_millis(takes), answer)]
        };
        let host = FakeHost::default()
            .answering_at("a", answer(usual))
            .answering_at("a:443", answer(other));
        let start = host.instant.get();
        let at = |milliseconds| start.plus(Duration::from_millis(milliseconds));
        let send = |in_flight: &mut dyn InFlight, over: Connection| {
            let request = OutboundRequest {
                method: OutboundMethod::Get,
                tls: true,
                authority: &over.authority("a"),
                path_and_query: "/",
                headers: &[],
            };
            in_flight.send(&request, at(1000));
        };
        let asked = ask(&host, &host, first, spare_at.map(at), at(1000), send);
        (asked, host.instant.get().since(start))
    }

    /// Over which connection what counts came, and what it is.
    fn counts(asked: &Asked) -> (Connection, Result<u16, SendError>) {
        let status = asked.answer.as_ref().map(|answer| answer.status());
        (asked.tries[asked.of].over, status.map_err(|error| *error))
    }

    #[test]
    fn an_acceptance_counts_before_all_else_and_then_what_the_usual_connection_says() {
        use Connection::{Other, Usual};
        use SendError::{Broken, Late, NotConnected};
        const NEVER: Takes = (5000, Err(Late));
        // What each connection brings, what counts and when, and whether the first one was silent. The spare goes at
        // 500 ms.
        for (first, usual, other, expected, at, was_silent) in [
            (Usual, (100, Ok(202)), NEVER, (Usual, Ok(202)), 100, false),
            (Usual, (100, Ok(401)), NEVER, (Usual, Ok(401)), 100, false),
            (Usual, (100, Err(Broken)), NEVER, (Usual, Err(Broken)), 100, false),
            (Usual, NEVER, (100, Ok(202)), (Other, Ok(202)), 600, true),
            (Usual, NEVER, (100, Ok(401)), (Usual, Err(Late)), 1000, false),
            (Usual, NEVER, (100, Ok(429)), (Usual, Err(Late)), 1000, false),
            (Usual, NEVER, (100, Err(Broken)), (Usual, Err(Late)), 1000, false),
            (Usual, NEVER, NEVER, (Usual, Err(Late)), 1000, false),
            (Usual, (700, Ok(202)), (100, Ok(503)), (Usual, Ok(202)), 700, false),
            // What is no acceptance waits for one that may come yet.
            (Usual, (700, Ok(503)), NEVER, (Usual, Ok(503)), 1000, false),
            (Usual, (700, Ok(503)), (300, Ok(202)), (Other, Ok(202)), 800, true),
            (Usual, (700, Err(Broken)), (300, Ok(202)), (Other, Ok(202)), 800, true),
            (Usual, (700, Err(Broken)), NEVER, (Usual, Err(Broken)), 1000, false),
            (
                Usual,
                (700, Err(NotConnected)),
                (300, Ok(400)),
                (Usual, Err(NotConnected)),
                800,
                false,
            ),
            // The other connection is used first.
            (Other, NEVER, (100, Ok(202)), (Other, Ok(202)), 100, false),
            (Other, NEVER, (100, Ok(429)), (Other, Ok(429)), 100, false),
            (Other, NEVER, (100, Ok(400)), (Other, Ok(400)), 100, false),
            (Other, (100, Ok(202)), (100, Ok(401)), (Usual, Ok(202)), 200, false),
            (Other, (100, Ok(401)), (100, Ok(401)), (Usual, Ok(401)), 200, false),
            (Other, NEVER, (100, Ok(421)), (Usual, Err(Late)), 1000, false),
            (Other, (100, Ok(202)), (100, Err(Broken)), (Usual, Ok(202)), 200, false),
            (Other, (100, Ok(202)), NEVER, (Usual, Ok(202)), 600, true),
            (Other, NEVER, (700, Ok(202)), (Other, Ok(202)), 700, false),
        ] {
            let label = format!("{first:?} {usual:?} {other:?}");
            let (asked, took) = asked(first, Some(500), usual, other);
            assert_eq!(counts(&asked), expected, "{label}");
            assert_eq!((took.as_millis(), asked.was_silent), (at, was_silent), "{label}");
        }
    }

    #[test]
    fn without_a_spare_the_usual_connection_is_asked_after_a_refusal_if_there_is_time() {
        use Connection::{Other, Usual};
        let broken = Err(SendError::Broken);
        for (first, usual, other, expected, tries) in [
            (Usual, (950, Ok(503)), (10, Ok(202)), (Usual, Ok(503)), 1),
            (Other, (10, Ok(202)), (100, Ok(401)), (Usual, Ok(202)), 2),
            (Other, (10, Ok(202)), (950, Ok(401)), (Other, Ok(401)), 1),
            (Other, (10, Ok(202)), (950, broken), (Other, broken), 1),
        ] {
            let (asked, _) = asked(first, None, usual, other);
            assert_eq!(
                (counts(&asked), asked.tries.len()),
                (expected, tries),
                "{first:?} {other:?}"
            );
        }
    }

    fn takes() -> impl Strategy<Value = Takes> {
        let failure = prop::sample::select(vec![
            SendError::NotAllowed,
            SendError::NotConnected,
            SendError::Untrusted,
            SendError::Broken,
        ]);
        (0u64..2000, prop_oneof![(200u16..600).prop_map(Ok), failure.prop_map(Err)])
    }

    proptest! {
        #[test]
        fn whatever_both_bring_each_is_asked_once_and_in_time_and_no_acceptance_is_passed_over(
            first in prop::sample::select(vec![Connection::Usual, Connection::Other]),
            usual in takes(),
            other in takes(),
        ) {
            let (asked, took) = asked(first, Some(500), usual, other);
            let (over, answer) = counts(&asked);
            prop_assert!(took <= Duration::from_millis(1000));
            prop_assert!(asked.tries.len() <= 2);
            prop_assert!(asked.tries.len() == 1 || asked.tries[0].over != asked.tries[1].over);
            let is_acceptance = |outcome| matches!(outcome, Some(Ok(200..=299)));
            let accepted = asked.tries.iter().filter(|it| is_acceptance(it.outcome)).count();
            prop_assert_eq!(accepted, usize::from(is_acceptance(Some(answer))));
            prop_assert!(asked.changed_to.is_none_or(|to| to == over && to != first));
            prop_assert!(asked.tries[asked.of].outcome.is_none_or(|outcome| outcome == answer));
            if first == Connection::Usual && usual.0 < 1000 && !is_acceptance(Some(answer)) {
                prop_assert_eq!((over, answer), (first, usual.1), "what it said counts");
            }
        }
    }
}
