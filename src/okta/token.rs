//! A stand-in for the reader of tokens: a key set that knows its keys by their ids only.

use std::fmt;

use serde::Deserialize;

/// The most keys of a set.
const KEYS_LIMIT: usize = 32;

/// The keys of an authorization server (RFC 7517, section 5).
#[derive(Debug)]
pub struct Jwks {
    kids: Vec<String>,
}

/// The text is no key set.
#[derive(Debug)]
pub struct InvalidJwks;

impl fmt::Display for InvalidJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no JSON Web Key Set")
    }
}

impl Jwks {
    /// Reads a key set.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidJwks> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Key>,
        }
        #[derive(Deserialize)]
        struct Key {
            kid: Option<String>,
        }
        let object = json.trim_ascii_start().starts_with(b"{");
        let set: Set = serde_json::from_slice(json).map_err(|_| InvalidJwks)?;
        if !object || set.keys.is_empty() || set.keys.len() > KEYS_LIMIT {
            return Err(InvalidJwks);
        }
        Ok(Self { kids: set.keys.into_iter().filter_map(|key| key.kid).collect() })
    }

    /// Whether the set has the key of a token.
    pub fn has(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.kids.iter().any(|known| known == kid))
    }
}
