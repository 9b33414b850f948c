//! What hooks tell those after them of an issuer's keys: the keys, and when they were asked for.
//! Times are those of day, in seconds since 1970; 0 is never.

use super::discovery::Place;

/// How long the keys hold at least. What the issuer says may be less, or 0: then each hook would ask.
pub const LEAST_LIFETIME: u64 = 5 * 60;

/// How long they hold at most: a key that the issuer has withdrawn must go some time.
pub const LONGEST_LIFETIME: u64 = 24 * 60 * 60;

/// For how long after that they are still good if the issuer can't be asked: long enough for a night
/// without anybody who could mend it.
pub const STALE_LIMIT: u64 = 24 * 60 * 60;

/// For how long an issuer that failed, or that another hook asks, is left alone by those who need it.
pub const AFTER_FAILURE: u64 = 5;

/// How far apart requests are that can wait, or that anybody can bring about with a `kid` of his own
/// invention.
pub const ASK_AGAIN: u64 = 60;

/// The first byte: another one is another format.
const VERSION: u8 = 1;

const TIMES: usize = 4;

/// Version, code, times and place.
const HEAD: usize = 1 + CODE + TIMES * 8 + 1;

/// The bytes of the code of authentication.
const CODE: usize = 32;

/// What is known of an issuer's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
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
    pub jwks: Vec<u8>,
}

impl Entry {
    /// Reads what [`Entry::bytes`] wrote. `code` authenticates what comes after it; anything else,
    /// or with another code, is nothing.
    pub fn parse(bytes: &[u8], code: impl Fn(&[u8]) -> [u8; CODE]) -> Option<Self> {
        use subtle::ConstantTimeEq;
        let (version, rest) = bytes.split_first()?;
        let (said, rest) = rest.split_at_checked(CODE)?;
        if *version != VERSION || !bool::from(code(rest).ct_eq(said)) {
            return None;
        }
        let (times, rest) = rest.split_at_checked(TIMES * 8)?;
        let (place, jwks) = rest.split_first()?;
        let mut times = times
            .chunks_exact(8)
            .map(|bytes| bytes.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte)));
        Some(Self {
            fetched: times.next()?,
            fresh_until: times.next()?,
            asked: times.next()?,
            failed: times.next()?,
            place: match place {
                0 => None,
                number => Some(Place::ALL.into_iter().find(|place| *place as u8 == *number)?),
            },
            jwks: jwks.to_vec(),
        })
    }

    /// For the store: the version, the code, then the times, big-endian, the place and the keys.
    pub fn bytes(&self, code: impl Fn(&[u8]) -> [u8; CODE]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.jwks.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&[0; CODE]);
        for time in [self.fetched, self.fresh_until, self.asked, self.failed] {
            bytes.extend_from_slice(&time.to_be_bytes());
        }
        bytes.push(self.place.map_or(0, |place| place as u8));
        bytes.extend_from_slice(&self.jwks);
        let code = code(&bytes[1 + CODE..]);
        bytes[1..=CODE].copy_from_slice(&code);
        bytes
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

/// How long keys hold by the `Cache-Control` they came with (RFC 9111, section 5.2.2), in seconds.
/// An issuer that says nothing of use gets the least.
pub fn lifetime(cache_control: Option<&str>) -> u64 {
    let mut longest = None;
    for directive in cache_control.unwrap_or_default().split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return LEAST_LIFETIME;
        }
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        if name.eq_ignore_ascii_case("max-age") && digits {
            // What has too many digits is long.
            let seconds = value.parse().unwrap_or(u64::MAX);
            longest = Some(longest.map_or(seconds, |longest: u64| longest.min(seconds)));
        }
    }
    longest.unwrap_or(0).clamp(LEAST_LIFETIME, LONGEST_LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(bytes: &[u8]) -> [u8; CODE] {
        crate::records::store_key::StoreKey::derive(b"secret").hash("test", &[bytes])
    }

    fn entry() -> Entry {
        let jwks = br#"{"keys":[]}"#.to_vec();
        Entry {
            fetched: 1000,
            fresh_until: 2000,
            asked: 990,
            failed: 0,
            place: Some(Place::OAuth),
            jwks,
        }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let bytes = entry().bytes(code);
        assert_eq!(bytes.len(), HEAD + entry().jwks.len());
        assert_eq!(Entry::parse(&bytes, code), Some(entry()));
        assert_eq!(Entry::parse(&Entry::default().bytes(code), code), Some(Entry::default()));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(Entry::parse(&changed, code), None, "{at}");
            assert_eq!(Entry::parse(&bytes[..at], code), None, "{at}");
        }
        assert_eq!(Entry::parse(&[bytes, vec![0]].concat(), code), None);
    }

    #[test]
    fn keys_hold_as_long_as_cache_control_says_between_five_minutes_and_a_day() {
        for (said, expected) in [
            (None, 300),
            (Some(""), 300),
            (Some("max-age=3600"), 3600),
            (Some("private, Max-Age=\"3600\" , must-revalidate"), 3600),
            (Some("max-age=7200, max-age=3600"), 3600),
            (Some("max-age=0"), 300),
            (Some("max-age=299"), 300),
            (Some("max-age=5184000"), 86_400),
            (Some("max-age=99999999999999999999999"), 86_400),
            (Some("max-age=-1"), 300),
            (Some("max-age=+3600"), 300),
            (Some("max-age"), 300),
            (Some("s-maxage=3600"), 300),
            (Some("max-age=3600, no-store"), 300),
            (Some("NO-CACHE, max-age=3600"), 300),
        ] {
            assert_eq!(lifetime(said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_refresh_is_due_in_the_last_tenth_and_not_twice_a_minute() {
        let entry = entry();
        for (now, due) in
            [(999, false), (1000, false), (1899, false), (1900, true), (1999, true), (2000, false)]
        {
            assert_eq!(entry.refresh_is_due(now), due, "{now}");
        }
        let asked = Entry { asked: 1900, ..entry };
        assert!(!asked.refresh_is_due(1959) && asked.refresh_is_due(1960));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_none(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            now: u64,
        ) {
            let sealed = [&[VERSION], code(&bytes).as_slice(), &bytes].concat();
            prop_assert!(Entry::parse(&bytes, code).is_none());
            if let Some(entry) = Entry::parse(&sealed, code) {
                let _ = (entry.is_fresh(now), entry.is_usable(now), entry.may_be_renewed(now));
                let _ = entry.refresh_is_due(now);
                prop_assert_eq!(entry.bytes(code), sealed);
            }
        }

        #[test]
        fn any_cache_control_is_within_the_bounds(said in "\\PC*|(max-age=|no-|[0-9]{1,25}|[,\" ])*") {
            prop_assert!((LEAST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime(Some(&said))));
        }
    }
}
