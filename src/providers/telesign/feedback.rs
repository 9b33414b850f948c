//! Has Telesign know that a passcode was used: "report SMS completion", `PUT /v1/verify/completion/{reference_id}`.

use uuid::Builder;

use super::Telesign;
use super::request::date;
use super::signature::{METHOD, Signed, sign};
use crate::ports::{Instant, OutboundMethod, OutboundRequest, Ports, SendError};

/// Tells it of the message with this reference id.
pub(super) fn tell(
    telesign: &Telesign,
    message_id: &str,
    ports: Ports<'_>,
    until: Instant,
) -> Result<u16, SendError> {
    let Telesign { tls, authority, customer_id, api_key, .. } = telesign;
    let path = ["/v1/verify/completion/", message_id].concat();
    let date = date(ports.clock.now());
    let nonce = Builder::from_random_bytes(ports.random.bytes()).into_uuid().to_string();
    let signed = Signed { method: "PUT", date: &date, nonce: &nonce, body: b"", path: &path };
    let request = OutboundRequest {
        method: OutboundMethod::Put,
        tls: *tls,
        authority,
        path_and_query: &path,
        headers: &[
            ("accept", "application/json"),
            ("date", &date),
            METHOD,
            ("x-ts-nonce", &nonce),
            ("authorization", &sign(customer_id, api_key, &signed)),
        ],
    };
    ports.http.send(&request, until).map(|answer| answer.status())
}
