//! Makes one outbound request, with as many bytes as the hook's to ACS, and answers a constant once there
//! is an answer. The variable `acs` says where to.

#[cfg(target_arch = "wasm32")]
mod entry {
    use floor::bindings;
    use floor::bindings::exports::wasi::http::incoming_handler::Guest;
    use floor::bindings::fermyon::spin::variables;
    use floor::bindings::wasi::http::outgoing_handler;
    use floor::bindings::wasi::http::types::{
        Fields, IncomingRequest, Method, OutgoingRequest, ResponseOutparam, Scheme,
    };
    use floor::http::{MESSAGE, MESSAGE_HEADERS, answer, length, write_whole};

    struct Component;

    bindings::export!(Component with_types_in bindings);

    impl Guest for Component {
        fn handle(_: IncomingRequest, outparam: ResponseOutparam) {
            if relay().is_some() {
                let _ = answer(outparam);
            }
        }
    }

    fn relay() -> Option<()> {
        let acs = variables::get("acs").ok()?;
        let headers = Fields::new();
        for (name, value) in MESSAGE_HEADERS {
            headers.append(name, value).ok()?;
        }
        headers.append("content-length", length(MESSAGE.len()).as_bytes()).ok()?;
        let request = OutgoingRequest::new(headers);
        request.set_method(&Method::Post).ok()?;
        request.set_scheme(Some(&Scheme::Http)).ok()?;
        request.set_authority(Some(&acs)).ok()?;
        request.set_path_with_query(Some("/sms?api-version=2021-03-07")).ok()?;
        write_whole(request.body().ok()?, MESSAGE)?;
        let response = outgoing_handler::handle(request, None).ok()?;
        response.subscribe().block();
        let answer = response.get()?.ok()?.ok()?;
        (answer.status() == 202).then_some(())
    }
}
