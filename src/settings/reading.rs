//! A section on its way from what was said to what it means, with everything that is wrong with it.

use std::cell::RefCell;

use super::document::{Document, Said};
use super::findings::{Finding, Place, Problems, UNREADABLE, each_once};
use super::{Section, keys};
use crate::ports::{VariableUnavailable, Variables};
use crate::secret::Secret;

/// What is wrong with a secret that a file's line break or a space stands around.
pub(super) const WHITE_SPACE: &str = "begins or ends with white space: remove it";

/// Both documents, so that a finding can name its line.
pub(super) struct Documents<'a> {
    pub(super) settings: Document,
    pub(super) secrets: Document,
    pub(super) variables: &'a dyn Variables,
    /// What is wrong or unwise, and stops nobody.
    pub(super) advice: RefCell<Vec<Finding>>,
}

/// Stands for a table that does not exist. It might have been meant for any: nothing is sent before it is mended.
pub(super) const ANY_OTHER: &str = "";

impl Documents<'_> {
    /// Reads a section. A document of `needs` that can't be read breaks it, and so does a misspelt key in one of
    /// the tables `names`.
    pub(super) fn section<T>(
        &self,
        needs: &[Place],
        names: &[&str],
        read: impl FnOnce(&mut Reading<'_>) -> T,
    ) -> Section<T> {
        let mut reading = Reading { documents: self, problems: Vec::new() };
        for document in [&self.settings, &self.secrets] {
            if needs.contains(&document.place) {
                reading.problems.extend(document.fault.clone());
            }
            let of_section = document.misplaced.iter().filter(|it| {
                let name = it.key.split(['.', '[']).next().unwrap_or_default();
                let name = if keys::is_section(name) { name } else { ANY_OTHER };
                names.contains(&name)
            });
            reading.problems.extend(of_section.cloned());
        }
        let value = read(&mut reading);
        let problems = each_once(reading.problems);
        if problems.is_empty() { Ok(value) } else { Err(Problems(problems)) }
    }
}

/// A section on its way, and what is wrong with it so far.
pub(super) struct Reading<'a> {
    pub(super) documents: &'a Documents<'a>,
    pub(super) problems: Vec<Finding>,
}

impl Reading<'_> {
    /// What is said of a key of the settings.
    pub(super) fn value<T>(&mut self, key: &str, said: Said<T>) -> Option<T> {
        self.said(Place::Settings, key, said)
    }

    /// A text of the settings, without the white space around it; an empty one is none.
    pub(super) fn text(&mut self, key: &str, said: Said<String>) -> Option<String> {
        let text = self.value(key, said)?.trim().to_owned();
        Some(text).filter(|text| !text.is_empty())
    }

    /// A secret to the letter; an empty one is none.
    pub(super) fn secret(&mut self, key: &str, said: Said<String>) -> Option<String> {
        let secret = self.said(Place::Secrets, key, said).filter(|secret| !secret.is_empty())?;
        self.look_at_secret(Place::Secrets, key, &secret);
        Some(secret)
    }

    /// White space around a secret would match nothing that anybody sends.
    pub(super) fn look_at_secret(&mut self, place: Place, key: &str, secret: &str) {
        if secret.trim() != secret {
            self.problem(place, key, WHITE_SPACE);
        }
        if let Some(fix) = too_short(secret) {
            self.advise(place, key, fix);
        }
    }

    /// A secret that was valid until the last change. A faulty one stops nobody: what is wrong with it is
    /// advice, and told in the log of whoever may have meant it.
    pub(super) fn previous(
        &mut self,
        key: &str,
        said: Said<String>,
        doors: &[&[(&'static str, String)]],
    ) -> Result<Option<Secret>, String> {
        let finding = match said {
            Said::Nothing => return Ok(None),
            Said::This(secret) if secret.is_empty() => return Ok(None),
            Said::Wrong => self.document(Place::Secrets).unexpected(key),
            Said::This(secret) => {
                let same = doors.iter().find_map(|door| same_at(door, &secret));
                let fix = if secret.trim() != secret { Some(WHITE_SPACE.to_owned()) } else { same };
                match fix {
                    Some(fix) => self.finding(Place::Secrets, key, fix),
                    None => {
                        if let Some(fix) = too_short(&secret) {
                            self.advise(Place::Secrets, key, fix);
                        }
                        return Ok(Some(Secret::from(&*secret)));
                    }
                }
            }
        };
        let told = finding.to_string();
        self.documents.advice.borrow_mut().push(finding);
        Err(told)
    }

    pub(super) fn said<T>(&mut self, place: Place, key: &str, said: Said<T>) -> Option<T> {
        match said {
            Said::This(value) => Some(value),
            Said::Nothing => None,
            Said::Wrong => {
                self.unexpected(place, key);
                None
            }
        }
    }

    /// The values of a list of texts, each with its key.
    pub(super) fn texts(
        &mut self,
        key: &str,
        said: Said<Vec<Said<String>>>,
    ) -> Option<Vec<(String, String)>> {
        let entries = self.value(key, said)?.into_iter().zip(1..);
        Some(
            entries
                .filter_map(|(entry, index)| {
                    let key = format!("{key}[{index}]");
                    let value = self.value(&key, entry)?;
                    Some((key, value))
                })
                .collect(),
        )
    }

    /// The value of a variable without the white space around it, such as the line feed of a file; an empty
    /// one is none.
    pub(super) fn variable(&mut self, name: &'static str) -> Option<String> {
        let value = self.given(name, self.documents.variables.get(name))?.trim().to_owned();
        Some(value).filter(|value| !value.is_empty())
    }

    /// The value of a variable to the letter, as the host gave it; an empty one is none.
    pub(super) fn given(
        &mut self,
        name: &'static str,
        value: Result<String, VariableUnavailable>,
    ) -> Option<String> {
        match value {
            Ok(value) => Some(value).filter(|value| !value.is_empty()),
            Err(VariableUnavailable) => {
                self.problems.push(Finding::of_variable(name, UNREADABLE));
                None
            }
        }
    }

    pub(super) fn unexpected(&mut self, place: Place, key: &str) {
        let finding = self.document(place).unexpected(key);
        self.problems.push(finding);
    }

    pub(super) fn problem(&mut self, place: Place, key: &str, fix: impl Into<String>) {
        let finding = self.finding(place, key, fix);
        self.problems.push(finding);
    }

    /// Says what is wrong or unwise, and stops nobody.
    pub(super) fn advise(&self, place: Place, key: &str, fix: impl Into<String>) {
        let finding = self.finding(place, key, fix);
        self.documents.advice.borrow_mut().push(finding);
    }

    pub(super) fn finding(&self, place: Place, key: &str, fix: impl Into<String>) -> Finding {
        match place {
            Place::Variable => Finding::of_variable(key, fix),
            _ => self.document(place).finding(key, fix),
        }
    }

    pub(super) fn document(&self, place: Place) -> &Document {
        if place == Place::Secrets { &self.documents.secrets } else { &self.documents.settings }
    }
}

/// The name of another door's setting that has this secret, too.
pub(super) fn same_at(door: &[(&'static str, String)], secret: &str) -> Option<String> {
    let same = door.iter().find(|(_, other)| other == secret);
    same.map(|(name, _)| format!("must not be the same as {name}"))
}

/// The fewest bytes of a secret that nobody can guess.
const SHORTEST_SECRET: usize = 16;

/// What is to be said of a secret that is too short.
pub(super) fn too_short(secret: &str) -> Option<String> {
    (secret.len() < SHORTEST_SECRET).then(|| {
        format!("has fewer than {SHORTEST_SECRET} bytes: make one with `openssl rand -base64 24`")
    })
}
