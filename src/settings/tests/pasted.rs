//! What comes along when people paste, at every key of the documents and every variable, by the kind of its value.

use toml::{Table, Value};

use super::*;

/// What a value is to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Neither what nobody sees nor quotes around it can be meant.
    Value,
    /// People will read it: quotes may be meant.
    Prose,
    /// It is compared to the letter.
    Secret,
    /// No text.
    Bare,
    /// Spin reads it, too, by itself.
    OfSpin,
    /// A document.
    Document,
}

/// A new key or variable must find its place here.
fn kind(place: Place, path: &str) -> Kind {
    let last = path.rsplit('.').next().unwrap();
    match (place, last) {
        (
            Place::Settings,
            "deadline_ms" | "sending" | "slots" | "max_segments" | "idempotent" | "feedback"
            | "share" | "ask_acs" | "voice" | "sends" | "used",
        ) => Kind::Bare,
        (Place::Settings, "numbers") if path.starts_with("guard.") => Kind::Bare,
        (Place::Settings, "org_name") => Kind::Prose,
        (Place::Settings, "*") if path.ends_with(".templates.*") => Kind::Prose,
        (
            Place::Settings,
            "response_format"
            | "header_name"
            | "issuer"
            | "audience"
            | "client_id"
            | "scope"
            | "jwks_uri"
            | "mode"
            | "refusal_status"
            | "allowed_countries"
            | "blocked_countries"
            | "enrollment_allowed_countries"
            | "blocked_prefixes"
            | "per_number"
            | "per_user"
            | "per_ip"
            | "per_prefix"
            | "total"
            | "enrollment_total"
            | "calls_per_number"
            | "calls_total"
            | "web_otp_domain"
            | "kind"
            | "name"
            | "api_version"
            | "partner"
            | "delivery_report_timeout"
            | "base_url"
            | "customer_id"
            | "voice_from"
            | "public_url"
            | "account_sid"
            | "principal_entity_id"
            | "content_template_id"
            | "telemarketer_id"
            | "countries"
            | "max_age"
            | "numbers"
            | "home_countries"
            | "exempt_prefixes"
            | "lifted"
            | "matures_after"
            | "*",
        ) => Kind::Value,
        (
            Place::Secrets,
            "connection_string"
            | "api_key"
            | "api_key_sid"
            | "api_key_secret"
            | "auth_token"
            | "auth_token_previous"
            | "*",
        ) => Kind::Value,
        (
            Place::Secrets,
            "secret"
            | "secret_previous"
            | "basic_secret"
            | "basic_secret_previous"
            | "header_secret"
            | "header_secret_previous",
        ) => Kind::Secret,
        (Place::Variable, "okta_user" | "acs_connection_string" | "acs_from_shortcode") => {
            Kind::Value
        }
        (Place::Variable, "okta_basic_secret") => Kind::Secret,
        (Place::Variable, "settings" | "secrets") => Kind::Document,
        (Place::Variable, "outbound_host1" | "outbound_host2" | "outbound_host3") => Kind::OfSpin,
        _ => panic!("{path} has no kind"),
    }
}

/// Every key of the settings, with a value that is not its default.
const SETTINGS: &str = r#"
public_url = "https://hook.example.com/okta"
[okta]
response_format = "documented"
deadline_ms = 2000
header_name = "x-okta-key"
oauth = { issuer = "https://a.okta.com/oauth2/x", audience = "api://x", client_id = "0oa", scope = "send", jwks_uri = "https://a.okta.com/keys" }
[policy]
sending = true
mode = "enforce"
refusal_status = "successful"
allowed_countries = ["US", "GB"]
blocked_countries = ["KP"]
enrollment_allowed_countries = ["US"]
blocked_prefixes = ["+881", "+44900"]
[limits]
per_number = "4/10m"
per_user = "10/1h"
per_ip = "20/1h"
per_prefix = "10/1h"
total = "2000/1h"
enrollment_total = "200/1h"
calls_per_number = "2/10m"
calls_total = "100/1h"
[message]
org_name = "Contoso"
web_otp_domain = "login.contoso.com"
max_segments = 2
templates = { de = "${org}: ${code}" }
[voice]
templates = { de = "${org}: ${code}" }
[[providers]]
kind = "acs"
name = "first"
api_version = "2026-01-23"
messaging_connect = { partner = "infobip" }
delivery_report_timeout = "5m"
senders = { default = "+18005551234", GB = "A & B" }
[[providers]]
kind = "infobip"
name = "second"
base_url = "https://abc12.api.infobip.com"
idempotent = true
india_dlt = { principal_entity_id = "12", content_template_id = "34", telemarketer_id = "56" }
countries = ["GB"]
share = 0.25
senders = { default = "Contoso" }
voice = true
feedback = true
voice_from = "+447860099299"
[[providers]]
kind = "telesign"
name = "third"
base_url = "https://rest-ww.telesign.com"
customer_id = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
senders = { default = "Contoso" }
[[providers]]
kind = "twilio"
name = "fourth"
account_sid = "AC0123456789abcdef0123456789abcdef"
countries = ["GB"]
senders = { default = "MG0123456789abcdef0123456789abcdef" }
[reports]
ask_acs = true
oauth = { issuer = "https://b.example/x", audience = "x", client_id = "y", scope = "z", jwks_uri = "https://b.example/keys" }
[records]
slots = 20000
max_age = "7d"
[canary]
numbers = ["+14255550123"]
[guard]
mode = "enforce"
home_countries = ["US"]
exempt_prefixes = ["+1425555"]
lifted = ["b3f9a1c2", "TN"]
matures_after = "20m"
slots = 16384
block = { sends = 20, numbers = 10, used = 0.02 }
country = { sends = 60, numbers = 20, used = 0.05 }
"#;

/// Every key of the secrets.
const SECRETS: &str = r#"
okta = { basic_secret = "0123456789abcde1", basic_secret_previous = "0123456789abcde2", header_secret = "0123456789abcde3", header_secret_previous = "0123456789abcde4" }
operator = { secret = "0123456789abcde5", secret_previous = "0123456789abcde6" }
reports = { secret = "0123456789abcde7", secret_previous = "0123456789abcde8" }
events = { secret = "0123456789abcdea", secret_previous = "0123456789abcdeb" }
store = { secret = "0123456789abcde9" }
providers.second.api_key = "0123456789abcdef"
providers.third.api_key = "VGVzdCBLZXk="
providers.fourth = { api_key_sid = "SK0123456789abcdef0123456789abcdef", api_key_secret = "0123456789abcdei", auth_token = "0123456789abcdej", auth_token_previous = "0123456789abcdek" }
providers.first.messaging_connect = { apiKey = "0123456789abcdeg" }
providers.first.connection_string = "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0"
application_insights.connection_string = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://contoso.communication.azure.com/"
"#;

/// Every variable of spin.toml, in the order of their names.
const VARIABLES: [&str; 9] = [
    "acs_connection_string",
    "acs_from_shortcode",
    "okta_basic_secret",
    "okta_user",
    "outbound_host1",
    "outbound_host2",
    "outbound_host3",
    "secrets",
    "settings",
];

/// Nothing but the two documents, and what Spin must have.
fn with_documents(settings: &str, secrets: &str) -> FakeHost {
    let empty = ["okta_basic_secret", "acs_connection_string", "acs_from_shortcode"];
    let host = empty.into_iter().fold(FakeHost::default(), |host, name| host.with(name, ""));
    let host = host.with("outbound_host1", "https://*.okta.com");
    host.with("outbound_host2", "https://b.example")
        .with("settings", settings)
        .with("secrets", secrets)
}

/// A configuration with these changed texts at a key of KEYS; `None` where there is none.
fn with_changed(key: &Key, change: &dyn Fn(&str) -> String) -> Option<FakeHost> {
    let mut documents = [SETTINGS, SECRETS].map(|it| Value::Table(it.parse::<Table>().unwrap()));
    let path: Vec<_> = key.path.split('.').map(|name| name.trim_end_matches("[]")).collect();
    let document = &mut documents[usize::from(key.place == Place::Secrets)];
    let is_changed = change_at(document, &path, change);
    let [settings, secrets] = documents.map(|it| toml::to_string(&it).unwrap());
    is_changed.then(|| with_documents(&settings, &secrets))
}

/// Changes the texts at a path, in each entry of a list; whether there are any.
fn change_at(value: &mut Value, path: &[&str], change: &dyn Fn(&str) -> String) -> bool {
    match (value, path) {
        (Value::String(text), []) => {
            *text = change(text);
            true
        }
        (Value::Array(entries), _) => {
            entries.iter_mut().filter_map(|it| change_at(it, path, change).then_some(())).count()
                > 0
        }
        (Value::Table(table), [name, rest @ ..]) => {
            let inner = table.iter_mut().filter(|(key, _)| *name == "*" || key == name);
            inner.filter_map(|(_, it)| change_at(it, rest, change).then_some(())).count() > 0
        }
        _ => false,
    }
}

/// What comes along, and can't be meant. `@` is the value.
const MEANT_BY_NOBODY: [&str; 8] = [
    " @ ",
    "@\r\n",
    "\u{a0}@\u{3000}",
    "\u{feff}@",
    "@\u{200b}",
    "\u{2060}@\u{0}",
    "\u{feff}\u{feff} @",
    "@\u{fe0f}",
];

/// Quotes that a shell takes away and others leave, and those of word processors.
const QUOTES: [&str; 5] = ["\"@\"", "'@'", "“@”", "„@“", "\u{feff}\"@\" \r\n"];

fn put(form: &str) -> impl Fn(&str) -> String {
    move |value| form.replace('@', value)
}

/// What is read, and what is found wrong. Secrets are told apart by what a host is asked with.
fn read(host: &FakeHost) -> String {
    let settings = Settings::read(host);
    let resources: Vec<_> =
        settings.providers.iter().flatten().map(|it| it.api.secret().reveal()).collect();
    format!("{settings:?} {resources:?} {:?}", check(host))
}

/// What is found at a key, be it a problem or a warning.
fn told_of(host: &FakeHost, path: &str) -> Vec<String> {
    let check = check(host);
    let found = check.problems.into_iter().chain(check.warnings);
    found.filter(|it| it.key == path.replace('*', "first")).map(|it| it.fix).collect()
}

#[test]
fn the_configuration_of_these_tests_is_in_order_and_has_every_key() {
    let host = with_documents(SETTINGS, SECRETS);
    assert_warnings(&host, &[]);
    for key in KEYS.iter().filter(|key| !key.is_table) {
        let as_it_is = with_changed(key, &|text| text.to_owned());
        assert_eq!(as_it_is.is_some(), kind(key.place, key.path) != Kind::Bare, "{}", key.path);
        if let Some(host) = as_it_is {
            assert_warnings(&host, &[]);
        }
    }
}

#[test]
fn what_comes_along_with_a_value_of_a_document_is_dropped_or_named() {
    let as_meant = |key: &Key| read(&with_changed(key, &|text| text.to_owned()).unwrap());
    for key in KEYS.iter().filter(|key| !key.is_table) {
        let changed = |form| with_changed(key, &put(form)).unwrap();
        match kind(key.place, key.path) {
            Kind::Bare => {}
            Kind::Value => {
                for form in MEANT_BY_NOBODY.into_iter().chain(QUOTES) {
                    assert_eq!(read(&changed(form)), as_meant(key), "{} {form:?}", key.path);
                }
            }
            Kind::Prose => {
                for form in ["\u{feff}@", "@\u{200b}", " @\r\n", "\u{a0}@", "@\u{0}"] {
                    assert_eq!(read(&changed(form)), as_meant(key), "{} {form:?}", key.path);
                }
                for form in QUOTES {
                    let told = told_of(&changed(form), &key.path.replace('*', "de"));
                    let is_told = told.iter().any(|it| it.contains("people will read"));
                    assert!(is_told, "{} {form:?}: {:?}", key.path, check(&changed(form)));
                }
            }
            Kind::Secret => {
                for form in MEANT_BY_NOBODY.into_iter().chain(QUOTES) {
                    let told = told_of(&changed(form), key.path);
                    assert_eq!(told.len(), 1, "{} {form:?}: {told:?}", key.path);
                    let is_named = told[0].contains("begins ") || told[0].contains("ends ");
                    assert!(is_named, "{} {form:?}: {told:?}", key.path);
                }
            }
            other => panic!("{}: {other:?}", key.path),
        }
    }
}

#[test]
fn what_comes_along_with_a_variable_is_dropped_or_named() {
    let manifest: Table = include_str!("../../../spin.toml").parse().unwrap();
    let names: std::collections::BTreeSet<_> =
        manifest["variables"].as_table().unwrap().keys().collect();
    assert!(names.into_iter().eq(VARIABLES.iter()));
    let settings = SETTINGS
        .replace("name = \"first\"", "name = \"acs\"")
        .replace("default = \"+18005551234\", ", "");
    let secrets = "operator.secret = \"0123456789abcde5\"\nreports.secret = \"0123456789abcde7\"";
    for name in VARIABLES {
        let host = || {
            let host = FakeHost::default().with("okta_basic_secret", "0123456789abcdef");
            let host = host.with("outbound_host1", "https://*.okta.com");
            let host = host.with("outbound_host2", "https://b.example");
            host.with("settings", &settings).with("secrets", secrets)
        };
        let value = host().variables[name].clone();
        let with = |value: &str| host().with(name, value);
        match kind(Place::Variable, name) {
            Kind::Value => {
                for form in MEANT_BY_NOBODY.into_iter().chain(QUOTES) {
                    let changed = with(&put(form)(&value));
                    assert_eq!(read(&changed), read(&host()), "{name} {form:?}");
                }
            }
            Kind::Secret => {
                for form in MEANT_BY_NOBODY.into_iter().chain(QUOTES) {
                    let told = told_of(&with(&put(form)(&value)), name);
                    assert!(told[0].contains("begins ") || told[0].contains("ends "), "{told:?}");
                }
                // The one that it may be meant as still opens.
                let settings = Settings::read(&with("'0123456789abcdef'"));
                let basic = settings.callers.unwrap().basic.unwrap();
                assert!(basic.secrets.current.is(b"'0123456789abcdef'"));
            }
            Kind::OfSpin => {
                for form in ["\u{feff}@", "@\u{200b}", "\"@\"", "“@”"] {
                    let told = told_of(&with(&put(form)(&value)), name);
                    assert!(told[0].contains(", and this "), "{name} {form:?}: {told:?}");
                }
            }
            Kind::Document => {
                let of_windows = value.replace('\n', "\r\n");
                for text in [
                    ["\u{feff}", &value].concat(),
                    of_windows.clone(),
                    ["\u{feff}", &of_windows, "\r\n"].concat(),
                    [&value, "\u{200b}"].concat(),
                ] {
                    assert_eq!(read(&with(&text)), read(&host()), "{name} {text:?}");
                }
                let told = told_of(&with(&["'", &value, "'"].concat()), "");
                assert!(told[0].contains("is in quotes as a whole"), "{name}: {told:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn two_quotes_with_nothing_between_them_are_no_secret() {
    for empty in ["''", "\"\"", "“”", "\u{feff}", "\u{200b}''"] {
        let host = FakeHost::default().with("okta_basic_secret", empty);
        assert!(told_of(&host, "okta_basic_secret")[0].starts_with("is not set"), "{empty:?}");
        let document = format!("operator.secret = {}", Value::from(empty));
        assert!(Settings::read(&wise().with_secrets(&document)).operator.unwrap().is_none());
    }
}

#[test]
fn a_rate_that_nobody_sees_is_a_mistake_and_not_no_limit() {
    for rate in [" ", "\u{feff}", "''", "\u{200b}"] {
        let document = format!("limits.per_number = {}", Value::from(rate));
        assert_problems(&wise_with(&document), &["limits.per_number"]);
    }
    assert_problems(&wise_with("limits.per_number = ''"), &[]);
}

#[test]
fn a_number_may_be_pasted_as_people_write_it() {
    for (sender, expected) in [
        ("+1 (800) 555-1234", "+18005551234"),
        ("+1\u{a0}800\u{2011}555\u{2011}1234", "+18005551234"),
        ("\u{202a}+1 800.555.1234\u{202c}", "+18005551234"),
        ("\u{ff0b}1\u{2212}800\u{2014}555\u{2014}1234", "+18005551234"),
        ("A\u{a0}&\u{a0}B", "A & B"),
        ("CON\u{ad}TOSO", "CONTOSO"),
    ] {
        let host = wise().with("acs_from_shortcode", sender);
        let providers = Settings::read(&host).providers.unwrap();
        assert_eq!(providers[0].senders.to(None).unwrap().value, expected, "{sender:?}");
    }
    let document =
        "policy.blocked_prefixes = ['+44\u{a0}900', '+ 881', '+1-900', '\u{ff0b}44\u{2013}70']";
    let policy = Settings::read(&FakeHost::default().with("settings", document)).policy.unwrap();
    assert_eq!(policy.blocked_prefixes, ["+44900", "+881", "+1900", "+4470"]);
}

#[test]
fn what_word_processors_put_into_a_document_is_named_where_it_is() {
    for (document, told) in [
        (
            "[policy]\nmode = “observe”",
            "line 2: is not TOML here: there is a typographic quotation mark (U+201C)",
        ),
        (
            "[policy]\n\u{a0}sending = false",
            "line 2: is not TOML here: there is the white space U+00A0",
        ),
        (
            "[policy]\nsend\u{200b}ing = false",
            "line 2: is not TOML here: there is the character U+200B",
        ),
        (
            "[policy]\n\u{feff}sending = false",
            "line 2: is not TOML here: there is a byte order mark",
        ),
        ("'[policy]\nsending = false'", "is in quotes as a whole"),
    ] {
        for place in ["settings", "secrets"] {
            let problems = check(&wise().with(place, document)).problems;
            let text = problems[0].to_string();
            assert!(text.starts_with(place) && text.contains(told), "{document:?}: {text}");
        }
    }
}
