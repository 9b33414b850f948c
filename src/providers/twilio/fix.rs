//! What to do where Twilio does not take a message: the most likely cause first.

use crate::providers::{Candidate, Provider};
use crate::refusal::{Reason, Refusal};

/// What to do about an answer of which the status says enough.
pub(super) fn of_status(status: u16, candidate: Candidate<'_>) -> Refusal {
    let name = &candidate.provider.name;
    let (reason, fix) = match status {
        401 => (
            Reason::ProviderUnauthorized,
            format!(
                "Twilio refused the API key (401): put a current one into providers.{name} of the secrets, and look at \
                 whether it is of the account in account_sid of the provider {name}."
            ),
        ),
        403 => (
            Reason::ProviderUnauthorized,
            format!(
                "Twilio refused the right to send (403): look at whether the API key in providers.{name} of the secrets may \
                 create messages."
            ),
        ),
        429 => (
            Reason::ProviderThrottled,
            "Twilio takes no more requests from the account for now (429): spread them, or ask for a higher limit.".into(),
        ),
        408 | 500.. => (
            Reason::ProviderUnavailable,
            format!("Twilio is not able to send right now ({status}): look at Twilio's status page."),
        ),
        404 | 405 => (
            Reason::ProviderRejected,
            format!(
                "Twilio does not know the account ({status}): look at account_sid and base_url of the provider {name}."
            ),
        ),
        _ => (Reason::ProviderRejected, form(status, name)),
    };
    Refusal::new(reason, fix)
}

/// What to do where Twilio does not send the message, by its error code; 0 is none.
pub(super) fn of_code(status: u16, code: u32, candidate: Candidate<'_>) -> Refusal {
    let provider = candidate.provider;
    let name = &provider.name;
    let senders = senders_of(provider);
    let (reason, fix) = match code {
        0 => (Reason::ProviderRejected, form(status, name)),
        21_211 | 21_217 | 21_604 => (
            Reason::ProviderRejected,
            format!(
                "Twilio refused the recipient's number ({code}): look at it in the person's profile."
            ),
        ),
        21_614 => (
            Reason::ProviderRejected,
            format!(
                "The recipient's number takes no SMS ({code}): have the person enrol a mobile number."
            ),
        ),
        21_610 => (
            Reason::ProviderRejected,
            format!(
                "The recipient has opted out of messages from this sender ({code}): have the person send START to it."
            ),
        ),
        21_602 | 21_617 => (
            Reason::ProviderRejected,
            format!(
                "Twilio refused the text ({code}): look at the templates in message.templates."
            ),
        ),
        30_450 => (
            Reason::ProviderRejected,
            format!(
                "Twilio's guard against fraud blocked the message ({code}): look for pumping, and at SMS Pumping Protection in its console."
            ),
        ),
        21_210 => (
            Reason::ProviderUnauthorized,
            format!(
                "Twilio refused the sender of the call ({code}): look at whether the number in voice_from of the provider \
                 {name} belongs to the account, or is verified there."
            ),
        ),
        21_215 => (
            Reason::ProviderUnauthorized,
            format!(
                "The account may not call the recipient's country ({code}): allow it in the Voice Geographic Permissions of \
                 Twilio's console."
            ),
        ),
        21_216 => (
            Reason::ProviderRejected,
            format!(
                "Twilio calls no such number ({code}): look for fraud with numbers that pay their owner."
            ),
        ),
        10_004 => (
            Reason::ProviderThrottled,
            format!(
                "Too many calls of the account are under way ({code}): spread them, or ask for a higher limit."
            ),
        ),
        21_212 | 21_601 | 21_603 | 21_606 | 21_703..=21_705 => (
            Reason::ProviderUnauthorized,
            format!(
                "Twilio refused the sender ({code}): look at whether it, in {senders}, belongs to the account and can reach \
                 the recipient's country."
            ),
        ),
        21_408 => (
            Reason::ProviderUnauthorized,
            format!(
                "The account may not send to the recipient's country ({code}): allow it in the Messaging Geo Permissions of \
                 Twilio's console."
            ),
        ),
        21_214 | 21_612 => (
            Reason::ProviderRejected,
            format!(
                "Twilio can't reach the recipient from this sender ({code}): give the country another one in {senders}."
            ),
        ),
        21_608 | 21_219 => (
            Reason::ProviderUnauthorized,
            format!(
                "The account at Twilio is a trial, which sends to verified numbers only ({code}): upgrade it."
            ),
        ),
        30_002 => (
            Reason::ProviderUnauthorized,
            format!("The account at Twilio is suspended ({code}): look at its console."),
        ),
        21_609 => (
            Reason::ProviderRejected,
            format!(
                "Twilio refused the address for delivery reports ({code}): look at public_url, which must be reachable from \
                 the internet, or leave it out."
            ),
        ),
        21_611 => (
            Reason::ProviderUnavailable,
            format!(
                "Too many messages of this sender wait at Twilio ({code}): spread them over more senders, as a Messaging \
                 Service does."
            ),
        ),
        _ => (
            Reason::ProviderRejected,
            format!(
                "Twilio did not send the message ({code}): look the code up at https://www.twilio.com/docs/api/errors/{code}."
            ),
        ),
    };
    Refusal::new(reason, fix)
}

/// What to do about an answer that Twilio's documentation does not know.
pub(super) fn not_understood(status: u16, candidate: Candidate<'_>) -> Refusal {
    let name = &candidate.provider.name;
    let fix = match status {
        300..=399 => format!(
            "Twilio sent the request elsewhere ({status}): look at base_url of the provider {name}, and at the proxies on \
             the way to it."
        ),
        _ => format!(
            "Twilio gave an answer that its documentation does not know ({status}): look at base_url of the provider {name}, \
             and at the proxies on the way to it."
        ),
    };
    Refusal::new(Reason::ProviderUnexpectedAnswer, fix)
}

/// The request is refused, and nothing says why.
fn form(status: u16, name: &str) -> String {
    format!(
        "Twilio refused the form of the request ({status}): look at base_url of the provider {name}, and at whether a proxy \
         changes requests."
    )
}

/// Where a provider's senders are set.
fn senders_of(provider: &Provider) -> String {
    format!("providers.senders of the provider {}", provider.name)
}
