//! The issuer's keys, a JSON Web Key Set (RFC 7517), and the signatures they verify (RFC 7518).
//!
//! The attack: to have a token verified by a key that is not for it, such as one for encryption, one of
//! another algorithm, or one that is weak enough to be broken. Public keys only: whatever needs a
//! private one is out of bounds here (docs/decisions.md).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p256::EncodedPoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use sha2::{Digest, Sha256};

use super::Algorithm;
use super::json::{Members, Unreadable, Value};

/// The most bytes of a key set. Entra's, with its certificates, have about 20,000.
pub const JWKS_LIMIT: usize = 64 * 1024;

/// The most keys in a set. Okta's have one or two, Entra's under ten.
pub const KEY_LIMIT: usize = 32;

/// The most keys of one `kid` that are tried.
const TRIES: usize = 4;

/// The lengths of an RSA modulus in bits: at least 2048 (RFC 7518, section 3.3), and no more than what
/// is verified in a few milliseconds.
const MODULUS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The least public exponent of an RSA key (FIPS 186-5, section 5.1). The most is the crate's own,
/// 33 bits.
const LEAST_EXPONENT: u32 = 65537;

/// The keys of an issuer. Those of no use here are kept by their names only.
pub struct Jwks(Vec<Jwk>);

struct Jwk {
    id: Option<String>,
    key: Option<PublicKey>,
}

pub(super) enum PublicKey {
    Rsa(RsaPublicKey),
    P256(VerifyingKey),
}

/// Why a key set can't be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidJwks {
    /// More bytes than [`JWKS_LIMIT`].
    TooLong,
    /// Not a JSON object with a list of objects as `keys`.
    NotAKeySet,
    /// A member that is read is there twice.
    DuplicateMember,
    /// More keys than [`KEY_LIMIT`].
    TooManyKeys,
}

impl fmt::Display for InvalidJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the issuer's key set has more than 64 KiB",
            Self::NotAKeySet => {
                "the issuer's key set is not a JSON Web Key Set: see what is at its jwks_uri"
            }
            Self::DuplicateMember => "the issuer's key set has a member twice",
            Self::TooManyKeys => "the issuer's key set has more than 32 keys",
        })
    }
}

impl std::error::Error for InvalidJwks {}

/// Why a token's signature is not accepted. Its text is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// No key of the set is the token's: the issuer may have a newer set.
    UnknownKey,
    /// The token names no key, and several would fit.
    AmbiguousKey,
    /// The key that the token names is not one for its algorithm, or not one for signatures, or too
    /// weak.
    UnusableKey,
    /// The signature is not of that key and that token.
    WrongSignature,
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKey => {
                "the bearer token is signed with a key that is not among those of okta_oauth_issuer"
            }
            Self::AmbiguousKey => {
                "the bearer token has no kid, and several keys of okta_oauth_issuer fit its algorithm"
            }
            Self::UnusableKey => {
                "the key of the bearer token is not one for its algorithm: okta_oauth_issuer must sign \
                 with RSA keys of 2048 to 4096 bits (RS256) or P-256 keys (ES256)"
            }
            Self::WrongSignature => {
                "the bearer token's signature is wrong: okta_oauth_issuer has not signed it"
            }
        })
    }
}

impl std::error::Error for SignatureFault {}

impl Jwks {
    /// Reads a key set. A key that is not understood, or is too weak, spoils no other (RFC 7517,
    /// section 5).
    pub fn parse(json: &[u8]) -> Result<Self, InvalidJwks> {
        if json.len() > JWKS_LIMIT {
            return Err(InvalidJwks::TooLong);
        }
        let text = str::from_utf8(json).map_err(|_| InvalidJwks::NotAKeySet)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let keys = KeySet.deserialize(&mut deserializer).map_err(Unreadable::from)?;
        deserializer.end().map_err(Unreadable::from)?;
        match keys {
            None => Err(InvalidJwks::NotAKeySet),
            Some(keys) if keys.len() > KEY_LIMIT => Err(InvalidJwks::TooManyKeys),
            Some(keys) => Ok(Self(keys)),
        }
    }

    /// Whether a key of this name is among them, be it of use or not.
    #[cfg(test)]
    pub fn has(&self, id: Option<&str>) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == id)
    }

    /// The keys that a token may be signed with, one at least.
    pub(super) fn fitting(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<impl Iterator<Item = &PublicKey>, SignatureFault> {
        let named = move || {
            self.0.iter().filter(move |jwk| key_id.is_none() || jwk.id.as_deref() == key_id)
        };
        let fitting = named()
            .filter_map(|jwk| jwk.key.as_ref())
            .filter(move |key| key.algorithm() == algorithm);
        match (key_id, fitting.clone().count()) {
            (None, 0) => return Err(SignatureFault::UnknownKey),
            (None, 1) | (Some(_), 1..) => {}
            (None, _) => return Err(SignatureFault::AmbiguousKey),
            (Some(_), 0) if named().next().is_none() => return Err(SignatureFault::UnknownKey),
            (Some(_), 0) => return Err(SignatureFault::UnusableKey),
        }
        Ok(fitting)
    }

    pub(super) fn verify(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        let mut fitting = self.fitting(key_id, algorithm)?.take(TRIES);
        let digest = Sha256::digest(signed);
        if fitting.any(|key| key.verifies(&digest, signature)) {
            Ok(())
        } else {
            Err(SignatureFault::WrongSignature)
        }
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwks({})", self.0.len())
    }
}

impl PublicKey {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
        }
    }

    fn verifies(&self, digest: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature).is_ok(),
            // r and s, each of 32 bytes, and not DER. Either of the two s that fit will do (RFC 7518,
            // section 3.4).
            Self::P256(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
        }
    }
}

const MEMBERS: [&str; 10] = ["kid", "kty", "alg", "use", "key_ops", "n", "e", "crv", "x", "y"];

fn jwk([kid, kty, alg, r#use, key_ops, n, e, crv, x, y]: [Option<Value<'_>>; 10]) -> Jwk {
    let id = match kid {
        None => None,
        Some(Value::Text(kid)) => Some(kid.into_owned()),
        Some(_) => return Jwk { id: None, key: None },
    };
    let for_signatures = text(&r#use).is_none_or(|r#use| r#use == Ok("sig"));
    let for_verifying = match &key_ops {
        None => true,
        Some(Value::Texts(operations)) => operations.iter().any(|one| one == "verify"),
        Some(_) => false,
    };
    let alg = text(&alg);
    let key = match (text(&kty), text(&crv)) {
        _ if !for_signatures || !for_verifying => None,
        (Some(Ok("RSA")), _) if alg.is_none_or(|alg| alg == Ok("RS256")) => rsa_key(&n, &e),
        (Some(Ok("EC")), Some(Ok("P-256"))) if alg.is_none_or(|alg| alg == Ok("ES256")) => {
            p256_key(&x, &y)
        }
        _ => None,
    };
    Jwk { id, key }
}

/// Nothing, a text, or something that should be one.
fn text<'v>(member: &'v Option<Value<'_>>) -> Option<Result<&'v str, ()>> {
    member.as_ref().map(|value| value.as_text().ok_or(()))
}

fn rsa_key(n: &Option<Value<'_>>, e: &Option<Value<'_>>) -> Option<PublicKey> {
    let modulus = BigUint::from_bytes_be(&decode(n)?);
    let exponent = BigUint::from_bytes_be(&decode(e)?);
    if !MODULUS.contains(&modulus.bits()) || exponent < BigUint::from(LEAST_EXPONENT) {
        return None;
    }
    // Takes odd ones only, and no exponent that would take long.
    RsaPublicKey::new(modulus, exponent).ok().map(PublicKey::Rsa)
}

fn p256_key(x: &Option<Value<'_>>, y: &Option<Value<'_>>) -> Option<PublicKey> {
    // 32 bytes each, zeros in front included (RFC 7518, section 6.2.1.2).
    let x: [u8; 32] = decode(x)?.try_into().ok()?;
    let y: [u8; 32] = decode(y)?.try_into().ok()?;
    let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    // Takes points on the curve only.
    VerifyingKey::from_encoded_point(&point).ok().map(PublicKey::P256)
}

fn decode(member: &Option<Value<'_>>) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(member.as_ref()?.as_text()?).ok()
}

/// Reads the `keys` of an object, if it has any, and one more than the limit at most.
struct KeySet;

impl<'de> DeserializeSeed<'de> for KeySet {
    type Value = Option<Vec<Jwk>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for KeySet {
    type Value = Option<Vec<Jwk>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = None;
        while let Some(name) = map.next_key::<Value<'de>>()? {
            if name.as_text() != Some("keys") {
                map.next_value::<IgnoredAny>()?;
            } else if keys.replace(map.next_value_seed(Keys)?).is_some() {
                return Err(A::Error::duplicate_field("keys"));
            }
        }
        Ok(keys)
    }
}

struct Keys;

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = Vec<Jwk>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<Jwk>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while keys.len() <= KEY_LIMIT {
            match seq.next_element_seed(Members(MEMBERS))? {
                Some(members) => keys.push(jwk(members)),
                None => return Ok(keys),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(keys)
    }
}

impl From<Unreadable> for InvalidJwks {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NotAnObject => Self::NotAKeySet,
            Unreadable::DuplicateMember => Self::DuplicateMember,
        }
    }
}
