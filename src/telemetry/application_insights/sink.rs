//! `InstrumentationKey=UUID;IngestionEndpoint=https://REGION.in.applicationinsights.azure.com/;…`, as
//! the Azure portal shows it.
//!
//! Lenient where Microsoft's SDKs are: order, case of the keys, spaces around parts, a `;` or `/` at the
//! end, further parts, parts without a value. Strict where a mistake would send telemetry to
//! another place or to none, which no answer tells.

use std::fmt;

use crate::secret::Secret;
use crate::url::{InvalidUrl, Url};

/// Where telemetry goes when the connection string does not say.
const DEFAULT_ENDPOINT: &str = "https://dc.services.visualstudio.com";

/// The path of the endpoint.
const TRACK: &str = "/v2.1/track";

/// A resource of Application Insights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Not a secret in Microsoft's eyes, since it can only write; whoever has it can fill the
    /// operator's log and use up his quota.
    pub(super) instrumentation_key: Secret,
    /// Where items are posted to.
    pub(super) track: Url,
}

/// What is wrong with a connection string. Says what to do, never what the string holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSink {
    /// A part has no `=`.
    NotAPart,
    /// A part is there twice.
    Twice,
    /// `InstrumentationKey` is missing, or not a UUID.
    Key,
    /// `Authorization` is not `ikey`.
    Authorization,
    /// `IngestionEndpoint` is not a URL that may be called.
    Endpoint(InvalidUrl),
    /// `IngestionEndpoint` has a query.
    Query,
    /// `EndpointSuffix` is not a domain, or `Location` not the name of a region.
    Suffix,
}

impl fmt::Display for InvalidSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAPart => {
                "has a part that is not of the form name=value: copy the whole connection string from the resource's Overview page"
            }
            Self::Twice => "has a part twice",
            Self::Key => {
                "must have InstrumentationKey=, of the form 00000000-0000-0000-0000-000000000000"
            }
            Self::Authorization => {
                "must have Authorization=ikey or none: the hook can't get a Microsoft Entra token"
            }
            Self::Endpoint(error) => {
                f.write_str("is wrong: IngestionEndpoint ")?;
                return error.fmt(f);
            }
            Self::Query => "is wrong: IngestionEndpoint must have no query",
            Self::Suffix => {
                "is wrong: EndpointSuffix must be a domain such as applicationinsights.us, and Location letters and digits"
            }
        })
    }
}

impl Sink {
    /// Reads a connection string. Without `IngestionEndpoint` the endpoint is
    /// `https://[Location.]dc.EndpointSuffix` and, without that either, the one that serves all regions
    /// (as in `_connection_string_parser.py` of Microsoft's exporter for Python).
    ///
    /// ```
    /// use okta_telephony_acs::telemetry::application_insights::Sink;
    ///
    /// let sink = Sink::parse(
    ///     "InstrumentationKey=00000000-0000-0000-0000-0000000000AB;\
    ///      IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
    /// )
    /// .unwrap();
    /// assert_eq!(sink.origin(), "https://westeurope-5.in.applicationinsights.azure.com");
    /// ```
    pub fn parse(connection_string: &str) -> Result<Self, InvalidSink> {
        const NAMES: [&str; 5] = [
            "InstrumentationKey",
            "IngestionEndpoint",
            "EndpointSuffix",
            "Location",
            "Authorization",
        ];
        let mut values = [None; NAMES.len()];
        for part in connection_string.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(InvalidSink::NotAPart)?;
            let is_named = |known: &&str| name.trim_end().eq_ignore_ascii_case(known);
            let Some(place) = NAMES.iter().position(is_named) else { continue };
            if values[place].replace(value.trim_start()).is_some() {
                return Err(InvalidSink::Twice);
            }
        }
        let [key, endpoint, suffix, location, authorization] =
            values.map(Option::unwrap_or_default);
        if !is_uuid(key) {
            return Err(InvalidSink::Key);
        }
        if !authorization.is_empty() && !authorization.eq_ignore_ascii_case("ikey") {
            return Err(InvalidSink::Authorization);
        }
        let mut track = match (endpoint, suffix) {
            ("", "") => Url::parse(DEFAULT_ENDPOINT).map_err(InvalidSink::Endpoint)?,
            ("", suffix) => at_suffix(location, suffix).ok_or(InvalidSink::Suffix)?,
            (endpoint, _) => Url::parse(endpoint).map_err(InvalidSink::Endpoint)?,
        };
        if track.path_and_query.contains('?') {
            return Err(InvalidSink::Query);
        }
        track.path_and_query = [track.path_and_query.trim_end_matches('/'), TRACK].concat();
        // In lower case: Microsoft's exporter for Python takes no other.
        Ok(Self { instrumentation_key: key.to_ascii_lowercase().as_str().into(), track })
    }

    /// Scheme, host and port: what a host must list of those that may be called.
    pub fn origin(&self) -> String {
        self.track.origin()
    }
}

/// The endpoint in a cloud of its own. Stray dots are overlooked and a location is letters and digits,
/// as in Microsoft's exporter for .NET.
fn at_suffix(location: &str, suffix: &str) -> Option<Url> {
    let location = location.trim_end_matches('.');
    if !location.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let dot = if location.is_empty() { "" } else { "." };
    let suffix = suffix.trim_matches('.');
    let url = Url::parse(&["https://", location, dot, "dc.", suffix].concat()).ok()?;
    url.path_and_query.is_empty().then_some(url)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef";

    /// Where items go, with the instrumentation key that they have.
    fn read(text: &str) -> Result<(String, String), InvalidSink> {
        let sink = Sink::parse(text)?;
        let key = String::from_utf8(sink.instrumentation_key.reveal().to_vec()).unwrap();
        Ok(([&sink.origin(), sink.track.path_and_query.as_str()].concat(), key))
    }

    #[test]
    fn what_microsofts_sdks_tolerate_is_tolerated() {
        let url = "https://westeurope-5.in.applicationinsights.azure.com/v2.1/track";
        for text in [
            "InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/;LiveEndpoint=https://westeurope.livediagnostics.monitor.azure.com/;ApplicationId=11111111-0000-0000-0000-000000000000",
            "InstrumentationKey=0A1B2C3D-0000-4000-8000-0000000000EF;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com",
            "instrumentationkey=0a1b2c3d-0000-4000-8000-0000000000ef;INGESTIONENDPOINT=HTTPS://WestEurope-5.in.applicationinsights.azure.com:443//;",
            " IngestionEndpoint = https://westeurope-5.in.applicationinsights.azure.com/ ;; InstrumentationKey = 0a1b2c3d-0000-4000-8000-0000000000ef ",
            "Authorization=iKey;InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
            "Authorization=;InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/;EndpointSuffix=applicationinsights.us;Location=x y",
            "AADAudience=https://monitor.azure.com/;a=1;a=2;InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
        ] {
            let expected = (url.to_owned(), "0a1b2c3d-0000-4000-8000-0000000000ef".to_owned());
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_endpoint_is_found_as_microsofts_sdks_find_it() {
        for (rest, expected) in [
            ("", "https://dc.services.visualstudio.com/v2.1/track"),
            (";IngestionEndpoint=", "https://dc.services.visualstudio.com/v2.1/track"),
            (";Location=westus2", "https://dc.services.visualstudio.com/v2.1/track"),
            (
                ";EndpointSuffix=applicationinsights.us",
                "https://dc.applicationinsights.us/v2.1/track",
            ),
            (
                ";EndpointSuffix=applicationinsights.azure.cn;Location=chinaeast2",
                "https://chinaeast2.dc.applicationinsights.azure.cn/v2.1/track",
            ),
            (
                ";EndpointSuffix=.ai.contoso.com.;Location=westus2.",
                "https://westus2.dc.ai.contoso.com/v2.1/track",
            ),
            (";IngestionEndpoint=https://a.example/ingest", "https://a.example/ingest/v2.1/track"),
            (";IngestionEndpoint=https://a.example/b/c//", "https://a.example/b/c/v2.1/track"),
            (";IngestionEndpoint=https://a.example:8443/", "https://a.example:8443/v2.1/track"),
            (";IngestionEndpoint=http://127.0.0.1:9411/", "http://127.0.0.1:9411/v2.1/track"),
            (";IngestionEndpoint=http://localhost:9411", "http://localhost:9411/v2.1/track"),
        ] {
            let read = read(&[KEY, rest].concat()).map(|(url, _)| url);
            assert_eq!(read.as_deref(), Ok(expected), "{rest}");
        }
    }

    #[test]
    fn what_would_send_to_another_place_or_none_is_an_error() {
        use InvalidSink::*;
        for (text, error) in [
            ("", Key),
            ("IngestionEndpoint=https://a.example/", Key),
            ("InstrumentationKey=", Key),
            ("InstrumentationKey=0a1b2c3d000040008000000000000000", Key),
            ("InstrumentationKey={0a1b2c3d-0000-4000-8000-0000000000ef}", Key),
            ("InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000e", Key),
            ("InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000eg", Key),
            ("InstrumentationKey=0a1b2c3d-0000-4000-80000-000000000ef", Key),
            ("InstrumentationKey=0a1b2c3d-0000-4000-8000-00000000000\u{e9}", Key),
            ("\"InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef\"", Key),
            ("0a1b2c3d-0000-4000-8000-0000000000ef", NotAPart),
        ] {
            assert_eq!(Sink::parse(text), Err(error), "{text}");
        }
        for (rest, error) in [
            (";IngestionEndpoint", NotAPart),
            (";instrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef", Twice),
            (";IngestionEndpoint=https://a.example;IngestionEndpoint=https://a.example", Twice),
            (";Authorization=aad", Authorization),
            (";Authorization=Bearer", Authorization),
            (";IngestionEndpoint=a.example", Endpoint(InvalidUrl::Scheme)),
            (";IngestionEndpoint=http://a.example/", Endpoint(InvalidUrl::Scheme)),
            (";IngestionEndpoint=https://", Endpoint(InvalidUrl::Host)),
            (";IngestionEndpoint=https://user:password@a.example/", Endpoint(InvalidUrl::More)),
            (";IngestionEndpoint=https://a.example/a b", Endpoint(InvalidUrl::Path)),
            (";IngestionEndpoint=https://a.example/?a=b", Query),
            (";EndpointSuffix=a.example/path", Suffix),
            (";EndpointSuffix=https://a.example", Suffix),
            (";EndpointSuffix=a.example?", Suffix),
            (";EndpointSuffix=user@a.example", Suffix),
            (";EndpointSuffix=a.example;Location=evil.example/", Suffix),
            (";EndpointSuffix=a.example;Location=west-us", Suffix),
        ] {
            assert_eq!(Sink::parse(&[KEY, rest].concat()), Err(error), "{rest}");
        }
    }

    #[test]
    fn the_key_is_in_neither_debug_nor_errors() {
        let sink = Sink::parse(KEY).unwrap();
        assert!(!format!("{sink:?}").contains("0a1b2c3d"));
        for text in [
            format!("{KEY};{KEY}"),
            format!("{KEY};x"),
            format!("{KEY}0"),
            format!("{KEY};Authorization=aad"),
        ] {
            let error = Sink::parse(&text).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("0a1b2c3d"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "\\PC*|(InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;)?(IngestionEndpoint=|EndpointSuffix=|Location=|https://|[a-z0-9.:;/=@\\[\\]])*"
        ) {
            if let Ok(sink) = Sink::parse(&text) {
                prop_assert!(sink.track.path_and_query.ends_with("/v2.1/track"));
                prop_assert!(Url::parse(&sink.origin()).is_ok());
            }
        }
    }
}
