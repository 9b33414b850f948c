//! What becomes of a message, in the answer to its request and in its reports.
//!
//! The source is Infobip's page "Response status and error codes".

use serde_json::{Value, json};

/// A status of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    group: Group,
    pub id: u16,
    pub name: &'static str,
    description: &'static str,
}

/// Its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Pending = 1,
    Undeliverable = 2,
    Delivered = 3,
    Expired = 4,
    Rejected = 5,
}

pub(super) const ACCEPTED: u16 = 26;
pub(super) const DELIVERED: u16 = 5;
pub(super) const EXPIRED: u16 = 15;
pub(super) const PREFIX_MISSING: u16 = 8;
pub(super) const UNKNOWN_SENDER: u16 = 11;
pub(super) const DUPLICATE_ID: u16 = 23;
pub(super) const TOO_LONG: u16 = 25;
pub(super) const BAD_DESTINATION: u16 = 52;

/// Those that an SMS may have.
#[rustfmt::skip]
const STATUSES: &[Status] = &[
    status(Group::Pending, 26, "PENDING_ACCEPTED", "Message sent to next instance"),
    status(Group::Pending, 7, "PENDING_ENROUTE", "Message sent to next instance"),
    status(Group::Pending, 3, "PENDING_WAITING_DELIVERY", "Message sent to next instance"),
    status(Group::Undeliverable, 4, "UNDELIVERABLE_REJECTED_OPERATOR", "Message rejected by operator"),
    status(Group::Undeliverable, 9, "UNDELIVERABLE_NOT_DELIVERED", "Message sent not delivered"),
    status(Group::Undeliverable, 31, "UNDELIVERABLE_NOT_SENT", "Message not sent"),
    status(Group::Delivered, 2, "DELIVERED_TO_OPERATOR", "Message delivered to operator"),
    status(Group::Delivered, 5, "DELIVERED_TO_HANDSET", "Message delivered to handset"),
    status(Group::Expired, 15, "EXPIRED_EXPIRED", "Message expired"),
    status(Group::Expired, 29, "EXPIRED_DLR_UNKNOWN", "Message expired with unknown delivery report"),
    status(Group::Rejected, 6, "REJECTED_NETWORK", "Network is forbidden"),
    status(Group::Rejected, 8, "REJECTED_PREFIX_MISSING", "Number prefix missing"),
    status(Group::Rejected, 10, "REJECTED_DND", "Destination on DND list"),
    status(Group::Rejected, 11, "REJECTED_SOURCE", "Invalid Source address"),
    status(Group::Rejected, 12, "REJECTED_NOT_ENOUGH_CREDITS", "Not enough credits"),
    status(Group::Rejected, 13, "REJECTED_SENDER", "By Sender"),
    status(Group::Rejected, 14, "REJECTED_DESTINATION_BLOCKLISTED", "By Destination"),
    status(Group::Rejected, 17, "REJECTED_PREPAID_PACKAGE_EXPIRED", "Prepaid package expired"),
    status(Group::Rejected, 18, "REJECTED_DESTINATION_NOT_REGISTERED", "Destination not registered"),
    status(Group::Rejected, 19, "REJECTED_ROUTE_NOT_AVAILABLE", "Route not available"),
    status(Group::Rejected, 20, "REJECTED_FLOODING_FILTER", "Rejected flooding"),
    status(Group::Rejected, 21, "REJECTED_SYSTEM_ERROR", "System error"),
    status(Group::Rejected, 23, "REJECTED_DUPLICATE_MESSAGE_ID", "Duplicate message ID"),
    status(Group::Rejected, 25, "REJECTED_MESSAGE_TOO_LONG", "Message too long"),
    status(Group::Rejected, 51, "MISSING_TO", "Missing TO"),
    status(Group::Rejected, 52, "REJECTED_DESTINATION", "Invalid destination"),
    status(Group::Rejected, 87, "SIGNALS_BLOCKED", "Blocked by Signals"),
    status(Group::Rejected, 100, "UNDELIVERABLE_REJECTED_PLATFORM", "Rejected by the platform"),
];

const fn status(group: Group, id: u16, name: &'static str, description: &'static str) -> Status {
    Status { group, id, name, description }
}

impl Status {
    /// # Panics
    ///
    /// Where there is no such status: the ids are all the emulator's own.
    pub fn of(id: u16) -> Self {
        let found = STATUSES.iter().find(|status| status.id == id);
        *found.unwrap_or_else(|| panic!("an SMS has no status {id}"))
    }

    pub fn is_delivered(self) -> bool {
        self.group == Group::Delivered
    }

    pub fn json(self) -> Value {
        let group = match self.group {
            Group::Pending => "PENDING",
            Group::Undeliverable => "UNDELIVERABLE",
            Group::Delivered => "DELIVERED",
            Group::Expired => "EXPIRED",
            Group::Rejected => "REJECTED",
        };
        json!({
            "groupId": self.group as u16,
            "groupName": group,
            "id": self.id,
            "name": self.name,
            "description": self.description,
        })
    }

    /// Why, as a report says it besides: one that there is for such a status.
    pub fn error(self) -> Value {
        let (group, group_name, id, name, description, permanent) = match self.id {
            4 => (
                3,
                "OPERATOR_ERRORS",
                561,
                "EC_CONTENT_BLOCKED_BY_OPERATOR",
                "Content blocked by operator",
                true,
            ),
            9 => (1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER", "Absent Subscriber", false),
            15 => (3, "OPERATOR_ERRORS", 4098, "EC_VP_EXPIRED", "Validity period expired", false),
            31 => (
                3,
                "OPERATOR_ERRORS",
                4097,
                "EC_NOTSUBMITTEDTOGMSC",
                "Not submitted to GMSC",
                false,
            ),
            _ if self.is_delivered() || self.id == DUPLICATE_ID => {
                (0, "OK", 0, "NO_ERROR", "No Error", false)
            }
            _ => (1, "HANDSET_ERRORS", 255, "EC_UNKNOWN_ERROR", "Unknown Error", false),
        };
        json!({
            "groupId": group,
            "groupName": group_name,
            "id": id,
            "name": name,
            "description": description,
            "permanent": permanent,
        })
    }
}
