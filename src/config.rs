//! The configuration, in two steps: what was said (Spin's variables, as text) and what it means
//! (types).
//!
//! Read as late as can be, and only what the request needs. So a hook meets a wrong variable only where
//! it needs it; then, and when the operator asks, [`check()`] reads all of them and names everything that
//! is wrong at once. The host is asked for them by [`GROUPS`].

mod check;
mod variables;

use std::time::Duration;

pub use self::check::{Check, Finding, check};
pub use self::variables::{GROUPS, Group, VARIABLES, find};

use crate::callers::auth::{Callers, Credentials, HeaderSecret};
use crate::callers::bearer::OAuth;
use crate::callers::bearer::issuer::Issuer;
use crate::callers::bearer::token::Expected;
use crate::callers::reporters::Reporters;
use crate::hook::answer::ResponseFormat;
use crate::hook::request::HookRequest;
use crate::message::{Domain, Template, Templates, Wording};
use crate::numbering::Region;
use crate::policy::limits::{self, Rate, Scope};
use crate::policy::{Countries, OnRefusal, Rules};
use crate::ports::Variables;
use crate::providers::acs::connection_string::ConnectionString;
use crate::providers::acs::sms::Acs;
use crate::records::Bounds;
use crate::records::store_key::StoreKey;
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::sender::{SENDER_FORM, Sender, Senders};
use crate::telemetry::application_insights::Sink;

/// What the hook must know before it reads a body.
#[derive(Debug)]
pub struct Gate {
    /// Who may call. An error where nobody may, because nothing, or nothing valid, is configured.
    pub callers: Result<Callers, Refusal>,
    /// The time in which the whole hook answers.
    pub deadline: Duration,
    /// The form of the answers.
    pub response_format: ResponseFormat,
    /// What is wrong with those two, which then have their defaults.
    problems: Problems,
}

/// The deadline where none is said, in milliseconds. Okta waits 3 seconds, network included.
const DEFAULT_DEADLINE_MS: u64 = 2500;

/// The deadlines that make sense, in milliseconds: what is shorter leaves ACS no time, what is
/// longer leaves the network none.
const DEADLINE_RANGE_MS: std::ops::RangeInclusive<u64> = 500..=2800;

/// The version of ACS's REST API that all of Microsoft's released SDKs use.
const DEFAULT_ACS_API_VERSION: &str = "2021-03-07";

impl Gate {
    /// Reads what the hook must know before it reads a body.
    pub fn read(variables: &dyn Variables) -> Self {
        let callers = read_callers(variables).map_err(|problems| {
            // Whoever asks has shown no credentials, so is not told what the log is told.
            let told = "The hook has no valid credentials configured and sends nothing: see the hook's log.";
            Refusal::new(Reason::Misconfigured, told).with_log_fix(problems.text())
        });
        let mut problems = Problems::default();
        let response_format = match problems.read(variables, "okta_response_format") {
            "" | "auto" => ResponseFormat::Auto,
            "documented" => ResponseFormat::Documented,
            "classic" => ResponseFormat::Classic,
            _ => {
                problems.add("okta_response_format", "must be auto, documented or classic");
                ResponseFormat::Auto
            }
        };
        let deadline_ms = match problems.read(variables, "hook_deadline_ms") {
            "" => DEFAULT_DEADLINE_MS,
            said => match limits::whole_number(said).map(u64::from) {
                Some(ms) if DEADLINE_RANGE_MS.contains(&ms) => ms,
                _ => {
                    problems.add("hook_deadline_ms", "must be a whole number from 500 to 2800");
                    DEFAULT_DEADLINE_MS
                }
            },
        };
        Self { callers, deadline: Duration::from_millis(deadline_ms), response_format, problems }
    }

    /// Whether all of it was in order.
    pub fn finish(self) -> Result<(), Problems> {
        self.problems.or(())
    }
}

/// Where nothing is configured, no caller matches.
fn read_callers(variables: &dyn Variables) -> Result<Callers, Problems> {
    let mut problems = Problems::default();
    let callers = callers(&mut problems, variables);
    problems.or(callers)
}

/// `problems` are those of the callers alone.
fn callers(problems: &mut Problems, variables: &dyn Variables) -> Callers {
    let mut callers = Callers::default();
    let user = or_default(problems.read(variables, "okta_user"), "okta");
    let secret = read_credential(problems, variables, "okta_basic_secret");
    if !secret.is_empty() {
        if user.contains(':') {
            problems.add("okta_user", COLON);
        }
        callers.basic = Some(Credentials { user: user.into(), secret: secret.into() });
    }
    let secret = read_credential(problems, variables, "okta_header_secret");
    if !secret.is_empty() {
        let name = or_default(problems.read(variables, "okta_header_name"), "authorization");
        let name = name.to_ascii_lowercase();
        if !may_hold_a_secret(&name) {
            problems.add(
                "okta_header_name",
                "must be a header that Okta can send and no proxy takes away or writes: Authorization, or one \
                 such as x-okta-key",
            );
        }
        callers.header = Some(HeaderSecret { name, secret: secret.into() });
    }
    callers.oauth = read_oauth(problems, variables, &OKTA_OAUTH);
    let none = callers.basic.is_none() && callers.header.is_none() && callers.oauth.is_none();
    if none && problems.is_empty() {
        problems.add(
            "okta_basic_secret",
            "is not set: set it to the secret of the Basic credentials in Okta's hook, or okta_header_secret to \
             the secret of its header, or okta_oauth_issuer to the authorization server of its tokens",
        );
    }
    callers
}

/// The variables that say whose tokens are accepted.
struct OAuthVariables {
    prefix: &'static str,
    issuer: &'static str,
    audience: &'static str,
    scope: &'static str,
    client_id: &'static str,
    jwks_uri: &'static str,
    host: &'static str,
    /// What stands for an empty audience, scope and client.
    defaults: [&'static str; 3],
}

/// Of Okta's hook.
const OKTA_OAUTH: OAuthVariables = OAuthVariables {
    prefix: "okta_oauth",
    issuer: "okta_oauth_issuer",
    audience: "okta_oauth_audience",
    scope: "okta_oauth_scope",
    client_id: "okta_oauth_client_id",
    jwks_uri: "okta_oauth_jwks_uri",
    host: "okta_oauth_host",
    defaults: ["api://default", "", ""],
};

/// Of Event Grid.
const REPORT_OAUTH: OAuthVariables = OAuthVariables {
    prefix: "report_oauth",
    issuer: "report_oauth_issuer",
    audience: "report_oauth_audience",
    scope: "report_oauth_scope",
    client_id: "report_oauth_client_id",
    jwks_uri: "report_oauth_jwks_uri",
    host: "report_oauth_host",
    defaults: ["", EVENT_GRID_ROLE, EVENT_GRID_CLIENT_ID],
};

/// The role that Event Grid needs in the app that its tokens are for ("Deliver events to Microsoft Entra
/// protected endpoints", Azure Event Grid).
const EVENT_GRID_ROLE: &str = "AzureEventGridSecureWebhookSubscriber";

/// The application id of Event Grid in Azure's public cloud (the same page's script).
const EVENT_GRID_CLIENT_ID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";

/// Whose tokens are accepted; `None` where the issuer is not set.
fn read_oauth(
    problems: &mut Problems,
    variables: &dyn Variables,
    names: &OAuthVariables,
) -> Option<OAuth> {
    let url = problems.read(variables, names.issuer);
    if url.is_empty() {
        return None;
    }
    let jwks_uri = problems.read(variables, names.jwks_uri);
    let issuer = Issuer::parse(url, jwks_uri)
        .map_err(|invalid| {
            let name = if invalid.of_jwks_uri { names.jwks_uri } else { names.issuer };
            problems.add(name, invalid.to_string());
        })
        .ok();
    let [audience, scope, client_id] = names.defaults;
    let audience = or_default(problems.read(variables, names.audience), audience);
    let scope = or_default(problems.read(variables, names.scope), scope);
    let client_id = or_default(problems.read(variables, names.client_id), client_id);
    if audience.is_empty() {
        problems.add(
            names.audience,
            "is not set: set it to the application that the tokens are for, or those for any other would be taken",
        );
    }
    if client_id.is_empty() {
        problems.add(
            names.client_id,
            "is not set: set it to the client ID in Okta's hook, or any client of the authorization server could call",
        );
    }
    let scope = if scope.is_empty() { None } else { Some(scope.to_owned()) };
    let issuer = issuer?;
    let expected = Expected {
        issuer: issuer.url.clone(),
        audience: audience.to_owned(),
        scope,
        client_id: client_id.to_owned(),
    };
    Some(OAuth { issuer, expected, variables: names.prefix })
}

/// Reads the secrets that were valid until the last change, which are accepted while Okta and the host
/// change one after the other.
pub fn read_previous_callers(
    variables: &dyn Variables,
    now: &Callers,
) -> Result<Callers, Problems> {
    let mut problems = Problems::default();
    let mut previous = |name| {
        let secret = read_credential(&mut problems, variables, name);
        if secret.is_empty() { None } else { Some(Secret::from(secret)) }
    };
    let callers = Callers {
        basic: now.basic.as_ref().and_then(|basic| {
            let secret = previous("okta_basic_secret_previous")?;
            Some(Credentials { user: basic.user.clone(), secret })
        }),
        header: now.header.as_ref().and_then(|header| {
            let secret = previous("okta_header_secret_previous")?;
            Some(HeaderSecret { name: header.name.clone(), secret })
        }),
        oauth: None,
    };
    problems.or(callers)
}

/// A secret that a caller presents. White space around it, as from a file with a line feed at its end,
/// would match nothing that anybody sends.
fn read_credential<'v>(
    problems: &mut Problems,
    variables: &'v dyn Variables,
    name: &'static str,
) -> &'v str {
    let secret = problems.read_secret(variables, name);
    if secret.trim() != secret {
        problems.add(name, WHITE_SPACE);
    }
    secret
}

/// Whether a header, named in lower case, arrives as its sender wrote it. What is hop-by-hop (RFC 9110,
/// section 7.6.1) or about the body does not, and hosts and proxies write `spin-*` and `x-forwarded-*`.
fn may_hold_a_secret(name: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let taken =
        ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"];
    let prefixes = ["proxy-", "content-", "spin-", "x-forwarded-"];
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(is_token)
        && !taken.contains(&name)
        && !prefixes.iter().any(|prefix| name.starts_with(prefix))
}

const UNREADABLE: &str = "could not be read: look at the host's variable provider, and that no variable's value \
     holds the control character U+001E";
const WHITE_SPACE: &str = "begins or ends with white space: remove it";
const ONLY_WHITE_SPACE: &str = "is nothing but white space: make one, or leave it empty";
const COLON: &str = "must not contain a colon, at which Basic credentials are split";

/// Reads who may see the operator's pages: nobody where `operator_secret` is not set.
pub fn read_operator(variables: &dyn Variables) -> Result<Option<Credentials>, Problems> {
    let mut problems = Problems::default();
    let operator = operator(&mut problems, variables);
    problems.or(operator)
}

fn operator(problems: &mut Problems, variables: &dyn Variables) -> Option<Credentials> {
    let secret = read_credential(problems, variables, "operator_secret");
    if secret.is_empty() {
        return None;
    }
    let user = or_default(problems.read(variables, "operator_user"), "operator");
    if user.contains(':') {
        problems.add("operator_user", COLON);
    }
    differs_from(&HOOKS_SECRETS, problems, variables, "operator_secret", secret);
    Some(Credentials { user: user.into(), secret: secret.into() })
}

/// The secrets with which messages are sent.
const HOOKS_SECRETS: [&str; 4] = [
    "okta_basic_secret",
    "okta_basic_secret_previous",
    "okta_header_secret",
    "okta_header_secret_previous",
];

/// The secrets with which pages are read.
const OPERATORS_SECRETS: [&str; 2] = ["operator_secret", "operator_secret_previous"];

/// The secrets with which reports are delivered.
const REPORTERS_SECRETS: [&str; 2] = ["report_secret", "report_secret_previous"];

/// Who reads pages or delivers reports must not be able to send, and the other way round.
fn differs_from(
    others: &[&'static str],
    problems: &mut Problems,
    variables: &dyn Variables,
    name: &'static str,
    secret: &str,
) {
    for other in others {
        if !secret.is_empty() && secret == problems.read_secret(variables, other) {
            problems.add(name, ["must not be the same as ", other].concat());
        }
    }
}

/// Reads the operator's secret that was valid until the last change.
pub fn read_previous_operator(
    variables: &dyn Variables,
    now: &Credentials,
) -> Result<Option<Credentials>, Problems> {
    let mut problems = Problems::default();
    let secret = read_credential(&mut problems, variables, "operator_secret_previous");
    differs_from(&HOOKS_SECRETS, &mut problems, variables, "operator_secret_previous", secret);
    problems.or(match secret {
        "" => None,
        secret => Some(Credentials { user: now.user.clone(), secret: secret.into() }),
    })
}

/// Reads who may deliver reports; `None` where nobody may, since nothing is configured.
pub fn read_reporters(variables: &dyn Variables) -> Result<Option<Reporters>, Problems> {
    let mut problems = Problems::default();
    let reporters = reporters(&mut problems, variables);
    problems.or(reporters)
}

fn reporters(problems: &mut Problems, variables: &dyn Variables) -> Option<Reporters> {
    let secret = read_report_secret(problems, variables, "report_secret");
    let oauth = read_oauth(problems, variables, &REPORT_OAUTH);
    (secret.is_some() || oauth.is_some()).then_some(Reporters { secret, oauth })
}

/// Reads the reporters' secret that was valid until the last change.
pub fn read_previous_report_secret(variables: &dyn Variables) -> Result<Option<Secret>, Problems> {
    let mut problems = Problems::default();
    let secret = read_report_secret(&mut problems, variables, "report_secret_previous");
    problems.or(secret)
}

fn read_report_secret(
    problems: &mut Problems,
    variables: &dyn Variables,
    name: &'static str,
) -> Option<Secret> {
    let secret = read_credential(problems, variables, name);
    for others in [&HOOKS_SECRETS[..], &OPERATORS_SECRETS] {
        differs_from(others, problems, variables, name, secret);
    }
    if secret.is_empty() { None } else { Some(secret.into()) }
}

/// Who may deliver CloudEvents where nothing is said.
const REPORT_ORIGIN: &str = "eventgrid.azure.net";

/// Reads who may deliver CloudEvents.
pub fn read_report_origin(variables: &dyn Variables) -> Result<String, Problems> {
    let mut problems = Problems::default();
    let origin = or_default(problems.read(variables, "report_origin"), REPORT_ORIGIN);
    // It becomes a header's value.
    if !origin.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) {
        problems.add("report_origin", "must be a host name, such as eventgrid.azure.net");
    }
    problems.or(origin.to_owned())
}

/// Reads where telemetry goes; `None` where there is none.
pub fn read_sink(variables: &dyn Variables) -> Result<Option<Sink>, Problems> {
    let mut problems = Problems::default();
    let said = problems.read(variables, SINK);
    let sink = match said {
        "" => None,
        said => Sink::parse(said).map_err(|invalid| problems.add(SINK, invalid.to_string())).ok(),
    };
    problems.or(sink)
}

/// Whether there may be a sink.
pub fn has_sink(variables: &dyn Variables) -> bool {
    variables.get(SINK).is_ok_and(|said| !said.is_empty())
}

const SINK: &str = "applicationinsights_connection_string";

/// How many messages are remembered where nothing is said.
const DEFAULT_RECORD_SLOTS: u32 = 10_000;

/// The most that may be: the operator's list reads all of them.
const MOST_RECORD_SLOTS: u32 = 100_000;

/// For how long they are remembered where nothing is said, in seconds: 30 days.
const DEFAULT_RECORD_MAX_AGE: u32 = 30 * 86_400;

/// The longest time that may be, in seconds: a year.
const LONGEST_RECORD_MAX_AGE: u32 = 366 * 86_400;

/// Reads how much is remembered of what became of messages; `None` where nothing is.
pub fn read_bounds(variables: &dyn Variables) -> Result<Option<Bounds>, Problems> {
    let mut problems = Problems::default();
    let said = problems.read(variables, "record_slots");
    let slots = match said {
        "" => DEFAULT_RECORD_SLOTS,
        said => limits::whole_number(said)
            .filter(|slots| *slots <= MOST_RECORD_SLOTS)
            .unwrap_or_else(|| {
                problems.add("record_slots", "must be a whole number from 0 to 100000");
                DEFAULT_RECORD_SLOTS
            }),
    };
    let said = problems.read(variables, "record_max_age");
    let max_age = match said {
        "" => DEFAULT_RECORD_MAX_AGE,
        said => limits::seconds(said)
            .filter(|seconds| (60..=LONGEST_RECORD_MAX_AGE).contains(seconds))
            .unwrap_or_else(|| {
                problems.add(
                    "record_max_age",
                    "must be a whole number with m, h or d, from 1m to 366d",
                );
                DEFAULT_RECORD_MAX_AGE
            }),
    };
    problems.or((slots > 0).then_some(Bounds { slots, max_age }))
}

const NO_CONNECTION_STRING: &str =
    "is not set: copy it from the resource's page Keys in the Azure portal";

/// Reads the rules that a request is held to, less the rates that it can't reach: who does not say
/// from which address a person asks can't be counted by it.
pub fn read_rules(variables: &dyn Variables, request: &HookRequest) -> Result<Rules, Problems> {
    let mut problems = Problems::default();
    let rules = Rules {
        sending: switch(&mut problems, variables, "sending", ["on", "off"]),
        allowed: countries(&mut problems, variables, "allowed_countries").unwrap_or(Countries::All),
        blocked: blocked_countries(&mut problems, variables),
        blocked_prefixes: prefixes(&mut problems, variables),
        enrollment_allowed: match request.enrollment {
            true => countries(&mut problems, variables, "enrollment_allowed_countries")
                .unwrap_or(Countries::All),
            false => Countries::All,
        },
        rates: [
            (Scope::Number, true),
            (Scope::User, request.user_id.is_some()),
            (Scope::Ip, request.ip_address.is_some()),
            (Scope::Prefix, request.enrollment),
            (Scope::Total, true),
        ]
        .into_iter()
        .filter(|(_, applies)| *applies)
        .filter_map(|(scope, _)| Some((scope, rate(&mut problems, variables, scope)?)))
        .collect(),
    };
    problems.or(rules)
}

/// Reads what becomes of a request that the policy refuses.
pub fn read_on_refusal(variables: &dyn Variables) -> Result<OnRefusal, Problems> {
    let mut problems = Problems::default();
    let on_refusal = OnRefusal {
        enforce: switch(&mut problems, variables, "policy_mode", ["enforce", "observe"]),
        as_failed: switch(
            &mut problems,
            variables,
            "policy_refusal_status",
            ["failed", "successful"],
        ),
    };
    problems.or(on_refusal)
}

/// Whether a variable that has two values has the first, which is its default.
fn switch(
    problems: &mut Problems,
    variables: &dyn Variables,
    name: &'static str,
    [first, second]: [&str; 2],
) -> bool {
    let said = problems.read(variables, name);
    if !said.is_empty() && said != first && said != second {
        problems.add(name, format!("must be {first} or {second}"));
    }
    said != second
}

/// Regions between commas, or `*` for all.
fn countries(
    problems: &mut Problems,
    variables: &dyn Variables,
    name: &'static str,
) -> Option<Countries> {
    let said = problems.read(variables, name);
    if said.is_empty() {
        return None;
    }
    if said == "*" {
        return Some(Countries::All);
    }
    let mut regions = Vec::new();
    for (code, place) in said.split(',').zip(1..) {
        match Region::parse(code.trim()) {
            Some(region) => regions.push(region),
            None => problems.add(
                name,
                format!(
                    "must be * alone, or regions of two letters between commas, such as US,CA: entry {place} is none \
                     (Great Britain is GB)"
                ),
            ),
        }
    }
    Some(Countries::Only(regions))
}

fn blocked_countries(problems: &mut Problems, variables: &dyn Variables) -> Vec<Region> {
    match countries(problems, variables, "blocked_countries") {
        Some(Countries::Only(regions)) => regions,
        Some(Countries::All) => {
            problems.add("blocked_countries", "must not be *: to send nothing, set sending to off");
            Vec::new()
        }
        None => Vec::new(),
    }
}

fn prefixes(problems: &mut Problems, variables: &dyn Variables) -> Vec<String> {
    const NAME: &str = "blocked_prefixes";
    let said = problems.read(variables, NAME);
    if said.is_empty() {
        return Vec::new();
    }
    let is_prefix = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = (1..=15).contains(&digits.len()) && !digits.starts_with('0');
        fits && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let prefixes: Vec<_> = said.split(',').map(|prefix| prefix.trim().to_owned()).collect();
    if !prefixes.iter().all(|prefix| is_prefix(prefix)) {
        problems.add(NAME, "must be beginnings of numbers between commas, such as +881,+44900");
    }
    prefixes
}

fn rate(problems: &mut Problems, variables: &dyn Variables, scope: Scope) -> Option<Rate> {
    let said = problems.read(variables, scope.name());
    if said.is_empty() {
        return None;
    }
    Rate::parse(said).map_err(|error| problems.add(scope.name(), error.to_string())).ok()
}

/// Who messages leave through, and from whom.
#[derive(Debug)]
pub struct Sending {
    /// The ACS resource that is asked first, with the sender for this recipient.
    pub primary: Acs,
    /// The one that is asked when the first can't.
    pub secondary: Option<Acs>,
}

/// Reads how a message to a region leaves.
pub fn read_sending(
    variables: &dyn Variables,
    region: Option<Region>,
) -> Result<Sending, Problems> {
    let mut problems = Problems::default();
    let first = read_resource(&mut problems, variables, "acs_connection_string");
    let senders = read_senders(&mut problems, variables, "acs_senders");
    let sender = match senders.to(region) {
        Some(sender) => Some(sender.clone()),
        None => {
            let fallback = read_from(&mut problems, variables);
            if fallback.is_none() && problems.is_empty() {
                no_sender(&mut problems, &senders, region);
            }
            fallback
        }
    };
    let api_version = read_api_version(&mut problems, variables);

    let secondary = read_resource(&mut problems, variables, "acs_secondary_connection_string");
    let secondary = secondary.and_then(|resource| {
        let senders = read_senders(&mut problems, variables, "acs_secondary_senders");
        // Its own senders, or those of the first, which are its own too where it is the same resource with its
        // other key.
        let is_first = |first: &ConnectionString| first.authority == resource.authority;
        let shared = senders.is_empty() || first.as_ref().is_some_and(is_first);
        let sender = senders.to(region).or(sender.as_ref().filter(|_| shared));
        Some(Acs { resource, api_version: api_version.clone(), sender: sender?.clone() })
    });
    if first.is_none() && problems.is_empty() {
        problems.add("acs_connection_string", NO_CONNECTION_STRING);
    }
    match (first, sender) {
        (Some(resource), Some(sender)) if problems.is_empty() => {
            Ok(Sending { primary: Acs { resource, api_version, sender }, secondary })
        }
        _ => Err(problems),
    }
}

fn no_sender(problems: &mut Problems, senders: &Senders, region: Option<Region>) {
    if senders.is_empty() {
        problems.add(
            "acs_from_shortcode",
            "is not set: set it to the short code, number or alphanumeric sender ID that messages come from",
        );
    } else {
        let region = region.map_or("a number of no known region".to_owned(), |r| r.to_string());
        problems.add(
            "acs_senders",
            format!("has no sender for {region}: add one, or one for *, or set acs_from_shortcode"),
        );
    }
}

/// A resource; `None` where it is not set.
fn read_resource(
    problems: &mut Problems,
    variables: &dyn Variables,
    name: &'static str,
) -> Option<ConnectionString> {
    let said = problems.read(variables, name);
    if said.is_empty() {
        return None;
    }
    ConnectionString::parse(said).map_err(|error| problems.add(name, error.to_string())).ok()
}

fn read_senders(problems: &mut Problems, variables: &dyn Variables, name: &'static str) -> Senders {
    let said = problems.read(variables, name);
    Senders::parse(said).unwrap_or_else(|error| {
        problems.add(name, format!("is no map of senders: {error}"));
        Senders::default()
    })
}

/// The sender for every region that has none of its own; `None` where it is not set.
fn read_from(problems: &mut Problems, variables: &dyn Variables) -> Option<Sender> {
    let said = problems.read(variables, "acs_from_shortcode");
    if said.is_empty() {
        return None;
    }
    Sender::parse(said).map_err(|_| problems.add("acs_from_shortcode", SENDER_FORM)).ok()
}

fn read_api_version(problems: &mut Problems, variables: &dyn Variables) -> String {
    let version = or_default(problems.read(variables, "acs_api_version"), DEFAULT_ACS_API_VERSION);
    // It goes into the request's target, which is signed to the letter.
    if version.len() > 32 || !version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        problems.add("acs_api_version", "must be a version such as 2021-03-07");
    }
    version.to_owned()
}

/// Reads the key under which the store keeps what may not be read or written by others: made from
/// `store_secret`, or from the resource's access key where that is not set. `resource` is that
/// resource, if it has been read already.
pub fn read_store_key(
    variables: &dyn Variables,
    resource: Option<&ConnectionString>,
) -> Result<StoreKey, Problems> {
    let mut problems = Problems::default();
    let secret = problems.read_secret(variables, "store_secret");
    if !secret.is_empty() && secret.trim().is_empty() {
        problems.add("store_secret", ONLY_WHITE_SPACE);
    } else if !secret.is_empty() {
        return problems.or(StoreKey::derive(secret.as_bytes()));
    }
    if let Some(resource) = resource {
        return problems.or(StoreKey::derive(resource.access_key.reveal()));
    }
    let resource = read_resource(&mut problems, variables, "acs_connection_string");
    if resource.is_none() {
        problems.add("acs_connection_string", NO_CONNECTION_STRING);
    }
    match resource {
        Some(resource) if problems.is_empty() => Ok(StoreKey::derive(resource.access_key.reveal())),
        _ => Err(problems),
    }
}

/// Reads how messages are worded.
pub fn read_wording(variables: &dyn Variables) -> Result<Wording, Problems> {
    let mut problems = Problems::default();
    let said = problems.read(variables, "message_template");
    let template = match said {
        "" => None,
        said => Template::parse(said)
            .map_err(|error| problems.add("message_template", error.to_string()))
            .ok(),
    };
    let said = problems.read(variables, "message_templates");
    let templates = match said {
        "" => Templates::default(),
        said => Templates::parse(said).unwrap_or_else(|error| {
            problems.add("message_templates", error.to_string());
            Templates::default()
        }),
    };
    let uses_org = template.as_ref().is_some_and(Template::uses_org) || templates.uses_org();
    let org_name = if uses_org { problems.read(variables, "org_name") } else { "" };
    if uses_org && org_name.is_empty() {
        problems.add("org_name", "is not set, and a template has ${org}");
    }
    let said = problems.read(variables, "web_otp_domain");
    let web_otp_domain = match said {
        "" => None,
        said => Domain::parse(said)
            .map_err(|error| problems.add("web_otp_domain", error.to_string()))
            .ok(),
    };
    problems.or(Wording { template, templates, org_name: org_name.to_owned(), web_otp_domain })
}

fn or_default<'v>(said: &'v str, default: &'v str) -> &'v str {
    if said.is_empty() { default } else { said }
}

/// What is wrong, variable by variable.
#[derive(Debug, Default)]
pub struct Problems(Vec<Finding>);

impl Problems {
    /// The value of a variable without the white space around it, such as the line feed of a file; a
    /// host that can't tell is a problem of that variable.
    fn read<'v>(&mut self, variables: &'v dyn Variables, name: &'static str) -> &'v str {
        self.read_secret(variables, name).trim()
    }

    /// The value of a variable to the letter.
    fn read_secret<'v>(&mut self, variables: &'v dyn Variables, name: &'static str) -> &'v str {
        variables.get(name).unwrap_or_else(|_| {
            self.add(name, UNREADABLE);
            ""
        })
    }

    /// Adds a problem, once. `fix` must not hold the value.
    fn add(&mut self, variable: &'static str, fix: impl Into<String>) {
        let finding = Finding { variable, fix: fix.into() };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Adds all of others.
    fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|Finding { variable, fix }| self.add(variable, fix));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, if there is no problem.
    fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// All of them in one line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Finding { variable, fix } in &self.0 {
            let separator = if text.is_empty() { "" } else { "; " };
            text.extend([separator, variable, " ", fix]);
        }
        text + "."
    }

    /// The refusal of a hook that met these problems. It names everything that is wrong.
    pub fn into_refusal(self, variables: &dyn Variables) -> Refusal {
        let all = check(variables).problems;
        // What has to do with this request only is not found without it.
        let all = if all.is_empty() { self } else { all };
        Refusal::new(Reason::Misconfigured, all.text())
    }
}
