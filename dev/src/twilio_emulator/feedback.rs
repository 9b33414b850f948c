//! `POST /2010-04-01/Accounts/{AccountSid}/Messages/{MessageSid}/Feedback.json`: what the service checks, and what it
//! answers.
//!
//! The source is Twilio's page "Message Feedback resource". It does not say what feedback is answered on a message that was
//! sent without `ProvideFeedback`; here that is a 404, so that it is noticed.

use http::{HeaderMap, StatusCode};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::send::{Account, Refusal, caller, form};
use crate::phone::Message;
use crate::reply::Reply;

/// Feedback that passed every check.
#[derive(Debug)]
pub(super) struct Feedback<'a> {
    account_sid: &'a str,
    message: &'a Message,
    /// The passcode was used.
    pub is_confirmed: bool,
}

pub(super) fn check<'a>(
    account_sid: &'a str,
    message: Option<&'a Message>,
    headers: &HeaderMap,
    body: &[u8],
    account: &Account<'_>,
) -> Result<Feedback<'a>, Refusal> {
    let not_found = |reason| Refusal::new(StatusCode::NOT_FOUND, 20_404, reason);
    if caller(headers, account)? != account_sid {
        return Err(not_found("the account in the path is not that of the credentials"));
    }
    let message = message.ok_or_else(|| not_found("there is no such message"))?;
    if !message.takes_feedback {
        return Err(not_found("the message was sent without ProvideFeedback"));
    }
    let is_confirmed = match form(headers, body).get("Outcome").map(String::as_str) {
        None | Some("confirmed") => true,
        Some("unconfirmed") => false,
        Some(_) => return Err(Refusal::of(20_001, "Outcome is neither confirmed nor unconfirmed")),
    };
    Ok(Feedback { account_sid, message, is_confirmed })
}

impl Feedback<'_> {
    pub fn answer(&self, now: OffsetDateTime) -> Reply {
        let (account, sid) = (self.account_sid, &self.message.id);
        let date = now.format(&Rfc2822).unwrap_or_default();
        let body = json!({
            "account_sid": account,
            "message_sid": sid,
            "outcome": if self.is_confirmed { "confirmed" } else { "unconfirmed" },
            "date_created": date,
            "date_updated": date,
            "uri": format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Feedback.json"),
        });
        Reply::json(StatusCode::CREATED, body)
    }
}
