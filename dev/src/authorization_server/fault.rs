//! What an endpoint can be made to do wrong.

use std::time::Duration;

use serde_json::Value;

/// What is asked for. Everything is counted by these, and misbehaves by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `ISSUER/.well-known/openid-configuration`
    OpenidConfiguration,
    /// `ISSUER/.well-known/oauth-authorization-server`
    OauthMetadata,
    /// The same where RFC 8414 has it: between the host and the issuer's path.
    OauthMetadataInserted,
    /// The JWKS.
    Keys,
    Token,
    /// Where [`Fault::Redirect`] leads: everything is there once more, and right.
    Elsewhere,
    /// Any other path: not found.
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This status, and the standard's JSON for an error: 404 is a missing document, 500 a broken
    /// server.
    Status(u16),
    /// 302 to the same below `/elsewhere` at this origin, where it is right.
    Redirect,
    /// No answer, and the connection stays open until the client closes it.
    Hang,
    /// The connection is closed without an answer.
    Cut,
    /// The head comes at once, then a byte every [`TRICKLE_PAUSE`] without end.
    Trickle,
    /// 200, but HTML that says that it is JSON.
    Garbage,
    /// Right, but [`HUGE_BODY`] bytes longer.
    Huge,
    /// Right, but for this member: `("issuer", json!("https://example.com"))`.
    Member(&'static str, Value),
}

/// The length of a [`Fault::Huge`] answer's padding in bytes.
pub const HUGE_BODY: usize = 1024 * 1024;
/// The time between two bytes of a [`Fault::Trickle`] answer.
pub const TRICKLE_PAUSE: Duration = Duration::from_millis(100);
