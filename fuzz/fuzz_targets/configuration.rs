//! Any text as the value of any variable: the check names what is wrong and quotes no value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::config::{VARIABLES, check};
use okta_telephony_acs::ports::{VariableUnavailable, Variables};

/// The lines of a text are the values of the variables, in their order; `?` is one that the host
/// can't tell.
struct Lines<'a>(Vec<&'a str>);

impl Variables for Lines<'_> {
    fn get(&self, name: &'static str) -> Result<&str, VariableUnavailable> {
        let place =
            VARIABLES.iter().position(|known| *known == name).expect("every variable is listed");
        match self.0.get(place).copied().unwrap_or_default() {
            "?" => Err(VariableUnavailable),
            value => Ok(value),
        }
    }
}

fuzz_target!(|text: &str| {
    let check = check(&Lines(text.split('\n').collect()));
    for finding in check.problems().iter().chain(&check.warnings) {
        assert!(VARIABLES.contains(&finding.variable));
        assert!(!finding.fix.is_empty());
    }
});
