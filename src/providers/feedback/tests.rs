use super::*;
use crate::ports::SendError;
use crate::ports::fake::{FakeAnswer, FakeHost, Sent};
use crate::settings::Settings;

/// The secrets of all kinds.
const SECRETS: &str = "[providers.acs]\n[providers.infobip]\napi_key = \"k-1\"\n[providers.telesign]\napi_key = \"VGVzdCBLZXk=\"\n\
                       [providers.twilio]\napi_key_sid = \"SK0123456789abcdef0123456789abcdef\"\napi_key_secret = \"secret\"";

/// Providers of all kinds, each with its name, of which these wish for feedback.
fn providers(host: &FakeHost) -> Vec<Provider> {
    Settings::read(host).providers.unwrap()
}

fn host(feedback: bool) -> FakeHost {
    let own = [
        ("infobip", "base_url = \"https://a.api.infobip.com\""),
        ("telesign", "base_url = \"https://rest-ww.telesign.com\"\ncustomer_id = \"C-1\""),
        ("twilio", "account_sid = \"AC0123456789abcdef0123456789abcdef\""),
    ];
    let entry = |(kind, own): (&str, &str)| {
        format!(
            "[[providers]]\nkind = \"{kind}\"\n{own}\nsenders.default = \"CONTOSO\"\nvoice = true\n\
             voice_from = \"+442079460000\"\nfeedback = {feedback}\n"
        )
    };
    let acs = "[[providers]]\nkind = \"acs\"\n";
    FakeHost::default()
        .with_settings(&[acs, &own.map(entry).concat()].concat())
        .with_secrets(SECRETS)
        .answering([FakeAnswer::of(200, "{}")])
}

fn tell(host: &FakeHost, name: &str, channel: Channel, id: &str) -> Option<Result<(), String>> {
    let until = host.instant.get().plus(Duration::from_secs(60));
    feedback(&providers(host), name, channel, id, host.ports(), until)
}

fn header<'a>(sent: &'a Sent, name: &str) -> Option<&'a str> {
    sent.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
}

const ID: &str = "0123456789ABCDEF0123456789ABCDEF";

#[test]
fn each_kind_is_told_as_its_api_has_it() {
    let twilios_key = "Basic U0swMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpzZWNyZXQ=";
    for (name, method, authority, path, body, authorization) in [
        ("infobip", "POST", "a.api.infobip.com", "/ct/1/log/end/ID", "", Some("App k-1")),
        ("telesign", "PUT", "rest-ww.telesign.com", "/v1/verify/completion/ID", "", None),
        (
            "twilio",
            "POST",
            "api.twilio.com",
            "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/ID/Feedback.json",
            "Outcome=confirmed",
            Some(twilios_key),
        ),
    ] {
        let host = host(true);
        assert_eq!(tell(&host, name, Channel::Sms, ID), Some(Ok(())), "{name}");
        let sent = host.sent.borrow();
        let [one] = &sent[..] else { panic!("{name}: {sent:?}") };
        let path = path.replace("ID", ID);
        assert_eq!(
            (one.method, &*one.authority, &*one.path_and_query),
            (method, authority, &*path)
        );
        assert_eq!(one.body, body);
        let said = header(one, "authorization");
        assert!(authorization.is_none_or(|it| said == Some(it)), "{said:?}");
        assert_eq!(header(one, "content-type").is_some(), !body.is_empty(), "{name}");
    }
}

/// Worked out with `openssl dgst -sha256 -mac HMAC`, over what Telesign's specification shows of a completion.
#[test]
fn telesigns_is_signed_without_a_type_and_a_body() {
    let host = host(true);
    tell(&host, "telesign", Channel::Sms, ID);
    let sent = host.sent.borrow();
    assert_eq!(header(&sent[0], "date"), Some("Sat, 31 Jan 2026 12:00:00 GMT"));
    assert_eq!(header(&sent[0], "x-ts-nonce"), Some("07070707-0707-4707-8707-070707070707"));
    let signed = header(&sent[0], "authorization");
    assert_eq!(signed, Some("TSA C-1:txhTFxr+0uWfLbucEXf3AcxIFKrayKxigHVwQ8Ap9mE="));
}

#[test]
fn nobody_is_told_who_does_not_wish_it_or_takes_none_or_of_what_is_no_id() {
    for (wishes, name, channel, id) in [
        (false, "infobip", Channel::Sms, ID),
        (false, "telesign", Channel::Sms, ID),
        (false, "twilio", Channel::Sms, ID),
        (true, "infobip", Channel::Call, ID),
        (true, "telesign", Channel::Call, ID),
        (true, "twilio", Channel::Call, ID),
        (true, "acs", Channel::Sms, ID),
        (true, "gone", Channel::Sms, ID),
        (true, "twilio", Channel::Sms, ""),
        (true, "twilio", Channel::Sms, "../../Messages"),
        (true, "twilio", Channel::Sms, "SM1?Outcome=confirmed"),
        (true, "twilio", Channel::Sms, "+15550100123"),
        (true, "twilio", Channel::Sms, &"1".repeat(LONGEST_ID + 1)),
    ] {
        let host = host(wishes);
        assert_eq!(tell(&host, name, channel, id), None, "{name} {channel:?} {id}");
        assert!(host.sent.borrow().is_empty(), "{name} {channel:?} {id}");
    }
}

#[test]
fn what_is_not_taken_is_told_with_its_fix_and_without_what_the_provider_said() {
    const BODY: &str = "+15550100123 123456 k-1";
    let of = |status| FakeAnswer::of(status, BODY);
    let none = |error| (Duration::ZERO, Err(error));
    for (answer, told) in [
        (of(401), &["(401)", "providers.infobip.api_key"][..]),
        (of(403), &["(403)", "take feedback = true of the provider infobip out"]),
        (of(404), &["(404)", "before feedback = true was set"]),
        (of(429), &["(429)"]),
        (of(400), &["(400)", "base_url of the provider infobip"]),
        (of(302), &["(302)", "base_url"]),
        (of(503), &["(503)", "Infobip's status page"]),
        (none(SendError::NotAllowed), &["set outbound_host1", "https://a.api.infobip.com"]),
        (none(SendError::NotConnected), &["No connection"]),
        (none(SendError::Untrusted), &["certificate"]),
        (none(SendError::Broken), &["broke"]),
    ] {
        let host = host(true).answering([answer]);
        let Some(Err(fix)) = tell(&host, "infobip", Channel::Sms, ID) else { panic!("{told:?}") };
        assert!(told.iter().all(|it| fix.contains(it)), "{told:?}: {fix}");
        let secret = ["555", "123456", "k-1", "\n", ID];
        assert!(secret.iter().all(|it| !fix.contains(it)), "{fix}");
        assert_eq!(host.sent.borrow().len(), 1);
    }
}

#[test]
fn it_takes_two_seconds_at_most_and_no_longer_than_there_are() {
    for (has, takes) in [(60_000, 2000), (500, 500)] {
        let hangs = (Duration::from_secs(9), Err(SendError::Late));
        let host = host(true).answering([hangs]);
        let before = host.instant.get();
        let until = before.plus(Duration::from_millis(has));
        let told = feedback(&providers(&host), "twilio", Channel::Sms, ID, host.ports(), until);
        assert!(told.unwrap().unwrap_err().contains("had not answered"));
        assert_eq!(host.instant.get().since(before), Duration::from_millis(takes));
    }
}
