//! How the world sees the hook: the URL below which its paths are, for webhooks and their signatures.

use crate::url::Url;

/// The public URL of the hook: scheme, host, port if it is not the scheme's own, and the path that a proxy adds.
///
/// ```
/// use okta_telephony_acs::public_url::PublicUrl;
///
/// let url = PublicUrl::parse("https://hook.example.com/okta/").unwrap();
/// assert_eq!(url.of("/api/okta-telephony"), "https://hook.example.com/okta/api/okta-telephony");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether it is `https`; only a loopback host's may be `http`.
    pub tls: bool,
    authority: String,
    /// Empty, or a path that begins with `/` and does not end with one.
    prefix: String,
}

impl PublicUrl {
    /// Reads an `https` URL, or an `http` one of a loopback host, without user, query and fragment. The host of an
    /// `https` URL is a name of the public DNS without an underscore: told to report anywhere else, Twilio sends no message
    /// (error 21609). `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let Url { tls, authority, path_and_query } = Url::parse(text).ok()?;
        if path_and_query.contains('?') || tls && !has_public_name(&authority) {
            return None;
        }
        let prefix = path_and_query.trim_end_matches('/').to_owned();
        Some(Self { tls, authority, prefix })
    }

    /// The URL of one of the hook's paths, or of a path with its query.
    pub fn of(&self, path: &str) -> String {
        self.at(&self.authority, path)
    }

    /// The same in both ways in which it may have been written by who signs it: with the port, the scheme's own too, and
    /// without any.
    pub fn both_ways(&self, path: &str) -> [String; 2] {
        // The last colon of an IPv6 address stands before its bracket.
        let port = self.authority.rfind(':').filter(|at| !self.authority[*at..].contains(']'));
        let host = port.map_or(&*self.authority, |at| &self.authority[..at]);
        let with_port = match (port, self.tls) {
            (Some(_), _) => self.authority.clone(),
            (None, true) => [host, ":443"].concat(),
            (None, false) => [host, ":80"].concat(),
        };
        [self.at(&with_port, path), self.at(host, path)]
    }

    fn at(&self, authority: &str, path: &str) -> String {
        let scheme = if self.tls { "https://" } else { "http://" };
        [scheme, authority, &self.prefix, path].concat()
    }
}

/// Whether the host is a name with a domain above it, and no address.
fn has_public_name(authority: &str) -> bool {
    let host = authority.split(':').next().unwrap_or_default();
    host.rsplit_once('.').is_some_and(|(_, top)| top.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port_and_a_path_and_nothing_else() {
        for (text, of) in [
            ("https://Hook.Example.com", Some("https://hook.example.com/p")),
            ("https://hook.example.com/", Some("https://hook.example.com/p")),
            ("https://hook.example.com:443/a/b//", Some("https://hook.example.com/a/b/p")),
            ("https://hook.example.com:8443", Some("https://hook.example.com:8443/p")),
            ("http://127.0.0.1:3000", Some("http://127.0.0.1:3000/p")),
            ("http://hook.example.com", None),
            ("https://hook.example.com/?a=b", None),
            ("https://hook.example.com/#a", None),
            ("https://user@hook.example.com", None),
            ("https://my_hook.example.com", None),
            ("https://hook", None),
            ("https://localhost:3000", None),
            ("https://10.0.0.5", None),
            ("https://[2001:db8::1]", None),
            ("hook.example.com", None),
            ("", None),
        ] {
            let url = PublicUrl::parse(text);
            assert_eq!(url.map(|url| url.of("/p")).as_deref(), of, "{text}");
        }
    }

    #[test]
    fn a_url_is_written_with_its_port_and_without() {
        for (text, [with, without]) in [
            ("https://a.example", ["https://a.example:443/p?q", "https://a.example/p?q"]),
            (
                "https://a.example:8443/x",
                ["https://a.example:8443/x/p?q", "https://a.example/x/p?q"],
            ),
            ("http://localhost", ["http://localhost:80/p?q", "http://localhost/p?q"]),
            ("http://[::1]", ["http://[::1]:80/p?q", "http://[::1]/p?q"]),
            ("http://[::1]:3000", ["http://[::1]:3000/p?q", "http://[::1]/p?q"]),
        ] {
            assert_eq!(
                PublicUrl::parse(text).unwrap().both_ways("/p?q"),
                [with, without],
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_public_url_or_is_none(text in "\\PC*|https://[a-z0-9.:/\\[\\]-]{0,30}") {
            if let Some(url) = PublicUrl::parse(&text) {
                prop_assert_eq!(PublicUrl::parse(&url.of("")), Some(url));
            }
        }
    }
}
