//! What hooks tell those after them of an issuer's keys: the keys, and when they were asked for.
//!
//! Attack: whoever can write to the store has hooks take keys of his own, and signs his own tokens. So a
//! value has an HMAC over all of it, and over the issuer that it is of: what somebody else wrote, or moved
//! there, is not read. Somebody who can write to the store can put an old value back, whose keys then live
//! as long as they would have.
//!
//! Times are those of day, in seconds since 1970; 0 is never.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::store_key::StoreKey;
use crate::ports::{Store, StoreUnavailable};

/// For how long keys are still good after [`IssuerKeys::fresh_until`] if the issuer can't be asked: long
/// enough for a night without anybody who could mend it.
pub const STALE_LIMIT: u64 = 24 * 60 * 60;

/// For how long an issuer that failed, or that another hook asks, is left alone by those who need it.
pub const AFTER_FAILURE: u64 = 5;

/// How far apart requests are that can wait, or that anybody can bring about with a `kid` of his own
/// invention.
pub const ASK_AGAIN: u64 = 60;

/// The bytes of the HMAC before a value.
const CODE: usize = 32;

/// What the HMAC is for, with the number of the format.
const PURPOSE: &str = "issuer keys 1";

/// What is known of an issuer's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerKeys {
    /// When the keys came.
    pub fetched: u64,
    /// Until when they need not be asked for again.
    pub fresh_until: u64,
    /// When somebody last began to ask for them.
    pub asked: u64,
    /// When somebody last asked in vain.
    pub failed: u64,
    /// Where the metadata is, if it has been found.
    pub place: Option<Place>,
    /// The keys, as they came; empty where they have not.
    pub jwks: String,
}

/// A well-known place of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// OpenID Connect Discovery 1.0, section 4: `{issuer}/.well-known/openid-configuration`.
    OpenId,
    /// What Okta has beside it: `{issuer}/.well-known/oauth-authorization-server`.
    OAuth,
    /// RFC 8414, section 3.1: the same before the issuer's path.
    Inserted,
}

impl Place {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::OpenId, Self::OAuth, Self::Inserted];
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The store failed.
    StoreUnavailable,
    /// The value is one that this key did not write for this issuer, or is not whole.
    Tampered,
}

/// The issuer that keys are of, as the store knows it: its URL, and the configured URL of its keys, which
/// may be empty.
#[derive(Clone, Copy)]
pub struct IssuerId<'a>(pub &'a str, pub &'a str);

impl IssuerKeys {
    /// Reads what is known of an issuer's keys, which may be nothing.
    pub fn read(issuer: IssuerId<'_>, key: &StoreKey, store: &dyn Store) -> Result<Self, Unread> {
        match store.get(&issuer.name(key)) {
            Ok(Some(value)) => Self::open(&value, issuer, key).ok_or(Unread::Tampered),
            Ok(None) => Ok(Self::default()),
            Err(_) => Err(Unread::StoreUnavailable),
        }
    }

    /// Writes it down.
    pub fn write(
        &self,
        issuer: IssuerId<'_>,
        key: &StoreKey,
        store: &dyn Store,
    ) -> Result<(), StoreUnavailable> {
        store.set(&issuer.name(key), &self.seal(issuer, key))
    }

    fn open(value: &[u8], issuer: IssuerId<'_>, key: &StoreKey) -> Option<Self> {
        let (code, record) = value.split_first_chunk::<CODE>()?;
        let authentic = issuer.code(record, key).ct_eq(code);
        bool::from(authentic).then(|| postcard::from_bytes(record).ok()).flatten()
    }

    /// The HMAC, and the record in postcard's format.
    fn seal(&self, issuer: IssuerId<'_>, key: &StoreKey) -> Vec<u8> {
        let record = postcard::to_allocvec(self).expect("a vector has room");
        [&issuer.code(&record, key)[..], &record].concat()
    }

    /// Whether the keys need not be asked for. Keys that came in the future came before the clock
    /// went back, and nobody knows how old they are.
    pub fn is_fresh(&self, now: u64) -> bool {
        (self.fetched..self.fresh_until).contains(&now)
    }

    /// Whether the keys are better than none.
    pub fn is_usable(&self, now: u64) -> bool {
        !self.jwks.is_empty() && now < self.fresh_until.saturating_add(STALE_LIMIT)
    }

    /// Whether a hook that has no keys asks: any does, unless the issuer has failed within the last
    /// minute. Then one hook tries now and then, and the others fail at once.
    pub fn may_be_needed(&self, now: u64) -> bool {
        is_past(self.failed, ASK_AGAIN, now) || self.may_be_renewed(now)
    }

    /// Whether nobody asks just now, and nobody has just failed.
    pub fn may_be_renewed(&self, now: u64) -> bool {
        is_past(self.failed, AFTER_FAILURE, now) && is_past(self.asked, AFTER_FAILURE, now)
    }

    /// Whether nobody has asked for a while.
    pub fn may_be_asked_again(&self, now: u64) -> bool {
        is_past(self.asked, ASK_AGAIN, now)
    }

    /// Whether the last tenth of the keys' lifetime has begun, and nobody has asked for a while.
    pub fn refresh_is_due(&self, now: u64) -> bool {
        let tenth = self.fresh_until.saturating_sub(self.fetched) / 10;
        self.is_fresh(now)
            && now >= self.fresh_until.saturating_sub(tenth)
            && self.may_be_asked_again(now)
    }
}

/// Whether `wait` seconds have passed since `then`. A time in the future is one from before the clock
/// went back, and is past.
fn is_past(then: u64, wait: u64, now: u64) -> bool {
    then == 0 || then > now || now - then >= wait
}

impl IssuerId<'_> {
    /// Where the keys are.
    fn name(self, key: &StoreKey) -> String {
        let hash = key.hash("keys", &[self.0.as_bytes(), self.1.as_bytes()]);
        ["okta-telephony-acs/keys/", &HEXLOWER.encode(&hash)].concat()
    }

    /// Authenticates a record, for this issuer only.
    fn code(self, record: &[u8], key: &StoreKey) -> [u8; CODE] {
        key.hash(PURPOSE, &[self.0.as_bytes(), self.1.as_bytes(), record])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ISSUER: IssuerId<'_> = IssuerId("https://contoso.okta.com", "");

    fn key() -> StoreKey {
        StoreKey::derive(b"secret")
    }

    fn keys() -> IssuerKeys {
        IssuerKeys {
            fetched: 1000,
            fresh_until: 2000,
            asked: 990,
            failed: 0,
            place: Some(Place::OAuth),
            jwks: r#"{"keys":[]}"#.into(),
        }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let open = |value: &[u8]| IssuerKeys::open(value, ISSUER, &key());
        for keys in [keys(), IssuerKeys::default()] {
            assert_eq!(open(&keys.seal(ISSUER, &key())), Some(keys));
        }
        let value = keys().seal(ISSUER, &key());
        for at in 0..value.len() {
            let mut changed = value.clone();
            changed[at] ^= 1;
            assert_eq!(open(&changed), None, "{at}");
            assert_eq!(open(&value[..at]), None, "{at}");
        }
        assert_eq!(open(&[&value[..], &[0]].concat()), None);
        for other in [IssuerId("https://contoso.okta.co", "m"), IssuerId(ISSUER.0, ISSUER.0)] {
            assert_eq!(IssuerKeys::open(&value, other, &key()), None);
        }
        assert_eq!(IssuerKeys::open(&value, ISSUER, &StoreKey::derive(b"other")), None);
    }

    #[test]
    fn a_refresh_is_due_in_the_last_tenth_and_not_twice_a_minute() {
        let keys = keys();
        for (now, due) in
            [(999, false), (1000, false), (1899, false), (1900, true), (1999, true), (2000, false)]
        {
            assert_eq!(keys.refresh_is_due(now), due, "{now}");
        }
        let asked = IssuerKeys { asked: 1900, ..keys };
        assert!(!asked.refresh_is_due(1959) && asked.refresh_is_due(1960));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            now: u64,
        ) {
            prop_assert!(IssuerKeys::open(&bytes, ISSUER, &key()).is_none());
            // Authentic, as of another version.
            let value = [&ISSUER.code(&bytes, &key())[..], &bytes].concat();
            if let Some(keys) = IssuerKeys::open(&value, ISSUER, &key()) {
                let _ = (keys.is_fresh(now), keys.is_usable(now), keys.may_be_renewed(now));
                let _ = keys.refresh_is_due(now);
            }
        }
    }
}
