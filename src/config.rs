//! The configuration, in two steps: what was said (Spin's variables, as text) and what it means
//! (types). What is missing or wrong is collected, so that the log names all of it at once.
//!
//! Read as late as can be, and only what the request needs: a variable costs a host call of about
//! 4 microseconds.

use std::time::Duration;

use crate::acs::connection_string::ConnectionString;
use crate::acs::sender::Sender;
use crate::acs::sms::Acs;
use crate::okta::auth::Credentials;
use crate::okta::response::ResponseFormat;
use crate::ports::Variables;
use crate::refusal::{Reason, Refusal};

/// What the hook must know before it reads a body.
#[derive(Debug)]
pub struct Gate {
    /// Who may call. An error where nobody may, because nothing, or nothing valid, is configured.
    pub credentials: Result<Credentials, Refusal>,
    /// The time in which the whole hook answers.
    pub deadline: Duration,
    /// The form of the answers.
    pub response_format: ResponseFormat,
    /// What is wrong with those two, which then have their defaults.
    problems: Problems,
}

/// The deadline where none is said, in milliseconds. Okta waits 3 seconds, network included.
pub const DEFAULT_DEADLINE_MS: u64 = 2500;

/// The deadlines that make sense, in milliseconds: what is shorter leaves ACS no time, what is
/// longer leaves the network none.
pub const DEADLINE_RANGE_MS: std::ops::RangeInclusive<u64> = 500..=2800;

/// The version of ACS's REST API that all of Microsoft's released SDKs use.
pub const DEFAULT_ACS_API_VERSION: &str = "2021-03-07";

impl Gate {
    /// Reads what the hook must know before it reads a body.
    pub fn read(variables: &dyn Variables) -> Self {
        let mut problems = Problems::default();
        let response_format = match problems.read(variables, "okta_response_format").as_str() {
            "" | "auto" => ResponseFormat::Auto,
            "documented" => ResponseFormat::Documented,
            "classic" => ResponseFormat::Classic,
            _ => {
                problems.add("okta_response_format", "must be auto, documented or classic");
                ResponseFormat::Auto
            }
        };
        let deadline_ms = match problems.read(variables, "hook_deadline_ms").as_str() {
            "" => DEFAULT_DEADLINE_MS,
            said => match said.parse().ok().filter(|ms| DEADLINE_RANGE_MS.contains(ms)) {
                Some(ms) => ms,
                None => {
                    problems.add("hook_deadline_ms", "must be a whole number from 500 to 2800");
                    DEFAULT_DEADLINE_MS
                }
            },
        };
        Self {
            credentials: read_credentials(variables),
            deadline: Duration::from_millis(deadline_ms),
            response_format,
            problems,
        }
    }
}

/// Nothing configured matches nothing.
fn read_credentials(variables: &dyn Variables) -> Result<Credentials, Refusal> {
    let mut problems = Problems::default();
    let secret = problems.read(variables, "okta_basic_secret");
    let mut user = problems.read(variables, "okta_user");
    if user.is_empty() {
        user = "okta".into();
    }
    if problems.is_empty() {
        if secret.is_empty() {
            problems.add(
                "okta_basic_secret",
                "is not set: set it to the secret of the Basic credentials in Okta's hook",
            );
        }
        // As from a file with a line feed at its end; it would match nothing that Okta sends.
        if secret.trim() != secret {
            problems.add("okta_basic_secret", "begins or ends with white space: remove it");
        }
        if user.contains(':') {
            problems
                .add("okta_user", "must not contain a colon, at which Basic credentials are split");
        }
    }
    if problems.is_empty() {
        return Ok(Credentials { user, secret: secret.as_str().into() });
    }
    // Whoever asks has shown no credentials, so is not told what the log is told.
    let Refusal { reason, fix, .. } = problems.into_refusal();
    let told =
        "The hook has no valid credentials configured and sends nothing: see the hook's log.";
    Err(Refusal::new(reason, told).with_log_fix(fix))
}

/// Reads what the hook must know to send, for a caller that has shown its credentials. The refusal
/// names everything that is wrong, in the gate's variables too.
pub fn read_acs(variables: &dyn Variables, gate: Gate) -> Result<Acs, Refusal> {
    let mut problems = gate.problems;
    let said = problems.read(variables, "acs_connection_string");
    let resource = match ConnectionString::parse(&said) {
        Ok(resource) => Some(resource),
        Err(_) if said.is_empty() => {
            problems.add(
                "acs_connection_string",
                "is not set: copy it from the resource's page Keys in the Azure portal",
            );
            None
        }
        Err(error) => {
            problems.add("acs_connection_string", &error.to_string());
            None
        }
    };
    let said = problems.read(variables, "acs_from_shortcode");
    let sender = Sender::parse(&said).ok();
    if sender.is_none() {
        let fix = if said.is_empty() {
            "is not set: set it to the short code, number or alphanumeric sender ID that messages come from"
        } else {
            "must be a short code of 5 or 6 digits, a number with +, or an alphanumeric sender ID of at most 11 characters"
        };
        problems.add("acs_from_shortcode", fix);
    }
    let mut api_version = problems.read(variables, "acs_api_version");
    if api_version.is_empty() {
        api_version = DEFAULT_ACS_API_VERSION.into();
    }
    // It goes into the request's target, which is signed to the letter.
    if api_version.len() > 32
        || !api_version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        problems.add("acs_api_version", "must be a version such as 2021-03-07");
    }
    match (resource, sender) {
        (Some(resource), Some(sender)) if problems.is_empty() => {
            Ok(Acs { resource, api_version, sender })
        }
        _ => Err(problems.into_refusal()),
    }
}

/// What is wrong, variable by variable.
#[derive(Debug, Default)]
struct Problems(Vec<String>);

impl Problems {
    /// The value of a variable; a host that can't tell is a problem of that variable.
    fn read(&mut self, variables: &dyn Variables, name: &'static str) -> String {
        variables.get(name).unwrap_or_else(|_| {
            self.add(name, "could not be read: look at the host's variable provider");
            String::new()
        })
    }

    /// Adds a problem. `fix` must not hold the value.
    fn add(&mut self, name: &'static str, fix: &str) {
        self.0.push(format!("{name} {fix}"));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn into_refusal(self) -> Refusal {
        Refusal::new(Reason::Misconfigured, self.0.join("; ") + ".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeHost;

    fn acs(host: &FakeHost) -> Result<Acs, Refusal> {
        read_acs(host, Gate::read(host))
    }

    #[test]
    fn unset_variables_have_their_defaults() {
        let host = FakeHost::default();
        let gate = Gate::read(&host);
        assert_eq!(gate.deadline, Duration::from_millis(2500));
        assert_eq!(gate.response_format, ResponseFormat::Auto);
        let credentials = gate.credentials.as_ref().unwrap();
        assert_eq!(credentials.user, "okta");
        assert_eq!(credentials.secret, "supersecret".into());
        assert_eq!(read_acs(&host, gate).unwrap().api_version, "2021-03-07");
    }

    #[test]
    fn an_empty_secret_is_no_secret_and_only_the_log_is_told_so() {
        let host = FakeHost::default().with("okta_basic_secret", "");
        let refusal = Gate::read(&host).credentials.unwrap_err();
        assert_eq!(refusal.reason, Reason::Misconfigured);
        assert!(!refusal.fix.contains("okta_basic_secret"));
        assert!(refusal.log_fix.unwrap().starts_with("okta_basic_secret is not set"));
    }

    #[test]
    fn deadlines_that_okta_would_not_wait_for_are_refused() {
        for (said, good) in [
            ("500", true),
            ("2800", true),
            ("2801", false),
            ("499", false),
            ("0", false),
            ("-1", false),
            ("2.5", false),
            ("2500ms", false),
            ("99999999999999999999", false),
        ] {
            let host = FakeHost::default().with("hook_deadline_ms", said);
            let acs = acs(&host);
            assert_eq!(acs.is_ok(), good, "{said}: {acs:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_with_its_fix_and_without_its_value() {
        let host = FakeHost::default()
            .with("okta_response_format", "xml-secret")
            .with("hook_deadline_ms", "soon-secret")
            .with("acs_connection_string", "endpoint=https://contoso.example/;accesskey=*secret*")
            .with("acs_from_shortcode", "not-a-sender-secret")
            .with("acs_api_version", "2021/secret");
        let refusal = acs(&host).unwrap_err();
        assert_eq!(refusal.reason, Reason::Misconfigured);
        for name in [
            "okta_response_format must be",
            "hook_deadline_ms must be",
            "acs_connection_string the access key is not base64",
            "acs_from_shortcode must be",
            "acs_api_version must be",
        ] {
            assert!(refusal.fix.contains(name), "{name}: {}", refusal.fix);
        }
        assert!(!refusal.fix.contains("secret"), "{}", refusal.fix);
    }

    #[test]
    fn a_variable_that_the_host_cannot_tell_is_a_problem_of_its_own() {
        let host = FakeHost::default().with("acs_connection_string", "<unavailable>");
        assert!(acs(&host).unwrap_err().fix.contains("acs_connection_string could not be read"));
        let host = FakeHost::default().with("okta_basic_secret", "<unavailable>");
        assert!(Gate::read(&host).credentials.is_err());
    }

    #[test]
    fn a_secret_with_white_space_around_it_is_named() {
        let host = FakeHost::default().with("okta_basic_secret", "supersecret\n");
        let refusal = Gate::read(&host).credentials.unwrap_err();
        assert!(refusal.log_fix.unwrap().contains("okta_basic_secret begins or ends with white"));
    }

    #[test]
    fn a_user_with_a_colon_could_never_match() {
        let host = FakeHost::default().with("okta_user", "a:b");
        assert!(Gate::read(&host).credentials.is_err());
    }
}
