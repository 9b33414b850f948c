//! Whatever the operator and Okta say, the passcode is in the text and the text is not too long; and a call says each of
//! its digits alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::hook::request::OTP_CODE_LIMIT;
use okta_telephony_acs::message::{
    Domain, Part, Passcode, SpokenTemplates, Templates, Wording, segments,
};

type Said<'a> = (Vec<(&'a str, &'a str)>, &'a str, &'a str, &'a str, &'a str, &'a str, Option<u64>);

fuzz_target!(|said: Said<'_>| {
    let (entries, org_name, domain, okta_template, locale, code, minutes) = said;
    let is_of_a_passcode = |b: u8| b.is_ascii_alphanumeric() || b" -#".contains(&b);
    if code.len() > OTP_CODE_LIMIT || !code.bytes().all(is_of_a_passcode) {
        return;
    }
    let (mut templates, mut spoken) = (Templates::default(), SpokenTemplates::default());
    for (key, text) in entries {
        let _ = templates.add(key, text);
        let _ = spoken.add(key, text);
    }
    let wording = Wording {
        templates,
        spoken,
        org_name: org_name.to_owned(),
        web_otp_domain: Domain::parse(domain).ok(),
        ..Wording::default()
    };
    let passcode =
        Passcode { code, minutes, okta_template: Some(okta_template), locale: Some(locale) };
    let announcement = wording.announcement(&passcode);
    let is =
        |part: &Part, digit: char| matches!(part, Part::Words(said) if said.chars().eq([digit]));
    for digit in code.chars().filter(char::is_ascii_digit) {
        let parts = &announcement.for_voices(|_| false).parts;
        assert!(parts.iter().filter(|part| is(part, digit)).count() >= 2);
    }
    let text = wording.text(&passcode);
    assert!(text.contains(code));
    assert!(segments(&text).count <= wording.max_segments);
    let length = text.encode_utf16().count();
    // The fewest and the most characters that a part holds.
    let count = segments(&text).count as usize;
    assert!((length.div_ceil(160).max(1)..=length.div_ceil(66).max(1)).contains(&count));
});
