//! Any text as either document and as any variable: the check says what is wrong, and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::ports::{VariableUnavailable, Variables};
use okta_telephony_acs::settings::Settings;

/// The two documents, and one text for every other variable.
struct Texts<'a> {
    settings: &'a str,
    secrets: &'a str,
    others: &'a str,
}

impl Variables for Texts<'_> {
    fn get(&self, name: &str) -> Result<String, VariableUnavailable> {
        let text = match name {
            "settings" => self.settings,
            "secrets" => self.secrets,
            _ => self.others,
        };
        if text == "?" { Err(VariableUnavailable) } else { Ok(text.to_owned()) }
    }
}

fuzz_target!(|texts: (&str, &str, &str)| {
    let (settings, secrets, others) = texts;
    let (_, check) = Settings::read_and_check(&Texts { settings, secrets, others });
    for finding in check.problems.iter().chain(&check.warnings) {
        assert!(!finding.fix.is_empty() && !finding.to_string().contains('\n'));
    }
});
