//! Two providers: when the second gets the message, and what becomes of the first.

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

#[tokio::test]
async fn the_second_resource_gets_what_the_first_cannot_send() {
    for (what, number, at_first, reason) in [
        // Over each of its two connections.
        ("hangs", "+15550103001", 2, "deadline_exceeded"),
        ("401", "+15550100401", 1, "provider_unauthorized"),
        ("401, the sender", "+15550101401", 1, "provider_unauthorized"),
        ("403", "+15550100403", 1, "provider_unauthorized"),
        ("404", "+15550100404", 1, "provider_rejected"),
        ("404, the sender", "+15550101404", 1, "provider_rejected"),
        ("429, Retry-After: 60", "+15550101429", 1, "provider_throttled"),
        ("429", "+15550102429", 1, "provider_throttled"),
        ("503", "+15550100503", 1, "provider_unavailable"),
        ("503 in a 202", "+15550101503", 1, "provider_unavailable"),
        ("500", "+15550100500", 2, "provider_unavailable"),
        ("502", "+15550100502", 2, "provider_unavailable"),
        ("504", "+15550100504", 2, "provider_unavailable"),
        ("cuts", "+15550103003", 2, "provider_unavailable"),
    ] {
        let two = TwoProviders::with_fault(number).await;
        let answer = two.post().await;
        println!(
            "| {what} | {} ms | {:?} | {:?} |",
            answer.elapsed.as_millis(),
            two.requests(),
            two.messages()
        );
        answer.accepted(Form::Documented);
        assert_eq!(answer.value(Form::Documented)["transactionMetadata"], "alphanumeric");
        assert!(answer.elapsed < OKTA_WAITS, "{what}: {:?}", answer.elapsed);
        assert_eq!((two.messages(), two.requests()), ((0, 1), (at_first, 1)), "{what}");
        let line = two.hook.log.hooks(1).await.remove(0);
        assert_eq!(
            (&line["provider"], &line["attempts"]),
            (&"acs-secondary".into(), &(at_first + 1).into())
        );
        assert_eq!(line["failed_over"], reason, "{what}");
    }
}

#[tokio::test]
async fn the_second_resource_gets_what_the_first_is_not_there_to_send() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("endpoint=https://127.0.0.1:{port}/;accesskey=a2V5");
    let there = Setup::new().variable("acs_connection_string", nobody);
    let two = TwoProviders::start(there).await;
    let answer = two.post().await;
    println!("| refuses connections | {} ms | {:?} |", answer.elapsed.as_millis(), two.messages());
    answer.accepted(Form::Documented);
    assert_eq!(two.messages(), (0, 1));
}

#[tokio::test]
async fn a_message_that_is_wrong_itself_is_wrong_for_the_second_too() {
    for number in ["+15550100400", "+15550101400"] {
        let two = TwoProviders::with_fault(number).await;
        two.post().await.failed(Form::Documented, 200, "provider_rejected");
        assert_eq!(two.requests(), (1, 0));
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_before_the_second_could_send_the_same() {
    let two = TwoProviders::with_fault("+15550103004").await;
    two.post().await.accepted(Form::Documented);
    assert_eq!(two.messages(), (1, 0));
}

/// The line of a hook whose first resource took the message, but was late.
pub async fn late_line() -> Value {
    let two = TwoProviders::with_fault("+15550103002").await;
    two.post().await.accepted(Form::Documented);
    assert_eq!(two.messages(), (1, 1));
    two.hook.log.hooks(1).await.remove(0)
}

#[tokio::test]
async fn a_first_resource_that_takes_the_message_and_is_late_makes_a_double_and_the_log_says_so() {
    let line = late_line().await;
    assert_eq!(line["warnings"], serde_json::json!(["may_be_double"]), "{line}");
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
async fn both_that_fail_are_told_in_time() {
    for number in ["+15550103001", "+15550100500", "+15550100401"] {
        let two = TwoProviders::with_fault(number).await;
        two.secondary.set_fault(Some(fault_of(number).unwrap()));
        let answer = two.post().await;
        assert_eq!(answer.value(Form::Documented)["status"], "FAILED");
        assert!(answer.elapsed < OKTA_WAITS, "{:?}", answer.elapsed);
        assert_eq!(two.messages(), (0, 0));
    }
}

#[tokio::test]
async fn a_resource_that_has_failed_five_times_is_left_alone() {
    let two = TwoProviders::with_fault("+15550100401").await;
    for _ in 0..5 {
        two.post().await.accepted(Form::Documented);
    }
    assert_eq!(two.requests(), (5, 5));
    for _ in 0..5 {
        two.post().await.accepted(Form::Documented);
    }
    let (first, second) = two.requests();
    // One of them may be the probe, where the machine is slow.
    assert!(first <= 6 && second == 10, "{first}, {second}");
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
