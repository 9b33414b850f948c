//! The members of a JSON object, by their names in any letter case.
//!
//! One of Microsoft's pages shows `MessageId` where its SDKs have `messageId`, and people have built senders by
//! either. Whoever delivers has proven itself, so a name that is there twice is no attack, and costs no report:
//! the spelling that the SDKs have goes first.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object whose values nobody has looked at yet.
pub(super) struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// `None` for a value that is not an object.
    pub(super) fn read(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// What `read` makes of the member with this name, which is given in camelCase. Where several members have
    /// it: of the first for which `read` gives something. The name in camelCase goes first, then in PascalCase,
    /// then in any other case.
    pub(super) fn find<T>(
        &self,
        name: &str,
        read: impl Fn(&'a RawValue) -> Option<T>,
    ) -> Option<T> {
        self.values(name).into_iter().find_map(read)
    }

    /// The values of the members with this name, in that order. Apart from [`Self::find`], of which there is one
    /// for each type: sorting is much code.
    #[inline(never)]
    fn values(&self, name: &str) -> Vec<&'a RawValue> {
        let is_pascal =
            |it: &str| it.starts_with(|c: char| c.is_ascii_uppercase()) && it[1..] == name[1..];
        let mut found: Vec<_> =
            self.0.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name)).collect();
        found.sort_by_key(|(it, _)| (it != name, !is_pascal(it)));
        found.into_iter().map(|(_, value)| *value).collect()
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = object.next_entry::<&RawValue, &RawValue>()? {
            // A name that is no text, such as half of a surrogate pair, is none that is read.
            if let Ok(name) = serde_json::from_str(name.get()) {
                members.push((name, value));
            }
        }
        Ok(Object(members))
    }
}

/// The text that a value is.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The same, or the digits of a number.
pub(super) fn text_or_number(value: &RawValue) -> Option<String> {
    let json = value.get();
    if json.starts_with(|c: char| c.is_ascii_digit()) { Some(json.into()) } else { text(value) }
}
