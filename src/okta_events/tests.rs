use std::cell::Cell;

use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::*;
use crate::guard::Rules;
use crate::guard::ledger::Ledger;
use crate::message::Channel;
use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
use crate::ports::{BodyError, SendError, Store, StoreUnavailable, milliseconds};
use crate::records::store_key::StoreKey;
use crate::{After, Handled};

const SECRET: &str = "0123456789abcdej";

fn host() -> FakeHost {
    FakeHost::default().with_secrets(&format!("events.secret = \"{SECRET}\""))
}

/// An event about a person, so many seconds after the host's clock began to stand still.
fn event(uuid: &str, kind: &str, user: &str, reason: &str, second: i64) -> Value {
    let published = FakeHost::default().now + time::Duration::seconds(second);
    json!({
        "uuid": uuid, "eventType": kind, "published": published.format(&Rfc3339).unwrap(),
        "actor": {"id": user, "type": "User"}, "target": [{"id": user, "type": "User"}],
        "outcome": {"result": if reason == "INVALID_CREDENTIALS" { "FAILURE" } else { "SUCCESS" }, "reason": reason},
        "debugContext": {"debugData": {"factor": "SMS_FACTOR"}},
    })
}

fn sign_in(uuid: &str, user: &str, second: i64) -> Value {
    event(uuid, "user.authentication.auth_via_mfa", user, "", second)
}

fn given_up(uuid: &str) -> Value {
    json!({
        "uuid": uuid, "eventType": "inline_hook.executed", "published": "2026-01-31T12:00:00Z",
        "outcome": {"result": "FAILURE"},
        "debugContext": {"debugData": {"inlineHookType": "com.okta.telephony.provider"}},
    })
}

fn deliver_with(ports: Ports<'_>, events: &[Value]) -> Handled {
    let mut request = FakeRequest::hook(json!({"data": {"events": events}}).to_string());
    request.path = EVENTS_PATH;
    request.headers = vec![("authorization", SECRET.as_bytes().to_vec())];
    crate::handle(&mut request, ports)
}

/// The status of the answer, and the lines of the log.
fn deliver(host: &FakeHost, events: &[Value]) -> (u16, Vec<Value>) {
    let Handled { response, log, .. } = deliver_with(host.ports(), events);
    (response.status, log.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// What the lines of single events tell.
fn told(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["what"].as_str()).collect()
}

fn key(host: &FakeHost) -> StoreKey {
    Settings::read(host).store_key().unwrap()
}

/// Remembers a passcode that was sent to a person so many seconds after the clock began to stand still.
fn sent(host: &FakeHost, user: &str, second: u64, is_enrollment: bool) {
    remember(host, Sent { is_enrollment, ..send(host, user, second) });
}

fn remember(host: &FakeHost, send: Sent) {
    Ledger::new(Rules::default().slots, Rc::new(Shared::new(host.ports()))).sent(send).unwrap();
}

fn send(host: &FakeHost, user: &str, second: u64) -> Sent {
    let at = milliseconds(FakeHost::default().now) + second * 1000;
    let key = key(host);
    Sent {
        at,
        expires: at + 300_000,
        user: Hash8::of_user(&key, user),
        number: Hash8::of_number(&key, "+4915112345678"),
        block: Hash8::of_block(&key, "+4915112345678"),
        region: numbering::Region::parse("DE"),
        channel: Channel::Call,
        is_enrollment: false,
        is_recovery: false,
        would_refuse: false,
        provider: "infobip-1".into(),
        message_id: Some("6f1c2f5e-0d0b-5b0f-9c0e-1b1f6d0f9a11".into()),
    }
}

/// A host with Infobip as its provider, which wishes for feedback or not.
fn host_of_infobip(feedback: bool) -> FakeHost {
    let host = host().with_settings(&format!(
        "[[providers]]\nkind = \"infobip\"\nname = \"infobip-1\"\nbase_url = \"https://a.api.infobip.com\"\n\
         senders.default = \"CONTOSO\"\nfeedback = {feedback}"
    ));
    let secrets =
        format!("events.secret = \"{SECRET}\"\nproviders.infobip-1.api_key = \"0123456789abcdef\"");
    host.with_secrets(&secrets).with("acs_connection_string", "").with("acs_from_shortcode", "")
}

#[test]
fn a_provider_that_wishes_for_it_is_told_once_of_each_passcode_that_was_used() {
    let uses = [sign_in("e1", "00u1", 14), sign_in("e2", "00u2", 20), given_up("e3")];
    for (wishes, channel, requests) in
        [(true, Channel::Sms, 2), (false, Channel::Sms, 0), (true, Channel::Call, 0)]
    {
        let mut host = host_of_infobip(wishes)
            .answering([FakeAnswer::of(404, "+4915112345678"), FakeAnswer::of(200, "{}")]);
        for user in ["00u1", "00u2"] {
            remember(&host, Sent { channel, ..send(&host, user, 0) });
        }
        host.now += time::Duration::seconds(60);
        for _ in 0..2 {
            let handled = deliver_with(host.ports(), &uses);
            let After::Events(answered) = handled.after else { panic!() };
            finish(*answered, host.ports());
        }
        let sent = host.sent.borrow();
        assert_eq!(sent.len(), requests, "{wishes} {channel:?}");
        let path = "/ct/1/log/end/6f1c2f5e-0d0b-5b0f-9c0e-1b1f6d0f9a11";
        assert!(sent.iter().all(|it| it.path_and_query == path));
        // The one that was not taken is told, and nothing of what was said about it.
        let printed = host.printed.borrow();
        let lines: Vec<_> = printed.iter().filter(|it| it.contains("\"feedback\"")).collect();
        assert_eq!(lines.len(), requests / 2, "{printed:?}");
        assert!(lines.iter().all(|it| it.contains("(404)") && !it.contains("4915")), "{lines:?}");
    }
}

#[test]
fn a_provider_that_hangs_is_given_ten_seconds_for_all_of_a_delivery() {
    let users: Vec<_> = (0..8).map(|at| format!("00u{at}")).collect();
    let hangs = (Duration::from_secs(60), Err(SendError::Late));
    let mut host = host_of_infobip(true).answering(vec![hangs; 8]);
    for user in &users {
        remember(&host, Sent { channel: Channel::Sms, ..send(&host, user, 0) });
    }
    host.now += time::Duration::seconds(60);
    let uses: Vec<_> = users.iter().map(|user| sign_in(user, user, 14)).collect();
    let handled = deliver_with(host.ports(), &uses);
    let After::Events(answered) = handled.after else { panic!() };
    let before = host.instant.get();
    finish(*answered, host.ports());
    assert_eq!(host.instant.get().since(before), FEEDBACK_TIME);
    let printed = host.printed.borrow();
    assert_eq!(printed.iter().filter(|it| it.contains("\"feedback\"")).count(), 1, "{printed:?}");
}

#[test]
fn a_use_is_told_with_the_passcode_that_it_used_and_one_of_nobody_known_without() {
    let mut host = host();
    sent(&host, "00u1", 0, false);
    host.now += time::Duration::seconds(60);
    let (status, lines) = deliver(&host, &[sign_in("e1", "00u1", 14), sign_in("e2", "00u2", 20)]);
    assert_eq!((status, told(&lines)), (204, vec!["passcode_used"; 2]));
    let [_, known, unknown] = &lines[..] else { panic!("{lines:?}") };
    let facts = |line: &Value| {
        ["channel", "country", "provider", "message_id", "used_ms"].map(|it| line[it].clone())
    };
    assert_eq!(
        facts(known),
        [
            json!("call"),
            json!("DE"),
            json!("infobip-1"),
            json!("6f1c2f5e-0d0b-5b0f-9c0e-1b1f6d0f9a11"),
            json!(14_000)
        ]
    );
    assert_eq!(facts(unknown), [json!("sms"), Value::Null, Value::Null, Value::Null, Value::Null]);
}

#[test]
fn what_has_come_before_is_not_told_again_in_whatever_delivery_it_comes() {
    let host = host();
    let (used, wrong) = (
        sign_in("e1", "00u1", 0),
        event("e2", "user.authentication.auth_via_mfa", "00u1", "INVALID_CREDENTIALS", 0),
    );
    let (_, lines) = deliver(&host, &[used.clone(), given_up("e3"), used.clone()]);
    assert_eq!(told(&lines), ["passcode_used", "hook_given_up"]);
    assert_eq!(lines[0]["known_events"], 1);
    let (status, lines) = deliver(&host, &[given_up("e3"), wrong, used, given_up("e4")]);
    assert_eq!((status, told(&lines)), (204, vec!["passcode_wrong", "hook_given_up"]));
    assert_eq!(lines[0]["known_events"], 2);
}

#[test]
fn an_enrolment_of_which_okta_tells_twice_is_told_once_with_its_passcode() {
    let activated = |uuid, user, second| {
        event(uuid, "user.mfa.factor.activate", user, "User set up SMS_FACTOR factor", second)
    };
    let mut host = host();
    sent(&host, "00u1", 0, true);
    host.now += time::Duration::seconds(60);
    // The later of the two is the first in the delivery, and its passcode is known by the other.
    let twice = [activated("e1", "00u1", 21), activated("e2", "00u1", 20)];
    let (_, lines) = deliver(&host, &twice);
    assert_eq!(told(&lines), ["passcode_used"]);
    assert_eq!(lines[1]["used_ms"], 20_000);
    // Nobody knows the passcodes of these people: two of one of them, one of another, and one much later.
    let (_, lines) = deliver(
        &host,
        &[
            activated("e3", "00u2", 20),
            activated("e4", "00u2", 20),
            activated("e5", "00u3", 20),
            activated("e6", "00u2", 30),
        ],
    );
    assert_eq!(told(&lines), ["passcode_used"; 3]);
}

#[test]
fn what_is_no_passcode_makes_no_line_and_excuses_one_that_was_sent() {
    let host = host();
    sent(&host, "00u1", 0, false);
    let mut push = sign_in("e1", "00u1", 10);
    push["debugContext"]["debugData"]["factor"] = "OKTA_VERIFY_PUSH".into();
    let removed =
        event("e2", "user.mfa.factor.deactivate", "00u2", "User reset SMS_FACTOR factor", 0);
    let (status, lines) = deliver(&host, &[push, removed]);
    assert_eq!((status, lines.len()), (204, 1));
    let whole =
        Ledger::new(Rules::default().slots, Rc::new(Shared::new(host.ports()))).whole().unwrap();
    assert_eq!(whole.sends[0].1, crate::guard::Fate::Excused);
}

#[test]
fn what_could_not_be_kept_comes_again_and_is_told_then() {
    /// Takes the first of the writes, and then no more.
    struct Filling<'a>(&'a dyn Store, Cell<bool>);
    impl Store for Filling<'_> {
        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
            self.0.get(key)
        }
        fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
            if self.1.replace(true) { Err(StoreUnavailable::Down) } else { self.0.set(key, value) }
        }
    }
    let mut host = host();
    let events = [given_up("e1"), sign_in("e2", "00u1", 0)];
    let filling = Filling(&host.records, Cell::default());
    let handled = deliver_with(Ports { records: &filling, ..host.ports() }, &events);
    assert_eq!(handled.response.status, 503);
    assert!(handled.log.contains("the key-value store records"), "{}", handled.log);
    assert!(!handled.log.contains("okta_event\""), "{}", handled.log);
    host.now += crate::records::breaker::BACKOFF;
    let (status, lines) = deliver(&host, &events);
    // The use had been kept: whether its line was told is not known, and one too few is better than one too many.
    assert_eq!((status, told(&lines)), (204, vec!["hook_given_up"]));
}

#[test]
fn where_nothing_is_remembered_each_event_is_told_as_often_as_it_comes() {
    let host = host().with_settings("records.slots = 0");
    host.records.0.replace(None);
    for _ in 0..2 {
        let (status, lines) = deliver(&host, &[sign_in("e1", "00u1", 0), given_up("e2")]);
        assert_eq!((status, told(&lines)), (204, vec!["passcode_used", "hook_given_up"]));
    }
}

#[test]
fn what_can_be_mended_meanwhile_is_a_503_and_the_log_has_the_fix() {
    let down = host();
    down.records.0.replace(None);
    for (host, fix) in [
        (FakeHost::default(), "events.secret is not set"),
        (host().with("secrets", "<unavailable>"), "secrets could not be read"),
        (host().with_secrets("events.secret = \"supersecret\""), "same as okta_basic_secret"),
        (host().with_settings("records.slots = \"many\""), "records.slots must be"),
        (host().with("acs_connection_string", ""), "acs_connection_string"),
        (down, "key-value store records"),
    ] {
        let handled = deliver_with(host.ports(), &[given_up("e1")]);
        assert_eq!(handled.response.status, 503, "{fix}");
        assert!(handled.log.contains(fix), "{}", handled.log);
        let said = String::from_utf8(handled.response.body).unwrap();
        assert!(!said.contains("secret") && !said.contains("store"), "{said}");
    }
}

#[test]
fn a_body_that_does_not_arrive_may_come_again_and_one_that_is_too_large_may_not() {
    for (body, expected) in
        [(BodyError::Late, 503), (BodyError::Broken, 503), (BodyError::TooLarge, 413)]
    {
        let mut request = FakeRequest::hook("");
        request.path = EVENTS_PATH;
        request.headers = vec![("authorization", SECRET.as_bytes().to_vec())];
        request.body = Err(body);
        let host = host();
        let handled = crate::handle(&mut request, host.ports());
        assert_eq!(handled.response.status, expected, "{body:?}");
        assert!(host.records.0.borrow().as_ref().unwrap().is_empty(), "nothing was kept");
    }
}

#[test]
fn the_newest_event_of_any_kind_moves_the_feed_and_nothing_of_a_person_is_in_the_store() {
    let host = host();
    let other = json!({"eventType": "user.session.start", "published": "2026-01-31T11:59:00Z"});
    let mut used = sign_in("e1", "00u1fictional", -120);
    used["actor"]["alternateId"] = "ada@example.com".into();
    let (status, _) = deliver(&host, &[used, other]);
    assert_eq!(status, 204);
    let feed =
        Ledger::new(Rules::default().slots, Rc::new(Shared::new(host.ports()))).feed().unwrap();
    assert_eq!(feed.newest, milliseconds(host.now) - 60_000);
    let records = host.records.0.borrow();
    assert_eq!(records.as_ref().unwrap().len(), 2);
    for (name, value) in records.as_ref().unwrap() {
        let text = [name.as_bytes(), value].concat();
        for personal in ["ada", "00u1", "e1"] {
            assert!(!text.windows(personal.len()).any(|it| it == personal.as_bytes()), "{name}");
        }
    }
}

#[test]
fn telemetry_has_each_event_that_was_news() {
    let secrets = "application_insights.connection_string = \"InstrumentationKey=00000000-0000-0000-0000-000000000000;\
                   IngestionEndpoint=https://contoso.communication.azure.com/\"";
    let mut host = host()
        .with_secrets(&format!("events.secret = \"{SECRET}\"\n{secrets}"))
        .answering([FakeAnswer::of(200, "{\"errors\":[]}")]);
    sent(&host, "00u1", 0, false);
    host.now += time::Duration::seconds(60);
    let handled = deliver_with(host.ports(), &[sign_in("e1", "00u1", 14), given_up("e2")]);
    let After::Events(answered) = handled.after else { panic!() };
    finish(*answered, host.ports());
    let sent = host.sent.borrow();
    let items: Vec<Value> = serde_json::from_str(&sent[0].body).unwrap();
    let [used, given_up] = &items[..] else { panic!("{items:?}") };
    let data = &used["data"]["baseData"];
    assert_eq!(data["name"], "Okta event");
    assert_eq!(data["properties"]["what"], "passcode_used");
    assert_eq!(data["properties"]["country"], "DE");
    assert_eq!(data["measurements"]["usedMs"], 14_000.0);
    assert_eq!(used["time"], "2026-01-31T12:00:14Z");
    assert_eq!(given_up["data"]["baseData"]["properties"], json!({"what": "hook_given_up"}));
}
