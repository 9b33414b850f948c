//! The outside, as traits: all that the rooms may ask of the host.
//!
//! `ports::wasi`, on wasm32 only, implements them with WASI 0.2 in the component; tests implement them
//! with values. Every wait takes the [`Instant`] at which it must end, since Okta waits 3 seconds and
//! no longer.

use std::borrow::Cow;
use std::time::Duration;

use ::time::OffsetDateTime;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) mod fake;
#[cfg(target_arch = "wasm32")]
pub mod wasi;

/// A point on the host's monotonic clock, as time since an origin of the host's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Duration);

impl Instant {
    /// The point that comes `later` than this one.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// The time from `earlier` to this point, zero where `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The outside of one request.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The configuration.
    pub variables: &'a dyn Variables,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub random: &'a dyn Random,
    /// HTTP requests to elsewhere.
    pub http: &'a dyn HttpClient,
    /// The key-value store `default`, which is local to the host.
    pub store: &'a dyn Store,
    /// The key-value store `records`, which hosts may share: for after the answer, and for requests that
    /// may wait.
    pub records: &'a dyn Store,
    /// The log.
    pub log: &'a dyn Log,
}

/// What the operator is told.
pub trait Log {
    /// Prints a line, which ends in a line feed.
    fn print(&self, line: &str);
}

/// The application's variables, as its manifest declares them.
pub trait Variables {
    /// The value of a variable, empty where it is not set; an error where the host can't tell,
    /// as when its provider is out of reach.
    fn get(&self, name: &str) -> Result<String, VariableUnavailable>;
}

/// The host could not say what a variable's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableUnavailable;

/// Both clocks.
pub trait Clock {
    /// The monotonic clock, on which deadlines are kept.
    fn instant(&self) -> Instant;
    /// The time of day at a point of the monotonic clock that is now or was before, as the time since 1970 in
    /// UTC.
    fn since_1970(&self, instant: Instant) -> Duration;
    /// The same as a date, which is 1970 where the clock is beyond the year 9999: it tells nothing then, and
    /// every signature fails, visibly.
    fn time_at(&self, instant: Instant) -> OffsetDateTime {
        let time = self.since_1970(instant);
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
            + Duration::from_nanos(time.subsec_nanos().into())
    }
    /// The same in milliseconds since 1970.
    fn milliseconds_at(&self, instant: Instant) -> u64 {
        let time = self.since_1970(instant);
        time.as_secs().saturating_mul(1000).saturating_add(time.subsec_millis().into())
    }
    /// The time of day, in UTC.
    fn now(&self) -> OffsetDateTime {
        self.time_at(self.instant())
    }
    /// The same in milliseconds since 1970.
    fn milliseconds(&self) -> u64 {
        self.milliseconds_at(self.instant())
    }
    /// Returns at `until`, or at once if it has passed.
    fn sleep(&self, until: Instant);
}

/// A time of day in milliseconds since 1970; 0 before.
pub fn milliseconds(time: OffsetDateTime) -> u64 {
    u64::try_from(time.unix_timestamp() * 1000 + i64::from(time.millisecond())).unwrap_or(0)
}

/// The time of day that is so many milliseconds after 1970 began, in UTC; 1970 after the year 9999.
pub fn date(milliseconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Randomness fit for identifiers that nobody may guess.
pub trait Random {
    /// Sixteen random bytes.
    fn bytes(&self) -> [u8; 16];
}

/// A key-value store. Nothing can end a wait for it, so one that is on the way of a hook must be local
/// to the host.
///
/// It knows no expiry and no atomic change: of two hooks that read, then write the same key at the
/// same moment, one write is lost.
pub trait Store {
    /// The value of a key, `None` where it has none.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable>;
    /// Gives a key a value.
    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable>;
}

/// Why the host could not read or write its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreUnavailable {
    /// It fails or hangs.
    #[default]
    Down,
    /// The host has no such store for the component.
    NotGiven,
    /// It does not take the host's user and password, or wants some.
    Unauthorized,
    /// The host's user may not do this in it.
    Forbidden,
}

impl StoreUnavailable {
    /// What the text of a host's error says. The text itself goes nowhere: keys and names of users may be in it.
    pub fn of_text(text: &str) -> Self {
        // Spin passes on how the clients of its stores print their errors: of Redis its own code, or the client's
        // name for a log-in that failed; of Azure Cosmos DB the name of the HTTP status.
        let text = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["noperm", "forbidden"]) {
            Self::Forbidden
        } else if has(&["noauth", "wrongpass", "authenticationfailed", "unauthorized"]) {
            Self::Unauthorized
        } else {
            Self::Down
        }
    }
}

/// The request that came in. A body of which the head promises more than is taken is not even begun with.
pub trait InboundRequest {
    /// The method, in upper case as it was sent.
    fn method(&self) -> String;
    /// The path without the query.
    fn path(&self) -> String;
    /// The query, without the `?`. It may hold a secret.
    fn query(&self) -> Option<String>;
    /// Every value of a header, named in lower case, in order; a header may be repeated.
    fn header(&self, name: &str) -> Vec<Vec<u8>>;
    /// Its body.
    fn body(&mut self) -> &mut dyn Body;
    /// How many bytes its head promises. In 64 bits, which are more than the component counts memory in: a
    /// promise that is not understood would be none.
    fn promised_length(&self) -> Option<u64> {
        str::from_utf8(self.header("content-length").first()?).ok()?.parse().ok()
    }
}

/// An answer to a request that came in, whole.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers, without `Content-Length`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A body to be read, once.
pub trait Body {
    /// Reads all of it: at most `limit` bytes, and until `until` at the latest.
    fn read(&mut self, limit: usize, until: Instant) -> Result<Vec<u8>, BodyError>;
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It has more bytes than the limit.
    TooLarge,
    /// It had not ended in time.
    Late,
    /// The connection broke before it ended.
    Broken,
}

/// Sends requests to elsewhere.
pub trait HttpClient {
    /// A place for requests of which several can be under way. There is none in it yet.
    fn in_flight(&self) -> Box<dyn InFlight + '_>;

    /// Sends a request and waits for the head of the answer, until `until` at the latest.
    fn send(
        &self,
        request: &OutboundRequest<'_>,
        until: Instant,
    ) -> Result<Box<dyn Answer>, SendError> {
        let mut in_flight = self.in_flight();
        in_flight.send(request, until);
        in_flight.next(until).map_or(Err(SendError::Late), |(_, answer)| answer)
    }
}

/// Requests to elsewhere that are under way at once. Dropping this gives up those that are not answered.
pub trait InFlight {
    /// Sends one more, which nobody will wait for after `until`. They are numbered, from 0 on.
    fn send(&mut self, request: &OutboundRequest<'_>, until: Instant);

    /// Waits until the head of one's answer is there, or one has failed, and gives its number; until `until` at the
    /// latest.
    fn next(&mut self, until: Instant) -> Option<Answered>;
}

/// The number of a request, and what it has brought.
pub type Answered = (usize, Result<Box<dyn Answer>, SendError>);

/// A request to elsewhere. `Host` and `Content-Length` are the client's to add. No redirect is
/// followed. It has no `Debug`: a signature and a passcode may be in it.
pub struct OutboundRequest<'a> {
    /// The method, with the body where it has one.
    pub method: OutboundMethod<'a>,
    /// Whether it is `https`; only a loopback host's may be `http`.
    pub tls: bool,
    /// Host, and port where it is not the scheme's own: what the `Host` header will hold.
    pub authority: &'a str,
    /// Path with query.
    pub path_and_query: &'a str,
    /// Headers in the order in which they are sent.
    pub headers: &'a [(&'static str, &'a str)],
}

/// What a request to elsewhere does.
#[derive(Clone, Copy)]
pub enum OutboundMethod<'a> {
    /// Reads, without a body.
    Get,
    /// Brings this body, whole.
    Post(&'a [u8]),
    /// Says all that there is to say by its path, without a body.
    Put,
}

/// The head of an answer, with the body still to be read.
pub trait Answer: Body {
    /// The status code.
    fn status(&self) -> u16;
    /// The first value of a header, if it is text. Headers are to be had until the body is read.
    fn header(&self, name: &'static str) -> Option<String>;
}

/// Why a request brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendError {
    /// The host may not call this host: `allowed_outbound_hosts` does not list it.
    NotAllowed,
    /// No connection came about, so that nothing was sent.
    NotConnected,
    /// The other side's certificate is not trusted, or TLS failed otherwise, so that nothing was
    /// sent.
    Untrusted,
    /// The connection broke after the request may have been sent.
    Broken,
    /// No answer came in time; the request may have been sent.
    Late,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_refuses_is_known_by_the_text_of_the_hosts_error() {
        use StoreUnavailable::{Down, Forbidden, Unauthorized};
        for (text, cause) in [
            // As Spin 4.0.2 has them of Redis 7.0 and 6.0.
            ("NOPERM: User okta has no permissions to run the 'set' command", Forbidden),
            ("NOPERM: No permissions to access a key", Forbidden),
            ("NOPERM: this user has no permissions to access one of the keys used", Forbidden),
            ("NOAUTH: Authentication required.", Unauthorized),
            ("Password authentication failed- AuthenticationFailed", Unauthorized),
            ("WRONGPASS: invalid username-password pair or user is disabled.", Unauthorized),
            ("Error { context: Full(HttpResponse { status: Forbidden, .. }) }", Forbidden),
            ("Error { context: Full(HttpResponse { status: Unauthorized, .. }) }", Unauthorized),
            ("Connection refused (os error 111)", Down),
            ("OOM: command not allowed when used memory > 'maxmemory'.", Down),
            ("READONLY: You can't write against a read only replica.", Down),
            ("", Down),
        ] {
            assert_eq!(StoreUnavailable::of_text(text), cause, "{text}");
        }
    }
}
