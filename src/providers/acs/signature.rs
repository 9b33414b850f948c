//! The HMAC-SHA256 signature that ACS demands on every request ("Authenticate to Azure
//! Communication Services", section "Sign an HTTP request").

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::secret::Secret;

/// The three headers that carry a signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature {
    /// `x-ms-date`.
    pub date: String,
    /// `x-ms-content-sha256`.
    pub content_sha256: String,
    /// `Authorization`.
    pub authorization: String,
}

/// Signs a request. `authority` must be the `Host` header to the letter, `path_and_query` the
/// request target, and `date` near ACS's own clock: how far it may be off is not documented.
pub fn sign(
    access_key: &Secret,
    method: &str,
    authority: &str,
    path_and_query: &str,
    date: OffsetDateTime,
    body: &[u8],
) -> Signature {
    let date = imf_fixdate(date);
    let content_sha256 = BASE64_STANDARD.encode(Sha256::digest(body));
    // Line feeds only, and none at the end: anything else is a 401.
    let string_to_sign = format!("{method}\n{path_and_query}\n{date};{authority};{content_sha256}");
    let signature = BASE64_STANDARD.encode(hmac_sha256(access_key, string_to_sign.as_bytes()));
    let authorization = format!(
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
    );
    Signature { date, content_sha256, authorization }
}

fn hmac_sha256(key: &Secret, message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length (RFC 2104, section 2).
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal()).expect("any length is a key");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A date as HTTP has it, always two digits for the day (RFC 9110, section 5.6.7).
pub fn imf_fixdate(date: OffsetDateTime) -> String {
    // The crate panics at dates before 1970; the type holds none after 9999, which is its other end.
    httpdate::fmt_http_date(date.max(OffsetDateTime::UNIX_EPOCH).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    // azure-sdk-for-js, sdk/communication/communication-common, cryptoUtils.spec.ts; the digests
    // also in azure-sdk-for-java, HmacAuthenticationPolicyTests.java.
    #[test]
    fn digests_and_macs_are_microsofts() {
        let key = Secret::from(BASE64_STANDARD.decode("pw==").unwrap());
        for (text, digest, mac) in [
            (
                "banana",
                "tJPUg2Sv5E0RwBZc9HCkFk0eJgmRHvmYvoaNRq3j3k4=",
                "88EC05aAS9iXnaimtNO78JLjiPtfWryQB/5QYEzEsu8=",
            ),
            (
                "😀",
                "8EQ6NCxe9UeDoRG1G6Vsk45HTDIyTZDDpgycjjo34tk=",
                "1rudJKjn2Zi+3hRrBG29wIF6pD6YyAeQR1ZcFtXoKAU=",
            ),
        ] {
            assert_eq!(BASE64_STANDARD.encode(Sha256::digest(text)), digest);
            assert_eq!(BASE64_STANDARD.encode(hmac_sha256(&key, text.as_bytes())), mac);
        }
    }

    // azure-sdk-for-js, sdk/communication/communication-common,
    // communicationKeyCredentialPolicy.spec.ts.
    #[test]
    fn signatures_are_microsofts() {
        let key = Secret::from(BASE64_STANDARD.decode("pw==").unwrap());
        let date = datetime!(2022-04-13 18:09:12.451 UTC);
        for (target, signature) in [
            ("/testPath?testQuery=test", "DGdgwggJWnQyc6EHjR/Vbqg1ES64KpD6U2XwTDDj3tU="),
            ("/testPath", "+6tWkg3lNKVjQHHmxkdGQcJjUgzclsWTMebnuCz1ngU="),
        ] {
            let signed = sign(&key, "GET", "example.com", target, date, b"");
            assert_eq!(signed.date, "Wed, 13 Apr 2022 18:09:12 GMT");
            assert_eq!(signed.content_sha256, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
            assert_eq!(
                signed.authorization,
                format!(
                    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
                )
            );
        }
    }

    #[test]
    fn a_date_has_two_digits_for_the_day_and_is_in_utc() {
        let date = datetime!(2026-02-01 00:30:00 +01:00);
        assert_eq!(imf_fixdate(date), "Sat, 31 Jan 2026 23:30:00 GMT");
        assert_eq!(
            imf_fixdate(datetime!(2026-02-01 00:00:00 UTC)),
            "Sun, 01 Feb 2026 00:00:00 GMT"
        );
    }
}
