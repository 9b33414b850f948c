//! What a provider is told of a passcode that it sent and that was used. Some choose their routes by it.

use std::time::Duration;

use super::Provider;
use super::api::{Words, without};
use crate::message::Channel;
use crate::ports::{Instant, Ports};

/// The longest that a provider is waited for.
const TIME: Duration = Duration::from_secs(2);

/// The longest id of a message: Infobip's have 200 characters at most.
const LONGEST_ID: usize = 200;

/// Tells the provider of this name that the passcode was used that it sent by `channel`, as the message with this id. It
/// waits for 2 seconds, and until `until` at the latest. Nothing is told again that was not taken: the next passcode's
/// feedback is as good.
///
/// `None` where nobody is told: there is no provider of this name any more, or it is not [to be
/// told](super::Api::takes_feedback), or the id is none. What the error says is for the log: what to do.
pub fn feedback(
    providers: &[Provider],
    name: &str,
    channel: Channel,
    message_id: &str,
    ports: Ports<'_>,
    until: Instant,
) -> Option<Result<(), String>> {
    let provider = providers.iter().find(|provider| provider.name == name)?;
    if !provider.api.takes_feedback(channel) || !is_message_id(message_id) {
        return None;
    }
    let until = until.min(ports.clock.instant().plus(TIME));
    Some(match provider.api.feedback(message_id, ports, until)? {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(fix(status, provider)),
        Err(error) => {
            let refusal = without(error, name, &*provider.api);
            Err(refusal.log_fix.unwrap_or(refusal.fix).into_owned())
        }
    })
}

/// Whether it can be a part of a path as it is. Those of all providers can.
fn is_message_id(id: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(fits)
}

/// What to do about an answer by which feedback was not taken.
fn fix(status: u16, provider: &Provider) -> String {
    let name = &provider.name;
    let Words { service, status: page, endpoint } = provider.api.words(name);
    match status {
        401 | 403 => format!(
            "{service} took no feedback on a passcode that was used ({status}): look at whether the key in \
             providers.{name}.{} of the secrets may give it, or take feedback = true of the provider {name} out.",
            provider.api.secret_key()
        ),
        404 => format!(
            "{service} does not know the message that it was given feedback on (404): it is another account's, or was \
             deleted, or was sent before feedback = true was set."
        ),
        429 => format!("{service} takes no more feedback for now (429): ask for a higher limit."),
        500.. => {
            format!("{service} is not able to take feedback right now ({status}): look at {page}.")
        }
        _ => format!(
            "{service} took no feedback on a passcode that was used ({status}): look at {endpoint}, and at the proxies on \
             the way to it."
        ),
    }
}

#[cfg(test)]
mod tests;
