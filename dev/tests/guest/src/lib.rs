//! A guest that does what the last segment of a request's path says, to show what the local host
//! makes of it. The query is the deed's argument. `Component::handle` lists the deeds.

#[cfg(target_arch = "wasm32")]
mod bindings {
    //! The component's own world, bound as the component binds it.

    wit_bindgen::generate!({
        path: "../../../wit",
        world: "hook",
        with: {
            "wasi:io/error@0.2.0": ::wasi::io::error,
            "wasi:io/poll@0.2.0": ::wasi::io::poll,
            "wasi:io/streams@0.2.0": ::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.0": ::wasi::clocks::monotonic_clock,
            "wasi:clocks/wall-clock@0.2.0": ::wasi::clocks::wall_clock,
            "wasi:random/random@0.2.0": ::wasi::random::random,
            "wasi:cli/stdout@0.2.0": ::wasi::cli::stdout,
            "fermyon:spin/variables@2.0.0": ::spin_sdk::variables,
            "fermyon:spin/key-value@2.0.0": ::spin_sdk::key_value,
            "wasi:http/types@0.2.0": generate,
            "wasi:http/outgoing-handler@0.2.0": generate,
            "wasi:http/incoming-handler@0.2.0": generate,
        },
    });
}

#[cfg(target_arch = "wasm32")]
mod entry {
    use std::sync::atomic::{AtomicU32, Ordering};

    use spin_sdk::key_value::Store;

    use crate::bindings;
    use crate::bindings::exports::wasi::http::incoming_handler::Guest;
    use crate::bindings::wasi::http::outgoing_handler;
    use crate::bindings::wasi::http::types::{
        ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest,
        OutgoingResponse, ResponseOutparam, Scheme,
    };

    struct Component;

    bindings::export!(Component with_types_in bindings);

    /// Which of a head and its body the host gets first.
    #[derive(Clone, Copy, PartialEq)]
    enum First {
        Head,
        Body,
    }

    /// The requests that this instance has had.
    static REQUESTS: AtomicU32 = AtomicU32::new(0);

    impl Guest for Component {
        fn handle(request: IncomingRequest, out: ResponseOutparam) {
            let target = request.path_with_query().unwrap_or_default();
            let (path, argument) = target.split_once('?').unwrap_or((&target, ""));
            let deed = path.rsplit('/').next().unwrap_or_default();
            match deed {
                // Traps before there is an answer.
                "trap" => panic!("as asked"),
                // Returns without an answer.
                "nothing" => {}
                // Asks the host to answer with an error.
                "error" => ResponseOutparam::set(out, Err(ErrorCode::ConfigurationError)),
                // Fills as many MiB of memory.
                "memory" => {
                    let mebibytes: usize = argument.parse().unwrap();
                    let filled = std::hint::black_box(vec![1_u8; mebibytes << 20]);
                    answer(out, First::Body, &filled.len().to_string());
                }
                // How many requests this instance has had, this one counted.
                "count" => {
                    let count = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
                    answer(out, First::Body, &count.to_string());
                }
                // Answers, then calls an origin, and prints how that went.
                "later" => {
                    answer(out, First::Body, "answered");
                    println!("after the answer: {}", call(First::Body, argument));
                }
                // Writes to standard error what has no line break, so that it is out only when the
                // instance goes.
                "unended" => {
                    eprint!("no line break");
                    answer(out, First::Body, "");
                }
                // Its request's headers, a line each.
                "headers" => {
                    let lines = request.headers().entries().into_iter().map(|(name, value)| {
                        format!("{name}: {}\n", String::from_utf8_lossy(&value))
                    });
                    answer(out, First::Body, &lines.collect::<String>());
                }
                // Keeps the argument in the store.
                "keep" => {
                    let kept = Store::open_default()
                        .and_then(|store| store.set("kept", argument.as_bytes()));
                    answer(out, First::Body, &format!("{kept:?}"));
                }
                // What was kept.
                "kept" => {
                    let kept = Store::open_default().and_then(|store| store.get("kept"));
                    let kept = kept.map(|kept| kept.map(|kept| String::from_utf8(kept).unwrap()));
                    answer(out, First::Body, &format!("{kept:?}"));
                }
                // Opens the store of another label.
                "open" => {
                    let opened = Store::open(argument).map(drop);
                    answer(out, First::Body, &format!("{opened:?}"));
                }
                // Posts to an origin, `http://host:port`, and tells how that went.
                "call" => answer(out, First::Body, &call(First::Body, argument)),
                // The same with the request's head handed over before its body.
                "call-head-first" => answer(out, First::Body, &call(First::Head, argument)),
                // An answer whose head is handed over before its body.
                "head-first" => answer(out, First::Head, "late"),
                _ => answer(out, First::Body, &format!("the guest knows no {deed:?}")),
            }
        }
    }

    fn answer(out: ResponseOutparam, first: First, text: &str) {
        let headers = Fields::new();
        headers.append("content-length", text.len().to_string().as_bytes()).unwrap();
        let response = OutgoingResponse::new(headers);
        let body = response.body().unwrap();
        match first {
            First::Body => {
                write(body, text);
                ResponseOutparam::set(out, Ok(response));
            }
            First::Head => {
                ResponseOutparam::set(out, Ok(response));
                write(body, text);
            }
        }
    }

    /// The status of the answer, or the error.
    fn call(first: First, origin: &str) -> String {
        let (scheme, authority) = origin.split_once("://").unwrap();
        assert_eq!(scheme, "http");
        let request = OutgoingRequest::new(Fields::new());
        request.set_method(&Method::Post).unwrap();
        request.set_scheme(Some(&Scheme::Http)).unwrap();
        request.set_authority(Some(authority)).unwrap();
        request.set_path_with_query(Some("/called")).unwrap();
        let body = request.body().unwrap();
        let sent = match first {
            First::Body => {
                write(body, "hello");
                outgoing_handler::handle(request, None)
            }
            First::Head => {
                let sent = outgoing_handler::handle(request, None);
                write(body, "hello");
                sent
            }
        };
        let response = sent.and_then(|response| {
            response.subscribe().block();
            response.get().unwrap().unwrap()
        });
        match response {
            Ok(response) => response.status().to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    /// Writes a short body and finishes it.
    fn write(body: OutgoingBody, text: &str) {
        let stream = body.write().unwrap();
        // What is written must not exceed what the host has room for, which is 1 MiB at first.
        assert!(stream.check_write().unwrap() >= text.len() as u64);
        if !text.is_empty() {
            stream.write(text.as_bytes()).unwrap();
        }
        drop(stream);
        OutgoingBody::finish(body, None).unwrap();
    }
}
