//! The component's door: wasi:http in and out. Nothing else knows its types for inbound requests.

use crate::bindings;
use crate::bindings::exports::wasi::http::incoming_handler::Guest;
use crate::bindings::wasi::http::types::{
    ErrorCode, IncomingRequest, OutgoingResponse, ResponseOutparam,
};
use crate::ports::wasi::{Clocks, Host, Inbound, KeyValue, fields, write_whole};
use crate::ports::{Ports, Response};

struct Component;

#[allow(unsafe_code)]
mod export {
    use super::{Component, bindings};

    bindings::export!(Component with_types_in bindings);
}

impl Guest for Component {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        // Of this request: an instance that served another one must not know its predecessor's.
        let clocks = Clocks::default();
        let (store, records) = (KeyValue::new("default"), KeyValue::new("records"));
        let ports = Ports {
            variables: &Host,
            clock: &clocks,
            random: &Host,
            http: &Host,
            store: &store,
            records: &records,
            log: &Host,
        };
        let mut request = Inbound::new(request);
        let handled = crate::handle(&mut request, ports);
        // Before the answer: the client's next request waits for a body that has not been read.
        drop(request);
        let answer = outgoing_response(&handled.response)
            .ok_or_else(|| ErrorCode::InternalError(Some("the answer could not be built".into())));
        ResponseOutparam::set(outparam, answer);
        // The host has the answer. But it sends it by the threads that also write the log, so a log that nobody reads
        // stops the answers all the same: docs/monitoring.md, "A log that nobody reads".
        crate::finish(&handled.log, handled.stranger, handled.after, ports);
    }
}

/// The answer for the host, its body written and finished: see [`write_whole`].
fn outgoing_response(response: &Response) -> Option<OutgoingResponse> {
    let headers = response.headers.iter().map(|(name, value)| (*name, value.as_ref()));
    // One without content has no length, either (RFC 9110, section 8.6).
    let length = Some(response.body.len()).filter(|_| response.status != 204);
    let outgoing = OutgoingResponse::new(fields(headers, length)?);
    // 200 is what it begins with.
    if response.status != 200 {
        outgoing.set_status_code(response.status).ok()?;
    }
    write_whole(outgoing.body().ok()?, &response.body).ok()?;
    Some(outgoing)
}
