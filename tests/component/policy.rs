//! The owner's policy, from the request to the phone: what is refused, what Okta is told, what is
//! sent all the same.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{ENROLLMENT, Form, Hook, Setup, envelope, until};
use crate::host::needs_the_local_host;

/// A request that is refused, how often it has to come for that, and why.
struct Case {
    settings: &'static str,
    number: &'static str,
    enrolls: bool,
    /// Requests that pass before.
    passes: usize,
    reason: &'static str,
}

const fn case(settings: &'static str, number: &'static str, reason: &'static str) -> Case {
    Case { settings, number, enrolls: false, passes: 0, reason }
}

const ORDINARY: &str = "+15550100123";

const CASES: [Case; 32] = [
    case("policy.sending = false", ORDINARY, "paused"),
    case("", "+881612345678", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+44900', '+1555']", ORDINARY, "prefix_blocked"),
    case("policy.blocked_prefixes = ['+15550100123']", ORDINARY, "prefix_blocked"),
    case("policy.blocked_prefixes = ['+549']", "+5491123456789", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+52155']", "+525512345678", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+52155']", "+5215512345678", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+52155']", "+521551234567", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+5411']", "+5491123456789", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+54911']", "+541123456789", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+37529']", "+375 80 29 1234567", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+37580']", "+375 80 29 1234567", "prefix_blocked"),
    case("policy.blocked_prefixes = ['+7771']", "+7 8 771 000 9998", "prefix_blocked"),
    // The first rule that says no decides.
    case("policy.blocked_prefixes = ['+1800']\npolicy.sending = false", "+18005550123", "paused"),
    case("policy.blocked_prefixes = ['+1800']", "+18005550123", "prefix_blocked"),
    case("policy.blocked_countries = ['US']", "+18005550123", "number_type_blocked"),
    case("", "+18005550123", "number_type_blocked"),
    case("", "+19005550123", "number_type_blocked"),
    case("", "+447012345678", "number_type_blocked"),
    // Freephone, with a digit too many.
    case("", "+811201234567", "number_type_blocked"),
    case("policy.allowed_countries = ['US', 'CA']", "+447400123456", "country_not_allowed"),
    // Its area code is nobody's.
    case("policy.allowed_countries = ['US', 'CA']", ORDINARY, "country_not_allowed"),
    case("policy.blocked_countries = ['GB']", "+447400123456", "country_not_allowed"),
    // Kazakhstan, with a national prefix.
    case("policy.allowed_countries = ['RU']", "+7 8 771 000 9998", "country_not_allowed"),
    // Guernsey, which shares its calling code with Great Britain.
    case("policy.allowed_countries = ['GB']", "+447781123456", "country_not_allowed"),
    Case {
        enrolls: true,
        ..case(
            "policy.enrollment_allowed_countries = ['US']",
            "+447400123456",
            "country_not_allowed",
        )
    },
    Case { passes: 5, ..case("", ORDINARY, "rate_limited") },
    Case { passes: 1, ..case("limits.per_user = '1/1h'", ORDINARY, "rate_limited") },
    Case { passes: 1, ..case("limits.per_ip = '1/1h'", ORDINARY, "rate_limited") },
    Case {
        passes: 1,
        enrolls: true,
        ..case("limits.per_prefix = '1/1h'", ORDINARY, "rate_limited")
    },
    Case { passes: 1, ..case("limits.total = '1/1h'", ORDINARY, "rate_limited") },
    Case {
        passes: 1,
        enrolls: true,
        ..case("limits.enrollment_total = '1/1h'", ORDINARY, "rate_limited")
    },
];

impl Case {
    fn request(&self) -> String {
        let mut request = envelope(self.number);
        if self.enrolls {
            request["requestType"] = ENROLLMENT.into();
        }
        request.to_string()
    }

    /// A hook that has let pass what it lets pass.
    async fn hook(&self, more: &str) -> Hook {
        let hook = Hook::with(Setup::from(self.settings).and(more)).await;
        for _ in 0..self.passes {
            hook.post(self.request()).await.accepted(Form::Documented);
        }
        hook
    }
}

async fn last_line(hook: &Hook, count: usize) -> Value {
    hook.log.hooks(count).await.pop().unwrap()
}

#[tokio::test]
async fn what_the_policy_refuses_fails_and_sends_nothing() {
    for case in &CASES {
        let hook = case.hook("").await;
        let answer = hook.post(case.request()).await;
        answer.failed(Form::Documented, 200, case.reason);
        assert_eq!(hook.acs.requests().len(), case.passes, "{answer:?}");
        let line = last_line(&hook, case.passes + 1).await;
        assert_eq!((&line["outcome"], &line["level"]), (&json!("refused"), &json!("warn")));
        assert_eq!(line.get("okta_status"), None);
        assert!(!format!("{line}{}", answer.text).contains(case.number), "{line} {answer:?}");
    }
}

#[tokio::test]
async fn a_refusal_may_be_told_as_successful_and_the_log_tells_the_truth() {
    for case in &CASES {
        let hook = case.hook("policy.refusal_status = 'successful'").await;
        let answer = hook.post(case.request()).await;
        let value = answer.value(Form::Documented);
        assert_eq!((answer.status, &value["status"]), (200, &json!("SUCCESSFUL")));
        assert_eq!(value["transactionMetadata"], case.reason);
        assert_eq!(value.get("transactionId"), None);
        let body: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(body["debugContext"]["reason"], case.reason);
        assert_eq!(hook.acs.requests().len(), case.passes, "{answer:?}");
        let line = last_line(&hook, case.passes + 1).await;
        for (name, value) in
            [("outcome", "refused"), ("reason", case.reason), ("okta_status", "SUCCESSFUL")]
        {
            assert_eq!(line[name], value, "{line}");
        }
    }
}

#[tokio::test]
async fn only_what_the_policy_refuses_may_be_told_as_successful() {
    let hook = Hook::with("policy.refusal_status = 'successful'").await;
    let mut expired = envelope(ORDINARY);
    expired["data"]["messageProfile"]["otpExpires"] = "2020-01-01T00:00:00.000Z".into();
    hook.post(expired.to_string()).await.failed(Form::Documented, 200, "otp_expired");
    let refused = envelope("+15550100400").to_string();
    hook.post(refused).await.failed(Form::Documented, 200, "provider_rejected");
}

#[tokio::test]
async fn a_policy_that_observes_sends_and_says_what_it_would_refuse() {
    for case in &CASES {
        let hook = case.hook("policy.mode = 'observe'").await;
        let answer = hook.post(case.request()).await;
        if case.reason == "paused" {
            answer.failed(Form::Documented, 200, "paused");
            continue;
        }
        answer.accepted(Form::Documented);
        assert_eq!(hook.acs.messages().len(), case.passes + 1);
        let line = last_line(&hook, case.passes + 1).await;
        for (name, value) in
            [("outcome", "accepted"), ("level", "warn"), ("would_refuse", case.reason)]
        {
            assert_eq!(line[name], value, "{line}");
        }
    }
}

#[tokio::test]
async fn a_number_that_can_be_written_in_two_ways_is_one_number() {
    for (number, others) in [
        ("+5491123456789", &["+541123456789"][..]),
        ("+5215512345678", &["+525512345678"]),
        ("+37580291234567", &["+375291234567", "+3758291234567"]),
        ("+614123456789", &["+61412345678", "+6141234567800"]),
    ] {
        let hook = Hook::with("limits.per_number = '1/1h'").await;
        hook.post(envelope(number).to_string()).await.accepted(Form::Documented);
        assert_eq!(hook.acs.messages()[0].to, number);
        for other in others {
            let answer = hook.post(envelope(other).to_string()).await;
            answer.failed(Form::Documented, 200, "rate_limited");
        }
    }
}

#[tokio::test]
async fn a_company_whose_people_share_a_prefix_is_not_locked_out_at_shift_start() {
    let hook = Hook::with("limits.per_prefix = '3/1h'").await;
    let numbers = (0..20).map(|n| format!("+1425555{:04}", 1000 + n));
    let answers =
        join_all(numbers.map(async |number| hook.post(envelope(&number).to_string()).await));
    for answer in answers.await {
        answer.accepted(Form::Documented);
    }
}

#[tokio::test]
async fn whoever_enrols_somebody_elses_number_keeps_nobody_from_signing_in() {
    let hook = Hook::with("limits = { per_number = '5/10m', total = '20/1h' }").await;
    let victim = "+14255550142";
    let ask = async |number: &str, is_enrollment: bool| {
        let mut request = envelope(number);
        if is_enrollment {
            request["requestType"] = ENROLLMENT.into();
        }
        hook.post(request.to_string()).await
    };
    for _ in 0..5 {
        for _ in 0..4 {
            ask(victim, true).await;
        }
        ask(victim, false).await.accepted(Form::Documented);
    }
    for n in 0..30 {
        ask(&format!("+1425555{:04}", n * 37), true).await;
    }
    ask("+14255559999", true).await.failed(Form::Documented, 200, "rate_limited");
    for n in 0..15 {
        ask(&format!("+1206555{n:04}"), false).await.accepted(Form::Documented);
    }
    ask("+12065559999", false).await.failed(Form::Documented, 200, "rate_limited");
    assert_eq!(hook.acs.messages().len(), 40);
}

#[tokio::test]
async fn a_prefix_that_is_pumped_is_cut_off() {
    let hook = Hook::with("limits.per_prefix = '3/1h'").await;
    for (number, accepted) in [
        ("+14255552000", true),
        ("+14255553111", true),
        ("+14255554222", true),
        ("+14255555333", false),
        ("+14255552001", false),
        ("+14255562000", true),
    ] {
        let mut request = envelope(number);
        request["requestType"] = ENROLLMENT.into();
        let answer = hook.post(request.to_string()).await;
        match accepted {
            true => drop(answer.accepted(Form::Documented)),
            false => answer.failed(Form::Documented, 200, "rate_limited"),
        }
    }
    assert_eq!(hook.acs.messages().len(), 4);
}

/// The store has no atomic counter: docs/policy.md says how far the bound is from exact.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_hooks_at_once_to_one_number_do_not_get_far_beyond_its_limit() {
    let hook = Hook::start().await;
    let answers = join_all((0..100).map(async |_| hook.post(envelope(ORDINARY).to_string()).await));
    let accepted = answers.await.iter().filter(|answer| answer.text.contains("SUCCESSFUL")).count();
    println!("100 at once, limit 5: {accepted} accepted");
    assert_eq!(hook.acs.messages().len(), accepted);
    assert!((5..50).contains(&accepted), "{accepted}");
}

#[tokio::test]
async fn what_has_to_do_with_a_person_is_stored_as_a_keyed_hash_only() {
    if needs_the_local_host("reading its stores") {
        return;
    }
    let hook = Hook::with("limits = { per_user = '5/1h', per_ip = '5/1h', total = '9/1h' }").await;
    let mut request = envelope("+14255550142");
    request["requestType"] = ENROLLMENT.into();
    hook.post(request.to_string()).await.accepted(Form::Documented);
    let counters = |stored: &[String]| {
        let counters = stored.iter().filter(|entry| entry.starts_with("okta-telephony-acs/limit/"));
        counters.count()
    };
    // The record is written once the answer has left.
    let is_whole = |stored: &Vec<String>| stored.len() > counters(stored);
    let stored = until(|| Some(hook.host.stored()).filter(is_whole)).await;
    assert_eq!(counters(&stored), 5, "one write for each counter: {stored:?}");
    for entry in stored {
        assert!(entry.starts_with("okta-telephony-acs"), "{entry}");
        for secret in ["5550142", "+1425555", "00u", "127.0.0.1"] {
            assert!(!entry.contains(secret), "{secret}: {entry}");
        }
    }
}

#[tokio::test]
async fn each_country_has_its_sender() {
    let senders = "[[providers]]
                   kind = 'acs'
                   senders = { US = '23456', GB = 'CONTOSO', default = '+18005551234' }";
    let hook = Hook::with(Setup::from(senders).variable("acs_from_shortcode", "")).await;
    for (number, from, kind) in [
        ("+14255550142", "23456", "shortcode"),
        ("+447400123456", "CONTOSO", "alphanumeric"),
        ("+33612345678", "+18005551234", "tollfree"),
        (ORDINARY, "+18005551234", "tollfree"),
    ] {
        let answer = hook.post(envelope(number).to_string()).await;
        assert_eq!(answer.value(Form::Documented)["transactionMetadata"], kind);
        assert_eq!(hook.acs.messages().last().unwrap().from, from);
    }
}

#[tokio::test]
async fn a_country_without_a_sender_is_misconfigured_and_named() {
    let senders = "providers = [{ kind = 'acs', senders = { US = '23456' } }]";
    let hook = Hook::with(Setup::from(senders).variable("acs_from_shortcode", "")).await;
    hook.post(envelope("+14255550142").to_string()).await.accepted(Form::Documented);
    let answer = hook.post(envelope("+33612345678").to_string()).await;
    answer.failed(Form::Documented, 200, "misconfigured");
    assert!(answer.text.contains("acs has no sender for FR"), "{}", answer.text);
}

#[tokio::test]
async fn the_text_is_the_owners_in_the_persons_language() {
    let hook = Hook::with(
        "[message]
         org_name = 'Contoso'
         web_otp_domain = 'login.contoso.com'
         [message.templates]
         pt = 'Código ${code}, ${minutes} min. ${org}'
         default = '${org}: ${code}'",
    )
    .await;
    for (locale, text, segments) in [
        ("pt-BR", "Código 123456, 5 min. Contoso\n\n@login.contoso.com #123456", 1),
        ("de", "Contoso: 123456\n\n@login.contoso.com #123456", 1),
    ] {
        let mut request = envelope(ORDINARY);
        request["data"]["messageProfile"]["locale"] = locale.into();
        request["data"]["messageProfile"]["otpCode"] = "123456".into();
        let answer = hook.post(request.to_string()).await;
        answer.accepted(Form::Documented);
        assert_eq!(hook.acs.messages().last().unwrap().text, text);
        let body: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(body["debugContext"]["segments"], segments, "{}", answer.text);
    }
}
