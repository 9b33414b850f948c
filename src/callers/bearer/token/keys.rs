//! The issuer's keys, a JSON Web Key Set (RFC 7517), and the signatures they verify (RFC 7518).
//!
//! The attack: to have a token verified by a key that is not for it, such as one for encryption, one of
//! another algorithm, or one that is weak enough to be broken. Public keys only: whatever needs a
//! private one is out of bounds here (docs/contributing/decisions.md).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p256::EncodedPoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Algorithm;
use crate::callers::bearer::member::Member;
use crate::json::{self, Value};

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
                "the bearer token is signed with a key that is not among those of oauth.issuer"
            }
            Self::AmbiguousKey => {
                "the bearer token has no kid, and several keys of oauth.issuer fit its algorithm"
            }
            Self::UnusableKey => {
                "the key of the bearer token is not one for its algorithm: oauth.issuer must sign with RSA keys of \
                 2048 to 4096 bits (RS256) or P-256 keys (ES256)"
            }
            Self::WrongSignature => {
                "the bearer token's signature is wrong: oauth.issuer has not signed it"
            }
        })
    }
}

impl Jwks {
    /// Reads a key set. A key that is not understood, or is too weak, spoils no other (RFC 7517,
    /// section 5). `None` where the text is no such set, has a member twice that is read, or more keys
    /// than [`KEY_LIMIT`].
    pub fn parse(json: &[u8]) -> Option<Self> {
        let Set { keys } = json::read(json).ok()?;
        if keys.len() > KEY_LIMIT {
            return None;
        }
        keys.into_iter().map(|key| key.into_object().map(jwk)).collect::<Option<_>>().map(Self)
    }

    /// Whether one of them could verify anything.
    pub fn is_of_use(&self) -> bool {
        self.0.iter().any(|jwk| jwk.key.is_some())
    }

    /// Whether a key of this name is among them, be it of use or not.
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// Checks a signature by the keys that a token may be signed with.
    pub(super) fn verify(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        let is_named = |jwk: &&Jwk| key_id.is_none() || jwk.id.as_deref() == key_id;
        let named: Vec<_> = self.0.iter().filter(is_named).collect();
        let fitting: Vec<_> = named
            .iter()
            .filter_map(|jwk| jwk.key.as_ref())
            .filter(|key| key.algorithm() == algorithm)
            .collect();
        match (key_id, fitting.len()) {
            (Some(_), 0) if !named.is_empty() => return Err(SignatureFault::UnusableKey),
            (_, 0) => return Err(SignatureFault::UnknownKey),
            (None, 2..) => return Err(SignatureFault::AmbiguousKey),
            _ => {}
        }
        let digest = Sha256::digest(signed);
        if fitting.iter().take(TRIES).any(|key| key.verifies(&digest, signature)) {
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

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value<Members>>,
}

/// What is read of a key.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    kid: Member,
    kty: Member,
    alg: Member,
    r#use: Member,
    key_ops: Member,
    n: Member,
    e: Member,
    crv: Member,
    x: Member,
    y: Member,
}

fn jwk(members: Members) -> Jwk {
    let Members { kid, kty, alg, r#use, key_ops, n, e, crv, x, y } = members;
    let id = match kid {
        Member::Missing => None,
        Member::Text(kid) => Some(kid),
        _ => return Jwk { id: None, key: None },
    };
    let for_signatures = (r#use.is_missing() || r#use.is("sig"))
        && (key_ops.is_missing() || key_ops.lists("verify"));
    let may_be = |algorithm| alg.is_missing() || alg.is(algorithm);
    let key = match kty.text() {
        _ if !for_signatures => None,
        Some("RSA") if may_be("RS256") => rsa_key(&n, &e),
        Some("EC") if may_be("ES256") && crv.is("P-256") => p256_key(&x, &y),
        _ => None,
    };
    Jwk { id, key }
}

fn rsa_key(n: &Member, e: &Member) -> Option<PublicKey> {
    let modulus = BigUint::from_bytes_be(&decode(n)?);
    let exponent = BigUint::from_bytes_be(&decode(e)?);
    if !MODULUS.contains(&modulus.bits()) || exponent < BigUint::from(LEAST_EXPONENT) {
        return None;
    }
    // Takes odd ones only, and no exponent that would take long.
    RsaPublicKey::new(modulus, exponent).ok().map(PublicKey::Rsa)
}

fn p256_key(x: &Member, y: &Member) -> Option<PublicKey> {
    // 32 bytes each, zeros in front included (RFC 7518, section 6.2.1.2).
    let x: [u8; 32] = decode(x)?.try_into().ok()?;
    let y: [u8; 32] = decode(y)?.try_into().ok()?;
    let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    // Takes points on the curve only.
    VerifyingKey::from_encoded_point(&point).ok().map(PublicKey::P256)
}

fn decode(member: &Member) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(member.text()?).ok()
}
