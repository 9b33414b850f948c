//! What to do where Infobip does not take a message: the most likely cause first.

use super::answer::{Means, Status};
use crate::message::Channel;
use crate::providers::{Candidate, Provider};
use crate::refusal::{Reason, Refusal};

/// What to do where the whole request is refused, by its status and the name of the field that is wrong.
pub(super) fn of_request(
    status: u16,
    code: Option<&str>,
    channel: Channel,
    candidate: Candidate<'_>,
) -> Refusal {
    let (scope, templates, from) = of_channel(channel);
    let provider = candidate.provider;
    let (name, key) = (&provider.name, key_of(provider));
    let reason = match status {
        401 | 403 => Reason::ProviderUnauthorized,
        429 => Reason::ProviderThrottled,
        408 | 500.. => Reason::ProviderUnavailable,
        _ => Reason::ProviderRejected,
    };
    let names = |field: &str| code.is_some_and(|code| code.to_ascii_lowercase().contains(field));
    let fix = match status {
        400 if names("sender") || names("from") => {
            format!(
                "Infobip refused the sender (400): look at how it is written, in {from} of the provider {name}."
            )
        }
        400 if names("dlt") => format!(
            "Infobip refused the registration with India's carriers (400): look at india_dlt of the provider {name}."
        ),
        400 if names("destinations") || names("to") => {
            "Infobip refused the recipient's number (400): look at it in the person's profile."
                .to_owned()
        }
        400 if names("text") => {
            format!("Infobip refused the text (400): look at the templates in {templates}.")
        }
        401 => format!(
            "Infobip refused the API key (401): put a current one into {key}, and look at whether base_url of the \
             provider {name} is the account's own."
        ),
        403 => format!(
            "Infobip refused the right to send (403): look at whether the key in {key} has the scope {scope}, and at \
             the addresses that it is bound to."
        ),
        404 | 405 => format!(
            "Infobip does not know the request ({status}): look at base_url of the provider {name}, and at the proxies \
             on the way to it."
        ),
        429 => {
            "Infobip takes no more messages from the account for now (429): ask for a higher limit."
                .to_owned()
        }
        408 | 500.. => {
            format!(
                "Infobip is not able to send right now ({status}): look at Infobip's status page."
            )
        }
        _ => format!(
            "Infobip refused the form of the request ({status}): look at base_url of the provider {name}, and at \
             whether a proxy changes requests."
        ),
    };
    Refusal::new(reason, fix)
}

/// Whether the field that is wrong is of this account: the sender, or what the settings add. Of the recipient's
/// number and the text another provider would say the same, and most likely of a request whose field is not named.
pub(super) fn is_of_account(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        let code = code.to_ascii_lowercase();
        let is_field = code.contains('.');
        is_field && ![".to", "destinations", "text"].iter().any(|field| code.contains(field))
    })
}

/// What to do where the request was taken, and its message refused.
pub(super) fn of_message(status: &Status, channel: Channel, candidate: Candidate<'_>) -> Refusal {
    let (_, templates, from) = of_channel(channel);
    let name = &candidate.provider.name;
    let senders = format!("{from} of the provider {name}");
    let id = status.id;
    let (reason, fix) = match id {
        8 | 51 | 52 => (
            Reason::ProviderRejected,
            format!(
                "Infobip refused the recipient's number ({id}): look at it in the person's profile."
            ),
        ),
        10 => (
            Reason::ProviderRejected,
            format!(
                "The recipient's number is on a list of those that must get no messages ({id}): have the person take it \
                 off the carrier's list, or enrol another number."
            ),
        ),
        14 => (
            Reason::ProviderRejected,
            format!(
                "The recipient's number is on the account's blocklist ({id}): take it off in Infobip's portal."
            ),
        ),
        25 => (
            Reason::ProviderRejected,
            format!(
                "The text is too long for Infobip ({id}): shorten the templates in {templates}."
            ),
        ),
        87 if status.is_fraud() => (
            Reason::ProviderRejected,
            format!(
                "Infobip's guard against fraud blocked the message ({id}): look for pumping, and at Infobip Signals in its portal."
            ),
        ),
        54 | 55 | 91 => (
            Reason::ProviderRejected,
            format!("Infobip can't say the text ({id}): look at the templates in {templates}."),
        ),
        11 | 13 => (
            Reason::ProviderUnauthorized,
            format!(
                "Infobip refused the sender ({id}): look at whether it, in {senders}, is registered with the account and \
                 can reach the recipient's country."
            ),
        ),
        20 => (
            Reason::ProviderThrottled,
            format!(
                "Infobip takes no more messages to this number for now ({id}): it lets 20 an hour through, and 6 that are alike."
            ),
        ),
        12 | 17 => (
            Reason::ProviderUnauthorized,
            format!(
                "The account at Infobip has no credit left, or its package has ended ({id}): top it up."
            ),
        ),
        18 => (
            Reason::ProviderUnauthorized,
            format!(
                "The account at Infobip is a trial, which sends to verified numbers only ({id}): have it upgraded."
            ),
        ),
        6 | 19 => (
            Reason::ProviderRejected,
            format!(
                "The account at Infobip has no route to the recipient's network ({id}): ask Infobip to set it up."
            ),
        ),
        21 | 100 => (
            Reason::ProviderUnavailable,
            format!("Infobip is not able to send right now ({id}): look at Infobip's status page."),
        ),
        _ if status.verdict() == Means::InDoubt => (
            Reason::ProviderUnexpectedAnswer,
            format!(
                "Infobip does not say whether it sent the message ({id}, group {}): look at it in its portal's logs.",
                status.group_id
            ),
        ),
        _ => (
            Reason::ProviderRejected,
            format!(
                "Infobip did not send the message ({id}, group {}): look the code up in Infobip's page Response status and \
                 error codes, and at the message in its portal's logs.",
                status.group_id
            ),
        ),
    };
    Refusal::new(reason, fix)
}

/// What to do about an answer that Infobip's documentation does not know.
pub(super) fn not_understood(status: u16, candidate: Candidate<'_>) -> Refusal {
    let name = &candidate.provider.name;
    let fix = match status {
        300..=399 => format!(
            "Infobip sent the request elsewhere ({status}): look at base_url of the provider {name}, and at the proxies on \
             the way to it."
        ),
        _ => format!(
            "Infobip gave an answer that its documentation does not know ({status}): look at base_url of the provider \
             {name}, and at the proxies on the way to it."
        ),
    };
    Refusal::new(Reason::ProviderUnexpectedAnswer, fix)
}

/// Where a provider's key is set.
fn key_of(provider: &Provider) -> String {
    format!("providers.{}.api_key of the secrets", provider.name)
}

/// The scope that a key needs for a channel, and the keys of its texts and of its senders.
fn of_channel(channel: Channel) -> (&'static str, &'static str, &'static str) {
    match channel {
        Channel::Sms => ("sms:message:send", "message.templates", "providers.senders"),
        Channel::Call => ("voice-message:message:send", "voice.templates", "voice_from"),
    }
}
