//! What happens to a message that the first provider can't send, and to a provider that fails again and
//! again: the message fails over to the second provider, inside the same deadline, and the provider is
//! left aside until it works again.
//!
//! # When a message fails over
//!
//! A provider says by its [`Verdict`](super::api::Verdict) what an answer means, and by
//! [`knows_repeats`](super::Api::knows_repeats) whether it may be asked twice for one message. Nothing else of it counts
//! here. docs/providers.md has which answers of each provider mean what.
//!
//! | the first provider | then |
//! |---|---|
//! | failed before it took the message: it can't be reached, is not trusted or not allowed, sends it elsewhere, refuses the account, is over a limit, or says that it is ill | the second one at once: nothing was sent |
//! | is well and refuses this message here: most likely the sender, or the recipient with this sender | the second one at once, and the first has not failed: to other recipients it may send |
//! | failed and may have taken the message, as where the connection broke | where it knows repeats, the first one once more after 100 ms, then the second; else the second one at once |
//! | is at work on it: an earlier attempt is in progress | the first one again, until its time ends, then the second |
//! | has not answered when its time ends | the second one |
//! | refuses the message: it is wrong | no failover |
//! | took it, or most likely did: the head of its answer says so, and the rest can't be understood | no failover |
//!
//! The first provider is asked again once, not twice. What was wrong with one connection, or with one of a
//! provider's front ends, is over at the second attempt; if all of the provider is ill, a third attempt would
//! cost the second provider 200 ms. Once the head of an answer says that the first provider took the message, it does not
//! fail over any more, so that provider gets all the time that is left, and as many attempts as one that is alone.
//!
//! A request without an answer after half of its time goes over another [connection](super::connection) to the same
//! provider as well, where that knows repeats, and from then on a refusal waits for what that one may bring.
//!
//! The first provider has half of the time, and the second one what is left. The one that is tried last
//! gets as many attempts as one that is alone. Where both providers are one account, with two of its
//! keys, a failover can't help: the first key has all the time, and the second key signs only where the account
//! does not take the first.
//!
//! # Doubles
//!
//! An account knows repeated requests of its own only, or none. So a message may arrive twice, with the
//! same passcode, if the first provider took it without saying so in time, and the second one sends it
//! too: where the first was late or was still at work on it, or failed when it may have taken it, and a repeat did not
//! settle that or was not possible. [`Sending::may_be_double`] says so. It can also be where Okta
//! calls the hook twice for one event, and each call sends through another provider, or through one that knows no
//! repeats; no call knows of that.
//!
//! # Down
//!
//! Okta runs few hooks of an org at once, so that hooks that wait hold up everybody's. A provider that
//! failed 5 times in 30 seconds, without a success, is down. A message that it refuses here is no failure: the sender may
//! be wrong for one country only, and everybody else's messages must not wait for that to be mended. Hooks then take the
//! next one first, and try it as if it were alone, but leave [`LAST_RESORT`] for the one that is down. Where the first
//! provider is down, one hook every 5 seconds probes it: that hook takes it first, as if it were up. (With less time
//! than that, a provider that is slower than the limit would never be found to be up.) Another
//! provider needs no probes: 5 seconds after its last failure it counts as up, and the next message that
//! fails over to it shows whether it is. Any success clears a provider's failures. With all of them down, hooks
//! do as with all of them up, since they must try something; of more than two, those that nobody has asked for 5 seconds
//! go first.
//!
//! The store has no atomic change, so of two hooks that write at once one write is lost. That is
//! harmless, as only the order of the providers and their time depend on it. If a failure is lost, the
//! provider is down one failure later. If the start of a probe is lost, there are two probes. If a
//! provider is up but written down again, the next probe, after 5 seconds, finds that out.

use std::iter;
use std::time::Duration;

use super::connection::Connection;
use super::turn::{self, Tried, Turn};
use super::{Candidate, Message, Provider, SHORTEST_ATTEMPT, Sending};
use crate::message::Channel;
use crate::ports::{Instant, Ports, StoreUnavailable};
use crate::records::health::{self, Health, Known};
use crate::refusal::{Reason, Refusal};
use crate::sender::Sender;

/// What is left, of a hook's time, for a provider that is down, after the other one.
const LAST_RESORT: Duration = Duration::from_millis(300);

/// Sends a message through the first of its providers that is fit for it, and through another one where that may
/// help, until `until` at the latest.
pub fn send(
    candidates: &[Candidate<'_>],
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Sending {
    match candidates {
        [alone] => send_with_one(*alone, message, ports, until),
        several => send_with_two_of(several, message, ports, until),
    }
}

/// Sends with the only provider. Its failures are not written down, as there is nobody else to send with.
fn send_with_one(
    candidate: Candidate<'_>,
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Sending {
    // Without a store that works there is the usual connection.
    let known = health::read(ports.store).unwrap_or_default();
    let channel = message.content.channel();
    let connection = connection_of(candidate, channel, &known, ports);
    let taken = take(&Turn::alone(candidate, connection, until), message, ports);
    // Where it can't be written, the next hook finds it out as this one did.
    let store_failed = taken.tried.changed_to.is_some_and(|connection| {
        let name = &candidate.provider.name;
        update(ports, |known| known.change(name, |health| go_over(health, connection, ports)))
            .is_err()
    });
    Sending { store_failed, ..sending(taken, None) }
}

/// A turn that was taken.
struct Taken<'a> {
    /// Whose outcome it is: the candidate's, or that of its other key.
    by: (&'a Provider, &'a Sender),
    tried: Tried,
    /// The name by which the account was asked before with a key that it does not take, and why it says so.
    first_key: Option<(&'a str, Reason)>,
}

/// Has a provider take its turn: with its other key, too, where it does not take the first one. The account knows the
/// message again, whichever key signs it.
fn take<'a>(turn: &Turn<'a>, message: &Message<'_>, ports: Ports<'_>) -> Taken<'a> {
    let Candidate { provider, sender, other_key } = turn.candidate;
    let tried = turn::send(turn, message, ports);
    let refusal = tried.result.as_ref().err().filter(|_| tried.key_refused);
    let (Some((other, others_sender)), Some(refusal)) = (other_key, refusal) else {
        return Taken { by: (provider, sender), tried, first_key: None };
    };
    if tried.ended.plus(SHORTEST_ATTEMPT) > turn.until {
        return Taken { by: (provider, sender), tried, first_key: None };
    }
    let first_key = Some((provider.name.as_str(), refusal.reason));
    let candidate = Candidate { provider: other, sender: others_sender, other_key: None };
    let connection = tried.changed_to.unwrap_or(turn.connection);
    let again = turn::send(&Turn { candidate, connection, ..*turn }, message, ports);
    let attempts = [tried.attempts, again.attempts].concat();
    let tried = Tried {
        attempts,
        started: tried.started,
        may_be_sent: tried.may_be_sent || again.may_be_sent,
        changed_to: again.changed_to.or(tried.changed_to),
        was_silent: tried.was_silent || again.was_silent,
        may_fail_over: tried.may_fail_over && again.may_fail_over,
        ..again
    };
    Taken { by: (other, others_sender), tried, first_key }
}

/// The connection that a provider is asked over first.
fn connection_of(
    candidate: Candidate<'_>,
    channel: Channel,
    known: &Known,
    ports: Ports<'_>,
) -> Connection {
    let provider = candidate.provider;
    let other = known.of(&provider.name).is_on_other_connection(ports.clock.milliseconds());
    if other && provider.has_other_connection(channel) {
        Connection::Other
    } else {
        Connection::Usual
    }
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

/// Sends with two of several providers.
fn send_with_two_of(
    candidates: &[Candidate<'_>],
    message: &Message<'_>,
    ports: Ports<'_>,
    until: Instant,
) -> Sending {
    let known = health::read(ports.store);
    let mut store_failed = known.is_err();
    let mut known = known.unwrap_or_default();
    let choice = choose(candidates, &mut known, ports).unwrap_or_else(|_| {
        store_failed = true;
        Choice { first: candidates[0], second: candidates[1], second_is_last_resort: false }
    });
    let Choice { first, second, second_is_last_resort } = choice;

    let now = ports.clock.instant();
    let left = until.since(now);
    let time = match second_is_last_resort {
        false => left / 2,
        true => left.saturating_sub(LAST_RESORT).max(left / 2),
    };
    // Where half of the time is too little for an attempt, the first one has all of it. Otherwise nobody would be
    // asked.
    let first_until = if time < SHORTEST_ATTEMPT { until } else { now.plus(time) };
    let channel = message.content.channel();
    let alone = |it| Turn::alone(it, connection_of(it, channel, &known, ports), until);
    let turn = Turn { until: first_until, patient: second_is_last_resort, ..alone(first) };
    let taken = take(&turn, message, ports);
    let fails_over = taken.tried.may_fail_over && taken.tried.ended.plus(SHORTEST_ATTEMPT) <= until;
    let fallback = fails_over.then(|| take(&alone(second), message, ports));

    if !store_failed {
        let mut news = vec![(&*first.provider.name, &taken.tried)];
        // That the last resort failed is no news: it was down, and in so little time a provider that is slow
        // always fails, which must put off no probe.
        let of_second = fallback.as_ref().map(|fallback| (&*second.provider.name, &fallback.tried));
        news.extend(of_second.filter(|(_, it)| !it.provider_failed || !second_is_last_resort));
        store_failed = remember(&news, &known, ports).is_err();
    }
    let sending = match fallback {
        None => sending(taken, None),
        Some(fallback) => sending(fallback, Some(taken)),
    };
    Sending { store_failed, ..sending }
}

/// Who is asked, and how the time is shared out.
struct Choice<'a> {
    first: Candidate<'a>,
    second: Candidate<'a>,
    /// The second one is down: it gets [`LAST_RESORT`] instead of half of the time.
    second_is_last_resort: bool,
}

/// Chooses two by the health of all. A hook that probes a provider which others stand in for writes that down before it
/// starts, so that other hooks do not probe it, too. One that is no longer asked first is probed by the next message
/// that needs it.
fn choose<'a>(
    candidates: &[Candidate<'a>],
    known: &mut Known,
    ports: Ports<'_>,
) -> Result<Choice<'a>, StoreUnavailable> {
    let now = ports.clock.milliseconds();
    let name = |at: usize| &*candidates[at].provider.name;
    let places = 0..candidates.len();
    let is_down = |known: &Known, at: usize| known.of(name(at)).is_down();
    let is_due = |known: &Known, at: usize| known.of(name(at)).probe_is_due(now);
    let choice = |first: usize, second: usize, second_is_last_resort| {
        let (first, second) = (candidates[first], candidates[second]);
        Choice { first, second, second_is_last_resort }
    };
    let Some(first) = places.clone().find(|at| !is_down(known, *at)) else {
        // Of more than two, those that were left alone for a while go first, or they were never asked again.
        let mut in_turn: Vec<_> = places.collect();
        if in_turn.len() > 2 {
            in_turn.sort_by_key(|at| !is_due(known, *at));
        }
        return Ok(choice(in_turn[0], in_turn[1], false));
    };
    if let Some(probed) = (0..first).find(|at| is_due(known, *at)) {
        known.change(name(probed), |health| health.put_probe_off(now));
        health::write(ports.store, known)?;
        return Ok(choice(probed, first, false));
    }
    let after = || first + 1..candidates.len();
    let up = after().find(|at| !is_down(known, *at));
    Ok(match up.or(after().find(|at| is_due(known, *at))) {
        Some(second) => choice(first, second, false),
        None => choice(first, usize::from(first == 0), true),
    })
}

/// Writes down which providers failed, which are up again, and over which connection they are asked. `before` is
/// what was known at the start: a success of a provider that had not failed is nothing to write.
fn remember(
    tried: &[(&str, &Tried)],
    before: &Known,
    ports: Ports<'_>,
) -> Result<(), StoreUnavailable> {
    let is_news = |(name, tried): &(&str, &Tried)| {
        let recovered = tried.result.is_ok() && before.of(name).has_failed();
        tried.provider_failed || recovered || tried.changed_to.is_some()
    };
    if !tried.iter().any(is_news) {
        return Ok(());
    }
    update(ports, |known| {
        for (name, tried) in tried {
            known.change(name, |health| {
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

/// What became of the message, from the turn that was taken last and the one before it.
fn sending(last: Taken<'_>, before: Option<Taken<'_>>) -> Sending {
    let Taken { by: (provider, sender), tried: last, first_key } = last;
    let mut failed_before = first_key;
    let mut attempts = Vec::new();
    let mut started = last.started;
    let mut may_be_sent_before = false;
    let mut silent_connection = last.was_silent;
    if let Some(Taken { by: (provider, _), tried: before, .. }) = before {
        attempts = before.attempts;
        started = before.started;
        may_be_sent_before = before.may_be_sent;
        silent_connection |= before.was_silent;
        let reason = before.result.err().map(|refusal| refusal.reason);
        failed_before = reason.map(|reason| (provider.name.as_str(), reason));
    }
    attempts.extend(last.attempts);
    Sending {
        provider: provider.name.clone(),
        service: provider.api.words(&provider.name).service,
        sender: sender.kind,
        attempts,
        status: last.status,
        error_code: last.error_code,
        elapsed: last.ended.since(started),
        result: last.result.map_err(|refusal| {
            completed(refusal, failed_before, last.may_be_sent || may_be_sent_before)
        }),
        segments: last.segments,
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
