//! `allowed_outbound_hosts`: which hosts the guest may call.
//!
//! An entry is `scheme://host[:port]`. The scheme may be `*`; the host may be `*`, or start with
//! `*.` for any number of labels; the port may be `*`, and is the scheme's own where none is given.
//! A request's host is compared in lower case, and so is an entry's, but for what follows `*.`: as under Spin
//! since 3.4, an upper-case letter never fits there. Spin's address ranges, port ranges and service chaining
//! (`self`, `*.spin.internal`) are refused.

use anyhow::{Result, bail};
use http::Uri;

/// The entries of one component.
#[derive(Debug, Default)]
pub(super) struct AllowedHosts(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// `None` is any scheme.
    scheme: Option<String>,
    host: Host,
    /// `None` is any port.
    port: Option<u16>,
}

#[derive(Debug)]
enum Host {
    Any,
    /// The suffix, with its leading dot.
    Below(String),
    Exactly(String),
}

impl AllowedHosts {
    /// Adds one entry, already expanded.
    ///
    /// # Errors
    ///
    /// An entry of another form: the message says what is wrong with it.
    pub fn add(&mut self, entry: &str) -> Result<()> {
        self.0.push(Entry::parse(entry.trim())?);
        Ok(())
    }

    /// Whether a request to `uri` may leave.
    pub fn allow(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let host = host.to_ascii_lowercase();
        let port = uri.port_u16().or_else(|| default_port(scheme));
        self.0.iter().any(|entry| {
            entry.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
                && entry.port.is_none_or(|allowed| Some(allowed) == port)
                && match &entry.host {
                    Host::Any => true,
                    Host::Below(suffix) => host.ends_with(suffix.as_str()),
                    Host::Exactly(allowed) => *allowed == host,
                }
        })
    }
}

impl Entry {
    fn parse(entry: &str) -> Result<Self> {
        const FORM: &str =
            "write it as scheme://host or scheme://host:port, for instance https://api.example.com";
        if entry.is_empty() {
            bail!(
                "an entry may not be empty, some versions of Spin then let no request out: {FORM}, or remove it"
            );
        }
        let Some((scheme, rest)) = entry.split_once("://") else {
            bail!("`{entry}` has no scheme: {FORM}");
        };
        if scheme != "*" && !scheme.chars().all(|c| c.is_ascii_alphabetic()) || scheme.is_empty() {
            bail!("`{entry}` has no usable scheme: {FORM}");
        }
        // One trailing slash is let pass, as Spin does.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            bail!(
                "`{entry}` has a path (or is a range of addresses, which this host doesn't know): {FORM}"
            );
        }
        // The colons inside an IPv6 address's brackets are no port's.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            Some("*") => None,
            Some(port) if !port.is_empty() => match port.parse() {
                Ok(port) => Some(port),
                Err(_) => {
                    bail!("`{entry}` has the port `{port}`: give a number from 0 to 65535, or *")
                }
            },
            _ => match default_port(scheme) {
                Some(port) => Some(port),
                None => bail!(
                    "`{entry}` needs a port, since its scheme has none of its own: add :PORT or :*"
                ),
            },
        };
        let host = match host.strip_prefix('*') {
            Some("") => Host::Any,
            Some(suffix)
                if suffix.starts_with('.') && suffix.len() > 1 && !suffix.contains('*') =>
            {
                Host::Below(suffix.to_string())
            }
            Some(_) => bail!(
                "`{entry}` has a `*` inside a name: it may stand alone or as the first label, as in https://*.example.com"
            ),
            None if host.is_empty() || host.contains(['*', '@', ' ', '{', '}']) => {
                bail!("`{entry}` has no usable host: {FORM}")
            }
            None if host == "self" || host.ends_with(".spin.internal") => {
                bail!(
                    "`{entry}` calls back into the application, which this host doesn't do: run it under `spin up`"
                )
            }
            None => Host::Exactly(host.to_ascii_lowercase()),
        };
        let scheme = (scheme != "*").then(|| scheme.to_string());
        Ok(Self { scheme, host, port })
    }
}

/// The port of an address without one. The local host speaks HTTP only; entries for other
/// protocols carry their port.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_allows_its_scheme_host_and_port_and_nothing_else() {
        let table: &[(&str, &[&str], &[&str])] = &[
            (
                "https://*.communication.azure.com",
                &[
                    "https://name.communication.azure.com/sms",
                    "https://name.unitedstates.communication.azure.com",
                    "https://NAME.Communication.Azure.com:443",
                ],
                &[
                    "https://communication.azure.com",
                    "http://name.communication.azure.com",
                    "https://name.communication.azure.com:8443",
                    "https://name.communication.azure.com.evil.example",
                    "https://evilcommunication.azure.com",
                ],
            ),
            (
                "http://127.0.0.1:3001",
                &["http://127.0.0.1:3001/x"],
                &["http://127.0.0.1", "http://127.0.0.2:3001"],
            ),
            ("http://127.0.0.1:3001/", &["http://127.0.0.1:3001/x"], &["https://127.0.0.1:3001"]),
            ("http://[::1]:8080", &["http://[::1]:8080"], &["http://[::1]", "http://[::2]:8080"]),
            ("http://[::1]", &["http://[::1]", "http://[::1]:80"], &["http://[::1]:81"]),
            (
                "*://a.example:*",
                &["http://a.example", "https://a.example:1"],
                &["http://b.example"],
            ),
            ("*://*:*", &["http://a", "https://b.c:9"], &["/no/host"]),
            ("https://*", &["https://a"], &["https://a:444", "http://a"]),
            ("https://A.example", &["https://a.example", "https://A.example"], &[]),
            ("https://*.A.example", &[], &["https://b.a.example", "https://b.A.example"]),
            (" https://a.example ", &["https://A.example"], &["https://b.example"]),
        ];
        for (entry, allowed, refused) in table {
            let mut hosts = AllowedHosts::default();
            hosts.add(entry).unwrap();
            for uri in *allowed {
                assert!(hosts.allow(&uri.parse().unwrap()), "{entry} should allow {uri}");
            }
            for uri in *refused {
                assert!(!hosts.allow(&uri.parse().unwrap()), "{entry} should refuse {uri}");
            }
        }
    }

    #[test]
    fn nothing_is_allowed_without_an_entry() {
        assert!(!AllowedHosts::default().allow(&"https://a".parse().unwrap()));
    }

    #[test]
    fn an_entry_of_another_form_is_refused_with_what_is_wrong_with_it() {
        for (entry, reason) in [
            ("", "may not be empty"),
            ("a.example", "no scheme"),
            ("*", "no scheme"),
            ("://a", "no usable scheme"),
            ("https://a/path", "has a path"),
            ("https://10.0.0.0/8", "a range of addresses"),
            ("https://a:http", "the port `http`"),
            ("https://a:70000", "the port `70000`"),
            ("redis://a", "needs a port"),
            ("*://a", "needs a port"),
            ("https://a.*.example", "no usable host"),
            ("https://*a.example", "a `*` inside a name"),
            ("https://", "no usable host"),
            ("http://self", "spin up"),
        ] {
            let error = AllowedHosts::default().add(entry).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(entry), "{entry}: {error}");
        }
    }
}
