//! The world in wit/, bound to the types of the crate `wasi` where both have them.
#![allow(unsafe_code, missing_docs)] // Generated.

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
        "wasi:cli/stdout@0.2.0": ::wasi::cli::stdout,
        "fermyon:spin/variables@2.0.0": ::spin_sdk::variables,
        "fermyon:spin/key-value@2.0.0": ::spin_sdk::key_value,
        "wasi:http/types@0.2.0": generate,
        "wasi:http/outgoing-handler@0.2.0": generate,
        "wasi:http/incoming-handler@0.2.0": generate,
    },
});
