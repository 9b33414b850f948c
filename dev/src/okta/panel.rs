//! The panel on the phone page, and the same as JSON: `/okta` and what is below it.
//!
//! Everything is a form, so that it does without a script; `phone.js` keeps the figures up to date.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use http::{HeaderMap, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::feed::Deliveries;
use super::{AREA_SIZE, Change, PEOPLE_MAX, SignIns, State as Okta, Toggle, Traffic};
use crate::phone::Panel;

/// The panel of a stand-in.
pub(super) fn panel(okta: Arc<Okta>) -> Panel {
    let routes = Router::new()
        .route("/okta", get(show))
        .route("/okta/sign-ins", post(sign_in))
        .route("/okta/attacks", post(attack))
        .route("/okta/switches", post(switch))
        .with_state(okta.clone());
    Panel { html: Box::new(move || html(&okta)), routes }
}

/// What is said by a form or as JSON.
struct Said<T> {
    said: T,
    /// Whether a browser asks, and so wants the page again.
    by_browser: bool,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Said<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let headers = request.headers();
        if is_from_elsewhere(headers) {
            let text = "Another site's page must not do that.\n";
            return Err((StatusCode::FORBIDDEN, text).into_response());
        }
        let has = |name, part: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains(part))
        };
        let by_browser = has(header::ACCEPT, "text/html");
        let said = match has(header::CONTENT_TYPE, "application/x-www-form-urlencoded") {
            true => match Form::from_request(request, state).await {
                Ok(Form(said)) => said,
                Err(refused) => return Err(refused.into_response()),
            },
            false => match Json::from_request(request, state).await {
                Ok(Json(said)) => said,
                Err(refused) => return Err(refused.into_response()),
            },
        };
        Ok(Self { said, by_browser })
    }
}

/// Any page may post a form to this machine; browsers say whose it is (Fetch Metadata Request Headers, W3C). The `Origin`
/// of our own is `null`, for want of a referrer.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    !matches!(site, None | Some(b"same-origin" | b"none"))
}

async fn show(State(okta): State<Arc<Okta>>) -> Response {
    Json(view(&okta)).into_response()
}

async fn sign_in(State(okta): State<Arc<Okta>>, said: Said<SignIns>) -> Response {
    answer(&okta, said.by_browser, okta.sign_in(said.said).map(drop))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Attack {
    /// From 1 to [`AREA_SIZE`].
    numbers: usize,
}

impl Default for Attack {
    fn default() -> Self {
        Self { numbers: AREA_SIZE }
    }
}

async fn attack(State(okta): State<Arc<Okta>>, said: Said<Attack>) -> Response {
    answer(&okta, said.by_browser, okta.attack(said.said.numbers).map(drop))
}

async fn switch(State(okta): State<Arc<Okta>>, said: Said<Change>) -> Response {
    okta.switch(said.said);
    answer(&okta, said.by_browser, Ok(()))
}

/// The page again, or how things stand.
fn answer(okta: &Okta, by_browser: bool, done: anyhow::Result<()>) -> Response {
    match done {
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        Ok(()) if by_browser => Redirect::to("/#okta").into_response(),
        Ok(()) => (StatusCode::ACCEPTED, Json(view(okta))).into_response(),
    }
}

/// How things stand, the newest traffic first.
fn view(okta: &Okta) -> Value {
    let inner = okta.lock();
    let deliveries = &inner.deliveries;
    json!({
        "switches": inner.switches,
        "events": {
            "not_verified": deliveries.not_verified,
            "taken": deliveries.taken,
            "lost": deliveries.lost,
            "failed_deliveries": deliveries.failed,
            "state": feed(deliveries, inner.switches.feed),
        },
        "traffic": inner.traffic.iter().rev().map(row).collect::<Vec<_>>(),
    })
}

fn row(traffic: &Traffic) -> Value {
    let refused: Vec<_> = traffic
        .refused
        .iter()
        .map(|(reason, count)| format!("{count} not sent: {reason}"))
        .collect();
    let mut row = json!(traffic);
    row["not_sent"] = refused.join("; ").into();
    row
}

/// What becomes of events, in a sentence.
fn feed(deliveries: &Deliveries, is_on: Toggle) -> String {
    let Deliveries { not_verified, taken, failed, lost, last } = deliveries;
    if let Some(why) = not_verified {
        return format!("No events are delivered: {why}");
    }
    let mut text = format!("Events: {taken} taken");
    if *lost > 0 {
        text += &format!(", {lost} lost");
    }
    if *failed > 0 {
        text += &format!(", {failed} deliveries failed");
    }
    if is_on == Toggle::Off {
        text += "; none are told";
    }
    match last {
        None => {}
        Some(Some(status)) => text += &format!("; the last answer was {status}"),
        Some(None) => text += "; the last delivery was not answered",
    }
    text
}

fn html(okta: &Okta) -> Markup {
    let view = view(okta);
    let switches = &view["switches"];
    html! {
        section.okta #okta aria-labelledby="okta-title" {
            h2 #okta-title { "Okta" }
            p { "People sign in here, and the hook is told which passcodes were typed in." }
            div.forms {
                form method="post" action="/okta/sign-ins" {
                    span.field {
                        label for="people" { "People" }
                        input #people name="people" type="number" min="1" max=(PEOPLE_MAX) value="20" required;
                    }
                    (select("step", "to", "sign-in", &[("sign-in", "sign in"), ("enrolment", "enrol a phone")]))
                    (select("channel", "by", "sms", &[("sms", "SMS"), ("call", "call")]))
                    button type="submit" { "Go" }
                }
                form method="post" action="/okta/attacks" {
                    input type="hidden" name="numbers" value=(AREA_SIZE);
                    button type="submit" { "Attack " (AREA_SIZE) " numbers in one block" }
                    span.quiet { "Nobody types these passcodes in" }
                }
                form method="post" action="/okta/switches" {
                    (select("typing", "They type codes in", text(switches, "typing"), &[
                        ("yes", "yes"), ("no", "no"), ("wrong", "wrong ones"),
                        ("another-method", "no, a push instead"),
                    ]))
                    (toggle("feed", "Events", switches))
                    (toggle("out_of_order", "Out of order", switches))
                    (toggle("repeats", "Repeated", switches))
                    (toggle("fallback", "Okta’s fall-back", switches))
                    button type="submit" { "Apply" }
                }
            }
            p #okta-feed role="status" { (text(&view["events"], "state")) }
            table {
                caption { "What became of passcodes, the newest first. " a href="/okta" { "As JSON" } }
                thead {
                    tr {
                        th scope="col" { "Who" }
                        th.count scope="col" { "Asked" }
                        th.count scope="col" { "Arrived" }
                        th.count scope="col" { "Typed in" }
                    }
                }
                tbody #okta-traffic {
                    @for row in view["traffic"].as_array().into_iter().flatten() { (traffic(row)) }
                }
            }
            template #traffic-template { (traffic(&Value::Null)) }
        }
    }
}

/// Without values this is the template that the script fills.
fn traffic(row: &Value) -> Markup {
    html! {
        tr {
            th scope="row" {
                span data-text="what" { (text(row, "what")) } " "
                // Below it, since on a phone no column is wide enough for a reason.
                span.quiet data-text="not_sent" { (text(row, "not_sent")) }
            }
            @for count in ["asked", "arrived", "used"] {
                td.count data-text=(count) { (row[count].as_u64().unwrap_or_default()) }
            }
        }
    }
}

fn toggle(name: &str, label: &str, switches: &Value) -> Markup {
    select(name, label, text(switches, name), &[("on", "on"), ("off", "off")])
}

fn select(name: &str, label: &str, chosen: &str, options: &[(&str, &str)]) -> Markup {
    html! {
        span.field {
            label for=(name) { (label) }
            select #(name) name=(name) {
                @for (value, text) in options {
                    option value=(value) selected[*value == chosen] { (text) }
                }
            }
        }
    }
}

fn text<'a>(view: &'a Value, key: &str) -> &'a str {
    view[key].as_str().unwrap_or_default()
}
