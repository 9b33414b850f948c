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
    use floor::http::{answer, length, write_whole};

    struct Component;

    bindings::export!(Component with_types_in bindings);

    /// What the hook sends to ACS.
    const BODY: &[u8] = br#"{"from":"12345","smsRecipients":[{"to":"+14255550123","repeatabilityRequestId":"0f3b0c5e-9d0a-5e0f-8d4e-0a8d0f6c1b2a","repeatabilityFirstSent":"Sat, 31 Jan 2026 12:00:00 GMT"}],"message":"Your verification code is 246810","smsSendOptions":{"enableDeliveryReport":true,"tag":"okta:uS5871kJThSsU8qlA1LTcg"}}"#;

    const HEADERS: [(&str, &[u8]); 4] = [
        ("content-type", b"application/json"),
        ("x-ms-date", b"Sat, 31 Jan 2026 12:00:00 GMT"),
        ("x-ms-content-sha256", b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (
            "authorization",
            b"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
    ];

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
        for (name, value) in HEADERS {
            headers.append(name, value).ok()?;
        }
        headers.append("content-length", length(BODY.len()).as_bytes()).ok()?;
        let request = OutgoingRequest::new(headers);
        request.set_method(&Method::Post).ok()?;
        request.set_scheme(Some(&Scheme::Http)).ok()?;
        request.set_authority(Some(&acs)).ok()?;
        request.set_path_with_query(Some("/sms?api-version=2021-03-07")).ok()?;
        write_whole(request.body().ok()?, BODY)?;
        let response = outgoing_handler::handle(request, None).ok()?;
        response.subscribe().block();
        let answer = response.get()?.ok()?.ok()?;
        (answer.status() == 202).then_some(())
    }
}
