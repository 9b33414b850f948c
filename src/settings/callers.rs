//! Who may call the hook, deliver reports and events, and read the operator's pages.

use super::document::Said;
use super::findings::Place;
use super::reading::{LOST_DOLLAR, Reading, is_no_secret, same_at};
use super::said;
use crate::callers::basic::Basic;
use crate::callers::bearer::OAuth;
use crate::callers::bearer::issuer::Issuer;
use crate::callers::bearer::token::Expected;
use crate::callers::header::{self, HeaderSecret};
use crate::callers::{Callers, EVENTS_REALM, OKTA_REALM, OPERATOR_REALM, REPORTS_REALM, Secrets};
use crate::ports::VariableUnavailable;
use crate::secret::Secret;

/// The role that Event Grid needs in the app that its tokens are for ("Deliver events to Microsoft Entra
/// protected endpoints", Azure Event Grid).
const EVENT_GRID_ROLE: &str = "AzureEventGridSecureWebhookSubscriber";

/// The application id of Event Grid in Azure's public cloud (the same page's script).
const EVENT_GRID_CLIENT_ID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";

/// The secrets by which somebody may do something at the hook. Whoever reads pages or delivers reports or events must not
/// be able to send, nor the other way round, so that no two doors may have one secret.
pub(super) struct Doors {
    hook: Vec<(&'static str, String)>,
    operator: Vec<(&'static str, String)>,
    reports: Vec<(&'static str, String)>,
}

impl Doors {
    pub(super) fn read(
        secrets: &said::SecretsDocument,
        basic_secret: &Result<String, VariableUnavailable>,
    ) -> Self {
        let is_there = |(name, secret): (&'static str, Option<&String>)| {
            let secret = secret.filter(|secret| !is_no_secret(secret))?;
            Some((name, secret.clone()))
        };
        let okta = secrets.okta.as_ref();
        let hook = [
            (BASIC_SECRET, basic_secret.as_ref().ok()),
            ("okta.basic_secret", okta.and_then(|it| it.basic_secret.as_ref())),
            ("okta.basic_secret_previous", okta.and_then(|it| it.basic_secret_previous.as_ref())),
            ("okta.header_secret", okta.and_then(|it| it.header_secret.as_ref())),
            ("okta.header_secret_previous", okta.and_then(|it| it.header_secret_previous.as_ref())),
        ];
        let operator = secrets.operator.as_ref();
        let operator = [
            ("operator.secret", operator.and_then(|it| it.secret.as_ref())),
            ("operator.secret_previous", operator.and_then(|it| it.secret_previous.as_ref())),
        ];
        let reports = secrets.reports.as_ref();
        let reports = [
            ("reports.secret", reports.and_then(|it| it.secret.as_ref())),
            ("reports.secret_previous", reports.and_then(|it| it.secret_previous.as_ref())),
        ];
        Self {
            hook: hook.into_iter().filter_map(is_there).collect(),
            operator: operator.into_iter().filter_map(is_there).collect(),
            reports: reports.into_iter().filter_map(is_there).collect(),
        }
    }
}

/// The variable that holds the secret of Okta's Basic credentials.
pub(super) const BASIC_SECRET: &str = "okta_basic_secret";

const WITHOUT_CURRENT: &str =
    "opens nothing without the secret that is valid now: set that, too, or remove it";

/// The user of the operator's pages.
const OPERATOR: &str = "operator";

/// The user of who delivers reports with Basic credentials.
const REPORTS: &str = "reports";

/// The user of Okta's event hook with Basic credentials.
const EVENTS: &str = "events";

/// Who may call the hook.
pub(super) fn callers(
    reading: &mut Reading<'_>,
    basic_secret: Result<String, VariableUnavailable>,
    header_name: Said<String>,
    oauth: Said<said::OAuth>,
    secrets: said::OktaSecrets,
) -> Callers {
    let mut callers = Callers { realm: OKTA_REALM, ..Callers::default() };
    let user = reading.variable("okta_user").unwrap_or("okta".to_owned());
    let variable = reading.given(BASIC_SECRET, basic_secret).filter(|it| !is_no_secret(it));
    let secret = reading.secret("okta.basic_secret", secrets.basic_secret);
    if variable.is_some() && secret.is_some() {
        let fix = "is there twice: the variable okta_basic_secret has it, too";
        reading.problem(Place::Secrets, "okta.basic_secret", fix);
    }
    if let Some(secret) = &variable {
        reading.look_at_secret(Place::Variable, BASIC_SECRET, secret);
    }
    let setting = if variable.is_some() { BASIC_SECRET } else { "okta.basic_secret" };
    let previous =
        reading.previous("okta.basic_secret_previous", secrets.basic_secret_previous, &[]);
    if let Some(secret) = variable.or(secret) {
        if user.contains(':') {
            reading.problem(
                Place::Variable,
                "okta_user",
                "must not contain a colon, at which Basic credentials are split",
            );
        }
        let secrets = Secrets { setting, current: Secret::from(&*secret), previous };
        callers.basic = Some(Basic { user, secrets });
    }

    const NAME: &str = "okta.header_name";
    let name = reading.text(NAME, header_name).unwrap_or("authorization".to_owned());
    let name = name.to_ascii_lowercase();
    let pair = said::SecretPair {
        secret: secrets.header_secret,
        secret_previous: secrets.header_secret_previous,
    };
    let secrets = secret_pair(reading, "okta.header_secret", pair, &[]);
    if !may_hold_a_secret(&name) {
        reading.unexpected(Place::Settings, NAME);
    } else if !header::passes_every_proxy(&name) {
        reading.advise(
            Place::Settings,
            NAME,
            "has a character other than letters, digits and -: nginx and ingress-nginx drop such a header unless they \
             are told otherwise, without a word. Name it with - here and in Okta's hook, as in x-okta-key; or let it \
             pass: for a _ by underscores_in_headers on (ingress-nginx: enable-underscores-in-headers: \"true\"), for \
             any other by ignore_invalid_headers off (ignore-invalid-headers: \"false\")",
        );
    }
    callers.header = secrets.map(|secrets| HeaderSecret { name, parameter: None, secrets });
    callers.oauth = read_oauth(reading, oauth, &OKTA_OAUTH);
    let none = callers.basic.is_none() && callers.header.is_none() && callers.oauth.is_none();
    if none && reading.problems.is_empty() {
        reading.problem(
            Place::Variable,
            BASIC_SECRET,
            [
                "is not set: set it to the secret of the Basic credentials in Okta's hook, or okta.header_secret in \
                 the secrets to that of its header, or okta.oauth.issuer in the settings to the authorization server \
                 of its tokens",
                LOST_DOLLAR,
            ]
            .concat(),
        );
    }
    callers
}

/// Defaults of `okta.oauth` or `reports.oauth`.
struct OAuthSection {
    name: &'static str,
    audience: Option<&'static str>,
    client_id: Option<&'static str>,
    /// What tokens must have where the section does not say it.
    scope: Option<&'static str>,
}

/// Of Okta's hook.
const OKTA_OAUTH: OAuthSection = OAuthSection {
    name: "okta.oauth",
    audience: Some("api://default"),
    client_id: None,
    scope: None,
};

/// Of Event Grid.
const REPORTS_OAUTH: OAuthSection = OAuthSection {
    name: "reports.oauth",
    audience: None,
    client_id: Some(EVENT_GRID_CLIENT_ID),
    scope: Some(EVENT_GRID_ROLE),
};

/// Whose tokens are accepted; `None` where no issuer is set.
fn read_oauth(
    reading: &mut Reading<'_>,
    said: Said<said::OAuth>,
    section: &OAuthSection,
) -> Option<OAuth> {
    let key = |name: &str| [section.name, ".", name].concat();
    let said = reading.value(section.name, said)?;
    let url = reading.text(&key("issuer"), said.issuer);
    let audience = reading.text(&key("audience"), said.audience);
    let client_id = reading.text(&key("client_id"), said.client_id);
    let scope = reading.text(&key("scope"), said.scope).or(section.scope.map(str::to_owned));
    let jwks_uri = reading.text(&key("jwks_uri"), said.jwks_uri).unwrap_or_default();
    let Some(url) = url else {
        reading.problem(
            Place::Settings,
            &key("issuer"),
            "is not set: name the authorization server",
        );
        return None;
    };
    let issuer = Issuer::parse(&url, &jwks_uri)
        .map_err(|invalid| {
            let name = if invalid.of_jwks_uri { "jwks_uri" } else { "issuer" };
            reading.problem(Place::Settings, &key(name), invalid.to_string());
        })
        .ok();
    let audience = audience.or(section.audience.map(str::to_owned));
    if audience.is_none() {
        reading.problem(
            Place::Settings,
            &key("audience"),
            "is not set: set it to the application that the tokens are for, or those for any other would be taken",
        );
    }
    let client_id = client_id.or(section.client_id.map(str::to_owned));
    if client_id.is_none() {
        reading.problem(
            Place::Settings,
            &key("client_id"),
            "is not set: set it to the client ID in Okta's hook, or any client of the authorization server could call",
        );
    }
    let issuer = issuer?;
    let expected =
        Expected { issuer: issuer.url.clone(), audience: audience?, scope, client_id: client_id? };
    Some(OAuth { section: section.name, issuer, expected })
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

/// Who may read the operator's pages; `None` where there are none.
pub(super) fn operator(
    reading: &mut Reading<'_>,
    said: said::SecretPair,
    doors: &Doors,
) -> Option<Callers> {
    let secrets = secret_pair(reading, "operator.secret", said, &[&doors.hook])?;
    let basic = Some(Basic { user: OPERATOR.to_owned(), secrets });
    Some(Callers { realm: OPERATOR_REALM, basic, ..Callers::default() })
}

/// Who may deliver reports; `None` where nobody may.
pub(super) fn reporters(
    reading: &mut Reading<'_>,
    oauth: Said<said::OAuth>,
    said: said::SecretPair,
    doors: &Doors,
) -> Option<Callers> {
    let secrets = secret_pair(reading, "reports.secret", said, &[&doors.hook, &doors.operator]);
    let basic = secrets.clone().map(|secrets| Basic { user: REPORTS.to_owned(), secrets });
    let header = secrets.map(HeaderSecret::of_reports);
    let oauth = read_oauth(reading, oauth, &REPORTS_OAUTH);
    (header.is_some() || oauth.is_some()).then_some(Callers {
        realm: REPORTS_REALM,
        basic,
        header,
        oauth,
    })
}

/// Who may deliver Okta's events; `None` where nobody may. Okta sends one header with each delivery, which is
/// `Authorization` with the secret itself or as Basic credentials: it has no token for an event hook ("Event Hooks",
/// Okta's Management API, `authScheme`).
pub(super) fn events(
    reading: &mut Reading<'_>,
    said: said::SecretPair,
    doors: &Doors,
) -> Option<Callers> {
    let others: [&[_]; 3] = [&doors.hook, &doors.operator, &doors.reports];
    let secrets = secret_pair(reading, "events.secret", said, &others)?;
    let basic = Some(Basic { user: EVENTS.to_owned(), secrets: secrets.clone() });
    let header = Some(HeaderSecret { name: "authorization".into(), parameter: None, secrets });
    Some(Callers { realm: EVENTS_REALM, basic, header, oauth: None })
}

/// A secret and the one before it, of which no other door may have one.
fn secret_pair(
    reading: &mut Reading<'_>,
    setting: &'static str,
    said: said::SecretPair,
    doors: &[&[(&'static str, String)]],
) -> Option<Secrets> {
    let current = reading.secret(setting, said.secret);
    let previous_setting = [setting, "_previous"].concat();
    let previous = reading.previous(&previous_setting, said.secret_previous, doors);
    let Some(current) = current else {
        if matches!(previous, Ok(Some(_))) {
            reading.advise(Place::Secrets, &previous_setting, WITHOUT_CURRENT);
        }
        return None;
    };
    for door in doors {
        if let Some(fix) = same_at(door, &current) {
            reading.problem(Place::Secrets, setting, fix);
        }
    }
    Some(Secrets { setting, current: Secret::from(&*current), previous })
}
