//! A provider's turn with a message: its attempts, as far as they can help and fit. Whose turn it is, and for how long,
//! `failover` says.

use std::time::Duration;

use super::api::{Reading, Verdict};
use super::connection::{self, Connection, Try};
use super::{Attempt, Candidate, Message, SHORTEST_ATTEMPT};
use crate::message::Channel;
use crate::ports::{InFlight, Instant, Ports, SendError};
use crate::refusal::{Reason, Refusal};

/// The wait before the second attempt; it doubles from then on.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Whose turn it is, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    /// Whose turn it is.
    pub candidate: Candidate<'a>,
    /// When the turn ends at the latest.
    pub until: Instant,
    /// When the hook's whole time for sending ends: the end of the turn once the head of an answer has
    /// said that the message was taken, after which it does not fail over.
    pub deadline: Instant,
    /// Over which connection it is asked first.
    pub connection: Connection,
    /// Whether the message is tried again as long as that can help and fits. A provider that is not
    /// patient leaves what was not sent to the other one at once, and tries once more only where it
    /// may have taken the message: the repeat, which is harmless with the same provider only, may settle
    /// that. One that has said that it took the message is patient from then on.
    pub patient: bool,
}

impl<'a> Turn<'a> {
    /// The turn of a provider after which there is no other.
    pub fn alone(candidate: Candidate<'a>, connection: Connection, until: Instant) -> Self {
        Self { candidate, until, deadline: until, connection, patient: true }
    }

    /// When a request of this turn is sent over the other connection as well, if it has no answer by then.
    fn spare_at(&self, now: Instant, channel: Channel) -> Option<Instant> {
        let left = self.until.since(now);
        let fits = self.candidate.provider.has_other_connection(channel);
        (fits && left >= 2 * SHORTEST_ATTEMPT).then(|| now.plus(left / 2))
    }
}

/// What became of a message in one turn.
#[derive(Debug)]
pub(super) struct Tried {
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The status of the answer that counts: the recipient's own where there is one.
    pub status: Option<u16>,
    /// The provider's error code, where it gave one.
    pub error_code: Option<String>,
    /// When the first attempt began.
    pub started: Instant,
    /// When the last one ended; with none, when it would have begun.
    pub ended: Instant,
    /// The message id, which the provider may leave out, or why the message is not known to be sent.
    pub result: Result<Option<String>, Refusal>,
    /// How many segments the provider says that it sends, where it does.
    pub segments: Option<u32>,
    /// The provider may have taken the message in one of the attempts, whatever came after.
    pub may_be_sent: bool,
    /// It does not take the key.
    pub key_refused: bool,
    /// The provider stood in the way, not the message.
    pub provider_failed: bool,
    /// The connection that those after this message are to use, where it is not the one that was used first.
    pub changed_to: Option<Connection>,
    /// That is because the first one was silent.
    pub was_silent: bool,
    /// Another provider may do: this one failed, or refused the sender, and in no attempt has it said that it took
    /// the message.
    pub may_fail_over: bool,
}

/// Sends a message, again where a second attempt can help and fits the turn.
///
/// The message is the same in every attempt, so that a provider that knows repeats sends it once whatever got lost.
/// One that does not is not asked again once it may have taken it.
pub(super) fn send(turn: &Turn<'_>, message: &Message<'_>, ports: Ports<'_>) -> Tried {
    let mut turn = *turn;
    let started = ports.clock.instant();
    let provider = turn.candidate.provider;
    let api = &*provider.api;
    let channel = message.content.channel();
    let request = api.request(turn.candidate.sender, message, ports.clock.time_at(started));

    let mut backoff = FIRST_BACKOFF;
    let mut attempts = Vec::new();
    let (mut may_be_sent, mut most_likely_sent) = (false, false);
    let (mut changed_to, mut was_silent) = (None, false);
    let mut verdict = Verdict::refused(None, no_time_left());
    let (mut next, mut ended) = (started, started);
    let mut repeated = false;
    // An attempt without the time to hear of it would send a message and deny it.
    while next.plus(SHORTEST_ATTEMPT) <= turn.until {
        let now = if repeated {
            ports.clock.sleep(next);
            ports.clock.instant()
        } else {
            started
        };
        let spare_at = turn.spare_at(now, channel);
        let send = |in_flight: &mut dyn InFlight, over: Connection| {
            request.send(in_flight, &over.authority(api.endpoint().authority), turn.until);
        };
        let asked =
            connection::ask(ports.http, ports.clock, turn.connection, spare_at, turn.until, send);
        if let Some(connection) = asked.changed_to {
            (turn.connection, changed_to) = (connection, Some(connection));
        }
        was_silent |= asked.was_silent;
        let mut others = asked.tries.iter().enumerate().filter(|(number, _)| *number != asked.of);
        may_be_sent |= others.any(|(_, other)| may_be_taken(other.outcome, turn.candidate));
        let of = attempts.len() + asked.of;
        attempts.extend(asked.tries.iter().map(|it| attempt(it, turn.candidate, channel)));
        let said = match asked.answer {
            Ok(answer) => {
                let Turn { candidate, until, deadline, .. } = turn;
                api.understand(answer, Reading { candidate, channel, until, deadline, ports })
            }
            Err(error) => Verdict::without(error, None, turn.candidate),
        };
        // It knows the id from the attempt before, which it has surely refused.
        let is_of_refused = said.is_known && repeated && !may_be_sent;
        verdict = if is_of_refused { Verdict { again_after: None, ..verdict } } else { said };
        ended = ports.clock.instant();
        let counting = &mut attempts[of];
        counting.elapsed = ended.since(counting.started);
        counting.status = verdict.status;
        counting.accepted = verdict.result.is_ok();
        may_be_sent |= verdict.may_be_sent;
        if verdict.most_likely_sent {
            most_likely_sent = true;
            (turn.until, turn.patient) = (turn.deadline, true);
        }
        let Some(wait) = verdict.again_after else { break };
        if verdict.may_be_sent && !api.knows_repeats(channel) {
            break;
        }
        if !turn.patient && (repeated && !verdict.is_at_work || !verdict.may_be_sent) {
            break;
        }
        repeated = true;
        // The longer of both: a `Retry-After: 0` is no invitation to hammer.
        next = ended.plus(wait.max(backoff));
        backoff *= 2;
    }
    Tried {
        attempts,
        status: verdict.status,
        error_code: verdict.error_code,
        started,
        ended,
        result: verdict.result,
        segments: verdict.segments,
        key_refused: verdict.key_refused,
        may_be_sent,
        changed_to,
        was_silent,
        provider_failed: verdict.provider_failed,
        may_fail_over: (verdict.provider_failed || verdict.refused_here) && !most_likely_sent,
    }
}

/// A try as an attempt, of which only the status is known.
fn attempt(tried: &Try, candidate: Candidate<'_>, channel: Channel) -> Attempt {
    let provider = candidate.provider;
    Attempt {
        provider: provider.name.clone(),
        authority: tried.over.authority(provider.api.endpoint().authority).into_owned(),
        path: provider.api.path(channel),
        started: tried.started,
        elapsed: tried.ended.since(tried.started),
        status: tried.outcome.and_then(Result::ok),
        accepted: false,
    }
}

/// Whether a provider may have taken the message by a request whose answer is not read: by its status, or why there is
/// none, or nothing where it was not waited for.
fn may_be_taken(outcome: Option<Result<u16, SendError>>, candidate: Candidate<'_>) -> bool {
    match outcome {
        Some(Ok(status)) => candidate.provider.api.may_have_taken(status),
        Some(Err(error)) => matches!(error, SendError::Broken | SendError::Late),
        None => true,
    }
}

fn no_time_left() -> Refusal {
    Refusal::new(
        Reason::DeadlineExceeded,
        "The request took so long to arrive that no time was left to ask a provider: look at the network and the proxies \
         between Okta and the hook. Nothing was sent.",
    )
}
