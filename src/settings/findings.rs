//! What is wrong with the configuration or unwise, and where that stands.

use std::fmt;

use serde::Serialize;
use serde_with::skip_serializing_none;

/// Where a setting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In a variable of its own.
    Variable,
    /// In the document `settings`.
    Settings,
    /// In the document `secrets`.
    Secrets,
}

impl Place {
    /// The name of the document, which is that of its variable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Settings => "settings",
            Self::Secrets => "secrets",
        }
    }

    /// The document could not be read.
    pub(super) fn unreadable(self) -> Finding {
        Finding { place: self, key: String::new(), line: None, fix: UNREADABLE.into() }
    }
}

pub(super) const UNREADABLE: &str = "could not be read: look at the host's variable provider";

/// What is wrong or unwise, and how to mend it. Never holds a value.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it stands.
    #[serde(rename = "document")]
    pub place: Place,
    /// The setting's key, such as `okta.deadline_ms`, or the variable's name; empty for a whole document.
    pub key: String,
    /// The line of the document, counted from 1.
    pub line: Option<usize>,
    /// What is wrong, and the fix.
    pub fix: String,
}

impl Finding {
    /// What is wrong with a variable.
    pub fn of_variable(name: &str, fix: impl Into<String>) -> Self {
        Self { place: Place::Variable, key: name.into(), line: None, fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    /// `settings line 12: okta.deadline_ms must be …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Variable {
            f.write_str(self.place.name())?;
            match self.line {
                Some(line) => write!(f, " line {line}: ")?,
                None if self.key.is_empty() => f.write_str(" ")?,
                None => f.write_str(": ")?,
            }
        }
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        f.write_str(&self.fix)
    }
}

/// The findings in their order, each once: one document that can't be read is told for every section that needs it.
pub(super) fn each_once(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut told = Vec::new();
    for finding in findings {
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    told
}

/// What keeps a section from being used: one finding at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Finding>);

impl Problems {
    /// Each of them.
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
}

/// The most findings that one line of the log has: Okta keeps it, too.
const MOST_TOLD: usize = 20;

impl fmt::Display for Problems {
    /// All of them in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().take(MOST_TOLD).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            finding.fmt(f)?;
        }
        match self.0.len().checked_sub(MOST_TOLD) {
            Some(more @ 1..) => write!(f, "; and {more} more."),
            _ if self.0.last().is_some_and(|last| last.fix.ends_with('?')) => Ok(()),
            _ => f.write_str("."),
        }
    }
}
