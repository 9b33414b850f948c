//! Any callback of Twilio's is a report or none, is signed by nobody by chance, and is signed where it is signed.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use okta_telephony_acs::public_url::PublicUrl;
use okta_telephony_acs::records::code::Code;
use okta_telephony_acs::reports::twilio;
use okta_telephony_acs::reports::twilio::signature::{Signature, signed};
use okta_telephony_acs::secret::Secret;

// A query, a line feed, a header's value, a line feed, and a body.
fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let (Some(query), Some(header), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Corpus::Reject;
    };
    let query = String::from_utf8_lossy(query);
    if let Ok(Some(report)) = twilio::parse(body, &query, 0) {
        let id = report.message_id.as_str();
        assert!((1..=64).contains(&id.len()) && id.is_ascii());
        assert!(matches!(report.reported.code, None | Some(Code::Twilio(1..))));
        assert!(report.tag.is_none_or(|tag| tag.as_str().len() <= 64));
    }
    let url = PublicUrl::parse("https://hook.example.com").expect("it is one");
    let urls = url.both_ways(&format!("/r?{query}"));
    for url in &urls {
        assert!(signed(url, body).starts_with(url.as_bytes()));
    }
    let token = Secret::from("12345");
    if let Some(signature) = Signature::parse(header) {
        assert!(!signature.is_of(&token, &urls, body));
    }
    Corpus::Keep
});
