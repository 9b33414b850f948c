use numbering::Region;

use super::*;
use crate::message::Channel;
use crate::phone_number::PhoneNumber;
use crate::ports::fake::FakeHost;
use crate::providers::repeatability::Repeatability;
use crate::providers::{Content, Message, candidates};

mod pasted;

fn check(host: &FakeHost) -> Check {
    Settings::read_and_check(host).1
}

/// Nothing to be said.
fn wise() -> FakeHost {
    FakeHost::default().with("okta_basic_secret", "0123456789abcdef").with(
        "settings",
        "okta.response_format = \"documented\"\npolicy.allowed_countries = [\"US\"]\n\
         limits.total = \"1000/1h\"\n",
    )
}

/// The same with more settings, each of a table that is not there yet.
fn wise_with(settings: &str) -> FakeHost {
    let host = wise();
    let document = [&host.variables["settings"], settings].concat();
    host.with("settings", &document)
}

fn keys(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.key.as_str()).collect()
}

#[track_caller]
fn assert_problems(host: &FakeHost, expected: &[&str]) {
    let check = check(host);
    assert_eq!(keys(&check.problems), expected, "{:?}", check.problems);
}

#[track_caller]
fn assert_warnings(host: &FakeHost, expected: &[&str]) {
    let check = check(host);
    assert_eq!(check.problems, []);
    assert_eq!(keys(&check.warnings), expected, "{:?}", check.warnings);
}

#[test]
fn a_wise_configuration_is_in_order() {
    assert_warnings(&wise(), &[]);
}

#[test]
fn with_both_documents_empty_the_safe_defaults_hold() {
    let settings = Settings::read(&FakeHost::default().with("settings", ""));
    let policy = settings.policy.unwrap();
    assert!(policy.sending && policy.enforce && policy.refused_as_failed);
    assert_eq!(policy.blocked_prefixes.len(), 9);
    let limits: Vec<_> = policy.limits.iter().map(|(scope, _)| scope.name()).collect();
    let expected = ["per_number", "calls_per_number", "per_prefix", "calls_total"];
    assert_eq!(limits, expected.map(|name| format!("limits.{name}")));
    assert_eq!(settings.hook.unwrap(), Hook::default());
    assert_eq!(settings.records.unwrap().unwrap().slots, 10_000);
    assert_eq!(settings.providers.unwrap()[0].name, "acs");
    assert!(settings.operator.unwrap().is_none() && settings.reporters.unwrap().is_none());
}

/// A sample with what it has as comments.
fn uncommented(sample: &str) -> String {
    let is_toml = |line: &str| {
        let is_key = |(key, _): (&str, &str)| !key.contains(' ');
        line.starts_with('[') || line.split_once(" = ").is_some_and(is_key)
    };
    let lines = sample.lines().map(|line| match line.strip_prefix("# ") {
        Some(comment) if is_toml(comment) => comment,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_samples_are_in_order_with_and_without_their_comments() {
    let settings = include_str!("../../sample/settings.toml");
    let secrets = include_str!("../../sample/secrets.toml");
    let host = FakeHost::default().with("acs_from_shortcode", "");
    let host = host.with("settings", settings).with("secrets", secrets);
    assert_problems(&host, &[]);
    let read = Settings::read(&host);
    assert!(read.operator.unwrap().is_none(), "what is published is no secret");
    let settings = uncommented(settings);
    // Each secret is another one.
    let mut count = 0;
    let secrets = uncommented(secrets)
        .replace("accesskey=...", "accesskey=c2VjcmV0")
        .replace("Key=...", "Key=0f3b0c5e-9d0a-4e0f-8d4e-0a8d0f6c1b2a")
        .split("\"...\"")
        .map(str::to_owned)
        .reduce(|before, after| {
            count += 1;
            format!("{before}\"of-the-tests-012345-{count}\"{after}")
        })
        .unwrap();
    let host = FakeHost::default()
        .with("acs_from_shortcode", "")
        .with("acs_connection_string", "")
        .with("okta_basic_secret", "");
    assert_problems(&host.with("settings", &settings).with("secrets", &secrets), &[]);
}

#[test]
fn every_mistake_is_told_with_its_line_and_never_with_its_value() {
    let document = "\
[okta]
response_fromat = \"hunter2\"
deadline_ms = \"hunter2\"
header_name = \"hunter 2\"
[polcy]
sending = true
[policy]
sending = \"hunter2\"
allowed_countries = [\"US\", \"UK\", 7]
blocked_prefixes = [\"hunter2\"]
[limits]
total = \"hunter2\"
per_usr = \"\"
[message]
web_otp_domain = \"https://hunter2\"
templates = { de = \"hunter2\", hunter2hunter2 = \"${code}\" }
[[providers]]
kind = \"hunter2\"
senders = { US = \"hunter 2!!!!!!!!\", UK = \"12345\" }
[records]
slots = 100001
";
    let check = check(&FakeHost::default().with("settings", document));
    let told: Vec<String> =
        check.problems.iter().chain(&check.warnings).map(Finding::to_string).collect();
    for expected in [
        "settings line 2: okta.response_fromat is no setting: did you mean okta.response_format?",
        "settings line 3: okta.deadline_ms must be a whole number from 500 to 2800",
        "settings line 4: okta.header_name must be a header",
        "settings line 5: polcy is no setting: did you mean policy?",
        "settings line 8: policy.sending must be true or false",
        "settings line 9: policy.allowed_countries[2] is no country",
        "settings line 9: policy.allowed_countries[3] must be",
        "settings line 10: policy.blocked_prefixes[1] must be",
        "settings line 12: limits.total must be COUNT/WINDOW",
        "settings line 13: limits.per_usr is no setting: did you mean limits.per_user?",
        "settings line 15: message.web_otp_domain",
        "settings line 16: message.templates.de",
        "settings line 18: providers[1].kind must be \"acs\"",
        "settings line 19: providers[1].senders.US must be",
        "settings line 19: providers[1].senders.UK is no country",
        "settings line 21: records.slots must be a whole number from 0 to 100000",
    ] {
        assert!(told.iter().any(|it| it.starts_with(expected)), "{expected}\n{told:#?}");
    }
    let told = told.join("\n").replace("message.templates.hunter2hunter2", "");
    assert!(!told.contains("hunter"), "{told}");
}

#[test]
fn a_canarys_number_that_is_none_is_told_without_it_and_stops_no_message() {
    let host = wise_with("canary.numbers = [\"+1 (425) 555-0123\", \"4255550124\"]");
    let check = check(&host);
    assert_eq!(check.problems, []);
    let told: Vec<_> = check.warnings.iter().map(Finding::to_string).collect();
    let [told] = &told[..] else { panic!("{told:?}") };
    assert!(told.starts_with("settings line 4: canary.numbers[2] is no phone number: it does not"));
    assert!(!told.contains("5550124"), "{told}");
    assert!(Settings::read(&host).ready().is_ok());
}

#[test]
fn a_canary_that_is_always_refused_or_that_no_limit_counts_is_warned_of() {
    let canary = "canary.numbers = [\"+14255550123\"]\n";
    assert_warnings(&wise_with(canary), &[]);
    let of_another_country = wise_with("canary.numbers = [\"+14255550123\", \"+447400123456\"]");
    assert_warnings(&of_another_country, &["canary.numbers[2]"]);
    assert_warnings(
        &wise_with(&[canary, "limits.per_number = \"\""].concat()),
        &["limits.per_number"],
    );
}

#[test]
fn a_key_that_stands_elsewhere_is_named_where_it_is() {
    for (place, unknown, meant) in [
        (Place::Settings, "okta.header_secret", Some("okta.header_secret of the secrets")),
        (Place::Settings, "operator.secret", Some("operator.secret of the secrets")),
        (Place::Settings, "okta_header_name", Some("okta.header_name")),
        (Place::Settings, "allowed_countries", Some("policy.allowed_countries")),
        (Place::Secrets, "limits.total", Some("limits.total of the settings")),
        (Place::Settings, "policy.per_number", Some("limits.per_number")),
        (Place::Settings, "fruit", None),
    ] {
        assert_eq!(keys::nearest(place, unknown).as_deref(), meant, "{unknown}");
    }
}

#[test]
fn a_mistake_in_the_secrets_shows_nothing_of_them() {
    for document in [
        "operator.secret = hunter2",
        "operator = \"hunter2\"",
        "operator.secret = 2002\noperator.secret_previous = [\"hunter2\"]",
        "okta.header_secret = \"hunter2 \"\nokta.basic_secrets = \"hunter2\"",
        "okta.hunter2 = \"basic_secret\"",
        "[providers.hunter2]\nconnection_string = \"\"",
        "hunter2",
        "operator.secret = \"hunter2",
        "operator.secret = \"a\"\noperator.secret = \"hunter2\"",
        "providers.acs.connection_string = \"hunter2\"",
        "application_insights.connection_string = \"hunter2\"",
        "{\"operator\": \"hunter2\"}",
    ] {
        let check = check(&wise().with_secrets(document));
        let told: Vec<_> =
            check.problems.iter().chain(&check.warnings).map(Finding::to_string).collect();
        assert!(!told.is_empty(), "{document}");
        let told = told.join("\n");
        assert!(
            told.contains("secrets") && !told.contains("hunter2") && !told.contains("2002"),
            "{told}"
        );
    }
}

#[test]
fn a_document_that_is_odd_works_or_says_what_is_wrong() {
    for (document, fix) in [
        ("\"\"", None),
        ("''\n", None),
        ("\u{feff}[policy]\r\nsending = false\r\n", None),
        ("\n\n", None),
        ("settings.toml", Some("is the name of a file")),
        ("@settings.toml", Some("is the name of a file")),
        ("{\"policy\": {}}", Some("is JSON")),
        ("policy:\n  sending: false", Some("is not TOML here")),
        ("\u{0}", Some("is not TOML here")),
        ("[policy]\nsending = true\nsending = false", Some("is not TOML here")),
    ] {
        let problems = check(&FakeHost::default().with("settings", document)).problems;
        match fix {
            None => assert_eq!(problems, [], "{document:?}"),
            Some(fix) => {
                assert!(problems[0].to_string().contains(fix), "{document:?}: {problems:?}")
            }
        }
    }
}

#[test]
fn a_document_that_many_sections_need_is_told_once() {
    let check = check(&wise().with("secrets", "no TOML"));
    let places: Vec<_> = check.problems.iter().map(|finding| finding.place).collect();
    assert_eq!(places, [Place::Secrets]);
    assert_eq!(check.warnings, []);
}

#[test]
fn a_list_is_no_table_and_a_table_no_value() {
    for document in [
        "okta = [\"documented\", 2500]",
        "policy = \"x\"",
        "providers = { kind = \"acs\" }",
        "providers = [\"acs\"]",
        "okta.deadline_ms = { a = 1 }",
        "message.templates = [\"${code}\"]",
    ] {
        let problems = check(&FakeHost::default().with("settings", document)).problems;
        assert!(problems[0].to_string().contains("must be"), "{document}: {problems:?}");
    }
}

#[test]
fn a_key_that_looks_like_a_path_is_none() {
    for document in [
        "\"policy.sending\" = false",
        "[policy]\n\"sending[1]\" = false",
        "[\"policy[1]\"]\nsending = false",
        "[\"okta.oauth\"]\nissuer = \"https://contoso.okta.com\"",
        "[policy]\n\"\" = false",
    ] {
        let check = check(&wise().with("settings", document));
        let is_told = |finding: &Finding| finding.fix.contains("is no setting");
        assert!(check.problems.iter().any(is_told), "{document}: {:?}", check.problems);
    }
}

#[test]
fn what_a_document_can_do_to_its_reader_is_bounded() {
    let deep = format!("{}1{}", "a = {".repeat(70), "}".repeat(70));
    let many = (0..3000).map(|n| format!("key{n} = 1\n")).collect::<String>();
    let huge =
        "fruit = 1111111111111111111111111111111111111111111\npolicy.sending = false".to_owned();
    for (document, expected) in
        [(deep, "nests deeper"), (many, "key0 is no setting"), (huge, "can't be read")]
    {
        let host = FakeHost::default().with("settings", &document);
        let problems = check(&host).problems;
        assert!(problems.len() < 30 && problems[0].to_string().contains(expected), "{problems:?}");
        assert!(Settings::read(&host).ready().is_err());
    }
}

#[test]
fn fixes_for_hosts_do_not_overwrite_each_other() {
    let settings = "[okta.oauth]\nissuer = \"https://a.okta.com/x\"\nclient_id = \"0oa\"\nscope = \"s\"\n\
                    [reports.oauth]\nissuer = \"https://b.example/x\"\naudience = \"a\"\n";
    let fixes = |host: FakeHost| -> Vec<_> {
        let warnings = check(&host).warnings;
        warnings.into_iter().map(|it| it.fix).filter(|fix| fix.contains("does not cover")).collect()
    };
    let free = fixes(wise_with(settings));
    assert!(free[0].contains("set outbound_host1 to https://a.okta.com"), "{free:?}");
    assert!(free[1].contains("set outbound_host2 to https://b.example"), "{free:?}");
    let taken = |host: FakeHost, name| host.with(name, "https://c.example");
    let host = ["outbound_host1", "outbound_host2", "outbound_host3"]
        .into_iter()
        .fold(wise_with(settings), taken);
    assert!(fixes(host).iter().all(|fix| fix.contains("none of the variables")));
}

#[test]
fn a_second_provider_that_is_not_complete_is_left_out_and_told() {
    let host =
        wise_with("[[providers]]\nkind = \"acs\"\n[[providers]]\nkind = \"acs\"\nname = \"b\"\n");
    assert_warnings(&host, &["providers.b.connection_string"]);
    assert_eq!(Settings::read(&host).providers.unwrap().len(), 1);
    let host =
        wise_with("[[providers]]\nkind = \"acs\"\nsenders = { US = \"12345\", us = \"CONTOSO\" }");
    assert_problems(&host, &["providers[1].senders.us"]);
}

#[test]
fn a_previous_secret_alone_is_warned_about() {
    for key in [
        "operator.secret_previous",
        "reports.secret_previous",
        "events.secret_previous",
        "okta.header_secret_previous",
    ] {
        assert_warnings(&wise().with_secrets(&format!("{key} = \"fedcba9876543210\"")), &[key]);
    }
}

#[test]
fn an_error_stops_only_who_needs_its_section() {
    let host = wise_with("message.org_nmae = \"x\"")
        .with_secrets("[reports]\nsecret = \"0123456789abcdeF\"");
    let settings = Settings::read(&host);
    assert!(settings.wording.is_err() && settings.ready().is_err());
    assert!(settings.reporters.is_ok() && settings.records.is_ok() && settings.callers.is_ok());
    let settings = Settings::read(&wise_with("records.slots = \"many\""));
    assert!(settings.records.is_err() && settings.ready().is_ok());
    let settings = Settings::read(&wise_with("polcy.sending = false"));
    assert!(settings.ready().is_err(), "it might have been meant for any section");
}

#[test]
fn a_template_that_has_more_segments_than_a_message_may_have_is_a_mistake() {
    let with = |most: &str, org_name: &str| {
        wise_with(&format!(
            "[message]\n{most}\norg_name = \"{org_name}\"\ntemplates.pt-BR = \"${{org}}: o código é ${{code}}, sente-se\""
        ))
    };
    let long = "Ж".repeat(180);
    assert_problems(&with("", "Contoso"), &[]);
    assert_problems(&with("max_segments = 4", &long), &[]);
    assert_problems(&with("", &long), &["message.templates.pt-BR"]);
    let told = check(&with("max_segments = 2", &long)).problems.pop().unwrap();
    let fix = "has 4 segments with a passcode of six digits, and message.max_segments is 2: shorten it, or raise that";
    assert_eq!(told.fix, fix);
    for most in ["0", "11", "-1", "\"2\""] {
        let most = format!("max_segments = {most}");
        assert_problems(&with(&most, "Contoso"), &["message.max_segments"]);
    }
}

#[test]
fn what_is_not_wise_is_warned_about() {
    let other = "endpoint=https://other.communication.azure.com/;accesskey=pw==";
    let same = "endpoint=https://contoso.communication.azure.com/;accesskey=pw==";
    let second = "[[providers]]\nkind = \"acs\"\n[[providers]]\nkind = \"acs\"\nname = \"b\"\n";
    let secret_of_b = |text: &str| format!("providers.b.connection_string = \"{text}\"");
    let plain = |document: &str| wise().with("settings", document);
    for (host, expected) in [
        (wise().with("okta_basic_secret", "0123456789abcde"), "okta_basic_secret"),
        (wise().with_secrets("operator.secret = \"short\""), "operator.secret"),
        (wise().with_secrets("store.secret = \"short\""), "store.secret"),
        (
            plain("policy.allowed_countries = [\"US\"]\nlimits.total = \"9/1h\""),
            "okta.response_format",
        ),
        (
            plain("okta.response_format = \"documented\"\nlimits.total = \"9/1h\""),
            "policy.allowed_countries",
        ),
        (
            plain("okta.response_format = \"documented\"\npolicy.allowed_countries = [\"US\"]"),
            "limits.total",
        ),
        (wise().with("acs_from_shortcode", "CONTOSO"), "providers[1].senders"),
        (wise_with(second).with_secrets(&secret_of_b(other)), "providers[2].senders"),
        (wise_with(second).with_secrets(&secret_of_b(same)), "providers.b.connection_string"),
        (
            wise_with(&[second, "senders.default = \"CONTOSO\""].concat())
                .with_secrets(&secret_of_b(other)),
            "providers[2].senders",
        ),
        (
            wise_with(&[second, "senders.GB = \"CONTOSO\""].concat())
                .with_secrets(&secret_of_b(other)),
            "providers[2].senders",
        ),
    ] {
        assert_warnings(&host, &[expected]);
    }
}

#[test]
fn an_issuer_needs_its_client_and_its_host() {
    let issuer = "[okta.oauth]\nissuer = \"https://contoso.okta.com/oauth2/default\"\n";
    assert_problems(&wise_with(issuer), &["okta.oauth.client_id"]);
    let oauth = [issuer, "client_id = \"0oa\"\n"].concat();
    assert_warnings(&wise_with(&oauth), &["okta.oauth.scope", "okta.oauth.issuer"]);
    let oauth = [&oauth, "scope = \"telephony\"\n"].concat();
    let host = |more: &str| {
        wise_with(&[&oauth, more].concat()).with("outbound_host2", "https://contoso.okta.com")
    };
    assert_warnings(&host(""), &[]);
    assert_warnings(&host("jwks_uri = \"https://keys.example/keys\""), &["okta.oauth.jwks_uri"]);
    assert_problems(&host("jwks_uri = \"http://keys.example/keys\""), &["okta.oauth.jwks_uri"]);
    assert_problems(&wise_with("[okta.oauth]\nclient_id = \"0oa\""), &["okta.oauth.issuer"]);
}

#[test]
fn credentials_that_cannot_match_are_a_problem() {
    for (host, key) in [
        (wise().with("okta_basic_secret", "0123456789abcdef\n"), "okta_basic_secret"),
        (wise().with("okta_user", "a:b"), "okta_user"),
        (wise().with_secrets("okta.header_secret = \"0123456789abcdef\\n\""), "okta.header_secret"),
    ] {
        assert_problems(&host, &[key]);
    }
    for (name, fits) in [
        ("X-Forwarded-For", false),
        ("Content-Type", false),
        ("host", false),
        ("Proxy-Authorization", false),
        ("spin-path-info", false),
        ("x key", false),
        ("x-k\u{e9}y", false),
        ("", true),
        ("Authorization", true),
        ("X-Okta-Key", true),
        ("auth_secret", true),
    ] {
        let document = ["okta.header_name = \"", name, "\""].concat();
        let host = wise_with(&document).with_secrets("okta.header_secret = \"0123456789abcdef\"");
        assert_problems(&host, if fits { &[] } else { &["okta.header_name"] });
    }
}

#[test]
fn a_previous_secret_that_is_wrong_stops_nobody_and_is_warned_about() {
    for document in [
        "okta.basic_secret_previous = \" 0123456789abcdef\"",
        "okta.basic_secret_previous = 7",
        "operator.secret = \"0123456789abcdeF\"\noperator.secret_previous = \"0123456789abcdef\"",
    ] {
        let check = check(&wise().with_secrets(document));
        assert_eq!(check.problems, [], "{document}");
        assert_eq!(check.warnings.len(), 1, "{:?}", check.warnings);
        assert!(check.warnings[0].key.ends_with("_previous"));
    }
}

#[test]
fn no_two_doors_have_one_secret() {
    for (document, key) in [
        ("operator.secret = \"0123456789abcdef\"", "operator.secret"),
        ("reports.secret = \"0123456789abcdef\"", "reports.secret"),
        (
            "okta.basic_secret_previous = \"fedcba9876543210\"\nreports.secret = \"fedcba9876543210\"",
            "reports.secret",
        ),
        (
            "operator.secret = \"fedcba9876543210\"\nreports.secret = \"fedcba9876543210\"",
            "reports.secret",
        ),
        ("events.secret = \"0123456789abcdef\"", "events.secret"),
        (
            "operator.secret = \"fedcba9876543210\"\nevents.secret = \"fedcba9876543210\"",
            "events.secret",
        ),
        (
            "reports.secret = \"fedcba9876543210\"\nevents.secret = \"fedcba9876543210\"",
            "events.secret",
        ),
    ] {
        let host = wise().with_secrets(document);
        assert_warnings(&host, &[key]);
        let settings = Settings::read(&host);
        let sections = [&settings.reporters, &settings.operator, &settings.events];
        assert!(sections.iter().any(|section| section.is_err()));
    }
}

#[test]
fn variables_fill_in_the_provider_of_their_name_and_nothing_is_said_twice() {
    let acs = "[[providers]]\nkind = \"acs\"\n";
    let host = wise_with(&[acs, "senders.GB = \"CONTOSO\""].concat());
    let providers = Settings::read(&host).providers.unwrap();
    assert_eq!(providers[0].senders.to(Region::parse("GB")).unwrap().value, "CONTOSO");
    assert_eq!(providers[0].senders.to(Region::parse("US")).unwrap().value, "12345");
    let connection =
        "connection_string = \"endpoint=https://a.communication.azure.com/;accesskey=pw==\"";
    for (settings, secrets, key) in [
        (
            [acs, "senders.default = \"12345\""].concat(),
            String::new(),
            "providers[1].senders.default",
        ),
        (
            String::new(),
            format!("[providers.acs]\n{connection}"),
            "providers.acs.connection_string",
        ),
        ([acs, acs].concat(), String::new(), "providers[2].name"),
        (String::new(), "okta.basic_secret = \"0123456789abcdef\"".to_owned(), "okta.basic_secret"),
    ] {
        assert_problems(&wise_with(&settings).with_secrets(&secrets), &[key]);
    }
    let named =
        wise_with("[[providers]]\nkind = \"acs\"\nname = \"b\"\nsenders.default = \"12345\"")
            .with_secrets(&format!("[providers.b]\n{connection}"));
    assert_problems(&named, &["acs_connection_string", "acs_from_shortcode"]);
    let named = named.with("acs_connection_string", "").with("acs_from_shortcode", "");
    assert_problems(&named, &[]);
}

#[test]
fn what_only_the_newest_version_of_acs_has_is_a_problem_of_any_other() {
    const CONNECT: &str = "messaging_connect.partner = \"infobip\"";
    const TIMEOUT: &str = "delivery_report_timeout = \"5m\"";
    const SECRET: &str = "providers.acs.messaging_connect.apiKey = \"k\"";
    const OF_SECRETS: &str = "providers.acs.messaging_connect";
    const NEWEST: &str = "api_version = \"2026-01-23\"";
    let with = |lines: &[&str], secrets: &str| {
        let lines = [&["[[providers]]", "kind = \"acs\""], lines].concat().join("\n");
        wise_with(&lines).with_secrets(secrets)
    };
    for (lines, secrets, problems) in [
        (&[NEWEST, CONNECT, TIMEOUT][..], SECRET, &[][..]),
        (&[NEWEST], "", &[]),
        (&[CONNECT], SECRET, &["providers[1].messaging_connect"]),
        (&["api_version = \"2025-09-17\"", TIMEOUT], "", &["providers[1].delivery_report_timeout"]),
        (&[NEWEST, CONNECT], "", &[OF_SECRETS]),
        (&[NEWEST, CONNECT], "providers.acs.messaging_connect.apiKey = \"\"", &[OF_SECRETS]),
        (
            &[NEWEST, CONNECT],
            "providers.acs.messaging_connect.apiKey = 7",
            &["providers.acs.messaging_connect.apiKey", OF_SECRETS],
        ),
        (&[NEWEST], SECRET, &[OF_SECRETS]),
        (&[NEWEST, "messaging_connect = {}"], SECRET, &["providers[1].messaging_connect.partner"]),
        (&[NEWEST, "delivery_report_timeout = \"60s\""], "", &[]),
        (&[NEWEST, "delivery_report_timeout = \"12h\""], "", &[]),
        (
            &[NEWEST, "delivery_report_timeout = \"59s\""],
            "",
            &["providers[1].delivery_report_timeout"],
        ),
        (
            &[NEWEST, "delivery_report_timeout = \"43201s\""],
            "",
            &["providers[1].delivery_report_timeout"],
        ),
    ] {
        assert_problems(&with(lines, secrets), problems);
    }
    let told = check(&with(&[TIMEOUT], "")).problems.remove(0).to_string();
    assert!(told.contains("api_version = \"2026-01-23\""), "{told}");
    // Of a kind that has neither.
    let infobip = "[[providers]]\nkind = \"acs\"\n[[providers]]\nkind = \"infobip\"\nname = \"acs-2\"\n\
                   base_url = \"https://a.api.infobip.com\"\nsenders.default = \"CONTOSO\"\n";
    let host = wise_with(&[infobip, TIMEOUT].concat())
        .with_secrets("providers.acs-2 = { api_key = \"k\", messaging_connect.apiKey = \"k\" }");
    assert_problems(
        &host,
        &["providers[2].delivery_report_timeout", "providers.acs-2.messaging_connect"],
    );
}

#[test]
fn a_provider_makes_calls_where_it_can_and_has_a_number_for_them() {
    const INFOBIP: &str = "[[providers]]\nkind = \"infobip\"\nbase_url = \"https://abc12.api.infobip.com\"\n\
                           senders.default = \"CONTOSO\"\n";
    const ACS: &str = "[[providers]]\nkind = \"acs\"\n";
    let host = |settings: &str| {
        let without = ["acs_connection_string", "acs_from_shortcode"];
        let host = match settings.starts_with(ACS) {
            true => wise_with(settings),
            false => without.into_iter().fold(wise_with(settings), |host, it| host.with(it, "")),
        };
        host.with_secrets("providers.infobip.api_key = \"0123456789abcdef\"")
    };
    for (provider, voice, from) in [
        (INFOBIP, "", None),
        (INFOBIP, "voice = false", None),
        (INFOBIP, "voice = true\nvoice_from = \" +44 7860 099-299\"", Some("+447860099299")),
    ] {
        let providers = Settings::read(&host(&[provider, voice].concat())).providers.unwrap();
        let calls_from = providers[0].calls_from.as_ref().map(|sender| &*sender.value);
        assert_eq!(calls_from, from, "{voice}");
    }
    for (provider, voice, problem) in [
        (ACS, "voice = true", "providers[1].voice"),
        (INFOBIP, "voice = true", "providers[1].voice_from"),
        (INFOBIP, "voice = true\nvoice_from = \"CONTOSO\"", "providers[1].voice_from"),
        (INFOBIP, "voice = true\nvoice_from = \"12345\"", "providers[1].voice_from"),
        (INFOBIP, "voice = \"yes\"", "providers[1].voice"),
    ] {
        let check = check(&host(&[provider, voice].concat()));
        assert_eq!(keys(&check.problems), [problem], "{voice}");
    }
    let unused = check(&host(&[INFOBIP, "voice_from = \"+447860099299\""].concat()));
    assert!(keys(&unused.warnings).contains(&"providers[1].voice_from"), "{:?}", unused.warnings);
}

#[test]
fn a_value_that_is_still_to_be_filled_in_is_none() {
    let telesign = |id: &str| {
        format!(
            "[[providers]]\nkind = \"telesign\"\nbase_url = \"https://rest-ww.telesign.com\"\n\
             customer_id = \"{id}\"\nsenders.default = \"CONTOSO\""
        )
    };
    let host = |settings: &str, secret: &str| {
        wise_with(settings)
            .with("acs_connection_string", "")
            .with("acs_from_shortcode", "")
            .with_secrets(&format!("providers.telesign.api_key = \"{secret}\""))
    };
    const KEY: &str = "VGVzdCBLZXk=";
    for (settings, secret, problem) in [
        (telesign("FILL-IN"), KEY, "providers[1].customer_id"),
        (telesign("C"), "FILL-IN", "providers.telesign.api_key"),
        (telesign("C") + "\nname = \"a-FILL-IN\"", KEY, "providers[1].name"),
        (telesign("C") + "\ncountries = [\"FILL-IN\"]", KEY, "providers[1].countries"),
        (telesign("C") + "\n[message]\norg_name = \"FILL-IN\"", KEY, "message.org_name"),
    ] {
        let check = check(&host(&settings, secret));
        let problems = keys(&check.problems);
        assert!(problems.contains(&problem), "{problem}: {problems:?}");
    }
    assert_problems(&host(&telesign("C"), KEY), &[]);
}

#[test]
fn feedback_is_a_wish_and_acs_takes_none() {
    for (feedback, takes) in [("", false), ("feedback = false", false), ("feedback = true", true)] {
        let host = wise_with(&infobip("infobip", feedback))
            .with("acs_connection_string", "")
            .with("acs_from_shortcode", "")
            .with_secrets("providers.infobip.api_key = \"k\"");
        let providers = Settings::read(&host).providers.unwrap();
        assert_eq!(providers[0].api.takes_feedback(Channel::Sms), takes, "{feedback}");
        assert!(!providers[0].api.takes_feedback(Channel::Call));
    }
    for (secret, warned) in [("", true), ("events.secret = \"0123456789abcdef\"", false)] {
        let host = wise_with(&infobip("infobip", "feedback = true"))
            .with("acs_connection_string", "")
            .with("acs_from_shortcode", "")
            .with_secrets(&format!("{secret}\nproviders.infobip.api_key = \"k\""));
        let warnings = check(&host).warnings;
        assert_eq!(keys(&warnings).contains(&"providers[1].feedback"), warned, "{warnings:?}");
    }
    let acs = "[[providers]]\nkind = \"acs\"\nfeedback = true";
    assert_problems(&wise_with(acs), &["providers[1].feedback"]);
    assert!(check(&wise_with(acs)).problems[0].fix.contains("infobip or telesign or twilio"));
}

#[test]
fn a_text_for_calls_is_in_a_language_that_is_spoken_and_not_too_long() {
    let long = format!("voice.templates.en = \"${{code}}{}\"", "x".repeat(301));
    for (settings, key) in [
        ("voice.templates.en = \"Your code: ${code}\"", None),
        ("voice.templates.default = \"${code}\"", Some("voice.templates.default")),
        ("voice.templates.en = \"Hello\"", Some("voice.templates.en")),
        ("voice.templates.en = \"${org}: ${code}\"", Some("message.org_name")),
        (&long, Some("voice.templates.en")),
    ] {
        let expected: Vec<_> = key.into_iter().collect();
        assert_problems(&wise_with(settings), &expected);
    }
}

#[test]
fn what_the_partner_wants_to_know_is_sent_as_it_was_meant() {
    let settings = "[[providers]]\nkind = \"acs\"\napi_version = \"2026-01-23\"\n\
                    messaging_connect.partner = \" infobip\"\ndelivery_report_timeout = \"5m\"";
    let secrets = "providers.acs.messaging_connect = { apiKey = \"'k-1'\\n\", plan = \"p\" }";
    let host = wise_with(settings).with_secrets(secrets);
    let providers = Settings::read(&host).providers.unwrap();
    let to = PhoneNumber::parse("+14255550123").unwrap();
    let repeatability = Repeatability::of(Some("event"), &to, None, host.now, &host);
    let message = Message {
        to: &to,
        content: Content::Text("1"),
        repeatability,
        tag: None,
        expires: None,
        is_enrollment: false,
    };
    let candidates = candidates(&providers, Channel::Sms, None, to.as_str()).unwrap();
    let until = host.instant.get().plus(Duration::from_secs(2));
    crate::providers::send(&candidates, &message, host.ports(), until).result.unwrap();
    let body = &host.sent.borrow()[0].body;
    let options = r#""deliveryReportTimeoutInSeconds":300,"messagingConnect":{"partner":"infobip","partnerParams":{"apiKey":"k-1","plan":"p"}}"#;
    assert!(body.contains(options), "{body}");
}

#[test]
fn two_kinds_of_sender_of_one_account_are_two_entries_whose_countries_differ() {
    let connection =
        "connection_string = \"endpoint=https://a.communication.azure.com/;accesskey=pw==\"";
    let secrets = format!("[providers.own]\n{connection}\n[providers.partner]\n{connection}");
    for (countries, warned) in
        [("[\"GB\"]", &[][..]), ("[\"GB\", \"US\"]", &["providers.partner.connection_string"])]
    {
        let entry = |name: &str, countries: &str| {
            format!(
                "[[providers]]\nkind = \"acs\"\nname = \"{name}\"\ncountries = {countries}\n\
                 senders.default = \"+18005551234\"\n"
            )
        };
        let settings = [
            "okta.response_format = \"documented\"\nlimits.total = \"1000/1h\"\n\
             policy.allowed_countries = [\"US\", \"CA\"]\n",
            &entry("own", "[\"US\", \"CA\"]"),
            &entry("partner", countries),
        ];
        let host = wise().with("acs_connection_string", "").with("acs_from_shortcode", "");
        let host = host.with("settings", &settings.concat()).with_secrets(&secrets);
        assert_warnings(&host, warned);
    }
}

#[test]
fn an_account_at_telesign_is_read_or_what_is_wrong_with_it_is_told() {
    const HOST: &str = "base_url = \"https://rest-ww.telesign.com\"\n";
    const ID: &str = "customer_id = \"FFFFFFFF-EEEE-DDDD-1234-AB1234567890\"\n";
    const KEY: &str = "providers.telesign.api_key = \"VGVzdCBLZXk=\"";
    let with = |lines: &[&str], secrets: &str| {
        let entry = "[[providers]]\nkind = \"telesign\"\nsenders.default = \"CONTOSO\"\n";
        wise_with(&[entry, &lines.concat()].concat())
            .with("acs_connection_string", "")
            .with("acs_from_shortcode", "")
            .with_secrets(secrets)
    };
    for (lines, secrets, problems) in [
        (&[HOST, ID][..], KEY, &[][..]),
        (&["base_url = \"https://rest-api.telesign.com\"\n", ID], KEY, &[]),
        (&["base_url = \"http://127.0.0.1:3001\"\n", ID], KEY, &["providers[1].base_url"]),
        (&["base_url = \"https://telesign.example\"\n", ID], KEY, &["providers[1].base_url"]),
        (&[ID], KEY, &["providers[1].base_url"]),
        (&[HOST], KEY, &["providers[1].customer_id"]),
        (&[HOST, "customer_id = \"a:b\""], KEY, &["providers[1].customer_id"]),
        (&[HOST, ID], "", &["providers.telesign.api_key"]),
        (&[HOST, ID], "providers.telesign.api_key = \"----\"", &["providers.telesign.api_key"]),
        (
            &[HOST, ID],
            "providers.telesign = { api_key = \"VGVzdCBLZXk=\", connection_string = \"x\" }",
            &["providers.telesign.connection_string"],
        ),
        (&[HOST, ID, "idempotent = true"], KEY, &["providers[1].idempotent"]),
        // Its calls come from a number of Telesign's where none is named.
        (&[HOST, ID, "voice = true"], KEY, &[]),
        (&[HOST, ID, "india_dlt = { principal_entity_id = \"12\" }"], KEY, &[]),
        (
            &[HOST, ID, "india_dlt = { principal_entity_id = \"12\", telemarketer_id = \"3\" }"],
            KEY,
            &["providers[1].india_dlt.telemarketer_id"],
        ),
    ] {
        assert_problems(&with(lines, secrets), problems);
    }
    // Of other kinds neither is.
    let infobip = "[[providers]]\nkind = \"infobip\"\nbase_url = \"https://a.api.infobip.com\"\n\
                   senders.default = \"CONTOSO\"\n";
    let host = wise_with(&[infobip, ID].concat())
        .with("acs_connection_string", "")
        .with("acs_from_shortcode", "")
        .with_secrets("providers.infobip.api_key = \"k\"");
    assert_problems(&host, &["providers[1].customer_id"]);
}

#[test]
fn acs_can_be_asked_for_reports_only_where_it_is_a_provider() {
    let infobip = "[[providers]]\nkind = \"infobip\"\nbase_url = \"https://a.api.infobip.com\"\n\
                   senders.default = \"CONTOSO\"\n";
    let acs = "[[providers]]\nkind = \"acs\"\nsenders.default = \"+18005551234\"\n";
    for (providers, warned) in
        [(infobip.to_owned(), &["reports.ask_acs"][..]), ([infobip, acs].concat(), &[])]
    {
        let host = wise_with(&[&*providers, "[reports]\nask_acs = true"].concat())
            .with("acs_from_shortcode", "")
            .with_secrets("providers.infobip.api_key = \"k\"");
        let only = !providers.contains("\"acs\"");
        let host = if only { host.with("acs_connection_string", "") } else { host };
        assert_warnings(&host, warned);
    }
    let wrong = wise_with("reports.ask_acs = 1");
    assert_warnings(&wrong, &["reports.ask_acs"]);
}

/// An entry of Twilio with this beside what it needs.
fn twilio(more: &str) -> String {
    format!(
        "[[providers]]\nkind = \"twilio\"\naccount_sid = \"AC0123456789abcdef0123456789abcdef\"\n\
         senders.default = \"+18005551234\"\n{more}\n"
    )
}

/// Its secrets, with these besides.
fn twilios_secrets(more: &str) -> String {
    format!(
        "[providers.twilio]\napi_key_sid = \"SK0123456789abcdef0123456789abcdef\"\napi_key_secret = \"k\"\n{more}\n"
    )
}

/// A host with Twilio as its only provider.
fn with_twilio(url: &str, more: &str, secrets: &str) -> FakeHost {
    wise_with(&[url, "\n", &twilio(more)].concat())
        .with("acs_connection_string", "")
        .with("acs_from_shortcode", "")
        .with_secrets(&twilios_secrets(secrets))
}

const URL: &str = "public_url = \"https://hook.example.com/okta\"";
const TOKEN: &str = "auth_token = \"t\"";

#[test]
fn twilio_is_told_where_to_report_only_what_can_be_proven() {
    let local = "public_url = \"http://127.0.0.1:3000\"";
    for (url, more, secrets, callback, warned) in [
        (URL, "", TOKEN, Some("https://hook.example.com/okta"), &[][..]),
        (URL, "", "", None, &["providers.twilio.auth_token"]),
        ("", "", TOKEN, None, &["public_url"]),
        ("", "", "", None, &["public_url", "providers.twilio.auth_token"]),
        // Twilio refuses a message whose callback it can't reach.
        (local, "", TOKEN, None, &["public_url"]),
        (
            URL,
            "",
            "auth_token = \"t\"\nauth_token_previous = \"p\"",
            Some("https://hook.example.com/okta"),
            &[],
        ),
        (
            URL,
            "",
            "auth_token_previous = \"p\"",
            None,
            &["providers.twilio.auth_token_previous", "providers.twilio.auth_token"],
        ),
        ("public_url = \"hook.example.com\"", "", TOKEN, None, &["public_url"]),
    ] {
        let host = with_twilio(url, more, secrets);
        assert_problems(&host, &[]);
        assert_warnings(&host, warned);
        let settings = Settings::read(&host);
        let twilio = format!("{:?}", settings.providers.unwrap()[0].api);
        let callback = callback.map(|url| format!("Some(\"{url}/api/delivery-reports/twilio\")"));
        let told = format!("status_callback: {}", callback.as_deref().unwrap_or("None"));
        assert!(twilio.contains(&told), "{url} {secrets}: {twilio}");
        assert!(!twilio.contains("\"t\"") && !twilio.contains("\"p\""), "{twilio}");
    }
}

#[test]
fn twilios_emulator_is_told_to_report_to_this_machine() {
    let local = "public_url = \"http://localhost\"";
    let emulator = "base_url = \"https://127.0.0.1:3001\"";
    let host = with_twilio(local, emulator, TOKEN).with("outbound_host1", "https://127.0.0.1:*");
    assert_problems(&host, &[]);
    assert_warnings(&host, &[]);
    let twilio = format!("{:?}", Settings::read(&host).providers.unwrap()[0].api);
    let told = "status_callback: Some(\"http://localhost/api/delivery-reports/twilio\")";
    assert!(twilio.contains(told), "{twilio}");
}

#[test]
fn what_twilio_needs_and_is_not_in_order_is_a_problem() {
    const SID: &str = "account_sid = \"AC0123456789abcdef0123456789abcdef\"";
    let region = "base_url = \"https://api.dublin.ie1.twilio.com\"";
    let allowed = |host: FakeHost| host.with("outbound_host1", "https://api.dublin.ie1.twilio.com");
    assert_problems(&allowed(with_twilio(URL, region, TOKEN)), &[]);
    assert_problems(&with_twilio(URL, region, TOKEN), &["providers[1].base_url"]);
    for (more, key) in [
        ("base_url = \"https://api.example.com\"", "providers[1].base_url"),
        ("base_url = \"https://twilio.com\"", "providers[1].base_url"),
        ("base_url = \"http://api.twilio.com\"", "providers[1].base_url"),
        ("base_url = \"https://api.twilio.com/x\"", "providers[1].base_url"),
        ("idempotent = true", "providers[1].idempotent"),
        ("senders.GB = \"MG0123456789abcdef\"", "providers[1].senders.GB"),
    ] {
        assert_problems(&with_twilio(URL, more, TOKEN), &[key]);
    }
    for (from, to, key) in [
        (SID, "", "providers[1].account_sid"),
        (SID, "account_sid = \"SK0123456789abcdef0123456789abcdef\"", "providers[1].account_sid"),
    ] {
        let host = with_twilio(URL, "", TOKEN);
        let settings = host.variables["settings"].replace(from, to);
        assert_problems(&host.with("settings", &settings), &[key]);
    }
    let secrets = |secrets: &str| with_twilio(URL, "", "").with_secrets(secrets);
    assert_problems(
        &secrets("[providers.twilio]\nauth_token = \"t\""),
        &["providers.twilio.api_key_sid", "providers.twilio.api_key_secret"],
    );
    assert_problems(
        &secrets(
            "[providers.twilio]\napi_key_sid = \"SK1\"\napi_key_secret = \"k\"\nauth_token = \"t\"\napi_key = \"a\"",
        ),
        &["providers.twilio.api_key", "providers.twilio.api_key_sid"],
    );
    // Twilio's test credentials have no key.
    let test = "[providers.twilio]\napi_key_sid = \"AC0123456789abcdef0123456789abcdef\"\napi_key_secret = \"k\"\nauth_token = \"t\"";
    assert_problems(&secrets(test), &[]);
    assert_warnings(&secrets(test), &["providers.twilio.api_key_sid"]);
    let service =
        "[[providers]]\nkind = \"acs\"\nsenders.GB = \"MG0123456789abcdef0123456789abcdef\"";
    assert_problems(&wise_with(service), &["providers[1].senders.GB"]);
}

const ACS: &str = "[[providers]]\nkind = \"acs\"\n";

/// An entry of Infobip with this beside what it needs.
fn infobip(name: &str, more: &str) -> String {
    format!(
        "[[providers]]\nkind = \"infobip\"\nname = \"{name}\"\nbase_url = \"https://a.api.infobip.com\"\n\
         senders.default = \"CONTOSO\"\n{more}\n"
    )
}

#[test]
fn a_share_that_does_not_do_what_it_says_is_warned_about() {
    const SHARE: &str = "share = 0.1";
    const US: &str = "countries = [\"US\"]\nshare = 0.1";
    const GB: &str = "countries = [\"GB\"]\nshare = 0.1";
    let acs = ACS.to_owned();
    for (document, expected) in [
        ([acs.clone(), infobip("a", SHARE)].concat(), None),
        ([acs.clone(), infobip("a", US)].concat(), None),
        ([acs.clone(), SHARE.to_owned()].concat(), Some(("providers[1].share", "first for US"))),
        ([infobip("a", SHARE), acs.clone()].concat(), Some(("providers[1].share", "first for US"))),
        ([infobip("a", US), acs.clone()].concat(), Some(("providers[1].share", "first for US"))),
        ([infobip("a", GB), acs.clone()].concat(), None),
        (
            [acs.clone(), infobip("a", ""), infobip("b", SHARE)].concat(),
            Some(("providers[3].share", "the other key of a")),
        ),
        ([acs, infobip("a", "countries = [\"GB\"]"), infobip("b", US)].concat(), None),
    ] {
        let host = wise_with(&document)
            .with_secrets("providers.a.api_key = \"k\"\nproviders.b.api_key = \"other\"");
        let told = check(&host).warnings;
        let told = told.iter().find(|it| it.key.ends_with(".share"));
        assert_eq!(told.map(|it| &*it.key), expected.map(|it| it.0), "{document} {told:?}");
        if let (Some(told), Some((_, fix))) = (told, expected) {
            assert!(told.fix.contains(fix), "{told}");
        }
    }
    let host = wise_with(&[ACS, SHARE].concat());
    let everywhere =
        host.variables["settings"].replace("policy.allowed_countries = [\"US\"]\n", "");
    let told = check(&host.with("settings", &everywhere)).warnings;
    assert!(told.iter().any(|it| it.fix.contains("first for all countries")), "{told:?}");
}

#[test]
fn the_place_of_an_entry_is_that_of_the_document_where_one_before_it_is_left_out() {
    let third = infobip("b", "").replace("senders.default", "senders.GB");
    let host = wise_with(&[ACS, &infobip("a", ""), &third].concat())
        .with_secrets("providers.b.api_key = \"k\"");
    assert_warnings(&host, &["providers.a.api_key", "providers[3].senders"]);
}

#[test]
fn what_is_missing_of_the_only_provider_for_a_country_is_a_problem() {
    let with = |countries: &str| {
        let gb = infobip("a", "countries = [\"GB\"]");
        wise_with(&[&gb, ACS, countries].concat()).with_secrets("providers.a.api_key = \"k\"")
    };
    let missing = |countries| check(&with(countries).with("acs_connection_string", ""));
    let closed = |countries| {
        let elsewhere = "endpoint=https://acs.example/;accesskey=pw==";
        check(&with(countries).with("acs_connection_string", elsewhere))
    };
    for (countries, is_needed) in [
        ("", true),
        ("countries = [\"US\"]", true),
        ("countries = [\"GB\", \"US\"]", true),
        ("countries = [\"GB\"]", false),
    ] {
        for check in [missing(countries), closed(countries)] {
            let is_it = |it: &&Finding| it.key == "acs_connection_string";
            let (problem, warning) =
                (check.problems.iter().find(is_it), check.warnings.iter().find(is_it));
            assert_eq!(
                (problem.is_some(), warning.is_some()),
                (is_needed, !is_needed),
                "{check:?}"
            );
        }
    }
}

#[test]
fn an_allowed_country_without_a_sender_is_a_problem() {
    let host = wise_with("[[providers]]\nkind = \"acs\"\nsenders.GB = \"CONTOSO\"")
        .with("acs_from_shortcode", "");
    let problems = check(&host).problems;
    assert!(
        problems[0]
            .to_string()
            .ends_with("providers[1].senders has no sender for US: add one, or a default")
    );
}

#[test]
fn an_endpoint_that_no_entry_covers_is_a_problem() {
    for (entry, endpoint, refused) in [
        ("https://contoso.example", "https://contoso.example", false),
        ("https://contoso.example/", "https://contoso.example:443", false),
        ("https://*.example", "https://contoso.example", false),
        ("*://*:*", "https://contoso.example", false),
        ("http://127.0.0.1:*", "http://127.0.0.1:3001", false),
        ("http://127.0.0.1:3001", "http://127.0.0.1:3001", false),
        ("http://127.0.0.1", "http://127.0.0.1:3001", true),
        ("http://contoso.example", "https://contoso.example", true),
        ("https://contoso.example:8443", "https://contoso.example", true),
        ("https://*.contoso.example", "https://contoso.example", true),
        ("https://other.example", "https://contoso.example", true),
    ] {
        let host = wise()
            .with("outbound_host1", entry)
            .with("acs_connection_string", &format!("endpoint={endpoint}/;accesskey=pw=="));
        assert_problems(&host, if refused { &["acs_connection_string"] } else { &[] });
    }
}

#[test]
fn an_entry_that_spin_can_not_read_closes_all_hosts_and_is_a_problem() {
    for (entry, is_read) in [
        ("https://contoso.okta.com", true),
        ("https://contoso.okta.com/", true),
        ("https://contoso.okta.com:8443", true),
        ("http://127.0.0.1:8000..9000", true),
        ("https://10.0.0.0/8", true),
        ("https://[::1]:443", true),
        ("*://*:*", true),
        ("https://*.okta.com", true),
        ("", false),
        ("*", false),
        ("https://", false),
        ("contoso.okta.com", false),
        ("contoso.okta.com:443", false),
        ("https://contoso.okta.com/oauth2", false),
        ("https://contoso.okta.com:443/oauth2", false),
        ("https://contoso.okta.com//", false),
        ("https://contoso.okta.com:port", false),
        ("https://okta.*", false),
        ("*://contoso.okta.com", false),
        ("https://*.okta.com:443/", true),
        ("https://*.okta.com/", true),
        ("*://*:*/", true),
        ("https://*/", false),
        ("https://10.0.0.0/8/", false),
        ("https://10.0.0.0/33", false),
        ("https://*.10.0.0.0/8", false),
        ("https://[fd00::]/8", false),
        ("https://fd00::/8", false),
        ("https://fd00::/8:443", true),
        ("https://[::1]", false),
        ("http://127.0.0.1:1..2..3", false),
    ] {
        for name in ["outbound_host1", "outbound_host3"] {
            let expected: &[&str] = if is_read { &[] } else { &[name] };
            assert_problems(&wise().with(name, entry), expected);
        }
    }
}

#[test]
fn an_entry_that_opens_more_than_a_host_is_warned_of() {
    const EVERY: &str = "call every host:";
    const DOMAIN: &str = "in which anybody can have one:";
    const RANGE: &str = "every address of a range:";
    const OWN: &str = "components of its own application:";
    const CLEAR: &str = "in clear text or speak another protocol than HTTPS:";
    for (entry, warning) in [
        ("*://*:*", EVERY),
        ("*://*:*/", EVERY),
        ("*://*:443", EVERY),
        ("https://*", EVERY),
        ("https://*:443", EVERY),
        ("https://*:*", EVERY),
        ("https://*:1..65535", EVERY),
        ("http://*", EVERY),
        ("https://*.com", DOMAIN),
        ("https://*.com/", DOMAIN),
        ("https://*.com.:443", DOMAIN),
        ("https://*.COM", DOMAIN),
        ("*://*.io:*", DOMAIN),
        ("https://*.co.uk", DOMAIN),
        ("https://*.com.au:443", DOMAIN),
        ("https://0.0.0.0/0", RANGE),
        ("https://10.0.0.0/8:443", RANGE),
        ("https://::/0:443", RANGE),
        ("http://self", OWN),
        ("http://self.alt", OWN),
        ("http://other.spin.internal", OWN),
        ("http://*.spin.internal", OWN),
        ("http://contoso.okta.com", CLEAR),
        ("http://*.contoso.com:443", CLEAR),
        ("http://10.0.0.1:8080", CLEAR),
        ("*://contoso.okta.com:443", CLEAR),
        ("redis://cache.contoso.com:6379", CLEAR),
        ("https://*.communication.azure.com", ""),
        ("https://*.okta.com", ""),
        ("https://*.co.contoso.com", ""),
        ("https://contoso.okta.com:*", ""),
        ("https://contoso.co.uk", ""),
        ("https://10.0.0.1", ""),
        ("http://localhost:3001", ""),
        ("http://127.0.0.1:*", ""),
        ("*://127.0.0.2:*", ""),
        ("http://[::1]:3001", ""),
    ] {
        for name in ["outbound_host1", "outbound_host3"] {
            let told: Vec<_> =
                check(&wise().with(name, entry)).warnings.iter().map(ToString::to_string).collect();
            match (warning, &told[..]) {
                ("", []) => {}
                (_, [told]) if !warning.is_empty() => {
                    assert!(told.starts_with(name) && told.contains(warning), "{entry}: {told}");
                }
                _ => panic!("{entry}: {told:?}"),
            }
        }
    }
}

#[test]
fn a_variable_that_can_not_be_read_is_told() {
    for name in [
        "okta_user",
        "okta_basic_secret",
        "acs_connection_string",
        "acs_from_shortcode",
        "settings",
        "secrets",
        "outbound_host1",
    ] {
        let problems = check(&wise().with(name, "<unavailable>")).problems;
        let told = problems[0].to_string();
        assert!(told.starts_with(name) && told.contains("could not be read"), "{name}: {told}");
    }
}

#[test]
fn every_key_can_be_wrong() {
    for key in KEYS.iter().filter(|key| !key.path.contains('*')) {
        let path = key.path.replace("providers[]", "providers");
        // A date is what nobody wants.
        let (table, name) = path.rsplit_once('.').unwrap_or(("", &path));
        let document = match table {
            "" => format!("{name} = 2026-01-31"),
            "providers" => {
                let of_acs = ["api_version", "messaging_connect", "delivery_report_timeout"];
                let kind = match name {
                    name if of_acs.contains(&name) => "acs",
                    "customer_id" => "telesign",
                    "account_sid" => "twilio",
                    _ => "infobip",
                };
                format!("[[providers]]\nkind = \"{kind}\"\n{name} = 2026-01-31")
                    .replace(&format!("kind = \"{kind}\"\nkind"), "kind")
            }
            "providers.messaging_connect" => {
                format!("[[providers]]\nkind = \"acs\"\n[{table}]\n{name} = 2026-01-31")
            }
            "providers.india_dlt" => {
                format!("[[providers]]\nkind = \"infobip\"\n[{table}]\n{name} = 2026-01-31")
            }
            table => format!("[{table}]\n{name} = 2026-01-31"),
        };
        let host = match key.place {
            Place::Settings => wise().with("settings", &document),
            _ => wise().with_secrets(&document),
        };
        let check = check(&host);
        let line = document.lines().count();
        let found = check.problems.iter().chain(&check.warnings).any(|finding| {
            finding.place == key.place && finding.line == Some(line) && finding.fix.contains("must")
        });
        assert!(found, "{}: {:?} {:?}", key.path, check.problems, check.warnings);
    }
}

#[test]
fn a_misspelt_key_of_every_table_is_told() {
    // Of these tables the owner names the keys.
    let is_fixed = |key: &&Key| key.path != "message.templates" && !key.path.contains(['*', '[']);
    for key in KEYS.iter().filter(|key| key.is_table).filter(is_fixed) {
        let document = match key.is_list_of_tables {
            true => format!("[[{}]]\nkind = \"acs\"\nfruit = 1", key.path),
            false => format!("[{}]\nfruit = 1", key.path),
        };
        let host = match key.place {
            Place::Settings => wise().with("settings", &document),
            _ => wise().with_secrets(&document),
        };
        let check = check(&host);
        let is_told = |finding: &Finding| finding.line == Some(document.lines().count());
        assert!(check.problems.iter().chain(&check.warnings).any(is_told), "{}", key.path);
    }
}

#[test]
fn a_header_that_nginx_drops_is_warned_about() {
    for (name, is_dropped) in [
        ("auth_secret", true),
        ("x.okta.key", true),
        ("x~key", true),
        ("X-Okta-Key", false),
        ("Authorization", false),
    ] {
        let document = format!("okta.header_name = \"{name}\"");
        for host in [
            wise_with(&document),
            wise_with(&document).with_secrets("okta.header_secret = \"0123456789abcdeF\""),
        ] {
            assert_warnings(&host, if is_dropped { &["okta.header_name"] } else { &[] });
        }
    }
    let fix = &check(&wise_with("okta.header_name = \"auth_secret\"")).warnings[0].fix;
    for told in ["nginx and ingress-nginx", "Name it with -", "underscores_in_headers"] {
        assert!(fix.contains(told), "{fix}");
    }
}

#[test]
fn a_template_that_has_lost_its_code_is_told_so() {
    for (template, told) in [
        ("Your code is ", "may have been. If you wrote it, a shell or .env has taken it"),
        ("Your code is {code}", "has no ${code}, but has {code}: write ${code}"),
        ("Hello", "has no ${code}: put it where the passcode goes"),
        ("{otpCode}, ${org}", ""),
    ] {
        let document = format!("message.org_name = \"C\"\nmessage.templates.de = \"{template}\"");
        let problems = check(&wise_with(&document)).problems;
        match told {
            "" => assert_eq!(problems, []),
            told => assert!(problems[0].fix.contains(told), "{template}: {problems:?}"),
        }
    }
}

#[test]
fn a_secret_that_may_have_lost_its_dollar_is_told_so() {
    for secret in ["pa", ""] {
        let check = check(&FakeHost::default().with("okta_basic_secret", secret));
        let mut found = check.problems.iter().chain(&check.warnings);
        let finding = found.find(|it| it.key == "okta_basic_secret").unwrap();
        assert!(finding.fix.contains("if yours has a $"), "{finding}");
    }
}

#[test]
fn the_check_says_what_an_attack_can_cost_as_things_are_set() {
    let plain = |document: &str| {
        let document = ["okta.response_format = \"documented\"\n", document].concat();
        wise().with("settings", &document)
    };
    let us = "policy.allowed_countries = [\"US\"]\n";
    for (document, key, told) in [
        (String::new(), "limits.total", "36,000 messages in an hour, about 9,000 US dollars"),
        (us.to_owned(), "limits.total", "36,000 messages in an hour, about 1,800 US dollars"),
        (
            "limits.total = \"2000/1h\"".to_owned(),
            "policy.allowed_countries",
            "2,000 messages in an hour, about 500 US dollars at 25 cents each (an example",
        ),
        (
            "limits.total = \"100/1m\"".to_owned(),
            "policy.allowed_countries",
            "6,000 messages in an hour, about 1,500 US dollars",
        ),
        (
            [us, "limits.total = \"10/1s\""].concat(),
            "limits.total",
            "36,000 messages in an hour, about 1,800 US dollars at 5 cents each (an example",
        ),
        (
            [us, "limits = { total = \"9/1h\", enrollment_total = \"\" }"].concat(),
            "limits.enrollment_total",
            "36,000 messages in an hour, about 1,800 US dollars",
        ),
        (
            "limits = { total = \"10/1s\", enrollment_total = \"9/1h\" }".to_owned(),
            "policy.allowed_countries",
            "As limits.enrollment_total is set, an attack by sign-up can have each replica send 9 messages",
        ),
        (
            [us, "limits.enrollment_total = \"9/1h\""].concat(),
            "limits.total",
            "messages to enrolled phones can cost",
        ),
        (
            [us, "limits.total = \"9/1h\"\npolicy.mode = \"observe\""].concat(),
            "policy.mode",
            "nothing bounds what an attack can cost",
        ),
        (
            [us, "limits.total = \"4294967295/1s\""].concat(),
            "limits.total",
            "15,461,882,262,000 messages in an hour",
        ),
    ] {
        let warnings = check(&plain(&document)).warnings;
        let warning = warnings.iter().find(|it| it.key == key).unwrap();
        assert!(warning.fix.contains(told), "{document}: {warning}");
    }
    // A bound is one where it is kept to.
    let host = plain("limits.total = \"9/1h\"\npolicy.mode = \"observe\"");
    assert!(check(&host).warnings.iter().all(|it| !it.fix.contains(" US dollars")));
}

#[test]
fn a_total_that_is_less_than_one_message_may_have_is_warned_about() {
    for (document, warned) in [
        ("limits = { total = \"2/1m\", enrollment_total = \"3/1m\" }", &["limits.total"][..]),
        (
            "message.max_segments = 2\nlimits = { total = \"2/1m\", enrollment_total = \"1/1m\" }",
            &["limits.enrollment_total"],
        ),
        ("message.max_segments = 1\nlimits.total = \"1/1m\"", &[]),
    ] {
        let warnings = check(&wise().with("settings", document)).warnings;
        let told = warnings.iter().filter(|it| it.fix.contains("message.max_segments"));
        assert_eq!(told.map(|it| &*it.key).collect::<Vec<_>>(), warned, "{document}");
    }
}

#[test]
fn an_issuer_whose_tokens_would_all_be_refused_is_warned_about() {
    for (issuer, is_told) in [
        ("https://contoso.okta.com/oauth2/default", false),
        ("https://contoso.okta.com/oauth2/default/", true),
        ("https://contoso.okta.com", true),
    ] {
        let document = format!(
            "[okta.oauth]\nissuer = \"{issuer}\"\nclient_id = \"0oa\"\nscope = \"telephony\"\n"
        );
        let host = wise_with(&document).with("outbound_host2", "https://contoso.okta.com");
        assert_warnings(&host, if is_told { &["okta.oauth.issuer"] } else { &[] });
    }
}

#[test]
fn the_guard_is_in_shadow_once_events_may_come_and_is_not_on_without_them() {
    let mode = |host: &FakeHost| Settings::read(host).guard.map(|rules| rules.mode);
    let with = |said: &str| {
        let said = [wise().variables["settings"].as_str(), said].concat();
        wise().with("settings", &said)
    };
    let events = "events.secret = \"0123456789abcdej\"";
    for (said, without, with_events) in [
        ("", Ok(Mode::Off), Ok(Mode::Shadow)),
        ("guard.mode = \"off\"", Ok(Mode::Off), Ok(Mode::Off)),
        ("guard.mode = \"shadow\"", Err(()), Ok(Mode::Shadow)),
        ("guard.mode = \" enforce \"", Err(()), Ok(Mode::Enforce)),
        ("guard.mode = \"block\"", Err(()), Err(())),
    ] {
        assert_eq!(mode(&with(said)).map_err(drop), without, "{said}");
        assert_eq!(mode(&with(said).with_secrets(events)).map_err(drop), with_events, "{said}");
        // A guard that is not in order stops no message.
        assert_eq!(check(&with(said)).problems, [], "{said}");
    }
    assert_warnings(&with("guard.mode = \"enforce\""), &["guard.mode"]);
}

#[test]
fn what_is_wrong_with_the_guard_is_named_and_what_is_unwise() {
    let events = "events.secret = \"0123456789abcdej\"";
    let wise = wise().with_secrets(events);
    let settings = wise.variables["settings"].clone();
    for (said, keys) in [
        ("guard.matures_after = \"7h\"", &["guard.matures_after"] as &[_]),
        ("guard.matures_after = \"4m\"", &["guard.matures_after"]),
        ("guard.slots = 100", &["guard.slots"]),
        ("guard.lifted = [\"b3f9a1c2\", \"tn\", \"b3f9a1c\"]", &["guard.lifted[3]"]),
        ("guard.exempt_prefixes = [\"0049\"]", &["guard.exempt_prefixes[1]"]),
        ("guard.home_countries = []", &[]),
        ("guard.home_countries = [\"UK\"]", &["guard.home_countries[1]"]),
        ("guard.block.used = 0.6", &["guard.block.used"]),
        ("guard.country.sends = 0", &["guard.country.sends"]),
        ("records.slots = 0", &["records.slots"]),
        ("guard.mode = \"enforce\"\npolicy.mode = \"observe\"", &["policy.mode", "policy.mode"]),
    ] {
        let host = FakeHost::default().with("okta_basic_secret", "0123456789abcdef");
        let host = host.with("settings", &[&*settings, said].concat()).with_secrets(events);
        assert_warnings(&host, keys);
    }
    let host = FakeHost::default().with("settings", &[&*settings, "records.slots = 0"].concat());
    assert!(Settings::read(&host.with_secrets(events)).guard().is_none());
}
