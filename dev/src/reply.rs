//! What an emulator answers a request, rightly or wrongly.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::loopback::CutConnection;

/// The length of the padding in a huge answer, in bytes.
pub const HUGE_BODY: usize = 10 * 1024 * 1024;
/// The time between two bytes of an answer that trickles.
pub const TRICKLE_PAUSE: Duration = Duration::from_millis(100);

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer {
        status: StatusCode,
        /// In seconds.
        retry_after: Option<u32>,
        body: ReplyBody,
        delay: Duration,
    },
    /// No answer; the connection stays open.
    Silence,
    /// No answer; the connection is closed.
    Cut,
}

#[derive(Debug, PartialEq)]
pub(crate) enum ReplyBody {
    Json(Value),
    Empty,
    NotJson,
    /// It breaks off in the middle.
    Half(Value),
    /// See [`HUGE_BODY`].
    Huge,
    /// See [`TRICKLE_PAUSE`].
    Trickle,
}

/// What is wrong with an answer that is right but for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilt {
    /// It is late.
    Late(Duration),
    /// The connection is closed without an answer the first time. A repeat of the message is answered.
    CutFirstTime,
    NotJson,
    /// It breaks off in the middle.
    Half,
    /// It is [`HUGE_BODY`] bytes longer.
    Huge,
    /// The head comes at once, then a byte every [`TRICKLE_PAUSE`] without end.
    Trickle,
}

/// How often a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Always,
    /// Only the first time that a message is seen, by the id that makes its repeats one message. A message without one
    /// is always seen for the first time.
    First,
}

impl Reply {
    pub fn json(status: StatusCode, body: Value) -> Self {
        Self::of(status, ReplyBody::Json(body))
    }

    pub fn of(status: StatusCode, body: ReplyBody) -> Self {
        Self::Answer { status, retry_after: None, body, delay: Duration::ZERO }
    }

    /// The answer to a message that was not seen before, spoilt.
    pub fn spoilt(self, how: Option<Spoilt>) -> Self {
        let Self::Answer { status, retry_after, body, delay } = self else { return self };
        let (body, delay) = match how {
            None => (body, delay),
            Some(Spoilt::Late(late)) => (body, late),
            Some(Spoilt::CutFirstTime) => return Self::Cut,
            Some(Spoilt::NotJson) => (ReplyBody::NotJson, delay),
            Some(Spoilt::Half) => match body {
                ReplyBody::Json(value) => (ReplyBody::Half(value), delay),
                other => (other, delay),
            },
            Some(Spoilt::Huge) => (ReplyBody::Huge, delay),
            Some(Spoilt::Trickle) => (ReplyBody::Trickle, delay),
        };
        Self::Answer { status, retry_after, body, delay }
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(status.as_u16()),
            Self::Silence | Self::Cut => None,
        }
    }

    /// Answers, or does what is done in place of that.
    pub async fn respond(self) -> Response {
        let (status, retry_after, body, delay) = match self {
            Self::Silence => std::future::pending().await,
            Self::Cut => return cut(),
            Self::Answer { status, retry_after, body, delay } => (status, retry_after, body, delay),
        };
        tokio::time::sleep(delay).await;
        let body = match body {
            ReplyBody::Json(value) => Body::from(value.to_string()),
            ReplyBody::Empty => Body::empty(),
            ReplyBody::NotJson => Body::from("<!doctype html><title>Accepted</title>"),
            ReplyBody::Half(value) => half(&value.to_string()),
            ReplyBody::Huge => huge(),
            ReplyBody::Trickle => trickle(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A response that ends the connection in its place.
pub(crate) fn cut() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(CutConnection);
    response
}

/// What was sent must leave before the end does: a stream that is reset drops what it still holds.
fn half(text: &str) -> Body {
    let first = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let broken = async {
        tokio::time::sleep(TRICKLE_PAUSE).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    Body::from_stream(stream::iter([Ok(first)]).chain(stream::once(broken)))
}

/// JSON that is right but for its length, so that only a limit protects the reader. It has the lists of all providers'
/// answers.
fn huge() -> Body {
    const CHUNK: usize = 64 * 1024;
    let padding = Bytes::from(vec![b'x'; CHUNK]);
    let chunks = [Bytes::from_static(br#"{"value":[],"messages":[],"padding":""#)]
        .into_iter()
        .chain(std::iter::repeat_n(padding, HUGE_BODY / CHUNK))
        .chain([Bytes::from_static(br#""}"#)]);
    Body::from_stream(stream::iter(chunks.map(Ok::<_, Infallible>)))
}

/// White space, which any JSON may begin with, so that only a time limit protects the reader.
fn trickle() -> Body {
    Body::from_stream(stream::unfold((), async |()| {
        tokio::time::sleep(TRICKLE_PAUSE).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    }))
}
