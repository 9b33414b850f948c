//! Has Infobip know that a passcode was used, per its API's `POST /ct/1/log/end/{messageId}`.

use super::Infobip;
use super::request::authorization;
use crate::ports::{Instant, OutboundMethod, OutboundRequest, Ports, SendError};

/// Tells it of the message with this id, which was sent with conversion tracking.
pub(super) fn tell(
    infobip: &Infobip,
    message_id: &str,
    ports: Ports<'_>,
    until: Instant,
) -> Result<u16, SendError> {
    let request = OutboundRequest {
        method: OutboundMethod::Post(b""),
        tls: infobip.tls,
        authority: &infobip.authority,
        path_and_query: &["/ct/1/log/end/", message_id].concat(),
        headers: &[
            ("accept", "application/json"),
            ("authorization", &authorization(&infobip.api_key)),
        ],
    };
    ports.http.send(&request, until).map(|answer| answer.status())
}
