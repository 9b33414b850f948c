//! Event Grid: the handshake with a webhook, and the delivery of reports to it.
//!
//! The sources are the pages "Endpoint validation with Event Grid event schema" and "… with
//! CloudEvents schema", "Event Grid message delivery and retry", and "Webhook event delivery". What a
//! report says is `report`'s.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::request::Builder;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Emulator;
use super::fault::OddReport;
use super::report::{self, DATA_VERSION, EventSchema, METADATA_VERSION, TOPIC, event_time};
use crate::phone::Message;
use crate::webhook::{Answer, Delivery, Webhook};

/// The header that has the subscription's secret: a custom delivery property in Azure.
pub const SECRET_HEADER: &str = "x-report-secret";
/// Upper case, as Event Grid sends it.
const SUBSCRIPTION_NAME: &str = "EMULATOR";
const ORIGIN: &str = "eventgrid.azure.net";
/// Events a minute that CloudEvents' handshake asks for.
const RATE: &str = "120";
/// A webhook that gets the delivery reports.
#[derive(Clone)]
pub struct EventSubscription {
    /// A URL of plain HTTP on this machine, `http://127.0.0.1:3000/api/delivery-reports`.
    pub endpoint: String,
    /// Comes with every request, in [`SECRET_HEADER`].
    pub secret: String,
    pub schema: EventSchema,
    /// How long after its message a report comes.
    pub delay: Duration,
    /// How often each event is delivered, since Event Grid promises "at least once".
    pub copies: u32,
    /// The pauses between the attempts of a delivery. After the last one it is given up.
    pub back_off: Vec<Duration>,
}

impl EventSubscription {
    /// Event Grid's schema, each report once and 2 seconds after its message, and attempts after 1, 5
    /// and 15 more seconds: Event Grid itself takes 10 seconds to 12 hours.
    pub fn new(endpoint: impl Into<String>, secret: impl Into<String>) -> EventSubscription {
        EventSubscription {
            endpoint: endpoint.into(),
            secret: secret.into(),
            schema: EventSchema::EventGrid,
            delay: Duration::from_secs(2),
            copies: 1,
            back_off: [1, 5, 15].map(Duration::from_secs).into(),
        }
    }

    /// Finds what is wrong with it whatever the endpoint answers: for who will ask that again and
    /// again.
    ///
    /// # Errors
    ///
    /// An endpoint that is not on this machine, or a secret that no header can have.
    pub fn check(&self) -> anyhow::Result<()> {
        self.parts().map(drop)
    }

    fn parts(&self) -> anyhow::Result<(Webhook, HeaderValue)> {
        let webhook = Webhook::new(&self.endpoint)?;
        ensure!(
            !self.secret.is_empty(),
            "the secret of the delivery reports is empty; pass the one that their webhook takes"
        );
        let mut secret = HeaderValue::try_from(&self.secret).context(
            "the secret of the delivery reports has a character that no header can have",
        )?;
        secret.set_sensitive(true);
        Ok((webhook, secret))
    }
}

/// A subscription whose endpoint has agreed to it.
pub(super) struct Subscription {
    said: EventSubscription,
    webhook: Webhook,
    secret: HeaderValue,
}

impl Subscription {
    /// Asks the endpoint whether it wants the events. `validation_url` is where it could agree later,
    /// which the emulator doesn't do.
    pub async fn agree(
        said: EventSubscription,
        validation_url: &str,
        now: time::OffsetDateTime,
    ) -> anyhow::Result<Subscription> {
        let (webhook, secret) = said.parts()?;
        let subscription = Subscription { said, webhook, secret };
        match subscription.said.schema {
            EventSchema::EventGrid => subscription.validate(validation_url, now).await?,
            EventSchema::CloudEvents => subscription.ask_for_permission().await?,
        }
        Ok(subscription)
    }

    async fn validate(&self, url: &str, now: time::OffsetDateTime) -> anyhow::Result<()> {
        let code = Uuid::new_v4().to_string();
        let event = json!([{
            "id": Uuid::new_v4().to_string(),
            "topic": TOPIC,
            "subject": "",
            "data": { "validationCode": code, "validationUrl": url },
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": event_time(now),
            "metadataVersion": METADATA_VERSION,
            "dataVersion": DATA_VERSION,
        }]);
        let request = self.post("SubscriptionValidation", 0);
        let answer = self.shake_hands(request, event.to_string()).await?;
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
        ensure!(
            said.as_ref().map(|body| &body["validationResponse"]) == Some(&json!(code)),
            "{} answered the validation with 200 and {}, and Event Grid waits for \
             {{\"validationResponse\":\"…\"}} with the code of its event: look at how the webhook \
             answers aeg-event-type: SubscriptionValidation",
            self.webhook.endpoint,
            excerpt(&answer.body),
        );
        Ok(())
    }

    /// CloudEvents' protection against abuse: "HTTP 1.1 Web Hooks for Event Delivery", section 4.
    async fn ask_for_permission(&self) -> anyhow::Result<()> {
        let request = self
            .request(Method::OPTIONS)
            .header("webhook-request-origin", ORIGIN)
            .header("webhook-request-rate", RATE);
        let answer = self.shake_hands(request, String::new()).await?;
        let allowed = answer.headers.get("webhook-allowed-origin");
        ensure!(
            allowed.is_some_and(|origin| origin == ORIGIN || origin == "*"),
            "{} answered OPTIONS with 200 and {}, and Event Grid waits for WebHook-Allowed-Origin: \
             {ORIGIN}: look at how the webhook answers WebHook-Request-Origin",
            self.webhook.endpoint,
            match allowed {
                Some(origin) => format!("WebHook-Allowed-Origin: {origin:?}"),
                None => "without a WebHook-Allowed-Origin".to_owned(),
            },
        );
        Ok(())
    }

    async fn shake_hands(&self, request: Builder, body: String) -> anyhow::Result<Answer> {
        let endpoint = &self.webhook.endpoint;
        let answer = self.webhook.send(request, body).await.with_context(|| {
            format!(
                "{endpoint} did not answer the handshake of Event Grid: look whether something \
                 listens there"
            )
        })?;
        let look_at = match answer.status {
            StatusCode::OK => return Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "whether the webhook's secret is the one that is given here"
            }
            StatusCode::NOT_FOUND => "the path, and whether reports are switched on there",
            _ => "the webhook's log",
        };
        bail!(
            "{endpoint} answered the handshake of Event Grid with {} and {}, and Event Grid takes \
             200 only: look at {look_at}",
            answer.status,
            excerpt(&answer.body),
        )
    }

    /// Delivers an event, and tells each answer; `None` is none.
    async fn deliver(&self, event: &str, answered: impl Fn(Option<u16>)) {
        let is_over = |status| is_taken(status) || is_dropped(status);
        let delivery = Delivery { back_off: &self.said.back_off, is_over, body: event.to_owned() };
        self.webhook.deliver(delivery, |count| self.post("Notification", count), answered).await;
    }

    fn post(&self, event_type: &str, count: usize) -> Builder {
        let request = self
            .request(Method::POST)
            .header("aeg-subscription-name", SUBSCRIPTION_NAME)
            .header("aeg-delivery-count", count)
            .header("aeg-event-type", event_type);
        match self.said.schema {
            EventSchema::EventGrid => request
                .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
                .header("aeg-metadata-version", METADATA_VERSION)
                .header("aeg-data-version", DATA_VERSION),
            EventSchema::CloudEvents => {
                request.header(header::CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            }
        }
    }

    fn request(&self, method: Method) -> Builder {
        let secret = self.secret.clone();
        Request::builder().method(method).header(SECRET_HEADER, secret)
    }
}

/// "Event Grid considers only the following HTTP response codes as successful deliveries."
pub(super) fn is_taken(status: u16) -> bool {
    matches!(status, 200..=204)
}

/// The answers after which Event Grid doesn't try again.
pub(super) fn is_dropped(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 413)
}

/// The beginning of an answer's body, for an error: without the line break that ends a text, which
/// would part the sentence around it.
fn excerpt(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).trim_end().chars().take(200).collect();
    if text.is_empty() { "an empty body".to_owned() } else { text }
}

/// A message whose reports are to be delivered.
pub(super) struct Job {
    pub message: Message,
    pub odd: Option<OddReport>,
    pub subscription: Arc<Subscription>,
}

/// Does the jobs that come, until it is dropped: no delivery goes on then.
pub(super) async fn run(emulator: Arc<Emulator>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => _ = running.spawn(job.run(emulator.clone())),
                None => return,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

impl Job {
    async fn run(self, emulator: Arc<Emulator>) {
        let Job { message, odd, subscription } = self;
        let EventSubscription { schema, delay, copies, .. } = subscription.said;
        tokio::time::sleep(delay).await;
        let reports = report::of(&message.id, odd, (emulator.now)());
        for (place, report) in reports.into_iter().enumerate() {
            // In the sample the event has the message's id. A second one needs another.
            let id = if place == 0 { message.id.clone() } else { Uuid::new_v4().to_string() };
            let event = report::event(&report, &id, &message, schema).to_string();
            emulator.phone.change_reports(message.number, |reports| reports.push(report));
            for _ in 0..copies {
                let answered = |status: Option<u16>| {
                    emulator.phone.change_reports(message.number, |reports| {
                        if let Some(report) = reports.get_mut(place) {
                            report.answers.push(status);
                            report.is_taken = status.is_some_and(is_taken);
                        }
                    });
                };
                subscription.deliver(&event, answered).await;
            }
        }
    }
}
