//! The ports as values, for tests: nothing sleeps and nothing opens a socket.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

use super::{
    Answer, Answered, Body, BodyError, Clock, HttpClient, InFlight, InboundRequest, Instant, Log,
    OutboundMethod, OutboundRequest, Ports, Random, SendError, Store, StoreUnavailable,
    VariableUnavailable, Variables,
};

/// What requests bring, in order, each with the time that it takes.
pub type Answers = VecDeque<(Duration, Result<FakeAnswer, SendError>)>;

/// A host whose clock stands still but for sleeps and for what its answers take.
pub struct FakeHost {
    /// `<unavailable>` stands for one that the host can't read.
    pub variables: BTreeMap<&'static str, String>,
    pub now: OffsetDateTime,
    pub instant: Cell<Instant>,
    /// What the next requests bring, each with the time that it takes.
    pub answers: RefCell<Answers>,
    /// The same for one authority only; others have [`Self::answers`]. A provider's other connection brings nothing
    /// unless it is in here.
    pub answers_at: RefCell<BTreeMap<String, Answers>>,
    /// The same for one URL only, whatever its authority has; the last answer is given again and
    /// again.
    pub answers_to: RefCell<BTreeMap<String, Answers>>,
    /// The requests that left: method, target, headers, body.
    pub sent: RefCell<Vec<Sent>>,
    /// The store; `None` for one that fails.
    pub stored: RefCell<Option<BTreeMap<String, Vec<u8>>>>,
    /// The calls of the store, in order: `get KEY`, `set KEY`.
    pub store_calls: RefCell<Vec<String>>,
    /// The store of records.
    pub records: FakeStore,
    /// The lines of the log.
    pub printed: RefCell<Vec<String>>,
}

/// A store of values; `None` for one that fails.
pub struct FakeStore(pub RefCell<Option<BTreeMap<String, Vec<u8>>>>);

impl Store for FakeStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self.0.borrow().as_ref().ok_or(StoreUnavailable::Down)?.get(key).cloned())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.0
            .borrow_mut()
            .as_mut()
            .ok_or(StoreUnavailable::Down)?
            .insert(key.into(), value.into());
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub at: Instant,
    pub method: &'static str,
    pub authority: String,
    pub path_and_query: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Default for FakeHost {
    /// Configured, with an ACS that accepts the first message.
    fn default() -> Self {
        Self {
            variables: BTreeMap::from([
                ("okta_user", "okta".into()),
                ("okta_basic_secret", "supersecret".into()),
                (
                    "acs_connection_string",
                    "endpoint=https://contoso.communication.azure.com/;accesskey=pw==".into(),
                ),
                ("acs_from_shortcode", "12345".into()),
                ("settings", "limits = { per_number = \"\", per_prefix = \"\" }".into()),
                ("outbound_host1", "https://*.communication.azure.com".into()),
                ("outbound_host2", "https://*.communication.azure.com".into()),
                ("outbound_host3", "https://*.communication.azure.com".into()),
            ]),
            now: datetime!(2026-01-31 12:00:00 UTC),
            instant: Cell::new(Instant(Duration::from_secs(1000))),
            answers: RefCell::new(VecDeque::from([FakeAnswer::accepted("id-1")])),
            answers_at: RefCell::default(),
            answers_to: RefCell::default(),
            sent: RefCell::default(),
            stored: RefCell::new(Some(BTreeMap::new())),
            store_calls: RefCell::default(),
            records: FakeStore(RefCell::new(Some(BTreeMap::new()))),
            printed: RefCell::default(),
        }
    }
}

impl FakeHost {
    pub fn ports(&self) -> Ports<'_> {
        Ports {
            variables: self,
            clock: self,
            random: self,
            http: self,
            store: self,
            records: &self.records,
            log: self,
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// With this settings document. Limits that have a default are off unless it says so.
    pub fn with_settings(self, document: &str) -> Self {
        let off = "limits.per_number = \"\"\nlimits.per_prefix = \"\"\n";
        let document =
            if document.contains("limits") { document.into() } else { [off, document].concat() };
        self.with("settings", &document)
    }

    /// With this secrets document.
    pub fn with_secrets(self, document: &str) -> Self {
        self.with("secrets", document)
    }

    pub fn answering(
        self,
        answers: impl IntoIterator<Item = (Duration, Result<FakeAnswer, SendError>)>,
    ) -> Self {
        self.answers.replace(answers.into_iter().collect());
        self
    }

    pub fn answering_at(
        self,
        authority: &str,
        answers: impl IntoIterator<Item = (Duration, Result<FakeAnswer, SendError>)>,
    ) -> Self {
        self.answers_at.borrow_mut().insert(authority.into(), answers.into_iter().collect());
        self
    }

    pub fn answering_to(
        self,
        url: &str,
        answers: impl IntoIterator<Item = (Duration, Result<FakeAnswer, SendError>)>,
    ) -> Self {
        self.answers_to.borrow_mut().insert(url.into(), answers.into_iter().collect());
        self
    }
}

impl Variables for FakeHost {
    fn get(&self, name: &str) -> Result<String, VariableUnavailable> {
        match self.variables.get(name) {
            Some(value) if value == "<unavailable>" => Err(VariableUnavailable),
            value => Ok(value.cloned().unwrap_or_default()),
        }
    }
}

impl Store for FakeHost {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.store_calls.borrow_mut().push(format!("get {key}"));
        let stored = self.stored.borrow();
        Ok(stored.as_ref().ok_or(StoreUnavailable::Down)?.get(key).cloned())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.store_calls.borrow_mut().push(format!("set {key}"));
        let mut stored = self.stored.borrow_mut();
        stored.as_mut().ok_or(StoreUnavailable::Down)?.insert(key.into(), value.into());
        Ok(())
    }
}

/// The host's store, if it could be read and not written.
pub struct ReadOnly<'a>(pub &'a FakeHost);

impl Store for ReadOnly<'_> {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Store::get(self.0, key)
    }

    fn set(&self, _: &str, _: &[u8]) -> Result<(), StoreUnavailable> {
        Err(StoreUnavailable::Down)
    }
}

impl Log for FakeHost {
    fn print(&self, line: &str) {
        self.printed.borrow_mut().push(line.into());
    }
}

impl Clock for FakeHost {
    fn instant(&self) -> Instant {
        self.instant.get()
    }

    /// Stands still, unlike the instant: a test that needs both to go on sets both.
    fn since_1970(&self, _: Instant) -> Duration {
        Duration::try_from(self.now - OffsetDateTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn sleep(&self, until: Instant) {
        self.instant.set(self.instant.get().max(until));
    }
}

impl Random for FakeHost {
    fn bytes(&self) -> [u8; 16] {
        [7; 16]
    }
}

impl HttpClient for FakeHost {
    fn in_flight(&self) -> Box<dyn InFlight + '_> {
        Box::new(FakeRequests { host: self, count: 0, waiting: Vec::new() })
    }
}

struct FakeRequests<'a> {
    host: &'a FakeHost,
    count: usize,
    /// The number of each that is not answered, when it will be, and what then.
    waiting: Vec<(usize, Instant, Result<FakeAnswer, SendError>)>,
}

impl InFlight for FakeRequests<'_> {
    fn send(&mut self, request: &OutboundRequest<'_>, _: Instant) {
        let host = self.host;
        let (method, body) = match request.method {
            OutboundMethod::Get => ("GET", [].as_slice()),
            OutboundMethod::Post(body) => ("POST", body),
            OutboundMethod::Put => ("PUT", [].as_slice()),
        };
        host.sent.borrow_mut().push(Sent {
            at: host.instant.get(),
            method,
            authority: request.authority.into(),
            path_and_query: request.path_and_query.into(),
            headers: request.headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let url = crate::url::origin(request.tls, request.authority) + request.path_and_query;
        let mut answers_at = host.answers_at.borrow_mut();
        let answer = if let Some(answers) = host.answers_to.borrow_mut().get_mut(&url) {
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        } else if let Some(answers) = answers_at.get_mut(request.authority) {
            answers.pop_front()
        } else if request.authority.ends_with(":443") {
            Some((Duration::from_secs(3600), Err(SendError::Late)))
        } else {
            host.answers.borrow_mut().pop_front()
        };
        let (takes, answer) = answer.expect("one request too many");
        self.waiting.push((self.count, host.instant.get().plus(takes), answer));
        self.count += 1;
    }

    fn next(&mut self, until: Instant) -> Option<Answered> {
        let soonest = self.waiting.iter().map(|(_, at, _)| *at).min().filter(|at| *at < until);
        self.host.sleep(soonest.unwrap_or(until));
        let at = self.waiting.iter().position(|(_, at, _)| Some(*at) == soonest)?;
        let (number, _, answer) = self.waiting.remove(at);
        Some((number, answer.map(|answer| Box::new(answer) as Box<dyn Answer>)))
    }
}

/// Elsewhere, as a function that answers each request at once.
pub struct AtOnce<F>(pub F);

impl<F> HttpClient for AtOnce<F>
where
    F: Fn(&OutboundRequest<'_>, Instant) -> Result<Box<dyn Answer>, SendError>,
{
    fn in_flight(&self) -> Box<dyn InFlight + '_> {
        Box::new(AnsweredAtOnce { answer: &self.0, answers: VecDeque::new(), count: 0 })
    }
}

struct AnsweredAtOnce<'a, F> {
    answer: &'a F,
    answers: VecDeque<Answered>,
    count: usize,
}

impl<F> InFlight for AnsweredAtOnce<'_, F>
where
    F: Fn(&OutboundRequest<'_>, Instant) -> Result<Box<dyn Answer>, SendError>,
{
    fn send(&mut self, request: &OutboundRequest<'_>, until: Instant) {
        self.answers.push_back((self.count, (self.answer)(request, until)));
        self.count += 1;
    }

    fn next(&mut self, _: Instant) -> Option<Answered> {
        self.answers.pop_front()
    }
}

/// An answer whose body is there, or fails.
#[derive(Clone, Debug)]
pub struct FakeAnswer {
    pub status: u16,
    /// Until the body is read.
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Result<String, BodyError>,
}

impl FakeAnswer {
    pub fn of(status: u16, body: &str) -> (Duration, Result<Self, SendError>) {
        let answer = Self { status, headers: Vec::new(), body: Ok(body.into()) };
        (Duration::from_millis(20), Ok(answer))
    }

    pub fn accepted(id: &str) -> (Duration, Result<Self, SendError>) {
        let body = format!(
            r#"{{"value":[{{"to":"+15550100123","messageId":"{id}","httpStatusCode":202,"successful":true}}]}}"#
        );
        Self::of(202, &body)
    }

    pub fn throttled(retry_after: Option<&'static str>) -> (Duration, Result<Self, SendError>) {
        let headers = retry_after.map(|value| ("retry-after", value)).into_iter().collect();
        (Duration::from_millis(20), Ok(Self { status: 429, headers, body: Ok(String::new()) }))
    }
}

impl Answer for FakeAnswer {
    fn status(&self) -> u16 {
        self.status
    }

    fn header(&self, name: &'static str) -> Option<String> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }
}

impl Body for FakeAnswer {
    fn read(&mut self, limit: usize, _: Instant) -> Result<Vec<u8>, BodyError> {
        self.headers.clear();
        let body = self.body.clone()?.into_bytes();
        if body.len() > limit { Err(BodyError::TooLarge) } else { Ok(body) }
    }
}

/// A request that has come in whole.
pub struct FakeRequest {
    pub method: &'static str,
    /// With the query, if any.
    pub path: &'static str,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub body: Result<Vec<u8>, BodyError>,
    pub body_was_read: bool,
}

impl FakeRequest {
    /// As Okta sends it, with the credentials of [`FakeHost::default`].
    pub fn hook(body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            path: "/api/okta-telephony",
            headers: vec![
                ("authorization", b"Basic b2t0YTpzdXBlcnNlY3JldA==".to_vec()),
                ("content-type", b"application/json".to_vec()),
            ],
            body: Ok(body.into()),
            body_was_read: false,
        }
    }
}

impl InboundRequest for FakeRequest {
    fn method(&self) -> String {
        self.method.into()
    }

    fn path(&self) -> String {
        self.path.split('?').next().unwrap_or_default().into()
    }

    fn query(&self) -> Option<String> {
        Some(self.path.split_once('?')?.1.into())
    }

    fn header(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.clone()).collect()
    }

    fn body(&mut self) -> &mut dyn Body {
        self
    }
}

impl Body for FakeRequest {
    fn read(&mut self, limit: usize, _: Instant) -> Result<Vec<u8>, BodyError> {
        if self.promised_length().is_some_and(|length| length > limit as u64) {
            return Err(BodyError::TooLarge);
        }
        self.body_was_read = true;
        let body = self.body.clone()?;
        if body.len() > limit { Err(BodyError::TooLarge) } else { Ok(body) }
    }
}
