//! Any body of Okta's event hook is a delivery or none, one event costs no other, and nothing comes from the future.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::okta_events::{EVENTS_LIMIT, Said, parse};
use okta_telephony_acs::records::CLOCKS_APART;

/// 2026-11-29, the day of the samples.
const NOW: u64 = 1_795_953_600_000;

fuzz_target!(|body: &[u8]| {
    let Ok(delivery) = parse(body, NOW) else { return };
    assert!(delivery.count <= EVENTS_LIMIT);
    assert_eq!(delivery.count, delivery.events.len() + delivery.others + delivery.bad.len());
    let latest = NOW + CLOCKS_APART;
    assert!(delivery.newest.is_none_or(|newest| newest <= latest));
    for event in &delivery.events {
        assert!(!event.uuid.is_empty());
        assert!(event.published <= latest && Some(event.published) <= delivery.newest);
        if let Said::Person { user, .. } = &event.said {
            assert!(!user.as_str().is_empty());
            assert_eq!(format!("{user:?}"), "UserId([redacted])");
        }
    }
    assert_eq!(parse(body, NOW).as_ref(), Ok(&delivery));
});
