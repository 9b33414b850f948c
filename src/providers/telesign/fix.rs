//! What to do where Telesign does not take a message: the most likely cause first.

use super::answer::Means;
use crate::message::Channel;
use crate::providers::Candidate;
use crate::refusal::{Reason, Refusal};

/// What to do about an answer, by its status of HTTP and the code in its body.
pub(super) fn of(
    status: u16,
    code: Option<i32>,
    channel: Channel,
    candidate: Candidate<'_>,
) -> Refusal {
    let (templates, from) = match channel {
        Channel::Sms => ("message.templates", "providers.senders"),
        Channel::Call => ("voice.templates", "voice_from"),
    };
    let name = &candidate.provider.name;
    let api_key = format!("providers.{name}.api_key of the secrets");
    let told = match code {
        Some(code) => format!("({status}, {code})"),
        None => format!("({status})"),
    };
    use Reason::{ProviderRejected as Rejected, ProviderUnauthorized as Unauthorized};
    let (reason, fix) = match code.unwrap_or_default() {
        101 | 107 => (
            Rejected,
            format!("Nobody answered Telesign's call {told}: have the person try again."),
        ),
        104 => (
            Rejected,
            format!("Telesign can't call this number {told}: look at it in the person's profile."),
        ),
        106 | 108 => (
            Rejected,
            format!("Telesign's call did not come about {told}: have the person try again."),
        ),
        10034 => (
            Rejected,
            format!(
                "The account at Telesign may not call the recipient's country {told}: ask Telesign, or give the country to \
                 another provider."
            ),
        ),
        507 | 11000 | 11001 | 12000 => (
            Rejected,
            format!(
                "Telesign refused the recipient's number {told}: look at it in the person's profile."
            ),
        ),
        211 | 222 => (
            Rejected,
            format!(
                "The recipient's phone takes no SMS {told}: have the person enrol another number."
            ),
        ),
        231 | 515 | 520 | 11009 | 12009 => (
            Rejected,
            format!("Telesign refused the text {told}: look at the templates in {templates}."),
        ),
        510 => (
            Rejected,
            format!(
                "The person wants no messages from this sender {told}: have the person opt in again, or enrol another \
                 number."
            ),
        ),
        129 | 229 | 10031 if status != 401 => (
            Rejected,
            format!(
                "The recipient's number is on your blocklist at Telesign {told}: take it off in its portal."
            ),
        ),
        130 | 230 | 10032 => (
            Rejected,
            format!(
                "The recipient's number is on Telesign's own blocklist {told}: have the person enrol another number, or \
                 ask Telesign."
            ),
        ),
        237 => (
            Unauthorized,
            format!(
                "The account may not send to this country {told}: ask Telesign for it, or leave it out of countries of the \
                 provider {name}."
            ),
        ),
        233 | 238 => (
            Rejected,
            format!(
                "The account's rules at Telesign for risk and prefixes let no message to this number through {told}: look \
                 for pumping."
            ),
        ),
        518 | 519 => (
            Rejected,
            format!(
                "Telesign's check for a changed SIM card stopped the message {told}: have the person use another factor."
            ),
        ),
        502 | 508 | 521 | 11013 => (
            Unauthorized,
            format!(
                "Telesign refused the sender {told}: look at whether it, in {from} of the provider {name}, is \
                 registered with the account and can reach the recipient's country."
            ),
        ),
        517 | 11034 | 11035 => (
            Rejected,
            format!(
                "Telesign refused the registration with India's carriers {told}: look at india_dlt of the provider {name}."
            ),
        ),
        10004 | -30008 => (
            Unauthorized,
            format!(
                "Telesign finds the request's date too far from its own {told}: set the clock of the hook's host."
            ),
        ),
        10013 | 10015 | -30000 => (
            Unauthorized,
            format!(
                "Telesign does not know the account {told}: look at customer_id of the provider {name}."
            ),
        ),
        10031 | 10035 => (
            Unauthorized,
            format!(
                "The account's type has another host {told}: set base_url of the provider {name} to \
                 https://rest-ww.telesign.com for a full-service account, to https://rest-api.telesign.com for a \
                 self-service one."
            ),
        ),
        10010 | -30001 => {
            (Unauthorized, format!("Telesign has suspended the account {told}: ask Telesign."))
        }
        501 | 10011 | -20002 | -20004 if channel == Channel::Call => (
            Unauthorized,
            format!(
                "The account may not call {told}: ask Telesign to enable its voice messages, or set voice = false on the \
                 provider {name}."
            ),
        ),
        501 | 10011 | -20002 | -20004 => (
            Unauthorized,
            format!("The account may not send SMS {told}: ask Telesign to enable its product SMS."),
        ),
        10014 | -10009 => (
            Unauthorized,
            format!(
                "Telesign does not take requests from the hook's address {told}: add it to those of the account."
            ),
        ),
        10030 | -10030 => {
            (Unauthorized, format!("The account at Telesign has no credit left {told}: top it up."))
        }
        10033 => (
            Unauthorized,
            format!(
                "The account at Telesign is a trial, which sends to verified numbers only {told}: have it upgraded."
            ),
        ),
        10008 | 10022 | -30006 => (
            Unauthorized,
            format!(
                "Telesign refused the API key {told}: put a current one of the account into {api_key}, look at customer_id \
                 and base_url of the provider {name}, and at whether a proxy changes requests."
            ),
        ),
        10019 | 10020 | -40007 | -40008 => (
            Reason::ProviderThrottled,
            format!(
                "Telesign takes no more messages from the account for now {told}: ask for a higher limit."
            ),
        ),
        503 | 505 => (
            Reason::ProviderUnavailable,
            format!(
                "Telesign's carrier or gateway to the recipient is not able to send right now {told}: look at Telesign's \
                 status page if it lasts."
            ),
        ),
        500 | 10000 | -90001 => (
            Reason::ProviderUnavailable,
            format!(
                "Telesign is not able to send right now {told}: look at Telesign's status page."
            ),
        ),
        10002 => (
            Reason::ProviderUnexpectedAnswer,
            format!(
                "Telesign has had the same request before {told}: look for a proxy on the way to it that sends requests \
                 twice."
            ),
        ),
        _ => of_the_rest(status, code, &told, candidate),
    };
    Refusal::new(reason, fix)
}

/// What to do where the code has no line of its own.
fn of_the_rest(
    status: u16,
    code: Option<i32>,
    told: &str,
    candidate: Candidate<'_>,
) -> (Reason, String) {
    let name = &candidate.provider.name;
    let at =
        format!("look at base_url of the provider {name}, and at the proxies on the way to it.");
    match Means::of(status, code) {
        Means::KeyRefused | Means::Failed if matches!(status, 401..=403) => (
            Reason::ProviderUnauthorized,
            format!(
                "Telesign refused the account {told}: look at api_key and customer_id of the provider {name}, and at \
                 whether a proxy changes the headers of requests."
            ),
        ),
        Means::Throttled => (
            Reason::ProviderThrottled,
            format!(
                "Telesign takes no more messages from the account for now {told}: ask for a higher limit."
            ),
        ),
        Means::Failed if status < 400 => (
            Reason::ProviderUnexpectedAnswer,
            format!("Telesign sent the request elsewhere {told}: {at}"),
        ),
        Means::MayBeTaken => (
            Reason::ProviderUnavailable,
            format!(
                "Telesign is not able to send right now {told}: look at Telesign's status page."
            ),
        ),
        Means::Failed if status == 408 => {
            (Reason::ProviderUnavailable, format!("The request did not arrive whole {told}: {at}"))
        }
        Means::MostLikelyTaken => (
            Reason::ProviderUnexpectedAnswer,
            format!("Telesign gave an answer that its documentation does not know {told}: {at}"),
        ),
        Means::RefusedHere => (
            Reason::ProviderRejected,
            format!(
                "Telesign did not send the message {told}: look the code up in Telesign's page All status and error codes, \
                 and at the message in its portal."
            ),
        ),
        _ => (
            Reason::ProviderRejected,
            format!("Telesign refused the form of the request {told}: {at}"),
        ),
    }
}
