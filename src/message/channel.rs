//! How a passcode reaches the person.

use serde::{Deserialize, Serialize};

/// How a passcode reaches the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// As a text message.
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
