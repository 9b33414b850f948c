//! Any body of Event Grid's is events or not, and nothing of it but what is promised gets out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::reports::event_grid::{EVENTS_LIMIT, Event, VALIDATION_CODE_LIMIT, parse};

fuzz_target!(|body: &[u8]| {
    let Ok(events) = parse(body, 0) else { return };
    assert!(events.len() <= EVENTS_LIMIT);
    for event in events {
        match event {
            Ok(Event::Report(report)) => {
                let id = report.message_id.as_str();
                assert!((1..=64).contains(&id.len()));
                assert!(
                    body.windows(id.len()).any(|part| part == id.as_bytes())
                        || body.contains(&b'\\')
                );
                assert!(report.reported.code.is_none_or(|code| (1000..=9999).contains(&code)));
            }
            Ok(Event::Received(received)) => {
                let digits = |from: &str| from.bytes().filter(u8::is_ascii_digit).count();
                assert!(received.from.is_none_or(|from| digits(&from) <= 5 && from.contains('*')));
            }
            Ok(Event::Validation { code }) => {
                assert!((1..=VALIDATION_CODE_LIMIT).contains(&code.len()) && code.is_ascii());
            }
            Ok(Event::SubscriptionDeleted | Event::Other) => {}
            Err(bad) => assert!(!bad.to_string().is_empty()),
        }
    }
});
