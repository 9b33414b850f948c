//! Has Twilio know that a passcode was used, per its API's
//! `POST /2010-04-01/Accounts/{AccountSid}/Messages/{MessageSid}/Feedback.json`.

use super::Twilio;
use super::request::{FORM, authorization};
use crate::ports::{Instant, OutboundMethod, OutboundRequest, Ports, SendError};

/// Tells it of the message with this SID, which was sent with `ProvideFeedback`.
pub(super) fn tell(
    twilio: &Twilio,
    message_sid: &str,
    ports: Ports<'_>,
    until: Instant,
) -> Result<u16, SendError> {
    let Twilio { tls, authority, account_sid, key_sid, key_secret, .. } = twilio;
    let request = OutboundRequest {
        method: OutboundMethod::Post(b"Outcome=confirmed"),
        tls: *tls,
        authority,
        path_and_query: &format!(
            "/2010-04-01/Accounts/{account_sid}/Messages/{message_sid}/Feedback.json"
        ),
        headers: &[
            ("content-type", FORM),
            ("accept", "application/json"),
            ("authorization", &authorization(key_sid, key_secret)),
        ],
    };
    ports.http.send(&request, until).map(|answer| answer.status())
}
