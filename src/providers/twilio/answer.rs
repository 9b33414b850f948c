//! What Twilio's answer to a request means. What to do about it, `fix` says.

use std::time::Duration;

use serde_json::Value;

use super::fix;
use crate::ports::Answer;
use crate::providers::Candidate;
use crate::providers::api::{Reading, Verdict, retry_after};

/// What an answer means.
pub(super) fn understand(answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict {
    let candidate = reading.candidate;
    let status = answer.status();
    match status {
        200..=299 => reading.taken(
            answer,
            |body| understand_taken(body, status, candidate),
            || fix::not_understood(status, candidate),
        ),
        // No redirect is followed, and where one comes from nobody took the message.
        300..=399 => Verdict::failed(Some(status), fix::not_understood(status, candidate)),
        // "Never processed and always safe to retry" (Twilio's page on the error 20429).
        429 => Verdict {
            again_after: retry_after(&*answer),
            ..Verdict::failed(Some(status), fix::of_status(status, candidate))
        },
        400..=499 => {
            let code = error_code(&reading.refused(answer));
            let verdict = match (status, code) {
                // Those from 20001 on say no more than the status does.
                (400, _) | (_, Some(10_004 | 21_000..)) => {
                    of_code(status, code.unwrap_or_default(), candidate)
                }
                _ => Verdict {
                    key_refused: matches!(status, 401 | 403),
                    ..Verdict::failed(Some(status), fix::of_status(status, candidate))
                },
            };
            Verdict { error_code: code.map(|code| code.to_string()), ..verdict }
        }
        // Nothing says that it was not taken.
        _ => Verdict {
            may_be_sent: true,
            ..Verdict::failed(Some(status), fix::of_status(status, candidate))
                .or_again(Duration::ZERO)
        },
    }
}

/// A 201 says that Twilio has the message, and what has become of it by then.
fn understand_taken(body: &[u8], status: u16, candidate: Candidate<'_>) -> Verdict {
    let Some(message) = Message::parse(body) else {
        return Verdict::in_doubt(Some(status), fix::not_understood(status, candidate));
    };
    if message.has_failed {
        let code = message.error_code;
        return Verdict {
            error_code: code.map(|code| code.to_string()),
            ..of_code(status, code.unwrap_or_default(), candidate)
        };
    }
    Verdict { segments: message.segments, ..Verdict::taken(status, message.sid) }
}

/// What it means that Twilio does not send the message for this reason; 0 is none.
fn of_code(status: u16, code: u32, candidate: Candidate<'_>) -> Verdict {
    let refused = Verdict::refused(Some(status), fix::of_code(status, code, candidate));
    match Means::of(code) {
        Means::Refused => refused,
        Means::RefusedHere => Verdict { refused_here: true, ..refused },
        Means::FullForNow => Verdict { refused_here: true, ..refused }.or_again(Duration::ZERO),
        Means::Failed => Verdict { provider_failed: true, ..refused },
    }
}

/// What an error code means for the message, which is not sent in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The message is wrong, or its recipient must not have it.
    Refused,
    /// Twilio does not send it from this sender, or to this country; it is well.
    RefusedHere,
    /// The sender has too many messages before it, of which one leaves each second or sooner; or the account has too many
    /// calls.
    FullForNow,
    /// The account can't send.
    Failed,
}

impl Means {
    /// What a code means. Of one that is not known another provider may think otherwise, and nothing was sent.
    pub fn of(code: u32) -> Self {
        match code {
            // The recipient's number; the recipient's own wish; text and request; the guard against fraud.
            21_211 | 21_217 | 21_610 | 21_614 | 21_602 | 21_604 | 21_617 | 21_216 | 30_450 => {
                Self::Refused
            }
            21_611 | 10_004 => Self::FullForNow,
            // A trial; an account that is suspended.
            21_608 | 21_219 | 30_002 => Self::Failed,
            _ => Self::RefusedHere,
        }
    }
}

/// A message, or a call, as an answer has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub sid: Option<String>,
    /// How many segments it is billed for; none where a Messaging Service has not picked a sender yet.
    pub segments: Option<u32>,
    /// Twilio does not send it.
    pub has_failed: bool,
    /// Why not.
    pub error_code: Option<u32>,
}

impl Message {
    /// The message in the body of a 201; `None` where the body is of another form.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| {
            let text = body.get(name)?.as_str()?.trim();
            (!text.is_empty()).then_some(text)
        };
        let status = text("status")?;
        Some(Self {
            sid: text("sid").map(str::to_owned),
            segments: text("num_segments").and_then(|it| it.parse().ok()).filter(|it| *it > 0),
            has_failed: matches!(status, "failed" | "canceled"),
            error_code: code(body.get("error_code")),
        })
    }
}

/// The code in an error's body, which both forms of it have: the older, `{"code":…,"message":…,"more_info":…,"status":…}`,
/// and that of RFC 9457. The rest may quote the recipient and the message.
pub fn error_code(body: &[u8]) -> Option<u32> {
    let body: Value = serde_json::from_slice(body).ok()?;
    code(body.get("code"))
}

/// A code of Twilio's has five digits, which no phone number has so few of.
fn code(value: Option<&Value>) -> Option<u32> {
    let code = value?.as_u64()?;
    u32::try_from(code).ok().filter(|code| (10_000..100_000).contains(code))
}
