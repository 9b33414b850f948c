//! What Telesign's answer to a request means. What to do about it, `fix` says.

use std::time::Duration;

use serde_json::Value;

use super::fix;
use crate::message::Channel;
use crate::ports::Answer;
use crate::providers::api::{Reading, Verdict, retry_after};

/// What an answer means. The code in its body decides, and the status of HTTP only where there is none: "you should
/// retrieve the status code and use that rather than the HTTP status response".
///
/// Nothing else of the body leaves this room: that of a refused signature repeats the request, and so the passcode.
pub(super) fn understand(answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict {
    let Reading { candidate, channel, .. } = reading;
    let status = answer.status();
    let again_after = retry_after(&*answer);
    let understand = |body: &[u8]| understand_body(body, status, again_after, reading);
    match status {
        200..=299 => {
            reading.taken(answer, understand, || fix::of(status, None, channel, candidate))
        }
        _ => understand(&reading.refused(answer)),
    }
}

/// What the body means, which is empty where it could not be read.
fn understand_body(
    body: &[u8],
    status: u16,
    again_after: Option<Duration>,
    reading: Reading<'_>,
) -> Verdict {
    let Reading { candidate, channel, .. } = reading;
    let Said { code, reference_id } = Said::parse(body);
    let refusal = || fix::of(status, code, channel, candidate);
    let verdict = match Means::of(status, code) {
        Means::Taken => Verdict::taken(status, reference_id),
        Means::Refused => Verdict::refused(Some(status), refusal()),
        Means::RefusedHere => {
            Verdict { refused_here: true, ..Verdict::refused(Some(status), refusal()) }
        }
        Means::RefusedHereForNow => {
            let refused = Verdict::refused(Some(status), refusal());
            Verdict { refused_here: true, ..refused }.or_again(Duration::ZERO)
        }
        Means::Failed if channel == Channel::Call && may_only_text(status, code) => {
            Verdict { refused_here: true, ..Verdict::refused(Some(status), refusal()) }
        }
        Means::Failed => Verdict::failed(Some(status), refusal()),
        Means::KeyRefused => {
            Verdict { key_refused: true, ..Verdict::failed(Some(status), refusal()) }
        }
        Means::Throttled => Verdict { again_after, ..Verdict::failed(Some(status), refusal()) },
        Means::FailedForNow => Verdict::failed(Some(status), refusal()).or_again(Duration::ZERO),
        Means::MayBeTaken => {
            Verdict { may_be_sent: true, ..Verdict::failed(Some(status), refusal()) }
        }
        Means::MostLikelyTaken => Verdict::in_doubt(Some(status), refusal()),
    };
    Verdict {
        error_code: code.filter(|_| verdict.result.is_err()).map(|it| it.to_string()),
        ..verdict
    }
}

/// Whether an account that is refused a call may well be one for SMS alone: its messages must not wait for that to be mended.
fn may_only_text(status: u16, code: Option<i32>) -> bool {
    match code {
        Some(code) => matches!(code, NOT_AUTHORIZED | 10011 | -20002 | -20004),
        None => matches!(status, 403 | 404),
    }
}

/// What the body of an answer says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `status.code` or, where that only says that nothing was done, `errors[0].code`, which is below 0.
    pub code: Option<i32>,
    /// Telesign's id of the message.
    pub reference_id: Option<String>,
}

/// Where its codes are: with five digits at most, while a passcode or a number that stands there has more as a rule.
const CODES: std::ops::Range<i32> = -99_999..100_000;

/// "Transaction not attempted" and "Not authorized": older operations say why beside them.
const NOT_ATTEMPTED: i32 = 500;
const NOT_AUTHORIZED: i32 = 501;

impl Said {
    /// Reads a body. What can't be read is as if it were not there.
    pub fn parse(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let number = |at: &str| match body.pointer(at)? {
            Value::Number(number) => number.as_i64()?.try_into().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let code = |at: &str| number(at).filter(|code| CODES.contains(code));
        let status = code("/status/code");
        let why = || code("/errors/0/code");
        let reference_id = body.get("reference_id").and_then(Value::as_str).map(str::trim);
        Self {
            code: match status {
                Some(NOT_ATTEMPTED | NOT_AUTHORIZED) => why().or(status),
                _ => status,
            },
            reference_id: reference_id.filter(|id| !id.is_empty()).map(str::to_owned),
        }
    }
}

/// What an answer means for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Telesign took it.
    Taken,
    /// The message is wrong, or its recipient must not have it.
    Refused,
    /// Telesign does not send it from this sender, or to this recipient; it is well.
    RefusedHere,
    /// The account can't send.
    Failed,
    /// It does not take the key.
    KeyRefused,
    /// The account is over a limit.
    Throttled,
    /// The account's carrier or gateway to this recipient can't send right now; Telesign is well.
    RefusedHereForNow,
    /// Telesign can't send right now, and has not.
    FailedForNow,
    /// Telesign failed, and may have taken it.
    MayBeTaken,
    /// Telesign took it, or most likely did.
    MostLikelyTaken,
}

impl Means {
    /// What a code means ("All status and error codes"); without one that is known, what the status of HTTP does.
    pub fn of(status: u16, code: Option<i32>) -> Self {
        match code {
            // A call that is under way, or was answered.
            Some(100 | 103 | 105) => Self::Taken,
            // Not answered, wrong number, busy; lists of the account's and of Telesign's. The phone has rung, or must not.
            Some(101 | 104 | 107 | 129 | 130) => Self::Refused,
            // The call failed, was given up, is not allowed to this country, or has no such voice.
            Some(106 | 108 | 10034 | 11018) => Self::RefusedHere,
            // Delivered, in progress, queued, delayed; or sent, and no more is known of it.
            Some(200 | 201 | 203 | 250 | 251 | 290 | 292 | 295) => Self::Taken,
            // The same number stands for a message that is blocked.
            Some(10031) if status == 401 => Self::Failed,
            // Number, text, form.
            Some(
                507 | 509 | 11000 | 11001 | 11003 | 11004 | 11009 | 11010 | 11016 | 11017 | 12000
                | 12009 | 12017 | -10001,
            ) => Self::Refused,
            // The phone takes no SMS at all; what the text says; its person's wish.
            Some(211 | 222 | 231 | 510 | 515 | 520) => Self::Refused,
            // Lists, risk scores and rules of the account: no other provider should send what these are there to stop.
            Some(229 | 230 | 233 | 238 | 518 | 519 | 10031 | 10032) => Self::Refused,
            // Sender, campaign, registration in India; no way to this phone, or not to its country. Which countries get
            // messages is the policy's.
            Some(
                207
                | 210
                | 220
                | 221
                | 237
                | 502
                | 504
                | 506
                | 508
                | 511..=514
                | 517
                | 521
                | 11013
                | 11034
                | 11035,
            ) => Self::RefusedHere,
            Some(10008 | 10022 | -30006) => Self::KeyRefused,
            Some(10019 | -40007) => Self::Throttled,
            Some(503 | 505) => Self::RefusedHereForNow,
            Some(NOT_ATTEMPTED) => Self::FailedForNow,
            // A nonce is of one request. If Telesign has had it, something on the way has sent the request twice, and the
            // first one may have been taken.
            Some(10000 | 10002 | -90001) => Self::MayBeTaken,
            Some(NOT_AUTHORIZED | 10003..=10020 | 10028 | 10030 | 10033 | 10035) => Self::Failed,
            Some(-40008 | -30012..=-30000 | -20004..=-20002 | -10030 | -10009) => Self::Failed,
            _ => match status {
                200..=299 => Self::MostLikelyTaken,
                400 => Self::Refused,
                401 => Self::KeyRefused,
                429 => Self::Throttled,
                // No redirect is followed, and where one comes from nobody took the message.
                300..=499 => Self::Failed,
                // Nothing says that it was not taken.
                _ => Self::MayBeTaken,
            },
        }
    }
}
