//! The members of a JSON object that somebody asks for, each there at most once.
//!
//! The attack: of two members with one name, the issuer means one and the reader takes the other
//! (RFC 7515, section 4; RFC 7519, section 4). A member that is `null` is there.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// A member's value. Never fails to read, so that a wrong type is refused by whoever reads it.
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    /// A list of nothing but texts.
    Texts(Vec<Cow<'a, str>>),
    Other,
}

impl Value<'_> {
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    NotAnObject,
    DuplicateMember,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        if error.is_data() && error.to_string().starts_with("duplicate field") {
            Self::DuplicateMember
        } else {
            Self::NotAnObject
        }
    }
}

/// The members with these names, in their order. All others are skipped.
pub(super) fn members<'a, const N: usize>(
    json: &'a [u8],
    names: [&'static str; N],
) -> Result<[Option<Value<'a>>; N], Unreadable> {
    // serde_json takes any bytes in the text that it skips.
    let text = str::from_utf8(json).map_err(|_| Unreadable::NotAnObject)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = Members(names).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(members)
}

/// Reads an object's members with these names.
pub(super) struct Members<const N: usize>(pub(super) [&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Members<N> {
    type Value = [Option<Value<'de>>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<N> {
    type Value = [Option<Value<'de>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = [const { None }; N];
        while let Some(key) = map.next_key::<Value<'de>>()? {
            let place = self.0.iter().position(|name| key.as_text() == Some(name));
            match place {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(place) if members[place].is_some() => {
                    return Err(A::Error::duplicate_field(self.0[place]));
                }
                Some(place) => members[place] = Some(map.next_value()?),
            }
        }
        Ok(members)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Value::Number(number))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut texts = Some(Vec::new());
                while let Some(element) = seq.next_element::<Value<'de>>()? {
                    texts = match (texts, element) {
                        (Some(mut texts), Value::Text(text)) => {
                            texts.push(text);
                            Some(texts)
                        }
                        _ => None,
                    };
                }
                Ok(texts.map_or(Value::Other, Value::Texts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Value::Other)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Value::Other)
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}
