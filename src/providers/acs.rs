//! What is Azure Communication Services': connection string, signature, the SMS request and its
//! answer, and the two roads that a message may take. Knows nothing of Okta.
//!
//! Facts are from Microsoft's REST API specification of `Sms` 2021-03-07 and its page "Authenticate
//! to Azure Communication Services" (HMAC).

pub mod connection_string;
pub mod signature;
pub mod sms;
