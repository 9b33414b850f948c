//! One of the two TOML documents: read into types, with everything that is wrong with its form.
//!
//! serde stops at a struct's first fault, and its messages quote values, which may be secrets. So each
//! value is a [`Said`], which takes a value of the wrong type in; unknown keys are found by holding the
//! parsed tables to the table of keys; and what is told is a key, a line and what was expected, in words
//! of our own.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use toml::de::{DeTable, DeValue};

use super::findings::{Finding, Place};
use super::keys::{self, Key};
use crate::pasted::{is_invisible, lookalike, unquoted};
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
    /// Whether anything is said.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

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
    /// Where its keys are. Only who made a mistake pays for it.
    lines: OnceCell<BTreeMap<String, usize>>,
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
        let mut document = Self {
            place,
            text: String::new(),
            lines: OnceCell::new(),
            fault: None,
            misplaced: Vec::new(),
        };
        let Ok(text) = variables.get(place.name()) else {
            document.fault = Some(place.unreadable());
            return (T::default(), document);
        };
        document.text = without_shell_marks(text);
        if is_too_deep(&document.text) {
            document.fault = Some(document.faulty(None, "nests deeper than 8 levels of { }"));
            return (T::default(), document);
        }
        let table = match DeTable::parse(&document.text) {
            Ok(table) => table,
            Err(error) => {
                document.fault = Some(document.not_toml(&error));
                return (T::default(), document);
            }
        };
        let mut misplaced = Vec::new();
        look_at_table(place, "", table.get_ref(), &mut misplaced);
        match T::deserialize(toml::Deserializer::from(table)) {
            Ok(said) => {
                misplaced.truncate(MOST_MISPLACED);
                document.misplaced =
                    misplaced.into_iter().map(|it| document.misplaced_key(it)).collect();
                (said, document)
            }
            // Values are taken of whatever type they are, so that it is a number that is none, as one of 40 digits.
            Err(_) => {
                document.fault = Some(document.faulty(None, "holds a value that can't be read"));
                (T::default(), document)
            }
        }
    }

    fn faulty(&self, line: Option<usize>, fix: impl Into<String>) -> Finding {
        Finding { place: self.place, key: String::new(), line, fix: fix.into() }
    }

    /// What is wrong with a key.
    pub(super) fn finding(&self, key: &str, fix: impl Into<String>) -> Finding {
        let line = self.lines.get_or_init(|| lines(&self.text)).get(key).copied();
        Finding { place: self.place, key: shown(key), line, fix: fix.into() }
    }

    /// A key whose value is not what it must be.
    pub(super) fn unexpected(&self, key: &str) -> Finding {
        self.finding(key, keys::must_be(self.place, key))
    }

    fn misplaced_key(&self, Misplaced { key, is_known }: Misplaced) -> Finding {
        if is_known {
            return self.unexpected(&key);
        }
        if let Some(nearest) = keys::nearest(self.place, &key) {
            return self.finding(&key, format!("is no setting: did you mean {nearest}?"));
        }
        let finding = self.finding(&key, "is no setting: docs/settings.md has all of them");
        if self.place == Place::Settings {
            return finding;
        }
        // In the secrets what stands in the place of a key, and is like none, may be one.
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        let fix = "has a key that is no setting: docs/settings.md has all of them".to_owned();
        Finding { key: shown(table), fix, ..finding }
    }

    fn not_toml(&self, error: &toml::de::Error) -> Finding {
        let name = self.place.name();
        let at = error.span().map(|span| span.start.min(self.text.len()));
        let line = at.and_then(|at| self.text.get(..at)).map(|above| above.matches('\n').count());
        let lookalike = line.and_then(|line| lookalike(self.text.lines().nth(line)?));
        let fix = if self.text.lines().count() == 1 && self.text.ends_with(".toml") {
            format!(
                "is the name of a file, not what is in it: give it as --variable {name}=@FILE, where the file \
                 begins after the @"
            )
        } else if self.text.starts_with('{') {
            "is JSON, and must be TOML: see the samples".to_owned()
        } else if unquoted(self.text.trim()).is_some() {
            "is in quotes as a whole: give it without them, as --variable NAME=@FILE does"
                .replace("NAME", name)
        } else if let Some(lookalike) = lookalike {
            format!(
                "is not TOML here: there is {lookalike}, as word processors and web pages have it. Type the line anew, \
                 with plain spaces and straight quotes"
            )
        } else if self.place == Place::Secrets {
            "is not TOML here: a text must stand between quotes, and a key must be there once"
                .to_owned()
        } else {
            format!("is not TOML here: {}", error.message())
        };
        self.faulty(line.map(|line| line + 1), fix)
    }
}

/// Where each key is that may be a setting, and each entry of a list, counted from 1.
fn lines(text: &str) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        let breaks: Vec<_> = text.match_indices('\n').map(|(offset, _)| offset).collect();
        lines_of_table(&breaks, "", table.get_ref(), &mut lines);
    }
    lines
}

fn lines_of_table(
    breaks: &[usize],
    above: &str,
    table: &DeTable<'_>,
    lines: &mut BTreeMap<String, usize>,
) {
    // No setting is deeper than `providers[1].senders.GB`.
    if above.matches('.').count() > 3 {
        return;
    }
    for (name, value) in table {
        let key = below(above, name.get_ref());
        lines.insert(key.clone(), line_at(breaks, name.span().start));
        match value.get_ref() {
            DeValue::Table(table) => lines_of_table(breaks, &key, table, lines),
            DeValue::Array(entries) => {
                for (entry, index) in entries.iter().zip(1..) {
                    let key = format!("{key}[{index}]");
                    lines.insert(key.clone(), line_at(breaks, entry.span().start));
                    if let DeValue::Table(table) = entry.get_ref() {
                        lines_of_table(breaks, &key, table, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The line of an offset, by the offsets of all line breaks.
fn line_at(breaks: &[usize], offset: usize) -> usize {
    breaks.partition_point(|line_break| *line_break < offset) + 1
}

fn below(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { [above, ".", name].concat() }
}

/// The most keys that are told as unknown: who has more has another kind of document.
const MOST_MISPLACED: usize = 20;

/// Whether braces nest deeper than any setting. The parser bounds tables in braces and dots in a key each at 80, but
/// not the two together, by which a short text would nest a thousand levels deep.
fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > 8
    })
}

/// A key that somebody has made up, fit for a log.
fn shown(key: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    key.chars().take(64).map(|c| if fits(c) { c } else { '?' }).collect()
}

/// The text as it was meant: without a byte order mark and the line ends of Windows, which editors there write, and
/// empty where a shell or an `.env` file has left the quotes around nothing.
fn without_shell_marks(text: String) -> String {
    let bare = text.trim_matches(|c: char| is_invisible(c) && !c.is_control());
    if unquoted(bare.trim()).is_some_and(|inside| inside.trim().is_empty()) {
        return String::new();
    }
    match bare.contains('\r') {
        true => bare.replace("\r\n", "\n"),
        false if bare.len() == text.len() => text,
        false => bare.to_owned(),
    }
}

/// Stands in examples where the owner has to put a value.
const FILL_IN: &str = "FILL-IN";

/// Whether nobody has put a value there yet. Some keys would take that for one.
fn is_to_be_filled_in(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(text) => text.contains(FILL_IN),
        DeValue::Array(entries) => entries.iter().any(|entry| is_to_be_filled_in(entry.get_ref())),
        _ => false,
    }
}

/// A key that should not be there, or whose value is still to be filled in, or is a table where it must not be one, or the
/// other way round. That is found here, since serde takes a list in the place of a table.
struct Misplaced {
    key: String,
    is_known: bool,
}

fn look_at_table(place: Place, above: &str, table: &DeTable<'_>, found: &mut Vec<Misplaced>) {
    for (name, value) in table {
        let name = name.get_ref();
        let key = below(above, name);
        // A name that holds what paths are made of would be taken for another key.
        let known = Key::of(place, &key).filter(|_| !name.contains(['.', '[', ']']));
        let Some(known) = known else {
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
            (value, false, _) if is_to_be_filled_in(value) => {
                found.push(Misplaced { key, is_known: true });
            }
            // A value of the wrong type is found where it is read.
            (_, false, _) => {}
        }
    }
}
