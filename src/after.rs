//! What is done once an answer has left: the record of the message, telemetry, and keys that grow stale.
//!
//! A host may end the instance at any time from then on, so nothing that is right only if it happens is
//! here. And none of it may take long where many do it: see [`crate::records::breaker`].

mod items;

use time::OffsetDateTime;

use crate::callers::bearer::issuer::{self, Issuer};
use crate::config;
use crate::ports::{Instant, Ports, milliseconds};
use crate::providers::acs::connection_string::ConnectionString;
use crate::providers::acs::sms::{Attempted, Road};
use crate::records::breaker::{Breaker, Stopped};
use crate::records::store::Records;
use crate::records::store_key::StoreKey;
use crate::records::{Accepted, Reported, canonical_id};
use crate::secret::Secret;
use crate::telemetry::application_insights::{self, Item, Sink};
use crate::telemetry::{self, HookLine, Identifier};
use crate::trace_context::{self, Trace};

/// What is done once the answer has left and the log has its lines.
#[derive(Debug, Default)]
pub enum After {
    /// Nothing.
    #[default]
    Nothing,
    /// After a hook.
    Hook(Box<HookDone>),
    /// After a delivery of reports.
    Reports(Box<ReportsDone>),
}

/// A hook that has been answered.
#[derive(Debug)]
pub struct HookDone {
    /// When the request arrived.
    pub arrived: Instant,
    /// When it was answered.
    pub answered: Instant,
    /// The same by the time of day.
    pub now: OffsetDateTime,
    /// What the log has of it.
    pub line: HookLine,
    /// The requests to ACS.
    pub attempts: Vec<AcsAttempt>,
    /// The recipient's canonical form, if ACS took the message: whole, so it is kept as a secret is.
    pub number: Option<Secret>,
    /// The key of the store, if it has been read.
    pub store_key: Option<StoreKey>,
    /// The primary resource, if ACS took the message: the key of the store may be made of its access key.
    pub resource: Option<ConnectionString>,
    /// The values of the header `traceparent`, of a caller that has proven itself.
    pub traceparent: Vec<Vec<u8>>,
    /// The keys of this issuer, kept under that key, are worth asking for before they grow stale.
    pub refresh: Option<(Issuer, StoreKey)>,
}

/// One request to ACS.
#[derive(Debug)]
pub struct AcsAttempt {
    /// The resource's host, and its port where it is not the scheme's own.
    pub authority: String,
    /// Which of the two resources it is.
    pub road: Road,
    /// What came of it.
    pub attempted: Attempted,
}

/// A delivery of reports that has been answered.
#[derive(Debug, Default)]
pub struct ReportsDone {
    /// Those that say what was not known.
    pub reports: Vec<ReportDone>,
    /// As of [`HookDone`].
    pub refresh: Option<(Issuer, StoreKey)>,
}

/// A report that has been taken.
#[derive(Debug)]
pub struct ReportDone {
    /// ACS's message id, in its canonical form.
    pub message_id: Identifier,
    /// Okta's id of the hook call.
    pub event_id: Option<Identifier>,
    /// What it says.
    pub reported: Reported,
    /// What the hook saw of the message.
    pub accepted: Option<Accepted>,
}

impl ReportDone {
    /// From the moment that ACS took the message, in milliseconds. None where that is not known, or where
    /// clocks that are apart make it negative.
    pub fn time_to_report(&self) -> Option<u64> {
        self.reported.milliseconds_since(self.accepted.as_ref()?)
    }
}

/// Does what is left to do.
pub fn run(after: After, ports: Ports<'_>) {
    let refresh = match after {
        After::Nothing => None,
        After::Hook(done) => {
            // A sink that is not in order is told by the check of the configuration.
            let sink = config::read_sink(ports.variables).ok().flatten();
            let parent = trace_context::parent(&done.traceparent);
            let trace = sink.as_ref().map(|_| Trace::begin(parent.as_ref(), ports.random));
            remember(&done, trace, ports);
            if let (Some(sink), Some(trace)) = (sink, trace)
                && (done.line.credential.is_some() || is_first_of_its_second(ports))
            {
                let parent = parent.map(|parent| parent.span_id);
                track(&sink, &items::of_hook(&done, trace, parent, ports.random), ports);
            }
            done.refresh
        }
        After::Reports(done) => {
            if !done.reports.is_empty()
                && let Ok(Some(sink)) = config::read_sink(ports.variables)
            {
                let items: Vec<_> = done.reports.iter().map(items::of_report).collect();
                track(&sink, &items, ports);
            }
            done.refresh
        }
    };
    if let Some((issuer, key)) = refresh {
        issuer::refresh(&issuer, &key, ports);
    }
}

/// Writes down what the hook saw of a message that ACS took.
fn remember(done: &HookDone, trace: Option<Trace>, ports: Ports<'_>) {
    let line = &done.line;
    let (Some(message_id), Some(sender_type), Some(number)) =
        (&line.message_id, line.sender_type, &done.number)
    else {
        return;
    };
    let Ok(Some(bounds)) = config::read_bounds(ports.variables) else { return };
    let key = match &done.store_key {
        Some(key) => key.clone(),
        // It has sent, so the key is in order.
        None => match config::read_store_key(ports.variables, done.resource.as_ref()) {
            Ok(key) => key,
            Err(_) => return,
        },
    };
    let hash = key.hash("number of a message", &[number.reveal()]);
    let text = |identifier: &Option<Identifier>| {
        identifier.as_ref().map(|identifier| identifier.as_str().to_owned())
    };
    let accepted = Accepted {
        at: milliseconds(done.now),
        event_id: text(&line.event_id),
        request_type: text(&line.request_type),
        region: line.country,
        sender_type,
        attempts: line.attempts,
        segments: line.segments.unwrap_or_default(),
        number: *hash.first_chunk().expect("a hash is longer"),
        trace,
    };
    let records = Records::new(bounds, ports);
    // What could not be written is seen in the list; that the store is down, in the log.
    let _ = records.accept(canonical_id(message_id.as_str()), &accepted);
    if records.found_down() {
        ports.log.print(&telemetry::trouble("records", records.fix(), ports.clock.now()));
    }
}

/// Whether this is the first request of its second that asks. Whoever has no credentials may send
/// requests without end, and the owner pays for telemetry by the byte.
fn is_first_of_its_second(ports: Ports<'_>) -> bool {
    const KEY: &str = "okta-telephony-acs/sampled";
    let second = (ports.clock.milliseconds() / 1000).to_be_bytes();
    match ports.store.get(KEY) {
        Ok(last) if last.as_deref() != Some(&second) => ports.store.set(KEY, &second).is_ok(),
        _ => false,
    }
}

/// Sends items, unless the sink is known to be down.
fn track(sink: &Sink, items: &[Item<'_>], ports: Ports<'_>) {
    let breaker = Breaker::new("okta-telephony-acs/breaker/telemetry", ports);
    let fix = match breaker.run(|| application_insights::send(sink, items, ports)) {
        Ok(sent) if sent.refused > 0 => {
            let refused = sent.refused.to_string();
            ["Application Insights did not take ", &refused, " items: look at its quota."].concat()
        }
        // One line each time that it goes down.
        _ if !breaker.found_down() => return,
        Err(Stopped::Failed(failure)) => failure.log_fix(sink),
        Ok(_) | Err(Stopped::LeftAlone) => {
            "Application Insights hangs, and is left alone for half a minute.".into()
        }
    };
    ports.log.print(&telemetry::trouble("telemetry", &fix, ports.clock.now()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app;
    use crate::ports::SendError;
    use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
    use crate::records::{Status, store::Records};
    use serde_json::Value;
    use std::time::Duration;

    const TRACK: &str = "https://dc.example/v2.1/track";

    /// A host with a sink that takes everything.
    fn with_sink() -> FakeHost {
        let taken = FakeAnswer::of(200, r#"{"itemsReceived":9,"itemsAccepted":9,"errors":[]}"#);
        FakeHost::default()
            .with(
                "applicationinsights_connection_string",
                "InstrumentationKey=0f3b0c5e-9d0a-4e0f-8d4e-0a8d0f6c1b2a;IngestionEndpoint=https://dc.example/",
            )
            .answering_to(TRACK, [taken])
    }

    fn hook() -> FakeRequest {
        FakeRequest::hook(
            r#"{"data":{"messageProfile":{"phoneNumber":"+447400123456","otpCode":"123456"}}}"#,
        )
    }

    /// Handles a request, and what is done after.
    fn handle(host: &FakeHost, mut request: FakeRequest) {
        let handled = app::handle(&mut request, host.ports());
        run(handled.after, host.ports());
    }

    /// The items of each post to the sink.
    fn posted(host: &FakeHost) -> Vec<Vec<Value>> {
        let sent = host.sent.borrow();
        let posts = sent.iter().filter(|sent| sent.authority == "dc.example");
        posts.map(|post| serde_json::from_str(&post.body).unwrap()).collect()
    }

    fn kinds(items: &[Value]) -> Vec<&str> {
        items.iter().map(|item| item["data"]["baseType"].as_str().unwrap()).collect()
    }

    fn delivery(host: &FakeHost) -> crate::records::Delivery {
        let bounds = config::read_bounds(host).unwrap().unwrap();
        Records::new(bounds, host.ports()).find("id-1").unwrap().unwrap()
    }

    #[test]
    fn a_message_has_a_record_and_all_of_its_telemetry_has_the_callers_trace() {
        let host = with_sink();
        let mut request = hook();
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        request.headers.push(("traceparent", traceparent.into()));
        handle(&host, request);

        let accepted = delivery(&host).accepted.unwrap();
        assert_eq!(accepted.region.unwrap().code(), "GB");
        assert_eq!(accepted.trace.unwrap().trace_id[..2], [0x0a, 0xf7]);
        let posts = posted(&host);
        assert_eq!(kinds(&posts[0]), ["RequestData", "RemoteDependencyData"]);
        for item in &posts[0] {
            assert_eq!(item["tags"]["ai.operation.id"], "0af7651916cd43dd8448eb211c80319c");
        }
        let [request, dependency] = &posts[0][..] else { panic!() };
        assert_eq!(request["tags"]["ai.operation.parentId"], "b7ad6b7169203331");
        let id = &request["data"]["baseData"]["id"];
        assert_eq!(&dependency["tags"]["ai.operation.parentId"], id);
        assert_eq!(dependency["data"]["baseData"]["target"], "contoso.communication.azure.com");
        assert!(!host.sent.borrow().last().unwrap().body.contains("7400123456"));

        // The report joins them.
        let report = r#"{"eventType":"Microsoft.Communication.SMSDeliveryReportReceived",
            "data":{"messageId":"Outgoing_id-1","deliveryStatus":"Delivered","receivedTimestamp":"2026-01-31T12:00:02Z"}}"#;
        let host = host.with("report_secret", "report");
        for _ in 0..2 {
            let mut request = FakeRequest::hook(report);
            request.path = crate::reports::REPORTS_PATH;
            request.headers = vec![("x-report-secret", b"report".to_vec())];
            handle(&host, request);
        }
        assert_eq!(delivery(&host).status(), Status::Delivered);
        let posts = posted(&host);
        assert_eq!(posts.len(), 2, "a duplicate is not told again");
        assert_eq!(kinds(&posts[1]), ["EventData"]);
        let tags = &posts[1][0]["tags"];
        assert_eq!(tags["ai.operation.id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(&tags["ai.operation.parentId"], id);
        let event = &posts[1][0]["data"]["baseData"];
        assert_eq!(event["measurements"]["deliveryMs"], 2000.0);
    }

    #[test]
    fn without_a_sink_there_is_no_trace_and_without_slots_no_record() {
        let host = FakeHost::default();
        handle(&host, hook());
        assert_eq!(delivery(&host).accepted.unwrap().trace, None);
        let host = FakeHost::default().with("record_slots", "0");
        handle(&host, hook());
        assert!(host.records.0.borrow().as_ref().unwrap().is_empty());
    }

    #[test]
    fn what_fails_for_the_service_is_a_message_too_and_what_is_refused_is_not() {
        let host = with_sink().answering([FakeAnswer::of(401, "")]);
        handle(&host, hook());
        let posts = posted(&host);
        assert_eq!(kinds(&posts[0]), ["RequestData", "RemoteDependencyData", "MessageData"]);
        assert_eq!(posts[0][0]["data"]["baseData"]["success"], false);
        assert_eq!(posts[0][2]["data"]["baseData"]["severityLevel"], 3);
        let host = with_sink().with("sending", "off");
        handle(&host, hook());
        let posts = posted(&host);
        assert_eq!(kinds(&posts[0]), ["RequestData"]);
        assert_eq!(posts[0][0]["data"]["baseData"]["properties"]["reason"], "paused");
    }

    #[test]
    fn of_those_who_show_no_credentials_one_a_second_is_told() {
        let mut host = with_sink();
        let stranger = || {
            let mut request = hook();
            request.headers.remove(0);
            let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            request.headers.push(("traceparent", traceparent.into()));
            request
        };
        for _ in 0..5 {
            handle(&host, stranger());
        }
        assert_eq!(posted(&host).len(), 1);
        let properties = &posted(&host)[0][0]["data"]["baseData"]["properties"];
        assert_eq!(properties["sampled"], "one a second");
        let trace = &posted(&host)[0][0]["tags"]["ai.operation.id"];
        assert_ne!(trace, "0af7651916cd43dd8448eb211c80319c", "nobody joins traces without proof");
        host.now += Duration::from_secs(1);
        handle(&host, stranger());
        assert_eq!(posted(&host).len(), 2);
    }

    #[test]
    fn a_sink_that_hangs_takes_half_a_second_once_and_the_log_says_so_once() {
        let host = with_sink().answering_to(TRACK, [(TIME, Err(SendError::Late))]);
        let host = host.answering(["id-1", "id-2", "id-3"].map(FakeAnswer::accepted));
        for _ in 0..3 {
            handle(&host, hook());
        }
        assert_eq!(posted(&host).len(), 1);
        let printed = host.printed.borrow();
        assert_eq!(printed.len(), 1, "{printed:?}");
        assert!(printed[0].contains(r#""event":"telemetry""#) && printed[0].contains("450 ms"));
    }

    const TIME: Duration = Duration::from_secs(60);

    #[test]
    fn a_store_of_records_that_fails_is_told_once_and_left_alone() {
        let host = FakeHost::default();
        let host = host.answering(["id-1", "id-2"].map(FakeAnswer::accepted));
        host.records.0.replace(None);
        for _ in 0..2 {
            handle(&host, hook());
        }
        let printed = host.printed.borrow();
        assert_eq!(printed.len(), 1, "{printed:?}");
        assert!(printed[0].contains(r#""event":"records""#) && printed[0].contains("record_slots"));
    }

    #[test]
    fn what_is_still_to_be_done_does_not_show_the_number() {
        let handled = app::handle(&mut hook(), FakeHost::default().ports());
        let text = format!("{handled:?}");
        assert!(text.contains("HookDone") && !text.contains("7400123456"), "{text}");
    }

    #[test]
    fn messages_to_one_number_have_one_hash_and_to_another_another() {
        let number = |request: FakeRequest| {
            let host = FakeHost::default();
            handle(&host, request);
            delivery(&host).accepted.unwrap().number
        };
        assert_eq!(number(hook()), number(hook()));
        let other =
            r#"{"data":{"messageProfile":{"phoneNumber":"+447400123457","otpCode":"123456"}}}"#;
        assert_ne!(number(hook()), number(FakeRequest::hook(other)));
    }
}
