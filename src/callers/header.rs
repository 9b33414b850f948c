//! A secret in a header of its own.

use super::{Proof, Secrets, Unproven};
use crate::ports::InboundRequest;

/// A header, and the secret that a caller must send in it.
#[derive(Clone, Debug)]
pub struct HeaderSecret {
    /// The header's name, in lower case.
    pub name: String,
    /// The parameter of the query that may hold the secret where there is no such header: the last resort,
    /// since whatever stands in front of the hook may log queries.
    pub parameter: Option<&'static str>,
    /// The value, to the letter.
    pub secrets: Secrets,
}

impl HeaderSecret {
    /// With which Event Grid delivers reports, since it signs nothing itself: in `x-report-secret` ("Set
    /// custom headers on delivered events", Azure Event Grid), or in the query as `code` ("client secret as a
    /// query parameter", the same).
    pub fn of_reports(secrets: Secrets) -> Self {
        Self { name: "x-report-secret".into(), parameter: Some("code"), secrets }
    }

    /// Whether a request presents the secret.
    pub(super) fn check(&self, request: &dyn InboundRequest) -> Result<Proof, Unproven> {
        let setting = self.secrets.setting;
        let (presented, proofs) = match &request.header(&self.name)[..] {
            [value] => (value.clone(), [Proof::Header, Proof::HeaderPrevious]),
            [] => match self.in_query(request) {
                Some(value) => (value.into_bytes(), [Proof::Query, Proof::QueryPrevious]),
                None => {
                    let why = format!("the header that should hold {setting} is not there");
                    let dropped = match passes_every_proxy(&self.name) {
                        true => "",
                        false => {
                            ": nginx and ingress-nginx drop a header with a _ or . in its name unless they are told \
                             otherwise, so name it with -"
                        }
                    };
                    return Err(Unproven::new([&why, dropped].concat()));
                }
            },
            _ => {
                let why = format!("the header that should hold {setting} is there more than once");
                return Err(Unproven::new(why));
            }
        };
        self.secrets.find(
            |secret| secret.is(&presented),
            proofs,
            &presented,
            || {
                let place = if proofs[0] == Proof::Query { "query" } else { "header" };
                format!("what the {place} holds is not {setting}")
            },
        )
    }

    /// The value of the one parameter. `+` is itself in it: Event Grid sends the URL as it was entered, and
    /// base64 has that sign.
    fn in_query(&self, request: &dyn InboundRequest) -> Option<String> {
        let parameter = self.parameter?;
        let query = request.query()?.replace('+', "%2B");
        let mut values = form_urlencoded::parse(query.as_bytes())
            .filter_map(|(name, value)| (name == parameter).then(|| value.into_owned()));
        values.next().filter(|_| values.next().is_none())
    }
}

/// Whether every proxy lets a header of this name pass. nginx, and so ingress-nginx, drops one with a `_`
/// (`underscores_in_headers off`), and one with anything else but letters, digits and hyphens
/// (`ignore_invalid_headers on`), both by default ("Module ngx_http_core_module", nginx).
pub fn passes_every_proxy(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeRequest;

    fn check(secret: &str, path: &'static str, headers: &[&str]) -> Option<Proof> {
        let previous = Ok(Some("previous".into()));
        let secrets = Secrets { setting: "reports.secret", current: secret.into(), previous };
        let mut request = FakeRequest::hook("");
        request.path = path;
        let header = |value: &&str| ("x-report-secret", value.as_bytes().to_vec());
        request.headers = headers.iter().map(header).collect();
        HeaderSecret::of_reports(secrets).check(&request).ok()
    }

    #[test]
    fn a_secret_is_in_the_header_or_else_in_the_query_and_only_once() {
        let (header, query) = (Some(Proof::Header), Some(Proof::Query));
        for (path, headers, secret, proof) in [
            ("/r", &["s"][..], "s", header),
            ("/r?code=q", &["s"], "s", header),
            ("/r?code=q", &["s"], "q", None),
            ("/r?code=s", &["s", "s"], "s", None),
            ("/r", &[], "s", None),
            ("/r?code=q", &[], "q", query),
            ("/r?a=b&code=q&c", &[], "q", query),
            ("/r?code=a%2Bb%3D%zz%", &[], "a+b=%zz%", query),
            ("/r?code=a+b==", &[], "a+b==", query),
            ("/r?code", &[], "q", None),
            ("/r?Code=q", &[], "q", None),
            ("/r?code=q&code=q", &[], "q", None),
            ("/r", &["previous"], "s", Some(Proof::HeaderPrevious)),
            ("/r?code=previous", &[], "s", Some(Proof::QueryPrevious)),
        ] {
            assert_eq!(check(secret, path, headers), proof, "{path} {headers:?}");
        }
    }

    #[test]
    fn a_header_that_is_not_there_may_have_been_dropped_on_the_way() {
        for (name, dropped) in [("x-key", false), ("auth_secret", true), ("x.key", true)] {
            let secrets =
                Secrets { setting: "okta.header_secret", current: "s".into(), previous: Ok(None) };
            let header = HeaderSecret { name: name.into(), parameter: None, secrets };
            let Unproven { why, .. } = header.check(&FakeRequest::hook("")).unwrap_err();
            assert_eq!(why.contains("nginx"), dropped, "{why}");
        }
    }

    #[test]
    fn only_the_very_secret_is_it() {
        for (path, fits) in [
            ("/r?code=a+b==", true),
            ("/r?code=a%2bb%3D%3D", true),
            ("/r?code=A+b==", false),
            ("/r?code=a+b=", false),
            ("/r?code=", false),
        ] {
            assert_eq!(check("a+b==", path, &[]).is_some(), fits, "{path}");
        }
    }
}
