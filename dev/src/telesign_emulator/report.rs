//! Delivery reports: what they say, and how they arrive.
//!
//! The sources are Telesign's OpenAPI file of callbacks, and its pages "Transaction callback service", "SMS callback
//! service" and "Authenticate callbacks". Telesign's support sets the URL of an account's reports; the one that a request
//! may name for its own is checked, and not called.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, header};
use serde_json::{Value, json};
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{OffsetDateTime, UtcOffset};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Emulator;
use super::fault::OddReport;
use super::status::{self, description};
use crate::phone::{DeliveryStatus, Message, Report};
use crate::segments::segments;
use crate::webhook::{Delivery, Webhook};

/// Who gets the delivery reports.
#[derive(Clone)]
pub struct ReportSubscription {
    /// A URL of plain HTTP on this machine, `http://127.0.0.1:3000/api/delivery-reports/telesign`.
    pub endpoint: String,
    /// How long after its message a report comes, and after that of the gateway that of the handset.
    pub delay: Duration,
    /// How often each report is delivered: nothing promises that it comes once.
    pub copies: u32,
    /// The pauses between the attempts of a delivery. After the last one it is given up.
    pub back_off: Vec<Duration>,
}

impl ReportSubscription {
    /// Reports once and 2 seconds after their message, and attempts after 5, 10 and 15 more seconds, as Telesign makes
    /// them.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            delay: Duration::from_secs(2),
            copies: 1,
            back_off: [5, 10, 15].map(Duration::from_secs).into(),
        }
    }
}

/// A subscription that is in order.
pub(super) struct Subscription {
    said: ReportSubscription,
    webhook: Webhook,
}

impl Subscription {
    pub fn new(said: ReportSubscription) -> anyhow::Result<Self> {
        let webhook = Webhook::new(&said.endpoint)?;
        Ok(Self { said, webhook })
    }
}

/// A message that is to be reported.
pub(super) struct Job {
    pub message: Message,
    pub odd_report: Option<OddReport>,
}

/// Does the jobs that come, until it is dropped: no delivery goes on then.
pub(super) async fn run(emulator: Arc<Emulator>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    while let Some(job) = jobs.recv().await {
        let Some(subscription) = emulator.lock().subscription.clone() else { continue };
        running.spawn(report(emulator.clone(), subscription, job));
        while running.try_join_next().is_some() {}
    }
}

/// Delivers all that is to be reported of a message: what the gateway says and, after that, the handset.
async fn report(emulator: Arc<Emulator>, subscription: Arc<Subscription>, job: Job) {
    let Job { message, odd_report } = job;
    let (under_way, arrived) = match message.voice {
        Some(_) => (status::CALLING, status::ANSWERED),
        None => (status::AT_GATEWAY, status::DELIVERED),
    };
    let codes = match odd_report {
        None => vec![under_way, arrived],
        Some(OddReport::Code(code)) => vec![under_way, code],
        Some(OddReport::GatewayLast) => vec![arrived, under_way],
        Some(OddReport::Never) => vec![],
    };
    for (place, code) in codes.into_iter().enumerate() {
        tokio::time::sleep(subscription.said.delay).await;
        let now = (emulator.now)();
        // The gateway had it before the handset did, whichever is told first.
        let before = if code == under_way { 2 } else { 0 };
        let made = now - time::Duration::seconds(before);
        let form =
            if (message.number + place as u64).is_multiple_of(2) { Form::Page } else { Form::Api };
        deliver(&emulator, &subscription, &message, place, code, made, form).await;
    }
}

/// The forms of a report.
#[derive(Clone, Copy)]
enum Form {
    /// That of the OpenAPI file.
    Api,
    /// That of the page "SMS callback service".
    Page,
}

async fn deliver(
    emulator: &Emulator,
    subscription: &Subscription,
    message: &Message,
    place: usize,
    code: u16,
    made: OffsetDateTime,
    form: Form,
) {
    let report = Report {
        message_id: message.id.clone(),
        status: match code {
            100 | 200 | 201 => DeliveryStatus::Delivered,
            103 | 203 => DeliveryStatus::OnItsWay,
            _ => DeliveryStatus::Failed,
        },
        code,
        details: format!("{code}: {}", description(code, false)),
        received: made,
        answers: Vec::new(),
        is_taken: false,
    };
    emulator.phone.change_reports(message.number, |reports| reports.push(report));
    let body = body(message, code, made, form).to_string();
    let signature = emulator.key.sign(body.as_bytes());
    let authorization = format!("TSA {}:{signature}", emulator.customer_id);
    for _ in 0..subscription.said.copies {
        let delivery = Delivery {
            back_off: &subscription.said.back_off,
            is_over: is_taken,
            body: body.clone(),
        };
        let request = |_| {
            Request::post("/")
                .header(header::AUTHORIZATION, &authorization)
                .header("x-ts-authorization", &signature)
                .header(header::CONTENT_TYPE, "application/json")
        };
        let answered = |status: Option<u16>| {
            emulator.phone.change_reports(message.number, |reports| {
                if let Some(report) = reports.get_mut(place) {
                    report.answers.push(status);
                    report.is_taken = status.is_some_and(is_taken);
                }
            });
        };
        subscription.webhook.deliver(delivery, request, answered).await;
    }
}

/// "anything but 200" comes again.
fn is_taken(status: u16) -> bool {
    status == 200
}

fn body(message: &Message, code: u16, made: OffsetDateTime, form: Form) -> Value {
    let parts = segments(&message.text);
    // Formatting fails only for what a moment lacks, and this one has a date, a time and an offset.
    let made = made.to_offset(UtcOffset::UTC);
    let description = description(code, false);
    match form {
        Form::Api => json!({
            "reference_id": message.id,
            "status": { "code": code, "description": description, "updated_on": made.format(&Rfc3339).unwrap_or_default() },
            "additional_info": {
                "mcc": "310",
                "mnc": "004",
                "price": "0.01",
                "currency": "USD",
                "message_parts_count": parts,
            },
            "external_id": message.tag,
        }),
        Form::Page => json!({
            "reference_id": message.id,
            "sub_resource": if message.voice.is_some() { "voice" } else { "sms" },
            "errors": [],
            "status": { "code": code, "description": description, "updated_on": rfc_1123(made) },
            "additional_info": { "message_parts_count": parts.to_string(), "sender_id ": message.from },
            "external_id": message.tag,
        }),
    }
}

/// As HTTP has dates.
fn rfc_1123(moment: OffsetDateTime) -> String {
    moment.format(&Rfc2822).unwrap_or_default().replace("+0000", "GMT")
}
