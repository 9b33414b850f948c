//! What happens to a message that the first provider can't send, and to a provider that fails again and
//! again: the message fails over to the second provider, inside the same deadline, and the provider is
//! left aside until it works again.
//!
//! # When a message fails over
//!
//! | the first provider | then |
//! |---|---|
//! | can't be reached, is not trusted, is not allowed; 3xx; 401, 403, 408, 429; 501, 503 and other 5xx; its recipient's own 408, 429 or 5xx | the second one at once: nothing was sent |
//! | most likely refuses the sender: 401 `Unauthorized`, 404; its recipient's own 401 or 403 | the second one at once, and the first has not failed: to other recipients it may send |
//! | the connection breaks; 500, 502, 504; its recipient's own 408 or 5xx with a message id | the first one once more after 100 ms, then the second |
//! | 409, its recipient's own too: an earlier attempt is in progress | the first one again, until its time ends, then the second |
//! | has not answered when its time ends | the second one |
//! | 400, 412 and other 4xx; its recipient's own 400 or 404 | no failover: the message is wrong |
//! | a 202, or another answer, that can't be understood | no failover: the message was most likely taken |
//!
//! The first provider is asked again once, not twice. What was wrong with one connection, or with one of
//! ACS's front ends, is over at the second attempt; if all of the provider is ill, a third attempt would
//! cost the second provider 200 ms. Once the first provider has said 202, the message does not fail over
//! any more, so that provider gets all the time that is left, and as many attempts as one that is alone.
//!
//! A request without an answer after half of its time goes over another [connection](super::connection) to the same
//! provider as well, and from then on a refusal waits for what that one may bring.
//!
//! The first provider has half of the time, and the second one what is left. The one that is tried last
//! gets as many attempts as one that is alone. Where both providers are one ACS resource, with its two
//! keys, a failover can't help: the first key has all the time, and the second key signs only where ACS
//! does not take the first (401, 403).
//!
//! # Doubles
//!
//! Each ACS resource knows repeated requests of its own only. So a message may arrive twice, with the
//! same passcode, if the first provider took it without saying so in time, and the second one sends it
//! too. That can be where the first was late, or its connection broke, or it answered 409, 500, 502 or
//! 504, or refused the recipient and gave a message id all the same, and the repeat did not settle it. [`Sending::may_be_double`] says so. It can also be where Okta
//! calls the hook twice for one event, and each call sends through another provider; no call knows of
//! that.
//!
//! # Down
//!
//! Okta runs few hooks of an org at once, so that hooks that wait hold up everybody's. A provider that
//! failed 5 times in 30 seconds, without a success, is down. A sender that it refuses is no failure: it may
//! be wrong for one country only, and everybody else's messages must not wait for that to be mended. Hooks then take the other one first, and try
//! it as if it were alone, but leave [`LAST_RESORT`] for the one that is down. Where the first provider is
//! down, one hook every 5 seconds probes it: that hook takes it first, as if it were up. (With less time
//! than that, a provider that is slower than the limit would never be found to be up.) The second
//! provider needs no probes: 5 seconds after its last failure it counts as up, and the next message that
//! fails over to it shows whether it is. Any success clears a provider's failures. With both down, hooks
//! do as with both up, since they must try something.
//!
//! The store has no atomic change, so of two hooks that write at once one write is lost. That is
//! harmless, as only the order of the providers and their time depend on it. If a failure is lost, the
//! provider is down one failure later. If the start of a probe is lost, there are two probes. If a
//! provider is up but written down again, the next probe, after 5 seconds, finds that out.

use std::iter;
use std::time::Duration;

use super::connection::Connection;
use super::turn::{self, Tried, Turn};
use super::{Candidate, Candidates, Message, SHORTEST_ATTEMPT, Sending};
use crate::ports::{Instant, Ports, StoreUnavailable};
use crate::records::health::{self, Health, Known};
use crate::refusal::{Reason, Refusal};

/// What is left, of a hook's time, for a provider that is down, after the other one.
const LAST_RESORT: Duration = Duration::from_millis(300);

/// Sends a message through the provider that is fit for it, and through the other one where that may
/// help, until `until` at the latest.
pub fn send(
    candidates: &Candidates<'_>,
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Sending {
    let Candidates { first, second } = *candidates;
    match second {
        Some(second) if !first.provider.is_same_account(second.provider) => {
            send_with_either([first, second], message, ports, until)
        }
        second => send_with_one(first, second, message, ports, until),
    }
}

/// Sends with one resource, of which both keys may be known: `second` is the same with its other key. Its failures
/// are not written down, as there is nobody else to send with.
fn send_with_one(
    first: Candidate<'_>,
    second: Option<Candidate<'_>>,
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Sending {
    // Without a store that works there is the usual connection.
    let known = health::read(ports.store).unwrap_or_default();
    let connection = connection_of(first, &known, ports);
    let tried = turn::send(&Turn::alone(first, connection, until), message, ports);
    let refused =
        tried.result.as_ref().is_err_and(|refusal| refusal.reason == Reason::AcsUnauthorized);
    let (tried, before) = match second {
        Some(second) if refused && tried.ended.plus(SHORTEST_ATTEMPT) <= until => {
            let connection = tried.changed_to.unwrap_or(connection);
            let again = turn::send(&Turn::alone(second, connection, until), message, ports);
            ((second, again), Some((first, tried)))
        }
        _ => ((first, tried), None),
    };
    let newest =
        before.iter().chain([&tried]).filter_map(|(_, tried)| tried.changed_to).next_back();
    // Where it can't be written, the next hook finds it out as this one did.
    let store_failed = newest.is_some_and(|connection| {
        let name = &first.provider.name;
        update(ports, |known| known.change(name, |health| go_over(health, connection, ports)))
            .is_err()
    });
    // The resource knows the message again, whichever key signs it.
    Sending { may_be_double: false, store_failed, ..sending(tried.0, tried.1, before) }
}

/// The connection that a provider is asked over first.
fn connection_of(candidate: Candidate<'_>, known: &Known, ports: Ports<'_>) -> Connection {
    let provider = candidate.provider;
    let other = known.of(&provider.name).is_on_other_connection(ports.clock.milliseconds());
    if other && provider.has_other_connection() { Connection::Other } else { Connection::Usual }
}

/// Has a provider asked over this connection from now on.
fn go_over(health: &mut Health, to: Connection, ports: Ports<'_>) {
    health.set_other_connection(to == Connection::Other, ports.clock.milliseconds());
}

/// Changes what is known. It is read again: while this hook waited for a provider, others have written what they saw.
fn update(ports: Ports<'_>, change: impl FnOnce(&mut Known)) -> Result<(), StoreUnavailable> {
    let mut known = health::read(ports.store)?;
    change(&mut known);
    health::write(ports.store, &known)
}

/// Sends with one of two resources. From here on a provider is its place in their order: 0 or 1.
fn send_with_either(
    both: [Candidate<'_>; 2],
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Sending {
    let names = both.map(|candidate| candidate.provider.name.as_str());
    let known = health::read(ports.store);
    let mut store_failed = known.is_err();
    let mut known = known.unwrap_or_default();
    let choice = choose(names, &mut known, ports).unwrap_or_else(|_| {
        store_failed = true;
        Choice::InOrder
    });

    let now = ports.clock.instant();
    let left = until.since(now);
    // `first` is asked first: the second provider, where the first one is down.
    let (first, time, patient, last_resort) = match choice {
        Choice::InOrder => (0, left / 2, false, None),
        Choice::Skip(down) => {
            (1 - down, left.saturating_sub(LAST_RESORT).max(left / 2), true, Some(down))
        }
    };
    // Where half of the time is too little for an attempt, the first one has all of it. Otherwise nobody would be
    // asked.
    let first_until = if time < SHORTEST_ATTEMPT { until } else { now.plus(time) };
    let other = 1 - first;
    let alone = |at: usize| Turn::alone(both[at], connection_of(both[at], &known, ports), until);
    let turn = Turn { until: first_until, patient, ..alone(first) };
    let tried = turn::send(&turn, message, ports);
    let fails_over = tried.may_fail_over && tried.ended.plus(SHORTEST_ATTEMPT) <= until;
    let fallback = fails_over.then(|| turn::send(&alone(other), message, ports));

    if !store_failed {
        let tried =
            iter::once((first, &tried)).chain(fallback.as_ref().map(|fallback| (other, fallback)));
        // That the last resort failed is no news: it was down, and in so little time a provider that is slow
        // always fails, which must put off no probe.
        let news = tried.filter(|(at, tried)| !tried.provider_failed || Some(*at) != last_resort);
        store_failed = remember(&news.collect::<Vec<_>>(), names, &known, ports).is_err();
    }
    let sending = match fallback {
        None => sending(both[first], tried, None),
        Some(fallback) => sending(both[other], fallback, Some((both[first], tried))),
    };
    Sending { store_failed, ..sending }
}

/// How the time is shared out.
enum Choice {
    /// The first provider first, with half of it.
    InOrder,
    /// The provider at this place, which is down, last, with [`LAST_RESORT`].
    Skip(usize),
}

/// Decides by the health of both how the time is shared out. A hook that probes the first provider writes
/// that down before it starts, so that other hooks do not probe it, too. The second provider's probe is
/// the next message that needs it.
fn choose(
    names: [&str; 2],
    known: &mut Known,
    ports: Ports<'_>,
) -> Result<Choice, StoreUnavailable> {
    let down = match names.map(|name| known.of(name).is_down()) {
        [true, false] => 0,
        [false, true] => 1,
        _ => return Ok(Choice::InOrder),
    };
    let now = ports.clock.milliseconds();
    if !known.of(names[down]).probe_is_due(now) {
        return Ok(Choice::Skip(down));
    }
    if down == 0 {
        known.change(names[down], |health| health.put_probe_off(now));
        health::write(ports.store, known)?;
    }
    Ok(Choice::InOrder)
}

/// Writes down which providers failed, which are up again, and over which connection they are asked. `before` is
/// what was known at the start: a success of a provider that had not failed is nothing to write.
fn remember(
    tried: &[(usize, &Tried)],
    names: [&str; 2],
    before: &Known,
    ports: Ports<'_>,
) -> Result<(), StoreUnavailable> {
    let is_news = |(at, tried): &(usize, &Tried)| {
        let recovered = tried.result.is_ok() && before.of(names[*at]).has_failed();
        tried.provider_failed || recovered || tried.changed_to.is_some()
    };
    if !tried.iter().any(is_news) {
        return Ok(());
    }
    update(ports, |known| {
        for (at, tried) in tried {
            known.change(names[*at], |health| {
                if tried.provider_failed {
                    health.fail(ports.clock.milliseconds());
                } else if tried.result.is_ok() {
                    health.recover();
                }
                if let Some(connection) = tried.changed_to {
                    go_over(health, connection, ports);
                }
            });
        }
    })
}

/// What became of the message, from the provider that was tried last and the one before it.
fn sending(
    candidate: Candidate<'_>,
    last: Tried,
    before: Option<(Candidate<'_>, Tried)>,
) -> Sending {
    let mut attempts = Vec::new();
    let mut started = last.started;
    let mut may_be_sent_before = false;
    let mut failed_before = None;
    let mut silent_connection = last.was_silent;
    if let Some((candidate, before)) = before {
        attempts = before.attempts;
        started = before.started;
        may_be_sent_before = before.may_be_sent;
        silent_connection |= before.was_silent;
        let reason = before.result.err().map(|refusal| refusal.reason);
        failed_before = reason.map(|reason| (candidate.provider.name.as_str(), reason));
    }
    attempts.extend(last.attempts);
    Sending {
        provider: candidate.provider.name.clone(),
        sender: candidate.sender.kind,
        attempts,
        status: last.status,
        error_code: last.error_code,
        elapsed: last.ended.since(started),
        result: last.result.map_err(|refusal| {
            completed(refusal, failed_before, last.may_be_sent || may_be_sent_before)
        }),
        failed_over: failed_before.map(|(_, reason)| reason),
        may_be_double: last.may_be_sent && may_be_sent_before,
        silent_connection,
        store_failed: false,
    }
}

/// A refusal with why the provider before failed, for the log, and with the warning that the message may
/// have been sent.
fn completed(mut refusal: Refusal, before: Option<(&str, Reason)>, may_be_sent: bool) -> Refusal {
    if let Some((name, reason)) = before {
        let fix = refusal.log_fix.as_ref().unwrap_or(&refusal.fix);
        let log_fix = format!("{fix} Before, the provider {name} failed with {}.", reason.code());
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
mod tests;
