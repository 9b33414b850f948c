//! Okta's telephony inline hook: what the request says and what the answer looks like.
//!
//! Facts are from Okta's "Telephony inline hook" reference and guide and its "Inline hooks" concept
//! page.

pub mod answer;
pub mod request;

/// Where Okta calls.
pub const HOOK_PATH: &str = "/api/okta-telephony";
