//! How a passcode reaches the person.

use serde::{Deserialize, Serialize};

/// How a passcode reaches the person. Postcard keeps the number of the variant in records: their order does not
/// change.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// As a text message.
    #[default]
    Sms,
    /// By a call, in which a voice says it.
    Call,
}

impl Channel {
    /// The name in the log, in telemetry and on the operator's pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
        }
    }
}
