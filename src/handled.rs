//! What a request brings about.

use std::borrow::Cow;

use crate::after::After;

/// An answer, whole.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, without `Content-Length`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a request brings about: an answer, and what is done once it has left.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response,
    /// Lines for the log, each with its line feed.
    pub log: String,
    /// The rest.
    pub after: After,
}
