use std::collections::BTreeMap;

use base64::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::day::Hour;
use super::*;
use crate::records::{Accepted, Moment, Reported, Said, Unreadable};
use crate::sender::SenderKind;
use crate::settings::{Finding, Place};
use crate::trace_context::Trace;
use numbering::Region;

/// 2026-11-24T14:06:00.250Z
pub(super) const NOW_MS: Moment = 1_795_529_160_250;

pub(super) const MINUTE: Moment = 60_000;

const NO_GUARD: &str = "Set events.secret to see which passcodes are used.";

pub(super) fn accepted(at: Moment) -> Accepted {
    Accepted {
        at,
        event_id: Some("uS58evt".into()),
        request_type: Some("com.okta.user.telephony.pre-enrollment".into()),
        region: Region::parse("US"),
        provider: "acs".into(),
        sender_type: SenderKind::Tollfree,
        attempts: 1,
        segments: 2,
        number: [0xa5; 16],
        trace: Some(Trace { trace_id: [0x0b; 16], span_id: [0xcd; 8] }),
    }
}

pub(super) fn delivered(at: Moment) -> Reported {
    Reported { at, said: Said::Delivered, code: Some(Code::Acs(2000)) }
}

pub(super) fn failed(at: Moment, code: Option<u16>) -> Reported {
    Reported { at, said: Said::Failed, code: code.map(Code::Acs) }
}

pub(super) fn delivery(accepted: Option<Accepted>, reported: Option<Reported>) -> Delivery {
    Delivery { message_id: "3f0c-id".into(), accepted, reported, canary: false }
}

pub(super) fn view(deliveries: &[Delivery]) -> View<'_> {
    let mut day = Day::new(NOW_MS);
    deliveries.iter().for_each(|delivery| day.count(delivery));
    View {
        deliveries,
        day: Box::leak(day.into()),
        slots: 10_000,
        guarded: Err(NO_GUARD),
        unreadable: None,
        covers: 500,
        status: None,
        problems: &[],
        warnings: &[],
        asks_acs: false,
    }
}

fn html(view: &View<'_>) -> String {
    String::from_utf8(page(view).body).unwrap()
}

fn body(response: Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

/// What a tag or an attribute's value stands for.
fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

/// The text of a page's part.
pub(super) fn text_of(html: &str) -> String {
    let mut parts = html.split('<');
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| text + part.split_once('>').unwrap().1);
    unescaped(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of the table with this caption, without the head; none if there is no such table.
pub(super) fn rows(html: &str, caption: &str) -> Vec<Vec<String>> {
    let Some((_, table)) = html.split_once(&format!("<caption>{caption}</caption>")) else {
        return vec![];
    };
    let body = table.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
    let cells = |row: &str| {
        let row = row.replace("<th", "<td").replace("</th>", "</td>");
        let cells = row.split("</td>").map(text_of).collect::<Vec<_>>();
        cells[..cells.len() - 1].to_vec()
    };
    body.split_terminator("</tr>").map(cells).collect()
}

/// That a browser has nothing to mend: tags are closed in order, attributes are in double quotes, ids
/// are unique, and each `<`, `>` and `&` is a tag's or an escape's.
pub(super) fn assert_well_formed(html: &str) {
    let html = html.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    let (before, rest) = html.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    assert!(!style.contains('<'));
    let html = format!("{before}{after}");
    let mut open: Vec<&str> = vec![];
    let mut ids = vec![];
    for (index, part) in html.split('<').enumerate() {
        let text = if index == 0 {
            part
        } else {
            let (tag, text) = part.split_once('>').expect("a tag's end");
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{part}");
            } else if name != "meta" {
                open.push(name);
            }
            let quoted: Vec<&str> = attributes.split('"').collect();
            assert_eq!(quoted.len() % 2, 1, "{tag}");
            for pair in quoted.chunks_exact(2) {
                let name = pair[0].trim().strip_suffix('=').expect("name=");
                let is_name =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                let of_svg = ["patternUnits", "patternTransform"].contains(&name);
                assert!(name.bytes().all(is_name) || of_svg, "{tag}");
                assert!(!name.starts_with("on") && name != "style", "{tag}");
                if name == "id" {
                    assert!(!ids.contains(&pair[1]), "{tag}");
                    ids.push(pair[1]);
                }
            }
            assert!(!["script", "img", "link", "iframe", "i"].contains(&name), "{tag}");
            text
        };
        assert!(!text.contains('>') && !text.contains('"'), "{text}");
    }
    for after in html.split('&').skip(1) {
        let escape = after.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot"].contains(&escape), "&{escape}");
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn one_message_is_told_whole() {
    let failed = Some(failed(NOW_MS - MINUTE + 4007, Some(4006)));
    let response = json_one(&delivery(Some(accepted(NOW_MS - MINUTE)), failed), None);
    assert_eq!(
        response.headers,
        [("content-type", "application/json".into()), ("cache-control", "no-store".into())]
    );
    assert_eq!(
        body(response),
        json!({
            "messageId": "3f0c-id",
            "status": "failed",
            "acceptedAt": "2026-11-24T14:05:00.250Z",
            "reportedAt": "2026-11-24T14:05:04.257Z",
            "timeToReportMs": 4007,
            "code": 4006,
            "meaning": "the phone could not be reached",
            "fix": "have the person try again: it is off or without network",
            "oktaEventId": "uS58evt",
            "requestType": "com.okta.user.telephony.pre-enrollment",
            "channel": "sms",
            "country": "US",
            "provider": "acs",
            "senderType": "tollfree",
            "attempts": 1,
            "segments": 2,
            "numberHash": "a5".repeat(16),
            "traceId": "0b".repeat(16),
        })
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let at = NOW_MS - NOW_MS % 1000;
    for (reported, expected) in [
        (delivered(at), json!({ "status": "delivered", "code": 2000 })),
        (failed(at, None), json!({ "status": "failed" })),
        (failed(at, Some(4011)), json!({ "status": "failed", "code": 4011 })),
        (
            failed(at, Some(5002)),
            json!({
                "status": "unconfirmed",
                "code": 5002,
                "meaning": "the carrier gives no delivery reports",
                "fix": "nothing to do: it may have been delivered",
            }),
        ),
    ] {
        let mut expected = expected;
        expected["messageId"] = "3f0c-id".into();
        expected["reportedAt"] = "2026-11-24T14:06:00.000Z".into();
        assert_eq!(body(json_one(&delivery(None, Some(reported)), None)), expected);
    }
    // A moment that no calendar has.
    let nowhere = body(json_one(&delivery(None, Some(delivered(Moment::MAX))), None));
    assert_eq!(nowhere["reportedAt"], "1970-01-01T00:00:00.000Z");
}

#[test]
fn the_list_is_in_order_and_counted() {
    let deliveries =
        ["b", "a"].map(|id| Delivery { message_id: id.into(), ..delivery(None, None) });
    let list = body(json_list(&view(&deliveries)));
    let one = |id| json!({ "messageId": id, "status": "accepted" });
    assert_eq!((&list["deliveries"], &list["count"]), (&json!([one("b"), one("a")]), &json!(2)));
    let list = body(json_list(&view(&[])));
    assert_eq!((&list["deliveries"], &list["count"]), (&json!([]), &json!(0)));
}

#[test]
fn what_could_not_be_read_is_told_with_its_reason_even_if_nothing_else_is_there() {
    let reason = "an event's data is not an object".to_owned();
    let unreadable =
        Unreadable { count: 3, since: NOW_MS - 60 * MINUTE, last: NOW_MS - MINUTE, reason };
    assert_eq!(
        body(json_list(&View { unreadable: Some(&unreadable), ..view(&[]) }))["unreadable"],
        json!({
            "count": 3,
            "since": "2026-11-24T13:06:00.250Z",
            "lastAt": "2026-11-24T14:05:00.250Z",
            "reason": "an event's data is not an object",
        })
    );
    for deliveries in [&[][..], &[delivery(None, Some(delivered(NOW_MS)))]] {
        let html = html(&View { unreadable: Some(&unreadable), ..view(deliveries) });
        assert_well_formed(&html);
        let text = text_of(&html);
        for told in [
            "Could not be read: 3 of what Event Grid has brought since 2026-11-24 13:06:00.",
            "The last came at 2026-11-24 14:05:00: an event's data is not an object.",
            "docs/delivery-reports.md",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }
}

#[test]
fn a_status_that_is_not_known_is_shown_as_it_came() {
    let said = |status: Option<&str>| {
        let said = Said::Other(status.map(str::to_owned));
        [delivery(None, Some(Reported { said, ..failed(NOW_MS, Some(4006)) }))]
    };
    let told = body(json_one(&said(Some("Queued"))[0], None));
    assert_eq!(
        (&told["status"], &told["reportedStatus"]),
        (&json!("unconfirmed"), &json!("Queued"))
    );
    assert_eq!(told["code"], 4006);
    assert_eq!(body(json_one(&said(None)[0], None)).get("reportedStatus"), None);
    for (status, expected) in [(Some("Queued"), "unconfirmed (Queued)"), (None, "unconfirmed")] {
        let deliveries = said(status);
        let html = html(&view(&deliveries));
        assert_well_formed(&html);
        assert_eq!(rows(&html, "The newest 50 at most, newest first")[0][1], expected);
        assert!(rows(&html, "By code").is_empty());
    }
}

#[test]
fn the_largest_answers_have_less_than_850_kb() {
    let longest = code::CODES.iter().max_by_key(|code| code.meaning.len() + code.fix.len());
    let text = || Some("x".repeat(64));
    let largest = Delivery {
        message_id: "x".repeat(64),
        accepted: Some(Accepted {
            event_id: text(),
            request_type: text(),
            provider: "x".repeat(32),
            attempts: 10,
            segments: 100,
            sender_type: SenderKind::Alphanumeric,
            ..accepted(NOW_MS - MINUTE)
        }),
        reported: Some(Reported {
            said: Said::Other(Some("x".repeat(32))),
            code: longest.map(|known| known.code),
            ..failed(NOW_MS, None)
        }),
        canary: true,
    };
    let deliveries = vec![largest; Query::MOST];
    let bytes = json_list(&view(&deliveries)).body.len();
    assert!(bytes < 850_000, "{bytes}");
    let bytes = page(&view(&deliveries)).body.len();
    assert!(bytes < 100_000, "{bytes}");
}

#[test]
fn the_policy_lets_the_style_of_the_page_in_and_no_other() {
    let html = html(&view(&[]));
    let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    let headers = page(&view(&[])).headers;
    let policy = &headers.iter().find(|(name, _)| *name == "content-security-policy").unwrap().1;
    assert!(policy.contains(&format!("; style-src 'sha256-{hash}';")), "sha256-{hash}");
    assert!(policy.starts_with("default-src 'none';"));
    assert!(!policy.contains("unsafe"));
    assert!(headers.contains(&("content-type", "text/html; charset=utf-8".into())));
    assert!(headers.contains(&("cache-control", "no-store".into())));
}

#[test]
fn without_messages_the_page_says_how_one_comes() {
    let html = html(&view(&[]));
    assert_well_formed(&html);
    let text = text_of(&html);
    assert!(text.contains("No messages are on record yet."), "{text}");
    assert!(text.contains("ask Okta for a passcode"), "{text}");
    assert!(text.contains("In order: no problems and no warnings."), "{text}");
    assert!(!html.contains("<table"));
}

#[test]
fn one_message_that_waits_makes_a_page() {
    let deliveries = [delivery(Some(accepted(NOW_MS - MINUTE)), None)];
    let html = html(&view(&deliveries));
    assert_well_formed(&html);
    let text = text_of(&html);
    assert!(
        text.contains(
            "All messages on record: 1, from 2026-11-24 14:05:00 to 2026-11-24 14:05:00."
        ),
        "{text}"
    );
    assert!(text.contains("No reports yet."), "{text}");
    assert!(text.contains("docs/delivery-reports.md"), "{text}");
    assert_eq!(rows(&html, "By region"), [["US", "1", "0", "0", "0", "–", "–", "–"]]);
    assert_eq!(rows(&html, "By provider and kind of sender")[0][0], "acs tollfree");
    assert!(text.contains("None of the newest 1 is known to have failed."), "{text}");
}

#[test]
fn the_newest_that_were_asked_for_are_told_from_all_there_are() {
    let deliveries = vec![delivery(Some(accepted(NOW_MS)), None); 3];
    let text = |covers| text_of(&html(&View { covers, ..view(&deliveries) }));
    assert!(text(3).contains("The newest messages: 3, from"));
    assert!(text(4).contains("All messages on record: 3, from"));
}

#[test]
fn a_failure_is_told_with_its_meaning_its_fix_and_its_ids() {
    let at = NOW_MS - 2 * MINUTE;
    let mut unknown = delivery(None, Some(failed(at, None)));
    unknown.message_id = "second".into();
    let deliveries = [
        delivery(Some(accepted(at)), Some(failed(at + 900, Some(4006)))),
        unknown,
        delivery(Some(accepted(at)), Some(failed(at, Some(4011)))),
        delivery(Some(accepted(at)), Some(failed(at, Some(4006)))),
        delivery(Some(accepted(at)), Some(failed(at, Some(5002)))),
    ];
    let html = html(&view(&deliveries));
    assert_well_formed(&html);
    let (meaning, fix) =
        ("the phone could not be reached", code::look_up(Code::Acs(4006)).unwrap().fix);
    assert_eq!(
        rows(&html, "By code"),
        [
            ["4006", "2", &format!("{meaning} {fix}"), "2026-11-24 14:04:00"],
            [
                "4011",
                "1",
                "not documented ask the provider's support with the message id",
                "2026-11-24 14:04:00"
            ],
            [
                "–",
                "1",
                "no code was given ask the provider's support with the message id",
                "2026-11-24 14:04:00"
            ],
        ]
    );
    let failures = rows(&html, "The last 20 at most");
    assert_eq!(failures.len(), 4);
    assert_eq!(
        failures[0],
        [
            &format!("4006 {meaning} {fix}"),
            "2026-11-24 14:04:00",
            "US",
            "acs tollfree",
            "3f0c-id uS58evt"
        ]
    );
    assert_eq!(failures[1][2..], ["–", "–", "second –"]);
    assert!(html.contains("<a href=\"/api/deliveries/3f0c-id\">"));
    assert!(html.contains("<time datetime=\"2026-11-24T14:04:00.250Z\">"));
}

#[test]
fn only_the_list_of_messages_is_by_status() {
    let at = NOW_MS - 2 * MINUTE;
    let deliveries = [
        delivery(Some(accepted(at)), Some(failed(at, Some(4006)))),
        delivery(Some(accepted(at)), Some(delivered(at + 90_500))),
    ];
    for (status, expected) in [
        (None, &["failed", "delivered"][..]),
        (Some(Status::Failed), &["failed"]),
        (Some(Status::Delivered), &["delivered"]),
        (Some(Status::Unconfirmed), &[]),
    ] {
        let html = html(&View { status, ..view(&deliveries) });
        assert_well_formed(&html);
        let listed = rows(&html, "The newest 50 at most, newest first");
        assert_eq!(listed.iter().map(|row| &row[1]).collect::<Vec<_>>(), expected);
        assert_eq!(html.contains("<p>There is none.</p>"), expected.is_empty());
        assert_eq!(
            rows(&html, "By region"),
            [["US", "0", "1", "1", "0", "50.0 %", "0 ms", "1 min 30 s"]]
        );
        // The way back, with the limit kept.
        let all = "<a href=\"/api/deliveries?limit=500#messages\">all</a>";
        let list = html.split_once("<section id=\"messages\">").unwrap().1;
        assert_eq!(list.contains(all), status.is_some());
    }
}

pub(super) fn finding(place: Place, key: &str, fix: &str) -> Finding {
    Finding { place, key: key.into(), line: Some(3), fix: fix.into() }
}

#[test]
fn the_configuration_is_told_by_its_keys() {
    let senders = "providers[1].senders";
    let problems = [finding(Place::Settings, senders, "has no sender for GB: add one")];
    let warnings = [finding(Place::Secrets, "store.secret", "has fewer than <16> bytes")];
    let view = View { problems: &problems, warnings: &warnings, ..view(&[]) };
    let html = html(&view);
    assert_well_formed(&html);
    let text = text_of(&html);
    assert!(text.contains("settings line 3: providers[1].senders has no sender for GB"), "{text}");
    assert!(text.contains("secrets line 3: store.secret has fewer than <16> bytes"), "{text}");
    assert!(!text.contains("In order"), "{text}");
}

#[test]
fn reports_that_do_not_arrive_are_noticed() {
    let old = NOW_MS - 10 * MINUTE;
    let silent = |at| delivery(Some(accepted(at)), None);
    let told = |at| delivery(Some(accepted(at)), Some(delivered(at)));
    let list = |told_of: usize, silent_of: usize| {
        [vec![silent(old); silent_of], vec![told(old); told_of]].concat()
    };
    for (deliveries, expected) in [
        (list(0, 1), Some("No reports arrive: look at the event subscription.")),
        (list(0, 40), Some("20 of 20 have none")),
        (list(1, 1), Some("Reports are missing: look at the event subscription.")),
        (list(10, 10), Some("10 of 20 have none")),
        // They have begun to arrive, whatever was before.
        (list(11, 9), None),
        ([list(11, 0), list(0, 500)].concat(), None),
        (list(1, 0), None),
        // Too young to be missed.
        (vec![silent(old + 1); 20], Some("No reports yet.")),
        ([vec![silent(old + 1); 20], vec![told(old)]].concat(), None),
        // A report that came before the record of its message tells nothing of those that don't.
        (vec![delivery(None, Some(delivered(old)))], None),
    ] {
        let html = html(&view(&deliveries));
        let text = text_of(&html);
        assert_eq!(html.contains("class=\"notice\""), expected.is_some(), "{text}");
        assert!(text.contains(expected.unwrap_or_default()), "{expected:?}: {text}");
        // Where ACS is asked for them, it is no fault that they don't come.
        let text = text_of(&self::html(&View { asks_acs: true, ..view(&deliveries) }));
        assert_eq!(text.contains("Few reports have come."), expected.is_some(), "{text}");
        assert!(!text.contains("look at the event subscription"), "{text}");
    }
}

const HOSTILE: &str = "</title></style><script>alert(\"1\")</script>\" onload='x' &lt;&amp;";

#[test]
fn no_text_from_outside_becomes_markup() {
    let hostile = Delivery {
        message_id: HOSTILE.into(),
        accepted: Some(Accepted {
            event_id: Some(HOSTILE.into()),
            request_type: Some(HOSTILE.into()),
            ..accepted(NOW_MS)
        }),
        reported: Some(failed(NOW_MS, Some(4006))),
        canary: true,
    };
    let findings = [finding(Place::Secrets, HOSTILE, HOSTILE)];
    let deliveries = [hostile];
    let view = View { problems: &findings, warnings: &findings, ..view(&deliveries) };
    let html = html(&view);
    assert_well_formed(&html);
    // Each is there, as text: in the list of messages 3 times, with the failures 2, with the findings 4;
    // and twice as a link.
    let text = text_of(&html);
    assert_eq!(text.matches(HOSTILE).count(), 9, "{text}");
    assert_eq!(unescaped(&html).matches(HOSTILE).count(), 11);
    assert_eq!(body(json_one(&deliveries[0], None))["messageId"], HOSTILE);
}

#[test]
fn time_spans_and_rates_are_as_exact_as_anybody_needs_them() {
    for (milliseconds, expected) in [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_999, "59.9 s"),
        (60_000, "1 min 0 s"),
        (3_599_999, "59 min 59 s"),
        (3_600_000, "1 h 0 min"),
        (90_061_000, "25 h 1 min"),
    ] {
        let deliveries = [delivery(Some(accepted(0)), Some(delivered(milliseconds)))];
        assert_eq!(rows(&html(&view(&deliveries)), "By region")[0][6], expected);
    }
    // 100 % is said only if none failed.
    let mut deliveries = vec![delivery(None, Some(delivered(0))); 2000];
    deliveries.push(delivery(None, Some(failed(0, None))));
    assert_eq!(rows(&html(&view(&deliveries)), "By region")[0][5], "99.9 %");
    deliveries.pop();
    assert_eq!(rows(&html(&view(&deliveries)), "By region")[0][5], "100.0 %");
}

#[test]
fn percentiles_are_by_nearest_rank() {
    for (count, median, p95) in [
        (0, None, None),
        (1, Some(1), Some(1)),
        (2, Some(1), Some(2)),
        (3, Some(2), Some(3)),
        (19, Some(10), Some(19)),
        (20, Some(10), Some(19)),
        (21, Some(11), Some(20)),
        (1000, Some(500), Some(950)),
    ] {
        // The longest first.
        let deliveries: Vec<_> = (1..=count)
            .rev()
            .map(|time| delivery(Some(accepted(0)), Some(delivered(time))))
            .collect();
        let tally = tally::Tally::of(deliveries.iter());
        assert_eq!((tally.percentile(50), tally.percentile(95)), (median, p95), "{count}");
    }
}

#[test]
fn no_rate_counts_a_canary() {
    let ended = |report, canary| Delivery { canary, ..delivery(Some(accepted(0)), Some(report)) };
    let deliveries = [ended(delivered(1), true), ended(failed(9, None), false)];
    let tally = tally::Tally::of(deliveries.iter());
    assert_eq!((tally.success(), tally.percentile(95)), (Some(0), Some(9)));
    let mut day = Day::new(NOW_MS);
    day.count(&Delivery { canary: true, ..delivery(Some(accepted(NOW_MS)), None) });
    assert_eq!(day.hours.iter().map(Hour::sent).sum::<u64>() + day.lately.messages[0], 0);
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    let regions = prop::sample::select(vec!["US", "GB", "DE", ""]);
    let senders = [SenderKind::Shortcode, SenderKind::Longcode, SenderKind::Alphanumeric];
    let seen = (0..900_u64, regions, prop::sample::select(senders.to_vec()));
    let seen = seen.prop_map(|(at, region, sender_type)| Accepted {
        region: Region::parse(region),
        sender_type,
        ..accepted(at)
    });
    let codes = prop::sample::select(vec![None, Some(4006), Some(4005), Some(4011), Some(5002)]);
    let reported = (0..900_u64, any::<bool>(), codes).prop_map(|(at, delivered, code)| Reported {
        at,
        said: if delivered { Said::Delivered } else { Said::Failed },
        code: code.map(Code::Acs),
    });
    (prop::option::weighted(0.9, seen), prop::option::weighted(0.8, reported))
        .prop_map(|(accepted, reported)| delivery(accepted, reported))
}

/// The rows of a table by the most plodding way there is.
fn naive(deliveries: &[Delivery], name: fn(&Accepted) -> String) -> Vec<Vec<String>> {
    let mut by_name: BTreeMap<String, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        // Behind all letters.
        let name = delivery.accepted.as_ref().map_or("–".into(), name);
        by_name.entry(name).or_default().push(delivery);
    }
    let mut groups: Vec<_> = by_name.into_iter().collect();
    groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let row = |(name, members): (String, Vec<&Delivery>)| {
        let name = name.replace('–', "not known");
        let count = |status| members.iter().filter(|delivery| delivery.status() == status).count();
        let (delivered, failed) = (count(Status::Delivered), count(Status::Failed));
        let mut times: Vec<_> =
            members.iter().filter_map(|delivery| delivery.time_to_report()).collect();
        times.sort();
        let percentile = |percent: f64| {
            let rank = (times.len() as f64 * percent).ceil() as usize;
            times
                .get(rank.wrapping_sub(1))
                .map_or("–".into(), |t| format!("{} ms", t.as_millis()))
        };
        let success = 1000.0 * delivered as f64 / (delivered + failed) as f64;
        vec![
            name,
            count(Status::Accepted).to_string(),
            delivered.to_string(),
            failed.to_string(),
            count(Status::Unconfirmed).to_string(),
            if success.is_nan() {
                "–".into()
            } else {
                format!("{:.1} %", success.floor() / 10.0)
            },
            percentile(0.5),
            percentile(0.95),
        ]
    };
    groups.into_iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_tables_say_what_counting_by_hand_says(
        deliveries in prop::collection::vec(any_delivery(), 1..60),
    ) {
        let html = html(&view(&deliveries));
        assert_well_formed(&html);
        let region = |accepted: &Accepted| accepted.region.map_or("–".into(), |region| region.to_string());
        prop_assert_eq!(rows(&html, "By region"), naive(&deliveries, region));
        let sender = |accepted: &Accepted| format!("acs {}", accepted.sender_type.name());
        prop_assert_eq!(rows(&html, "By provider and kind of sender"), naive(&deliveries, sender));

        let total = |status: Status| {
            let head = format!("status={}#messages\">{}</a></dt><dd>", status.name(), status.name());
            html.split_once(&head).unwrap().1.split_once('<').unwrap().0.to_owned()
        };
        for status in Status::ALL {
            let count = deliveries.iter().filter(|delivery| delivery.status() == status).count();
            prop_assert_eq!(total(status), count.to_string());
        }

        let failures = deliveries.iter().filter(|delivery| delivery.status() == Status::Failed);
        let codes: Vec<_> = failures.map(|d| d.reported.as_ref().unwrap().code).collect();
        for row in rows(&html, "By code") {
            let count = codes.iter().filter(|code| code.map_or("–".into(), |c| c.to_string()) == row[0]);
            prop_assert_eq!(count.count().to_string(), row[1].clone());
        }
        prop_assert_eq!(rows(&html, "The last 20 at most").len(), codes.len().min(20));
    }

    #[test]
    fn any_text_is_shown_as_it_is(text in "\\PC{0,40}") {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut one = delivery(Some(accepted(NOW_MS)), None);
        one.accepted.as_mut().unwrap().event_id = Some(text.clone());
        let html = html(&view(&[one]));
        assert_well_formed(&html);
        prop_assert_eq!(&rows(&html, "The newest 50 at most, newest first")[0][7], &text);
    }
}

#[test]
fn a_thousand_messages_make_a_page_of_the_newest() {
    let deliveries: Vec<_> = (0..1000)
        .map(|index| {
            let at = NOW_MS - index * MINUTE;
            Delivery {
                message_id: format!("id-{index}"),
                ..delivery(Some(accepted(at)), Some(failed(at + index, Some(index as u16))))
            }
        })
        .collect();
    let html = html(&View { covers: 1000, ..view(&deliveries) });
    assert_well_formed(&html);
    let listed = rows(&html, "The newest 50 at most, newest first");
    assert_eq!((listed.len(), listed[0][6].as_str()), (50, "id-0"));
    let failures = rows(&html, "The last 20 at most");
    assert_eq!((failures.len(), failures[19][4].as_str()), (20, "id-19 uS58evt"));
    assert_eq!(rows(&html, "By code").len(), 1000);
    assert_eq!(
        rows(&html, "By region"),
        [["US", "0", "0", "1000", "0", "0.0 %", "499 ms", "949 ms"]]
    );
}

/// Made-up messages, newest first: most of them by day, some of them failed.
fn made_up(count: u64, span: Moment) -> Vec<Delivery> {
    let mut random = 7_u64;
    let mut next = |below: u64| {
        // Knuth's multiplier: the numbers only have to look uneven, and to be the same each time.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut deliveries: Vec<_> = (0..count)
        .map(|index| {
            // Of two moments the one nearer to noon, so that nights are quiet.
            let from_noon = |age: &Moment| ((NOW_MS - age) % 86_400_000).abs_diff(43_200_000);
            let age = (0..3).map(|_| next(span)).min_by_key(from_noon).unwrap();
            let at = NOW_MS - age;
            let region =
                ["DE", "DE", "DE", "DE", "DE", "US", "US", "GB", "FR", "ZA"][next(10) as usize];
            let provider = if next(4) == 0 { "infobip" } else { "acs" };
            let sent = Accepted {
                region: Region::parse(region),
                provider: provider.into(),
                sender_type: SenderKind::Alphanumeric,
                ..accepted(at)
            };
            let took = 800 + next(9000);
            let reported = match next(if region == "ZA" { 30 } else { 100 }) {
                _ if took > age => None,
                0 => None,
                1 => Some(failed(at + took, Some(4006))),
                2 => Some(failed(at + took, Some(4005))),
                3 if provider == "infobip" => {
                    Some(Reported { code: Some(Code::Infobip(27)), ..failed(at + took, None) })
                }
                4 => Some(failed(at + took, Some(5002))),
                _ => Some(delivered(at + took)),
            };
            Delivery {
                message_id: format!("20261124144757b7b2efa9-9fcb-41cb-98c7-{index:012}"),
                ..delivery(Some(sent), reported)
            }
        })
        .collect();
    deliveries.sort_by_key(|delivery| std::cmp::Reverse(delivery.at()));
    deliveries
}

fn made_up_block(is_country: bool, would_have_stopped: u64) -> Block {
    Block {
        id: if is_country { "ZA".into() } else { "b3f9a1c2".into() },
        is_country,
        country: Some("ZA".into()),
        since: NOW_MS - 180 * MINUTE,
        until: NOW_MS + 540 * MINUTE,
        is_probing: false,
        sends: 60,
        used: 1,
        numbers: 58,
        would_have_stopped: Some(would_have_stopped),
    }
}

fn made_up_guarded(day: &Day) -> Guarded {
    let mut guarded = Guarded {
        feed: Feed { newest: Some(NOW_MS - 20_000), is_alive: true },
        used: day.hours.map(|hour| hour.delivered() * 9 / 10),
        newest: Rate { used: 42, unused: 8, left_out: 0 },
        stopped: 870,
        countries: [
            ("DE", 3100, 402, 300),
            ("US", 1200, 200, 90),
            ("GB", 640, 80, 20),
            ("FR", 610, 66, 30),
            ("ZA", 9, 540, 3),
        ]
        .map(|(name, used, unused, left_out)| (name.to_owned(), Rate { used, unused, left_out }))
        .into(),
        providers: vec![
            ("acs".into(), Rate { used: 4200, unused: 980, left_out: 330 }),
            ("infobip".into(), Rate { used: 1359, unused: 308, left_out: 113 }),
        ],
        blocks: vec![made_up_block(true, 733), made_up_block(false, 141)],
        ..Guarded::default()
    };
    for (index, unsent) in guarded.unsent.iter_mut().enumerate() {
        let by_guard = if index > 20 { 290 } else { 0 };
        *unsent =
            Unsent { by_policy: index as u64 % 5, by_guard, failed: u64::from(index == 14) * 30 };
    }
    guarded
}

#[test]
fn a_full_store_makes_a_page_that_is_small() {
    let deliveries = made_up(10_000, 26 * 60 * MINUTE);
    let view = View { slots: 10_000, ..view(&deliveries) };
    let guarded = made_up_guarded(view.day);
    let html = html(&View { deliveries: &deliveries[..500], guarded: Ok(&guarded), ..view });
    assert_well_formed(&html);
    assert!(html.len() < 100_000, "{}", html.len());
}

/// `cargo test --lib deliveries::tests::pages -- --ignored`
#[test]
#[ignore = "writes pages to look at"]
fn pages_of_made_up_messages() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pages");
    std::fs::create_dir_all(folder).unwrap();
    let deliveries = made_up(10_000, 26 * 60 * MINUTE);
    let full = View { slots: 100_000, ..view(&deliveries) };
    let full = View { deliveries: &deliveries[..500], ..full };
    let shadow = made_up_guarded(full.day);
    let blocks = shadow.blocks.iter().cloned();
    let blocks = blocks.map(|block| Block { would_have_stopped: None, ..block }).collect();
    let enforce = Guarded { enforces: true, blocks, ..shadow.clone() };
    let stale = Guarded {
        feed: Feed { newest: Some(NOW_MS - 120 * MINUTE), is_alive: false },
        blocks: vec![],
        ..shadow.clone()
    };
    let mut few = made_up(300, 20 * 24 * 60 * MINUTE);
    few.retain(|delivery| delivery.at() < NOW_MS - 180 * MINUTE);
    for (name, view) in [
        ("off", View { slots: 10_000, ..full }),
        ("shadow", View { guarded: Ok(&shadow), ..full }),
        ("enforce", View { guarded: Ok(&enforce), ..full }),
        ("stale", View { guarded: Ok(&stale), ..full }),
        ("quiet", view(&few)),
        ("empty", view(&[])),
    ] {
        std::fs::write(format!("{folder}/{name}.html"), html(&view)).unwrap();
    }
}
