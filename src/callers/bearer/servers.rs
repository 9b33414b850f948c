//! What is known of authorization servers by their URLs: whose tokens can be checked, and how their issuers are
//! written.

/// The hosts of Entra ID's issuers of version 2, in Azure's public cloud, the US government's and China's.
const ENTRA_HOSTS: [&str; 3] =
    ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// The domains of Okta's orgs.
const OKTA_DOMAINS: [&str; 5] =
    [".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta-gov.com", ".okta.mil"];

/// What stands for a tenant in Entra's URLs, and is none.
const ANY_TENANT: [&str; 3] = ["common", "organizations", "consumers"];

/// Whether this is an issuer of Entra ID's tokens of version 1.
pub fn is_entra_v1(issuer: &str) -> bool {
    host_and_path(issuer).0.eq_ignore_ascii_case("sts.windows.net")
}

/// Whether this is an issuer of Entra ID's tokens of version 2, rightly written or not.
pub(super) fn is_entra_v2(issuer: &str) -> bool {
    is_one_of(&ENTRA_HOSTS, host_and_path(issuer).0)
}

/// Whether this is the server that each Okta org has, whose tokens are for Okta alone to check. The org may have a
/// domain of its own, and is then known by its custom server, which is `expected`.
pub(super) fn is_okta_org(issuer: &str, expected: &str) -> bool {
    let (host, path) = host_and_path(issuer);
    let (expected_host, expected_path) = host_and_path(expected);
    let is_same = host.eq_ignore_ascii_case(expected_host) && expected_path.starts_with("oauth2/");
    path.is_empty() && (is_of_okta(host) || is_same)
}

/// Whether two URLs, or other names, differ in nothing but slashes at the end and the case of letters.
pub(super) fn is_spelt_otherwise(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| text.trim_end_matches('/'));
    !one.is_empty() && one.eq_ignore_ascii_case(other)
}

/// What is to be said of an issuer before any token has come: none that it issues would be accepted.
pub fn advice(issuer: &str) -> Option<&'static str> {
    let (host, path) = host_and_path(issuer);
    let ends_in_slash = issuer.ends_with('/');
    if is_one_of(&ENTRA_HOSTS, host) {
        let tenant = path.strip_suffix("/v2.0").filter(|tenant| !tenant.contains(['/', '.']));
        let is_right = tenant.is_some_and(|tenant| !is_one_of(&ANY_TENANT, tenant));
        return (!is_right || ends_in_slash).then_some(
            "is not as Entra ID's tokens have it: it must be https://login.microsoftonline.com/TENANT/v2.0, without a \
             slash at the end, and with the tenant's ID for TENANT, not its domain, common or organizations",
        );
    }
    if is_of_okta(host) {
        return if host.contains("-admin.") {
            Some("is at the Admin Console's host: take -admin out of its name")
        } else if path.is_empty() {
            Some(
                "is the server that each Okta org has, whose tokens are for Okta alone to check: take a custom \
                 authorization server, such as https://YOUR-ORG.okta.com/oauth2/default",
            )
        } else if ends_in_slash {
            Some("ends with a slash, and Okta's tokens have none there: take it away")
        } else {
            None
        };
    }
    // Keycloak's issuers are SERVER/realms/REALM.
    let is_of_others = host.ends_with(".auth0.com") || ["/", path].concat().contains("/realms/");
    is_of_others.then_some(
        "is of Auth0 or Keycloak, whose tokens do not say in a way that is understood here whether they are an \
         application's: take a custom authorization server of Okta, or Microsoft Entra ID",
    )
}

fn is_of_okta(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    OKTA_DOMAINS.iter().any(|domain| host.ends_with(domain))
}

fn is_one_of(known: &[&str], text: &str) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(text))
}

/// The host of a URL, with its port if any, and its path without the slashes around it.
fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    (host, path.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_whose_tokens_would_all_be_refused_is_told_of() {
        for (issuer, told) in [
            ("https://contoso.okta.com/oauth2/default", None),
            ("https://login.contoso.com/oauth2/default", None),
            ("https://login.contoso.com/oauth2/default/", None),
            ("https://contoso.okta.com/oauth2/default/", Some("ends with a slash")),
            ("https://contoso.okta.com", Some("each Okta org has")),
            ("https://Contoso.OktaPreview.com/", Some("each Okta org has")),
            ("https://contoso-admin.okta.com/oauth2/default", Some("-admin")),
            ("https://login.microsoftonline.com/TENANT/v2.0", None),
            ("https://login.microsoftonline.us/TENANT/v2.0", None),
            ("https://login.microsoftonline.com/TENANT/v2.0/", Some("Entra")),
            ("https://login.microsoftonline.com/TENANT", Some("Entra")),
            ("https://login.microsoftonline.com/common/v2.0", Some("Entra")),
            ("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", Some("Entra")),
            ("https://login.microsoftonline.com/TENANT/oauth2/v2.0", Some("Entra")),
            ("https://sts.windows.net/TENANT/", None),
            ("https://contoso.eu.auth0.com/", Some("Auth0 or Keycloak")),
            ("https://id.contoso.com/realms/contoso", Some("Auth0 or Keycloak")),
            ("https://id.contoso.com/auth/realms/contoso", Some("Auth0 or Keycloak")),
        ] {
            let advice = advice(issuer);
            let is_told = advice.zip(told).is_some_and(|(advice, told)| advice.contains(told));
            assert!(is_told || advice.is_none() && told.is_none(), "{issuer}: {advice:?}");
        }
    }
}
