//! The page with the phone, and the events that keep it up to date.
//!
//! What comes from a request is untrusted: maud escapes it here, and `phone.js` sets it as text. The
//! script clones the very elements that are made here (see [`render`]), so there is one place that
//! knows what a bubble looks like.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderName, HeaderValue, header};
use maud::{DOCTYPE, Markup, html};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::journal::{DeliveryStatus, Entry, Message, ReceivedRequest, Voice};

/// How many entries the page shows. The script gets the number in `data-max`.
pub(super) const ENTRIES_MAX: usize = 200;

/// An emulator, as the page tells of it.
pub(crate) struct Emulated {
    /// The provider that it stands for.
    pub provider: &'static str,
    pub address: SocketAddr,
    /// What else it has for a developer to look at: a path, and what is there.
    pub also: &'static [(&'static str, &'static str)],
    /// The numbers of its faults, with what each is.
    pub faults: Vec<(&'static str, &'static str)>,
    /// The name of the id by which it knows a repeat.
    pub repeats_by: &'static str,
}

pub(super) async fn css() -> impl IntoResponse {
    let css = include_str!("phone.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], css)
}

pub(super) async fn script() -> impl IntoResponse {
    let script = include_str!("phone.js");
    let content_type = "text/javascript; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], script)
}

/// Headers for everything that a browser may show: nothing but the emulator's own files is loaded,
/// no other site reads or frames them, and no content is taken for another type than it says.
pub(crate) async fn harden(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `entries` come oldest first and are shown newest first, so that the newest is in sight without
/// scrolling and without a script. `last` is where the events go on.
pub(super) fn render(
    entries: &[Entry],
    last: u64,
    emulated: &[Emulated],
    panel: Option<Markup>,
) -> Response {
    let providers: Vec<_> = emulated.iter().map(|emulator| emulator.provider).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Phone of the emulator: " (providers.join(", ")) }
                link rel="stylesheet" href="/phone.css";
                script src="/phone.js" defer {}
            }
            body {
                header {
                    h1 { "Emulator: " (providers.join(", ")) }
                    p {
                        strong { "Nothing leaves this machine." }
                        " No SMS is sent and nobody is called: messages and calls that are posted to "
                        @for (place, emulator) in emulated.iter().enumerate() {
                            @if place > 0 { " or " }
                            code { "http://" (emulator.address) }
                        }
                        " end up on this phone."
                    }
                }
                main {
                    (phone(entries, last))
                    div.beside {
                        @if let Some(panel) = panel { (panel) }
                        (notes(emulated))
                    }
                }
                template id="sms-template" { (message_item(&Value::Null)) }
                template id="call-template" { (call_item(&Value::Null)) }
                template id="request-template" { (request_item(&Value::Null)) }
            }
        }
    };
    Html(page.into_string()).into_response()
}

fn phone(entries: &[Entry], last: u64) -> Markup {
    html! {
        section.phone aria-labelledby="messages" {
            div.bar {
                h2 #messages { "Messages" }
                p #state role="status" { "Reload to see new messages" }
            }
            div.screen tabindex="0" role="group" aria-labelledby="messages" {
                div aria-live="polite" aria-relevant="additions" {
                    ol #entries reversed data-last=(last) data-max=(ENTRIES_MAX) {
                        @for entry in entries.iter().rev() {
                            @match entry {
                                Entry::Message(message) if message.voice.is_some() => {
                                    (call_item(&message_view(message)))
                                }
                                Entry::Message(message) => (message_item(&message_view(message))),
                                Entry::Request(request) => (request_item(&request_view(request))),
                                // A message comes with its reports, and all that there are come.
                                Entry::Changed(_) | Entry::Cleared(_) => {}
                            }
                        }
                    }
                }
                p.empty { "No messages yet. The newest will be at the top." }
            }
        }
    }
}

fn notes(emulated: &[Emulated]) -> Markup {
    html! {
        section.notes aria-labelledby="notes" {
            h2 #notes { "For trying things out" }
            ul {
                li {
                    a href="/messages" { "Messages as JSON" } "; " code { "DELETE /messages" }
                    " clears the phone"
                }
                @for emulator in emulated {
                    @for (path, what) in emulator.also {
                        li { a href={ "http://" (emulator.address) (path) } { (what) } }
                    }
                }
                li { "A request that was refused is listed among the messages, with the reason" }
                li {
                    "A call rings, and shows what was said; the button says it, in a voice that this machine has"
                }
                li { "Below a message is what became of it, once there is a delivery report" }
            }
            @for emulator in emulated { (faults(emulator)) }
        }
    }
}

fn faults(emulator: &Emulated) -> Markup {
    html! {
        details {
            summary { "Numbers that make " (emulator.provider) " misbehave" }
            table {
                caption {
                    "What happens to a message to one of these numbers. “The first time” is that of a "
                    code { (emulator.repeats_by) } "."
                }
                thead { tr { th scope="col" { "Number" } th scope="col" { "What happens" } } }
                tbody {
                    @for (number, meaning) in &emulator.faults {
                        tr { th scope="row" { code { (number) } } td { (meaning) } }
                    }
                }
            }
        }
    }
}

/// The batches' entries as server-sent events: `sms`, `call`, `report`, `request` and `cleared`. Each has its
/// number as its id, and the values that the page shows as its data; those of a `report` are all of
/// its message's.
pub(super) fn event_stream(batches: impl Stream<Item = Vec<Entry>> + Send + 'static) -> Response {
    let events = batches.flat_map(|entries| stream::iter(entries).map(event));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn event(entry: Entry) -> Result<Event, Infallible> {
    let event = Event::default().id(entry.number().to_string());
    Ok(match entry {
        Entry::Message(message) => {
            let kind = if message.voice.is_some() { "call" } else { "sms" };
            event.event(kind).data(message_view(&message).to_string())
        }
        Entry::Changed(message) => event.event("report").data(message_view(&message).to_string()),
        Entry::Request(request) => event.event("request").data(request_view(&request).to_string()),
        Entry::Cleared(_) => event.event("cleared").data("{}"),
    })
}

/// What `GET /messages` says about a message: the details of its provider's, and what all have.
pub(super) fn message_json(message: &Message) -> Value {
    let mut said = message.details.clone();
    let common = json!({
        "number": message.number,
        "provider": message.provider,
        "id": message.id,
        "time": rfc3339(message.received),
        "from": message.from,
        "to": message.to,
        "message": message.text,
        "channel": if message.voice.is_some() { "call" } else { "sms" },
        "voice": message.voice.as_ref().map(|voice| json!({
            "language": voice.language,
            "name": voice.name,
        })),
        "tag": message.tag,
        "expires": message.expires.map(rfc3339),
        "report": message.report().map(|report| json!({
            "status": report.status.name(),
            "code": report.code,
        })),
        "used": message.used,
        "raw": format!("/messages/{}/raw", message.id),
    });
    if let Value::Object(common) = common {
        said.extend(common);
    }
    said.into()
}

fn message_view(message: &Message) -> Value {
    let mut view = message_json(message);
    view["clock"] = json!(clock(message.received));
    view["state"] = json!(state(message));
    if let Some(Voice { language, name }) = &message.voice {
        view["language"] = json!(language);
        view["speaker"] = match name {
            Some(name) => json!(format!("{name}, {language}")),
            None => json!(language),
        };
    }
    view["until"] = match message.expires {
        Some(expires) => json!(format!("until {}", clock(expires))),
        None => json!(""),
    };
    view
}

/// What has become of a message, of the report on it where the webhook did not take that, and of its passcode where the
/// provider was told.
fn state(message: &Message) -> String {
    let state = state_of_report(message);
    if message.used { format!("{state}, passcode used") } else { state }
}

fn state_of_report(message: &Message) -> String {
    let is_call = message.voice.is_some();
    let Some(report) = message.report() else {
        return if is_call { "Rings" } else { "Accepted" }.to_owned();
    };
    let state = match report.status {
        DeliveryStatus::Delivered if is_call => "Answered".to_owned(),
        DeliveryStatus::Delivered => "Delivered".to_owned(),
        DeliveryStatus::Failed => format!("Failed {}", report.details),
        DeliveryStatus::OnItsWay => format!("On its way {}", report.details),
    };
    match report.answers.last() {
        _ if report.is_taken => state,
        Some(Some(status)) => format!("{state} (the report was answered {status})"),
        Some(None) => format!("{state} (the report was not answered)"),
        None => state,
    }
}

fn request_view(request: &ReceivedRequest) -> Value {
    json!({
        "number": request.number,
        "provider": request.provider,
        "time": rfc3339(request.received),
        "clock": clock(request.received),
        "status": match request.status {
            Some(status) => format!("Answered {status}."),
            None => "Not answered.".to_owned(),
        },
        "reasons": request.reasons.join("\n"),
        "raw": format!("/requests/{}/raw", request.number),
    })
}

/// Without values this is the template that the script fills: a `data-text` names the value that an
/// element has as its text.
fn message_item(view: &Value) -> Markup {
    html! {
        li.message data-number=(view["number"]) {
            p.meta {
                span { "From " b data-text="from" { (text(view, "from")) } } " "
                span { "to " b data-text="to" { (text(view, "to")) } } " "
                span { "by " b data-text="provider" { (text(view, "provider")) } }
            }
            p.bubble data-text="message" dir="auto" { (text(view, "message")) }
            p.meta {
                span.state data-text="state" { (text(view, "state")) } " " (time_and_link(view)) " "
                span data-text="until" { (text(view, "until")) }
            }
        }
    }
}

/// The same of a call. Its text is there to be read, so that nobody needs to hear it; the button is for those who want
/// to, and the script shows it where the browser has a voice on this machine.
fn call_item(view: &Value) -> Markup {
    html! {
        li.message.call data-number=(view["number"]) {
            p.meta {
                b.ring { "Call" }
                span { "From " b data-text="from" { (text(view, "from")) } } " "
                span { "to " b data-text="to" { (text(view, "to")) } } " "
                span { "by " b data-text="provider" { (text(view, "provider")) } }
            }
            p.bubble data-text="message" data-lang="language" lang=(text(view, "language")) dir="auto" {
                (text(view, "message"))
            }
            p.meta {
                span { "Voice: " b data-text="speaker" { (text(view, "speaker")) } }
                button type="button" hidden { "Say it" }
            }
            p.meta {
                span.state data-text="state" { (text(view, "state")) } " " (time_and_link(view)) " "
                span data-text="until" { (text(view, "until")) }
            }
        }
    }
}

fn request_item(view: &Value) -> Markup {
    html! {
        li.request {
            p.reasons data-text="reasons" { (text(view, "reasons")) }
            p.meta {
                b data-text="provider" { (text(view, "provider")) } " "
                span data-text="status" { (text(view, "status")) } " " (time_and_link(view))
            }
        }
    }
}

fn time_and_link(view: &Value) -> Markup {
    html! {
        time data-text="clock" datetime=(text(view, "time")) { (text(view, "clock")) } " "
        a href=(text(view, "raw")) { "Raw request" }
    }
}

fn text<'a>(view: &'a Value, key: &str) -> &'a str {
    view[key].as_str().unwrap_or_default()
}

fn rfc3339(moment: OffsetDateTime) -> String {
    // Fails for years beyond 9999 only, which are not "now".
    moment.format(&Rfc3339).unwrap_or_default()
}

fn clock(moment: OffsetDateTime) -> String {
    let form = format_description!("[hour]:[minute]:[second] UTC");
    moment.format(form).unwrap_or_default()
}
