//! What became of each message: what the hook saw when ACS took it, and what the carrier reported.

pub mod breaker;
pub mod code;
pub mod health;
pub mod store;
pub mod store_key;

use std::collections::BinaryHeap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::numbering::Region;
use crate::sender::SenderType;
use crate::trace_context::Trace;

/// Milliseconds since 1970.
pub type Moment = u64;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For how many messages there is room. Never 0.
    pub slots: u32,
    /// For how long, in seconds.
    pub max_age: u32,
}

/// What the tag of a message begins with, before Okta's id of the hook call. ACS brings the reports of
/// whoever sends through the resource, and another one's tag may be anything, such as a login.
pub const EVENT_TAG: &str = "okta:";

/// The form of ACS's message ids by which its answer and its report meet: without the `Outgoing_` that
/// stands before the id in reports ("Azure Communication Services - SMS events"), and does not in the
/// published answers to a send. Any other text stays as it is.
///
/// ```
/// use okta_telephony_acs::records::canonical_id;
///
/// assert_eq!(canonical_id("Outgoing_20200918002213"), "20200918002213");
/// assert_eq!(canonical_id("20200918002213"), "20200918002213");
/// ```
pub fn canonical_id(id: &str) -> &str {
    id.strip_prefix("Outgoing_").unwrap_or(id)
}

/// Where the keys are in their order, from the least to the greatest; equal ones stay in theirs.
///
/// All that is sorted is sorted by this, and by a heap: a slice's own sort would bring 4 KB to the component
/// for each type.
pub(crate) fn in_order(keys: &[u64]) -> Vec<usize> {
    let heap: BinaryHeap<_> = keys.iter().copied().zip(0_usize..).collect();
    heap.into_sorted_vec().into_iter().map(|(_, at)| at).collect()
}

/// A message that ACS took, as the hook saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// When ACS took it.
    pub at: Moment,
    /// Okta's id of the hook call.
    pub event_id: Option<String>,
    /// Which step of Okta's asked.
    pub request_type: Option<String>,
    /// The recipient's region.
    pub region: Option<Region>,
    /// The kind of sender.
    pub sender_type: SenderType,
    /// How often the message was tried.
    pub attempts: u32,
    /// How many segments the text has.
    pub segments: u32,
    /// A keyed hash of the number: messages to one number have the same.
    pub number: [u8; 16],
    /// The trace of the hook call, where telemetry is on.
    pub trace: Option<Trace>,
}

/// What a delivery report says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// When the report came to ACS.
    pub at: Moment,
    /// `deliveryStatus` is `Delivered`.
    pub delivered: bool,
    /// The number that `deliveryStatusDetails` begins with, if any: see [`code`].
    pub code: Option<u16>,
}

/// A message, by what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// ACS's message id in the form of [`canonical_id`].
    pub message_id: String,
    /// What the hook saw; `None` where the report came first, or the record has made room.
    pub accepted: Option<Accepted>,
    /// What the carrier reported; `None` until it does.
    pub reported: Option<Reported>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// ACS took it, and nothing has been reported yet.
    Accepted,
    /// The carrier delivered it.
    Delivered,
    /// It was not delivered.
    Failed,
    /// The carrier gives no reports: it may have been delivered ("5002", Troubleshooting in ACS).
    Unconfirmed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Delivered, Self::Failed, Self::Unconfirmed];

    /// The name in the log, in the look-up and in telemetry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl Reported {
    /// Whether it says more than another report of the same message: the newer one does, and of two of one
    /// moment the one that says that the message arrived.
    pub fn goes_over(&self, known: &Self) -> bool {
        (self.at, self.delivered, self.code) > (known.at, known.delivered, known.code)
    }

    /// What became of the message.
    pub fn status(&self) -> Status {
        match self {
            Self { delivered: true, .. } => Status::Delivered,
            Self { code: Some(code::NO_REPORTS), .. } => Status::Unconfirmed,
            _ => Status::Failed,
        }
    }
}

impl Reported {
    /// From the moment that ACS took the message, in milliseconds. None where clocks that are apart make it
    /// negative.
    pub fn milliseconds_since(&self, accepted: &Accepted) -> Option<u64> {
        self.at.checked_sub(accepted.at)
    }
}

impl Delivery {
    /// What became of it.
    pub fn status(&self) -> Status {
        self.reported.as_ref().map_or(Status::Accepted, Reported::status)
    }

    /// From the moment that ACS took it to the carrier's report. None where one of them is not known,
    /// or where clocks that are apart make it negative.
    pub fn time_to_report(&self) -> Option<Duration> {
        let milliseconds = self.reported.as_ref()?.milliseconds_since(self.accepted.as_ref()?)?;
        Some(Duration::from_millis(milliseconds))
    }

    /// When ACS took it or, where that is not known, when its report came: by it the newest come first.
    pub fn at(&self) -> Moment {
        let accepted = self.accepted.as_ref().map(|accepted| accepted.at);
        accepted.or(self.reported.as_ref().map(|reported| reported.at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_keys_are_put_in_order_and_equal_ones_stay_in_theirs(
            keys in proptest::collection::vec(prop_oneof![0..5_u64, any::<u64>()], 0..50),
        ) {
            let mut expected: Vec<usize> = (0..keys.len()).collect();
            expected.sort_by_key(|at| keys[*at]);
            prop_assert_eq!(in_order(&keys), expected);
        }
    }
}
