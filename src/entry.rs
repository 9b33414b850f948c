//! The component's door: wasi:http in and out. Nothing else knows its types for inbound requests.
#![allow(unsafe_code)] // The generated bindings.

use crate::app::{self, Response};
use crate::ports::Ports;
use crate::ports::wasi::{Host, Inbound, print, write_whole};

/// The world in wit/, bound to the types of the `wasi` crate where both have them.
#[allow(missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "hook",
        with: {
            "wasi:io/error@0.2.0": ::wasi::io::error,
            "wasi:io/poll@0.2.0": ::wasi::io::poll,
            "wasi:io/streams@0.2.0": ::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.0": ::wasi::clocks::monotonic_clock,
            "wasi:clocks/wall-clock@0.2.0": ::wasi::clocks::wall_clock,
            "wasi:random/random@0.2.0": ::wasi::random::random,
            "wasi:cli/stdin@0.2.0": ::wasi::cli::stdin,
            "wasi:cli/stdout@0.2.0": ::wasi::cli::stdout,
            "wasi:cli/stderr@0.2.0": ::wasi::cli::stderr,
            "fermyon:spin/variables@2.0.0": ::spin_sdk::variables,
            "wasi:http/types@0.2.0": generate,
            "wasi:http/outgoing-handler@0.2.0": generate,
            "wasi:http/incoming-handler@0.2.0": generate,
        },
    });
}

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingResponse, ResponseOutparam,
};

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let ports = Ports { variables: &Host, clock: &Host, random: &Host, http: &Host };
        let handled = app::handle(&mut Inbound(request), ports);
        let answer = outgoing_response(&handled.response)
            .ok_or_else(|| ErrorCode::InternalError(Some("the answer could not be built".into())));
        ResponseOutparam::set(outparam, answer);
        // The answer has left: a log that is slow to take the line delays nobody's sign-in.
        if let Some(line) = handled.log_line {
            print(&line);
        }
    }
}

/// The answer for the host, its body written and finished: see [`write_whole`].
fn outgoing_response(response: &Response) -> Option<OutgoingResponse> {
    let length = response.body.len().to_string();
    let headers = Fields::new();
    for (name, value) in response.headers.iter().chain(&[("content-length", length.as_str())]) {
        headers.append(name, value.as_bytes()).ok()?;
    }
    let outgoing = OutgoingResponse::new(headers);
    outgoing.set_status_code(response.status).ok()?;
    write_whole(outgoing.body().ok()?, &response.body).ok()?;
    Some(outgoing)
}
