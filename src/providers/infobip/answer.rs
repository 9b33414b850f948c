//! What Infobip's answer to a request means. What to do about it, `fix` says.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::fix;
use crate::json;
use crate::message::Channel;
use crate::ports::Answer;
use crate::providers::Candidate;
use crate::providers::api::{Reading, Verdict, retry_after};

/// What an answer means.
pub(super) fn understand(answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict {
    let Reading { candidate, channel, .. } = reading;
    let status = answer.status();
    match status {
        200..=299 => reading.taken(
            answer,
            |body| understand_taken(body, status, channel, candidate),
            || fix::not_understood(status, candidate),
        ),
        // No redirect is followed, and where one comes from nobody took the message.
        300..=399 => Verdict::failed(Some(status), fix::not_understood(status, candidate)),
        429 => Verdict {
            again_after: retry_after(&*answer),
            ..Verdict::failed(Some(status), fix::of_request(status, None, channel, candidate))
        },
        400..=499 => {
            let error_code = error_code(&reading.refused(answer));
            let refusal = fix::of_request(status, error_code.as_deref(), channel, candidate);
            let is_of_account = fix::is_of_account(error_code.as_deref());
            // A key for SMS alone: its messages must not wait for that to be mended.
            let has_no_right_to_call = channel == Channel::Call && status == 403;
            Verdict {
                key_refused: matches!(status, 401 | 403),
                provider_failed: status != 400 && !has_no_right_to_call,
                refused_here: status == 400 && is_of_account || has_no_right_to_call,
                error_code,
                ..Verdict::refused(Some(status), refusal)
            }
        }
        // Nothing says that it was not taken.
        _ => Verdict {
            may_be_sent: true,
            ..Verdict::failed(Some(status), fix::of_request(status, None, channel, candidate))
                .or_again(Duration::ZERO)
        },
    }
}

/// A 200 says that the request was taken; its message may have been refused all the same.
fn understand_taken(
    body: &[u8],
    status: u16,
    channel: Channel,
    candidate: Candidate<'_>,
) -> Verdict {
    let Some(message) = Message::parse(body) else {
        return Verdict::in_doubt(Some(status), fix::not_understood(status, candidate));
    };
    let refused = || Verdict {
        error_code: Some(message.status.code()),
        ..Verdict::refused(Some(status), fix::of_message(&message.status, channel, candidate))
    };
    match message.status.verdict() {
        Means::Taken => Verdict {
            segments: message.details.and_then(|details| details.message_count),
            is_known: message.status.id == DUPLICATE,
            ..Verdict::taken(status, message.message_id)
        },
        Means::Refused => refused(),
        Means::RefusedHere => Verdict { refused_here: true, ..refused() },
        Means::Failed => Verdict { provider_failed: true, ..refused() },
        Means::FailedForNow => {
            Verdict { provider_failed: true, ..refused() }.or_again(Duration::ZERO)
        }
        Means::InDoubt => Verdict { may_be_sent: true, ..refused() },
    }
}

/// The body of a 200.
#[derive(Deserialize)]
struct Taken {
    messages: Vec<json::Value<Message>>,
}

/// The message's part of a 200.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The id that the request gave it.
    #[serde(default, deserialize_with = "or_nothing")]
    pub message_id: Option<String>,
    /// What became of it.
    pub status: Status,
    /// How many messages it is billed for.
    #[serde(default, deserialize_with = "or_nothing")]
    pub details: Option<Details>,
}

/// What is of no use is as if it were not there: a message that was taken can do without it.
fn or_nothing<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    reader: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(reader)?).ok())
}

/// More of a message.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// How many segments it has.
    pub message_count: Option<u32>,
}

/// What became of a message ("Response status and error codes").
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Which group the status is of; the way to judge one that is not known.
    pub group_id: u16,
    /// Which it is.
    pub id: u16,
    /// What it is called: of SMS and voice some have the same number.
    #[serde(default, deserialize_with = "or_nothing")]
    pub name: Option<String>,
}

/// The id is that of a message that was taken before.
const DUPLICATE: u16 = 23;

/// The guard against fraud blocked it.
const FRAUD: u16 = 87;

/// What a status means for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Infobip took it, now or before.
    Taken,
    /// The message is wrong, or its recipient must not have it.
    Refused,
    /// Infobip does not send it from this sender, or to this recipient at this time; it is well.
    RefusedHere,
    /// The account can't send.
    Failed,
    /// Infobip can't send right now.
    FailedForNow,
    /// It may have been sent.
    InDoubt,
}

impl Status {
    /// What it means, in the answer to a request.
    pub fn verdict(&self) -> Means {
        match self.id {
            DUPLICATE => Means::Taken,
            FRAUD if !self.is_fraud() => Means::RefusedHere,
            // Recipient, text and request; the recipient's own wish; the guard against fraud.
            8 | 10 | 14 | 25 | 51 | 52 | FRAUD => Means::Refused,
            // The sender; too many to this number; no way to this network.
            6 | 11 | 13 | 19 | 20 => Means::RefusedHere,
            // Credits, package, trial: the account's.
            12 | 17 | 18 => Means::Failed,
            21 | 100 => Means::FailedForNow,
            29 => Means::InDoubt,
            _ => match self.group_id {
                0 | 1 | 3 => Means::Taken,
                2 | 5 => Means::RefusedHere,
                _ => Means::InDoubt,
            },
        }
    }

    /// Whether it is of the guard against fraud. Of voice its number is that of a bad time window as well.
    pub fn is_fraud(&self) -> bool {
        self.id == FRAUD && self.name.as_ref().is_none_or(|name| !name.contains("TIME_WINDOW"))
    }

    /// The number of the status, as a code for the log.
    fn code(&self) -> String {
        self.id.to_string()
    }
}

impl Message {
    /// The one message in the body of a 200; `None` where the body is of another form.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let Taken { messages } = json::read(body).ok()?;
        let message = messages.into_iter().next()?.into_object()?;
        let message_id = message.message_id.filter(|id| !id.trim().is_empty());
        Some(Self { message_id, ..message })
    }
}

/// The code in an error's body, of which Infobip has two shapes: `{"errorCode":…,"violations":[{"property":…}]}`, and
/// `{"requestError":{"serviceException":{"messageId":…}}}`. The name of the field that is wrong goes before the code.
/// Letters, digits, dots and brackets only, 64 at most: the rest of the body may quote the recipient.
pub fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = body
        .pointer("/violations/0/property")
        .or_else(|| body.get("errorCode"))
        .or_else(|| body.pointer("/requestError/serviceException/messageId"))?
        .as_str()?;
    let fits = |c: &char| c.is_ascii_alphabetic() || matches!(c, '.' | '_');
    // The digits of a property count its lists, and those of a code are three.
    let has_few_digits = code.chars().filter(char::is_ascii_digit).count() <= 4;
    let fits =
        |c: &char| fits(c) || has_few_digits && (c.is_ascii_digit() || matches!(c, '[' | ']'));
    let code: String = code.chars().filter(fits).take(64).collect();
    Some(code).filter(|code| !code.is_empty())
}
