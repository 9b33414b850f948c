//! `endpoint=https://NAME.communication.azure.com/;accesskey=BASE64`, as the Azure portal shows it.
//!
//! Lenient where Microsoft's SDKs are: order, case of the keys, spaces around parts, a `;` or `/` at
//! the end, further parts; and where a line was broken on the way here. Strict where a mistake would sign for the wrong host or with the wrong
//! key, which ACS answers with a bare 401.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::pasted::{clean, in_one_line};
use crate::secret::Secret;
use crate::url::{self, InvalidUrl, Url};

/// A resource of Azure Communication Services, and the key to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionString {
    /// Whether the endpoint is `https`; only a loopback host's may be `http`.
    pub tls: bool,
    /// The host in lower case, and the port where it is not the scheme's own: what the `Host`
    /// header holds, and so what is signed.
    pub authority: String,
    /// The access key, decoded.
    pub access_key: Secret,
}

/// What is wrong with a connection string. Says what to do, never what the string holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConnectionString {
    /// A part has no `=`.
    #[error(
        "has a part that is not of the form name=value: copy the whole Connection string from the \
         resource's page Keys, without quotes"
    )]
    NotAPart,
    /// It is the access key, without anything else.
    #[error(
        "is the access key alone: copy what the resource's page Keys has as Connection string, which begins with \
         endpoint="
    )]
    KeyAlone,
    /// It is the endpoint, without anything else.
    #[error(
        "is the endpoint alone: copy what the resource's page Keys has as Connection string, which begins with \
         endpoint= and has the access key, too"
    )]
    EndpointAlone,
    /// It is one of another service of Azure.
    #[error(
        "is the connection string of {0}: copy that of the Communication Services resource, from its page Keys"
    )]
    OtherService(&'static str),
    /// `endpoint` is missing, empty, or there twice.
    #[error(
        "must have one endpoint=https://NAME.communication.azure.com/: copy the whole Connection string from \
         the resource's page Keys, without quotes"
    )]
    Endpoint,
    /// `accesskey` is missing, empty, or there twice.
    #[error(
        "must have one accesskey=: copy the whole Connection string from the resource's page Keys"
    )]
    AccessKey,
    /// The access key is not base64.
    #[error(
        "has an access key that is not base64: copy it whole, with its = at the end and without blanks"
    )]
    AccessKeyNotBase64,
    /// The endpoint does not begin with `https://`, or with `http://` for a loopback host.
    #[error("must have an endpoint that begins with https:// (http:// is for loopback hosts only)")]
    Scheme,
    /// The endpoint holds more than scheme, host and port.
    #[error("must have an endpoint without user, path, query or fragment")]
    MoreThanHost,
    /// The host is not a name or an address in ASCII, or the port is not one.
    #[error(
        "must have an endpoint whose host is a name or an address in ASCII, and its port a number"
    )]
    Host,
}

impl ConnectionString {
    /// Reads a connection string.
    ///
    /// ```
    /// use okta_telephony_acs::providers::acs::connection_string::ConnectionString;
    ///
    /// let acs = ConnectionString::parse("accesskey=a2V5; endpoint=https://Contoso.communication.azure.com:443/;").unwrap();
    /// assert_eq!(acs.authority, "contoso.communication.azure.com");
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidConnectionString> {
        let text = &in_one_line(&clean(text));
        if let Some(error) = something_else(text) {
            return Err(error);
        }
        let (mut endpoint, mut access_key) = (None, None);
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            // The first `=`: base64 ends in some.
            let (name, value) = part.split_once('=').ok_or(InvalidConnectionString::NotAPart)?;
            let (name, value) = (name.trim_end(), clean(value));
            let (slot, twice) = if name.eq_ignore_ascii_case("endpoint") {
                (&mut endpoint, InvalidConnectionString::Endpoint)
            } else if name.eq_ignore_ascii_case("accesskey") {
                (&mut access_key, InvalidConnectionString::AccessKey)
            } else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(twice);
            }
        }
        let given = |value: &String| !value.is_empty();
        let endpoint = endpoint.filter(given).ok_or(InvalidConnectionString::Endpoint)?;
        let access_key = access_key.filter(given).ok_or(InvalidConnectionString::AccessKey)?;
        let access_key = BASE64_STANDARD
            .decode(access_key)
            .map_err(|_| InvalidConnectionString::AccessKeyNotBase64)?;
        let (tls, authority) = parse_endpoint(&endpoint)?;
        Ok(Self { tls, authority, access_key: access_key.into() })
    }

    /// Scheme, host and port: what a host lists of those that may be called.
    pub fn origin(&self) -> String {
        url::origin(self.tls, &self.authority)
    }
}

/// The parts of other services' connection strings, by the beginnings of their names, in lower case.
const PARTS_OF_OTHERS: [(&str, &str); 6] = [
    ("instrumentationkey=", "Application Insights"),
    ("ingestionendpoint=", "Application Insights"),
    ("sharedaccesskey", "Event Hubs, Service Bus or IoT Hub"),
    ("accountkey=", "a storage account or Cosmos DB"),
    ("accountname=", "a storage account"),
    ("defaultendpointsprotocol=", "a storage account"),
];

/// The domains of other services whose connection strings have an endpoint and mostly an access key, too.
const HOSTS_OF_OTHERS: [(&str, &str); 5] = [
    (".eventgrid.azure.net", "Event Grid"),
    (".servicebus.windows.net", "Event Hubs or Service Bus"),
    (".service.signalr.net", "SignalR"),
    (".webpubsub.azure.com", "Web PubSub"),
    (".azconfig.io", "App Configuration"),
];

/// The bytes of an access key at the least. Microsoft's have 64.
const SHORTEST_KEY: usize = 32;

/// What is wrong with a text that was copied from the wrong place.
fn something_else(text: &str) -> Option<InvalidConnectionString> {
    let lower: String = text.to_ascii_lowercase().split_whitespace().collect();
    let is_there = |name: &str| lower.starts_with(name) || lower.contains(&[";", name].concat());
    let by_part = PARTS_OF_OTHERS.iter().find(|(name, _)| is_there(name));
    let by_host = HOSTS_OF_OTHERS.iter().find(|(domain, _)| lower.contains(domain));
    if let Some((_, service)) = by_part.or(by_host) {
        return Some(InvalidConnectionString::OtherService(service));
    }
    if lower.starts_with("https://") && !lower.contains(';') {
        return Some(InvalidConnectionString::EndpointAlone);
    }
    let is_key = BASE64_STANDARD.decode(text.trim()).is_ok_and(|key| key.len() >= SHORTEST_KEY);
    is_key.then_some(InvalidConnectionString::KeyAlone)
}

fn parse_endpoint(endpoint: &str) -> Result<(bool, String), InvalidConnectionString> {
    let url = Url::parse(endpoint).map_err(|error| match error {
        InvalidUrl::Scheme => InvalidConnectionString::Scheme,
        InvalidUrl::More | InvalidUrl::Path => InvalidConnectionString::MoreThanHost,
        InvalidUrl::Host => InvalidConnectionString::Host,
    })?;
    if !url.path_and_query.bytes().all(|b| b == b'/') {
        return Err(InvalidConnectionString::MoreThanHost);
    }
    Ok((url.tls, url.authority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "c2VjcmV0";

    fn authority(endpoint: &str) -> Result<String, InvalidConnectionString> {
        ConnectionString::parse(&format!("endpoint={endpoint};accesskey={KEY}"))
            .map(|c| c.authority)
    }

    #[test]
    fn what_microsofts_sdks_tolerate_is_tolerated() {
        let expected = ConnectionString {
            tls: true,
            authority: "contoso.communication.azure.com".into(),
            access_key: "secret".into(),
        };
        for text in [
            "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0",
            "endpoint=https://contoso.communication.azure.com;accesskey=c2VjcmV0;",
            "Endpoint=https://contoso.communication.azure.com//;AccessKey=c2VjcmV0",
            "accesskey=c2VjcmV0;endpoint=https://contoso.communication.azure.com/",
            "  endpoint = HTTPS://Contoso.Communication.Azure.com/ ; accesskey = c2VjcmV0 ;; foo=1;",
            "endpoint=https://contoso.communication.azure.com:443/;accesskey=c2VjcmV0",
            // As it comes out of mails, documents and terminals.
            "endpoint=https://contoso.communication.azure.com/\naccesskey=c2VjcmV0\r\n",
            "endpoint=https://contoso.communication.\r\n  azure.com/;accesskey=c2Vj\r\n  cmV0",
            "endpoint=https://contoso.communication.azure.com/;accesskey=\nc2VjcmV0",
            "endpoint=\"https://contoso.communication.azure.com/\";accesskey='c2VjcmV0'",
            "endpoint=\u{feff}https://contoso.communication.azure.com/;accesskey=c2Vj\u{200b}cmV0",
            "ENDPOINT\u{a0}=\u{a0}https://contoso.communication.azure.com/\u{a0};\u{a0}ACCESSKEY=c2VjcmV0",
        ] {
            assert_eq!(ConnectionString::parse(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn the_padding_of_the_key_belongs_to_the_key() {
        let acs = ConnectionString::parse("endpoint=https://a.example/;accesskey=pw==").unwrap();
        assert_eq!(acs.access_key.reveal(), [0xa7]);
    }

    #[test]
    fn the_authority_is_what_the_host_header_will_hold() {
        for (endpoint, expected) in [
            ("https://a.example:8443", "a.example:8443"),
            ("https://a.example:80", "a.example:80"),
            ("http://127.0.0.1:9000/", "127.0.0.1:9000"),
            ("http://127.9.9.9:80", "127.9.9.9"),
            ("http://localhost:443", "localhost:443"),
            ("http://[::1]:9000", "[::1]:9000"),
            ("https://10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(authority(endpoint).as_deref(), Ok(expected), "{endpoint}");
        }
    }

    #[test]
    fn what_would_sign_wrongly_is_an_error() {
        use InvalidConnectionString::*;
        for (endpoint, error) in [
            ("contoso.communication.azure.com", Scheme),
            ("ftp://a.example", Scheme),
            ("http://a.example", Scheme),
            ("http://10.0.0.1", Scheme),
            ("http://localhost.example", Scheme),
            ("https://user:secret@a.example", MoreThanHost),
            ("https://a.example/path", MoreThanHost),
            ("https://a.example?query", MoreThanHost),
            ("https://a.example#fragment", MoreThanHost),
            ("https://a.example\\b", MoreThanHost),
            ("https://", Host),
            ("https:///", Host),
            ("https://bücher.example", Host),
            ("https://a..example", Host),
            ("https://a.example.", Host),
            ("https://-a.example", Host),
            ("https://a b.example", Host),
            ("https://a.example:", Host),
            ("https://a.example:0", Host),
            ("https://a.example:+443", Host),
            ("https://a.example:65536", Host),
            ("https://a.example:1:2", Host),
            ("https://[::1", Host),
            ("https://[::1]x", Host),
            ("https://::1", Host),
            ("https://1.2.3.999", Host),
            ("https://a.example%2e", Host),
        ] {
            assert_eq!(authority(endpoint), Err(error), "{endpoint}");
        }
        for (text, error) in [
            ("", Endpoint),
            ("accesskey=c2VjcmV0", Endpoint),
            ("endpoint=;accesskey=c2VjcmV0", Endpoint),
            ("endpoint=https://a.example;endpoint=https://b.example;accesskey=c2VjcmV0", Endpoint),
            ("endpoint=https://a.example", AccessKey),
            ("endpoint=https://a.example;accesskey=", AccessKey),
            ("endpoint=https://a.example;accesskey=c2VjcmV0;accesskey=c2VjcmV0", AccessKey),
            ("endpoint=https://a.example;accesskey=c2VjcmV", AccessKeyNotBase64),
            ("endpoint=https://a.example;accesskey=c2V-cmV0", AccessKeyNotBase64),
            ("endpoint=https://a.example;accesskey=c2Vj cmV0", AccessKeyNotBase64),
            ("endpoint=https://a.example;accesskey", NotAPart),
            ("c2VjcmV0", NotAPart),
        ] {
            assert_eq!(ConnectionString::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_was_copied_from_the_wrong_place_is_named() {
        use InvalidConnectionString::*;
        let key = BASE64_STANDARD.encode([7; 64]);
        for (text, error) in [
            (&*key, KeyAlone),
            ("https://contoso.communication.azure.com/", EndpointAlone),
            (
                "InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://a.example/",
                OtherService("Application Insights"),
            ),
            (
                "Endpoint=https://contoso.westeurope-1.eventgrid.azure.net/api/events;AccessKey=c2VjcmV0",
                OtherService("Event Grid"),
            ),
            (
                "https://contoso.westeurope-1.eventgrid.azure.net/api/events",
                OtherService("Event Grid"),
            ),
            (
                "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=x;SharedAccessKey=c2VjcmV0",
                OtherService("Event Hubs, Service Bus or IoT Hub"),
            ),
            (
                "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
                OtherService("a storage account or Cosmos DB"),
            ),
            (
                "Endpoint=https://contoso.service.signalr.net;AccessKey=c2VjcmV0;Version=1.0;",
                OtherService("SignalR"),
            ),
        ] {
            assert_eq!(ConnectionString::parse(text), Err(error), "{text}");
            assert!(!error.to_string().contains("contoso"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|(endpoint=|accesskey=|https://|[a-z0-9.:;/=@\\[\\]])*") {
            let _ = ConnectionString::parse(&text);
        }

        #[test]
        fn any_endpoint_that_is_taken_is_an_authority(rest in "[a-zA-Z0-9.:@/\\[\\]-]{1,40}") {
            if let Ok(authority) = authority(&format!("https://{rest}")) {
                prop_assert!(!authority.contains(['@', '/', ';']));
                prop_assert_eq!(authority.to_ascii_lowercase(), authority);
            }
        }
    }
}
