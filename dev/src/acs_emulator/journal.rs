//! What the emulator remembers for people and tests: accepted messages and received requests.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use http::HeaderMap;
use http::header;
use http::request::Parts;
use time::OffsetDateTime;

use super::fault::OddReport;
use super::report::Report;

/// A message that the emulator accepted for one recipient.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its place among everything that the emulator recorded. Ascending, starts at 1.
    pub number: u64,
    /// The `messageId` of the answer.
    pub id: String,
    pub received: OffsetDateTime,
    /// As sent: a number in E.164 form, a short code, or an alphanumeric sender.
    pub from: String,
    /// In E.164 form.
    pub to: String,
    pub text: String,
    pub tag: Option<String>,
    /// As sent.
    pub repeatability_request_id: Option<String>,
    /// As sent.
    pub repeatability_first_sent: Option<String>,
    /// Whether `enableDeliveryReport` asked for a delivery report. One comes where somebody has
    /// subscribed: see [`super::AcsEmulator::subscribe_reports`].
    pub delivery_report: bool,
    /// Those that have come, in the order of their delivery.
    pub reports: Vec<Report>,
    /// What its number does to its report.
    pub(super) odd_report: Option<OddReport>,
    /// Event Grid brings its report to somebody: before that, there is none.
    pub(super) reported_by_event: bool,
    /// The request that it came in, shared with the other recipients'.
    pub request: Arc<RawRequest>,
    /// The number of its newest report, or of an answer to one; its own before that.
    pub(super) changed: u64,
}

impl Message {
    /// The report that counts: the one received last, whenever it was delivered.
    pub fn report(&self) -> Option<&Report> {
        self.reports.iter().max_by_key(|report| report.received)
    }

    /// The report that who asks for it at this time is told, if there is one by then.
    pub(super) fn report_for_who_asks(&self, now: OffsetDateTime) -> Option<Report> {
        if !self.delivery_report {
            return None;
        }
        if self.reported_by_event {
            return self.report().cloned();
        }
        let reports = Report::of(&self.id, self.odd_report, now);
        reports.into_iter().max_by_key(|report| report.received)
    }
}

/// A `POST /sms` that arrived, whatever became of it.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Its place among everything that the emulator recorded. Ascending, starts at 1.
    pub number: u64,
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
pub(super) struct Journal {
    messages: Newest<Message>,
    requests: Newest<ReceivedRequest>,
    last: u64,
    cleared: u64,
}

impl Journal {
    pub fn new() -> Journal {
        Journal { messages: Newest::default(), requests: Newest::default(), last: 0, cleared: 0 }
    }

    /// Sets the message's number, and gives it.
    pub fn add_message(&mut self, mut message: Message) -> u64 {
        self.last += 1;
        message.number = self.last;
        message.changed = self.last;
        self.messages.push(message);
        self.last
    }

    /// Changes the reports of the message with this number, if it is still here.
    pub fn change_reports(&mut self, number: u64, change: impl FnOnce(&mut Vec<Report>)) {
        let place = self.messages.0.binary_search_by_key(&number, |message| message.number);
        if let Ok(place) = place {
            self.last += 1;
            let message = &mut self.messages.0[place];
            change(&mut message.reports);
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
pub(super) struct Newest<T>(VecDeque<T>);

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
