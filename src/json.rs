//! JSON objects from outside, of which some members are read into a type that derives `Deserialize`.
//!
//! Attack: of two members with one name, the author means one and the reader takes the other (RFC 7515,
//! section 4; RFC 7519, section 4). A member that is read must not be there twice, in whatever way its name is
//! written. Nor may an array stand in the place of an object, which serde would take member by member.
//! Members that are not read may be anything, as often and as deep as they like. A byte order mark before the
//! object is no part of it (RFC 8259, section 8.1).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Why nothing could be read. Says where, never what is there, which serde_json's messages quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not JSON.
    NotJson {
        /// From 1.
        line: usize,
        /// In bytes, from 1 as a rule.
        column: usize,
    },
    /// It is JSON, but not an object.
    NotAnObject,
    /// A member that is read is there twice, is missing, or is of another type than it must have.
    Members {
        /// From 1.
        line: usize,
        /// In bytes, from 1 as a rule.
        column: usize,
    },
}

/// Reads the members of an object that `T` has.
pub fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Unreadable> {
    let text = str::from_utf8(json).map_err(|_| Unreadable::NotUtf8)?;
    read_text(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The same of what is known to be UTF-8.
pub fn read_text<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Unreadable> {
    let value: Value<T> = serde_json::from_str(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data => Unreadable::Members { line, column },
            Category::Syntax | Category::Eof | Category::Io => Unreadable::NotJson { line, column },
        }
    })?;
    value.into_object().ok_or(Unreadable::NotAnObject)
}

/// The text of a body. Each byte that is not UTF-8 becomes a `?`, so that one in a text that nobody reads loses nothing
/// else, and line and column stay what they are.
pub fn utf8(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(body) {
        return text.into();
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text.into()
}

/// A value of any type, so that whoever reads the object decides what a wrong type is. What is an object is
/// read as `T`.
pub enum Value<T = IgnoredAny> {
    /// A text.
    Text(String),
    /// A whole number of at most 64 bits that is not negative.
    Integer(u64),
    /// An object.
    Object(T),
    /// Anything else.
    Other,
}

impl<T> Value<T> {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same, whole.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn into_object(self) -> Option<T> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData))
    }
}

/// Reads a member that can be done without. What is JSON and has no value here, such as half of a surrogate pair or
/// a number beyond all bounds, is a value of another type; `null` is none.
///
/// For a field with `#[serde(default, deserialize_with = "json::dispensable")]`.
pub fn dispensable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Value<T>>, D::Error> {
    let Some(raw) = Option::<&RawValue>::deserialize(deserializer)? else { return Ok(None) };
    match serde_json::from_str(raw.get()) {
        Ok(value) => Ok(Some(value)),
        // A member of it is there twice.
        Err(error) if error.is_data() => Err(D::Error::custom("a member")),
        Err(_) => Ok(Some(Value::Other)),
    }
}

struct AnyValue<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyValue<T> {
    type Value = Value<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(list)?;
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Members {
        a: u8,
        b: Option<Value>,
    }

    #[test]
    fn an_object_is_read_and_what_is_none_says_why_and_where() {
        use Unreadable as It;
        for (json, expected) in [
            (&br#"{"a":1,"x":[],"x":1e999}"#[..], Ok(1)),
            (br#"{"a":1,"b":{"c":[null]}}"#, Ok(1)),
            (br#"{"a":1,"x":"\ud800"}"#, Ok(1)),
            (b"{\"a\":1,\"x\":\"\xff\"}", Err(It::NotUtf8)),
            (b"", Err(It::NotJson { line: 1, column: 0 })),
            (b"{\n\"a\" 1}", Err(It::NotJson { line: 2, column: 5 })),
            (br#"{"a":1} {}"#, Err(It::NotJson { line: 1, column: 9 })),
            (b"[1,2]", Err(It::NotAnObject)),
            (b"null", Err(It::NotAnObject)),
            (b"-1.5", Err(It::NotAnObject)),
            (b"{}", Err(It::Members { line: 1, column: 2 })),
            (b"{\"a\":1,\n\"\\u0061\":2}", Err(It::Members { line: 2, column: 8 })),
            (br#"{"a":1,"b":0,"b":0}"#, Err(It::Members { line: 1, column: 16 })),
            (br#"{"a":"1"}"#, Err(It::Members { line: 1, column: 8 })),
        ] {
            let read = read::<Members>(json).map(|members| members.a);
            assert_eq!(read, expected, "{}", String::from_utf8_lossy(json));
        }
        assert!(read::<Members>(br#"{"a":1,"b":null}"#).is_ok_and(|members| members.b.is_none()));
    }
}
