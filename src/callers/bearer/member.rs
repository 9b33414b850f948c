//! The members of a token's header and claims, and of an issuer's keys.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The value of a member, of whatever type: one of another type than is asked for spoils only what needs
/// it.
#[derive(Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Member {
    /// There is no such member.
    #[default]
    #[serde(skip)]
    Missing,
    Text(String),
    Texts(Vec<String>),
    Number(f64),
    /// Anything else. A member that is `null` is there.
    Other(IgnoredAny),
}

impl Member {
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is this text. None is the empty one.
    pub(super) fn is(&self, expected: &str) -> bool {
        !expected.is_empty() && self.text() == Some(expected)
    }

    /// Whether it is a list of nothing but texts with this one in it. None has the empty one.
    pub(super) fn lists(&self, expected: &str) -> bool {
        let Self::Texts(texts) = self else { return false };
        !expected.is_empty() && texts.iter().any(|text| text == expected)
    }

    /// Its texts, be it one or a list of them.
    pub(super) fn texts(&self) -> &[String] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::Texts(texts) => texts,
            _ => &[],
        }
    }

    /// Whether it is words with spaces between (RFC 6749, section 3.3), and this text is one of them. None
    /// has the empty one.
    pub(super) fn has_word(&self, expected: &str) -> bool {
        let mut words = self.text().unwrap_or_default().split(' ');
        !expected.is_empty() && words.any(|word| word == expected)
    }
}
