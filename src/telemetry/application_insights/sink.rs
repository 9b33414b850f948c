//! `InstrumentationKey=UUID;IngestionEndpoint=https://REGION.in.applicationinsights.azure.com/;…`, as
//! the Azure portal shows it.
//!
//! Lenient where Microsoft's SDKs are: order, case of the keys, spaces around parts, a `;` or `/` at the
//! end, further parts. Strict where a mistake would send telemetry to another place or to none, which no
//! answer tells: so `IngestionEndpoint` is needed, which the portal always shows.

use uuid::Uuid;

use crate::pasted::{clean, in_one_line};
use crate::secret::Secret;
use crate::url::{InvalidUrl, Url};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSink {
    /// A part has no `=`.
    #[error(
        "has a part that is not of the form name=value: copy the whole connection string from the resource's Overview page"
    )]
    NotAPart,
    /// It is one of Azure Communication Services.
    #[error(
        "is the connection string of a Communication Services resource: copy that of the Application Insights \
         resource, from its Overview page"
    )]
    OfCommunicationServices,
    /// A part is there twice.
    #[error("has a part twice")]
    Twice,
    /// `InstrumentationKey` is missing, or not a UUID.
    #[error("must have InstrumentationKey=, of the form 00000000-0000-0000-0000-000000000000")]
    Key,
    /// `Authorization` is not `ikey`.
    #[error("must have Authorization=ikey or none: the hook can't get a Microsoft Entra token")]
    Authorization,
    /// `IngestionEndpoint` is missing, or not a URL that may be called.
    #[error("is wrong: IngestionEndpoint {0}")]
    Endpoint(InvalidUrl),
    /// `IngestionEndpoint` has a query.
    #[error("is wrong: IngestionEndpoint must have no query")]
    Query,
}

impl Sink {
    /// Reads a connection string.
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
        const NAMES: [&str; 3] = ["InstrumentationKey", "IngestionEndpoint", "Authorization"];
        let mut values = [const { None }; NAMES.len()];
        let text = in_one_line(connection_string);
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(InvalidSink::NotAPart)?;
            let is_named = |known: &&str| name.trim_end().eq_ignore_ascii_case(known);
            if is_named(&"accesskey") {
                return Err(InvalidSink::OfCommunicationServices);
            }
            let Some(place) = NAMES.iter().position(is_named) else { continue };
            if values[place].replace(clean(value)).is_some() {
                return Err(InvalidSink::Twice);
            }
        }
        let [key, endpoint, authorization] = values.map(Option::unwrap_or_default);
        // In lower case: Microsoft's exporter for Python takes no other.
        let key = key.to_ascii_lowercase();
        if !Uuid::try_parse(&key).is_ok_and(|uuid| uuid.to_string() == key) {
            return Err(InvalidSink::Key);
        }
        if !authorization.is_empty() && !authorization.eq_ignore_ascii_case("ikey") {
            return Err(InvalidSink::Authorization);
        }
        let mut track = Url::parse(&endpoint).map_err(InvalidSink::Endpoint)?;
        if track.path_and_query.contains('?') {
            return Err(InvalidSink::Query);
        }
        track.path_and_query = [track.path_and_query.trim_end_matches('/'), TRACK].concat();
        Ok(Self { instrumentation_key: key.as_str().into(), track })
    }

    /// Scheme, host and port: what a host must list of those that may be called.
    pub fn origin(&self) -> String {
        self.track.origin()
    }
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
            "Authorization=;InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/;EndpointSuffix=;Location=x y",
            "InstrumentationKey=\"0a1b2c3d-0000-4000-8000-0000000000ef\";\r\nIngestionEndpoint=\u{feff}https://westeurope-5.in.\r\n  applicationinsights.azure.com/",
            "InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef\nIngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/\n",
            "AADAudience=https://monitor.azure.com/;a=1;a=2;InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
        ] {
            let expected = (url.to_owned(), "0a1b2c3d-0000-4000-8000-0000000000ef".to_owned());
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn items_go_below_the_endpoint() {
        for (rest, expected) in [
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
            (
                "endpoint=https://contoso.communication.azure.com/;AccessKey=c2VjcmV0",
                OfCommunicationServices,
            ),
        ] {
            assert_eq!(Sink::parse(text), Err(error), "{text}");
        }
        for (rest, error) in [
            (";IngestionEndpoint", NotAPart),
            (";instrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef", Twice),
            (";IngestionEndpoint=https://a.example;IngestionEndpoint=https://a.example", Twice),
            (";Authorization=aad", Authorization),
            (";Authorization=Bearer", Authorization),
            ("", Endpoint(InvalidUrl::Scheme)),
            (";IngestionEndpoint=", Endpoint(InvalidUrl::Scheme)),
            (";EndpointSuffix=applicationinsights.us", Endpoint(InvalidUrl::Scheme)),
            (";IngestionEndpoint=a.example", Endpoint(InvalidUrl::Scheme)),
            (";IngestionEndpoint=http://a.example/", Endpoint(InvalidUrl::Scheme)),
            (";IngestionEndpoint=https://", Endpoint(InvalidUrl::Host)),
            (";IngestionEndpoint=https://user:password@a.example/", Endpoint(InvalidUrl::More)),
            (";IngestionEndpoint=https://a.example/a b", Endpoint(InvalidUrl::Path)),
            (";IngestionEndpoint=https://a.example/?a=b", Query),
        ] {
            assert_eq!(Sink::parse(&[KEY, rest].concat()), Err(error), "{rest}");
        }
    }

    #[test]
    fn the_key_is_in_neither_debug_nor_errors() {
        let whole = format!("{KEY};IngestionEndpoint=https://a.example");
        let sink = Sink::parse(&whole).unwrap();
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
            text in "\\PC*|(InstrumentationKey=0a1b2c3d-0000-4000-8000-0000000000ef;)?(IngestionEndpoint=|https://|[a-z0-9.:;/=@\\[\\]])*"
        ) {
            if let Ok(sink) = Sink::parse(&text) {
                prop_assert!(sink.track.path_and_query.ends_with("/v2.1/track"));
                prop_assert!(Url::parse(&sink.origin()).is_ok());
            }
        }
    }
}
