//! Any body of Event Grid's, Infobip's or Telesign's is reports or not, and nothing of it but what is promised gets out; and
//! any header of Telesign's is a signature or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::records::code::Code;
use okta_telephony_acs::reports::event_grid::{EVENTS_LIMIT, Event, VALIDATION_CODE_LIMIT, parse};
use okta_telephony_acs::reports::{DeliveryReport, infobip, telesign};

fuzz_target!(|body: &[u8]| {
    check_infobip(body);
    check_telesign(body);
    let Ok(events) = parse(body, 0) else { return };
    assert!(events.len() <= EVENTS_LIMIT);
    for event in events {
        match event {
            Ok(Event::Report(report)) => {
                check_id(&report, body);
                let code = report.reported.code;
                assert!(code.is_none_or(|it| matches!(it, Code::Acs(1000..=9999))));
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

/// The id is one that the body has.
fn check_id(report: &DeliveryReport, body: &[u8]) {
    let id = report.message_id.as_str();
    assert!((1..=64).contains(&id.len()));
    assert!(body.windows(id.len()).any(|part| part == id.as_bytes()) || body.contains(&b'\\'));
}

fn check_infobip(body: &[u8]) {
    let Ok(reports) = infobip::parse(body, 0) else { return };
    assert!(reports.len() <= infobip::RESULTS_LIMIT);
    for report in reports {
        match report {
            Ok(None) => {}
            Ok(Some(report)) => {
                check_id(&report, body);
                assert!(!matches!(report.reported.code, Some(Code::Acs(_))));
            }
            Err(bad) => assert!(!bad.to_string().is_empty()),
        }
    }
}

fn check_telesign(body: &[u8]) {
    if telesign::signature(body).is_some() {
        assert!(body.len() >= 44);
    }
    match telesign::parse(body, 0) {
        Ok(report) => {
            check_id(&report, body);
            let code = report.reported.code;
            assert!(code.is_none_or(|it| matches!(it, Code::Telesign(_))));
            let status = report.reported.unconfirmed_status().unwrap_or_default();
            assert!(
                status.len() <= 32 && status.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
            );
        }
        Err(bad) => assert!(!bad.to_string().is_empty()),
    }
}
