//! URLs of the hosts that the hook calls: `https://host[:port]/path?query`, and nothing besides.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An `https` URL without user and fragment, or an `http` one of a loopback host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`; only a loopback host's may be `http`.
    pub tls: bool,
    /// The host in lower case, and the port where it is not the scheme's own: what the `Host`
    /// header holds.
    pub authority: String,
    /// The path to the letter, which may be empty, and the query.
    pub path_and_query: String,
}

/// What is wrong with a URL. Says what to do, never what the URL holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUrl {
    /// It does not begin with `https://`, or with `http://` for a loopback host.
    Scheme,
    /// It has a user, a fragment or a backslash.
    More,
    /// The host is not a name or an address in ASCII, or the port is not one.
    Host,
    /// The path or the query has a character that must be percent-encoded.
    Path,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "must begin with https:// (http:// is for loopback hosts only)",
            Self::More => "must have no user, fragment or backslash",
            Self::Host => "must have a host that is a name or an address in ASCII, and a port that is a number if any",
            Self::Path => "must have spaces, quotes and what is not ASCII percent-encoded",
        })
    }
}

impl Url {
    /// Reads a URL.
    ///
    /// ```
    /// use okta_telephony_acs::url::Url;
    ///
    /// let url = Url::parse("https://Contoso.okta.com:443/oauth2/default").unwrap();
    /// assert_eq!(url.authority, "contoso.okta.com");
    /// assert_eq!(url.path_and_query, "/oauth2/default");
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let after = |scheme: &str| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (tls, rest) = match (after("https://"), after("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(InvalidUrl::Scheme),
        };
        let (authority, path_and_query) =
            rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') || rest.contains(['#', '\\']) {
            return Err(InvalidUrl::More);
        }
        let authority = authority.to_ascii_lowercase();
        let (host, port) = split_port(&authority).ok_or(InvalidUrl::Host)?;
        let ip = ip_address(host);
        if ip.is_none() && !is_host_name(host) {
            return Err(InvalidUrl::Host);
        }
        let loopback = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        if !tls && !loopback {
            return Err(InvalidUrl::Scheme);
        }
        if !path_and_query.bytes().all(is_path_byte) {
            return Err(InvalidUrl::Path);
        }
        let default_port = if tls { 443 } else { 80 };
        let authority = match port {
            Some(port) if port != default_port => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        Ok(Self { tls, authority, path_and_query: path_and_query.to_owned() })
    }

    /// Scheme, host and port: what a host lists of those that may be called.
    pub fn origin(&self) -> String {
        origin(self.tls, &self.authority)
    }
}

/// The origin of what is at an authority.
pub fn origin(tls: bool, authority: &str) -> String {
    let scheme = if tls { "https" } else { "http" };
    [scheme, "://", authority].concat()
}

/// What paths and queries are made of (RFC 3986, appendix A).
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte)
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = match authority.find(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| bracket + at),
        None => authority.find(':'),
    };
    let Some(colon) = colon else { return Some((authority, None)) };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    // `parse` alone would also take a `+`.
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0)?;
    Some((host, Some(port)))
}

fn ip_address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

/// A host name of letters, digits and hyphens (RFC 1123, section 2.1), in lower case. The last
/// label holds a letter: what is all digits would be an address, and is none.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253
        && host.split('.').all(label)
        && host.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_path_is_kept_to_the_letter_and_the_authority_is_not() {
        for (text, expected) in [
            ("https://A.Example", (true, "a.example", "")),
            ("https://a.example/", (true, "a.example", "/")),
            ("HTTPS://a.example:8443/A/b/", (true, "a.example:8443", "/A/b/")),
            ("https://a.example:443?p=B2C_1", (true, "a.example", "?p=B2C_1")),
            ("https://a.example/users/@me?a=/b", (true, "a.example", "/users/@me?a=/b")),
            ("http://127.0.0.1:80/%20", (false, "127.0.0.1", "/%20")),
            ("http://[::1]:9000/", (false, "[::1]:9000", "/")),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.tls, &*url.authority, &*url.path_and_query), expected, "{text}");
        }
    }

    #[test]
    fn what_would_call_another_host_or_no_path_is_an_error() {
        for (text, error) in [
            ("", InvalidUrl::Scheme),
            ("a.example/", InvalidUrl::Scheme),
            ("ftp://a.example/", InvalidUrl::Scheme),
            ("http://a.example/", InvalidUrl::Scheme),
            ("https:/a.example/", InvalidUrl::Scheme),
            ("https://user@a.example/", InvalidUrl::More),
            ("https://a.example/#", InvalidUrl::More),
            ("https://a.example\\@b.example/", InvalidUrl::More),
            ("https://", InvalidUrl::Host),
            ("https:///path", InvalidUrl::Host),
            ("https://a.example:/", InvalidUrl::Host),
            ("https://a.example/a b", InvalidUrl::Path),
            ("https://a.example/a\r\nb", InvalidUrl::Path),
            ("https://a.example/\u{fc}", InvalidUrl::Path),
            ("https://a.example/\"", InvalidUrl::Path),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|(https?://)?[a-zA-Z0-9.:@/?#%\\[\\]-]{0,40}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert!(!url.authority.contains(['@', '/', '?']));
                let again = Url::parse(&[url.origin(), url.path_and_query.clone()].concat()).unwrap();
                prop_assert_eq!(again, url);
            }
        }
    }
}
