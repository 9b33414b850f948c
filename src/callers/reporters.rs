//! Who delivers reports: by a secret in the header `x-report-secret`, by the same in the query, or by
//! Entra ID's token of Event Grid. Event Grid signs nothing itself.
//!
//! The attack this stops: whoever finds the endpoint tells the operator that messages arrived, or that
//! they did not. It fails closed.

use crate::callers::auth::{bearer_token, same};
use crate::callers::bearer::OAuth;
use crate::ports::InboundRequest;
use crate::secret::Secret;

/// The header with the secret ("Set custom headers on delivered events", Azure Event Grid).
const HEADER: &str = "x-report-secret";

/// The query parameter with the secret ("client secret as a query parameter", Azure Event Grid): the
/// last resort, since whatever stands in front of the hook may log queries.
const PARAMETER: &str = "code";

/// The ways in which Event Grid may prove itself; at least one is on.
#[derive(Clone, Debug)]
pub struct Reporters {
    /// The secret, never empty.
    pub secret: Option<Secret>,
    /// The token.
    pub oauth: Option<OAuth>,
}

/// How a reporter shows a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// In the header, which must be there once.
    Header(Secret),
    /// In the query.
    Query(Secret),
}

impl Shown {
    /// The secret that a request shows, if any. One in the header goes over one in the query.
    pub fn of(request: &dyn InboundRequest) -> Option<Self> {
        let mut values = request.header(HEADER);
        match (values.pop(), values.is_empty()) {
            (Some(value), true) => return Some(Self::Header(value.into())),
            (Some(_), false) => return None,
            (None, _) => {}
        }
        let query = request.query()?;
        let mut codes = query.split('&').filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            (name == PARAMETER).then_some(value)
        });
        let code = codes.next()?;
        codes.next().is_none().then(|| Self::Query(percent_decoded(code).into()))
    }

    /// Whether it is this secret.
    pub fn is(&self, expected: &Secret) -> bool {
        let (Self::Header(shown) | Self::Query(shown)) = self;
        same(shown.reveal(), expected.reveal()).into()
    }

    /// The name in the log; of a secret that is on its way out, if `previous`.
    pub const fn name(&self, previous: bool) -> &'static str {
        match (self, previous) {
            (Self::Header(_), false) => "header",
            (Self::Header(_), true) => "header_previous",
            (Self::Query(_), false) => "query",
            (Self::Query(_), true) => "query_previous",
        }
    }
}

impl Reporters {
    /// The bearer token that a reporter presents, where tokens are taken.
    pub fn token(&self, request: &dyn InboundRequest) -> Option<(&OAuth, Vec<u8>)> {
        Some((self.oauth.as_ref()?, bearer_token(request)?))
    }
}

/// What a query parameter's value stands for. `+` is itself: Event Grid sends the URL as it was entered,
/// and base64 has that sign.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut rest = bytes.clone();
        let hex = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match (byte, hex(rest.next()), hex(rest.next())) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits fit into a byte.
                decoded.push((high * 16 + low) as u8);
                bytes = rest;
            }
            _ => decoded.push(byte),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fake::FakeRequest;

    fn shown(path: &'static str, headers: &[&str]) -> Option<Shown> {
        let mut request = FakeRequest::hook("");
        request.path = path;
        request.headers = headers.iter().map(|value| (HEADER, value.as_bytes().to_vec())).collect();
        Shown::of(&request)
    }

    #[test]
    fn a_secret_is_in_the_header_or_else_in_the_query_and_only_once() {
        let header = |value: &str| Some(Shown::Header(value.into()));
        let query = |value: &str| Some(Shown::Query(value.into()));
        for (path, headers, expected) in [
            ("/r", &["s"][..], header("s")),
            ("/r?code=q", &["s"], header("s")),
            ("/r?code=q", &["s", "s"], None),
            ("/r", &[], None),
            ("/r?code=q", &[], query("q")),
            ("/r?a=b&code=q&c", &[], query("q")),
            ("/r?code=a%2Bb%3D%zz%", &[], query("a+b=%zz%")),
            ("/r?code=a+b==", &[], query("a+b==")),
            ("/r?code=", &[], query("")),
            ("/r?code", &[], None),
            ("/r?Code=q", &[], None),
            ("/r?code=q&code=q", &[], None),
        ] {
            assert_eq!(shown(path, headers), expected, "{path} {headers:?}");
        }
    }

    #[test]
    fn what_is_shown_is_not_shown_on() {
        for shown in [shown("/r", &["s"]), shown("/r?code=s", &[])] {
            let text = format!("{:?}", shown.unwrap());
            assert!(text.contains("([redacted])"), "{text}");
        }
    }

    #[test]
    fn only_the_very_secret_is_it() {
        let secret = Secret::from("a+b==");
        for (path, fits) in [
            ("/r?code=a+b==", true),
            ("/r?code=a%2bb%3D%3D", true),
            ("/r?code=A+b==", false),
            ("/r?code=a+b=", false),
            ("/r?code=", false),
        ] {
            assert_eq!(shown(path, &[]).unwrap().is(&secret), fits, "{path}");
        }
    }
}
