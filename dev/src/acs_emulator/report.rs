//! What a delivery report says, in the two schemas of Event Grid.
//!
//! The sources are the pages "Azure Communication Services - SMS events", whose sample is followed to
//! the letter, "CloudEvents v1.0 schema with Azure Event Grid", and the table of codes in
//! "Troubleshooting in Azure Communication Services". No page has an SMS sample in the schema of
//! CloudEvents: its envelope is that of the second page, and its `data` the same but for `tag`, which
//! is in lower case in the models of Microsoft's SDKs.

use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::fault::OddReport;
use crate::phone::{DeliveryStatus, Message, Report};
use crate::segments::segments;

/// Where the events come from. The subscription and the resource are nobody's.
pub(super) const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/\
     emulator/providers/microsoft.communication/communicationservices/emulator";
const EVENT_TYPE: &str = "Microsoft.Communication.SMSDeliveryReportReceived";
pub(super) const DATA_VERSION: &str = "1.0";
pub(super) const METADATA_VERSION: &str = "1";

/// `2020-09-18T00:22:20.2855749Z`, as .NET writes it.
const TICKS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");
/// `2020-09-18T00:22:20Z`.
const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The form of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventSchema {
    /// Event Grid's own: an array with the one event.
    #[default]
    EventGrid,
    /// CloudEvents 1.0, in structured mode: the one event.
    CloudEvents,
}

/// Those of a message, in the order of their delivery.
pub(super) fn of(message_id: &str, odd: Option<OddReport>, now: OffsetDateTime) -> Vec<Report> {
    let report = |status, code, details, received| Report {
        message_id: message_id.to_owned(),
        status,
        code,
        details,
        received,
        answers: Vec::new(),
        is_taken: false,
    };
    let delivered = report(DeliveryStatus::Delivered, 2000, "No error.".to_owned(), now);
    let failed = |code, received| {
        report(DeliveryStatus::Failed, code, format!("{code}: {}", meaning(code)), received)
    };
    match odd {
        None => vec![delivered],
        Some(OddReport::Failed(code)) => vec![failed(code, now)],
        Some(OddReport::Never) => Vec::new(),
        Some(OddReport::DeliveredOverFailed) => {
            vec![delivered, failed(5001, now - Duration::seconds(1))]
        }
    }
}

/// A report that the request for a message asked for.
pub(super) struct Owed {
    pub message_id: String,
    pub odd: Option<OddReport>,
    /// Event Grid brings it to somebody: before that, there is none.
    pub by_event: bool,
}

impl Owed {
    /// What somebody is told who asks for it now, if there is one by then.
    pub fn answer(&self, message: &Message, now: OffsetDateTime) -> Option<Value> {
        let made = if self.by_event { Vec::new() } else { of(&message.id, self.odd, now) };
        let newest = made.iter().max_by_key(|report| report.received);
        Some(answer(newest.or(message.report())?, message))
    }
}

/// A report for who asks for it, as the example of the REST specification 2026-01-23 has it.
fn answer(report: &Report, sent: &Message) -> Value {
    let details = match report.status {
        DeliveryStatus::Delivered => "2000: No Error",
        DeliveryStatus::Failed | DeliveryStatus::OnItsWay => &report.details,
    };
    let mut answer = json!({
        "deliveryStatus": report.status.name(),
        "deliveryStatusDetails": details,
        "deliveryAttempts": [attempt(report, sent, SECONDS)],
        "receivedTimestamp": utc(report.received, SECONDS),
        "messageId": report.message_id,
        "from": sent.from,
        "to": sent.to,
    });
    if let Some(tag) = &sent.tag {
        answer["tag"] = json!(tag);
    }
    answer
}

fn attempt(report: &Report, sent: &Message, form: &[BorrowedFormatItem<'_>]) -> Value {
    let segments = segments(&sent.text);
    let (succeeded, failed) = match report.status {
        DeliveryStatus::Delivered => (segments, 0),
        DeliveryStatus::Failed | DeliveryStatus::OnItsWay => (0, segments),
    };
    json!({
        "timestamp": utc(sent.received, form),
        "segmentsSucceeded": succeeded,
        "segmentsFailed": failed,
    })
}

/// The body of a request that delivers the report of a message. `id` is the event's.
pub(super) fn event(report: &Report, id: &str, sent: &Message, schema: EventSchema) -> Value {
    // In the sample `from` has no plus, and `to` has one.
    let from = sent.from.strip_prefix('+').unwrap_or(&sent.from);
    let mut data = json!({
        "messageId": report.message_id,
        "from": from,
        "to": sent.to,
        "deliveryStatus": report.status.name(),
        "deliveryStatusDetails": report.details,
        "receivedTimestamp": utc(report.received, TICKS),
        "deliveryAttempts": [attempt(report, sent, TICKS)],
    });
    if let Some(tag) = &sent.tag {
        let name = match schema {
            EventSchema::EventGrid => "Tag",
            EventSchema::CloudEvents => "tag",
        };
        data[name] = json!(tag);
    }
    let subject = format!("/phonenumber/{from}");
    match schema {
        EventSchema::EventGrid => json!([{
            "id": id,
            "topic": TOPIC,
            "subject": subject,
            "data": data,
            "eventType": EVENT_TYPE,
            "dataVersion": DATA_VERSION,
            "metadataVersion": METADATA_VERSION,
            "eventTime": utc(report.received, SECONDS),
        }]),
        EventSchema::CloudEvents => json!({
            "specversion": "1.0",
            "type": EVENT_TYPE,
            "source": TOPIC,
            "id": id,
            "time": utc(report.received, TICKS),
            "subject": subject,
            "data": data,
        }),
    }
}

/// The codes of [`super::FAULTS`].
fn meaning(code: u16) -> &'static str {
    match code {
        4000 => "Message rejected as fraud",
        4001 => "Invalid From number",
        4002 => "Invalid To number",
        4003 => "Unsupported destination",
        4004 => "To number does not exist",
        4005 => "Message blocked by the carrier",
        4006 => "To number is not reachable",
        4007 => "To number has opted out",
        4008 => "Maximum number of messages of the profile exceeded",
        4009 => "Message rejected by Microsoft Entitlement System",
        4010 => "Toll-free number is not verified",
        4020 => "Carrier's limit of messages exceeded",
        5000 => "Message failed, contact support",
        5001 => "Temporarily unavailable",
        5002 => "Carrier does not support delivery reports",
        _ => "Unknown error",
    }
}

fn utc(moment: OffsetDateTime, form: &[BorrowedFormatItem<'_>]) -> String {
    // Formatting fails only for what a moment lacks, and this one has a date and a time.
    moment.to_offset(UtcOffset::UTC).format(form).unwrap_or_default()
}

/// `eventTime`, for events that are no reports.
pub(super) fn event_time(moment: OffsetDateTime) -> String {
    utc(moment, SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acs_emulator::{FAULTS, Fault};

    #[test]
    fn a_number_says_what_its_report_will_say() {
        let mut codes = Vec::new();
        for fault in FAULTS {
            let Fault::Report(OddReport::Failed(code)) = fault.fault else { continue };
            codes.push(code);
            let [report] =
                of("", fault.odd_report(), OffsetDateTime::UNIX_EPOCH).try_into().unwrap();
            assert_eq!(report.status, DeliveryStatus::Failed);
            assert_eq!(fault.number, format!("+1555010{code}"));
            assert!(report.details.starts_with(&format!("{code}: ")), "{}", report.details);
            assert_eq!(fault.meaning, format!("the report says Failed, {code}"));
        }
        let documented = (4000..=4010).chain([4020, 5000, 5001, 5002, 9999]);
        assert_eq!(codes, documented.collect::<Vec<_>>());
    }
}
