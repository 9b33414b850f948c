//! Repeated requests: the same message, sent again, is not a second message.
//!
//! The rules are those of "Repeatability of requests" (learn.microsoft.com, REST API of
//! Communication Services), which names Email and Rooms. For SMS, where the same two values are in
//! the body of the request for each recipient, no page names the tracked duration; the emulator
//! takes it to be the same.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::imf_fixdate;

/// "Currently, the tracked duration is 5 minutes."
pub(super) const TRACKED: Duration = Duration::minutes(5);
/// The record is looked through for entries past their time this often, not at every request.
const SWEEP: Duration = Duration::seconds(30);

/// The service's own words, grammar and all, from the specification's example SmsSend.json.
pub(super) const INVALID_FIRST_SENT: &str = "Request sent with Invalid DateTime value for repeatability-first-sent. \
                                             Expected is DateTime ,RFC1123 pattern.";

/// What a sender says about a message that it may send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeatable {
    /// As a number, since "case-insensitive encoding of a UUID" is how the specification puts it.
    pub id: Uuid,
    pub first_sent: OffsetDateTime,
}

/// An item's status and message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub status: u16,
    pub message: &'static str,
}

impl Repeatable {
    /// `Ok(None)` if the sender says nothing.
    pub fn parse(
        id: Option<&str>,
        first_sent: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Option<Repeatable>, Rejection> {
        let rejection = |status, message| Err(Rejection { status, message });
        if id.is_none() && first_sent.is_none() {
            return Ok(None);
        }
        let Some(first_sent) = first_sent.and_then(imf_fixdate::parse) else {
            return rejection(400, INVALID_FIRST_SENT);
        };
        let Some(id) = id.and_then(hyphenated_uuid) else {
            return rejection(
                400,
                "Request sent with invalid value for repeatability-request-id. Expected is a GUID \
                 of 36 characters.",
            );
        };
        if (first_sent - now).abs() > TRACKED {
            return rejection(412, "repeatability-first-sent is not in the 5 minutes window.");
        }
        Ok(Some(Repeatable { id, first_sent }))
    }
}

/// "36-character hexadecimal case-insensitive encoding of a UUID"; the parser alone would also take
/// braces, a `urn:` and no hyphens.
fn hyphenated_uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// A digest of everything that a repeat has to have in common with the original.
pub(super) type Fingerprint = [u8; 32];

/// What the record says about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Never,
    /// The original came to nothing because of the server, so the repeat is executed.
    Failed,
    Accepted {
        message_id: String,
    },
    /// The id is of another message.
    Different,
}

/// The messages of the tracked duration.
#[derive(Default)]
pub(super) struct Record {
    entries: HashMap<Uuid, Entry>,
    next_sweep: Option<OffsetDateTime>,
}

struct Entry {
    first_sent: OffsetDateTime,
    fingerprint: Fingerprint,
    /// Where there is none, the server failed.
    message_id: Option<String>,
}

impl Record {
    pub fn look_up(&self, message: &Repeatable, fingerprint: &Fingerprint) -> Seen {
        match self.entries.get(&message.id) {
            None => Seen::Never,
            Some(entry)
                if entry.fingerprint != *fingerprint || entry.first_sent != message.first_sent =>
            {
                Seen::Different
            }
            Some(Entry { message_id: None, .. }) => Seen::Failed,
            Some(Entry { message_id: Some(message_id), .. }) => {
                Seen::Accepted { message_id: message_id.clone() }
            }
        }
    }

    pub fn put(
        &mut self,
        message: &Repeatable,
        fingerprint: Fingerprint,
        message_id: Option<String>,
        now: OffsetDateTime,
    ) {
        self.sweep(now);
        let entry = Entry { first_sent: message.first_sent, fingerprint, message_id };
        self.entries.insert(message.id, entry);
    }

    /// An entry past the tracked duration is of no more use: a repeat of it is a 412 by its date.
    fn sweep(&mut self, now: OffsetDateTime) {
        if self.next_sweep.is_none_or(|next| next <= now) {
            self.entries.retain(|_, entry| now - entry.first_sent <= TRACKED);
            self.next_sweep = Some(now + SWEEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-26 16:06:51 UTC);
    const NOW_TEXT: &str = "Thu, 26 Mar 2026 16:06:51 GMT";
    const ID: &str = "fda6d242-46aa-4247-8bf6-619a1206f9c3";

    fn status(id: Option<&str>, first_sent: Option<&str>) -> Option<u16> {
        Repeatable::parse(id, first_sent, NOW).err().map(|rejection| rejection.status)
    }

    #[test]
    fn both_values_or_neither() {
        assert_eq!(Repeatable::parse(None, None, NOW), Ok(None));
        assert_eq!(status(Some(ID), Some(NOW_TEXT)), None);
        assert_eq!(status(Some(ID), None), Some(400));
        assert_eq!(status(None, Some(NOW_TEXT)), Some(400));
    }

    #[test]
    fn a_badly_formed_value_is_rejected() {
        assert_eq!(status(Some(ID), Some("2026-03-26T16:06:51Z")), Some(400));
        for id in ["", "x", &ID[1..], &ID.replace('-', ""), &format!("{{{ID}}}")] {
            assert_eq!(status(Some(id), Some(NOW_TEXT)), Some(400), "{id}");
        }
        assert_eq!(status(Some(&ID.to_uppercase()), Some(NOW_TEXT)), None);
    }

    #[test]
    fn a_date_outside_the_tracked_duration_is_a_412() {
        for (date, expected) in [
            ("Thu, 26 Mar 2026 16:01:51 GMT", None),
            ("Thu, 26 Mar 2026 16:01:50 GMT", Some(412)),
            ("Thu, 26 Mar 2026 16:11:51 GMT", None),
            ("Thu, 26 Mar 2026 16:11:52 GMT", Some(412)),
        ] {
            assert_eq!(status(Some(ID), Some(date)), expected, "{date}");
        }
    }

    #[test]
    fn the_record_forgets_what_is_past_the_tracked_duration() {
        let mut record = Record::default();
        let mut now = NOW;
        for number in 0..1_000 {
            let message = Repeatable { id: Uuid::from_u128(number), first_sent: now };
            record.put(&message, [0; 32], Some(number.to_string()), now);
            now += Duration::seconds(1);
        }
        let most = (TRACKED + SWEEP).whole_seconds() as usize + 1;
        assert!(record.entries.len() <= most, "{}", record.entries.len());
        let newest =
            Repeatable { id: Uuid::from_u128(999), first_sent: now - Duration::seconds(1) };
        assert!(matches!(record.look_up(&newest, &[0; 32]), Seen::Accepted { .. }));
    }
}
