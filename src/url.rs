//! URLs of the hosts that the hook calls: `https://host[:port]/path?query`, and nothing besides.

use std::net::IpAddr;

use http::Uri;

/// An `https` URL without user and fragment, or an `http` one of a loopback host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`; only a loopback host's may be `http`.
    pub tls: bool,
    /// The host in lower case, and the port where it is not the scheme's own: what the `Host`
    /// header holds.
    pub authority: String,
    /// The path to the letter, `/` where there is none, and the query.
    pub path_and_query: String,
}

/// What is wrong with a URL. Says what to do, never what the URL holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It does not begin with `https://`, or with `http://` for a loopback host.
    #[error("must begin with https:// (http:// is for loopback hosts only)")]
    Scheme,
    /// It has a user, a fragment or a backslash.
    #[error("must have no user, fragment or backslash")]
    More,
    /// The host is not a name or an address in ASCII, or the port is not one.
    #[error(
        "must have a host that is a name or an address in ASCII, and a port that is a number if any"
    )]
    Host,
    /// The path or the query has a character that must be percent-encoded.
    #[error("must have spaces, quotes and what is not ASCII percent-encoded")]
    Path,
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
        let (scheme, rest) = text.split_once("://").ok_or(InvalidUrl::Scheme)?;
        let tls = scheme.eq_ignore_ascii_case("https");
        if !tls && !scheme.eq_ignore_ascii_case("http") {
            return Err(InvalidUrl::Scheme);
        }
        // `Uri` would drop a fragment without a word.
        if text.contains(['#', '\\']) {
            return Err(InvalidUrl::More);
        }
        let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
        if !path.bytes().all(is_path_byte) {
            return Err(InvalidUrl::Path);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::Host)?;
        let authority = uri.authority().ok_or(InvalidUrl::Host)?;
        if authority.as_str().contains('@') {
            return Err(InvalidUrl::More);
        }
        let host = authority.host().to_ascii_lowercase();
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let port = authority.port_u16();
        // `Authority` overlooks a port that is none.
        let whole =
            [host.clone(), port.map(|port| format!(":{port}")).unwrap_or_default()].concat();
        if port == Some(0)
            || !authority.as_str().eq_ignore_ascii_case(&whole)
            || ip.is_none() && !is_host_name(&host)
        {
            return Err(InvalidUrl::Host);
        }
        if !tls && host != "localhost" && !ip.is_some_and(|ip| ip.is_loopback()) {
            return Err(InvalidUrl::Scheme);
        }
        let default_port = if tls { 443 } else { 80 };
        let path_and_query = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let authority = if port == Some(default_port) { host } else { whole };
        Ok(Self { tls, authority, path_and_query })
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

/// What paths and queries are made of (RFC 3986, appendix A); `Uri` takes more.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte)
}

/// A host name of letters, digits and hyphens (RFC 1123, section 2.1). The last label holds a letter: what
/// is all digits would be an address, and is none.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.split('.').all(is_label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_path_is_kept_to_the_letter_and_the_authority_is_not() {
        for (text, expected) in [
            ("https://A.Example", (true, "a.example", "/")),
            ("https://a.example/", (true, "a.example", "/")),
            ("HTTPS://a.example:8443/A/b/", (true, "a.example:8443", "/A/b/")),
            ("https://a.example:443?p=B2C_1", (true, "a.example", "/?p=B2C_1")),
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
            ("https://a.example:0/", InvalidUrl::Host),
            ("https://a.example:65536/", InvalidUrl::Host),
            ("https://a.example:+80/", InvalidUrl::Host),
            ("https://a..example/", InvalidUrl::Host),
            ("https://::1/", InvalidUrl::Host),
            ("https://[a.example]/", InvalidUrl::Host),
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
