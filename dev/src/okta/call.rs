//! A call of the telephony inline hook: what Okta posts, and what it makes of the answer.
//!
//! Source: "Telephony inline hook reference" (Okta's developer documentation).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::people::Person;

/// How long a passcode holds.
pub const PASSCODE_LIFETIME: Duration = Duration::minutes(5);

/// `2026-11-29T10:15:16.286Z`
const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Why a person needs a passcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    #[default]
    SignIn,
    /// To enrol the phone.
    Enrolment,
}

/// How a passcode is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    #[default]
    Sms,
    Call,
}

/// A passcode that Okta has made.
pub struct Passcode {
    /// Six digits.
    pub code: String,
    pub expires: OffsetDateTime,
}

impl Passcode {
    pub fn new(now: OffsetDateTime) -> Self {
        let random = Uuid::new_v4().as_u128() % 1_000_000;
        Self { code: format!("{random:06}"), expires: now + PASSCODE_LIFETIME }
    }
}

/// The body that Okta posts to the hook.
pub fn body(
    person: &Person,
    step: Step,
    channel: Channel,
    passcode: &Passcode,
    now: OffsetDateTime,
) -> String {
    let (step, path) = match step {
        Step::SignIn => ("mfa-verification", "/idp/idx/challenge"),
        Step::Enrolment => ("pre-enrollment", "/idp/idx/credential/enroll"),
    };
    let (first_name, last_name) = person.name.split_once(' ').unwrap_or((&person.name, ""));
    json!({
        "eventId": URL_SAFE_NO_PAD.encode(Uuid::new_v4()),
        "eventTime": moment(now),
        "eventType": "com.okta.telephony.provider",
        "eventTypeVersion": "1.0",
        "contentType": "application/json",
        "cloudEventVersion": "0.1",
        "source": "https://example.okta.com/api/v1/inlineHooks/cal1fictionalhook1d7",
        "requestType": format!("com.okta.user.telephony.{step}"),
        "data": {
            "context": {
                "request": {
                    "id": Uuid::new_v4().simple().to_string(),
                    "method": "POST",
                    "url": { "value": path },
                    "ipAddress": person.ip_address,
                },
            },
            "userProfile": {
                "firstName": first_name,
                "lastName": last_name,
                "login": person.login,
                "userId": person.user_id,
            },
            "messageProfile": {
                "msgTemplate": format!("Your code is {}", passcode.code),
                "phoneNumber": person.number,
                "otpExpires": moment(passcode.expires),
                "deliveryChannel": match channel {
                    Channel::Sms => "SMS",
                    Channel::Call => "voice call",
                },
                "otpCode": passcode.code,
                "locale": "EN-US",
            },
        },
    })
    .to_string()
}

/// What Okta makes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The hook says that it sent the passcode.
    Sent,
    /// It says that it did not, and why.
    Failed(String),
    /// Okta has given up on the hook: no answer in time, or another status than 200. What kept it, in a few words.
    GivenUp(String),
}

impl Outcome {
    /// Of an answer, or of none.
    pub fn of(answer: Option<(StatusCode, &[u8])>) -> Self {
        let Some((status, body)) = answer else {
            return Self::GivenUp("no answer".to_owned());
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let value = match &body["commands"][0]["value"] {
            Value::Array(values) => values.first().unwrap_or(&Value::Null),
            // The form of the Azure Function, which Okta takes, too.
            value => value,
        };
        let reason = value["transactionMetadata"].as_str();
        match (status, value["status"].as_str()) {
            (StatusCode::OK, Some("SUCCESSFUL" | "SUCCESS")) => Self::Sent,
            (StatusCode::OK, Some("FAILED")) => {
                Self::Failed(reason.unwrap_or("no reason").to_owned())
            }
            (StatusCode::OK, _) => Self::GivenUp("an answer without a status".to_owned()),
            (status, _) => {
                Self::GivenUp(reason.map_or_else(|| status.as_u16().to_string(), str::to_owned))
            }
        }
    }
}

/// A date as Okta writes it.
pub fn moment(at: OffsetDateTime) -> String {
    // Fails for years beyond 9999 only, which are not "now".
    at.format(MOMENT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_with_200_and_a_status() {
        let answer = |status: &str| {
            let value = json!({ "status": status, "transactionMetadata": "why" });
            let of = |value: Value| json!({ "commands": [{ "value": value }] }).to_string();
            (of(json!([value])), of(value))
        };
        let of = |status, body: &str| {
            Outcome::of(Some((StatusCode::from_u16(status).unwrap(), body.as_bytes())))
        };
        let given_up = |why: &str| Outcome::GivenUp(why.to_owned());
        assert_eq!(of(200, &answer("SUCCESSFUL").0), Outcome::Sent);
        assert_eq!(of(200, &answer("SUCCESS").1), Outcome::Sent);
        let (documented, classic) = answer("FAILED");
        for body in [&documented, &classic] {
            assert_eq!(of(200, body), Outcome::Failed("why".to_owned()));
            assert_eq!(of(401, body), given_up("why"));
        }
        assert_eq!(of(200, "{}"), given_up("an answer without a status"));
        assert_eq!(of(502, "<html>"), given_up("502"));
        assert_eq!(Outcome::of(None), given_up("no answer"));
    }
}
