//! The component's door: wasi:http in and out. Nothing else knows its types for inbound requests.
#![allow(unsafe_code)] // The generated export.

use std::mem;

use crate::after;
use crate::app;
use crate::bindings;
use crate::bindings::exports::wasi::http::incoming_handler::Guest;
use crate::bindings::wasi::http::types::{
    ErrorCode, IncomingRequest, OutgoingResponse, ResponseOutparam,
};
use crate::handled::Response;
use crate::ports::Ports;
use crate::ports::wasi::{Clocks, Host, Inbound, KeyValue, Settings, fields, write_whole};

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        // Of this request: an instance that served another one must not know its predecessor's.
        let (variables, clocks) = (Settings::default(), Clocks::default());
        let (store, records) = (KeyValue::new("default"), KeyValue::new("records"));
        let ports = Ports {
            variables: &variables,
            clock: &clocks,
            random: &Host,
            http: &Host,
            store: &store,
            records: &records,
            log: &Host,
        };
        let mut request = Inbound::new(request);
        let handled = app::handle(&mut request, ports);
        request.end();
        let answer = outgoing_response(&handled.response)
            .ok_or_else(|| ErrorCode::InternalError(Some("the answer could not be built".into())));
        ResponseOutparam::set(outparam, answer);
        // The answer is the host's now: a log that is slow to take its lines delays nobody's sign-in.
        if !handled.log.is_empty() {
            ports.log.print(&handled.log);
        }
        after::run(handled.after, ports);
        mem::forget((store, records));
    }
}

/// The answer for the host, its body written and finished: see [`write_whole`].
fn outgoing_response(response: &Response) -> Option<OutgoingResponse> {
    let headers = response.headers.iter().map(|(name, value)| (*name, value.as_ref()));
    let outgoing = OutgoingResponse::new(fields(headers, Some(response.body.len()))?);
    // 200 is what it begins with.
    if response.status != 200 {
        outgoing.set_status_code(response.status).ok()?;
    }
    write_whole(outgoing.body().ok()?, &response.body).ok()?;
    Some(outgoing)
}
