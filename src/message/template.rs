//! A text with placeholders.

use std::iter;

use super::{Passcode, segments};

/// What stands for the passcode. `${code}` is Okta's; in Okta's own text it has normally been filled
/// in before the hook is called. The others are in use with the system that this one replaces.
/// Longer ones first, so that none is taken for the end of another.
const CODE: [&str; 4] = ["{{otpCode}}", "${otpCode}", "{otpCode}", "${code}"];

/// What stands for the minutes until the passcode expires.
const MINUTES: &str = "${minutes}";

/// What stands for the organisation.
const ORG: &str = "${org}";

/// The operator's text of a message. `${code}` stands for the passcode and must be there,
/// `${minutes}` for the whole minutes until it expires, `${org}` for the organisation's name. Of
/// the passcode, the spellings `${otpCode}`, `{otpCode}` and `{{otpCode}}` are taken too.
///
/// ```
/// use okta_telephony_acs::message::Template;
///
/// assert!(Template::parse("${org}: ${code}").unwrap().uses_org());
/// assert_eq!(
///     Template::parse("Hello ${user.name}, ${code}").unwrap_err().to_string(),
///     "has ${user.name}, which is none of ${code}, ${minutes} and ${org}"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    uses_minutes: bool,
    uses_org: bool,
}

/// Why a text is no template. Worded to follow the name of the setting; of the text it shows at
/// most the name in a placeholder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// The passcode would not be in the message.
    #[error("has no ${{code}}: put it where the passcode goes")]
    NoCode,
    /// A `${…}` that stands for nothing. The name is what it begins with of letters and digits in
    /// ASCII, `.` and `_`, at most 32 of them; a `…` follows if that is not all.
    #[error("has ${{{0}}}, which is none of ${{code}}, ${{minutes}} and ${{org}}")]
    UnknownPlaceholder(String),
    /// A `${` without its `}`.
    #[error("has a ${{ without its }}: add it")]
    Unclosed,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let (mut has_code, mut uses_minutes, mut uses_org) = (false, false, false);
        let mut rest = text;
        while let Some(at) = rest.find(['$', '{']) {
            let here = &rest[at..];
            rest = if let Some(after) = CODE.iter().find_map(|p| here.strip_prefix(p)) {
                has_code = true;
                after
            } else if let Some(after) = here.strip_prefix(MINUTES) {
                uses_minutes = true;
                after
            } else if let Some(after) = here.strip_prefix(ORG) {
                uses_org = true;
                after
            } else if let Some(inside) = here.strip_prefix("${") {
                let (name, _) = inside.split_once('}').ok_or(InvalidTemplate::Unclosed)?;
                return Err(InvalidTemplate::UnknownPlaceholder(shown(name)));
            } else {
                &here[1..]
            };
        }
        if !has_code {
            return Err(InvalidTemplate::NoCode);
        }
        Ok(Self { text: text.to_owned(), uses_minutes, uses_org })
    }

    /// `${org}` is in it, and so the organisation's name must be known.
    pub fn uses_org(&self) -> bool {
        self.uses_org
    }

    /// How many segments its text has with a passcode as long as Okta's; `None` where the organisation's name is missing.
    pub fn segments(&self, org_name: &str) -> Option<u32> {
        let passcode =
            Passcode { code: "123456", minutes: Some(5), okta_template: None, locale: None };
        Some(segments(&self.complete(&passcode, org_name)?).count)
    }

    /// The text of a message, of any length, unless a value that it needs is not known.
    pub(super) fn complete(&self, passcode: &Passcode<'_>, org_name: &str) -> Option<String> {
        let minutes = self.minutes(passcode, org_name)?;
        let [a, b, c, d] = CODE.map(|placeholder| (placeholder, passcode.code));
        Some(fill(&self.text, &[a, b, c, d, (MINUTES, &minutes), (ORG, org_name)]))
    }

    /// The same in pieces: what stands before, between and after the places of the passcode.
    pub(super) fn around_code(
        &self,
        passcode: &Passcode<'_>,
        org_name: &str,
    ) -> Option<Vec<String>> {
        let minutes = self.minutes(passcode, org_name)?;
        let piece = |piece| fill(piece, &[(MINUTES, &minutes), (ORG, org_name)]);
        Some(pieces(&self.text).map(piece).collect())
    }

    /// What stands for the minutes, unless a value that the text needs is not known.
    fn minutes(&self, passcode: &Passcode<'_>, org_name: &str) -> Option<String> {
        if self.uses_org && org_name.is_empty() {
            return None;
        }
        Some(match passcode.minutes {
            _ if !self.uses_minutes => String::new(),
            minutes => minutes?.to_string(),
        })
    }
}

/// What stands before, between and after the placeholders of the passcode.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let text = rest.take()?;
        for (at, _) in text.match_indices(['$', '{']) {
            let after = CODE.iter().find_map(|placeholder| text[at..].strip_prefix(placeholder));
            if after.is_some() {
                rest = after;
                return Some(&text[..at]);
            }
        }
        Some(text)
    })
}

/// A text that is not the operator's, with the passcode filled in; else as it is.
pub(super) fn fill_in_code(text: &str, code: &str) -> String {
    fill(text, &CODE.map(|placeholder| (placeholder, code)))
}

/// Fills in values for placeholders in one pass, so that a value is text and never a placeholder.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['$', '{']) {
        let (before, here) = rest.split_at(at);
        text.push_str(before);
        let filled = values.iter().find_map(|(p, value)| Some((here.strip_prefix(p)?, value)));
        rest = match filled {
            Some((after, value)) => {
                text.push_str(value);
                after
            }
            None => {
                // Both characters that begin a placeholder have one byte.
                let (character, after) = here.split_at(1);
                text.push_str(character);
                after
            }
        };
    }
    text + rest
}

/// What an error may show of the name in a placeholder.
fn shown(name: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let mut shown: String = name.chars().take_while(allowed).take(32).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn complete(template: &str, code: &str, minutes: Option<u64>, org: &str) -> Option<String> {
        let passcode = Passcode { code, minutes, okta_template: None, locale: None };
        Template::parse(template).unwrap().complete(&passcode, org)
    }

    #[test]
    fn every_placeholder_is_filled_in_and_no_value_is_taken_for_one() {
        for (template, expected) in [
            ("${code}", "{otpCode}"),
            ("{{otpCode}}${otpCode}{otpCode}", "{otpCode}{otpCode}{otpCode}"),
            ("${org}: ${code} (${minutes} min)", "${code}: {otpCode} (5 min)"),
            ("${code}${code}, $5 {x} {{y}} $ {", "{otpCode}{otpCode}, $5 {x} {{y}} $ {"),
            ("$${code}{${minutes}}", "${otpCode}{5}"),
        ] {
            let text = complete(template, "{otpCode}", Some(5), "${code}");
            assert_eq!(text.unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn a_text_in_pieces_is_the_text_without_the_passcode() {
        for (template, expected) in [
            ("${code}", &["", ""][..]),
            ("a {{otpCode}} b", &["a ", " b"]),
            ("${org}: {otpCode}, ${minutes}, ${otpCode}", &["${code}: ", ", 5, ", ""]),
            ("$${code}{", &["$", "{"]),
        ] {
            let passcode =
                Passcode { code: "1", minutes: Some(5), okta_template: None, locale: None };
            let pieces = Template::parse(template).unwrap().around_code(&passcode, "${code}");
            assert_eq!(pieces.unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn a_text_is_completed_only_if_all_that_it_needs_is_known() {
        assert_eq!(complete("${code}", "1", None, "").as_deref(), Some("1"));
        assert_eq!(complete("${code} ${minutes}", "1", None, "x"), None);
        assert_eq!(complete("${code} ${minutes}", "1", Some(9), "").as_deref(), Some("1 9"));
        assert_eq!(complete("${code} ${org}", "1", Some(9), ""), None);
    }

    #[test]
    fn a_template_without_the_passcode_is_refused() {
        for text in
            ["", "Hello", "${minutes} ${org}", "$code {code} {{code}} $ {code}", "{otpcode}"]
        {
            assert_eq!(Template::parse(text), Err(InvalidTemplate::NoCode), "{text}");
        }
    }

    #[test]
    fn a_placeholder_that_stands_for_nothing_is_named_and_nothing_else_of_the_text_is() {
        let long = "x".repeat(33);
        for (placeholder, shown) in [
            ("${otpcode}", "${otpcode}"),
            ("${Code}", "${Code}"),
            ("${org.name_2}", "${org.name_2}"),
            ("${ code}", "${…}"),
            ("${}", "${}"),
            ("${user name}", "${user…}"),
            ("${näme}", "${n…}"),
            ("${${code}}", "${…}"),
            ("${{otpCode}}", "${…}"),
            (&format!("${{{long}}}"), &format!("${{{}…}}", &long[1..])),
            (&format!("${{{}}}", &long[1..]), &format!("${{{}}}", &long[1..])),
        ] {
            let error = Template::parse(&format!("secret ${{code}} {placeholder} secret"));
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(&format!("has {shown}, which")), "{placeholder}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_placeholder_that_never_ends_is_refused() {
        for text in ["${code} ${", "${code} ${minutes", "${code", "{otpCode} ${org and more"] {
            assert_eq!(Template::parse(text), Err(InvalidTemplate::Unclosed), "{text}");
        }
    }

    #[test]
    fn the_segments_of_a_template_are_those_of_its_text() {
        let template = Template::parse(&format!("${{org}}${{code}}{}", "x".repeat(152))).unwrap();
        assert_eq!(template.segments(""), None);
        assert_eq!(template.segments("AB"), Some(1));
        assert_eq!(template.segments("ABC"), Some(2));
    }

    proptest! {
        #[test]
        fn any_text_is_a_template_or_refused(
            text in "\\PC*|([${}a-z]|otpCode|\\$\\{code\\}|\\$\\{minutes\\}|\\$\\{org\\}){0,20}",
        ) {
            match Template::parse(&text) {
                Ok(template) => {
                    prop_assert!(CODE.iter().any(|placeholder| text.contains(placeholder)));
                    prop_assert_eq!(template.uses_org(), text.contains(ORG));
                    let passcode = Passcode { code: "#1#", minutes: Some(7), okta_template: None, locale: None };
                    let replaced = CODE
                        .iter()
                        .fold(text.clone(), |text, placeholder| text.replace(placeholder, "#1#"))
                        .replace(MINUTES, "7")
                        .replace(ORG, "Contoso");
                    prop_assert_eq!(template.complete(&passcode, "Contoso").unwrap(), replaced);
                }
                Err(error) => prop_assert!(error.to_string().chars().count() < 120),
            }
        }
    }
}
