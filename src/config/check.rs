//! The whole configuration at once: what is wrong, and what is not wise. Asks neither ACS nor the
//! store, so that it can be asked often.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    Gate, HOOKS_SECRETS, OAuthVariables, OKTA_OAUTH, OPERATORS_SECRETS, Problems, REPORT_OAUTH,
    REPORTERS_SECRETS, callers, countries, no_sender, operator, prefixes, rate, read_api_version,
    read_bounds, read_from, read_on_refusal, read_previous_callers, read_previous_operator,
    read_previous_report_secret, read_report_origin, read_resource, read_senders, read_sink,
    read_wording, reporters, switch,
};
use crate::callers::bearer::OAuth;
use crate::hook::answer::ResponseFormat;
use crate::numbering::Region;
use crate::policy::Countries;
use crate::policy::limits::Scope;
use crate::ports::Variables;
use crate::providers::acs::connection_string::ConnectionString;
use crate::sender::Sender;
use crate::url;

/// What is to be said of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong, and the fix. Never holds a value that may be secret.
    pub fix: String,
}

/// What a look at all variables found.
#[derive(Debug, Default)]
pub struct Check {
    /// What keeps messages from being sent, some or all.
    pub problems: Problems,
    /// What works, and should be otherwise.
    pub warnings: Vec<Finding>,
}

impl Check {
    /// What keeps messages from being sent, some or all.
    pub fn problems(&self) -> &[Finding] {
        &self.problems.0
    }

    /// Adds a warning, once.
    fn warn(&mut self, variable: &'static str, fix: impl Into<String>) {
        let finding = Finding { variable, fix: fix.into() };
        if !self.warnings.contains(&finding) {
            self.warnings.push(finding);
        }
    }

    /// Takes a result's problems in.
    fn take<T>(&mut self, result: Result<T, Problems>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }

    /// Takes in what another look has found, of which nothing stops a message: as warnings, as it must not take
    /// the hook out of service.
    fn take_as_warnings(&mut self, other: Self) {
        for Finding { variable, fix } in other.problems.0.into_iter().chain(other.warnings) {
            self.warn(variable, fix);
        }
    }
}

/// Looks at all variables.
pub fn check(variables: &dyn Variables) -> Check {
    let mut check = Check::default();
    let gate = Gate::read(variables);
    let response_format = gate.response_format;
    if check.take(gate.finish()).is_some() && response_format == ResponseFormat::Auto {
        check.warn(
            "okta_response_format",
            "is auto, which takes a bare payload, too: set it to documented where only Okta calls",
        );
    }
    let hosts = check_hosts(&mut check, variables);
    let mut of_callers = Problems::default();
    let callers = callers(&mut of_callers, variables);
    check.problems.extend(of_callers);
    check.take(read_previous_callers(variables, &callers));
    check_oauth(&mut check, &hosts, callers.oauth.as_ref(), &OKTA_OAUTH);
    let mut pages = Check::default();
    if let Some(operator) = operator(&mut pages.problems, variables) {
        pages.take(read_previous_operator(variables, &operator));
    }
    check.take_as_warnings(pages);
    check_reports(&mut check, &hosts, variables);
    check_acs(&mut check, &hosts, variables);
    check_policy(&mut check, variables);
    check.take(read_wording(variables));
    check_secrets(&mut check, variables);
    // What also keeps messages from being sent is said as that.
    let Check { problems, warnings } = &mut check;
    warnings.retain(|warning| !problems.0.contains(warning));
    check
}

/// What becomes of messages once they are sent: that it is not told stops none.
fn check_reports(check: &mut Check, hosts: &Hosts<'_>, variables: &dyn Variables) {
    let mut reports = Check::default();
    let oauth = reporters(&mut reports.problems, variables).and_then(|reporters| reporters.oauth);
    check_oauth(&mut reports, hosts, oauth.as_ref(), &REPORT_OAUTH);
    reports.take(read_previous_report_secret(variables));
    reports.take(read_report_origin(variables));
    reports.take(read_bounds(variables));
    if let Some(Some(sink)) = reports.take(read_sink(variables)) {
        let origin = sink.origin();
        if !hosts.cover(&origin) {
            reports.warn(
                "applicationinsights_connection_string",
                [
                    "is of an IngestionEndpoint that allowed_outbound_hosts does not cover: set \
                     applicationinsights_host to ",
                    &origin,
                ]
                .concat(),
            );
        }
    }
    check.take_as_warnings(reports);
}

/// An authorization server's host, its scope and its version.
fn check_oauth(
    check: &mut Check,
    hosts: &Hosts<'_>,
    oauth: Option<&OAuth>,
    names: &OAuthVariables,
) {
    let Some(oauth) = oauth else { return };
    if oauth.expected.scope.is_none() {
        check.warn(
            names.scope,
            "is not set: name a scope that only this hook asks for, or any token of the client opens the hook",
        );
    }
    let (of_jwks_uri, origin) = oauth.issuer.origin();
    if !hosts.cover(&origin) {
        let name = if of_jwks_uri { names.jwks_uri } else { names.issuer };
        let fix = [
            "is at a host that allowed_outbound_hosts does not cover: set ",
            names.host,
            " to ",
            &origin,
        ];
        check.warn(name, fix.concat());
    }
    if oauth.issuer.url.starts_with("https://sts.windows.net/") {
        check.warn(
            names.issuer,
            "is Entra's of version 1, whose tokens say less of who they are for: set requestedAccessTokenVersion: 2 \
             in the app registration, and the issuer to https://login.microsoftonline.com/TENANT/v2.0",
        );
    }
}

fn check_acs(check: &mut Check, hosts: &Hosts<'_>, variables: &dyn Variables) {
    let problems = &mut check.problems;
    let primary = read_resource(problems, variables, "acs_connection_string");
    let secondary = read_resource(problems, variables, "acs_secondary_connection_string");
    let senders = read_senders(problems, variables, "acs_senders");
    let secondary_senders = read_senders(problems, variables, "acs_secondary_senders");
    let from = read_from(problems, variables);
    read_api_version(problems, variables);
    let said_nothing = |problems: &Problems, name| problems.0.iter().all(|p| p.variable != name);
    if primary.is_none() && said_nothing(problems, "acs_connection_string") {
        problems.add("acs_connection_string", super::NO_CONNECTION_STRING);
    }
    if senders.is_empty() && from.is_none() && said_nothing(problems, "acs_from_shortcode") {
        no_sender(problems, &senders, None);
    }

    let not_covered = |resource: &ConnectionString| {
        let origin = url::origin(resource.tls, &resource.authority);
        let fix = [
            "is of an endpoint that allowed_outbound_hosts does not cover: set extra_outbound_host to ",
            &origin,
        ];
        (!hosts.cover(&origin)).then(|| fix.concat())
    };
    if let Some(fix) = primary.as_ref().and_then(not_covered) {
        problems.add("acs_connection_string", fix);
    }
    // Without it messages go by the first road still.
    if let Some(fix) = secondary.as_ref().and_then(not_covered) {
        check.warn("acs_secondary_connection_string", fix);
    }
    if let (Some(primary), Some(secondary)) = (&primary, &secondary)
        && primary.authority == secondary.authority
        && primary.access_key == secondary.access_key
    {
        check.warn(
            "acs_secondary_connection_string",
            "is the same as acs_connection_string: give the resource's other key, or another resource",
        );
    }
    let same_resource = primary
        .as_ref()
        .zip(secondary.as_ref())
        .is_some_and(|(primary, secondary)| primary.authority == secondary.authority);
    if primary.is_some() && secondary.is_some() && !same_resource && secondary_senders.is_empty() {
        check.warn(
            "acs_secondary_senders",
            "is not set, and a sender belongs to one resource: give those of the second resource",
        );
    }
    let Some(Countries::Only(allowed)) =
        countries(&mut check.problems, variables, "allowed_countries")
    else {
        for (region, sender) in senders.by_region() {
            check_reach(check, "acs_senders", sender, region);
        }
        for (region, sender) in secondary_senders.by_region() {
            check_reach(check, "acs_secondary_senders", sender, region);
        }
        return;
    };
    for region in allowed {
        match (senders.to(Some(region)), &from) {
            (Some(sender), _) => check_reach(check, "acs_senders", sender, region),
            (None, Some(sender)) => check_reach(check, "acs_from_shortcode", sender, region),
            (None, None) => no_sender(&mut check.problems, &senders, Some(region)),
        }
        match secondary_senders.to(Some(region)) {
            Some(sender) => check_reach(check, "acs_secondary_senders", sender, region),
            None if secondary_senders.is_empty() || same_resource => {}
            None => check.warn(
                "acs_secondary_senders",
                format!("has no sender for {region}: its messages have no second road"),
            ),
        }
    }
}

fn check_reach(check: &mut Check, name: &'static str, sender: &Sender, region: Region) {
    if !sender.kind.reaches(region) {
        check.warn(
            name,
            format!(
                "has a {} for {region}, which ACS is not known to deliver there: look at Microsoft's page SMS number \
                 types",
                sender.kind.name()
            ),
        );
    }
}

/// The variables that are entries of spin.toml's `allowed_outbound_hosts`.
const HOSTS: [&str; 4] =
    ["extra_outbound_host", OKTA_OAUTH.host, REPORT_OAUTH.host, "applicationinsights_host"];

/// What they hold.
struct Hosts<'a>([&'a str; HOSTS.len()]);

impl Hosts<'_> {
    /// Whether the hook may call an origin: ACS's own domain is an entry of its own.
    fn cover(&self, origin: &str) -> bool {
        covers("https://*.communication.azure.com", origin)
            || self.0.iter().any(|entry| covers(entry, origin))
    }
}

/// One entry that Spin can't read is enough, and it lets no request out at all, be it for what needs it or not.
fn check_hosts<'a>(check: &mut Check, variables: &'a dyn Variables) -> Hosts<'a> {
    Hosts(HOSTS.map(|name| {
        let before = check.problems.0.len();
        let entry = check.problems.read(variables, name);
        if check.problems.0.len() == before && !is_entry(entry) {
            check.problems.add(
                name,
                "must be scheme://host or scheme://host:port without a path, such as https://contoso.okta.com: with \
                 anything else Spin lets no request out",
            );
        }
        entry
    }))
}

/// Whether an entry of `allowed_outbound_hosts` covers an origin: `*` may stand for a scheme, a
/// host, the first labels of one, or a port ("Network permissions", Spin documentation).
fn covers(entry: &str, origin: &str) -> bool {
    let (Some((schemes, hosts, ports)), Some((scheme, host, port))) = (split(entry), split(origin))
    else {
        return false;
    };
    let host_fits = match hosts.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => hosts == host,
    };
    (schemes == "*" || schemes == scheme) && host_fits && (ports == "*" || ports == port)
}

/// Whether Spin 3 and 4 can read it: also a range of addresses or of ports, which cover nothing here.
fn is_entry(entry: &str) -> bool {
    let Some((scheme, host, port)) = split(entry) else { return false };
    let host_fits = host == "*"
        || match host.split_once('/') {
            Some((address, length)) => matches!(
                (address.parse(), length.parse()),
                (Ok(IpAddr::V4(_)), Ok(0..=32_u8)) | (Ok(IpAddr::V6(_)), Ok(0..=128))
            ),
            None => {
                let name = host.strip_prefix("*.").unwrap_or(host);
                let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                // Of an address without a port Spin 3 takes the last group for one.
                v6.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok() && entry.contains("]:"))
                    || name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
                        && !name.is_empty()
            }
        };
    let is_number = |port: &str| port.parse::<u16>().is_ok();
    let port_fits = match port.split_once("..") {
        Some((first, last)) => is_number(first) && is_number(last),
        None => port == "*" || is_number(port),
    };
    let scheme_fits = scheme == "*" || scheme.bytes().all(|b| b.is_ascii_lowercase());
    scheme_fits && !scheme.is_empty() && host_fits && port_fits
}

/// Scheme, host and port. A scheme without a port of its own needs one. Spin takes a slash away behind a port
/// or a name, and not behind a `*` or a range.
fn split(entry: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = entry.trim().split_once("://")?;
    let bare = rest.strip_suffix('/').filter(|bare| *bare != "*" && !bare.contains('/'));
    let name = bare.unwrap_or(rest);
    Some(match (rest.rsplit_once(':'), scheme) {
        (Some((host, port)), _) if !port.contains(']') => {
            (scheme, host, port.strip_suffix('/').unwrap_or(port))
        }
        (_, "https") => (scheme, name, "443"),
        (_, "http") => (scheme, name, "80"),
        _ => return None,
    })
}

fn check_policy(check: &mut Check, variables: &dyn Variables) {
    check.take(read_on_refusal(variables));
    let problems = &mut check.problems;
    switch(problems, variables, "sending", ["on", "off"]);
    let allowed = countries(problems, variables, "allowed_countries");
    super::blocked_countries(problems, variables);
    prefixes(problems, variables);
    countries(problems, variables, "enrollment_allowed_countries");
    let [.., total] = Scope::ALL.map(|scope| rate(problems, variables, scope));
    let no_total =
        total.is_none() && problems.0.iter().all(|problem| problem.variable != Scope::Total.name());
    if matches!(allowed, None | Some(Countries::All)) {
        check.warn(
            "allowed_countries",
            "lets messages go to every country: name those where your people are",
        );
    }
    if no_total {
        check.warn(
            "rate_limit_total",
            "is not set: set it to what your busiest hour needs, which bounds what an attack can cost",
        );
    }
}

/// The fewest bytes of a secret that nobody can guess.
const SHORTEST_SECRET: usize = 16;

fn check_secrets(check: &mut Check, variables: &dyn Variables) {
    let names = HOOKS_SECRETS.into_iter().chain(OPERATORS_SECRETS).chain(REPORTERS_SECRETS);
    for name in names.chain(["store_secret"]) {
        // Messages are sent without those of operators and reporters, too.
        let of_hook = !OPERATORS_SECRETS.contains(&name) && !REPORTERS_SECRETS.contains(&name);
        let mut others = Problems::default();
        let problems = if of_hook { &mut check.problems } else { &mut others };
        let secret = problems.read_secret(variables, name);
        check.take_as_warnings(Check { problems: others, warnings: Vec::new() });
        if !secret.is_empty() && secret.len() < SHORTEST_SECRET {
            check.warn(
                name,
                format!("has fewer than {SHORTEST_SECRET} bytes: make one with `openssl rand -base64 24`"),
            );
        }
        if name == "store_secret" && !secret.is_empty() && secret.trim().is_empty() {
            check.problems.add(name, super::ONLY_WHITE_SPACE);
        } else if name == "store_secret" && secret.trim() != secret {
            check.warn(name, super::WHITE_SPACE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VARIABLES;
    use crate::ports::fake::FakeHost;

    fn warnings(host: &FakeHost) -> Vec<&'static str> {
        let check = check(host);
        assert_eq!(check.problems(), [], "no problems");
        check.warnings.iter().map(|finding| finding.variable).collect()
    }

    fn problems(host: &FakeHost) -> Vec<&'static str> {
        check(host).problems().iter().map(|finding| finding.variable).collect()
    }

    /// Nothing to be said.
    fn wise() -> FakeHost {
        FakeHost::default()
            .with("okta_basic_secret", "0123456789abcdef")
            .with("okta_response_format", "documented")
            .with("allowed_countries", "US")
            .with("rate_limit_total", "1000/1h")
    }

    #[test]
    fn a_wise_configuration_has_no_warnings() {
        assert_eq!(warnings(&wise()), [""; 0]);
    }

    #[test]
    fn what_is_not_wise_is_warned_about() {
        for (name, value) in [
            ("okta_basic_secret", "0123456789abcde"),
            ("okta_response_format", "auto"),
            ("operator_secret", "short"),
            ("store_secret", "short"),
            ("store_secret", "0123456789abcdef\n"),
            ("allowed_countries", "*"),
            ("allowed_countries", ""),
            ("rate_limit_total", ""),
            (
                "acs_secondary_connection_string",
                "endpoint=https://contoso.communication.azure.com/;accesskey=pw==",
            ),
            ("acs_senders", "US=CONTOSO"),
            ("acs_from_shortcode", "CONTOSO"),
            ("acs_secondary_senders", "*=CONTOSO"),
            ("acs_secondary_senders", "GB=CONTOSO"),
        ] {
            assert_eq!(warnings(&wise().with(name, value)), [name], "{value:?}");
        }
    }

    #[test]
    fn an_issuer_needs_its_client_and_its_host() {
        let host = wise().with("okta_oauth_issuer", "https://contoso.okta.com/oauth2/default");
        assert_eq!(check(&host).problems()[0].variable, "okta_oauth_client_id");
        let host = host.with("okta_oauth_client_id", "0oa");
        assert_eq!(warnings(&host), ["okta_oauth_scope", "okta_oauth_issuer"]);
        let host = host.with("okta_oauth_scope", "telephony");
        let host = host.with("okta_oauth_host", "https://contoso.okta.com");
        assert_eq!(warnings(&host), [""; 0]);
        let host = host.with("okta_oauth_jwks_uri", "https://keys.example/keys");
        assert_eq!(warnings(&host), ["okta_oauth_jwks_uri"]);
        let host = host.with("okta_oauth_jwks_uri", "http://keys.example/keys");
        assert_eq!(check(&host).problems()[0].variable, "okta_oauth_jwks_uri");
        let host = host
            .with("okta_oauth_jwks_uri", "")
            .with("okta_oauth_issuer", "https://sts.windows.net/x/")
            .with("okta_oauth_host", "https://sts.windows.net");
        assert_eq!(warnings(&host), ["okta_oauth_issuer"]);
    }

    #[test]
    fn credentials_that_cannot_match_are_a_problem() {
        for (name, value) in [
            ("okta_basic_secret", "0123456789abcdef\n"),
            ("okta_basic_secret_previous", " 0123456789abcdef"),
            ("okta_header_name", "X-Forwarded-For"),
            ("okta_header_name", "Content-Type"),
            ("okta_header_name", "host"),
            ("okta_header_name", "Proxy-Authorization"),
            ("okta_header_name", "spin-path-info"),
            ("okta_header_name", "x key"),
            ("okta_header_name", "x-k\u{e9}y"),
            ("okta_user", "a:b"),
        ] {
            let host = wise().with("okta_header_secret", "0123456789abcdef").with(name, value);
            assert_eq!(problems(&host), [name], "{value:?}");
        }
        for name in ["", "Authorization", "X-Okta-Key", "auth_secret"] {
            let host = wise().with("okta_header_secret", "0123456789abcdef");
            assert_eq!(check(&host.with("okta_header_name", name)).problems(), [], "{name}");
        }
    }

    #[test]
    fn a_secret_that_is_wrong_hides_nothing_behind_it_and_is_told_once() {
        let host = wise()
            .with("okta_basic_secret", "0123456789abcdef\n")
            .with("okta_basic_secret_previous", "fedcba9876543210\n")
            .with("okta_oauth_issuer", "https://contoso.okta.com/oauth2/default")
            .with("okta_oauth_client_id", "0oa")
            .with("operator_secret", "operators-secret\n")
            .with("operator_secret_previous", "operators-former\n")
            .with("report_secret", "reporters-secret\n")
            .with("report_secret_previous", "reporters-former\n")
            .with("report_oauth_issuer", "https://contoso.okta.com/oauth2/default")
            .with("report_oauth_audience", "api://telephony")
            .with("okta_header_secret_previous", "<unavailable>");
        let check = check(&host);
        let names =
            |findings: &[Finding]| -> Vec<_> { findings.iter().map(|it| it.variable).collect() };
        assert_eq!(
            names(check.problems()),
            ["okta_basic_secret", "okta_basic_secret_previous", "okta_header_secret_previous"]
        );
        assert_eq!(
            names(&check.warnings),
            [
                "okta_oauth_scope",
                "okta_oauth_issuer",
                "operator_secret",
                "operator_secret_previous",
                "report_secret",
                "report_secret_previous",
                "report_oauth_issuer",
            ]
        );
    }

    #[test]
    fn without_an_allow_list_the_senders_of_countries_of_their_own_are_looked_at() {
        let host = wise()
            .with("allowed_countries", "*")
            .with("acs_senders", "US=12345,FR=12345,*=CONTOSO");
        assert_eq!(warnings(&host), ["acs_senders", "allowed_countries"]);
    }

    #[test]
    fn a_second_resource_needs_its_host_and_its_senders() {
        let other = "endpoint=https://contoso.example/;accesskey=pw==";
        let host = wise().with("acs_secondary_connection_string", other);
        assert_eq!(warnings(&host), ["acs_secondary_connection_string", "acs_secondary_senders"]);
        let host = host.with("extra_outbound_host", "https://contoso.example");
        assert_eq!(warnings(&host.with("acs_secondary_senders", "*=+18005551234")), [""; 0]);
    }

    #[test]
    fn the_other_key_of_a_resource_needs_no_senders() {
        let other_key = "endpoint=https://contoso.communication.azure.com/;accesskey=b3RoZXI=";
        let host = wise().with("acs_secondary_connection_string", other_key);
        assert_eq!(warnings(&host.with("acs_secondary_senders", "GB=+18005551234")), [""; 0]);
    }

    #[test]
    fn an_allowed_country_without_a_sender_is_a_problem() {
        let host = wise()
            .with("allowed_countries", "US,GB")
            .with("acs_senders", "US=12345")
            .with("acs_from_shortcode", "");
        let problems = check(&host).problems;
        assert_eq!(
            problems.text(),
            "acs_senders has no sender for GB: add one, or one for *, or set acs_from_shortcode."
        );
    }

    #[test]
    fn an_endpoint_that_no_entry_covers_is_a_problem() {
        for (host, endpoint, refused) in [
            ("https://contoso.example", "https://contoso.example", false),
            ("https://contoso.example/", "https://contoso.example:443", false),
            ("https://*.example", "https://contoso.example", false),
            ("*://*:*", "https://contoso.example", false),
            ("http://127.0.0.1:*", "http://127.0.0.1:3001", false),
            ("http://127.0.0.1:3001", "http://127.0.0.1:3001", false),
            ("http://127.0.0.1", "http://127.0.0.1:3001", true),
            ("http://contoso.example", "https://contoso.example", true),
            ("https://contoso.example:8443", "https://contoso.example", true),
            ("https://*.contoso.example", "https://contoso.example", true),
            ("https://other.example", "https://contoso.example", true),
        ] {
            let endpoint: &'static str = format!("endpoint={endpoint}/;accesskey=pw==").leak();
            let host =
                wise().with("extra_outbound_host", host).with("acs_connection_string", endpoint);
            let names = problems(&host);
            assert_eq!(names == ["acs_connection_string"], refused, "{endpoint}: {names:?}");
        }
    }

    #[test]
    fn an_entry_that_spin_can_not_read_closes_all_hosts_and_is_a_problem() {
        for name in HOSTS {
            for (entry, is_read) in [
                ("https://contoso.okta.com", true),
                ("https://contoso.okta.com/", true),
                ("https://contoso.okta.com:8443", true),
                ("http://127.0.0.1:8000..9000", true),
                ("https://10.0.0.0/8", true),
                ("https://[::1]:443", true),
                ("*://*:*", true),
                ("https://*.okta.com", true),
                ("", false),
                ("*", false),
                ("https://", false),
                ("contoso.okta.com", false),
                ("contoso.okta.com:443", false),
                ("https://contoso.okta.com/oauth2", false),
                ("https://contoso.okta.com:443/oauth2", false),
                ("https://contoso.okta.com//", false),
                ("https://contoso.okta.com:port", false),
                ("https://okta.*", false),
                ("*://contoso.okta.com", false),
                ("https://*.okta.com:443/", true),
                ("https://*.okta.com/", true),
                ("*://*:*/", true),
                ("https://*/", false),
                ("https://10.0.0.0/8/", false),
                ("https://10.0.0.0/33", false),
                ("https://*.10.0.0.0/8", false),
                ("https://[fd00::]/8", false),
                ("https://fd00::/8", false),
                ("https://fd00::/8:443", true),
                ("https://[::1]", false),
                ("http://127.0.0.1:1..2..3", false),
            ] {
                let names = problems(&wise().with(name, entry));
                assert_eq!(names.is_empty(), is_read, "{entry:?}: {names:?}");
                assert!(is_read || names == [name], "{entry:?}: {names:?}");
            }
        }
    }

    #[test]
    fn what_only_reports_records_telemetry_and_pages_need_takes_no_hook_out_of_service() {
        let begin = ["operator_", "report_", "record_", "applicationinsights_"];
        let of_these =
            |name: &&&str| begin.iter().any(|it| name.starts_with(it)) && !HOSTS.contains(name);
        for name in VARIABLES.iter().filter(of_these) {
            let host = wise().with("operator_secret", "0123456789abcdef");
            let host = host.with("report_oauth_issuer", "https://login.microsoftonline.com/t/v2.0");
            let host = host.with("report_oauth_audience", "api");
            let host = host.with("report_oauth_host", "https://login.microsoftonline.com");
            assert!(warnings(&host.with(name, "<unavailable>")).contains(name), "{name}");
        }
    }

    #[test]
    fn every_variable_is_looked_at_and_can_be_wrong() {
        for name in &VARIABLES {
            let host = FakeHost::default().with("message_template", "${org} ${code}");
            let host = host.with("org_name", "Contoso").with("operator_secret", "0123456789abcdef");
            let host = host.with("okta_header_secret", "0123456789abcdef");
            let host = host.with("okta_oauth_issuer", "https://contoso.okta.com/oauth2/default");
            let host = host.with("okta_oauth_client_id", "0oa");
            let host = host.with("report_oauth_issuer", "https://login.microsoftonline.com/t/v2.0");
            let host = host.with("report_oauth_audience", "api");
            let check = check(&host.with(name, "<unavailable>"));
            assert!(
                check.problems().iter().chain(&check.warnings).any(|found| found.variable == *name),
                "{name}: {check:?}"
            );
        }
    }
}
