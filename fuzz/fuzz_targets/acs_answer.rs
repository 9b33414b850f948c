//! Any body of an ACS answer is understood or not, and nothing of it but letters gets out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::providers::acs::answer::{Recipient, error_code};

fuzz_target!(|body: &[u8]| {
    let _ = Recipient::parse(body);
    if let Some(code) = error_code(body) {
        assert!((1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphabetic()));
    }
});
