//! What makes all attempts to send a message one message.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::phone_number::PhoneNumber;
use crate::ports::Random;

/// The pair by which ACS knows a repeated request and sends its message once.
///
/// Both are in the SMS API's request; how they work is Microsoft's page "Repeatability of requests",
/// which names Email and Rooms only and is taken to hold for SMS: requests are tracked for 5 minutes
/// from `first_sent` on; an older one is refused, and so is one whose `first_sent` is not that of its
/// `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeatability {
    /// `repeatabilityRequestId`.
    pub id: Uuid,
    /// `repeatabilityFirstSent`.
    pub first_sent: OffsetDateTime,
}

impl Repeatability {
    /// Up to this age the time of the event is still within ACS's 5 minutes when the request
    /// arrives.
    const EVENT_AGE_LIMIT: Duration = Duration::minutes(4);

    /// A clock that is behind Okta's by no more than this makes no difference: the event that comes
    /// again must have the same pair.
    const CLOCK_SKEW: Duration = Duration::minutes(1);

    /// Namespace of the ids that are made from events (RFC 9562, section 5.5): a random one.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d1f3e_0f0a_4c5e_9b59_3c3f0f4d8a21);

    /// The pair for an event's message to a number. The same event gives the same pair, so that a hook that
    /// is called twice sends once; an event with another number, as where somebody mends one in Okta's
    /// Preview, is another message. Without an event id each call is a message of its own.
    pub fn of(
        event_id: Option<&str>,
        to: &PhoneNumber,
        event_time: Option<OffsetDateTime>,
        now: OffsetDateTime,
        random: &dyn Random,
    ) -> Self {
        let id = match event_id {
            // A number has no space in it.
            Some(event_id) => {
                Uuid::new_v5(&Self::NAMESPACE, format!("{} {event_id}", to.as_str()).as_bytes())
            }
            None => uuid::Builder::from_random_bytes(random.bytes()).into_uuid(),
        };
        Self { id, first_sent: Self::first_sent(event_time, now) }
    }

    /// When the message counts as sent first: at the event's time, as long as the provider still knows it.
    pub fn first_sent(event_time: Option<OffsetDateTime>, now: OffsetDateTime) -> OffsetDateTime {
        let recent = |time: &OffsetDateTime| {
            (-Self::CLOCK_SKEW..Self::EVENT_AGE_LIMIT).contains(&(now - *time))
        };
        event_time.filter(recent).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeHost;
    use time::macros::datetime;

    fn of(event_id: Option<&str>, to: &str, event_time: Option<OffsetDateTime>) -> Repeatability {
        let host = FakeHost::default();
        Repeatability::of(event_id, &PhoneNumber::parse(to).unwrap(), event_time, host.now, &host)
    }

    #[test]
    fn an_event_gives_one_pair_for_a_number_and_no_event_a_random_one() {
        let id = |event_id, to| of(event_id, to, None).id;
        let one = id(Some("a"), "+15550100123");
        assert_eq!(one, Uuid::new_v5(&Repeatability::NAMESPACE, b"+15550100123 a"));
        assert_eq!(one, id(Some("a"), "+15550100123"));
        assert_ne!(one, id(Some("b"), "+15550100123"));
        assert_ne!(one, id(Some("a"), "+15550100124"), "another number is another message");
        assert_eq!(one.get_version_num(), 5);
        assert_eq!(id(None, "+15550100123").get_version_num(), 4);
    }

    #[test]
    fn first_sent_is_the_events_time_while_acs_still_tracks_it() {
        let now = FakeHost::default().now;
        for (time, first_sent) in [
            (datetime!(2026-01-31 11:56:00.001 UTC), datetime!(2026-01-31 11:56:00.001 UTC)),
            (datetime!(2026-01-31 11:56:00 UTC), now),
            (datetime!(2026-01-31 12:01:00 UTC), datetime!(2026-01-31 12:01:00 UTC)),
            (datetime!(2026-01-31 12:01:00.001 UTC), now),
        ] {
            assert_eq!(of(None, "+15550100123", Some(time)).first_sent, first_sent);
        }
    }
}
