//! One of the two TOML documents: read into types, with everything that is wrong with its form.
//!
//! serde stops at a struct's first fault, and its messages quote values, which may be secrets. So each
//! value is a [`Said`], which takes a value of the wrong type in; unknown keys are found by holding the
//! parsed tables to the table of keys; and what is told is a key, a line and what was expected, in words
//! of our own.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use toml::de::{DeTable, DeValue};

use super::findings::{Finding, Place};
use super::keys::{self, Key};
use crate::ports::Variables;

/// What a document says of one key.
#[derive(Debug, Default)]
pub(super) enum Said<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// A value of the wrong type.
    Wrong,
    /// This.
    This(T),
}

impl<T> Said<T> {
    /// The value, as it is.
    pub(super) fn as_ref(&self) -> Option<&T> {
        match self {
            Self::This(value) => Some(value),
            Self::Nothing | Self::Wrong => None,
        }
    }

    /// The value of a table; where it is none, [`Document::read`] has found that.
    pub(super) fn get(self) -> Option<T> {
        match self {
            Self::This(value) => Some(value),
            Self::Nothing | Self::Wrong => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(T::deserialize(deserializer).map_or(Self::Wrong, Self::This))
    }
}

/// Entries by a name that the owner chooses.
pub(super) type Named<T> = BTreeMap<String, Said<T>>;

/// A document, and what is wrong with its form.
pub(super) struct Document {
    /// Which one it is.
    pub(super) place: Place,
    text: String,
    /// Why nothing of it can be read.
    pub(super) fault: Option<Finding>,
    /// Keys that do not exist, and values that should be tables or the other way round.
    pub(super) misplaced: Vec<Finding>,
}

impl Document {
    /// Reads the document that a variable holds. An empty one says nothing.
    pub(super) fn read<T>(place: Place, variables: &dyn Variables) -> (T, Self)
    where
        T: Default + for<'de> Deserialize<'de>,
    {
        let mut document = Self { place, text: String::new(), fault: None, misplaced: Vec::new() };
        let Ok(text) = variables.get(place.name()) else {
            document.fault = Some(place.unreadable());
            return (T::default(), document);
        };
        document.text = without_shell_marks(text);
        let table = match DeTable::parse(&document.text) {
            Ok(table) => table,
            Err(error) => {
                document.fault = Some(document.not_toml(&error));
                return (T::default(), document);
            }
        };
        let mut misplaced = Vec::new();
        look_at_table(place, "", table.get_ref(), &mut misplaced);
        let said = T::deserialize(toml::Deserializer::from(table)).unwrap_or_default();
        document.misplaced = misplaced.into_iter().map(|it| document.misplaced_key(it)).collect();
        (said, document)
    }

    /// What is wrong with a key.
    pub(super) fn finding(&self, key: &str, fix: impl Into<String>) -> Finding {
        Finding { place: self.place, key: key.into(), line: self.line_of(key), fix: fix.into() }
    }

    /// A key whose value is not what it must be.
    pub(super) fn unexpected(&self, key: &str) -> Finding {
        let expected = Key::of(self.place, key).map_or("something else", |key| key.expected);
        self.finding(key, format!("must be {expected}"))
    }

    fn misplaced_key(&self, Misplaced { key, is_known }: Misplaced) -> Finding {
        if is_known {
            return self.unexpected(&key);
        }
        let fix = match keys::nearest(self.place, &key) {
            Some(nearest) => format!("is no setting: did you mean {nearest}?"),
            None => "is no setting: docs/settings.md has all of them".to_owned(),
        };
        Finding { key: shown(&key), ..self.finding(&key, fix) }
    }

    /// Where a key is, counted from 1. Reads the document once more: only who made a mistake pays for it.
    fn line_of(&self, key: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut segments = key.split('.').flat_map(|part| {
            let (name, index) = part.split_once('[').unwrap_or((part, ""));
            let index = index.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
            [Some(Segment::Name(name)), index.map(Segment::Index)].into_iter().flatten()
        });
        let Some(Segment::Name(first)) = segments.next() else { return None };
        let (at, mut value) = table.get_ref().get_key_value(first)?;
        let mut start = at.span().start;
        for segment in segments {
            match segment {
                Segment::Name(name) => {
                    let (at, inner) = value.get_ref().as_table()?.get_key_value(name)?;
                    (start, value) = (at.span().start, inner);
                }
                // Lists are counted from 1 where they are told.
                Segment::Index(index) => {
                    value = value.get_ref().as_array()?.get(index.checked_sub(1)?)?;
                    start = value.span().start;
                }
            }
        }
        Some(self.line_at(start))
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }

    fn not_toml(&self, error: &toml::de::Error) -> Finding {
        let name = self.place.name();
        let fix = if self.text.lines().count() == 1 && self.text.ends_with(".toml") {
            format!(
                "is the name of a file, not what is in it: give it as --variable {name}=@FILE, where the file \
                 begins after the @"
            )
        } else if self.text.starts_with('{') {
            "is JSON, and must be TOML: see the samples".to_owned()
        } else if self.place == Place::Secrets {
            "is not TOML here: a text must stand between quotes, and a key must be there once"
                .to_owned()
        } else {
            format!("is not TOML here: {}", error.message())
        };
        let line = error.span().map(|span| self.line_at(span.start));
        Finding { place: self.place, key: String::new(), line, fix }
    }
}

/// A key that somebody has made up, fit for a log.
fn shown(key: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    key.chars().take(64).map(|c| if fits(c) { c } else { '?' }).collect()
}

enum Segment<'a> {
    Name(&'a str),
    Index(usize),
}

/// The text as it was meant: without a byte order mark, which editors on Windows write, and empty where a
/// shell or an `.env` file has left the quotes around nothing.
fn without_shell_marks(text: String) -> String {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if matches!(bare.trim(), "\"\"" | "''") {
        return String::new();
    }
    if bare.len() == text.len() { text } else { bare.to_owned() }
}

/// A key that should not be there, or whose value is a table where it must not be one, or the other way
/// round. That is found here, since serde takes a list in the place of a table.
struct Misplaced {
    key: String,
    is_known: bool,
}

fn look_at_table(place: Place, above: &str, table: &DeTable<'_>, found: &mut Vec<Misplaced>) {
    for (name, value) in table {
        let name = name.get_ref();
        let key = if above.is_empty() { name.to_string() } else { [above, ".", name].concat() };
        let Some(known) = Key::of(place, &key) else {
            found.push(Misplaced { key, is_known: false });
            continue;
        };
        match (value.get_ref(), known.is_table, known.is_list_of_tables) {
            (DeValue::Table(table), true, false) => look_at_table(place, &key, table, found),
            (DeValue::Array(entries), true, true) => {
                for (entry, index) in entries.iter().zip(1..) {
                    let key = format!("{key}[{index}]");
                    match entry.get_ref().as_table() {
                        Some(table) => look_at_table(place, &key, table, found),
                        None => found.push(Misplaced { key, is_known: true }),
                    }
                }
            }
            (_, true, _) => found.push(Misplaced { key, is_known: true }),
            // A value of the wrong type is found where it is read.
            (_, false, _) => {}
        }
    }
}
