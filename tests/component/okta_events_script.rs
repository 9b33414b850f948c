//! The commands of scripts/okta-hook.sh for the event hook, against a stand-in of that part of Okta's API. It checks what
//! Okta's OpenAPI description demands of an event hook.

use serde_json::{Value, json};

use crate::harness::basic;
use crate::okta_hook_script::{Okta, SECRET, error, invalid, shown};

const URL: &str = "https://hook.example.com/api/okta-events";
const CREATE: [&str; 6] = ["events", "create", "--name", "Which \"passcodes\"", "--url", URL];
const EVENTS_SECRET: [(&str, &str); 1] = [("OKTA_EVENTS_SECRET", SECRET)];

/// What the description says of an event hook that is sent.
fn check(hook: &Value) -> Result<(), &'static str> {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let (events, channel, config) = (&hook["events"], &hook["channel"], &hook["channel"]["config"]);
    let scheme = &config["authScheme"];
    let items = events["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_filtered = |filter: &Value| {
        let of_an_item =
            |it: &Value| items.contains(&it["event"]) && is_text(&it["condition"]["expression"]);
        let map = filter["eventFilterMap"].as_array().map(Vec::as_slice).unwrap_or_default();
        filter["type"] == "EXPRESSION_LANGUAGE" && !map.is_empty() && map.iter().all(of_an_item)
    };
    let demands = [
        (is_text(&hook["name"]), "name"),
        (events["type"] == "EVENT_TYPE", "events.type"),
        (!items.is_empty() && items.iter().all(is_text), "events.items"),
        (events.get("filter").is_none_or(is_filtered), "events.filter"),
        (channel["type"] == "HTTP", "channel.type"),
        (channel["version"] == "1.0.0", "channel.version"),
        (config["uri"].as_str().is_some_and(|uri| uri.starts_with("https://")), "uri"),
        (config["headers"].is_array(), "headers"),
        (scheme["type"] == "HEADER", "authScheme.type"),
        (is_text(&scheme["key"]) && is_text(&scheme["value"]), "authScheme"),
    ];
    demands.into_iter().find(|(is_so, _)| !is_so).map_or(Ok(()), |(_, what)| Err(what))
}

/// What Okta answers of its event hooks, which it keeps as they were sent, with id and both states.
pub fn answer(hooks: &mut Vec<Value>, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let sent = || {
        let hook: Value = serde_json::from_slice(body).unwrap();
        check(&hook).map(|()| hook).map_err(|what| invalid("eventHook", what))
    };
    let parts: Vec<_> = path.split('/').skip(1).collect();
    if let ("POST", []) | ("GET", []) = (method, &parts[..]) {
        if method == "GET" {
            return (200, Value::from_iter(hooks.iter().map(shown)).to_string());
        }
        let mut hook = match sent() {
            Ok(hook) => hook,
            Err(refused) => return refused,
        };
        hook["id"] = format!("who{}", hooks.len() + 1).into();
        hook["status"] = "ACTIVE".into();
        hook["verificationStatus"] = "UNVERIFIED".into();
        hooks.push(hook);
        return (200, shown(hooks.last().unwrap()).to_string());
    }
    let Some(at) = hooks.iter().position(|hook| hook["id"] == parts[0]) else {
        return error(404, "E0000007", "Not found: Resource not found (EventHook)", &[]);
    };
    match (method, &parts[1..]) {
        ("GET", []) => {}
        ("DELETE", []) if hooks[at]["status"] == "ACTIVE" => {
            return error(403, "E0000006", "You can't delete an active hook", &[]);
        }
        ("DELETE", []) => {
            hooks.remove(at);
            return (204, String::new());
        }
        ("PUT", []) => {
            let mut new = match sent() {
                Ok(hook) => hook,
                Err(refused) => return refused,
            };
            new["id"] = hooks[at]["id"].clone();
            new["status"] = hooks[at]["status"].clone();
            let is_same = new["channel"] == hooks[at]["channel"];
            new["verificationStatus"] = match is_same {
                true => hooks[at]["verificationStatus"].clone(),
                false => "UNVERIFIED".into(),
            };
            hooks[at] = new;
        }
        ("POST", ["lifecycle", "verify"]) => hooks[at]["verificationStatus"] = "VERIFIED".into(),
        ("POST", ["lifecycle", "activate"]) => hooks[at]["status"] = "ACTIVE".into(),
        ("POST", ["lifecycle", "deactivate"]) => hooks[at]["status"] = "INACTIVE".into(),
        _ => return error(405, "E0000022", "The endpoint does not support the method", &[]),
    }
    (200, shown(&hooks[at]).to_string())
}

#[tokio::test]
async fn an_event_hook_goes_through_its_life() {
    let okta = Okta::start().await;
    let create = [&CREATE[..], &["--send"]].concat();
    let Some(created) = okta.run(&create, &EVENTS_SECRET).await else { return };
    assert_eq!(created.code, 0, "{created:?}");
    let row =
        format!("who1  ACTIVE  UNVERIFIED  header Authorization  Which \"passcodes\"  {URL}\n");
    assert!(created.stdout.starts_with(&row), "{created:?}");
    assert!(created.stdout.contains("events verify ID --send"), "{created:?}");

    let hooks = okta.event_hooks();
    let scheme = &hooks[0]["channel"]["config"]["authScheme"];
    assert_eq!(
        *scheme,
        json!({"type": "HEADER", "key": "Authorization", "value": basic("events", SECRET)})
    );
    assert_eq!(hooks[0]["events"].get("filter"), None);

    let update = ["events", "update", "who1", "--name", "New", "--url", URL, "--filter", "--send"];
    for (arguments, code, expected) in [
        (&["events", "verify", "who1", "--send"][..], 0, "who1  ACTIVE  VERIFIED  "),
        (&["events", "list", "--send"], 0, "who1  ACTIVE  VERIFIED  "),
        (&["events", "show", "who1", "--send"], 0, "\"verificationStatus\": \"VERIFIED\""),
        (&update, 0, "who1  ACTIVE  VERIFIED  header Authorization  New  "),
        (&["events", "delete", "who1", "--send"], 1, "okta-hook.sh events deactivate who1 --send"),
        (&["events", "deactivate", "who1", "--send"], 0, "who1  INACTIVE  VERIFIED  "),
        (&["events", "activate", "who1", "--send"], 0, "who1  ACTIVE  "),
        (&["events", "deactivate", "who1", "--send"], 0, "who1  INACTIVE  "),
        (&["events", "delete", "who1", "--send"], 0, "deleted who1"),
        (&["events", "show", "who1", "--send"], 1, "okta-hook.sh events list --send"),
    ] {
        let run = okta.run(arguments, &EVENTS_SECRET).await.unwrap();
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        let said = if code == 0 { &run.stdout } else { &run.stderr };
        assert!(said.contains(expected), "{arguments:?}: {run:?}");
    }
    let is_of_events = |it: &String| it.contains(" /api/v1/eventHooks");
    assert!(okta.requests().iter().all(is_of_events), "{:?}", okta.requests());
}

#[tokio::test]
async fn without_send_the_event_hook_is_shown_with_its_filter_and_without_its_secret() {
    let okta = Okta::start().await;
    let create = [&CREATE[..], &["--filter"]].concat();
    let Some(shown) = okta.run(&create, &EVENTS_SECRET).await else { return };
    let first = format!("POST {}/api/v1/eventHooks\n", okta.url);
    let json = shown.stdout.strip_prefix(&first).expect("method and URL come first");
    let json = json.strip_suffix("Nothing was sent. Add --send to send it.\n").unwrap();
    let hook: Value = serde_json::from_str(json).unwrap();
    assert_eq!(check(&hook), Ok(()), "what is shown is what would be sent");
    assert_eq!(hook["channel"]["config"]["authScheme"]["value"], "[redacted]");
    assert_eq!(
        hook["events"]["filter"]["eventFilterMap"],
        json!([{"event": "user.authentication.auth_via_mfa", "condition": {"expression":
            "event.target.?[type eq 'AuthenticatorEnrollment' && displayName eq 'Phone'].size()>0"}}])
    );
    assert!(okta.requests().is_empty(), "{:?}", okta.requests());
}

#[tokio::test]
async fn what_okta_refuses_of_an_event_hook_names_its_fix() {
    let okta = Okta::start().await;
    let create = [&CREATE[..], &["--send"]].concat();
    let Some(created) = okta.run(&create, &EVENTS_SECRET).await else { return };
    assert_eq!(created.code, 0, "{created:?}");
    let filtered = [&CREATE[..], &["--filter", "--send"]].concat();
    let verify = ["events", "verify", "who1", "--send"];
    let list = ["events", "list", "--send"];
    for (arguments, status, fix) in [
        (&verify[..], 400, "look for okta_events in the hook's log"),
        (&filtered, 400, "leave --filter out"),
        (&create, 400, "correct what it names.\n"),
        (&list, 403, "who may manage event hooks"),
    ] {
        okta.answer_next(status, &error(status, "E0000001", "No.", &[]).1);
        let run = okta.run(arguments, &EVENTS_SECRET).await.unwrap();
        assert_eq!(run.code, 1, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(fix), "{arguments:?}: {run:?}");
    }
}

#[tokio::test]
async fn what_is_missing_or_wrong_of_an_event_hook_is_told_before_okta_is_asked() {
    let okta = Okta::start().await;
    let url = |url: &'static str| vec!["events", "create", "--name", "n", "--url", url, "--send"];
    for (arguments, environment, expected) in [
        (CREATE.to_vec(), vec![], "set OKTA_EVENTS_SECRET"),
        (CREATE.to_vec(), vec![("OKTA_EVENTS_SECRET", "secret\n")], "has a line feed"),
        (
            url("http://hook.example.com/api/okta-events"),
            EVENTS_SECRET.to_vec(),
            "/api/okta-events: ",
        ),
        (vec!["events"], vec![], "say what to do"),
        (vec!["events", "create", "--name", "n"], vec![], "events create needs --name and --url"),
        (
            vec!["events", "verify"],
            vec![],
            "events verify needs the hook's ID, which events list has",
        ),
        (vec!["events", "list", "who1"], vec![], "events list takes no ID"),
        (vec!["events", "list", "--filter"], vec![], "events list takes no"),
        (vec!["events", "preview", "who1"], vec![], "there is no such command"),
        (vec!["events", "undelete", "who1"], vec![], "there is no such command"),
        ([&CREATE[..], &["--auth", "basic"]].concat(), vec![], "takes no --auth"),
        (
            vec!["create", "--name", "n", "--url", URL, "--auth", "basic", "--filter"],
            vec![],
            "create takes no --filter",
        ),
    ] {
        let Some(run) = okta.run(&arguments, &environment).await else { return };
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(expected), "{arguments:?}, {expected}: {run:?}");
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
    assert!(okta.requests().is_empty(), "{:?}", okta.requests());
}
