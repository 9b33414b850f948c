//! Checks the HMAC-SHA256 signature of a request.
//!
//! Written from Microsoft's page "Sign an HTTP request" (Azure Communication Services tutorials) and
//! the official SDKs' policies. It shares no code with the sender under test: code that both sides
//! share could be wrong on both sides and no test would notice.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName, Method, Uri, header};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::imf_fixdate;

/// How far `x-ms-date` may be from the emulator's clock, either way. The pages about Communication
/// Services name no limit; 15 minutes is the limit of Azure Storage's Shared Key.
const CLOCK_SKEW: Duration = Duration::minutes(15);

const DATE: HeaderName = HeaderName::from_static("x-ms-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-ms-content-sha256");
/// The order of the names is the order of the values in the string to sign.
const AUTHORIZATION_START: &str =
    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=";

/// Why a request is not authentic. The service says no more than that it is denied; this is what a developer needs
/// to know instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NotOnce(HeaderName, usize),
    NotText(HeaderName),
    DateForm(String),
    Clock {
        date: String,
        now: OffsetDateTime,
    },
    ContentHash {
        said: String,
        is: String,
    },
    AuthorizationForm,
    SignatureNotBase64,
    /// Holds the string to sign that the emulator expected.
    Signature(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::NotOnce(name, 0) => write!(f, "the {name} header is missing"),
            Flaw::NotOnce(name, count) => {
                write!(f, "the {name} header is there {count} times")
            }
            Flaw::NotText(name) => write!(f, "the {name} header is not visible ASCII"),
            Flaw::DateForm(date) => {
                write!(f, "x-ms-date {date:?} has not the form \"Wed, 13 Apr 2022 18:09:12 GMT\"")
            }
            Flaw::Clock { date, now } => write!(
                f,
                "x-ms-date {date:?} is more than {} minutes from this machine's clock ({now})",
                CLOCK_SKEW.whole_minutes()
            ),
            Flaw::ContentHash { said, is } => write!(
                f,
                "x-ms-content-sha256 is {said:?} but the body that arrived hashes to {is:?}"
            ),
            Flaw::AuthorizationForm => {
                write!(f, "the authorization header does not start with \"{AUTHORIZATION_START}\"")
            }
            Flaw::SignatureNotBase64 => {
                write!(f, "the Signature in the authorization header is not base64")
            }
            Flaw::Signature(string_to_sign) => write!(
                f,
                "signature does not match: either the access key is another one, or the string \
                 signed was not {string_to_sign:?}"
            ),
        }
    }
}

/// `key` is the decoded access key.
pub(super) fn verify(
    key: &[u8],
    now: OffsetDateTime,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Flaw> {
    let date = only(headers, DATE)?;
    let moment = imf_fixdate::parse(date).ok_or_else(|| Flaw::DateForm(date.to_owned()))?;
    if (moment - now).abs() > CLOCK_SKEW {
        return Err(Flaw::Clock { date: date.to_owned(), now });
    }

    let said = only(headers, CONTENT_HASH)?;
    let is = BASE64.encode(Sha256::digest(body));
    if said != is {
        return Err(Flaw::ContentHash { said: said.to_owned(), is });
    }

    let signature = only(headers, header::AUTHORIZATION)?
        .strip_prefix(AUTHORIZATION_START)
        .ok_or(Flaw::AuthorizationForm)?;
    let signature = BASE64.decode(signature).map_err(|_| Flaw::SignatureNotBase64)?;

    // As the sender wrote it, not as some parser would write it again.
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = only(headers, header::HOST)?;
    let string_to_sign = |host: &str| format!("{method}\n{target}\n{date};{host};{said}");
    // Microsoft's Java client signs the host without its port, the others sign it with the port.
    for host in [host, without_port(host)] {
        if signs(key, &string_to_sign(host), &signature) {
            return Ok(());
        }
    }
    Err(Flaw::Signature(string_to_sign(host)))
}

/// The value of a header that has to be there exactly once: with two, the sender and the receiver
/// could each mean another one.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<&str, Flaw> {
    let mut values = headers.get_all(&name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        let count = headers.get_all(&name).iter().count();
        return Err(Flaw::NotOnce(name, count));
    };
    value.to_str().map_err(|_| Flaw::NotText(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of a bracketed IPv6 address are not before a port.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

fn signs(key: &[u8], string_to_sign: &str, signature: &[u8]) -> bool {
    // HMAC takes keys of any length; were that ever untrue, nothing would be signed.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    mac.update(string_to_sign.as_bytes());
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// From `communicationKeyCredentialPolicy.spec.ts` of Azure/azure-sdk-for-js: key `pw==`,
    /// 2022-04-13T18:09:12.451Z, GET with an empty body.
    const KEY: &[u8] = &[0xa7];
    const NOW: OffsetDateTime = datetime!(2022-04-13 18:09:12.451 UTC);
    const SIGNATURE: &str = "DGdgwggJWnQyc6EHjR/Vbqg1ES64KpD6U2XwTDDj3tU=";

    fn published(signature: &str) -> HeaderMap {
        HeaderMap::from_iter([
            (header::HOST, "example.com".parse().unwrap()),
            (DATE, "Wed, 13 Apr 2022 18:09:12 GMT".parse().unwrap()),
            (CONTENT_HASH, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse().unwrap()),
            (header::AUTHORIZATION, format!("{AUTHORIZATION_START}{signature}").parse().unwrap()),
        ])
    }

    fn verify_get(target: &str, headers: &HeaderMap) -> Result<(), Flaw> {
        let uri = target.parse().unwrap();
        verify(KEY, NOW, &Method::GET, &uri, headers, b"")
    }

    #[test]
    fn the_signatures_that_microsoft_published_are_right() {
        for (target, signature) in [
            ("/testPath?testQuery=test", SIGNATURE),
            ("/testPath", "+6tWkg3lNKVjQHHmxkdGQcJjUgzclsWTMebnuCz1ngU="),
        ] {
            assert_eq!(verify_get(target, &published(signature)), Ok(()));
        }
    }

    /// From `cryptoUtils.spec.ts` of Azure/azure-sdk-for-js.
    #[test]
    fn the_hashes_that_microsoft_published_are_right() {
        for (text, signature) in [
            ("banana", "88EC05aAS9iXnaimtNO78JLjiPtfWryQB/5QYEzEsu8="),
            ("😀", "1rudJKjn2Zi+3hRrBG29wIF6pD6YyAeQR1ZcFtXoKAU="),
        ] {
            assert!(signs(KEY, text, &BASE64.decode(signature).unwrap()));
        }
    }

    #[test]
    fn what_was_signed_is_what_has_to_arrive() {
        assert!(matches!(
            verify_get("/testPath?testQuery=other", &published(SIGNATURE)),
            Err(Flaw::Signature(expected)) if expected.starts_with("GET\n/testPath?testQuery=other\n")
        ));

        let uri = "/testPath?testQuery=test".parse().unwrap();
        let headers = published(SIGNATURE);
        let with = |key, method, body| verify(key, NOW, method, &uri, &headers, body);
        assert!(matches!(with(b"other", &Method::GET, b""), Err(Flaw::Signature(_))));
        assert!(matches!(with(KEY, &Method::POST, b""), Err(Flaw::Signature(_))));
        assert!(matches!(with(KEY, &Method::GET, b"x"), Err(Flaw::ContentHash { .. })));
    }

    #[test]
    fn the_host_may_have_been_signed_without_its_port() {
        for (host, right) in
            [("example.com", true), ("example.com:8080", true), ("example.org:8080", false)]
        {
            let mut headers = published(SIGNATURE);
            headers.insert(header::HOST, host.parse().unwrap());
            let verified = verify_get("/testPath?testQuery=test", &headers);
            assert_eq!(verified.is_ok(), right, "{host}");
        }
        assert_eq!(without_port("[::1]:8080"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }

    #[test]
    fn a_header_that_is_absent_or_repeated_is_refused() {
        for name in [DATE, CONTENT_HASH, header::AUTHORIZATION, header::HOST] {
            let mut headers = published(SIGNATURE);
            let value = headers.remove(&name).unwrap();
            let absent = verify_get("/testPath?testQuery=test", &headers);
            assert_eq!(absent, Err(Flaw::NotOnce(name.clone(), 0)));

            headers.append(name.clone(), value.clone());
            headers.append(name.clone(), value);
            let repeated = verify_get("/testPath?testQuery=test", &headers);
            assert_eq!(repeated, Err(Flaw::NotOnce(name, 2)));
        }
    }

    #[test]
    fn the_clocks_may_differ_by_a_quarter_of_an_hour() {
        let uri = "/testPath?testQuery=test".parse().unwrap();
        let headers = published(SIGNATURE);
        let sent = datetime!(2022-04-13 18:09:12 UTC);
        let at = |now| verify(KEY, now, &Method::GET, &uri, &headers, b"");
        assert_eq!(at(sent + CLOCK_SKEW), Ok(()));
        assert_eq!(at(sent - CLOCK_SKEW), Ok(()));
        for off in [CLOCK_SKEW, -CLOCK_SKEW] {
            let late = sent + off + Duration::SECOND * off.whole_seconds().signum() as i32;
            assert!(matches!(at(late), Err(Flaw::Clock { .. })), "{late}");
        }
    }

    #[test]
    fn another_form_of_the_headers_is_refused() {
        let with = |name: HeaderName, value: &str| {
            let mut headers = published(SIGNATURE);
            headers.insert(name, value.parse().unwrap());
            verify_get("/testPath?testQuery=test", &headers).unwrap_err()
        };
        assert!(matches!(with(DATE, "Wed, 13 Apr 2022 18:09:12 UTC"), Flaw::DateForm(_)));
        for authorization in [
            "Bearer abc",
            &format!(
                "HMAC-SHA256 SignedHeaders=date;host;x-ms-content-sha256&Signature={SIGNATURE}"
            ),
            &format!(
                "HMAC-SHA256 SignedHeaders=host;x-ms-date;x-ms-content-sha256&Signature={SIGNATURE}"
            ),
        ] {
            assert_eq!(with(header::AUTHORIZATION, authorization), Flaw::AuthorizationForm);
        }
        assert_eq!(
            with(header::AUTHORIZATION, &format!("{AUTHORIZATION_START}###")),
            Flaw::SignatureNotBase64
        );
    }
}
