//! The page. Without a script, and without anything that it would have to load.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::OffsetDateTime;

use super::tally::{Tally, groups};
use super::{PATH, milliseconds_to_report, rfc3339, trouble};
use crate::message::Channel;
use crate::ports::{Response, milliseconds};
use crate::records::{Accepted, Delivery, Moment, Reported, Status, Unreadable};
use crate::settings::Finding;

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The newest messages, newest first, whatever became of them.
    pub deliveries: &'a [Delivery],
    /// What Event Grid brought and could not be read, if there was any.
    pub unreadable: Option<&'a Unreadable>,
    /// How many of the newest were asked for.
    pub covers: usize,
    /// The list shows only messages with this status; None shows all. The numbers are of all messages: a
    /// success rate of the failed alone would tell nothing.
    pub status: Option<Status>,
    /// The faults of the configuration, which keep messages from being sent.
    pub problems: &'a [Finding],
    /// What the configuration should have otherwise, although it works.
    pub warnings: &'a [Finding],
    /// ACS is asked for the report of a message that somebody looks at.
    pub asks_acs: bool,
    /// When it was asked.
    pub now: OffsetDateTime,
}

/// Nothing is loaded, run, framed or posted, and of styles there is the one of the page, by its hash. It
/// keeps browsers from asking for an icon, too, which is an image.
const POLICY: &str = "default-src 'none'; style-src 'sha256-1zp+4HvSCyT0XZ3RGLpVNOdhz+zZI5sZnGKplZvhIKw='; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("page.css");

/// The most messages in the list.
const LISTED: usize = 50;

/// The most failures in the list.
const FAILURES_LISTED: usize = 20;

/// A report that has not come after this time counts as missing.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many of the newest messages whose report is due are looked at to see whether reports arrive. Of all
/// messages, those from before the reports were set up would count as missing for days.
const SAMPLE: usize = 20;

/// Where reports are set up.
const SET_UP: &str = "docs/delivery-reports.md";

/// What stands for what is not known. In the order of text it comes after all letters.
const UNKNOWN: &str = "–";

/// Makes the page.
pub fn page(view: &View<'_>) -> Response {
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { "Deliveries" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Deliveries" }
                    (lead(view))
                    (findings("problems", "The configuration keeps messages from being sent", view.problems))
                    (unreadable(view))
                    @if !view.deliveries.is_empty() {
                        (reports(view))
                        (totals(view))
                        section {
                            h2 { "Regions and senders" }
                            div class="pair" {
                                (tallies("By region", "Region", view.deliveries, region))
                                (tallies("By provider and kind of sender", "Sender", view.deliveries, sender))
                            }
                        }
                        (failures(view.deliveries))
                        (newest(view))
                    }
                    (findings("warnings", "Warnings about the configuration", view.warnings))
                    @if view.problems.is_empty() && view.warnings.is_empty() {
                        h2 { "Configuration" }
                        p { "In order: no problems and no warnings." }
                    }
                }
            }
        }
    };
    let headers = vec![
        ("content-type", "text/html; charset=utf-8".into()),
        ("cache-control", "no-store".into()),
        ("content-security-policy", POLICY.into()),
        ("referrer-policy", "no-referrer".into()),
        ("cross-origin-resource-policy", "same-origin".into()),
    ];
    Response { status: 200, headers, body: html.into_string().into_bytes() }
}

/// Which messages the page covers.
fn lead(view: &View<'_>) -> Markup {
    html! {
        p {
            @if let ([newest, ..], [.., oldest]) = (view.deliveries, view.deliveries) {
                @let count = view.deliveries.len();
                @if count < view.covers { "All messages on record: " } @else { "The newest messages: " }
                (count) ", from " (moment(oldest.at())) " to " (moment(newest.at()))
                "; looked up at " (moment(milliseconds(view.now))) ". Times are UTC."
            } @else {
                "No messages yet. The first is here as soon as Azure Communication Services has taken it from the \
                 hook: ask Okta for a passcode by SMS, then load this page again."
            }
        }
    }
}

/// A notice with findings about the configuration, if there are any.
fn findings(class: &str, title: &str, findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            section class={ "notice " (class) } {
                h2 { (title) }
                ul {
                    @for finding in findings {
                        li { (finding) }
                    }
                }
            }
        }
    }
}

/// A notice if something that arrived could not be read.
fn unreadable(view: &View<'_>) -> Markup {
    html! {
        @if let Some(Unreadable { count, since, last, reason }) = view.unreadable {
            p class="notice" {
                strong { "Could not be read: " (count) " of what Event Grid has brought since " (moment(*since)) "." }
                " The last came at " (moment(*last)) ": " (reason) ". What becomes of it: " (SET_UP) "."
            }
        }
    }
}

/// A notice if reports do not arrive.
fn reports(view: &View<'_>) -> Markup {
    let due = milliseconds(view.now).saturating_sub(PATIENCE.as_millis() as u64);
    let is_due = |delivery: &&Delivery| delivery.accepted.as_ref().is_some_and(|a| a.at <= due);
    let sample: Vec<&Delivery> = view.deliveries.iter().filter(is_due).take(SAMPLE).collect();
    let missed = sample.iter().filter(|delivery| delivery.reported.is_none()).count();
    let none_arrived = view.deliveries.iter().all(|delivery| delivery.reported.is_none());
    let most_missed = missed > 0 && missed * 2 >= sample.len();
    html! {
        @if view.asks_acs && (most_missed || none_arrived) {
            p class="notice" {
                "Few reports have come. Select a message that has none, and ACS is asked for its report. How they come by \
                 themselves: " (SET_UP) "."
            }
        } @else if most_missed {
            p class="notice" {
                strong {
                    @if missed == sample.len() { "No reports arrive" } @else { "Reports are missing" }
                    ": look at the event subscription."
                }
                " Of the newest messages that are older than 10 minutes, " (missed) " of " (sample.len())
                " have none. How it is set up: " (SET_UP) "."
            }
        } @else if none_arrived {
            p class="notice" {
                "No reports yet. Carriers take seconds, some of them minutes. How reports are set up: " (SET_UP) "."
            }
        }
    }
}

/// The numbers of all messages together.
fn totals(view: &View<'_>) -> Markup {
    let tally = Tally::of(view.deliveries);
    html! {
        dl class="tiles" {
            div { dt { (list_link(view, None)) } dd { (view.deliveries.len()) } }
            @for status in Status::ALL {
                div class=(status.name()) {
                    dt { (list_link(view, Some(status))) }
                    dd { (tally.count(status)) }
                }
            }
            div { dt { "success" } dd { (rate(tally.success())) } }
            div { dt { "median time" } dd { (span(tally.percentile(50))) } }
            div { dt { "p95 time" } dd { (span(tally.percentile(95))) } }
        }
        p class="quiet" {
            "Accepted: no report yet. Unconfirmed: the carrier gives no reports, or one that says something else. Success: the delivered out of the \
             delivered and the failed. Times are from the provider’s acceptance to the report; median and p95 are the \
             shortest time that 50 or 95 % of the messages did not exceed."
        }
    }
}

/// A table with a row for each group of messages that `name` gives the same name.
fn tallies(
    caption: &str,
    head: &str,
    deliveries: &[Delivery],
    name: fn(&Delivery) -> String,
) -> Markup {
    let heads =
        [head, "Accepted", "Delivered", "Failed", "Unconfirmed", "Success", "Median", "p95"];
    let rows = html! {
        @for (name, members) in groups(deliveries, name) {
            @let tally = Tally::of(members);
            tr {
                th scope="row" { (if name == UNKNOWN { "not known" } else { &name }) }
                @for status in Status::ALL {
                    td { (tally.count(status)) }
                }
                td { (rate(tally.success())) }
                td { (span(tally.percentile(50))) }
                td { (span(tally.percentile(95))) }
            }
        }
    };
    table("numbers", caption, &heads, rows)
}

/// Why messages failed: a table by code, and one of the newest failures.
fn failures(deliveries: &[Delivery]) -> Markup {
    let failed: Vec<&Delivery> = with_status(deliveries, Some(Status::Failed)).collect();
    let by_code = html! {
        @for (code, members) in groups(failed.iter().copied(), code) {
            tr {
                th scope="row" { (code) }
                td { (members.len()) }
                td class="why" { (explained(members[0])) }
            }
        }
    };
    let one_by_one = html! {
        @for delivery in failed.iter().take(FAILURES_LISTED) {
            tr {
                td { (moment(delivery.at())) }
                td class="why" { b { (code(delivery)) } " " (explained(delivery)) }
                td { (region(delivery)) }
                td { (sender(delivery)) }
                td class="ids" { (message(delivery)) " " span { code { (event(delivery)) } } }
            }
        }
    };
    let heads = ["Time", "Code, meaning, and what helps", "Region", "Sender", "Message and event"];
    html! {
        section {
            h2 { "Failures" }
            @if failed.is_empty() {
                p { "None of them is known to have failed." }
            } @else {
                (table("", "By code", &["Code", "Messages", "Meaning, and what helps"], by_code))
                (table("", "The last 20 at most", &heads, one_by_one))
            }
        }
    }
}

/// The list of the newest messages.
fn newest(view: &View<'_>) -> Markup {
    let listed: Vec<&Delivery> = with_status(view.deliveries, view.status).take(LISTED).collect();
    let rows = html! {
        @for delivery in &listed {
            @let status = delivery.status().name();
            tr {
                td { (moment(delivery.at())) }
                td {
                    span class={ "status " (status) } { (status) }
                    @if let Some(said) = delivery.reported.as_ref().and_then(Reported::unconfirmed_status) {
                        " (" (said) ")"
                    }
                }
                td { (span(milliseconds_to_report(delivery))) }
                td { (region(delivery)) }
                td { (sender(delivery)) }
                td { (step(delivery)) }
                td { (message(delivery)) }
                td { code { (event(delivery)) } }
            }
        }
    };
    let heads =
        ["Time", "Status", "Reported after", "Region", "Sender", "Step", "Message", "Okta’s event"];
    html! {
        section id="messages" {
            h2 { "Messages" }
            p {
                "List: "
                @for status in [None].into_iter().chain(Status::ALL.map(Some)) {
                    @if status.is_some() { " · " }
                    @if status == view.status {
                        strong { (status.map_or("all", Status::name)) }
                    } @else {
                        (list_link(view, status))
                    }
                }
            }
            @if listed.is_empty() {
                p { "There is none." }
            } @else {
                (table("messages", "The newest 50 at most, newest first", &heads, rows))
            }
        }
    }
}

/// The messages with this status, or all.
fn with_status(deliveries: &[Delivery], status: Option<Status>) -> impl Iterator<Item = &Delivery> {
    deliveries.iter().filter(move |it| status.is_none_or(|status| status == it.status()))
}

/// A table, in a box that scrolls where the table is too wide. Browsers that don't let the keyboard
/// into such a box by themselves need the tabindex.
fn table(class: &str, caption: &str, heads: &[&str], rows: Markup) -> Markup {
    html! {
        div class="box" tabindex="0" role="group" aria-label=(caption) {
            table class=(class) {
                caption { (caption) }
                thead {
                    tr {
                        @for head in heads {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

/// A link to the list of messages with this status, or of all.
fn list_link(view: &View<'_>, status: Option<Status>) -> Markup {
    let query = status.map_or(String::new(), |status| format!("&status={}", status.name()));
    let name = status.map_or("all", Status::name);
    html! {
        a href={ (PATH) "?limit=" (view.covers) (query) "#messages" } { (name) }
    }
}

/// A message's id, which leads to all that is known of it.
fn message(delivery: &Delivery) -> Markup {
    let id = &delivery.message_id;
    html! { a href={ (PATH) "/" (id) } { code { (id) } } }
}

/// Okta's id of the hook call.
fn event(delivery: &Delivery) -> &str {
    delivery.accepted.as_ref().and_then(|it| it.event_id.as_deref()).unwrap_or(UNKNOWN)
}

/// The step of Okta's that asked, by what follows the last dot. Before it, it is the same for all:
/// "com.okta.user.telephony."
fn step(delivery: &Delivery) -> &str {
    let step = delivery.accepted.as_ref().and_then(|it| it.request_type.as_deref());
    step.and_then(|step| step.rsplit('.').next()).unwrap_or(UNKNOWN)
}

fn region(delivery: &Delivery) -> String {
    known(delivery.accepted.as_ref().and_then(|it| it.region.as_ref()))
}

/// The provider, and the kind of its sender; of a call, that it is one.
fn sender(delivery: &Delivery) -> String {
    let sender = |it: &Accepted| {
        let kind = match it.channel() {
            Channel::Sms => it.sender_type.name(),
            channel @ Channel::Call => channel.name(),
        };
        [&it.provider, " ", kind].concat()
    };
    known(delivery.accepted.as_ref().map(sender))
}

/// The code that a report gave.
fn code(delivery: &Delivery) -> String {
    known(delivery.reported.as_ref().and_then(|it| it.code))
}

/// What a failure's code means, and what helps.
fn explained(delivery: &Delivery) -> Markup {
    let (meaning, fix) = match trouble(delivery) {
        Some(code) => (code.meaning, code.fix),
        None => {
            let given = delivery.reported.as_ref().is_some_and(|it| it.code.is_some());
            let meaning = if given { "not documented" } else { "no code was given" };
            (meaning, "ask the provider's support with the message id")
        }
    };
    html! { (meaning) " " span { (fix) } }
}

/// A moment to the second; to the millisecond for machines.
fn moment(moment: Moment) -> Markup {
    let text = rfc3339(moment);
    // 2026-11-24T14:06:00.250Z
    html! { time datetime=(text) { (text.get(..19).unwrap_or_default().replace('T', " ")) } }
}

/// A time span in milliseconds, as exact as anybody needs it, and rounded down.
fn span(milliseconds: Option<u64>) -> String {
    let Some(milliseconds) = milliseconds else { return UNKNOWN.into() };
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{} s", milliseconds / 100 % 10),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A rate in thousandths, in percent.
fn rate(rate: Option<u64>) -> String {
    known(rate.map(|rate| format!("{}.{} %", rate / 10, rate % 10)))
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or(UNKNOWN.into(), |value| value.to_string())
}
