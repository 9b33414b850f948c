//! One message to one recipient over one road: the request, its retries inside the road's time, and
//! what ACS's answer means. Which road, and for how long, is [`crate::providers::failover`]' to say.

use std::borrow::Cow;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::json::read::Json;
use crate::json::write::Object;
use crate::phone_number::PhoneNumber;
use crate::ports::{
    Answer, BodyError, Instant, OutboundMethod, OutboundRequest, Ports, Random, SendError,
};
use crate::providers::acs::connection_string::ConnectionString;
use crate::providers::acs::signature::{imf_fixdate, sign};
use crate::refusal::{Reason, Refusal};
use crate::sender::Sender;
use crate::url;

/// The most bytes of an answer's body that are read. ACS's answers to one recipient have about 200.
pub const ANSWER_LIMIT: usize = 64 * 1024;

/// The wait before the second attempt; it doubles from then on.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The least time that an attempt is worth starting with.
pub const SHORTEST_ATTEMPT: Duration = Duration::from_millis(100);

/// The time to wait for the body of a refusal, of which only the error code is of use.
const TIME_FOR_AN_ERROR: Duration = Duration::from_millis(200);

/// Where and as whom messages are sent: one road.
#[derive(Clone, Debug)]
pub struct Acs {
    /// The resource.
    pub resource: ConnectionString,
    /// `api-version` of the REST API.
    pub api_version: String,
    /// `from`.
    pub sender: Sender,
}

/// Which of two ACS resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// The one that is tried first.
    Primary,
    /// The one that messages go over to.
    Secondary,
}

impl Road {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }

    /// The variable that holds its connection string.
    pub const fn connection_string_variable(self) -> &'static str {
        match self {
            Self::Primary => "acs_connection_string",
            Self::Secondary => "acs_secondary_connection_string",
        }
    }

    /// The variables that may hold its sender.
    const fn sender_variables(self) -> &'static str {
        match self {
            Self::Primary => "acs_senders or acs_from_shortcode",
            Self::Secondary => {
                "acs_secondary_senders, or where that is empty acs_senders or acs_from_shortcode,"
            }
        }
    }

    /// The one that is not this one.
    pub const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }
}

/// A message to be sent. It has no `Debug`: the text has the passcode in it.
pub struct Message<'a> {
    /// The recipient.
    pub to: &'a PhoneNumber,
    /// The text.
    pub text: &'a str,
    /// What makes all attempts one message.
    pub repeatability: Repeatability,
    /// What the message's delivery report will bring back: Okta's id of the hook call. Never anything
    /// about a person.
    pub tag: Option<&'a str>,
}

/// The pair by which ACS knows a repeated request and sends its message once.
///
/// Both are in the SMS API's request; how they work is Microsoft's page "Repeatability of requests",
/// which names Email and Rooms only and is taken to hold for SMS: requests are tracked for 5 minutes
/// from `first_sent` on; an older one is refused, and so is one whose `first_sent` is not that of its
/// `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeatability {
    /// `repeatabilityRequestId`.
    pub id: Uuid,
    /// `repeatabilityFirstSent`.
    pub first_sent: OffsetDateTime,
}

impl Repeatability {
    /// Up to this age the time of the event is still within ACS's 5 minutes when the request
    /// arrives.
    const EVENT_AGE_LIMIT: time::Duration = time::Duration::minutes(4);

    /// A clock that is behind Okta's by no more than this makes no difference: the event that comes
    /// again must have the same pair.
    const CLOCK_SKEW: time::Duration = time::Duration::minutes(1);

    /// Namespace of the ids that are made from events (RFC 9562, section 5.5): a random one.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d1f3e_0f0a_4c5e_9b59_3c3f0f4d8a21);

    /// The pair for an event's message to a number. The same event gives the same pair, so that a hook that
    /// is called twice sends once; an event with another number, as where somebody mends one in Okta's
    /// Preview, is another message. Without an event id each call is a message of its own.
    pub fn of(
        event_id: Option<&str>,
        to: &PhoneNumber,
        event_time: Option<OffsetDateTime>,
        now: OffsetDateTime,
        random: &dyn Random,
    ) -> Self {
        let id = match event_id {
            // A number has no space in it.
            Some(event_id) => {
                let name = [to.as_str(), " ", event_id].concat();
                Uuid::new_v5(&Self::NAMESPACE, name.as_bytes())
            }
            None => uuid::Builder::from_random_bytes(random.bytes()).into_uuid(),
        };
        let recent = |time: &OffsetDateTime| {
            (-Self::CLOCK_SKEW..Self::EVENT_AGE_LIMIT).contains(&(now - *time))
        };
        Self { id, first_sent: event_time.filter(recent).unwrap_or(now) }
    }
}

/// A road's turn with a message.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Which road it is: its variables are named where something is wrong with them.
    pub road: Road,
    /// The road.
    pub acs: &'a Acs,
    /// When the turn ends at the latest.
    pub until: Instant,
    /// When the whole hook's time for ACS ends: the end of the turn once the head of an answer has said
    /// 202, after which no other road is taken.
    pub deadline: Instant,
    /// Whether the message is tried again as long as that can help and fits. A road that is not
    /// patient leaves what was not sent to the other road at once, and tries once more only where
    /// ACS may have taken the message: the repeat, which is harmless on the same road only, may
    /// settle that. One that has said 202 is patient from then on.
    pub patient: bool,
}

/// One request to ACS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// When it began.
    pub started: Instant,
    /// How long it took.
    pub elapsed: Duration,
    /// The status that it brought: the recipient's own where there is one.
    pub status: Option<u16>,
    /// ACS took the message.
    pub accepted: bool,
}

/// What became of a message on one road.
#[derive(Debug)]
pub struct Tried {
    /// The attempts, in order.
    pub attempts: Vec<Attempted>,
    /// The last status that ACS gave: the recipient's own where there is one.
    pub status: Option<u16>,
    /// ACS's error code for the whole request, letters only, where it gave one.
    pub error_code: Option<String>,
    /// When the first attempt began.
    pub started: Instant,
    /// When the last one ended; with none, when it would have begun.
    pub ended: Instant,
    /// The message id, which ACS may leave out, or why the message is not known to be sent.
    pub result: Result<Option<String>, Refusal>,
    /// ACS may have taken the message in one of the attempts, whatever came after.
    pub may_be_sent: bool,
    /// The road stood in the way, not the message.
    pub road_failed: bool,
    /// Another road may do: this one failed, and in no attempt has it said that it took the message.
    pub may_go_over: bool,
}

/// Sends a message over one road, again where a second attempt can help and fits its turn.
///
/// The request is the same in every attempt, so that ACS sends its message once whatever got lost.
pub fn send(turn: &Turn<'_>, message: &Message<'_>, ports: Ports<'_>) -> Tried {
    let mut turn = *turn;
    let acs = turn.acs;
    let body = request_body(acs, message);
    let path_and_query = format!("/sms?api-version={}", acs.api_version);
    let authority = &acs.resource.authority;
    let started = ports.clock.instant();
    let now = ports.clock.time_at(started);
    let signature = sign(&acs.resource.access_key, "POST", authority, &path_and_query, now, &body);
    let request = OutboundRequest {
        method: OutboundMethod::Post(&body),
        tls: acs.resource.tls,
        authority,
        path_and_query: &path_and_query,
        headers: &[
            ("content-type", "application/json"),
            ("x-ms-date", &signature.date),
            ("x-ms-content-sha256", &signature.content_sha256),
            ("authorization", &signature.authorization),
        ],
    };

    let mut backoff = FIRST_BACKOFF;
    let mut attempts = Vec::new();
    let (mut may_be_sent, mut most_likely_sent) = (false, false);
    let mut attempt = Attempt::refused(None, no_time_left());
    let (mut next, mut ended) = (started, started);
    // An attempt without the time to hear of it would send a message and deny it.
    while next.plus(SHORTEST_ATTEMPT) <= turn.until {
        let started = if attempts.is_empty() {
            started
        } else {
            ports.clock.sleep(next);
            ports.clock.instant()
        };
        attempt = try_once(&request, &turn, ports);
        ended = ports.clock.instant();
        attempts.push(Attempted {
            started,
            elapsed: ended.since(started),
            status: attempt.status,
            accepted: attempt.result.is_ok(),
        });
        may_be_sent |= attempt.may_be_sent;
        if attempt.most_likely_sent {
            most_likely_sent = true;
            (turn.until, turn.patient) = (turn.deadline, true);
        }
        let Some(wait) = attempt.again_after else { break };
        // 409 says that this road is at work on the message.
        let settled = attempts.len() > 1 && attempt.status != Some(409);
        if !turn.patient && (settled || !attempt.may_be_sent) {
            break;
        }
        // The longer of both: a `Retry-After: 0` is no invitation to hammer.
        next = ended.plus(wait.max(backoff));
        backoff *= 2;
    }
    Tried {
        attempts,
        status: attempt.status,
        error_code: attempt.error_code,
        started,
        ended,
        result: attempt.result,
        may_be_sent,
        road_failed: attempt.road_failed,
        may_go_over: attempt.road_failed && !most_likely_sent,
    }
}

/// One attempt.
struct Attempt {
    status: Option<u16>,
    error_code: Option<String>,
    result: Result<Option<String>, Refusal>,
    /// Although it failed, ACS may have taken the message.
    may_be_sent: bool,
    /// Another attempt can help, but not before this.
    again_after: Option<Duration>,
    /// The road stood in the way, not the message.
    road_failed: bool,
    /// It gave the head of an answer that nothing but a message taken brings about.
    most_likely_sent: bool,
}

impl Attempt {
    fn refused(status: Option<u16>, refusal: Refusal) -> Self {
        Self {
            status,
            error_code: None,
            result: Err(refusal),
            may_be_sent: false,
            again_after: None,
            road_failed: false,
            most_likely_sent: false,
        }
    }

    fn may_be_sent(self) -> Self {
        Self { may_be_sent: true, ..self }
    }

    fn or_again(self, after: Duration) -> Self {
        Self { again_after: Some(after), ..self }
    }

    fn road_failed(self, road_failed: bool) -> Self {
        Self { road_failed, ..self }
    }

    fn most_likely_sent(self, most_likely_sent: bool) -> Self {
        Self { most_likely_sent, ..self }
    }
}

fn try_once(request: &OutboundRequest<'_>, turn: &Turn<'_>, ports: Ports<'_>) -> Attempt {
    let refused = |refusal| Attempt::refused(None, refusal).road_failed(true);
    match ports.http.send(request, turn.until) {
        Ok(answer) => understand(answer, turn, ports),
        Err(SendError::NotAllowed) => refused(not_allowed(request, turn.road)),
        Err(SendError::Untrusted) => {
            let fix = "The hook's host does not trust the certificate of the ACS endpoint: give the host current CA \
                       certificates (on SpinKube, the executor's installDefaultCACerts).";
            refused(Refusal::new(Reason::AcsUnavailable, fix))
        }
        Err(SendError::NotConnected) => {
            let fix = format!(
                "No connection to ACS came about: look at the endpoint in {}, and at Azure's status.",
                turn.road.connection_string_variable()
            );
            refused(Refusal::new(Reason::AcsUnavailable, fix)).or_again(Duration::ZERO)
        }
        Err(SendError::Broken) => broken(None),
        Err(SendError::Late) => late(None),
    }
}

fn not_allowed(request: &OutboundRequest<'_>, road: Road) -> Refusal {
    Refusal::new(
        Reason::Misconfigured,
        "The hook may not call its ACS endpoint: see the hook's log.",
    )
    .with_log_fix(format!(
        "the host does not let the hook call the endpoint in {}: set extra_outbound_host to {}, look whether \
         scripts/check-config.sh has a PROBLEM with a variable that ends in _host, which closes all hosts, and at the \
         networks that the host blocks",
        road.connection_string_variable(),
        url::origin(request.tls, request.authority)
    ))
}

fn no_time_left() -> Refusal {
    Refusal::new(
        Reason::DeadlineExceeded,
        "The request took so long to arrive that no time was left to ask ACS. Nothing was sent.",
    )
}

fn broken(status: Option<u16>) -> Attempt {
    let fix = "The connection to ACS broke before it had answered.";
    Attempt::refused(status, Refusal::new(Reason::AcsUnavailable, fix))
        .may_be_sent()
        .or_again(Duration::ZERO)
        .road_failed(true)
        .most_likely_sent(status.is_some())
}

fn late(status: Option<u16>) -> Attempt {
    let fix = "ACS had not answered when the deadline came.";
    Attempt::refused(status, Refusal::new(Reason::DeadlineExceeded, fix))
        .may_be_sent()
        .road_failed(true)
        .most_likely_sent(status.is_some())
}

fn unexpected(status: u16) -> Attempt {
    not_understood(status).may_be_sent().most_likely_sent(true)
}

fn not_understood(status: u16) -> Attempt {
    let fix = "ACS gave an answer that its documentation does not know.";
    Attempt::refused(Some(status), Refusal::new(Reason::AcsUnexpectedAnswer, fix)).road_failed(true)
}

/// What an answer means.
fn understand(mut answer: Box<dyn Answer>, turn: &Turn<'_>, ports: Ports<'_>) -> Attempt {
    let status = answer.status();
    match status {
        202 => match answer.read(ANSWER_LIMIT, turn.deadline) {
            Ok(body) => understand_accepted(&body, turn.road),
            Err(BodyError::Late) => late(Some(status)),
            Err(BodyError::Broken) => broken(Some(status)),
            Err(BodyError::TooLarge) => unexpected(status),
        },
        429 | 503 => {
            let refused = by_status(status, turn.road);
            // A 503 that says nothing is tried again soon; with a 429 ACS counts hasty retries against the limit. A
            // date is not read: it is for waits longer than a hook has.
            let again_after = match answer.header("retry-after") {
                Some(said) => said.trim().parse().ok().map(Duration::from_secs),
                None => refused.again_after,
            };
            Attempt { again_after, ..refused }
        }
        400..=499 if !is_transient(status) => {
            let until = turn.until.min(ports.clock.instant().plus(TIME_FOR_AN_ERROR));
            let body = answer.read(ANSWER_LIMIT, until).unwrap_or_default();
            let refused = by_status(status, turn.road);
            // 404 for the whole request: there is no such resource (any more).
            let road_failed = refused.road_failed || status == 404;
            Attempt { error_code: error_code(&body), road_failed, ..refused }
        }
        // What stands before ACS may have lost its answer; ACS itself sends 503 before it takes a
        // message.
        500 | 502 | 504 => by_status(status, turn.road).may_be_sent(),
        400..=599 => by_status(status, turn.road),
        // No redirect is followed, and where one comes from nobody took the message.
        300..=399 => not_understood(status),
        _ => unexpected(status),
    }
}

/// A 202 says that the request was taken; its recipient may have failed all the same.
fn understand_accepted(body: &[u8], road: Road) -> Attempt {
    let Some(recipient) = Recipient::parse(body) else {
        return unexpected(202);
    };
    let status = recipient.http_status_code;
    if !recipient.successful || !(200..300).contains(&status) {
        return by_status(status, road);
    }
    Attempt {
        status: Some(status),
        error_code: None,
        result: Ok(recipient.message_id),
        may_be_sent: true,
        again_after: None,
        road_failed: false,
        most_likely_sent: true,
    }
}

/// What a status means, be it the request's or the recipient's.
fn by_status(status: u16, road: Road) -> Attempt {
    // Credentials, limits, and what is broken: each road has its own.
    let road_failed = matches!(status, 401 | 403 | 408 | 409 | 429 | 500..);
    let refused = Attempt::refused(Some(status), refusal_of(status, road)).road_failed(road_failed);
    // 409 is sent while an earlier attempt is in progress.
    let refused = if status == 409 { refused.may_be_sent() } else { refused };
    if is_transient(status) { refused.or_again(Duration::ZERO) } else { refused }
}

/// Statuses after which the same request may succeed. 408: it did not arrive whole (RFC 9110, section
/// 15.5.9). 409: an earlier attempt, whose answer got lost, is still in progress ("Repeatability of
/// requests", which says so of Email).
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 500 | 502 | 503 | 504)
}

fn refusal_of(status: u16, road: Road) -> Refusal {
    let connection_string = road.connection_string_variable();
    let (reason, fix): (_, Cow<'static, str>) = match status {
        401 => (
            Reason::AcsUnauthorized,
            format!(
                "ACS refused the signature (401): put the resource's current connection string into \
                 {connection_string}, and look at the host's clock."
            )
            .into(),
        ),
        403 => (
            Reason::AcsUnauthorized,
            "ACS refused the right to send (403): look at the resource and whether the sender belongs to it.".into(),
        ),
        404 => (
            Reason::AcsRejected,
            format!(
                "ACS does not know the endpoint (404): look at {connection_string} and acs_api_version."
            )
            .into(),
        ),
        412 => (
            Reason::AcsRejected,
            "ACS took the request for one of the past (412): look at the host's clock.".into(),
        ),
        429 => (
            Reason::AcsThrottled,
            "ACS takes no more messages from this sender for now (429): spread them over more senders, or ask for a \
             higher limit."
                .into(),
        ),
        408 | 409 | 500.. => {
            (Reason::AcsUnavailable, "ACS is not able to send right now: look at Azure's status.".into())
        }
        _ => (
            Reason::AcsRejected,
            format!(
                "ACS refused the message: look at whether the sender in {} belongs to the resource and can reach the \
                 recipient's country.",
                road.sender_variables()
            )
            .into(),
        ),
    };
    Refusal::new(reason, fix)
}

/// The body, per the REST API's `Sms - Send`.
fn request_body(acs: &Acs, message: &Message<'_>) -> Vec<u8> {
    let mut body = String::with_capacity(512);
    let mut request = Object::new(&mut body);
    request.text("from", acs.sender.value.as_str());
    request
        .list("smsRecipients")
        .object()
        .text("to", message.to.as_str())
        .text("repeatabilityRequestId", message.repeatability.id.to_string().as_str())
        .text("repeatabilityFirstSent", imf_fixdate(message.repeatability.first_sent).as_str());
    request.text("message", message.text);
    request.object("smsSendOptions").bool("enableDeliveryReport", true).text("tag", message.tag);
    drop(request);
    body.into_bytes()
}

/// The recipient's part of a 202.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipient {
    /// "Only present if message processed".
    pub message_id: Option<String>,
    /// The recipient's own status.
    pub http_status_code: u16,
    /// Whether the message was taken.
    pub successful: bool,
}

impl Recipient {
    /// The one recipient in the body of a 202.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let [value] = Json::parse(body).ok()?.given(["value"]).ok()?;
        let mut recipients = value?.elements()?.map(Self::read);
        let first = recipients.next()??;
        recipients.all(|other| other.is_some()).then_some(first)
    }

    fn read(recipient: Json<'_>) -> Option<Self> {
        let names = ["messageId", "httpStatusCode", "successful"];
        let [message_id, http_status_code, successful] = recipient.given(names).ok()?;
        Some(Self {
            message_id: match message_id {
                Some(id) => Some(id.text()?.into_owned()),
                None => None,
            },
            http_status_code: http_status_code?.whole()?.try_into().ok()?,
            successful: successful?.bool()?,
        })
    }
}

/// The code in an error's body, of which ACS has three shapes: `{"error":{"code":…}}`,
/// `{"errors":{"SmsRecipients":[…]}}` and a bare `{"SmsRecipients":[…]}`; the name of the field
/// serves as the code in the latter two. Letters only, 64 at most: the rest of the body may quote
/// the recipient.
pub fn error_code(body: &[u8]) -> Option<String> {
    let body = Json::parse(body).ok()?;
    let [error, errors] = body.named(["error", "errors"]).ok()?;
    let [code] = error.and_then(|error| error.named(["code"]).ok()).unwrap_or_default();
    let code = match code {
        Some(code) => code.text(),
        // In the order of the alphabet, not of the body: one error has one code.
        None => errors
            .unwrap_or(body)
            .members()?
            .filter_map(|(name, value)| value.elements().and(name.text()))
            .min(),
    };
    let code: String = code?.chars().filter(char::is_ascii_alphabetic).take(64).collect();
    Some(code).filter(|code| !code.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::{FakeAnswer, FakeHost};
    use crate::providers::failover::{self, Delivery, Roads};
    use proptest::prelude::*;
    use time::macros::datetime;

    fn acs() -> Acs {
        Acs {
            resource: ConnectionString::parse(
                "endpoint=https://contoso.communication.azure.com/;accesskey=pw==",
            )
            .unwrap(),
            api_version: "2021-03-07".into(),
            sender: Sender::parse("12345").unwrap(),
        }
    }

    /// Sends one message with 2,450 ms to go.
    fn send_one(host: &FakeHost) -> Delivery {
        send_within(host, Duration::from_millis(2450))
    }

    fn send_within(host: &FakeHost, time: Duration) -> Delivery {
        let to = PhoneNumber::parse("+15550100123").unwrap();
        let repeatability = Repeatability::of(Some("event"), &to, None, host.now, host);
        let message =
            Message {
                to: &to, text: "Your code is \"1\" – ok", repeatability, tag: Some("uS58")
            };
        let until = host.instant.get().plus(time);
        let roads = Roads { primary: &acs(), secondary: None };
        roads::send(&roads, &message, host.ports(), until)
    }

    fn reason(delivery: &Delivery) -> Reason {
        delivery.result.as_ref().unwrap_err().reason
    }

    const GONE: (Duration, Result<FakeAnswer, SendError>) =
        (Duration::from_millis(1), Err(SendError::NotConnected));

    #[test]
    fn the_request_is_the_one_of_the_rest_api() {
        let host = FakeHost::default();
        let delivery = send_one(&host);
        assert_eq!(delivery.result, Ok(Some("id-1".into())));
        assert_eq!((delivery.attempts.len(), delivery.status), (1, Some(202)));
        let sent = host.sent.borrow();
        assert_eq!(sent[0].method, "POST");
        assert_eq!(sent[0].authority, "contoso.communication.azure.com");
        assert_eq!(sent[0].path_and_query, "/sms?api-version=2021-03-07");
        assert_eq!(
            sent[0].body,
            r#"{"from":"12345","smsRecipients":[{"to":"+15550100123","repeatabilityRequestId":"ef9f0d10-dead-5beef","repeatabilityFirstSent":"Sat, 31 Jan 2026 12:00:00 GMT"}],"message":"Your code is \"1\" – ok","smsSendOptions":{"enableDeliveryReport":true,"tag":"uS58"}}"#
                .replace("ef9f0d10-dead-5beef", &Uuid::new_v5(&Repeatability::NAMESPACE, b"+15550100123 event").to_string())
        );
        let names: Vec<_> = sent[0].headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "x-ms-date", "x-ms-content-sha256", "authorization"]);
    }

    #[test]
    fn an_event_gives_one_pair_for_a_number_and_no_event_a_random_one() {
        let host = FakeHost::default();
        let of = |id, to| {
            Repeatability::of(id, &PhoneNumber::parse(to).unwrap(), None, host.now, &host).id
        };
        let id = of(Some("a"), "+15550100123");
        assert_eq!(id, of(Some("a"), "+15550100123"));
        assert_ne!(id, of(Some("b"), "+15550100123"));
        assert_ne!(id, of(Some("a"), "+15550100124"), "another number is another message");
        assert_eq!(id.get_version_num(), 5);
        assert_eq!(of(None, "+15550100123").get_version_num(), 4);
    }

    #[test]
    fn first_sent_is_the_events_time_while_acs_still_tracks_it() {
        let host = FakeHost::default();
        for (time, first_sent) in [
            (datetime!(2026-01-31 11:56:00.001 UTC), datetime!(2026-01-31 11:56:00.001 UTC)),
            (datetime!(2026-01-31 11:56:00 UTC), host.now),
            (datetime!(2026-01-31 12:01:00 UTC), datetime!(2026-01-31 12:01:00 UTC)),
            (datetime!(2026-01-31 12:01:00.001 UTC), host.now),
        ] {
            let to = PhoneNumber::parse("+15550100123").unwrap();
            let repeatability = Repeatability::of(None, &to, Some(time), host.now, &host);
            assert_eq!(repeatability.first_sent, first_sent);
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_with_the_same_request() {
        let recipient_503 = r#"{"value":[{"to":"+1","httpStatusCode":503,"successful":false}]}"#;
        for first in [
            GONE,
            (Duration::from_millis(1), Err(SendError::Broken)),
            FakeAnswer::of(500, ""),
            FakeAnswer::of(502, ""),
            FakeAnswer::of(503, ""),
            FakeAnswer::of(504, ""),
            FakeAnswer::of(408, ""),
            FakeAnswer::of(409, ""),
            FakeAnswer::of(202, recipient_503),
            FakeAnswer::throttled(Some("1")),
        ] {
            let label = format!("{first:?}");
            let host = FakeHost::default().answering([first, FakeAnswer::accepted("id-2")]);
            let delivery = send_one(&host);
            assert_eq!(delivery.result, Ok(Some("id-2".into())), "{label}");
            assert_eq!(delivery.attempts.len(), 2);
            let sent = host.sent.borrow();
            assert_eq!((&sent[0].body, &sent[0].headers), (&sent[1].body, &sent[1].headers));
        }
    }

    #[test]
    fn attempts_are_spaced_ever_wider_and_end_before_the_deadline() {
        let host = FakeHost::default().answering(std::iter::repeat_n(GONE, 20));
        let delivery = send_one(&host);
        assert_eq!(reason(&delivery), Reason::AcsUnavailable);
        let sent = host.sent.borrow();
        let waits: Vec<_> =
            sent.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_millis()).collect();
        assert_eq!(waits, [101, 201, 401, 801]);
        assert!(delivery.elapsed < Duration::from_millis(2450));
    }

    #[test]
    fn a_503_waits_for_as_long_as_it_says_and_without_a_word_not_long() {
        let date = Some("Sat, 31 Jan 2026 12:10:00 GMT");
        for (retry_after, attempts) in
            [(Some("1"), vec![1020]), (Some("60"), vec![]), (date, vec![]), (None, vec![120])]
        {
            let (takes, answer) = FakeAnswer::throttled(retry_after);
            let busy = (takes, answer.map(|answer| FakeAnswer { status: 503, ..answer }));
            let host = FakeHost::default().answering([busy, FakeAnswer::accepted("id-2")]);
            send_one(&host);
            let sent = host.sent.borrow();
            let waits: Vec<_> =
                sent[1..].iter().map(|it| it.at.since(sent[0].at).as_millis()).collect();
            assert_eq!(waits, attempts, "{retry_after:?}");
        }
    }

    #[test]
    fn a_redirect_is_no_answer_of_acs_and_sends_nothing() {
        let host = FakeHost::default().answering([FakeAnswer::of(302, "")]);
        let delivery = send_one(&host);
        assert_eq!(reason(&delivery), Reason::AcsUnexpectedAnswer);
        assert!(!delivery.result.unwrap_err().fix.contains("may have been sent"));
    }

    #[test]
    fn a_throttled_message_waits_only_if_it_is_told_how_long_and_that_fits() {
        for retry_after in
            [None, Some("60"), Some("3"), Some("soon"), Some("-1"), Some("99999999999999999999")]
        {
            let host = FakeHost::default().answering([FakeAnswer::throttled(retry_after)]);
            let delivery = send_one(&host);
            assert_eq!(reason(&delivery), Reason::AcsThrottled, "{retry_after:?}");
            assert_eq!((delivery.attempts.len(), delivery.elapsed.as_millis()), (1, 20));
        }
        let host = FakeHost::default().answering(vec![FakeAnswer::throttled(Some("0")); 9]);
        assert_eq!(reason(&send_one(&host)), Reason::AcsThrottled);
        assert_eq!(host.sent.borrow().len(), 5, "a Retry-After of 0 still backs off");
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        let recipient =
            |status| format!(r#"{{"value":[{{"httpStatusCode":{status},"successful":false}}]}}"#);
        for (answer, expected) in [
            (FakeAnswer::of(400, ""), Reason::AcsRejected),
            (FakeAnswer::of(404, ""), Reason::AcsRejected),
            (FakeAnswer::of(412, ""), Reason::AcsRejected),
            (FakeAnswer::of(401, ""), Reason::AcsUnauthorized),
            (FakeAnswer::of(403, ""), Reason::AcsUnauthorized),
            (FakeAnswer::of(501, ""), Reason::AcsUnavailable),
            (FakeAnswer::of(200, ""), Reason::AcsUnexpectedAnswer),
            (FakeAnswer::of(301, ""), Reason::AcsUnexpectedAnswer),
            (FakeAnswer::of(202, "no json"), Reason::AcsUnexpectedAnswer),
            (FakeAnswer::of(202, r#"{"value":[]}"#), Reason::AcsUnexpectedAnswer),
            (FakeAnswer::of(202, &"x".repeat(ANSWER_LIMIT + 1)), Reason::AcsUnexpectedAnswer),
            (FakeAnswer::of(202, &recipient(400)), Reason::AcsRejected),
            (FakeAnswer::of(202, &recipient(429)), Reason::AcsThrottled),
            (FakeAnswer::of(202, &recipient(202)), Reason::AcsRejected),
            ((Duration::ZERO, Err(SendError::NotAllowed)), Reason::Misconfigured),
            ((Duration::from_secs(9), Err(SendError::Broken)), Reason::DeadlineExceeded),
        ] {
            let label = format!("{answer:?}");
            let host = FakeHost::default().answering([answer]);
            assert_eq!(reason(&send_one(&host)), expected, "{label}");
        }
    }

    #[test]
    fn a_message_that_may_have_been_sent_is_said_to_whatever_came_after() {
        let broken = (Duration::from_millis(1), Err(SendError::Broken));
        let broken_at_the_end = (Duration::from_millis(2400), Err(SendError::Broken));
        let late = (Duration::from_secs(9), Err(SendError::Broken));
        for (answers, may_be_sent) in [
            (vec![late.clone()], true),
            (vec![broken_at_the_end], true),
            (vec![FakeAnswer::of(202, "?")], true),
            (vec![FakeAnswer::of(504, ""); 9], true),
            (vec![broken.clone(), FakeAnswer::throttled(None)], true),
            (vec![broken, FakeAnswer::of(401, "")], true),
            (vec![GONE, late], true),
            (vec![GONE; 9], false),
            (vec![FakeAnswer::of(503, ""); 9], false),
            (vec![FakeAnswer::of(400, "")], false),
            (vec![FakeAnswer::throttled(None)], false),
        ] {
            let label = format!("{answers:?}");
            let refusal = send_one(&FakeHost::default().answering(answers)).result.unwrap_err();
            assert_eq!(refusal.fix.contains("may have been sent"), may_be_sent, "{label}");
        }
    }

    #[test]
    fn without_the_time_to_hear_of_it_nothing_is_sent() {
        let host = FakeHost::default();
        let delivery = send_within(&host, Duration::from_millis(99));
        assert_eq!((reason(&delivery), delivery.attempts.len()), (Reason::DeadlineExceeded, 0));
        assert!(delivery.result.unwrap_err().fix.contains("Nothing was sent."));
        assert!(host.sent.borrow().is_empty());
        assert!(send_within(&host, Duration::from_millis(100)).result.is_ok());
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_not_asked_for_again() {
        let host = FakeHost::default().answering([(Duration::ZERO, Err(SendError::Untrusted))]);
        let delivery = send_one(&host);
        assert_eq!((reason(&delivery), delivery.attempts.len()), (Reason::AcsUnavailable, 1));
        assert!(delivery.result.unwrap_err().fix.contains("CA certificates"));
    }

    #[test]
    fn a_host_that_may_not_be_called_is_named_in_the_log_with_the_fix() {
        let host = FakeHost::default().answering([(Duration::ZERO, Err(SendError::NotAllowed))]);
        let refusal = send_one(&host).result.unwrap_err();
        let log_fix = refusal.log_fix.unwrap();
        assert!(
            log_fix.contains("set extra_outbound_host to https://contoso.communication.azure.com")
        );
    }

    #[test]
    fn an_accepted_message_may_lack_its_id() {
        let body = r#"{"value":[{"to":"+1","httpStatusCode":202,"successful":true}]}"#;
        let host = FakeHost::default().answering([FakeAnswer::of(202, body)]);
        assert_eq!(send_one(&host).result, Ok(None));
    }

    #[test]
    fn an_errors_code_is_found_in_each_of_acs_three_shapes() {
        for (body, code) in [
            (r#"{"error":{"code":"Unauthorized","message":""}}"#, Some("Unauthorized")),
            (
                r#"{"title":"x","errors":{"SmsRecipients":["to +15550100123"]},"traceId":"y"}"#,
                Some("SmsRecipients"),
            ),
            (r#"{"SmsRecipients":["Max of 100 phone …"]}"#, Some("SmsRecipients")),
            (r#"{"error":{"code":"to +15550100123 !"}}"#, Some("to")),
            (r#"{"error":{"code":"+15550100123"}}"#, None),
            (r#"{"error":"x"}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
        }
        let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "x".repeat(100));
        assert_eq!(error_code(long.as_bytes()).unwrap().len(), 64);
    }

    proptest! {
        #[test]
        fn any_answer_is_understood(status in 100u16..600, body in "\\PC*|[\\[\\]{}\":,a-zA-Z0-9]*") {
            let host = FakeHost::default().answering(vec![FakeAnswer::of(status, &body); 9]);
            prop_assert!(send_one(&host).result.is_err());
            let _ = error_code(body.as_bytes());
        }

        #[test]
        fn only_a_successful_recipient_with_a_2xx_is_accepted(status in -1i32..70000, successful: bool) {
            let body = format!(r#"{{"value":[{{"httpStatusCode":{status},"successful":{successful}}}]}}"#);
            let host = FakeHost::default().answering(vec![FakeAnswer::of(202, &body); 9]);
            prop_assert_eq!(send_one(&host).result.is_ok(), successful && (200..300).contains(&status));
        }
    }
}
