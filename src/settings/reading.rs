//! A section on its way from what was said to what it means, with everything that is wrong with it.

use std::cell::RefCell;

use super::document::{Document, Said};
use super::findings::{Finding, Place, Problems, UNREADABLE, each_once};
use super::{Section, keys};
use crate::pasted::{self, clean, oddity};
use crate::ports::{VariableUnavailable, Variables};
use crate::secret::Secret;

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

    /// A value of the settings as it was meant; an empty one is none.
    pub(super) fn text(&mut self, key: &str, said: Said<String>) -> Option<String> {
        Some(clean(&self.value(key, said)?)).filter(|text| !text.is_empty())
    }

    /// A text of the settings that people will read. Quotes around it may be meant, and are named.
    pub(super) fn prose(&mut self, key: &str, said: Said<String>) -> Option<String> {
        let said = self.value(key, said)?;
        let text = pasted::trim(&said);
        if pasted::unquoted(text).is_some() {
            let fix = "is in quotes, which people will read: remove them, unless they are meant";
            self.advise(Place::Settings, key, fix);
        }
        Some(text.to_owned())
    }

    /// A secret to the letter; an empty one is none.
    pub(super) fn secret(&mut self, key: &str, said: Said<String>) -> Option<String> {
        let secret = self.said(Place::Secrets, key, said).filter(|it| !is_no_secret(it))?;
        self.look_at_secret(Place::Secrets, key, &secret);
        Some(secret)
    }

    /// White space around a secret would match nothing that anybody sends. All else that is odd about it may be
    /// meant.
    pub(super) fn look_at_secret(&mut self, place: Place, key: &str, secret: &str) {
        if let Some(fix) = in_white_space(secret) {
            self.problem(place, key, fix);
        }
        self.advise_of_secret(place, key, secret);
    }

    /// What may be wrong with a secret, and may be meant.
    pub(super) fn advise_of_secret(&self, place: Place, key: &str, secret: &str) {
        if let Some(oddity) = oddity(secret).filter(|_| in_white_space(secret).is_none()) {
            let fix = format!(
                "{oddity}, which is a part of it here: remove it, unless whoever sends the secret sends that, too"
            );
            self.advise(place, key, fix);
        }
        if let Some(fix) = too_short(place, secret) {
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
            Said::This(secret) if is_no_secret(&secret) => return Ok(None),
            Said::Wrong => self.document(Place::Secrets).unexpected(key),
            Said::This(secret) => {
                let same = doors.iter().find_map(|door| same_at(door, &secret));
                match in_white_space(&secret).or(same) {
                    Some(fix) => self.finding(Place::Secrets, key, fix),
                    None => {
                        self.advise_of_secret(Place::Secrets, key, &secret);
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

    /// The value of a variable as it was meant, such as without the line feed of a file; an empty one is none.
    pub(super) fn variable(&mut self, name: &'static str) -> Option<String> {
        let value = clean(&self.given(name, self.documents.variables.get(name))?);
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

/// What is to be said of a secret that is too short. Nothing else tells of one that has lost its `$` and what followed.
fn too_short(place: Place, secret: &str) -> Option<String> {
    let fix =
        format!("has fewer than {SHORTEST_SECRET} bytes: make one with `openssl rand -base64 24`");
    let fix = match place {
        Place::Variable => [&fix, LOST_DOLLAR].concat(),
        _ => fix,
    };
    (secret.len() < SHORTEST_SECRET).then_some(fix)
}

/// What may have become of a variable's value.
pub(super) const LOST_DOLLAR: &str = "; if yours has a $, .env and shells take that for the name of a variable: put \
                                      single quotes around the value";

/// Whether a secret is empty, or just looks like it. Whoever has written the quotes of an empty value where they are
/// kept has turned this way off: two quotes are no secret.
pub(super) fn is_no_secret(secret: &str) -> bool {
    in_white_space(secret).is_none() && clean(secret).is_empty()
}

/// What is wrong with a secret that a file's line break or a space stands around.
pub(super) fn in_white_space(secret: &str) -> Option<String> {
    (secret.trim() != secret).then(|| "begins or ends with white space: remove it".to_owned())
}
