//! `cargo run -- check`: what the component itself finds in its configuration, before anything is deployed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use okta_telephony_acs::ports::{VariableUnavailable, Variables};
use okta_telephony_acs::settings::{Check, Settings};

/// Variables as they are known here, before any host has them.
struct Known<'a>(&'a BTreeMap<String, String>);

impl Variables for Known<'_> {
    fn get(&self, name: &str) -> Result<String, VariableUnavailable> {
        Ok(self.0.get(name).cloned().unwrap_or_default())
    }
}

/// What is found, by the variables that the component reads.
pub fn findings(variables: &BTreeMap<String, String>) -> Check {
    Settings::read_and_check(&Known(variables)).1
}

/// Prints all findings, and whether the configuration is in order.
pub fn print_findings(check: &Check, mut to: impl Write) -> io::Result<()> {
    for problem in &check.problems {
        writeln!(to, "PROBLEM  {problem}")?;
    }
    for warning in &check.warnings {
        writeln!(to, "WARNING  {warning}")?;
    }
    writeln!(to, "{}", check.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_printed_with_its_line_before_the_verdict() {
        let said = [
            ("settings", "[okta]\ndeadline_ms = \"soon\""),
            ("okta_basic_secret", "0123456789abcdef"),
        ];
        let variables = said.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut text = Vec::new();
        print_findings(&findings(&variables.into()), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let expected = "PROBLEM  settings line 2: okta.deadline_ms must be a whole number";
        assert!(text.starts_with(expected) && text.ends_with("\nmisconfigured\n"), "{text}");
    }
}
