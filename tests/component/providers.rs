//! The contract that every provider keeps: what Okta is told whatever a provider does, how many messages that makes,
//! and when a message fails over to another provider.
//!
//! It is one table for all of them. A provider is a row of [`PROVIDERS`], with an emulator that has the faults of
//! [`CASES`] under the same numbers. Where providers differ, a case asks for a property of [`Provider`], and never which
//! provider it is.

use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use futures_util::stream::{self, StreamExt as _};
use okta_telephony_dev::acs_emulator::{self, AcsEmulator};
use okta_telephony_dev::infobip_emulator::{self, InfobipEmulator};
use okta_telephony_dev::phone::{Message, ReceivedRequest};
use okta_telephony_dev::telesign_emulator::{self, TelesignEmulator};
use okta_telephony_dev::twilio_emulator::{self, TwilioEmulator};
use serde_json::{Value, json};

use crate::harness::{ACCESS_KEY, Answer, Form, Hook, Setup, bare, envelope, from_now};
use crate::markdown::Page;

const ORDINARY: &str = "+15550100123";

/// "Okta waits 3 seconds" (Okta's "Inline hooks" concept page).
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// A hook's failures of one provider, after which that one is down, are 5. So many cases share a hook.
const CASES_OF_A_HOOK: usize = 4;

/// So many messages of a test are under way at once: they mostly wait, and a machine may have two cores.
const MESSAGES_AT_ONCE: usize = 8;

/// A provider, and all in which providers differ.
#[derive(Clone, Copy)]
pub struct Provider {
    /// Its name in the settings.
    pub name: &'static str,
    /// It sends a message once that comes again.
    pub knows_repeats: bool,
    /// It is told when the passcode expires.
    pub is_told_expiry: bool,
    /// The answers of a server that fails which say that nothing was taken. After others it may have been.
    nothing_taken: &'static [u16],
    /// The kind of the sender that it has here.
    sender: &'static str,
    /// How it makes calls, if it can.
    pub calls: Option<Calls>,
    /// Here it makes calls instead of sending messages.
    is_calling: bool,
    /// What its emulator does besides.
    pub own_faults: &'static [(&'static str, Told)],
    /// The section of docs/contributing/development.md that has the table of the faults that only its emulator has. What
    /// follows "The emulator of" is its name in the table of those that all have.
    pub heading: &'static str,
    /// The numbers of its emulator's faults, with what each is.
    pub faults: fn() -> Vec<(&'static str, &'static str)>,
    start: fn() -> BoxFuture<'static, Box<dyn Emulator>>,
}

/// How a provider makes calls.
#[derive(Clone, Copy)]
pub struct Calls {
    /// What its entry in the settings has for them.
    entry: &'static str,
    /// It makes a call once that is asked for again.
    knows_repeats: bool,
    /// It is told when the passcode of a call expires.
    is_told_expiry: bool,
}

/// The providers that can call, as those that call: they keep the same contract.
static CALLERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    let caller = |provider: &Provider| {
        let Calls { knows_repeats, is_told_expiry, .. } = provider.calls?;
        let sender = "call";
        Some(Provider { knows_repeats, is_told_expiry, sender, is_calling: true, ..*provider })
    };
    PROVIDERS.iter().filter_map(caller).collect()
});

/// Every provider, and those that can call once more.
fn all() -> impl Iterator<Item = &'static Provider> {
    PROVIDERS.iter().chain(&*CALLERS)
}

/// Every provider. One whose account may be set up in two ways is in here twice.
pub const PROVIDERS: [Provider; 5] = [
    Provider {
        name: "acs",
        knows_repeats: true,
        is_told_expiry: false,
        nothing_taken: &[503],
        sender: "shortcode",
        calls: None,
        is_calling: false,
        own_faults: ACS_FAULTS,
        heading: "The emulator of ACS",
        faults: || acs_emulator::FAULTS.iter().map(|it| (it.number, it.meaning)).collect(),
        start: || start_acs().boxed(),
    },
    Provider { name: "infobip", start: || start_infobip(false).boxed(), ..INFOBIP },
    Provider {
        name: "infobip-idempotent",
        knows_repeats: true,
        start: || start_infobip(true).boxed(),
        ..INFOBIP
    },
    Provider {
        name: "telesign",
        knows_repeats: false,
        is_told_expiry: false,
        nothing_taken: &[],
        sender: "alphanumeric",
        calls: Some(Calls { entry: "voice = true", knows_repeats: false, is_told_expiry: false }),
        is_calling: false,
        own_faults: TELESIGN_FAULTS,
        heading: "The emulator of Telesign",
        faults: || telesign_emulator::FAULTS.iter().map(|it| (it.number, it.meaning)).collect(),
        start: || start_telesign().boxed(),
    },
    Provider {
        name: "twilio",
        knows_repeats: false,
        is_told_expiry: true,
        nothing_taken: &[],
        sender: "longcode",
        calls: Some(Calls {
            entry: "voice = true, voice_from = '+15550100100'",
            knows_repeats: false,
            is_told_expiry: false,
        }),
        is_calling: false,
        own_faults: TWILIO_FAULTS,
        heading: "The emulator of Twilio",
        faults: || twilio_emulator::FAULTS.iter().map(|it| (it.number, it.meaning)).collect(),
        start: || start_twilio().boxed(),
    },
];

const INFOBIP: Provider = Provider {
    name: "",
    knows_repeats: false,
    is_told_expiry: true,
    nothing_taken: &[],
    sender: "alphanumeric",
    calls: Some(Calls {
        entry: "voice = true, voice_from = '+447860099299'",
        knows_repeats: false,
        is_told_expiry: true,
    }),
    is_calling: false,
    own_faults: INFOBIP_FAULTS,
    heading: "The emulator of Infobip",
    faults: || infobip_emulator::FAULTS.iter().map(|it| (it.number, it.meaning)).collect(),
    start: || start_infobip(false).boxed(),
};

/// A provider's emulator.
trait Emulator: Send + Sync {
    fn origin(&self) -> String;
    fn messages(&self) -> Vec<Message>;
    fn requests(&self) -> Vec<ReceivedRequest>;
    /// Every message meets the fault of this number, or its own again.
    fn set_fault(&self, number: Option<&str>);
    /// The account has no sender at all.
    fn take_senders(&self);
    /// The account in the settings: the keys of its entry, and the table of its secrets. With a wrong secret it is
    /// nobody's.
    fn account(&self, origin: &str, is_right: bool) -> (String, String);
}

async fn start_acs() -> Box<dyn Emulator> {
    let loopback = "127.0.0.1:0".parse().unwrap();
    Box::new(AcsEmulator::start(acs_emulator::Settings::new(loopback, ACCESS_KEY)).await.unwrap())
}

impl Emulator for AcsEmulator {
    fn origin(&self) -> String {
        self.origin()
    }

    fn messages(&self) -> Vec<Message> {
        self.messages()
    }

    fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests()
    }

    fn set_fault(&self, number: Option<&str>) {
        self.set_fault(number.map(|number| acs_emulator::fault_of(number).unwrap()));
    }

    fn take_senders(&self) {
        self.set_senders(Some(Vec::new()));
    }

    fn account(&self, origin: &str, is_right: bool) -> (String, String) {
        let key = if is_right { ACCESS_KEY } else { "b3RoZXI=" };
        (
            "kind = 'acs', senders = { default = '12345' }".to_owned(),
            format!("{{ connection_string = 'endpoint={origin}/;accesskey={key}' }}"),
        )
    }
}

/// An emulator of Infobip, whose settings in the hook are those of the account.
struct Infobip {
    emulator: InfobipEmulator,
    idempotent: bool,
}

async fn start_infobip(idempotent: bool) -> Box<dyn Emulator> {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let settings = infobip_emulator::Settings {
        idempotent,
        ..infobip_emulator::Settings::new(loopback, infobip_emulator::DEVELOPMENT_API_KEY)
    };
    Box::new(Infobip { emulator: InfobipEmulator::start(settings).await.unwrap(), idempotent })
}

impl Emulator for Infobip {
    fn origin(&self) -> String {
        self.emulator.origin()
    }

    fn messages(&self) -> Vec<Message> {
        self.emulator.messages()
    }

    fn requests(&self) -> Vec<ReceivedRequest> {
        self.emulator.requests()
    }

    fn set_fault(&self, number: Option<&str>) {
        let fault = number.map(|number| infobip_emulator::fault_of(number).unwrap());
        self.emulator.set_fault(fault);
    }

    fn take_senders(&self) {
        self.emulator.set_senders(Some(Vec::new()));
    }

    fn account(&self, origin: &str, is_right: bool) -> (String, String) {
        let key = if is_right { infobip_emulator::DEVELOPMENT_API_KEY } else { "another-key" };
        let idempotent = self.idempotent;
        (
            format!(
                "kind = 'infobip', base_url = '{origin}', idempotent = {idempotent}, \
                 senders = {{ default = 'InfoSMS' }}"
            ),
            format!("{{ api_key = '{key}' }}"),
        )
    }
}

async fn start_twilio() -> Box<dyn Emulator> {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let settings = twilio_emulator::Settings::new(loopback);
    Box::new(TwilioEmulator::start(settings).await.unwrap())
}

impl Emulator for TwilioEmulator {
    fn origin(&self) -> String {
        self.origin()
    }

    fn messages(&self) -> Vec<Message> {
        self.messages()
    }

    fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests()
    }

    fn set_fault(&self, number: Option<&str>) {
        self.set_fault(number.map(|number| twilio_emulator::fault_of(number).unwrap()));
    }

    fn take_senders(&self) {
        self.set_senders(Some(Vec::new()));
    }

    fn account(&self, origin: &str, is_right: bool) -> (String, String) {
        let secret = if is_right { twilio_emulator::DEVELOPMENT_KEY_SECRET } else { "another" };
        (
            format!(
                "kind = 'twilio', base_url = '{origin}', account_sid = '{}', senders = {{ default = '+15550100100' }}",
                twilio_emulator::DEVELOPMENT_ACCOUNT_SID
            ),
            format!(
                "{{ api_key_sid = '{}', api_key_secret = '{secret}', auth_token = '{}' }}",
                twilio_emulator::DEVELOPMENT_KEY_SID,
                twilio_emulator::DEVELOPMENT_AUTH_TOKEN
            ),
        )
    }
}

async fn start_telesign() -> Box<dyn Emulator> {
    let settings = telesign_emulator::Settings::new("127.0.0.1:0".parse().unwrap());
    Box::new(TelesignEmulator::start(settings).await.unwrap())
}

impl Emulator for TelesignEmulator {
    fn origin(&self) -> String {
        self.origin()
    }

    fn messages(&self) -> Vec<Message> {
        self.messages()
    }

    fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests()
    }

    fn set_fault(&self, number: Option<&str>) {
        self.set_fault(number.map(|number| telesign_emulator::fault_of(number).unwrap()));
    }

    fn take_senders(&self) {
        self.set_senders(Some(Vec::new()));
    }

    fn account(&self, origin: &str, is_right: bool) -> (String, String) {
        let customer_id = telesign_emulator::DEVELOPMENT_CUSTOMER_ID;
        let key = if is_right { telesign_emulator::DEVELOPMENT_API_KEY } else { "b3RoZXI=" };
        (
            format!(
                "kind = 'telesign', base_url = '{origin}', customer_id = '{customer_id}', \
                 senders = {{ default = 'CONTOSO' }}"
            ),
            format!("{{ api_key = '{key}' }}"),
        )
    }
}

/// What becomes of a message.
#[derive(Clone)]
pub struct Told {
    /// Why it is refused; `None` where it is accepted.
    pub reason: Option<&'static str>,
    /// Okta is told that it may have been sent.
    in_doubt: bool,
    /// The requests that arrive.
    requests: RangeInclusive<usize>,
    /// The messages that the provider takes.
    messages: usize,
}

const ACCEPTED: Told = Told { reason: None, in_doubt: false, requests: 1..=1, messages: 1 };

const fn refused(reason: &'static str) -> Told {
    Told { reason: Some(reason), in_doubt: false, requests: 1..=1, messages: 0 }
}

impl Told {
    /// At the second attempt.
    const fn at_the_second(self) -> Self {
        Self { requests: 2..=2, ..self }
    }

    /// After as many attempts as fit.
    const fn again_and_again(self) -> Self {
        Self { requests: 2..=5, ..self }
    }

    const fn in_doubt(self) -> Self {
        Self { in_doubt: true, ..self }
    }

    const fn with_a_message(self) -> Self {
        Self { messages: 1, ..self }
    }
}

/// What becomes of a message whose first provider has a fault, where there is a second one.
enum Then {
    /// What becomes of it with the first one alone.
    TheSame,
    /// The second one sends it, after so many requests to the first. `true`: it may come twice.
    FailsOver(usize, bool),
}

/// A fault, and what comes of it.
struct Case {
    fault: &'static str,
    number: &'static str,
    alone: fn(&Provider) -> Told,
    then: fn(&Provider) -> Then,
}

const fn case(
    fault: &'static str,
    number: &'static str,
    alone: fn(&Provider) -> Told,
    then: fn(&Provider) -> Then,
) -> Case {
    Case { fault, number, alone, then }
}

/// An answer that leaves open whether the message was taken: a repeat that the provider knows is harmless.
fn open(provider: &Provider, reason: &'static str) -> Told {
    let told = refused(reason).in_doubt();
    if provider.knows_repeats { told.again_and_again() } else { told }
}

/// The same with a second provider: the repeat settles nothing.
fn open_then(provider: &Provider) -> Then {
    Then::FailsOver(if provider.knows_repeats { 2 } else { 1 }, true)
}

/// A server that fails with this status.
fn fails_with(provider: &Provider, status: u16) -> Told {
    match provider.nothing_taken.contains(&status) {
        true => refused("provider_unavailable").again_and_again(),
        false => open(provider, "provider_unavailable"),
    }
}

fn fails_with_then(provider: &Provider, status: u16) -> Then {
    match provider.nothing_taken.contains(&status) {
        true => AT_ONCE,
        false => open_then(provider),
    }
}

/// What a repeat settles, where the provider knows it.
fn settled(provider: &Provider, otherwise: Told) -> Told {
    if provider.knows_repeats { ACCEPTED.at_the_second() } else { otherwise }
}

fn settled_then(provider: &Provider) -> Then {
    if provider.knows_repeats { Then::TheSame } else { Then::FailsOver(1, true) }
}

const AT_ONCE: Then = Then::FailsOver(1, false);

#[rustfmt::skip]
const CASES: [Case; 28] = [
    case("none", ORDINARY, |_| ACCEPTED, |_| Then::TheSame),
    // The whole request.
    case("400", "+15550100400", |_| refused("provider_rejected"), |_| Then::TheSame),
    case("400, in another form", "+15550102400", |_| refused("provider_rejected"), |_| Then::TheSame),
    case("401", "+15550100401", |_| refused("provider_unauthorized"), |_| AT_ONCE),
    case("403", "+15550100403", |_| refused("provider_unauthorized"), |_| AT_ONCE),
    case("404", "+15550100404", |_| refused("provider_rejected"), |_| AT_ONCE),
    case("429 with Retry-After: 1, the first time", "+15550100429", |_| ACCEPTED.at_the_second(), |_| AT_ONCE),
    case("429 with Retry-After: 60", "+15550101429", |_| refused("provider_throttled"), |_| AT_ONCE),
    case("429 without Retry-After", "+15550102429", |_| refused("provider_throttled"), |_| AT_ONCE),
    case("500", "+15550100500", |it| fails_with(it, 500), |it| fails_with_then(it, 500)),
    case("502", "+15550100502", |it| fails_with(it, 502), |it| fails_with_then(it, 502)),
    case("503", "+15550100503", |it| fails_with(it, 503), |it| fails_with_then(it, 503)),
    case("504", "+15550100504", |it| fails_with(it, 504), |it| fails_with_then(it, 504)),
    case("500, the first time", "+15550102500", |it| settled(it, refused("provider_unavailable").in_doubt()), settled_then),
    // The message, in an answer that takes the request.
    case("refuses the sender", "+15550101401", |_| refused("provider_unauthorized"), |_| AT_ONCE),
    case("refuses the message", "+15550101400", |_| refused("provider_rejected"), |_| Then::TheSame),
    case("can't send", "+15550101503", |_| refused("provider_unavailable").again_and_again(), |_| AT_ONCE),
    case("can't send, the first time", "+15550102503", |_| ACCEPTED.at_the_second(), |_| AT_ONCE),
    // The connection. What has no answer is sent over another one, too, where that is harmless.
    case(
        "never answers", "+15550103001",
        |it| Told { requests: if it.knows_repeats { 2..=2 } else { 1..=1 }, ..refused("deadline_exceeded").in_doubt() },
        open_then,
    ),
    case("accepts, answers 2 s late", LATE, |it| settled(it, ACCEPTED), open_then),
    case("closes the connection", "+15550103003", |it| open(it, "provider_unavailable"), open_then),
    case(
        "accepts, closes the connection, answers a repeat", "+15550103004",
        |it| settled(it, refused("provider_unavailable").in_doubt().with_a_message()), settled_then,
    ),
    // The answer. The provider has taken the message in all of these, and most likely so.
    case("accepts, answers no JSON", "+15550103005", |_| refused("provider_unexpected_answer").in_doubt().with_a_message(), |_| Then::TheSame),
    case("accepts, answers 10 MiB", "+15550103006", |_| refused("provider_unexpected_answer").in_doubt().with_a_message(), |_| Then::TheSame),
    case("accepts, answers a byte every 100 ms", "+15550103007", |_| refused("deadline_exceeded").in_doubt().with_a_message(), |_| Then::TheSame),
    case("accepts, answers by half", "+15550103010", |it| open(it, "provider_unavailable").with_a_message(), |_| Then::TheSame),
    case("accepts, answers an empty list", "+15550103008", |_| refused("provider_unexpected_answer").in_doubt().with_a_message(), |_| Then::TheSame),
    case("accepts, answers no message id", WITHOUT_ID, |_| ACCEPTED, |_| Then::TheSame),
];

/// Answers 2 s late: with the longest deadline, so that a slow machine makes no difference.
const LATE: &str = "+15550103002";

/// Is accepted, and Okta is told no id.
const WITHOUT_ID: &str = "+15550103009";

/// What no other provider has.
const ACS_FAULTS: &[(&str, Told)] = &[
    ("+15550103400", refused("provider_rejected")),
    ("+15550101404", refused("provider_rejected")),
    ("+15550104400", refused("provider_rejected")),
    ("+15550103503", refused("provider_unavailable").in_doubt().again_and_again()),
    ("+15550101202", ACCEPTED),
    ("+15550102202", ACCEPTED),
    ("+15550103202", ACCEPTED),
    // The delivery report, which comes later: the answer is right.
    ("+15550104000", ACCEPTED),
    ("+15550104001", ACCEPTED),
    ("+15550104002", ACCEPTED),
    ("+15550104003", ACCEPTED),
    ("+15550104004", ACCEPTED),
    ("+15550104005", ACCEPTED),
    ("+15550104006", ACCEPTED),
    ("+15550104007", ACCEPTED),
    ("+15550104008", ACCEPTED),
    ("+15550104009", ACCEPTED),
    ("+15550104010", ACCEPTED),
    ("+15550104020", ACCEPTED),
    ("+15550105000", ACCEPTED),
    ("+15550105001", ACCEPTED),
    ("+15550105002", ACCEPTED),
    ("+15550109999", ACCEPTED),
    ("+15550106001", ACCEPTED),
    ("+15550106002", ACCEPTED),
];

/// What no other provider has.
const INFOBIP_FAULTS: &[(&str, Told)] = &[
    ("+15550102401", refused("provider_unauthorized")),
    // The status of the message, in a 200.
    ("+15550108004", refused("provider_rejected")),
    ("+15550108006", refused("provider_rejected")),
    ("+15550108008", refused("provider_rejected")),
    ("+15550108009", refused("provider_rejected")),
    ("+15550108010", refused("provider_rejected")),
    ("+15550108012", refused("provider_unauthorized")),
    ("+15550108013", refused("provider_unauthorized")),
    ("+15550108014", refused("provider_rejected")),
    ("+15550108017", refused("provider_unauthorized")),
    ("+15550108018", refused("provider_unauthorized")),
    ("+15550108019", refused("provider_rejected")),
    ("+15550108020", refused("provider_throttled")),
    ("+15550108025", refused("provider_rejected")),
    ("+15550108029", refused("provider_unexpected_answer").in_doubt()),
    ("+15550108031", refused("provider_rejected")),
    ("+15550108051", refused("provider_rejected")),
    ("+15550108087", refused("provider_rejected")),
    ("+15550108100", refused("provider_unavailable").again_and_again()),
    // The delivery report, which comes later: the answer is right.
    ("+15550107004", ACCEPTED),
    ("+15550107009", ACCEPTED),
    ("+15550107015", ACCEPTED),
    ("+15550107029", ACCEPTED),
    ("+15550107031", ACCEPTED),
    ("+15550107087", ACCEPTED),
    ("+15550106001", ACCEPTED),
    ("+15550106002", ACCEPTED),
];

/// What no other provider has.
const TELESIGN_FAULTS: &[(&str, Told)] = &[
    ("+15550102401", refused("provider_unauthorized")),
    // The code decides, and not the status of HTTP.
    ("+15550108290", ACCEPTED),
    ("+15550108002", refused("provider_unexpected_answer").in_doubt()),
    ("+15550108004", refused("provider_unauthorized")),
    ("+15550108020", refused("provider_throttled")),
    ("+15550108030", refused("provider_unauthorized")),
    ("+15550108031", refused("provider_unauthorized")),
    ("+15550108033", refused("provider_unauthorized")),
    ("+15550108131", refused("provider_rejected")),
    ("+15550108233", refused("provider_rejected")),
    ("+15550108517", refused("provider_rejected")),
    ("+15550108599", refused("provider_unexpected_answer").in_doubt()),
    // The delivery report, which comes later: the answer is right.
    ("+15550107131", ACCEPTED),
    ("+15550107201", ACCEPTED),
    ("+15550107207", ACCEPTED),
    ("+15550107221", ACCEPTED),
    ("+15550107251", ACCEPTED),
    ("+15550106001", ACCEPTED),
    ("+15550106002", ACCEPTED),
];

/// What no other provider has.
const TWILIO_FAULTS: &[(&str, Told)] = &[
    ("+15550102401", refused("provider_unauthorized")),
    ("+15550108408", refused("provider_unauthorized")),
    ("+15550108450", refused("provider_rejected")),
    ("+15550108608", refused("provider_unauthorized")),
    ("+15550108609", refused("provider_rejected")),
    ("+15550108612", refused("provider_rejected")),
    ("+15550108617", refused("provider_rejected")),
    ("+15550108703", refused("provider_unauthorized")),
    ("+15550108999", refused("provider_rejected")),
    // The delivery report, which comes later: the answer is right.
    ("+15550107003", ACCEPTED),
    ("+15550107005", ACCEPTED),
    ("+15550107006", ACCEPTED),
    ("+15550107007", ACCEPTED),
    ("+15550107008", ACCEPTED),
    ("+15550107034", ACCEPTED),
    ("+15550107036", ACCEPTED),
    ("+15550107610", ACCEPTED),
    ("+15550106001", ACCEPTED),
    ("+15550106002", ACCEPTED),
];

/// The faults that every provider's emulator has: the number of each, and what it is.
pub fn shared_faults() -> impl Iterator<Item = (&'static str, &'static str)> {
    CASES.iter().filter(|case| case.number != ORDINARY).map(|case| (case.number, case.fault))
}

impl Provider {
    /// What becomes of a message to each number, where this provider is the only one.
    pub fn all_told(&self) -> impl Iterator<Item = (&'static str, Told)> {
        let shared = CASES.iter().map(|case| (case.number, (case.alone)(self)));
        shared.chain(self.own_faults.iter().cloned())
    }
}

/// A hook with these providers, in this order of failover.
struct Running {
    /// What Okta asks for.
    channel: &'static str,
    hook: Hook,
    emulators: Vec<Box<dyn Emulator>>,
}

impl Running {
    async fn start(providers: &[&Provider], more: impl Into<Setup>) -> Self {
        Self::with(providers, more, |_, emulator| emulator.account(&emulator.origin(), true)).await
    }

    /// With accounts that are set up in another way than they are; the number is the provider's place.
    async fn with(
        providers: &[&Provider],
        more: impl Into<Setup>,
        account: impl Fn(usize, &dyn Emulator) -> (String, String),
    ) -> Self {
        let emulators = join_all(providers.iter().map(|provider| (provider.start)())).await;
        let (mut entries, mut secrets) = (String::new(), String::new());
        for (place, (provider, emulator)) in providers.iter().zip(&emulators).enumerate() {
            let (entry, secret) = account(place, &**emulator);
            let name = provider.name;
            let calls = provider.calls.filter(|_| provider.is_calling);
            let calls = calls.map_or(String::new(), |calls| format!(", {}", calls.entry));
            entries.push_str(&format!("{{ name = '{name}', {entry}{calls} }},"));
            secrets.push_str(&format!("providers.{name} = {secret}\n"));
        }
        let setup = Setup::new()
            .settings(&format!("providers = [{entries}]"))
            // Without it, nobody reports what brings back the event's id.
            .settings("public_url = 'https://hook.example.com'")
            .secrets(&secrets)
            .variable("acs_connection_string", "")
            .variable("acs_from_shortcode", "")
            .variable("outbound_host1", "https://127.0.0.1:*")
            // What is shown here is not how often a number may be tried.
            .settings("limits.per_number = ''\nlimits.calls_per_number = ''");
        let is_calling = providers.iter().any(|provider| provider.is_calling);
        let channel = if is_calling { "voice call" } else { "SMS" };
        Self { channel, hook: Hook::with(setup.and(more)).await, emulators }
    }

    async fn post(&self) -> Answer {
        self.hook.post(self.asked(envelope(ORDINARY)).to_string()).await
    }

    /// A payload that asks for what is asked for here.
    fn asked(&self, mut payload: Value) -> Value {
        payload["data"]["messageProfile"]["deliveryChannel"] = self.channel.into();
        payload
    }

    /// Requests and messages, by provider.
    fn counts(&self) -> Vec<(usize, usize)> {
        self.emulators.iter().map(|it| (it.requests().len(), it.messages().len())).collect()
    }
}

fn check(told: &Told, number: &str, answer: &Answer, form: Form, label: &str) {
    assert!(answer.elapsed < OKTA_WAITS, "{label}: {:?}", answer.elapsed);
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(body["debugContext"]["reason"].as_str(), told.reason, "{label}: {body}");
    match told.reason {
        Some(reason) => answer.failed(form, 200, reason),
        // A provider may leave out the id of a message that it has accepted.
        None if number == WITHOUT_ID => {
            assert_eq!(answer.value(form).get("transactionId"), None, "{label}");
        }
        None => drop(answer.accepted(form)),
    }
    let in_doubt = answer.text.contains("The message may have been sent.");
    assert_eq!(in_doubt, told.in_doubt, "{label}: {}", answer.text);
}

async fn check_alone(provider: &Provider, form: Form) {
    let running = Running::start(&[provider], "").await;
    let patient = Running::start(&[provider], "okta.deadline_ms = 2800").await;
    let answers = stream::iter(provider.all_told()).map(async |(number, told)| {
        let running = if number == LATE { &patient } else { &running };
        let payload = match form {
            Form::Documented => envelope(number),
            Form::Classic => bare(number),
        };
        let payload = running.asked(payload);
        (number, told, running, running.hook.post(payload.to_string()).await)
    });
    let answers: Vec<_> = answers.buffered(MESSAGES_AT_ONCE).collect().await;
    for (number, told, Running { emulators, .. }, answer) in answers {
        let label = format!("{} {} {number} {form:?}", provider.name, provider.sender);
        check(&told, number, &answer, form, &label);
        let digits = number.trim_start_matches('+');
        let requests = emulators[0].requests().into_iter();
        let requests = requests
            .filter(|request| String::from_utf8_lossy(&request.request.body).contains(digits))
            .count();
        assert!(told.requests.contains(&requests), "{label}: {requests} requests");
        let messages = emulators[0].messages().into_iter();
        let messages = messages.filter(|message| message.to == number).count();
        assert_eq!(messages, told.messages, "{label}: messages");
    }
}

#[tokio::test]
async fn each_fault_has_its_answer_in_time_and_no_message_is_sent_twice() {
    for provider in all() {
        for form in [Form::Documented, Form::Classic] {
            check_alone(provider, form).await;
        }
    }
}

/// Each two different ones that send messages, in both orders, and each two that call.
fn pairs() -> impl Iterator<Item = [&'static Provider; 2]> {
    let both = |first: &'static Provider| all().map(move |second| [first, second]);
    all().flat_map(both).filter(|[first, second]| {
        first.name != second.name && first.is_calling == second.is_calling
    })
}

/// Sends a message whose first provider has a fault, and gives a row with what it took.
async fn check_failover(
    case: &Case,
    pair: [&Provider; 2],
    running: &Running,
    hooks: usize,
) -> String {
    let [first, second] = pair;
    let label = format!("{}, then {}: {}", first.name, second.name, case.fault);
    let before = running.counts();
    running.emulators[0].set_fault(Some(case.number).filter(|number| *number != ORDINARY));
    let answer = running.post().await;
    let counts = running.counts();
    let new = |place: usize| {
        let ((requests, messages), before) = (counts[place], before[place]);
        (requests - before.0, messages - before.1)
    };
    let line = running.hook.log.hooks(hooks).await.pop().unwrap();
    let may_be_double = line["warnings"] == json!(["may_be_double"]);
    assert!(may_be_double || line.get("warnings").is_none(), "{label}: {line}");
    let told = (case.alone)(first);
    match (case.then)(first) {
        Then::TheSame => {
            check(&told, case.number, &answer, Form::Documented, &label);
            assert!(told.requests.contains(&new(0).0), "{label}: {:?}", new(0));
            assert_eq!((new(0).1, new(1)), (told.messages, (0, 0)), "{label}");
            assert_eq!((may_be_double, line.get("failed_over")), (false, None), "{label}: {line}");
        }
        Then::FailsOver(requests, doubt) => {
            check(&ACCEPTED, ORDINARY, &answer, Form::Documented, &label);
            let sender = &answer.value(Form::Documented)["transactionMetadata"];
            assert_eq!((sender, &line["provider"]), (&second.sender.into(), &second.name.into()));
            // What was taken although nobody said so in time.
            let taken = if case.number == LATE { 1 } else { told.messages };
            let taken = if may_be_double { taken } else { 0 };
            assert_eq!((new(0), new(1)), ((requests, taken), (1, 1)), "{label}");
            assert_eq!(may_be_double, doubt, "{label}: {line}");
            // Whoever leaves a repeat out has told the reason of its first attempt.
            if let Some(reason) = told.reason {
                assert_eq!(line["failed_over"], reason, "{label}");
            }
        }
    }
    let double = if may_be_double { "may be" } else { "no" };
    let by = line["provider"].as_str().unwrap();
    let outcome = line["reason"].as_str().unwrap_or("accepted");
    format!(
        "| {} | {} | {} | {by}: {outcome} | {} ms | {double} |",
        first.name,
        second.name,
        case.fault,
        answer.elapsed.as_millis()
    )
}

/// `cargo test --test component providers::a_message_fails_over -- --nocapture` prints how long each took.
#[tokio::test]
async fn a_message_fails_over_where_that_helps_and_is_told_where_it_may_come_twice() {
    println!(
        "| first | second | fault of the first | outcome | time | double |\n|---|---|---|---|---|---|"
    );
    let hooks = pairs().flat_map(|pair| CASES.chunks(CASES_OF_A_HOOK).map(move |it| (pair, it)));
    let rows = stream::iter(hooks).map(async |(pair, cases)| {
        let running = Running::start(&pair, "").await;
        let mut rows = Vec::new();
        for (case, hooks) in cases.iter().zip(1..) {
            rows.push(check_failover(case, pair, &running, hooks).await);
        }
        rows
    });
    let rows: Vec<_> = rows.buffered(MESSAGES_AT_ONCE).collect().await;
    rows.iter().flatten().for_each(|row| println!("{row}"));
}

/// The default of `okta.deadline_ms`.
const DEADLINE: Duration = Duration::from_millis(2500);

/// How often the first of two providers is asked when it hangs, as a cell of the page has it.
fn asked_when_it_hangs(first: &Provider) -> &'static str {
    match first.knows_repeats {
        true => "twice, which is one message to it",
        false => "once",
    }
}

/// `cargo test --test component providers::whichever_hangs -- --nocapture` prints how long each took.
#[tokio::test]
async fn whichever_hangs_each_other_one_sends_in_time_and_what_may_double_is_on_the_page() {
    let of_page = |provider: &Provider| provider.heading.strip_prefix("The emulator of ").unwrap();
    let mut rows = Vec::new();
    let mut expected = Vec::new();
    // Of one that is in there twice, the plain account.
    let pairs = pairs().filter(|pair| {
        let is_plain = |it: &Provider| !it.is_calling && it.name != "infobip-idempotent";
        pair.iter().all(|it| is_plain(it))
    });
    for pair in pairs {
        let [first, second] = pair;
        // It never answers; then it sends the message, and answers when nobody waits any more.
        let mut took = Vec::new();
        for (fault, sends) in [("+15550103001", 0), (LATE, 1)] {
            let running = Running::start(&pair, "").await;
            running.emulators[0].set_fault(Some(fault));
            let answer = running.post().await;
            answer.accepted(Form::Documented);
            let label = format!("{}, then {}", first.name, second.name);
            assert!(answer.elapsed < DEADLINE, "{label}: {:?}", answer.elapsed);
            let requests = if first.knows_repeats { 2 } else { 1 };
            assert_eq!(running.counts(), [(requests, sends), (1, 1)], "{label}: {fault}");
            let line = running.hook.log.hooks(1).await.pop().unwrap();
            assert_eq!(line["warnings"], json!(["may_be_double"]), "{label}: {line}");
            took.push(format!("{} ms", answer.elapsed.as_millis()));
        }
        let row = [of_page(first), of_page(second), asked_when_it_hangs(first), "one from each"];
        rows.push(format!("| {} | {} |", row.join(" | "), took.join(" | ")));
        expected.push(row.map(str::to_owned));
    }
    println!("| hangs | sends | asked | may come | never answers | sends, answers late |");
    println!("|---|---|---|---|---|---|\n{}", rows.join("\n"));
    assert_eq!(expected.len(), 12);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/contributing/development.md");
    let page = Page::read(&std::fs::read_to_string(page).unwrap());
    let rows = page.table("When the first provider hangs").rows.iter();
    let documented: Vec<_> =
        rows.map(|row| row.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>()).collect();
    assert_eq!(documented, expected);
}

#[tokio::test]
async fn both_that_fail_are_told_in_time() {
    let hung = "+15550103001";
    join_all(pairs().map(async |pair| {
        let running = Running::start(&pair, "").await;
        for (at_first, at_second) in [(hung, hung), (hung, "+15550100500"), ("+15550100401", hung)]
        {
            running.emulators[0].set_fault(Some(at_first));
            running.emulators[1].set_fault(Some(at_second));
            let answer = running.post().await;
            assert_eq!(answer.value(Form::Documented)["status"], "FAILED", "{}", answer.text);
            assert!(answer.elapsed < OKTA_WAITS, "{:?}", answer.elapsed);
            assert!(answer.text.contains("The message may have been sent."), "{}", answer.text);
        }
        assert!(running.counts().iter().all(|(_, messages)| *messages == 0));
    }))
    .await;
}

#[tokio::test]
async fn a_provider_that_has_failed_five_times_is_left_alone_and_one_that_refuses_the_sender_is_not()
 {
    for pair in pairs() {
        for (fault, is_failure) in [("+15550100401", true), ("+15550101401", false)] {
            let running = Running::start(&pair, "").await;
            running.emulators[0].set_fault(Some(fault));
            for _ in 0..10 {
                running.post().await.accepted(Form::Documented);
            }
            let [(at_first, _), (_, by_second)] = running.counts()[..] else { panic!("not two") };
            // One of them may be the probe, where the machine is slow.
            let expected = if is_failure { 5..=6 } else { 10..=10 };
            assert!(expected.contains(&at_first), "{} {fault}: {at_first}", pair[0].name);
            assert_eq!(by_second, 10, "{} {fault}", pair[0].name);
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_or_left_to_the_second() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("https://127.0.0.1:{port}");
    for provider in &PROVIDERS {
        let running =
            Running::with(&[provider], "", |_, emulator| emulator.account(&nowhere, true)).await;
        let answer = running.post().await;
        check(&refused("provider_unavailable"), ORDINARY, &answer, Form::Documented, provider.name);
        assert!(running.hook.log.hooks(1).await[0]["attempts"].as_u64().unwrap() > 1);
    }
    for pair in pairs() {
        let first_is_gone = |place, emulator: &dyn Emulator| match place {
            0 => emulator.account(&nowhere, true),
            _ => emulator.account(&emulator.origin(), true),
        };
        let running = Running::with(&pair, "", first_is_gone).await;
        running.post().await.accepted(Form::Documented);
        assert_eq!(running.counts(), [(0, 0), (1, 1)]);
        assert_eq!(running.hook.log.hooks(1).await[0].get("warnings"), None);
    }
}

#[tokio::test]
async fn a_secret_that_is_not_the_accounts_is_told_as_that_and_sends_nothing() {
    for provider in &PROVIDERS {
        let nobodys = |_, emulator: &dyn Emulator| emulator.account(&emulator.origin(), false);
        let running = Running::with(&[provider], "", nobodys).await;
        let answer = running.post().await;
        check(
            &refused("provider_unauthorized"),
            ORDINARY,
            &answer,
            Form::Documented,
            provider.name,
        );
        assert!(answer.text.contains("401"), "{}", answer.text);
        assert_eq!(running.counts(), [(1, 0)], "{}", provider.name);
    }
}

#[tokio::test]
async fn a_sender_that_the_account_does_not_have_is_told_as_that_and_the_second_provider_sends() {
    for provider in &PROVIDERS {
        let running = Running::start(&[provider], "").await;
        running.emulators[0].take_senders();
        let answer = running.post().await;
        check(
            &refused("provider_unauthorized"),
            ORDINARY,
            &answer,
            Form::Documented,
            provider.name,
        );
        assert!(answer.text.contains("sender"), "{}", answer.text);
        assert_eq!(running.counts(), [(1, 0)], "{}", provider.name);
    }
    for pair in pairs() {
        let running = Running::start(&pair, "").await;
        running.emulators[0].take_senders();
        running.post().await.accepted(Form::Documented);
        assert_eq!(running.counts(), [(1, 0), (1, 1)]);
    }
}

#[tokio::test]
async fn an_event_that_comes_again_is_one_message_where_the_provider_knows_repeats() {
    for provider in all() {
        let running = Running::start(&[provider], "").await;
        let event = running.asked(envelope(ORDINARY)).to_string();
        for _ in 0..2 {
            running.hook.post(event.clone()).await.accepted(Form::Documented);
        }
        let messages = if provider.knows_repeats { 1 } else { 2 };
        assert_eq!(running.counts(), [(2, messages)], "{}", provider.name);
    }
}

#[tokio::test]
async fn the_message_is_the_one_that_okta_gave() {
    for provider in &PROVIDERS {
        let running = Running::start(&[provider], "").await;
        let mut payload = envelope("+447400123456");
        payload["data"]["messageProfile"]["msgTemplate"] = "“246810” <is> your code 🙂".into();
        let answer = running.hook.post(payload.to_string()).await;
        let id = answer.accepted(Form::Documented);
        assert_eq!(answer.value(Form::Documented)["transactionMetadata"], provider.sender);
        let [message] = running.emulators[0].messages().try_into().unwrap();
        let text = "“246810” <is> your code 🙂";
        assert_eq!((&*message.to, &*message.text, message.id), ("+447400123456", text, id));
        let event = payload["eventId"].as_str().unwrap();
        assert!(message.tag.is_some_and(|tag| tag.contains(event)), "{}", provider.name);
    }
}

#[tokio::test]
async fn a_call_says_the_passcode_digit_by_digit_in_the_persons_language() {
    for provider in &*CALLERS {
        let running = Running::start(&[provider], "").await;
        let mut payload = running.asked(envelope("+4930123456"));
        payload["data"]["messageProfile"]["locale"] = "de-AT".into();
        let answer = running.hook.post(payload.to_string()).await;
        let id = answer.accepted(Form::Documented);
        let [call] = running.emulators[0].messages().try_into().unwrap();
        assert_eq!((&*call.to, call.id), ("+4930123456", id));
        let code = payload["data"]["messageProfile"]["otpCode"].as_str().unwrap();
        assert!(
            call.text.contains("Bestätigungscode") && !call.text.contains(code),
            "{}",
            call.text
        );
        let said: String = call.text.chars().filter(char::is_ascii_digit).collect();
        assert!(said.starts_with(&code.repeat(2)), "{}", call.text);
        assert!(call.voice.unwrap().language.starts_with("de"), "{}", provider.name);
        let line = running.hook.log.hooks(1).await.pop().unwrap();
        assert_eq!((&line["channel"], line.get("segments")), (&json!("call"), None), "{line}");
        let event = payload["eventId"].as_str().unwrap();
        assert!(call.tag.is_some_and(|tag| tag.contains(event)), "{}", provider.name);
    }
}

#[tokio::test]
async fn a_call_that_nobody_makes_is_refused_and_no_message_goes_in_its_place() {
    for provider in &PROVIDERS {
        let running = Running::start(&[provider], "").await;
        let mut payload = envelope(ORDINARY);
        payload["data"]["messageProfile"]["deliveryChannel"] = "voice call".into();
        let answer = running.hook.post(payload.to_string()).await;
        answer.failed(Form::Documented, 200, "unsupported_channel");
        assert!(answer.text.contains("voice = true"), "{}", answer.text);
        assert_eq!(running.counts(), [(0, 0)], "{}", provider.name);
    }
    // The first one sends messages only.
    for caller in &*CALLERS {
        let running = Running::start(&[&PROVIDERS[0], caller], "").await;
        running.post().await.accepted(Form::Documented);
        assert_eq!(running.counts(), [(0, 0), (1, 1)], "{}", caller.name);
    }
}

#[tokio::test]
async fn a_passcode_that_expires_is_not_sent_after_that() {
    for provider in all() {
        let running = Running::start(&[provider], "").await;
        let mut expiring = running.asked(envelope(ORDINARY));
        let expires = |payload: &mut Value, seconds| {
            payload["data"]["messageProfile"]["otpExpires"] = from_now(seconds).into();
        };
        expires(&mut expiring, -60);
        let answer = running.hook.post(expiring.to_string()).await;
        answer.failed(Form::Documented, 200, "otp_expired");
        assert_eq!(running.counts(), [(0, 0)]);

        let mut expiring = running.asked(envelope(ORDINARY));
        expires(&mut expiring, 120);
        running.hook.post(expiring.to_string()).await.accepted(Form::Documented);
        let [message] = running.emulators[0].messages().try_into().unwrap();
        let valid = message.expires.map(|expires| (expires - message.received).whole_seconds());
        assert_eq!(valid.is_some(), provider.is_told_expiry, "{}", provider.name);
        // The rest is the time that the message took to the provider; of calls it is told in whole minutes.
        let least = if provider.is_calling { 60 } else { 90 };
        assert!(valid.is_none_or(|seconds| (least..=120).contains(&seconds)), "{valid:?}");
    }
}
