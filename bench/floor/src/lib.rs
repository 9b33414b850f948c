//! The relay floor: it makes one outbound request, as large as the hook's to ACS, and once that is answered it
//! answers a constant. It uses the raw interfaces of WASI 0.2, reads no variable and opens no store.
//!
//! Nothing here can panic, so that no formatting is linked. When a call fails, the relay gives no answer, and the
//! bench reports that.

#[allow(missing_docs)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "hook", generate_all });
}

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::outgoing_handler;
use bindings::wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
    ResponseOutparam, Scheme,
};

/// What the hook sends to ACS.
const MESSAGE: &[u8] = br#"{"from":"12345","smsRecipients":[{"to":"+14255550123","repeatabilityRequestId":"0f3b0c5e-9d0a-5e0f-8d4e-0a8d0f6c1b2a","repeatabilityFirstSent":"Sat, 31 Jan 2026 12:00:00 GMT"}],"message":"Your verification code is 246810","smsSendOptions":{"enableDeliveryReport":true,"tag":"okta:uS5871kJThSsU8qlA1LTcg"}}"#;

/// Its headers, without its length.
const MESSAGE_HEADERS: [(&str, &[u8]); 4] = [
    ("content-type", b"application/json"),
    ("x-ms-date", b"Sat, 31 Jan 2026 12:00:00 GMT"),
    ("x-ms-content-sha256", b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    (
        "authorization",
        b"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ),
];

/// The hook's answer to Okta when ACS has accepted a message.
const ANSWER: &[u8] = br#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"SUCCESSFUL","provider":"ACS","transactionId":"Outgoing_20260131120000c0ffee","transactionMetadata":"shortcode"}]}],"debugContext":{"segments":1,"encoding":"gsm7"}}"#;

struct Relay;

bindings::export!(Relay with_types_in bindings);

impl Guest for Relay {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        if send(&request).is_some() {
            let _ = answer(outparam);
        }
    }
}

/// Sends the message to the address that the path of the request names: `/https/127.0.0.1:3001`.
fn send(request: &IncomingRequest) -> Option<()> {
    let path = request.path_with_query()?;
    let (scheme, authority) = match path.strip_prefix("/https/") {
        Some(authority) => (Scheme::Https, authority),
        None => (Scheme::Http, path.strip_prefix("/http/")?),
    };
    let headers = Fields::new();
    for (name, value) in MESSAGE_HEADERS {
        headers.append(name, value).ok()?;
    }
    headers.append("content-length", &three_digits(MESSAGE.len())).ok()?;
    let message = OutgoingRequest::new(headers);
    message.set_method(&Method::Post).ok()?;
    message.set_scheme(Some(&scheme)).ok()?;
    message.set_authority(Some(authority)).ok()?;
    message.set_path_with_query(Some("/sms?api-version=2021-03-07")).ok()?;
    write_whole(message.body().ok()?, MESSAGE)?;
    let response = outgoing_handler::handle(message, None).ok()?;
    response.subscribe().block();
    let answer = response.get()?.ok()?.ok()?;
    (answer.status() == 202).then_some(())
}

fn answer(outparam: ResponseOutparam) -> Option<()> {
    let headers = Fields::new();
    headers.append("content-type", b"application/json").ok()?;
    headers.append("content-length", &three_digits(ANSWER.len())).ok()?;
    let response = OutgoingResponse::new(headers);
    write_whole(response.body().ok()?, ANSWER)?;
    ResponseOutparam::set(outparam, Ok(response));
    Some(())
}

/// Writes a whole body and finishes it, before its head is handed over.
fn write_whole(body: OutgoingBody, bytes: &[u8]) -> Option<()> {
    let stream = body.write().ok()?;
    stream.check_write().ok()?;
    stream.write(bytes).ok()?;
    drop(stream);
    OutgoingBody::finish(body, None).ok()
}

/// A length from 100 to 999 in decimal.
fn three_digits(length: usize) -> [u8; 3] {
    [100, 10, 1].map(|place| b'0' + (length / place % 10) as u8)
}
