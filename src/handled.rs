//! What a request brings about.

use crate::oauth::issuer::Issuer;
use crate::store_key::StoreKey;

/// An answer, whole.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, without `Content-Length`.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a request brings about: an answer, and what is done once it has left.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response,
    /// The line for the log, line feed included.
    pub log_line: Option<String>,
    /// The keys of this issuer, kept under that key, are worth asking for before they grow stale.
    pub refresh: Option<(Issuer, StoreKey)>,
}
