//! What is Okta's: who calls, what the request says, what the answer looks like. Knows nothing of
//! ACS.
//!
//! Facts are from Okta's "Telephony inline hook" reference and guide and its "Inline hooks" concept
//! page.

pub mod auth;
pub mod request;
pub mod response;

/// Where Okta calls.
pub const HOOK_PATH: &str = "/api/okta-telephony";
