//! What a provider is to the rooms above: a trait, which each kind of provider implements in a folder of its own.
//! Failover, deadline and health stand on what it says, and know no provider by name.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Candidate, Message, Provider};
use crate::message::Channel;
use crate::ports::{Answer, BodyError, InFlight, Instant, Ports, SendError};
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::sender::Sender;
use crate::url;

/// The messaging API of a provider, as one account uses it.
pub trait Api: fmt::Debug {
    /// What the settings call the kind.
    fn kind(&self) -> &'static str;

    /// Where it is asked.
    fn endpoint(&self) -> Endpoint<'_>;

    /// Which of the accounts that are asked there it is, where that is not the endpoint's alone.
    fn account(&self) -> &str {
        ""
    }

    /// Whether it can call, and have a voice say a passcode. One that can't is asked for no [`Content::Call`].
    ///
    /// [`Content::Call`]: super::Content::Call
    fn can_call(&self) -> bool {
        false
    }

    /// The path by which it takes messages of a channel, without the query. Telemetry tells it: what stands for an
    /// account in it is left as a placeholder.
    fn path(&self, channel: Channel) -> &'static str;

    /// What proves the account to it.
    fn secret(&self) -> &Secret;

    /// The key of the secret in the secrets, below the provider's name.
    fn secret_key(&self) -> &'static str;

    /// The key of the endpoint in the provider's entry; `None` where it is part of what [`Self::secret_key`] has.
    fn endpoint_key(&self) -> Option<&'static str>;

    /// Whether it sends a message of a channel once that comes again with the same
    /// [`Repeatability`](super::repeatability). Where it does not, nothing is asked twice that it may have taken.
    fn knows_repeats(&self, channel: Channel) -> bool;

    /// Writes a message as a request. `now` is the time of day.
    fn request(
        &self,
        sender: &Sender,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Box<dyn Request + '_>;

    /// What an answer means.
    fn understand(&self, answer: Box<dyn Answer>, reading: Reading<'_>) -> Verdict;

    /// Whether it may have taken the message by a request of whose answer only the status is known.
    fn may_have_taken(&self, status: u16) -> bool {
        matches!(status, 200..=299 | 500..=599)
    }

    /// How texts for the owner speak of a provider of this kind that has this name.
    fn words(&self, name: &str) -> Words;

    /// With what it signs the delivery reports of the account; `None` where it does not sign them, or where that is not
    /// known.
    fn report_keys(&self) -> Option<&ReportKeys> {
        None
    }

    /// Asks for the report of a message, by its id, until `until` at the latest. `name` is the provider's. `None` where
    /// it can't be asked.
    fn ask_for_report(
        &self,
        _name: &str,
        _message_id: &str,
        _ports: Ports<'_>,
        _until: Instant,
    ) -> Option<Asked> {
        None
    }

    /// Whether it is to be told that a passcode was used that it has sent by a channel: its owner wants that, and it
    /// takes it.
    fn takes_feedback(&self, _channel: Channel) -> bool {
        false
    }

    /// Tells it that the passcode of the text message with this id was used, and gives the status of its answer; waits
    /// until `until` at the latest. The id is of letters, digits and dashes. `None` where it takes no feedback.
    fn feedback(
        &self,
        _message_id: &str,
        _ports: Ports<'_>,
        _until: Instant,
    ) -> Option<Result<u16, SendError>> {
        None
    }
}

/// The secrets with which a provider signs delivery reports.
#[derive(Clone, Debug)]
pub struct ReportKeys {
    /// The one that is valid now.
    pub current: Secret,
    /// Another one that is taken beside it, while it is changed.
    pub previous: Option<Secret>,
}

/// What a provider says that is asked for the report of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This is its answer's body.
    Report(Vec<u8>),
    /// It has none: not yet, or never, or the message is not its own.
    Nothing,
    /// It could not be asked: what to do.
    Failed(String),
}

/// Where a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// Whether it is `https`; only a loopback host's may be `http`.
    pub tls: bool,
    /// The host in lower case, and the port where it is not the scheme's own.
    pub authority: &'a str,
}

impl Endpoint<'_> {
    /// Scheme, host and port: what a host lists of those that may be called.
    pub fn origin(&self) -> String {
        url::origin(self.tls, self.authority)
    }
}

/// A message as a request, which can be sent more than once and is one message.
pub trait Request {
    /// Sends it to the endpoint, with its authority as it is written here: what is signed may depend on that.
    fn send(&self, in_flight: &mut dyn InFlight, authority: &str, until: Instant);
}

/// What an answer is read with.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Whose answer it is.
    pub candidate: Candidate<'a>,
    /// How the message was to reach the person.
    pub channel: Channel,
    /// Until when it is worth waiting for one that refuses the message.
    pub until: Instant,
    /// Until when it is worth waiting for one that says that the message was taken.
    pub deadline: Instant,
    /// The outside.
    pub ports: Ports<'a>,
}

/// The most bytes of an answer's body that are read. The longest that answers one message has some 1,000, and its text.
pub(super) const ANSWER_LIMIT: usize = 64 * 1024;

/// The time to wait for the body of a refusal, of which only the error code is of use.
const TIME_FOR_AN_ERROR: Duration = Duration::from_millis(200);

impl Reading<'_> {
    /// Reads an answer whose head says that the message was taken. `understand` has its body; `not_understood` is for one
    /// that is too long to be read.
    pub(super) fn taken(
        &self,
        mut answer: Box<dyn Answer>,
        understand: impl FnOnce(&[u8]) -> Verdict,
        not_understood: impl FnOnce() -> Refusal,
    ) -> Verdict {
        let status = Some(answer.status());
        match answer.read(ANSWER_LIMIT, self.deadline) {
            Ok(body) => understand(&body),
            Err(BodyError::Late) => Verdict::without(SendError::Late, status, self.candidate),
            Err(BodyError::Broken) => Verdict::without(SendError::Broken, status, self.candidate),
            Err(BodyError::TooLarge) => Verdict::in_doubt(status, not_understood()),
        }
    }

    /// The body of a refusal; empty where it can't be read in time.
    pub(super) fn refused(&self, mut answer: Box<dyn Answer>) -> Vec<u8> {
        let until = self.until.min(self.ports.clock.instant().plus(TIME_FOR_AN_ERROR));
        answer.read(ANSWER_LIMIT, until).unwrap_or_default()
    }
}

/// For how long an answer says to wait, in its header `Retry-After`. A date is not read: it is for waits longer than a hook
/// has.
pub(super) fn retry_after(answer: &dyn Answer) -> Option<Duration> {
    answer.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// How texts for the owner speak of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The service, such as `ACS`.
    pub service: &'static str,
    /// What tells that it is down, such as `Azure's status`.
    pub status: &'static str,
    /// Where its endpoint is set, such as `providers.acs.connection_string of the secrets`.
    pub endpoint: String,
}

/// What one attempt came to.
#[derive(Debug)]
pub struct Verdict {
    /// The status of the answer, or the recipient's own where there is one.
    pub status: Option<u16>,
    /// The provider's error code, where it gave one: letters and digits only.
    pub error_code: Option<String>,
    /// The message id, which the provider may leave out, or why the message is not known to be sent.
    pub result: Result<Option<String>, Refusal>,
    /// How many segments the provider says that it sends, where it does.
    pub segments: Option<u32>,
    /// The provider took the message, or may have taken it although the attempt failed.
    pub may_be_sent: bool,
    /// Another attempt can help, but not before this.
    pub again_after: Option<Duration>,
    /// It is at work on the message: another attempt brings what came of it.
    pub is_at_work: bool,
    /// It says so because it took a message with this id before.
    pub is_known: bool,
    /// It does not take the key. The account's other key may do.
    pub key_refused: bool,
    /// The provider stood in the way, not the message.
    pub provider_failed: bool,
    /// The provider is well, and does not take this message; most likely not from this sender, or not for this
    /// recipient. Another provider may.
    pub refused_here: bool,
    /// It gave the head of an answer that nothing but a message taken brings about.
    pub most_likely_sent: bool,
}

impl Verdict {
    /// The message was taken.
    pub fn taken(status: u16, message_id: Option<String>) -> Self {
        let plain = Self::plain(Some(status), Ok(message_id));
        Self { may_be_sent: true, most_likely_sent: true, ..plain }
    }

    /// The message was refused, is wrong, and was not sent.
    pub fn refused(status: Option<u16>, refusal: Refusal) -> Self {
        Self::plain(status, Err(refusal))
    }

    /// Nothing but this is known.
    fn plain(status: Option<u16>, result: Result<Option<String>, Refusal>) -> Self {
        Self {
            status,
            error_code: None,
            result,
            segments: None,
            may_be_sent: false,
            again_after: None,
            is_at_work: false,
            is_known: false,
            key_refused: false,
            provider_failed: false,
            refused_here: false,
            most_likely_sent: false,
        }
    }

    /// The provider failed before it took the message.
    pub fn failed(status: Option<u16>, refusal: Refusal) -> Self {
        Self { provider_failed: true, ..Self::refused(status, refusal) }
    }

    /// The provider failed after it may have taken the message. A status says that there was the head of
    /// an answer, which is one of a message taken.
    pub fn in_doubt(status: Option<u16>, refusal: Refusal) -> Self {
        Self {
            may_be_sent: true,
            most_likely_sent: status.is_some(),
            ..Self::failed(status, refusal)
        }
    }

    /// What it means that there is no answer, or not all of one, of which the status may be known.
    pub fn without(error: SendError, status: Option<u16>, candidate: Candidate<'_>) -> Self {
        let Provider { name, api, .. } = candidate.provider;
        let refusal = without(error, name, &**api);
        match error {
            SendError::NotAllowed | SendError::Untrusted => Self::failed(status, refusal),
            SendError::NotConnected => Self::failed(status, refusal).or_again(Duration::ZERO),
            SendError::Broken => Self::in_doubt(status, refusal).or_again(Duration::ZERO),
            SendError::Late => Self::in_doubt(status, refusal),
        }
    }

    /// Another attempt can help.
    pub fn or_again(self, after: Duration) -> Self {
        Self { again_after: Some(after), ..self }
    }
}

/// What to do where there is no answer of the provider of this name, or not all of one.
pub(super) fn without(error: SendError, name: &str, api: &dyn Api) -> Refusal {
    let Words { service, status, endpoint } = api.words(name);
    match error {
        SendError::NotAllowed => {
            let fix = format!("The hook may not call its {service} endpoint: see the hook's log.");
            Refusal::new(Reason::Misconfigured, fix).with_log_fix(format!(
                "The host does not let the hook call the endpoint of the provider {name}: set outbound_host1, \
                 outbound_host2 or outbound_host3 to {}, and look at the networks that the host blocks.",
                api.endpoint().origin()
            ))
        }
        SendError::Untrusted => Refusal::new(
            Reason::ProviderUnavailable,
            format!(
                "The hook's host does not trust the certificate of the {service} endpoint: give the host current CA \
                 certificates (on SpinKube, the executor's installDefaultCACerts), and that of a proxy which opens TLS."
            ),
        ),
        SendError::NotConnected => Refusal::new(
            Reason::ProviderUnavailable,
            format!(
                "No connection to {service} came about: look at the endpoint in {endpoint}, at the host's DNS and \
                 firewall, and at {status}."
            ),
        ),
        SendError::Broken => Refusal::new(
            Reason::ProviderUnavailable,
            format!(
                "The connection to {service} broke before it had answered: look at {status}, and at the firewalls and \
                 proxies on the way to it."
            ),
        ),
        SendError::Late => Refusal::new(
            Reason::DeadlineExceeded,
            format!(
                "{service} had not answered when the deadline came: look at {status}, and at the network to it."
            ),
        ),
    }
}
