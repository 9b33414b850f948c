//! Any body is read or refused, and what is read holds what the rest of the hook relies on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::hook::request::{self, Body, OTP_CODE_LIMIT};
use okta_telephony_acs::message::{Passcode, Wording, segments};

fuzz_target!(|body: &[u8]| {
    let Ok(request) = request::parse(body).and_then(Body::into_request) else { return };
    assert!((1..=OTP_CODE_LIMIT).contains(&request.otp_code.chars().count()));
    if let Ok(number) = &request.phone_number {
        let digits = number.as_str().strip_prefix('+').expect("E.164 begins with +");
        assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
        assert!(!number.masked().contains(digits));
    }
    let wording = Wording::default();
    let text = wording.text(&Passcode {
        code: &request.otp_code,
        minutes: None,
        okta_template: request.msg_template.as_deref(),
        locale: None,
    });
    assert!(text.contains(&request.otp_code));
    assert!(segments(&text).count <= wording.max_segments);
});
