//! Makes the calls of a hook without rate limits whose message ACS takes, with as many bytes in each, and
//! computes nothing: everything that it sends is a constant. What the hook takes beyond it is the hook's own.

#[cfg(target_arch = "wasm32")]
mod entry {
    use std::mem;

    use floor::bindings;
    use floor::bindings::exports::wasi::http::incoming_handler::Guest;
    use floor::bindings::fermyon::spin::key_value::Store;
    use floor::bindings::fermyon::spin::variables;
    use floor::bindings::wasi::cli::stdout;
    use floor::bindings::wasi::clocks::{monotonic_clock, wall_clock};
    use floor::bindings::wasi::http::outgoing_handler;
    use floor::bindings::wasi::http::types::{
        Fields, IncomingBody, IncomingRequest, Method, OutgoingRequest, OutgoingResponse,
        RequestOptions, ResponseOutparam, Scheme,
    };
    use floor::bindings::wasi::io::poll::poll;
    use floor::http::{ANSWER, MESSAGE, MESSAGE_HEADERS, length, write_whole};

    struct Component;

    bindings::export!(Component with_types_in bindings);

    /// As long as the hook's.
    const LINE: &[u8] = br#"{"v":1,"time":"2026-01-31T12:00:00.924362702Z","level":"info","event":"hook","outcome":"accepted","reason":"accepted","http_status":200,"credential":"basic","event_id":"bench00000000000000000000","request_type":"com.okta.user.telephony.mfa-verification","preview":false,"number":"+1********00","country":"US","segments":1,"encoding":"gsm7","sender_type":"shortcode","acs_status":202,"message_id":"Outgoing_20260131120000c0ffee5a-7f1e-4c0b-9d0a-0a8d0f6c1b2a_noam","attempts":1,"acs_ms":1.05,"ms":1.47}
"#;

    impl Guest for Component {
        fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
            let _ = hook(request, outparam);
        }
    }

    fn hook(request: IncomingRequest, outparam: ResponseOutparam) -> Option<()> {
        let end = monotonic_clock::now() + 2_500_000_000;
        wall_clock::now();
        request.path_with_query()?;
        look_at_the_time(1);
        request.method();
        variables::get("caller_settings").ok()?;
        let headers = request.headers();
        for name in ["content-type", "authorization", "content-length"] {
            headers.get(name);
        }
        read(request.consume().ok()?, end, true)?;
        look_at_the_time(2);
        let settings = variables::get("message_settings").ok()?;
        let (_, endpoint) = settings.split_once("endpoint=http://")?;
        let (acs, _) = endpoint.split_once('/')?;

        let mut entries: Vec<_> =
            MESSAGE_HEADERS.map(|(name, value)| (name.to_owned(), value.to_vec())).into();
        entries.push(("content-length".to_owned(), length(MESSAGE.len()).into_bytes()));
        let message = OutgoingRequest::new(Fields::from_list(&entries).ok()?);
        message.set_method(&Method::Post).ok()?;
        message.set_scheme(Some(&Scheme::Http)).ok()?;
        message.set_authority(Some(acs)).ok()?;
        message.set_path_with_query(Some("/sms?api-version=2021-03-07")).ok()?;
        write_whole(message.body().ok()?, MESSAGE)?;
        let options = RequestOptions::new();
        let left = end - monotonic_clock::now();
        let _ = options.set_connect_timeout(Some(left));
        let answer = outgoing_handler::handle(message, Some(options)).ok()?;
        let (ready, deadline) = (answer.subscribe(), monotonic_clock::subscribe_instant(end));
        poll(&[&ready, &deadline]);
        let response = answer.get()?.ok()?.ok()?;
        mem::forget((ready, deadline, answer));
        if response.status() != 202 {
            return None;
        }
        read(response.consume().ok()?, end, false)?;
        mem::forget(response);
        look_at_the_time(2);

        let entries = [
            ("content-type".to_owned(), b"application/json".to_vec()),
            ("content-length".to_owned(), length(ANSWER.len()).into_bytes()),
        ];
        let response = OutgoingResponse::new(Fields::from_list(&entries).ok()?);
        write_whole(response.body().ok()?, ANSWER)?;
        ResponseOutparam::set(outparam, Ok(response));

        let stdout = stdout::get_stdout();
        stdout.blocking_write_and_flush(LINE).ok()?;
        mem::forget(stdout);

        // The record of the message, and the two marks that say that the store hangs for nobody.
        let local = Store::open("default").ok()?;
        local.get(READS).ok()?;
        let records = Store::open("records").ok()?;
        let bucket = records.get(BUCKET).ok()?;
        local.get(WRITES).ok()?;
        records.set(BUCKET, &[0; 200]).ok()?;
        look_at_the_time(7);
        mem::forget((local, records, bucket, headers, request));
        Some(())
    }

    const READS: &str = "okta-telephony-acs/breaker/records/reads";
    const WRITES: &str = "okta-telephony-acs/breaker/records/writes";
    const BUCKET: &str = "okta-telephony-acs/records/0";

    fn look_at_the_time(times: usize) {
        for _ in 0..times {
            monotonic_clock::now();
        }
    }

    /// What is there of a body, or all of it.
    fn read(body: IncomingBody, end: u64, is_known: bool) -> Option<()> {
        let stream = body.stream().ok()?;
        let mut waiting = None;
        loop {
            match stream.read(16 * 1024) {
                Ok(piece) if piece.is_empty() => {
                    let (ready, deadline) = waiting.get_or_insert_with(|| {
                        (stream.subscribe(), monotonic_clock::subscribe_instant(end))
                    });
                    poll(&[ready, deadline]);
                }
                Ok(_) if is_known => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        mem::forget((waiting, stream, body));
        Some(())
    }
}
