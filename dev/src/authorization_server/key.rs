//! Signing keys, and tokens sealed with them.
//!
//! Signs with ring. The component verifies with other code: what both sides share could be wrong on
//! both sides and no test would notice.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, Mac as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::Sha256;

/// The RSA keys that tokens are signed with, in turn.
///
/// They are fixed since ring makes none, and other crates take seconds for one in a debug build. All
/// servers have the same ones, so what one has signed is told from another's by `kid` and `iss` only.
const SERVER_KEYS: [&str; 2] =
    [include_str!("no_secrets/server-1.pem"), include_str!("no_secrets/server-2.pem")];
/// A key that no server signs with.
const STRANGER_KEY: &str = include_str!("no_secrets/stranger.pem");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, 2048 bits.
    Rs256,
    /// P-256.
    Es256,
    /// P-384: for a test that wants a wrong curve.
    Es384,
}

impl Algorithm {
    /// As in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
        }
    }
}

/// A private key with its `kid`. Clones are the same key.
#[derive(Clone, Debug)]
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    pair: Arc<Pair>,
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl SigningKey {
    /// A key that no server signs with, under a new `kid`. With ES256 and ES384 it is a new one each
    /// time, with RS256 the same one.
    pub fn new(algorithm: Algorithm) -> SigningKey {
        match algorithm {
            Algorithm::Rs256 => SigningKey::fixed(STRANGER_KEY),
            Algorithm::Es256 | Algorithm::Es384 => SigningKey::elliptic(algorithm),
        }
    }

    /// The RSA key that a server signs with after this many rotations. It is not the one that was just
    /// replaced.
    pub(super) fn of_a_server(rotations: usize) -> SigningKey {
        SigningKey::fixed(SERVER_KEYS[rotations % SERVER_KEYS.len()])
    }

    fn fixed(pem: &str) -> SigningKey {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a fixed key is PEM");
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a fixed key is RSA");
        SigningKey { kid: new_kid(), algorithm: Algorithm::Rs256, pair: Pair::Rsa(pair).into() }
    }

    fn elliptic(algorithm: Algorithm) -> SigningKey {
        let curve = match algorithm {
            Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            _ => &ECDSA_P256_SHA256_FIXED_SIGNING,
        };
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(curve, &random).expect("there is randomness");
        let pair = EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random)
            .expect("what was just made is a key");
        SigningKey { kid: new_kid(), algorithm, pair: Pair::Ecdsa(pair).into() }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as Okta publishes it. Entra's has no `alg`.
    pub fn public_jwk(&self) -> Value {
        match &*self.pair {
            Pair::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } =
                    RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({
                    "kty": "RSA", "alg": "RS256", "kid": self.kid, "use": "sig",
                    "e": BASE64URL.encode(e), "n": BASE64URL.encode(n),
                })
            }
            Pair::Ecdsa(pair) => {
                // An uncompressed point: 4, then both coordinates.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if self.algorithm == Algorithm::Es384 { "P-384" } else { "P-256" };
                json!({
                    "kty": "EC", "alg": self.algorithm.name(), "kid": self.kid, "use": "sig",
                    "crv": curve, "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
                })
            }
        }
    }

    /// The public half of an RSA key in the form that an attacker takes for the secret of HS256.
    pub fn public_pem(&self) -> String {
        // What a SubjectPublicKeyInfo has before an RSA key of 2048 bits.
        const PREFIX: &[u8] = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
        let Pair::Rsa(pair) = &*self.pair else { panic!("only RSA keys are given as PEM") };
        let text = BASE64.encode([PREFIX, pair.public_key().as_ref()].concat());
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let lines: Vec<_> = lines.collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("the signature has the modulus's length");
                signature
            }
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).expect("there is randomness");
                signature.as_ref().to_vec()
            }
        }
    }
}

/// What stands after a token's second dot.
#[derive(Clone, Copy, Debug)]
pub enum Seal<'a> {
    Key(&'a SigningKey),
    /// HMAC-SHA256 with this secret.
    Hmac(&'a [u8]),
    /// Just these bytes. Without any, it is what `alg: none` asks for.
    Bytes(&'a [u8]),
}

/// A token of any header and any claims: nothing in it needs to agree.
pub fn seal(header: &Value, claims: &Value, seal: Seal<'_>) -> String {
    let signed = format!(
        "{}.{}",
        BASE64URL.encode(header.to_string()),
        BASE64URL.encode(claims.to_string())
    );
    let signature = match seal {
        Seal::Key(key) => key.sign(signed.as_bytes()),
        Seal::Hmac(secret) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key's");
            mac.update(signed.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        Seal::Bytes(bytes) => bytes.to_vec(),
    };
    format!("{signed}.{}", BASE64URL.encode(signature))
}

/// 43 characters, as Okta's are.
fn new_kid() -> String {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).expect("there is randomness");
    BASE64URL.encode(bytes)
}
