//! The owner's entries of `allowed_outbound_hosts`, as Spin 3 and 4 read them.

use std::net::{IpAddr, Ipv6Addr};

use super::findings::{Finding, UNREADABLE};
use crate::pasted::oddity;
use crate::ports::Variables;

/// The variables that are entries of spin.toml's `allowed_outbound_hosts`.
pub const VARIABLES: [&str; 3] = ["outbound_host1", "outbound_host2", "outbound_host3"];

/// What spin.toml lets the component call in any case: the providers' own domains and hosts.
const ALWAYS: [&str; 5] = [
    "https://*.communication.azure.com",
    "https://*.api.infobip.com",
    "https://rest-ww.telesign.com",
    "https://rest-api.telesign.com",
    "https://api.twilio.com",
];

/// The origins that the component may call.
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// Reads the owner's entries. With one that Spin can't read it lets no request out, whatever the others say.
    pub(super) fn read(variables: &dyn Variables, problems: &mut Vec<Finding>) -> Self {
        let entries = VARIABLES.map(|name| {
            let Ok(entry) = variables.get(name) else {
                problems.push(Finding::of_variable(name, UNREADABLE));
                return String::new();
            };
            // Spin reads it by itself: nothing that is dropped here would be dropped there.
            let entry = entry.trim().to_owned();
            if !is_entry(&entry) {
                let odd = oddity(&entry).map(|oddity| format!(", and this {oddity}"));
                problems.push(Finding::of_variable(
                    name,
                    [
                        "must be scheme://host or scheme://host:port without a path, such as \
                         https://contoso.okta.com: with anything else Spin lets no request out",
                        &odd.unwrap_or_default(),
                    ]
                    .concat(),
                ));
            }
            entry
        });
        Self(entries.into())
    }

    /// Warns of entries that open more than the hook has a use for: where somebody finds a way to have it call a host of
    /// his own, they are what would have held him off.
    pub(super) fn too_wide(&self) -> impl Iterator<Item = Finding> {
        VARIABLES.into_iter().zip(&self.0).filter_map(|(name, entry)| {
            let what = too_wide(entry)?;
            let fix = ": set it to the one host that it is for, such as https://contoso.okta.com, or leave it away";
            Some(Finding::of_variable(name, [what, fix].concat()))
        })
    }

    /// A variable for a further entry, each once: one that repeats what is allowed anyway.
    pub(super) fn take_free(&mut self) -> Option<&'static str> {
        let (name, entry) = VARIABLES
            .into_iter()
            .zip(&mut self.0)
            .find(|(_, entry)| ALWAYS.contains(&entry.as_str()))?;
        entry.clear();
        Some(name)
    }

    /// Whether the component may call an origin.
    pub(super) fn cover(&self, origin: &str) -> bool {
        ALWAYS.iter().any(|entry| covers(entry, origin))
            || self.0.iter().any(|entry| covers(entry, origin))
    }
}

/// What an entry opens besides the hosts that the hook has a use for, if it does.
fn too_wide(entry: &str) -> Option<&'static str> {
    let (scheme, host, _) = split(entry)?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let domain = host.strip_prefix("*.").map(|domain| domain.trim_end_matches('.'));
    if host == "*" {
        Some("lets the hook call every host")
    } else if domain.is_some_and(is_for_everybody) {
        Some("lets the hook call every host of a domain in which anybody can have one")
    } else if host.contains('/') {
        Some("lets the hook call every address of a range")
    } else if ["self", "self.alt"].contains(&host) || host.ends_with(".spin.internal") {
        Some("lets the hook call components of its own application")
    } else if scheme != "https" && !is_loopback {
        Some("lets the hook send in clear text or speak another protocol than HTTPS")
    } else {
        None
    }
}

/// Whether it is a top-level domain, or one of those below a country's in which names are given out as in one.
fn is_for_everybody(domain: &str) -> bool {
    match domain.rsplit_once('.') {
        None => true,
        Some((second, country)) => {
            let given_out = ["ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"];
            country.len() == 2 && given_out.contains(&second.to_ascii_lowercase().as_str())
        }
    }
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
