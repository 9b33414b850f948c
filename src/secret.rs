//! Values that may never be shown.

use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A secret. Its `Debug` does not print it, and it has no `Display`: it can reach a log only through
/// [`Secret::reveal`], which is easy to search for.
///
/// ```
/// use okta_telephony_acs::secret::Secret;
///
/// let secret = Secret::from("correct horse");
/// assert!(!format!("{secret:?}").contains("horse"));
/// assert!(secret.is(b"correct horse") && !secret.is(b"correct"));
/// ```
#[derive(Clone, Debug)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// The bytes themselves, for the one place that needs them.
    pub fn reveal(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// Whether somebody presents this secret. Both are compared as SHA-256 digests in constant time, so
    /// that the time taken tells neither the secret's bytes nor its length.
    pub fn is(&self, presented: &[u8]) -> bool {
        Sha256::digest(presented).ct_eq(&Sha256::digest(self.reveal())).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.reveal())
    }
}

impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        value.as_bytes().to_vec().into()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(value: Vec<u8>) -> Self {
        Self(value.into())
    }
}
