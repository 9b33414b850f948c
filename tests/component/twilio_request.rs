//! The component's requests to Twilio, held parameter by parameter to its documentation.
//!
//! The tables are of Twilio's OpenAPI specification of its API of 2010-04-01, operations `CreateMessage` and `CreateCall`,
//! with limits from its page "Message resource". They share nothing with the emulator, whose own checks may be wrong.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use okta_telephony_dev::phone::RawRequest;
use okta_telephony_dev::twilio_emulator::{
    DEVELOPMENT_ACCOUNT_SID, DEVELOPMENT_AUTH_TOKEN, DEVELOPMENT_KEY_SECRET, DEVELOPMENT_KEY_SID,
    Settings, TEST_ACCOUNT_SID, TEST_AUTH_TOKEN, TwilioEmulator,
};
use serde_json::Value;

use crate::harness::{Form, Hook, Setup, bare, envelope};

/// An emulator that has the account of [`sent_by`].
pub async fn start() -> TwilioEmulator {
    TwilioEmulator::start(Settings::new("127.0.0.1:0".parse().unwrap())).await.unwrap()
}

/// Sends by Twilio alone, with these keys in its entry besides.
pub fn sent_by(emulator: &TwilioEmulator, entry: &str) -> Setup {
    let secrets = format!(
        "api_key_sid = '{DEVELOPMENT_KEY_SID}', api_key_secret = '{DEVELOPMENT_KEY_SECRET}', \
         auth_token = '{DEVELOPMENT_AUTH_TOKEN}'"
    );
    sent_by_account(emulator, DEVELOPMENT_ACCOUNT_SID, &secrets, entry)
}

fn sent_by_account(emulator: &TwilioEmulator, sid: &str, secrets: &str, entry: &str) -> Setup {
    let origin = emulator.origin();
    Setup::new()
        .settings(&format!(
            "providers = [{{ kind = 'twilio', base_url = '{origin}', account_sid = '{sid}', {entry} }}]"
        ))
        .settings("public_url = 'https://hook.example.com'")
        .secrets(&format!("providers.twilio = {{ {secrets} }}"))
        .variable("acs_connection_string", "")
        .variable("acs_from_shortcode", "")
        .variable("outbound_host1", origin)
}

/// What a parameter holds.
#[derive(Debug)]
enum Type {
    /// With a `+`.
    E164,
    /// A number, a short code, or a name of at most 11 letters, digits and spaces.
    Sender,
    /// These two letters and 32 hexadecimal digits.
    Sid(&'static str),
    /// Of so many characters at most, and one at least.
    Text(usize),
    /// From the first to the last.
    Integer(i64, i64),
    /// Of a host that Twilio calls, without an underscore in its name.
    Url,
    Bool,
    OneOf(&'static [&'static str]),
    /// It is not for passcodes: it would send later, elsewhere, or something else.
    LeftOut,
}

use Type::{Bool, E164, Integer, LeftOut, OneOf, Sender, Sid, Text, Url};

#[rustfmt::skip]
const PARAMETERS: &[(&str, Type)] = &[
    ("To", E164),
    ("StatusCallback", Url),
    ("ApplicationSid", LeftOut),
    ("MaxPrice", LeftOut),
    ("ProvideFeedback", Bool),
    ("Attempt", Integer(0, i64::MAX)),
    ("ValidityPeriod", Integer(1, 36_000)),
    ("ForceDelivery", Bool),
    ("ContentRetention", OneOf(&["retain", "discard"])),
    ("AddressRetention", OneOf(&["retain", "obfuscate"])),
    ("SmartEncoded", Bool),
    ("PersistentAction", LeftOut),
    ("TrafficType", LeftOut),
    ("ShortenUrls", LeftOut),
    ("ScheduleType", LeftOut),
    ("SendAt", LeftOut),
    ("SendAsMms", LeftOut),
    ("ContentVariables", LeftOut),
    ("RiskCheck", OneOf(&["enable", "disable"])),
    ("From", Sender),
    ("MessagingServiceSid", Sid("MG")),
    ("Body", Text(1600)),
    ("MediaUrl", LeftOut),
    ("ContentSid", LeftOut),
];

impl Type {
    fn holds(&self, value: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match self {
            E164 => value.strip_prefix('+').is_some_and(|it| digits(it) && it.len() <= 15),
            Sender => {
                let is_name = value.len() <= 11
                    && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
                    && value.bytes().any(|b| b.is_ascii_alphabetic());
                let is_short_code = digits(value) && matches!(value.len(), 5 | 6);
                E164.holds(value) || is_short_code || is_name
            }
            Sid(kind) => value
                .strip_prefix(kind)
                .is_some_and(|it| it.len() == 32 && it.bytes().all(|b| b.is_ascii_hexdigit())),
            Text(most) => (1..=*most).contains(&value.chars().count()),
            Integer(first, last) => {
                value.parse::<i64>().is_ok_and(|it| (*first..=*last).contains(&it))
            }
            Url => value.strip_prefix("https://").is_some_and(|rest| {
                let host = rest.split('/').next().unwrap_or_default();
                value.len() <= 4000 && host.contains('.') && !host.contains('_') && value.is_ascii()
            }),
            Bool => matches!(value, "true" | "false"),
            OneOf(values) => values.contains(&value),
            LeftOut => false,
        }
    }
}

/// All that a form has and should not, or the other way round.
fn deviations(form: &[(String, String)]) -> Vec<String> {
    let count = |name: &str| form.iter().filter(|(it, _)| it == name).count();
    let wrong = form.iter().filter_map(|(name, value)| {
        match PARAMETERS.iter().find(|(it, _)| it == name) {
            None => Some(format!("{name} is no parameter")),
            Some((_, LeftOut)) => Some(format!("{name} is not for passcodes")),
            Some((_, of_type)) if !of_type.holds(value) => {
                Some(format!("{name} is no {of_type:?}: {value}"))
            }
            Some(_) if count(name) > 1 => Some(format!("{name} is there twice")),
            Some(_) => None,
        }
    });
    let missing = ["To", "Body"].into_iter().filter(|name| count(name) == 0);
    let missing = missing.map(|name| format!("{name} is missing"));
    let senders = count("From") + count("MessagingServiceSid");
    let senders = (senders != 1).then(|| format!("there are {senders} senders"));
    wrong.chain(missing).chain(senders).collect()
}

/// A hook that sends by Twilio, and the request that a payload brings about.
async fn request_of(entry: &str, payload: &Value, form: Form) -> RawRequest {
    let emulator = start().await;
    let hook = Hook::with(sent_by(&emulator, entry)).await;
    hook.post(payload.to_string()).await.accepted(form);
    let [request] = emulator.requests().try_into().unwrap();
    (*request.request).clone()
}

#[tokio::test]
async fn every_request_to_twilio_is_one_of_its_documentation() {
    const SERVICE: &str = "senders = { default = 'MG0123456789abcdef0123456789abcdef' }";
    let mut long = envelope("+15550100123");
    long["data"]["messageProfile"]["msgTemplate"] =
        ["🙂 246810 ", &"é".repeat(400)].concat().into();
    for (entry, payload, form) in [
        ("senders = { default = '+447860099299' }", envelope("+41793026727"), Form::Documented),
        ("senders = { default = '12345' }", envelope("+15550100123"), Form::Documented),
        ("senders = { default = 'Contoso Ltd' }", envelope("+447400123456"), Form::Documented),
        (SERVICE, long, Form::Documented),
        // Without an event's id there is nothing to bring back, and without a date nothing expires.
        (SERVICE, bare("+15550100123"), Form::Classic),
    ] {
        let request = request_of(entry, &payload, form).await;
        let pairs: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
        assert_eq!(deviations(&pairs), [""; 0], "{pairs:?}");

        let path = format!("/2010-04-01/Accounts/{DEVELOPMENT_ACCOUNT_SID}/Messages.json");
        assert!(request.request_line.starts_with(&format!("POST {path} ")), "{request}");
        let header = |name: &str| {
            let mut found = request.headers.iter().filter(|(of, _)| of == name);
            let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(found.next(), None, "{name}");
            value.as_str()
        };
        let credentials = format!("{DEVELOPMENT_KEY_SID}:{DEVELOPMENT_KEY_SECRET}");
        let credentials = BASE64_STANDARD.encode(credentials);
        assert_eq!(header("authorization"), format!("Basic {credentials}"));
        assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
        // A bare + is a space.
        assert!(request.body.starts_with(b"To=%2B"), "{request}");
        let value = |name: &str| pairs.iter().find(|(it, _)| it == name).map(|(_, value)| &**value);
        assert_eq!(value("MessagingServiceSid").is_some(), entry == SERVICE);
        let callback = value("StatusCallback").unwrap();
        let to = "https://hook.example.com/api/delivery-reports/twilio";
        let tag = payload["eventId"].as_str().map(|id| format!("?tag=okta%3A{id}"));
        let overrides = "#rc=3&rp=5xx,ct,rt";
        assert_eq!(callback, format!("{to}{}{overrides}", tag.unwrap_or_default()));
    }
}

#[test]
fn a_request_that_is_none_is_found_out() {
    let right =
        [("To", "+41793026727"), ("From", "Contoso"), ("Body", "1"), ("ValidityPeriod", "5")];
    let form = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(deviations(&form(&right)), [""; 0]);
    for (change, told) in [
        (("to", "+41793026727"), "to is no parameter"),
        (("Body", "2"), "Body is there twice"),
        (("MessagingServiceSid", "MG1"), "MessagingServiceSid is no Sid"),
        (("MessagingServiceSid", "MG1"), "there are 2 senders"),
        (("ValidityPeriod", "0"), "ValidityPeriod is no Integer(1, 36000): 0"),
        (("StatusCallback", "https://my_hook.example.com/"), "StatusCallback is no Url"),
        (("SendAt", "2026-11-24T12:00:00Z"), "SendAt is not for passcodes"),
    ] {
        let told_of = deviations(&form(&[&right[..], &[change]].concat())).join("; ");
        assert!(told_of.contains(told), "{told_of}");
    }
    assert_eq!(deviations(&form(&right[1..])), ["To is missing"]);
    let mut bare = form(&right[1..]);
    bare.push(("To".into(), "41793026727".into()));
    assert_eq!(deviations(&bare), ["To is no E164: 41793026727"]);
}

/// What an owner can try without an API key and without a message: the account of Twilio's test credentials.
#[tokio::test]
async fn test_credentials_say_whether_a_request_would_be_taken() {
    for (sender, reason) in
        [("+15005550006", None), ("+15005550001", Some("provider_unauthorized"))]
    {
        let emulator = start().await;
        let secrets =
            format!("api_key_sid = '{TEST_ACCOUNT_SID}', api_key_secret = '{TEST_AUTH_TOKEN}'");
        let entry = format!("senders = {{ default = '{sender}' }}");
        let setup = sent_by_account(&emulator, TEST_ACCOUNT_SID, &secrets, &entry);
        let hook = Hook::with(setup).await;
        let answer = hook.post(envelope("+15550100123").to_string()).await;
        match reason {
            None => drop(answer.accepted(Form::Documented)),
            Some(reason) => answer.failed(Form::Documented, 200, reason),
        }
        assert!(emulator.messages().is_empty());
    }
}

/// Operation `CreateCall`. `Url` and `ApplicationSid` would have Twilio ask elsewhere what is said.
#[rustfmt::skip]
const PARAMETERS_OF_CALLS: &[(&str, Type)] = &[
    ("To", E164),
    ("From", E164),
    ("Twiml", Text(4000)),
    ("Timeout", Integer(0, 600)),
    ("TimeLimit", Integer(1, 14_400)),
    ("StatusCallback", Url),
    ("Url", LeftOut),
    ("ApplicationSid", LeftOut),
    ("Record", LeftOut),
    ("MachineDetection", LeftOut),
    ("SendDigits", LeftOut),
];

#[tokio::test]
async fn a_request_for_a_call_is_one_of_its_documentation() {
    let emulator = start().await;
    let entry = "senders = { default = 'Contoso' }, voice = true, voice_from = '+15550100100'";
    let hook = Hook::with(sent_by(&emulator, entry)).await;
    let mut payload = envelope("+4930123456");
    payload["data"]["messageProfile"]["deliveryChannel"] = "voice call".into();
    payload["data"]["messageProfile"]["locale"] = "de".into();
    hook.post(payload.to_string()).await.accepted(Form::Documented);
    let [request] = emulator.requests().try_into().unwrap();
    let path = format!("/2010-04-01/Accounts/{DEVELOPMENT_ACCOUNT_SID}/Calls.json");
    assert!(request.request.request_line.starts_with(&format!("POST {path} ")));
    let form: Vec<_> = form_urlencoded::parse(&request.request.body).into_owned().collect();
    for (name, value) in &form {
        let (_, of_type) = PARAMETERS_OF_CALLS.iter().find(|(it, _)| it == name).unwrap();
        assert!(of_type.holds(value), "{name} is no {of_type:?}: {value}");
    }
    let names: Vec<_> = form.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["To", "From", "Twiml", "Timeout", "TimeLimit", "StatusCallback"]);
    let twiml = &form[2].1;
    assert!(twiml.contains("language=\"de-DE\"") && !twiml.contains("loop"), "{twiml}");
}
