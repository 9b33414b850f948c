//! Two resources of ACS: what there is besides what holds for any two [providers](crate::providers), and what becomes of
//! one that fails.

use std::time::{Duration, Instant};

use serde_json::Value;

use okta_telephony_dev::acs_emulator::{self, AcsEmulator, fault_of};

use crate::harness::{ACCESS_KEY, Answer, Form, Hook, Setup, envelope};

const ORDINARY: &str = "+15550100123";

/// "Okta waits 3 seconds" (Okta's "Inline hooks" concept page).
const OKTA_WAITS: Duration = Duration::from_secs(3);

/// The secret of the second provider.
fn second(connection_string: &str) -> String {
    format!("providers.acs-secondary.connection_string = '{connection_string}'")
}

/// A hook with two providers, of which `hook.acs` is the first.
struct TwoProviders {
    hook: Hook,
    secondary: AcsEmulator,
}

impl TwoProviders {
    async fn start(more: impl Into<Setup>) -> Self {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let settings = acs_emulator::Settings::new(loopback, ACCESS_KEY);
        let secondary = AcsEmulator::start(settings).await.unwrap();
        let two = Setup::from(
            "providers = [
                 { kind = 'acs' },
                 { kind = 'acs', name = 'acs-secondary', senders = { default = 'CONTOSO' } },
             ]",
        )
        .secrets(&second(&secondary.connection_string()))
        .variable("outbound_host1", "https://127.0.0.1:*")
        // What is shown here is not how often a number may be tried.
        .settings("limits.per_number = ''");
        Self { hook: Hook::with(two.and(more)).await, secondary }
    }

    /// The first resource has the fault of this number, whatever number is sent to.
    async fn with_fault(number: &str) -> Self {
        let two = Self::start(Setup::new()).await;
        two.hook.acs.set_fault(Some(fault_of(number).unwrap()));
        two
    }

    async fn post(&self) -> Answer {
        self.hook.post(envelope(ORDINARY).to_string()).await
    }

    /// Messages at the first and at the second.
    fn messages(&self) -> (usize, usize) {
        (self.hook.acs.messages().len(), self.secondary.messages().len())
    }

    fn requests(&self) -> (usize, usize) {
        (self.hook.acs.requests().len(), self.secondary.requests().len())
    }
}

/// The line of a hook whose first resource took the message, but was late.
pub async fn late_line() -> Value {
    let two = TwoProviders::with_fault("+15550103002").await;
    two.post().await.accepted(Form::Documented);
    assert_eq!(two.messages(), (1, 1));
    two.hook.log.hooks(1).await.remove(0)
}

#[tokio::test]
async fn a_503_with_an_id_may_be_a_message_and_the_second_makes_a_double_of_it() {
    let two = TwoProviders::with_fault("+15550103503").await;
    two.post().await.accepted(Form::Documented);
    assert_eq!(two.requests(), (2, 1));
    let line = two.hook.log.hooks(1).await.remove(0);
    assert_eq!(line["warnings"], serde_json::json!(["may_be_double"]), "{line}");
}

#[tokio::test]
async fn the_second_key_of_one_resource_makes_no_double() {
    let two = TwoProviders::start(Setup::new()).await;
    // The first key has been made anew.
    let wrong = two.secondary.connection_string().replace(ACCESS_KEY, "b2xkIGtleQ==");
    let one_resource =
        Setup::from("providers = [{ kind = 'acs' }, { kind = 'acs', name = 'acs-secondary' }]")
            .secrets(&second(&two.secondary.connection_string()))
            .variable("acs_connection_string", wrong);
    let two = TwoProviders::start(one_resource).await;
    let answer = two.post().await;
    assert_eq!(answer.value(Form::Documented)["transactionMetadata"], "shortcode");
    answer.accepted(Form::Documented);
}

#[tokio::test]
async fn a_resource_that_answers_again_is_used_again() {
    let two = TwoProviders::with_fault("+15550100401").await;
    for _ in 0..5 {
        two.post().await.accepted(Form::Documented);
    }
    two.hook.acs.set_fault(None);
    let end = Instant::now() + Duration::from_secs(20);
    while two.messages().0 == 0 {
        assert!(Instant::now() < end, "no probe came");
        two.post().await.accepted(Form::Documented);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let before = two.messages().1;
    two.post().await.accepted(Form::Documented);
    assert_eq!(two.messages().1, before, "the second one is no longer needed");
}

#[tokio::test]
async fn a_sender_that_is_wrong_for_one_country_puts_the_resource_down_for_no_other() {
    let senders = "providers = [
        { kind = 'acs', senders = { GB = 'WRONG' } },
        { kind = 'acs', name = 'acs-secondary', senders = { default = 'CONTOSO' } },
    ]";
    let two = TwoProviders::start(senders).await;
    two.hook.acs.set_senders(Some(vec!["12345".into()]));
    for _ in 0..5 {
        two.hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    }
    assert_eq!((two.requests(), two.messages()), ((5, 5), (0, 5)));
    let answer = two.post().await;
    answer.accepted(Form::Documented);
    assert_eq!(answer.value(Form::Documented)["transactionMetadata"], "shortcode");
    assert_eq!((two.requests(), two.messages()), ((6, 5), (1, 5)));
}

/// A minute of 30 hooks a second with a first resource that hangs. Not part of `cargo test`:
/// `cargo test --test component failover::a_minute -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn a_minute_of_a_first_resource_that_hangs() {
    let two = std::sync::Arc::new(TwoProviders::with_fault("+15550103001").await);
    let mut tasks = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(1000 / 30));
    for _ in 0..1800 {
        tick.tick().await;
        let two = two.clone();
        tasks.spawn(async move { two.post().await });
    }
    let answers = tasks.join_all().await;
    let mut times: Vec<_> = answers
        .iter()
        .map(|answer| {
            answer.accepted(Form::Documented);
            answer.elapsed
        })
        .collect();
    times.sort();
    println!(
        "1800 hooks: median {:?}, p99 {:?}, worst {:?}; requests {:?}, messages {:?}",
        times[900],
        times[1782],
        times[1799],
        two.requests(),
        two.messages()
    );
    assert!(times[900] < Duration::from_millis(500) && times[1799] < OKTA_WAITS);
}
