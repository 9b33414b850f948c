//! Answers a constant.

#[cfg(target_arch = "wasm32")]
mod entry {
    use floor::bindings;
    use floor::bindings::exports::wasi::http::incoming_handler::Guest;
    use floor::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};

    struct Component;

    bindings::export!(Component with_types_in bindings);

    impl Guest for Component {
        fn handle(_: IncomingRequest, outparam: ResponseOutparam) {
            let _ = floor::http::answer(outparam);
        }
    }
}
