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
//! A request that has brought no answer after half of its time is sent over the other connection as well, and
//! [`ask`] takes what comes first. If that came over the other connection, those after it use that one for a
//! while (`records::health`). Meanwhile Spin gives up the first one, as nobody uses it.
//!
//! Nobody knows whether each provider takes an authority with its port. So over [`Connection::Other`] only an
//! acceptance counts, and anything else is as if nothing had been said. In particular a 401 there says nothing
//! about the credentials. The provider must know a repeated request, as ACS does, or the message might be sent
//! twice.

use std::borrow::Cow;

use http::uri::Authority;

use crate::ports::{Answer, Clock, HttpClient, Instant, Requests, SendError};

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
    /// Which request's that is: its place in `requests`.
    pub of: usize,
    /// Over which connection the answer came, if that was not the first one: those after this one use it.
    pub changed_to: Option<Connection>,
    /// The requests, in order: one, or one over each connection.
    pub requests: Vec<Request>,
    /// Another request than the one whose answer counts may have had the message sent.
    pub in_doubt: bool,
}

/// A request over one of the connections.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The connection.
    pub over: Connection,
    /// When it was sent.
    pub started: Instant,
    /// When its answer came, or it failed; or when it was no longer waited for.
    pub ended: Instant,
    /// What it brought; nothing where it was no longer waited for.
    pub outcome: Option<Result<u16, SendError>>,
}

impl Request {
    /// Whether the provider may have done what it asks for.
    fn may_be_done(&self) -> bool {
        match self.outcome {
            Some(Ok(status)) => !(400..500).contains(&status),
            Some(Err(error)) => matches!(error, SendError::Broken | SendError::Late),
            None => true,
        }
    }
}

/// Sends a request over `first` and, if there is no answer at `spare_at`, over the other connection as well. Waits
/// for the head of an answer that counts, until `until` at the latest. `send` is what sends it.
pub fn ask(
    http: &dyn HttpClient,
    clock: &dyn Clock,
    first: Connection,
    spare_at: Option<Instant>,
    until: Instant,
    send: impl Fn(&mut dyn Requests, Connection),
) -> Asked {
    let mut under_way = http.requests();
    let mut requests = Vec::new();
    let start = |under_way: &mut dyn Requests, requests: &mut Vec<Request>, over| {
        let now = clock.instant();
        requests.push(Request { over, started: now, ended: until, outcome: None });
        send(under_way, over);
    };
    start(&mut *under_way, &mut requests, first);
    let mut spare = spare_at.map(|at| (at, first.other()));
    let mut failure = (0, SendError::Late);
    let (of, answer) = loop {
        let wait_until = spare.map_or(until, |(at, _)| at.min(until));
        let Some((number, answer)) = under_way.next(wait_until) else {
            match spare.take() {
                Some((at, over)) if at < until => start(&mut *under_way, &mut requests, over),
                _ => break (0, Err(SendError::Late)),
            }
            continue;
        };
        let request = &mut requests[number];
        request.ended = clock.instant();
        let status = answer.as_ref().map(|answer| answer.status());
        request.outcome = Some(status.map_err(|error| *error));
        match (answer, request.over) {
            (Ok(answer), Connection::Usual) => break (number, Ok(answer)),
            (Ok(answer), Connection::Other) if (200..300).contains(&answer.status()) => {
                break (number, Ok(answer));
            }
            (Err(error), Connection::Usual) => failure = (number, error),
            // As if nothing had been said: the usual connection is asked now, if it was not before.
            (_, Connection::Other) => {
                if let Some((_, usual)) = spare.take() {
                    start(&mut *under_way, &mut requests, usual);
                }
            }
        }
        if requests.iter().all(|request| request.outcome.is_some()) {
            let (number, error) = failure;
            break (number, Err(error));
        }
    };
    let now = clock.instant();
    for request in requests.iter_mut().filter(|request| request.outcome.is_none()) {
        request.ended = now;
    }
    let over = requests[of].over;
    Asked {
        changed_to: Some(over).filter(|over| answer.is_ok() && *over != first),
        in_doubt: requests.iter().any(|request| request.over != over && request.may_be_done()),
        answer,
        of,
        requests,
    }
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

    /// Asks with 1,000 ms to go and the spare at 500, where each connection takes so many milliseconds for this.
    fn asked(first: Connection, usual: Takes, other: Takes) -> (Asked, Duration) {
        let answer = |(takes, outcome): Takes| {
            let answer = outcome.map(|status| FakeAnswer::of(status, "").1.unwrap());
            [(Duration::from_millis(takes), answer)]
        };
        let host = FakeHost::default()
            .answering_at("a", answer(usual))
            .answering_at("a:443", answer(other));
        let start = host.instant.get();
        let at = |milliseconds| start.plus(Duration::from_millis(milliseconds));
        let send = |requests: &mut dyn Requests, over: Connection| {
            let request = OutboundRequest {
                method: OutboundMethod::Get,
                tls: true,
                authority: &over.authority("a"),
                path_and_query: "/",
                headers: &[],
            };
            requests.send(&request, at(1000));
        };
        let asked = ask(&host, &host, first, Some(at(500)), at(1000), send);
        (asked, host.instant.get().since(start))
    }

    #[test]
    fn the_usual_connection_says_anything_and_the_other_one_only_that_the_message_is_taken() {
        use Connection::{Other, Usual};
        const NEVER: Takes = (5000, Err(SendError::Late));
        // What each connection brings, what counts and when, how many requests there were, and whether one that
        // does not count may have had the message sent.
        for (first, usual, other, counts, at, requests, in_doubt) in [
            (Usual, (100, Ok(202)), NEVER, Ok((Usual, 202)), 100, 1, false),
            (Usual, (100, Ok(401)), NEVER, Ok((Usual, 401)), 100, 1, false),
            (Usual, (100, Err(SendError::Broken)), NEVER, Err(SendError::Broken), 100, 1, false),
            (Usual, NEVER, (100, Ok(202)), Ok((Other, 202)), 600, 2, true),
            (Usual, NEVER, (100, Ok(401)), Err(SendError::Late), 1000, 2, false),
            (Usual, NEVER, (100, Err(SendError::Broken)), Err(SendError::Late), 1000, 2, true),
            (Usual, NEVER, NEVER, Err(SendError::Late), 1000, 2, true),
            (Usual, (700, Ok(202)), (100, Ok(503)), Ok((Usual, 202)), 700, 2, true),
            (Usual, (700, Ok(503)), NEVER, Ok((Usual, 503)), 700, 2, true),
            (Usual, (700, Err(SendError::Broken)), (300, Ok(202)), Ok((Other, 202)), 800, 2, true),
            (
                Usual,
                (700, Err(SendError::NotConnected)),
                (300, Ok(400)),
                Err(SendError::NotConnected),
                800,
                2,
                false,
            ),
            (Other, NEVER, (100, Ok(202)), Ok((Other, 202)), 100, 1, false),
            (Other, (100, Ok(401)), (100, Ok(401)), Ok((Usual, 401)), 200, 2, false),
            (Other, (100, Ok(202)), NEVER, Ok((Usual, 202)), 600, 2, true),
            (Other, NEVER, (700, Ok(202)), Ok((Other, 202)), 700, 2, true),
        ] {
            let label = format!("{first:?} {usual:?} {other:?}");
            let (asked, took) = asked(first, usual, other);
            let over = asked.requests[asked.of].over;
            let status = asked.answer.as_ref().map(|answer| (over, answer.status()));
            assert_eq!(status.map_err(|error| *error), counts, "{label}");
            assert_eq!((took.as_millis(), asked.requests.len()), (at, requests), "{label}");
            assert_eq!(asked.in_doubt, in_doubt, "{label}");
            let changed_to = counts.ok().map(|(over, _)| over).filter(|over| *over != first);
            assert_eq!(asked.changed_to, changed_to, "{label}");
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
        fn whatever_both_bring_each_is_asked_once_and_in_time_and_an_answer_of_the_usual_one_is_taken(
            first in prop::sample::select(vec![Connection::Usual, Connection::Other]),
            usual in takes(),
            other in takes(),
        ) {
            let (asked, took) = asked(first, usual, other);
            prop_assert!(took <= Duration::from_millis(1000));
            prop_assert!(asked.requests.len() == 1 || asked.requests[0].over != asked.requests[1].over);
            let over = asked.requests[asked.of].over;
            match &asked.answer {
                Ok(answer) if over == Connection::Other => prop_assert!(answer.status() < 300),
                Ok(answer) => prop_assert_eq!(Ok(answer.status()), usual.1),
                Err(_) => {
                    prop_assert_eq!(asked.changed_to, None);
                    prop_assert!(usual.1.is_err() || usual.0 >= 500, "it had the time");
                }
            }
        }
    }
}
