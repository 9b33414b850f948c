//! The ports on WASI 0.2 and Spin's variables.
//!
//! A handle is given back to the host when it is dropped. The host takes a child before its parent only, such
//! as a stream before its body: Rust drops locals in the reverse order, and fields in order.

use std::cell::{OnceCell, RefCell};
use std::time::Duration;

use ::wasi::clocks::{monotonic_clock, wall_clock};
use ::wasi::io::poll::{Pollable, poll};
use ::wasi::io::streams::{OutputStream, StreamError};

use super::{
    Answer, Answered, Body, BodyError, Clock, HttpClient, InFlight, InboundRequest, Instant, Log,
    OutboundMethod, OutboundRequest, Random, SendError, Store, StoreUnavailable,
    VariableUnavailable, Variables,
};
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, IncomingResponse,
    Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};

/// The host of this component.
pub struct Host;

impl Variables for Host {
    fn get(&self, name: &str) -> Result<String, VariableUnavailable> {
        spin_sdk::variables::get(name).map_err(|_| VariableUnavailable)
    }
}

/// Both clocks, for one request. The time of day is looked at once, as the request begins, and goes on by the
/// other clock: whoever sets it meanwhile, or stops the machine, makes it wrong for the requests under way.
pub struct Clocks {
    /// What both said as the request began.
    began: (Instant, Duration),
}

impl Default for Clocks {
    fn default() -> Self {
        let wall = wall_clock::now();
        // A host's nanoseconds are less than a second, so that nothing overflows.
        Self { began: (instant(), Duration::new(wall.seconds, wall.nanoseconds)) }
    }
}

/// The monotonic clock.
fn instant() -> Instant {
    Instant(Duration::from_nanos(monotonic_clock::now()))
}

impl Clock for Clocks {
    fn instant(&self) -> Instant {
        instant()
    }

    fn since_1970(&self, instant: Instant) -> Duration {
        let (began, time) = self.began;
        time.saturating_add(instant.since(began))
    }

    fn sleep(&self, until: Instant) {
        at(until).block();
    }
}

impl Random for Host {
    fn bytes(&self) -> [u8; 16] {
        let (high, low) =
            (::wasi::random::random::get_random_u64(), ::wasi::random::random::get_random_u64());
        (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
    }
}

/// The key-value store of a label, for one request.
pub struct KeyValue {
    label: &'static str,
    open: RefCell<Option<Open>>,
}

struct Open {
    store: spin_sdk::key_value::Store,
    /// The keys that have been read through it.
    read: Vec<String>,
}

impl KeyValue {
    /// The store of this label, opened when it is needed first.
    pub const fn new(label: &'static str) -> Self {
        Self { label, open: RefCell::new(None) }
    }

    /// Does something with the store. `key` is the one that it reads: Spin 3.0 and 3.1 never read a key
    /// again through one handle, so for a second time there is another.
    fn with<T>(
        &self,
        key: Option<&str>,
        work: impl FnOnce(&spin_sdk::key_value::Store) -> Result<T, spin_sdk::key_value::Error>,
    ) -> Result<T, StoreUnavailable> {
        let mut open = self.open.borrow_mut();
        let usable = open.take().filter(|open| !open.read.iter().any(|read| Some(&**read) == key));
        let open = match usable {
            Some(usable) => open.insert(usable),
            None => {
                let store = spin_sdk::key_value::Store::open(self.label);
                open.insert(Open { store: store.map_err(unavailable)?, read: Vec::new() })
            }
        };
        open.read.extend(key.map(str::to_owned));
        work(&open.store).map_err(unavailable)
    }
}

fn unavailable(error: spin_sdk::key_value::Error) -> StoreUnavailable {
    use spin_sdk::key_value::Error;
    match error {
        Error::AccessDenied | Error::NoSuchStore => StoreUnavailable::NotGiven,
        Error::Other(text) => StoreUnavailable::of_text(&text),
        Error::StoreTableFull => StoreUnavailable::Down,
    }
}

impl Store for KeyValue {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.with(Some(key), |store| store.get(key))
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.with(None, |store| store.set(key, value))
    }
}

/// A pollable that is ready at `until`.
fn at(until: Instant) -> Pollable {
    monotonic_clock::subscribe_instant(u64::try_from(until.0.as_nanos()).unwrap_or(u64::MAX))
}

/// Waits for `event`, and tells whether it came before the deadline.
fn came_in_time(event: &Pollable, deadline: &Pollable) -> bool {
    poll(&[event, deadline]).contains(&0)
}

/// Writes a whole body and finishes it.
///
/// This must happen **before** the head is handed to the host, for answers and requests alike. The
/// other way round, head and body leave in two segments, and Nagle's algorithm together with
/// delayed acknowledgement makes every exchange on a kept connection 40 ms late.
///
/// Nobody reads the body before the head is handed over, so waiting for room would be for ever: a
/// write that the host has no room for is an error. Hosts make room for 1 MiB at least.
pub(crate) fn write_whole(body: OutgoingBody, bytes: &[u8]) -> Result<(), BodyNotWritten> {
    let stream = body.write().map_err(|()| BodyNotWritten)?;
    write_without_waiting(&stream, bytes)?;
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|_| BodyNotWritten)
}

/// The host took no body, or not all of it.
#[derive(Debug)]
pub(crate) struct BodyNotWritten;

fn write_without_waiting(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), BodyNotWritten> {
    while !bytes.is_empty() {
        let room = stream.check_write().map_err(|_| BodyNotWritten)?;
        let room = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if room == 0 {
            return Err(BodyNotWritten);
        }
        let (piece, rest) = bytes.split_at(room);
        stream.write(piece).map_err(|_| BodyNotWritten)?;
        bytes = rest;
    }
    Ok(())
}

impl Log for Host {
    /// Writes to standard output, and waits until the host has it off its hands.
    fn print(&self, line: &str) {
        let stdout = ::wasi::cli::stdout::get_stdout();
        // 4,096 bytes is the most that one blocking write takes.
        for piece in line.as_bytes().chunks(4096) {
            if stdout.blocking_write_and_flush(piece).is_err() {
                break; // Nobody listens.
            }
        }
    }
}

/// Reads a body of so many bytes, if its head has promised any number. Takes what is there, and waits only where
/// nothing is: a body has mostly come with its head.
fn read_whole(
    body: IncomingBody,
    promised: Option<u64>,
    limit: usize,
    until: Instant,
) -> Result<Vec<u8>, BodyError> {
    let stream = body.stream().map_err(|()| BodyError::Broken)?;
    // A child of the stream's, which goes before it, with the deadline.
    let mut waiting = None;
    let mut bytes = Vec::new();
    // No body is shorter than its head promised: the host breaks it. What some hosts let in behind that, with
    // both a length and chunks, is nobody's.
    while promised != Some(bytes.len() as u64) {
        match stream.read(16 * 1024) {
            Ok(piece) if piece.is_empty() => {
                let (ready, deadline) =
                    waiting.get_or_insert_with(|| (stream.subscribe(), at(until)));
                if !came_in_time(ready, deadline) {
                    return Err(BodyError::Late);
                }
                continue;
            }
            // The first piece is taken as it is.
            Ok(piece) if bytes.is_empty() => bytes = piece,
            Ok(piece) => {
                bytes.extend_from_slice(&piece);
                // A sender that always has the next byte ready would never be waited for.
                if instant() >= until {
                    return Err(BodyError::Late);
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(BodyError::Broken),
        }
        if bytes.len() > limit {
            return Err(BodyError::TooLarge);
        }
    }
    Ok(bytes)
}

/// A request that came in, on wasi:http.
pub struct Inbound {
    // Before the request that they are of: a child goes first.
    headers: OnceCell<Fields>,
    request: IncomingRequest,
}

impl Inbound {
    /// Takes the host's request.
    pub(crate) fn new(request: IncomingRequest) -> Self {
        Self { headers: OnceCell::new(), request }
    }
}

impl InboundRequest for Inbound {
    fn method(&self) -> String {
        match self.request.method() {
            Method::Get => "GET".into(),
            Method::Head => "HEAD".into(),
            Method::Post => "POST".into(),
            Method::Put => "PUT".into(),
            Method::Delete => "DELETE".into(),
            Method::Connect => "CONNECT".into(),
            Method::Options => "OPTIONS".into(),
            Method::Trace => "TRACE".into(),
            Method::Patch => "PATCH".into(),
            Method::Other(method) => method,
        }
    }

    fn path(&self) -> String {
        let mut path = self.request.path_with_query().unwrap_or_default();
        if let Some(query) = path.find('?') {
            path.truncate(query);
        }
        path
    }

    fn query(&self) -> Option<String> {
        Some(self.request.path_with_query()?.split_once('?')?.1.to_owned())
    }

    fn header(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.get_or_init(|| self.request.headers()).get(name)
    }

    fn body(&mut self) -> &mut dyn Body {
        self
    }
}

impl Body for Inbound {
    fn read(&mut self, limit: usize, until: Instant) -> Result<Vec<u8>, BodyError> {
        let promised = self.promised_length();
        if promised.is_some_and(|length| length > limit as u64) {
            return Err(BodyError::TooLarge);
        }
        let body = self.request.consume().map_err(|()| BodyError::Broken)?;
        read_whole(body, promised, limit, until)
    }
}

impl HttpClient for Host {
    fn in_flight(&self) -> Box<dyn InFlight + '_> {
        Box::new(UnderWay { count: 0, waiting: Vec::new() })
    }
}

/// Requests that the host has.
struct UnderWay {
    count: usize,
    /// The number of each that is not answered, and what to wait for, or why there is nothing to wait for.
    waiting: Vec<(usize, Result<FutureIncomingResponse, SendError>)>,
}

impl InFlight for UnderWay {
    fn send(&mut self, request: &OutboundRequest<'_>, until: Instant) {
        self.waiting.push((self.count, hand_over(request, until)));
        self.count += 1;
    }

    fn next(&mut self, until: Instant) -> Option<Answered> {
        let ready = match self.waiting.iter().position(|(_, waiting)| waiting.is_err()) {
            Some(failed) => failed,
            None => {
                let waiting = self.waiting.iter().filter_map(|(_, waiting)| waiting.as_ref().ok());
                let mut events: Vec<_> = waiting.map(FutureIncomingResponse::subscribe).collect();
                events.push(at(until));
                let ready = poll(&events.iter().collect::<Vec<_>>());
                // Answers come before the deadline, which is the last event.
                ready.into_iter().map(|at| at as usize).find(|at| *at < self.waiting.len())?
            }
        };
        let (number, waiting) = self.waiting.remove(ready);
        Some((number, waiting.and_then(|waiting| response(&waiting))))
    }
}

/// Hands a request over to the host.
fn hand_over(
    request: &OutboundRequest<'_>,
    until: Instant,
) -> Result<FutureIncomingResponse, SendError> {
    let request = outgoing_request(request).ok_or(SendError::NotConnected)?;
    let options = RequestOptions::new();
    let left = u64::try_from(until.since(instant()).as_nanos()).unwrap_or(u64::MAX);
    // Connecting has less time, so that a host that is not there is known for one to which
    // nothing was sent (Spin means TCP by it, and not TLS). A host that knows no such limit is no reason to
    // fail: waiting has an end of its own, and all the others would add to are calls to the host.
    let _ = options.set_connect_timeout(Some(left / 4 * 3));
    outgoing_handler::handle(request, Some(options)).map_err(|error| cause(&error))
}

/// The response that is there.
fn response(ready: &FutureIncomingResponse) -> Result<Box<dyn Answer>, SendError> {
    match ready.get() {
        Some(Ok(Ok(response))) => {
            Ok(Box::new(Response { status: response.status(), rest: Some(response) }))
        }
        Some(Ok(Err(error))) => Err(cause(&error)),
        // The answer is ready and has not been taken before.
        Some(Err(())) | None => Err(SendError::Broken),
    }
}

/// Headers, all of them in one call to the host, with the length of the body if there is one.
pub(crate) fn fields<'a>(
    headers: impl Iterator<Item = (&'static str, &'a str)>,
    length: Option<usize>,
) -> Option<Fields> {
    let mut entries: Vec<_> =
        headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
    if let Some(length) = length {
        entries.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    Fields::from_list(&entries).ok()
}

/// The request for the host, its body, if any, written and finished.
fn outgoing_request(request: &OutboundRequest<'_>) -> Option<OutgoingRequest> {
    let length = match request.method {
        OutboundMethod::Get => None,
        OutboundMethod::Post(body) => Some(body.len()),
        OutboundMethod::Put => Some(0),
    };
    let outgoing = OutgoingRequest::new(fields(request.headers.iter().copied(), length)?);
    let method = match request.method {
        OutboundMethod::Get => Method::Get,
        OutboundMethod::Post(_) => Method::Post,
        OutboundMethod::Put => Method::Put,
    };
    outgoing.set_method(&method).ok()?;
    let scheme = if request.tls { Scheme::Https } else { Scheme::Http };
    outgoing.set_scheme(Some(&scheme)).ok()?;
    outgoing.set_authority(Some(request.authority)).ok()?;
    outgoing.set_path_with_query(Some(request.path_and_query)).ok()?;
    // The body of a GET is not even taken: the host would send an empty one in chunks.
    match request.method {
        OutboundMethod::Get => {}
        OutboundMethod::Post(body) => write_whole(outgoing.body().ok()?, body).ok()?,
        OutboundMethod::Put => write_whole(outgoing.body().ok()?, b"").ok()?,
    }
    Some(outgoing)
}

/// What a host's error says about whether the request may have been sent.
fn cause(error: &ErrorCode) -> SendError {
    match error {
        // The latter is Spin's for networks that its operator blocks.
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => SendError::NotAllowed,
        // Spin reports an untrusted certificate as a protocol error.
        ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => SendError::Untrusted,
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached => SendError::NotConnected,
        ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => SendError::Late,
        _ => SendError::Broken,
    }
}

struct Response {
    status: u16,
    /// Headers and body, until they have been read.
    rest: Option<IncomingResponse>,
}

impl Answer for Response {
    fn status(&self) -> u16 {
        self.status
    }

    fn header(&self, name: &'static str) -> Option<String> {
        let values = self.rest.as_ref()?.headers().get(name);
        String::from_utf8(values.into_iter().next()?).ok()
    }
}

impl Body for Response {
    fn read(&mut self, limit: usize, until: Instant) -> Result<Vec<u8>, BodyError> {
        let rest = self.rest.take().ok_or(BodyError::Broken)?;
        let body = rest.consume().map_err(|()| BodyError::Broken)?;
        read_whole(body, None, limit, until)
    }
}
