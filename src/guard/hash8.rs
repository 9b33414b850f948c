//! Names for the guard's part of the store.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::records::store_key::StoreKey;

/// Eight bytes of a keyed hash: who, which number or which event, for who has the key and nobody else. With 100,000 of a
/// kind, two are the same once in four billion stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hash8([u8; 8]);

impl Hash8 {
    /// Of Okta's id of a person.
    pub fn of_user(key: &StoreKey, user_id: &str) -> Self {
        Self::of(key, "guard user", user_id)
    }

    /// Of a number in its canonical form.
    pub fn of_number(key: &StoreKey, canonical: &str) -> Self {
        Self::of(key, "guard number", canonical)
    }

    /// Of the block of a number in its canonical form: the number without its last four digits, in which numbers are
    /// given to carriers, and bought in bulk.
    pub fn of_block(key: &StoreKey, canonical: &str) -> Self {
        let end = canonical.len().saturating_sub(4);
        Self::of(key, "guard block", canonical.get(..end).unwrap_or_default())
    }

    /// Of the id of an event of Okta's.
    pub fn of_event(key: &StoreKey, uuid: &str) -> Self {
        Self::of(key, "guard event", uuid)
    }

    fn of(key: &StoreKey, purpose: &str, name: &str) -> Self {
        let hash = key.hash(purpose, &[name.as_bytes()]);
        Self(*hash.first_chunk().expect("a hash is longer"))
    }

    /// A number from 0 to `end`, without it, that is spread evenly.
    pub(super) fn spread(self, end: u32) -> u32 {
        u32::from_le_bytes(*self.0.first_chunk().expect("it is longer")) % end
    }

    /// Any eight bytes, for a simulation.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

/// The first four bytes in hexadecimal, as the operator sees and writes them.
impl fmt::Display for Hash8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0[..4]))
    }
}

impl fmt::Debug for Hash8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}…")
    }
}
