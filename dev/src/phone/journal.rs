//! What is remembered for people and tests: accepted messages and received requests.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use http::HeaderMap;
use http::header;
use http::request::Parts;
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// A message that an emulator accepted for one recipient.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its place among everything that was recorded. Ascending, starts at 1.
    pub number: u64,
    /// The provider that the emulator stands for, such as `ACS`.
    pub provider: &'static str,
    /// The `messageId` of the answer.
    pub id: String,
    pub received: OffsetDateTime,
    /// As sent: a number, a short code, or an alphanumeric sender.
    pub from: String,
    /// In E.164 form.
    pub to: String,
    pub text: String,
    /// What its delivery report brings back: ACS's `tag`, Infobip's `callbackData`.
    pub tag: Option<String>,
    /// When it is of no more use, if the request said so.
    pub expires: Option<OffsetDateTime>,
    /// What else the request said of it, by the names that the provider has for that.
    pub details: Map<String, Value>,
    /// Who says the text, if it is a call.
    pub voice: Option<Voice>,
    /// Its provider takes feedback on it.
    pub takes_feedback: bool,
    /// Its provider was told that its passcode was used.
    pub used: bool,
    /// Those that have come, in the order of their delivery.
    pub reports: Vec<Report>,
    /// The request that it came in, shared with the other recipients'.
    pub request: Arc<RawRequest>,
    /// The number of the last change of it, such as a report; its own before that.
    changed: u64,
}

/// A message as an emulator has it from a request; the rest is the phone's. See [`Message`].
#[derive(Debug)]
pub(crate) struct NewMessage {
    pub id: String,
    pub from: String,
    pub to: String,
    pub text: String,
    pub tag: Option<String>,
    pub expires: Option<OffsetDateTime>,
    pub details: Map<String, Value>,
    pub voice: Option<Voice>,
    pub takes_feedback: bool,
}

/// Who says what a call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// As the request has it, such as `de` or `pt-br`.
    pub language: String,
    /// The voice's name, where the request has one.
    pub name: Option<String>,
}

impl Message {
    pub(super) fn new(
        new: NewMessage,
        provider: &'static str,
        received: OffsetDateTime,
        request: Arc<RawRequest>,
    ) -> Message {
        let NewMessage { id, from, to, text, tag, expires, details, voice, takes_feedback } = new;
        let reports = Vec::new();
        Message {
            number: 0,
            provider,
            id,
            received,
            from,
            to,
            text,
            tag,
            expires,
            details,
            voice,
            takes_feedback,
            used: false,
            reports,
            request,
            changed: 0,
        }
    }

    /// The report that counts: the one received last, whenever it was delivered.
    pub fn report(&self) -> Option<&Report> {
        self.reports.iter().max_by_key(|report| report.received)
    }
}

/// A delivery report of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The `messageId` of the message.
    pub message_id: String,
    pub status: DeliveryStatus,
    /// The provider's number for it, such as ACS's 2000 for a message that is delivered.
    pub code: u16,
    /// The same in the provider's words.
    pub details: String,
    /// When the provider had it, which is not when it is delivered.
    pub received: OffsetDateTime,
    /// What the webhook has answered to each request with it, so far; `None` is no answer.
    pub answers: Vec<Option<u16>>,
    /// The last answer is one after which the provider has no more to do.
    pub is_taken: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    Delivered,
    Failed,
    /// Nobody knows yet.
    OnItsWay,
}

impl DeliveryStatus {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryStatus::Delivered => "Delivered",
            DeliveryStatus::Failed => "Failed",
            DeliveryStatus::OnItsWay => "On its way",
        }
    }
}

/// A request that arrived, to send something or with feedback, whatever became of it.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Its place among everything that was recorded. Ascending, starts at 1.
    pub number: u64,
    /// The provider that the emulator stands for, such as `ACS`.
    pub provider: &'static str,
    pub received: OffsetDateTime,
    pub framing: Framing,
    /// The HTTP status of the answer, or `None` if the emulator was asked not to answer.
    pub status: Option<u16>,
    /// Why not every recipient of the request got a new, well-answered message; empty otherwise.
    /// `Refused: …` for a flaw of the request, `Fault: …` for a fault that its recipient's number
    /// asked for, `Repeated: …` for a message that was there already.
    pub reasons: Vec<String>,
    pub request: Arc<RawRequest>,
}

/// How a request said where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By a `Content-Length` in bytes.
    ContentLength(u64),
    /// By `Transfer-Encoding: chunked`.
    Chunked,
    /// There was no body.
    NoBody,
}

impl Framing {
    pub(super) fn of(headers: &HeaderMap) -> Framing {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Framing::Chunked;
        }
        headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok())
            .map_or(Framing::NoBody, Framing::ContentLength)
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// Such as `POST /sms?api-version=2021-03-07 HTTP/1.1`.
    pub request_line: String,
    /// In the order of their first appearance; the names are in lower case.
    pub headers: Vec<(String, String)>,
    /// Without chunk framing. Empty if the request was refused before its body was read.
    pub body: Vec<u8>,
}

impl RawRequest {
    // Everything is copied: the parts of an HTTP request are slices of a connection's whole read
    // buffer, and thousands of these kept would keep all those buffers.
    pub(super) fn new(head: &Parts, body: &[u8]) -> RawRequest {
        RawRequest {
            request_line: format!("{} {} {:?}", head.method, head.uri, head.version),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.as_str().to_owned(), value)
                })
                .collect(),
            body: body.to_vec(),
        }
    }
}

/// For reading: line ends as on the wire, the body as text.
impl fmt::Display for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.request_line)?;
        for (name, value) in &self.headers {
            write!(f, "{name}: {value}\r\n")?;
        }
        f.write_str("\r\n")?;
        f.write_str(&String::from_utf8_lossy(&self.body))?;
        f.write_char('\n')
    }
}

/// Something to show to who is watching.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Message(Message),
    /// A message that is known, with a report that is not.
    Changed(Message),
    /// A request with reasons.
    Request(ReceivedRequest),
    /// Everything before it was cleared away.
    Cleared(u64),
}

impl Entry {
    pub fn number(&self) -> u64 {
        match self {
            Entry::Message(message) => message.number,
            Entry::Changed(message) => message.changed,
            Entry::Request(request) => request.number,
            Entry::Cleared(number) => *number,
        }
    }
}

/// The newest messages and requests. Bounded, so that a load test does not fill the memory.
#[derive(Default)]
pub(super) struct Journal {
    messages: Newest<Message>,
    requests: Newest<ReceivedRequest>,
    last: u64,
    cleared: u64,
}

impl Journal {
    /// Sets the message's number, and gives it back.
    pub fn add_message(&mut self, mut message: Message) -> Message {
        self.last += 1;
        message.number = self.last;
        message.changed = self.last;
        self.messages.push(message.clone());
        message
    }

    /// Changes the message with this number, if it is still here.
    pub fn change(&mut self, number: u64, change: impl FnOnce(&mut Message)) {
        let place = self.messages.0.binary_search_by_key(&number, |message| message.number);
        if let Ok(place) = place {
            self.last += 1;
            let message = &mut self.messages.0[place];
            change(message);
            message.changed = self.last;
        }
    }

    /// Sets the request's number.
    pub fn add_request(&mut self, mut request: ReceivedRequest) {
        self.last += 1;
        request.number = self.last;
        self.requests.push(request);
    }

    pub fn clear(&mut self) {
        self.last += 1;
        self.cleared = self.last;
        self.messages = Newest::default();
        self.requests = Newest::default();
    }

    /// The number of the newest entry.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.iter()
    }

    /// Oldest first.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &ReceivedRequest> {
        self.requests.iter()
    }

    /// The newest `limit` entries after the one with the number `after`, oldest first, and what has
    /// changed since then of the messages before it.
    pub fn entries_after(&self, after: u64, limit: usize) -> Vec<Entry> {
        let messages = self
            .messages()
            .rev()
            .take_while(|message| message.number > after)
            .take(limit)
            .map(|message| Entry::Message(message.clone()));
        let requests = self
            .requests()
            .rev()
            .take_while(|request| request.number > after)
            .filter(|request| !request.reasons.is_empty())
            .take(limit)
            .map(|request| Entry::Request(request.clone()));
        let mut entries: Vec<Entry> = messages.chain(requests).collect();
        entries.sort_by_key(Entry::number);
        entries.drain(..entries.len().saturating_sub(limit));
        let changed = self
            .messages()
            .take_while(|message| message.number <= after)
            .filter(|message| message.changed > after)
            .map(|message| Entry::Changed(message.clone()));
        entries.extend(changed);
        entries.sort_by_key(Entry::number);
        if self.cleared > after {
            entries.insert(0, Entry::Cleared(self.cleared));
        }
        entries
    }
}

/// A queue that lets go of its oldest items when there are too many.
pub(crate) struct Newest<T>(VecDeque<T>);

impl<T> Default for Newest<T> {
    fn default() -> Newest<T> {
        Newest(VecDeque::new())
    }
}

impl<T> Newest<T> {
    const ITEMS: usize = 20_000;

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }

    pub fn push(&mut self, item: T) {
        if self.0.len() == Self::ITEMS {
            self.0.pop_front();
        }
        self.0.push_back(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut newest = Newest::default();
        for item in 0..Newest::<usize>::ITEMS + 5 {
            newest.push(item);
        }
        assert_eq!(newest.0.len(), Newest::<usize>::ITEMS);
        assert_eq!(newest.0.front(), Some(&5));
    }
}
