//! The page. Without a script, and without anything that it would have to load.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::Chart;
use super::day::Day;
use super::guarded::{Block, Guarded, Rate};
use super::tally::{Tally, groups};
use super::text::{UNKNOWN, explained, messages, percent, rfc3339, since, span};
use super::verdict::Verdict;
use super::{PATH, milliseconds_to_report};
use crate::message::Channel;
use crate::ports::Response;
use crate::records::code::Code;
use crate::records::{Accepted, Delivery, Moment, Reported, Status, Unreadable};
use crate::settings::Finding;

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The newest messages, newest first; on the page whatever became of them.
    pub deliveries: &'a [Delivery],
    /// All messages of the last 24 hours.
    pub day: &'a Day,
    /// How many messages there is room for.
    pub slots: u32,
    /// What the guard's ledger adds, or why it adds nothing.
    pub guarded: Result<&'a Guarded, &'a str>,
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
}

/// Nothing is loaded, run, framed or posted, and of styles there is the one of the page, by its hash. It
/// keeps browsers from asking for an icon, too, which is an image.
const POLICY: &str = "default-src 'none'; style-src 'sha256-1SZiXlBnKgsoUxgC9FWk9rU8yo5jAe/H9859eGmETv0='; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("page.css");

/// The most messages in the list.
const LISTED: usize = 50;

/// The most failures in the list.
const FAILURES_LISTED: usize = 20;

/// The most blocks in the list.
const BLOCKS_LISTED: usize = 50;

/// A report that has not come after this time counts as missing.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many of the newest messages whose report is due are looked at to see whether reports arrive. Of all
/// messages, those from before the reports were set up would count as missing for days.
const SAMPLE: usize = 20;

/// Where reports are set up.
const SET_UP: &str = "docs/delivery-reports.md";

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
                    (verdict(view))
                    (findings("problems", "The configuration keeps messages from being sent", view.problems))
                    (unreadable(view))
                    @if !view.deliveries.is_empty() {
                        (reports(view))
                    }
                    (day(view))
                    @if let Ok(guarded) = view.guarded {
                        (blocks(guarded, view.day.now))
                    }
                    @if !view.deliveries.is_empty() {
                        (failures(view))
                    }
                    (used(view))
                    @if !view.deliveries.is_empty() {
                        section {
                            h2 { "Totals" }
                            (lead(view))
                            (totals(view))
                            div class="pair" {
                                (tallies("By region", "Region", view.deliveries, region))
                                (tallies("By provider and kind of sender", "Sender", view.deliveries, sender))
                            }
                        }
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

/// What an operator wants to know first.
fn verdict(view: &View<'_>) -> Markup {
    let Verdict { level, sentences } = Verdict::of(view);
    html! {
        div class={ "verdict " (level.name()) } {
            @for sentence in &sentences {
                p { (sentence) }
            }
            @if view.day.lately.sent() == 0 && view.day.newest.is_some() {
                p { "If people wait for codes now: docs/runbook.md, “Nobody gets a code”." }
            } @else if view.day.newest.is_none() {
                p {
                    "The first message is here as soon as a provider has taken it from the hook: ask Okta for a passcode by \
                     SMS, then load this page again."
                }
            }
        }
        p class="quiet" { "Looked up at " (moment(view.day.now)) ". All times are UTC." }
    }
}

/// The last 24 hours as a chart.
fn day(view: &View<'_>) -> Markup {
    let chart = Chart {
        hours: &view.day.hours,
        used: view.guarded.ok().map(|it| &it.used),
        unsent: view.guarded.ok().map(|it| &it.unsent),
    };
    html! {
        @if !chart.is_empty() {
            section {
                h2 { "The last 24 hours" }
                (chart.figure())
                @if view.day.fills(view.slots) {
                    p class="quiet" {
                        "The store has room for " (view.slots) " messages, and older ones are gone. So the first hours show \
                         too few: raise " code { "records.slots" } "."
                    }
                }
            }
        }
    }
}

/// What was used, of which only Okta's events tell.
fn used(view: &View<'_>) -> Markup {
    html! {
        section {
            h2 { "Used passcodes" }
            @match view.guarded {
                Err(why) => p { (why) },
                Ok(guarded) => {
                    p {
                        @match guarded.feed.newest {
                            None => { "No event of Okta’s has come." }
                            Some(newest) if guarded.feed.is_alive => { "Okta’s events come: the newest is of " (moment(newest)) "." }
                            Some(newest) => { strong { "Okta’s events have stopped" } ": the newest is of " (moment(newest)) "." }
                        }
                    }
                    div class="pair" {
                        (rates("Used, by country", "Country", &guarded.countries))
                        (rates("Used, by provider", "Provider", &guarded.providers))
                    }
                    p class="quiet" {
                        "Of the last 24 hours. Left out: passcodes that people still have time for, those that another one \
                         followed, and those of people who signed in by other means."
                    }
                }
            }
        }
    }
}

/// How many passcodes were used, by what they share.
fn rates(caption: &str, head: &str, rates: &[(String, Rate)]) -> Markup {
    let rows = html! {
        @for (name, rate) in rates {
            tr {
                th scope="row" { (name) }
                td { (rate.used) }
                td { (rate.unused) }
                td { (rate.left_out) }
                td { (known(rate.thousandths().map(percent))) }
            }
        }
    };
    html! {
        @if !rates.is_empty() {
            (table("numbers", caption, &[head, "Used", "Not used", "Left out", "Conversion"], rows))
        }
    }
}

/// What the guard stops, why, and how to let it through again.
fn blocks(guarded: &Guarded, now: Moment) -> Markup {
    let does = if guarded.enforces { "stops" } else { "would stop" };
    let rows = html! {
        @for block in guarded.blocks.iter().take(BLOCKS_LISTED) {
            tr {
                th scope="row" { code { (block.id) } }
                td class="why" {
                    (numbers(block))
                    @if let Some(count) = block.would_have_stopped { ": " b { (messages(count)) } }
                    span { (block.used) " of " (block.sends) " used, to " (block.numbers) " numbers" }
                }
                td {
                    (since(block.since, now)) " to " (since(block.until, now))
                    @if block.is_probing { ", now a few to see" }
                }
            }
        }
    };
    html! {
        section {
            h2 { "Blocks" }
            @if guarded.is_outage {
                p { "Hardly any passcode is used, anywhere. That is an outage and no attack, so the guard stops nothing new." }
            }
            @if guarded.blocks.is_empty() {
                p { "The guard " (does) " nothing now." }
            } @else {
                p {
                    @if guarded.enforces { "The guard has stopped " } @else { "The guard is in shadow, and would have stopped " }
                    (messages(guarded.stopped)) " in 24 hours."
                }
                (table("", &["What the guard ", does].concat(), &["Id", "Numbers, and why", "Time"], rows))
                p class="quiet" {
                    @if guarded.blocks.len() > BLOCKS_LISTED {
                        "These are the last " (BLOCKS_LISTED) " of " (guarded.blocks.len()) ". "
                    }
                    "To let messages to these numbers through, add the id to " code { "guard.lifted" } " of the settings: docs/guard.md."
                }
            }
        }
    }
}

/// The numbers of a block.
fn numbers(block: &Block) -> String {
    match (&block.country, block.is_country) {
        (Some(country), true) => format!("all of {country}"),
        (Some(country), false) => format!("10,000 of {country}"),
        (None, true) => "a country".into(),
        (None, false) => "10,000 numbers".into(),
    }
}

/// Which messages the lists cover.
fn lead(view: &View<'_>) -> Markup {
    html! {
        p {
            @if let ([newest, ..], [.., oldest]) = (view.deliveries, view.deliveries) {
                @let count = view.deliveries.len();
                @if count < view.covers { "All messages on record: " } @else { "The newest messages: " }
                (count) ", from " (moment(oldest.at())) " to " (moment(newest.at())) "."
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
    let due = view.day.now.saturating_sub(PATIENCE.as_millis() as u64);
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
            div { dt { "success" } dd { (known(tally.success().map(percent))) } }
            div { dt { "median time" } dd { (known(tally.percentile(50).map(span))) } }
            div { dt { "p95 time" } dd { (known(tally.percentile(95).map(span))) } }
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
                td { (known(tally.success().map(percent))) }
                td { (known(tally.percentile(50).map(span))) }
                td { (known(tally.percentile(95).map(span))) }
            }
        }
    };
    table("numbers", caption, &heads, rows)
}

/// Why messages failed: a table by code, and one of the newest failures.
fn failures(view: &View<'_>) -> Markup {
    let failed: Vec<&Delivery> = with_status(view.deliveries, Some(Status::Failed)).collect();
    let by_code = html! {
        @for (code, members) in groups(failed.iter().copied(), |it| code(it).ok_or(())) {
            tr {
                @let code = code.ok();
                th scope="row" { (known(code)) }
                td { (members.len()) }
                td class="why" { (why(code)) }
                td { (moment(members[0].at())) }
            }
        }
    };
    let one_by_one = html! {
        @for delivery in failed.iter().take(FAILURES_LISTED) {
            tr {
                td class="why" { b { (known(code(delivery))) } " " (why(code(delivery))) }
                td { (moment(delivery.at())) }
                td { (region(delivery)) }
                td { (sender(delivery)) }
                td class="ids" { (message(delivery)) " " span { code { (event(delivery)) } } }
            }
        }
    };
    let heads = ["Code, meaning, and what helps", "Time", "Region", "Sender", "Message and event"];
    html! {
        section {
            h2 { "Failures" }
            @if failed.is_empty() {
                p { "None of the newest " (view.deliveries.len()) " is known to have failed." }
            } @else {
                p { (failed.len()) " of the newest " (view.deliveries.len()) " failed." }
                (table("", "By code", &["Code", "Count", "Meaning, and what helps", "Newest"], by_code))
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
                td { (known(milliseconds_to_report(delivery).map(span))) }
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
pub(super) fn table(class: &str, caption: &str, heads: &[&str], rows: Markup) -> Markup {
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
fn code(delivery: &Delivery) -> Option<Code> {
    delivery.reported.as_ref().and_then(|reported| reported.code)
}

/// What a failure's code means, and what helps.
fn why(code: Option<Code>) -> Markup {
    let (meaning, fix) = explained(code);
    html! { (meaning) " " span { (fix) } }
}

/// A moment to the second; to the millisecond for machines.
pub(super) fn moment(moment: Moment) -> Markup {
    let text = rfc3339(moment);
    // 2026-11-24T14:06:00.250Z
    html! { time datetime=(text) { (text.get(..19).unwrap_or_default().replace('T', " ")) } }
}

/// What is not known is told so.
fn known(value: Option<impl ToString>) -> String {
    value.map_or(UNKNOWN.into(), |value| value.to_string())
}
