//! The page. Without a script, and without anything that it would have to load.

use std::time::Duration;

use time::OffsetDateTime;

use super::html::Html;
use super::tally::{Tally, groups};
use super::{PATH, VARY, milliseconds_to_report, rfc3339, trouble};
use crate::config::Finding;
use crate::handled::Response;
use crate::ports::milliseconds;
use crate::records::{Delivery, Moment, Status};

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The newest messages, newest first, whatever became of them.
    pub deliveries: &'a [Delivery],
    /// How many of the newest were asked for.
    pub covers: usize,
    /// Only those of which this became are in the list of messages. The numbers are of all: a success
    /// rate of the failed alone would tell nothing.
    pub status: Option<Status>,
    /// What keeps messages from being sent.
    pub problems: &'a [Finding],
    /// What works, and should be otherwise.
    pub warnings: &'a [Finding],
    /// When it was asked.
    pub now: OffsetDateTime,
}

/// Nothing is loaded, run, framed or posted, and of styles there is the one of the page, by its hash. It
/// keeps browsers from asking for an icon, too, which is an image.
const POLICY: &str = "default-src 'none'; style-src 'sha256-1zp+4HvSCyT0XZ3RGLpVNOdhz+zZI5sZnGKplZvhIKw='; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    VARY,
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Deliveries</title>
<style>"#;

const STYLE: &str = include_str!("page.css");

/// The most messages in the list.
const LISTED: usize = 50;

/// The most failures in the list.
const FAILURES_LISTED: usize = 20;

/// A report that takes longer than this is missed.
const PATIENCE: Duration = Duration::from_secs(600);

/// So many of the newest messages for which a report is due tell whether reports arrive. By all of them,
/// those from before the reports were set up would be missed for days.
const SAMPLE: usize = 20;

/// Where reports are set up.
const SET_UP: &str = "docs/delivery-reports.md";

/// What there is to see.
pub fn page(view: &View<'_>) -> Response {
    let mut html = Html::default();
    html.raw(HEAD).raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n<h1>Deliveries</h1>\n");
    html.lead(view);
    html.findings("problems", "The configuration keeps messages from being sent", view.problems);
    if !view.deliveries.is_empty() {
        html.reports(view);
        html.totals(view);
        html.raw("<section>\n<h2>Regions and senders</h2>\n<div class=\"pair\">\n");
        html.tallies("By region", "Region", view.deliveries, region_key, region);
        html.tallies("By kind of sender", "Sender", view.deliveries, sender_key, sender);
        html.raw("</div>\n</section>\n");
        html.failures(view.deliveries);
        html.newest(view);
    }
    html.findings("warnings", "Warnings about the configuration", view.warnings);
    if view.problems.is_empty() && view.warnings.is_empty() {
        html.raw("<h2>Configuration</h2>\n<p>In order: no problems and no warnings.</p>\n");
    }
    html.raw("</main>\n</body>\n</html>\n");
    let headers = HEADERS.map(|(name, value)| (name, value.into())).into();
    Response { status: 200, headers, body: html.into_bytes() }
}

/// What stands for what is not known.
const UNKNOWN: &str = "–";

impl Html {
    /// What the page covers.
    fn lead(&mut self, view: &View<'_>) {
        let ([newest, ..], [.., oldest]) = (view.deliveries, view.deliveries) else {
            self.raw(
                "<p>No messages yet. The first is here as soon as Azure Communication Services has taken it from the \
                 hook: ask Okta for a passcode by SMS, then load this page again.</p>\n",
            );
            return;
        };
        let count = view.deliveries.len();
        let fewer = count < view.covers;
        self.raw(if fewer { "<p>All messages on record: " } else { "<p>The newest messages: " });
        self.number(count as u64).raw(", from ").moment(oldest.at());
        self.raw(" to ").moment(newest.at());
        self.raw("; looked up at ").moment(milliseconds(view.now)).raw(". Times are UTC.</p>\n");
    }

    /// What there is to say of the configuration, if anything.
    fn findings(&mut self, class: &'static str, title: &'static str, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.raw("<section class=\"notice ").raw(class).raw("\">\n<h2>").raw(title);
        self.raw("</h2>\n<ul>\n");
        for finding in findings {
            self.raw("<li><code>").text(finding.variable).raw("</code> ").text(&finding.fix);
            self.raw("</li>\n");
        }
        self.raw("</ul>\n</section>\n");
    }

    /// Whether reports arrive, if they don't.
    fn reports(&mut self, view: &View<'_>) {
        let due = milliseconds(view.now).saturating_sub(PATIENCE.as_millis() as u64);
        let is_due = |delivery: &&Delivery| delivery.accepted.as_ref().is_some_and(|a| a.at <= due);
        let sample = || view.deliveries.iter().filter(is_due).take(SAMPLE);
        let missed = sample().filter(|delivery| delivery.reported.is_none()).count();
        let looked_at = sample().count();
        if missed > 0 && missed * 2 >= looked_at {
            self.raw("<p class=\"notice\"><strong>");
            self.raw(if missed == looked_at { "No reports arrive" } else { "Reports are missing" });
            self.raw(
                ": look at the event subscription.</strong> Of the newest messages that are older than 10 minutes, ",
            );
            self.number(missed as u64).raw(" of ").number(looked_at as u64);
            self.raw(" have none. How it is set up: ").raw(SET_UP).raw(".</p>\n");
        } else if view.deliveries.iter().all(|delivery| delivery.reported.is_none()) {
            self.raw(
                "<p class=\"notice\">No reports yet. Carriers take seconds, some of them minutes. How reports are set \
                 up: ",
            );
            self.raw(SET_UP).raw(".</p>\n");
        }
    }

    /// What became of all of them together.
    fn totals(&mut self, view: &View<'_>) {
        let tally = Tally::of(view.deliveries.iter());
        self.raw("<dl class=\"tiles\">\n<div><dt>");
        self.list_link(view, None).raw("</dt><dd>").number(view.deliveries.len() as u64);
        self.raw("</dd></div>\n");
        for status in Status::ALL {
            self.raw("<div class=\"").raw(status.name()).raw("\"><dt>");
            self.list_link(view, Some(status)).raw("</dt><dd>").number(tally.count(status));
            self.raw("</dd></div>\n");
        }
        self.raw("<div><dt>success</dt><dd>").rate(tally.success());
        self.raw("</dd></div>\n<div><dt>median time</dt><dd>").span(tally.percentile(50));
        self.raw("</dd></div>\n<div><dt>p95 time</dt><dd>").span(tally.percentile(95));
        self.raw(
            "</dd></div>\n</dl>\n<p class=\"quiet\">Accepted: no report yet. Unconfirmed: the carrier gives no reports. \
             Success: the delivered out of the delivered and the failed. Times are from Azure’s acceptance to the \
             report; median and p95 are the shortest time that 50 or 95 % of the messages did not exceed.</p>\n",
        );
    }

    /// The table of the messages by what they share.
    fn tallies(
        &mut self,
        caption: &'static str,
        head: &'static str,
        deliveries: &[Delivery],
        key: fn(&Delivery) -> Option<u32>,
        name: fn(&Delivery) -> &str,
    ) {
        let heads =
            [head, "Accepted", "Delivered", "Failed", "Unconfirmed", "Success", "Median", "p95"];
        self.table("numbers", caption, &heads);
        for group in groups(deliveries, key) {
            let tally = Tally::of(group.iter().copied());
            let name = group.first().map_or(UNKNOWN, |first| name(first));
            let name = if name == UNKNOWN { "not known" } else { name };
            self.raw("<tr><th scope=\"row\">").text(name).raw("</th>");
            for status in Status::ALL {
                self.raw("<td>").number(tally.count(status)).raw("</td>");
            }
            self.raw("<td>").rate(tally.success()).raw("</td><td>").span(tally.percentile(50));
            self.raw("</td><td>").span(tally.percentile(95)).raw("</td></tr>\n");
        }
        self.end_table();
    }

    /// Why messages failed: all of them by code, and the last one by one.
    fn failures(&mut self, deliveries: &[Delivery]) {
        self.raw("<section>\n<h2>Failures</h2>\n");
        let by_code = groups(deliveries, failure_key);
        if by_code.is_empty() {
            self.raw("<p>None of them is known to have failed.</p>\n</section>\n");
            return;
        }
        self.table("", "By code", &["Code", "Messages", "Meaning, and what helps"]);
        for group in &by_code {
            let Some(first) = group.first() else { continue };
            self.raw("<tr><th scope=\"row\">").code(first).raw("</th><td>");
            self.number(group.len() as u64).raw("</td><td class=\"why\">").explained(first);
            self.raw("</td></tr>\n");
        }
        self.end_table();
        let heads =
            ["Time", "Code, meaning, and what helps", "Region", "Sender", "Message and event"];
        self.table("", "The last 20 at most", &heads);
        let failed = deliveries.iter().filter(|delivery| delivery.status() == Status::Failed);
        for delivery in failed.take(FAILURES_LISTED) {
            self.raw("<tr><td>").moment(delivery.at()).raw("</td><td class=\"why\"><b>");
            self.code(delivery).raw("</b> ").explained(delivery).raw("</td><td>");
            self.text(region(delivery)).raw("</td><td>").text(sender(delivery));
            self.raw("</td><td class=\"ids\">").message(delivery).raw(" <span>").event(delivery);
            self.raw("</span></td></tr>\n");
        }
        self.end_table();
        self.raw("</section>\n");
    }

    /// The newest messages one by one.
    fn newest(&mut self, view: &View<'_>) {
        self.raw("<section id=\"messages\">\n<h2>Messages</h2>\n<p>List: ");
        for status in [None].into_iter().chain(Status::ALL.map(Some)) {
            if status.is_some() {
                self.raw(" · ");
            }
            if status == view.status {
                self.raw("<strong>").raw(listed(status)).raw("</strong>");
            } else {
                self.list_link(view, status);
            }
        }
        self.raw("</p>\n");
        let kept =
            |delivery: &&Delivery| view.status.is_none_or(|status| status == delivery.status());
        let mut kept = view.deliveries.iter().filter(kept).take(LISTED).peekable();
        if kept.peek().is_none() {
            self.raw("<p>There is none.</p>\n</section>\n");
            return;
        }
        let heads = [
            "Time",
            "Status",
            "Reported after",
            "Region",
            "Sender",
            "Step",
            "Message",
            "Okta’s event",
        ];
        self.table("messages", "The newest 50 at most, newest first", &heads);
        for delivery in kept {
            let status = delivery.status().name();
            self.raw("<tr><td>")
                .moment(delivery.at())
                .raw("</td><td><span class=\"status ")
                .raw(status);
            self.raw("\">")
                .raw(status)
                .raw("</span></td><td>")
                .span(milliseconds_to_report(delivery));
            self.raw("</td><td>").text(region(delivery)).raw("</td><td>").text(sender(delivery));
            let accepted = delivery.accepted.as_ref();
            // Before the last dot it is the same for all: "com.okta.user.telephony."
            let step =
                accepted.and_then(|accepted| accepted.request_type.as_deref()?.rsplit('.').next());
            self.raw("</td><td>").text(step.unwrap_or(UNKNOWN)).raw("</td><td>").message(delivery);
            self.raw("</td><td>").event(delivery).raw("</td></tr>\n");
        }
        self.end_table();
        self.raw("</section>\n");
    }

    /// A table as far as its body, in a box that scrolls where the table is too wide. Browsers that don't
    /// let the keyboard into such a box by themselves need the tabindex.
    fn table(&mut self, class: &'static str, caption: &'static str, heads: &[&'static str]) {
        self.raw("<div class=\"box\" tabindex=\"0\" role=\"group\" aria-label=\"").raw(caption);
        self.raw("\">\n<table class=\"").raw(class).raw("\">\n<caption>").raw(caption);
        self.raw("</caption>\n<thead><tr>");
        for head in heads {
            self.raw("<th scope=\"col\">").raw(head).raw("</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
    }

    fn end_table(&mut self) {
        self.raw("</tbody>\n</table>\n</div>\n");
    }

    /// A link to the list of those of which this became.
    fn list_link(&mut self, view: &View<'_>, status: Option<Status>) -> &mut Self {
        self.raw("<a href=\"").raw(PATH).raw("?limit=").number(view.covers as u64);
        if let Some(status) = status {
            self.raw("&amp;status=").raw(status.name());
        }
        self.raw("#messages\">").raw(listed(status)).raw("</a>")
    }

    /// A message's id, which leads to all that is known of it.
    fn message(&mut self, delivery: &Delivery) -> &mut Self {
        self.raw("<a href=\"").raw(PATH).raw("/").text(&delivery.message_id).raw("\"><code>");
        self.text(&delivery.message_id).raw("</code></a>")
    }

    /// Okta's id of the hook call.
    fn event(&mut self, delivery: &Delivery) -> &mut Self {
        match delivery.accepted.as_ref().and_then(|accepted| accepted.event_id.as_deref()) {
            Some(id) => self.raw("<code>").text(id).raw("</code>"),
            None => self.raw(UNKNOWN),
        }
    }

    /// The code that a report gave.
    fn code(&mut self, delivery: &Delivery) -> &mut Self {
        match delivery.reported.as_ref().and_then(|reported| reported.code) {
            Some(code) => self.number(code.into()),
            None => self.raw(UNKNOWN),
        }
    }

    /// What a failure's code means, and what helps.
    fn explained(&mut self, delivery: &Delivery) -> &mut Self {
        const ASK: &str = "ask Azure support with the message id";
        let given = delivery.reported.as_ref().and_then(|reported| reported.code);
        let (meaning, fix) = match (trouble(delivery), given) {
            (Some(code), _) => (code.meaning, code.fix),
            (None, Some(_)) => ("not documented", ASK),
            (None, None) => ("no code was given", ASK),
        };
        self.text(meaning).raw(" <span>").text(fix).raw("</span>")
    }

    /// A moment to the second; to the millisecond for machines.
    fn moment(&mut self, moment: Moment) -> &mut Self {
        let Some(text) = rfc3339(moment) else { return self.raw(UNKNOWN) };
        let (date, time) = text.split_at(10);
        self.raw("<time datetime=\"").text(&text).raw("\">").text(date).raw(" ");
        self.text(&time[1..9]).raw("</time>")
    }

    /// A time span in milliseconds, as exact as anybody needs it, and rounded down.
    fn span(&mut self, milliseconds: Option<u64>) -> &mut Self {
        let Some(milliseconds) = milliseconds else { return self.raw(UNKNOWN) };
        let seconds = milliseconds / 1000;
        match seconds {
            0 => self.number(milliseconds).raw(" ms"),
            1..60 => self.number(seconds).raw(".").number(milliseconds / 100 % 10).raw(" s"),
            60..3600 => self.number(seconds / 60).raw(" min ").number(seconds % 60).raw(" s"),
            _ => self.number(seconds / 3600).raw(" h ").number(seconds / 60 % 60).raw(" min"),
        }
    }

    /// A rate in thousandths.
    fn rate(&mut self, rate: Option<u64>) -> &mut Self {
        match rate {
            Some(rate) => self.number(rate / 10).raw(".").number(rate % 10).raw(" %"),
            None => self.raw(UNKNOWN),
        }
    }
}

fn listed(status: Option<Status>) -> &'static str {
    status.map_or("all", Status::name)
}

fn region(delivery: &Delivery) -> &str {
    let region = delivery.accepted.as_ref().and_then(|accepted| accepted.region.as_ref());
    region.map_or(UNKNOWN, |region| region.code())
}

/// After all others, where it is not known.
fn region_key(delivery: &Delivery) -> Option<u32> {
    let region = delivery.accepted.as_ref().and_then(|accepted| accepted.region);
    let letters = |code: &str| code.bytes().fold(0, |key, letter| key << 8 | u32::from(letter));
    Some(region.map_or(u32::MAX, |region| letters(region.code())))
}

fn sender(delivery: &Delivery) -> &str {
    delivery.accepted.as_ref().map_or(UNKNOWN, |accepted| accepted.sender_type.name())
}

fn sender_key(delivery: &Delivery) -> Option<u32> {
    Some(delivery.accepted.as_ref().map_or(u32::MAX, |accepted| accepted.sender_type as u32))
}

/// Of those that failed only.
fn failure_key(delivery: &Delivery) -> Option<u32> {
    let reported = delivery.reported.as_ref()?;
    let failed = reported.status() == Status::Failed;
    failed.then(|| reported.code.map_or(u32::MAX, u32::from))
}
