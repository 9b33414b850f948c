//! Any text is a rate that prints itself or none, and whatever the store holds, a message counts
//! once.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::policy::limits::{Counters, Limit, Rate, Scope, address};
use okta_telephony_acs::ports::{Store, StoreUnavailable};
use okta_telephony_acs::records::store_key::StoreKey;
use time::OffsetDateTime;

/// A store that holds one value, under every key.
struct Shelf(RefCell<Vec<u8>>);

impl Store for Shelf {
    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(Some(self.0.borrow().clone()))
    }

    fn set(&self, _: &str, value: &[u8]) -> Result<(), StoreUnavailable> {
        self.0.replace(value.to_vec());
        Ok(())
    }
}

fuzz_target!(|input: (&str, u32, Vec<u8>)| {
    let (text, seconds, stored) = input;
    if let Ok(rate) = Rate::parse(text) {
        assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
    }
    if let Some(counted) = address(text) {
        assert!(counted.len() <= 43);
    }
    let now = OffsetDateTime::from_unix_timestamp(seconds.into()).expect("before 2107");
    let key = StoreKey::derive(b"secret");
    let store = Shelf(RefCell::new(stored));
    let rate = Rate::parse("1/1h").expect("a rate");
    let is_enrollment = seconds % 2 == 0;
    let limit = Limit {
        scope: Scope::Number,
        rate,
        is_enrollment,
        is_call: false,
        is_counted: true,
        subject: text.into(),
        weight: 1,
    };
    let mut counters = Counters::new(key.clone(), &store, now);
    assert_eq!(counters.used(&limit), Ok(0));
    assert_eq!(counters.commit(), Ok(()));
    assert_eq!(Counters::new(key.clone(), &store, now).used(&limit), Ok(1));
    assert!(store.0.into_inner().len() <= 1139);
});
