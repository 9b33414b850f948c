//! The key under which names are hashed before they go into the store.
//!
//! Attack: a copy of the store, as in a backup, tells whom the hook sent passcodes. Hashing numbers
//! does not prevent that: there are some 10^10 of them, and one computer hashes all within minutes. It
//! takes a key that the store does not hold.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What the secret makes the key of. The secret may be the ACS access key, which signs requests:
/// none of those begins like this.
const LABEL: &[u8] = b"okta-telephony-acs store key 1";

/// Hashes names for the store. It is made from the setting `store.secret`, or from the access key
/// of the first provider where that is not set. Another secret makes other hashes, by which nothing that the store holds
/// is found again: all counters start afresh.
///
/// It is HMAC with the key already in it, which is half of the work of a hash.
#[derive(Clone)]
pub struct StoreKey(Hmac<Sha256>);

impl StoreKey {
    /// Makes the key from a secret of any length. From an empty one it is a key that everybody has.
    pub fn derive(secret: &[u8]) -> Self {
        Self(keyed(&keyed(secret).chain_update(LABEL).finalize().into_bytes()))
    }

    /// HMAC-SHA-256 of a purpose and the parts of a name, each after its length in bytes as 64 bits,
    /// little-endian: no two purposes share a hash, and no two lists of parts are the same bytes.
    pub fn hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey([redacted])")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104, section 2).
    Hmac::new_from_slice(key).expect("any length is a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hmac.
    #[test]
    fn the_key_and_its_hashes_never_change() {
        let key = StoreKey::derive(b"secret");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&key.hash("limit", &[b"a", b"bc"])),
            "b47f90c8f3f702babb54b6e855fbae09fadf62fd32a7d135343ddcfcf08711d4"
        );
    }

    #[test]
    fn another_secret_purpose_or_split_makes_another_hash() {
        let key = StoreKey::derive(b"secret");
        let hash = key.hash("limit", &[b"a", b"bc"]);
        assert_ne!(hash, StoreKey::derive(b"secret2").hash("limit", &[b"a", b"bc"]));
        assert_ne!(hash, StoreKey::derive(b"").hash("limit", &[b"a", b"bc"]));
        assert_ne!(hash, key.hash("delivery", &[b"a", b"bc"]));
        assert_ne!(hash, key.hash("limit", &[b"ab", b"c"]));
        assert_ne!(hash, key.hash("limit", &[b"abc"]));
        assert_ne!(hash, key.hash("limit", &[b"a", b"bc", b""]));
        assert_ne!(hash, key.hash("limita", &[b"bc"]));
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", StoreKey::derive(b"secret")), "StoreKey([redacted])");
    }
}
