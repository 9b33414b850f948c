//! Whatever the operator and Okta say, the passcode is in the text and the text is not too long.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::message::{
    Domain, MESSAGE_LIMIT, Passcode, Template, Templates, Wording, segments,
};
use okta_telephony_acs::hook::request::OTP_CODE_LIMIT;

type Said<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, &'a str, Option<u64>);

fuzz_target!(|said: Said<'_>| {
    let (templates, template, org_name, domain, okta_template, locale, code, minutes) = said;
    if code.chars().count() > OTP_CODE_LIMIT {
        return;
    }
    let wording = Wording {
        template: Template::parse(template).ok(),
        templates: Templates::parse(templates).unwrap_or_default(),
        org_name: org_name.to_owned(),
        web_otp_domain: Domain::parse(domain).ok(),
    };
    let text = wording.text(&Passcode {
        code,
        minutes,
        okta_template: Some(okta_template),
        locale: Some(locale),
    });
    assert!(text.contains(code));
    let length = text.encode_utf16().count();
    assert!(length <= MESSAGE_LIMIT);
    // The fewest and the most characters that a part holds.
    let count = segments(&text).count as usize;
    assert!((length.div_ceil(160).max(1)..=length.div_ceil(66).max(1)).contains(&count));
});
