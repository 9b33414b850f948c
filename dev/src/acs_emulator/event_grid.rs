//! Event Grid: the handshake with a webhook, and the delivery of reports to it.
//!
//! The sources are the pages "Endpoint validation with Event Grid event schema" and "… with
//! CloudEvents schema", "Event Grid message delivery and retry", and "Webhook event delivery". What a
//! report says is `report`'s.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Emulator;
use super::journal::Message;
use super::report::{DATA_VERSION, EventSchema, METADATA_VERSION, Report, Sent, TOPIC, event_time};

/// The header that has the subscription's secret: a custom delivery property in Azure.
pub const SECRET_HEADER: &str = "x-report-secret";
/// Upper case, as Event Grid sends it.
const SUBSCRIPTION_NAME: &str = "EMULATOR";
const ORIGIN: &str = "eventgrid.azure.net";
/// Events a minute that CloudEvents' handshake asks for.
const RATE: &str = "120";
/// "Event Grid waits 30 seconds for a response after delivering a message."
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Requests at once, since a process can't have any number of sockets.
const REQUESTS_AT_ONCE: usize = 128;

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

    fn parts(&self) -> anyhow::Result<(Uri, HeaderValue)> {
        let endpoint = loopback_endpoint(&self.endpoint)?;
        ensure!(
            !self.secret.is_empty(),
            "the secret of the delivery reports is empty; pass the one that their webhook takes"
        );
        let mut secret = HeaderValue::try_from(&self.secret).context(
            "the secret of the delivery reports has a character that no header can have",
        )?;
        secret.set_sensitive(true);
        Ok((endpoint, secret))
    }
}

/// A subscription whose endpoint has agreed to it.
pub(super) struct Subscription {
    said: EventSubscription,
    endpoint: Uri,
    secret: HeaderValue,
    client: Client<HttpConnector, Full<Bytes>>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Subscription {
    /// Asks the endpoint whether it wants the events. `validation_url` is where it could agree later,
    /// which the emulator doesn't do.
    pub async fn agree(
        said: EventSubscription,
        validation_url: &str,
        now: time::OffsetDateTime,
    ) -> anyhow::Result<Subscription> {
        let (endpoint, secret) = said.parts()?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let subscription = Subscription { said, endpoint, secret, client };
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
            self.endpoint,
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
            self.endpoint,
            match allowed {
                Some(origin) => format!("WebHook-Allowed-Origin: {origin:?}"),
                None => "without a WebHook-Allowed-Origin".to_owned(),
            },
        );
        Ok(())
    }

    async fn shake_hands(&self, request: Builder, body: String) -> anyhow::Result<Answer> {
        let endpoint = &self.endpoint;
        let answer = self.send(request, body).await.with_context(|| {
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
    async fn deliver(&self, event: &str, at_once: &Semaphore, answered: impl Fn(Option<u16>)) {
        let pauses = self.said.back_off.iter().copied().map(Some).chain([None]);
        for (count, pause) in pauses.enumerate() {
            let answer = {
                // Nobody closes it.
                let _turn = at_once.acquire().await;
                self.send(self.post("Notification", count), event.to_owned()).await
            };
            let status = answer.ok().map(|answer| answer.status.as_u16());
            answered(status);
            if status.is_some_and(|status| is_taken(status) || is_dropped(status)) {
                return;
            }
            let Some(pause) = pause else { return };
            tokio::time::sleep(pause).await;
        }
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
        Request::builder().method(method).uri(&self.endpoint).header(SECRET_HEADER, secret)
    }

    async fn send(&self, request: Builder, body: String) -> anyhow::Result<Answer> {
        let request = request.body(Full::from(body))?;
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            // The status is what counts; a body that is too long or breaks off takes nothing from it.
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .with_context(|| format!("there was no answer within {TIMEOUT:?}"))?
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

/// Reports have numbers of people, and nothing leaves this machine.
fn loopback_endpoint(endpoint: &str) -> anyhow::Result<Uri> {
    let uri: Uri = endpoint
        .parse()
        .with_context(|| format!("{endpoint} is no URL; pass one as http://127.0.0.1:3000/path"))?;
    let host = uri.host().unwrap_or_default();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ensure!(
        uri.scheme_str() == Some("http")
            && (host.eq_ignore_ascii_case("localhost")
                || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())),
        "delivery reports can't go to {endpoint}: the emulator sends them by plain HTTP, and on this \
         machine only; pass a URL such as http://127.0.0.1:3000/api/delivery-reports"
    );
    Ok(uri)
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
    pub subscription: Arc<Subscription>,
}

/// Does the jobs that come, until it is dropped: no delivery goes on then.
pub(super) async fn run(emulator: Arc<Emulator>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let at_once = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => _ = running.spawn(job.run(emulator.clone(), at_once.clone())),
                None => return,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

impl Job {
    async fn run(self, emulator: Arc<Emulator>, at_once: Arc<Semaphore>) {
        let Job { message, subscription } = self;
        let EventSubscription { schema, delay, copies, .. } = subscription.said;
        tokio::time::sleep(delay).await;
        let reports = Report::of(&message.id, message.odd_report, (emulator.now)());
        let sent = Sent::of(&message);
        for (place, report) in reports.into_iter().enumerate() {
            // In the sample the event has the message's id. A second one needs another.
            let id = if place == 0 { message.id.clone() } else { Uuid::new_v4().to_string() };
            let event = report.event(&id, &sent, schema).to_string();
            emulator.change_reports(message.number, |reports| reports.push(report));
            for _ in 0..copies {
                let answered = |status| {
                    emulator.change_reports(message.number, |reports| {
                        reports.iter_mut().skip(place).take(1).for_each(|r| r.answers.push(status));
                    });
                };
                subscription.deliver(&event, &at_once, answered).await;
            }
        }
    }
}
