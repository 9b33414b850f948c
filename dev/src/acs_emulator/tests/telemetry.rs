//! The ingestion of Application Insights over real sockets.

use super::*;

fn items() -> String {
    let item = |name| {
        json!({
            "name": "Microsoft.ApplicationInsights.Event",
            "iKey": DEVELOPMENT_INSTRUMENTATION_KEY,
            "time": "2026-03-26T16:06:51Z",
            "data": { "baseType": "EventData", "baseData": { "name": name } },
        })
    };
    json!([item("first"), item("second")]).to_string()
}

/// What a client of the service posts, which signs nothing.
fn draft(emulator: &AcsEmulator, body: impl Into<Vec<u8>>) -> Draft {
    let body = body.into();
    let mut draft = Draft::get(emulator, "/v2.1/track")
        .with("content-type", "application/json")
        .with("content-length", body.len().to_string());
    draft.method = "POST";
    draft.body = body;
    draft
}

fn names(emulator: &AcsEmulator) -> Vec<Value> {
    let items = emulator.telemetry();
    items.iter().map(|item| item["data"]["baseData"]["name"].clone()).collect()
}

#[tokio::test]
async fn telemetry_is_taken_and_kept() {
    let emulator = start().await;
    let answer = draft(&emulator, items()).send(&emulator).await;
    assert_eq!(answer.status, 200);
    let expected = json!({ "itemsReceived": 2, "itemsAccepted": 2, "errors": [] });
    assert_eq!(answer.json(), expected);
    assert_eq!(names(&emulator), ["first", "second"]);
    assert_eq!(emulator.track_requests(), 1);
    let listed = Draft::get(&emulator, "/telemetry").send(&emulator).await;
    assert_eq!(listed.json(), json!(emulator.telemetry()));
}

#[tokio::test]
async fn the_connection_string_leads_to_where_telemetry_is_taken() {
    let emulator = start().await;
    assert_eq!(
        emulator.application_insights_connection_string(),
        format!(
            "InstrumentationKey={DEVELOPMENT_INSTRUMENTATION_KEY};\
             IngestionEndpoint=https://127.0.0.1:{}/",
            emulator.address().port()
        )
    );
    assert_eq!(DEVELOPMENT_INSTRUMENTATION_KEY, DEVELOPMENT_INSTRUMENTATION_KEY.to_lowercase());
}

#[tokio::test]
async fn what_is_no_telemetry_is_refused_and_counted() {
    let emulator = start().await;
    let long = vec![b' '; application_insights::BODY_LIMIT + 1];
    for (draft, status) in [
        (draft(&emulator, "{}"), 400),
        (draft(&emulator, items()).with("content-type", "text/plain"), 415),
        (draft(&emulator, long), 413),
    ] {
        let answer = draft.send(&emulator).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["itemsAccepted"], 0);
    }
    assert_eq!(emulator.track_requests(), 3);
    assert!(emulator.telemetry().is_empty());
}

#[tokio::test]
async fn a_fault_lasts_until_it_is_taken_back() {
    let emulator = start().await;
    emulator.set_track_fault(Some(TrackFault::Status(503)));
    assert_eq!(draft(&emulator, items()).send(&emulator).await.status, 503);
    emulator.set_track_fault(Some(TrackFault::Cut));
    assert_eq!(draft(&emulator, items()).exchange(&emulator).await, b"");
    assert!(emulator.telemetry().is_empty());

    emulator.set_track_fault(Some(TrackFault::PartialFirst(429)));
    assert_eq!(draft(&emulator, items()).send(&emulator).await.status, 206);
    assert_eq!(names(&emulator), ["second"]);

    emulator.set_track_fault(None);
    assert_eq!(draft(&emulator, items()).send(&emulator).await.status, 200);
    assert_eq!(emulator.track_requests(), 4);
}

#[tokio::test]
async fn who_is_never_answered_is_let_go_at_the_shutdown() {
    let emulator = start().await;
    emulator.set_track_fault(Some(TrackFault::Hang));
    let mut stream = draft(&emulator, items()).connect(&emulator).await;
    until(|| (emulator.track_requests() == 1).then_some(())).await;
    tokio::time::timeout(BOUND, emulator.shutdown()).await.expect("a shutdown");
    // Reset, if not all of the request had been read.
    let mut bytes = Vec::new();
    _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut bytes)).await.expect("an end");
    assert_eq!(bytes, b"");
}
