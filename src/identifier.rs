//! Identifiers from outside, fit for a log.

use serde::Serialize;

/// An identifier that came from outside: at most 64 characters of letters, digits, `.`, `_`, `:` and `-`;
/// any other is replaced by `_`. Without a letter it could be a number or a passcode, and all of it is
/// replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Identifier(String);

impl Identifier {
    /// The least that a provider's id of a message is long: Telesign's has 32 hexadecimal digits.
    const MESSAGE_LENGTH: usize = 32;

    /// Makes any text fit.
    ///
    /// ```
    /// use okta_telephony_acs::identifier::Identifier;
    ///
    /// assert_eq!(Identifier::new("uS58 \n71kJ").as_str(), "uS58__71kJ");
    /// assert_eq!(Identifier::new("+1555010").as_str(), "________");
    /// ```
    pub fn new(text: &str) -> Self {
        let lettered = text.chars().take(64).any(|c| c.is_ascii_alphabetic());
        Self::of(text, lettered)
    }

    /// Makes a provider's id of a message fit. It is hexadecimal, and may by chance have no letter either: it is
    /// longer than any number or passcode, and is told all the same.
    ///
    /// ```
    /// use okta_telephony_acs::identifier::Identifier;
    ///
    /// let id = "2020061020372512345678-7890-4123-9012-345678901234";
    /// assert_eq!(Identifier::of_message(id).as_str(), id);
    /// assert_eq!(Identifier::of_message("+15550100123").as_str(), "____________");
    /// ```
    pub fn of_message(id: &str) -> Self {
        if id.len() < Self::MESSAGE_LENGTH { Self::new(id) } else { Self::of(id, true) }
    }

    fn of(text: &str, lettered: bool) -> Self {
        let fits = |c: char| lettered && (c.is_ascii_alphanumeric() || "._:-".contains(c));
        Self(text.chars().take(64).map(|c| if fits(c) { c } else { '_' }).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is one of Twilio's identifiers (SID) of this kind: its two letters and 32 hexadecimal digits.
///
/// ```
/// use okta_telephony_acs::identifier::is_twilio_sid;
///
/// assert!(is_twilio_sid("AC", "AC0123456789abcdef0123456789abcdef"));
/// assert!(!is_twilio_sid("SK", "AC0123456789abcdef0123456789abcdef"));
/// ```
pub fn is_twilio_sid(kind: &str, text: &str) -> bool {
    let digits = text.strip_prefix(kind);
    digits.is_some_and(|it| it.len() == 32 && it.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::Identifier;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_becomes_a_safe_identifier(text in "\\PC*") {
            let identifier = Identifier::new(&text);
            prop_assert!(identifier.as_str().len() <= 64);
            prop_assert!(identifier.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)));
        }
    }
}
