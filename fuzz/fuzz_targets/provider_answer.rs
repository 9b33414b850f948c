//! Any body of a provider's answer is understood or not, and nothing of it but a code gets out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::providers::{acs, infobip, telesign, twilio};

fuzz_target!(|body: &[u8]| {
    let _ = acs::answer::Recipient::parse(body);
    if let Some(code) = acs::answer::error_code(body) {
        assert!((1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphabetic()));
    }
    let _ = infobip::answer::Message::parse(body).map(|message| message.status.verdict());
    if let Some(code) = infobip::answer::error_code(body) {
        assert!((1..=64).contains(&code.len()) && code.is_ascii());
        // No phone number has so few.
        assert!(code.bytes().filter(u8::is_ascii_digit).count() <= 4);
    }
    let said = telesign::answer::Said::parse(body);
    for status in [200, 302, 400, 401, 429, 503] {
        let _ = telesign::answer::Means::of(status, said.code);
    }
    assert!(said.reference_id.is_none_or(|id| !id.is_empty() && id.len() <= body.len()));
    let _ = twilio::answer::Message::parse(body);
    if let Some(code) = twilio::answer::error_code(body) {
        assert!((10_000..100_000).contains(&code));
        let _ = twilio::answer::Means::of(code);
    }
});
