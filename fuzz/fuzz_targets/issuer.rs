//! Any metadata, any keys and any stored value: the keys that come out are the issuer's, and no
//! metadata leads to another host.
#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::callers::bearer::issuer::discovery::{
    LEAST_LIFETIME, LONGEST_LIFETIME, jwks_uri, lifetime,
};
use okta_telephony_acs::callers::bearer::issuer::{Issuer, keys, refresh};
use okta_telephony_acs::ports::{
    Answer, Answered, Body, BodyError, Clock, HttpClient, InFlight, Instant, Log, OutboundRequest,
    Ports, Random, Store, StoreUnavailable, VariableUnavailable, Variables,
};
use okta_telephony_acs::records::store_key::StoreKey;

const ORIGIN: &str = "https://contoso.okta.com";

/// A host whose issuer answers with one document after the other, and whose store has one value.
struct Host<'a> {
    documents: RefCell<Vec<&'a [u8]>>,
    stored: RefCell<Vec<u8>>,
}

impl Variables for Host<'_> {
    fn get(&self, _: &str) -> Result<String, VariableUnavailable> {
        Err(VariableUnavailable)
    }
}

impl Clock for Host<'_> {
    fn instant(&self) -> Instant {
        Instant(Duration::ZERO)
    }

    fn since_1970(&self, _: Instant) -> Duration {
        Duration::from_secs(20_000 * 86_400)
    }

    fn sleep(&self, _: Instant) {}
}

impl Random for Host<'_> {
    fn bytes(&self) -> [u8; 16] {
        [7; 16]
    }
}

impl Store for Host<'_> {
    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(Some(self.stored.borrow().clone()))
    }

    fn set(&self, _: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.stored.replace(value.to_vec());
        Ok(())
    }
}

impl Log for Host<'_> {
    fn print(&self, _: &str) {}
}

impl HttpClient for Host<'_> {
    fn in_flight(&self) -> Box<dyn InFlight + '_> {
        Box::new(Asked { host: self, count: 0 })
    }
}

/// InFlight to the issuer, the newest of which is answered.
struct Asked<'a, 'b> {
    host: &'a Host<'b>,
    count: usize,
}

impl InFlight for Asked<'_, '_> {
    fn send(&mut self, request: &OutboundRequest<'_>, _: Instant) {
        assert!(request.tls && request.authority == "contoso.okta.com");
        self.count += 1;
    }

    fn next(&mut self, _: Instant) -> Option<Answered> {
        let document = self.host.documents.borrow_mut().pop()?;
        Some((self.count - 1, Ok(Box::new(Document(document.to_vec())))))
    }
}

struct Document(Vec<u8>);

impl Answer for Document {
    fn status(&self) -> u16 {
        200
    }

    fn header(&self, _: &'static str) -> Option<String> {
        None
    }
}

impl Body for Document {
    fn read(&mut self, limit: usize, _: Instant) -> Result<Vec<u8>, BodyError> {
        if self.0.len() > limit { Err(BodyError::TooLarge) } else { Ok(self.0.clone()) }
    }
}

fuzz_target!(|input: (&[u8], &[u8], &[u8], &str)| {
    let (stored, metadata, key_set, cache_control) = input;
    let issuer = Issuer::parse(ORIGIN, "").expect("it is one");
    if let Ok(url) = jwks_uri(metadata, &issuer) {
        assert_eq!(url.origin(), ORIGIN);
    }
    let seconds = lifetime(Some(cache_control));
    assert!((LEAST_LIFETIME..=LONGEST_LIFETIME).contains(&seconds));

    let host = Host {
        documents: RefCell::new(vec![key_set, metadata]),
        stored: RefCell::new(stored.to_vec()),
    };
    let ports = Ports {
        variables: &host,
        clock: &host,
        random: &host,
        http: &host,
        store: &host,
        records: &host,
        log: &host,
    };
    let key = StoreKey::derive(b"secret");
    let until = Instant(Duration::from_secs(2));
    match keys(&issuer, |_| true, &key, ports, until) {
        Ok(keys) => assert!(keys.warnings.tampered),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    refresh(&issuer, &key, ports);
});
