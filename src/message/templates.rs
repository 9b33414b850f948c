//! Templates by language.

use std::collections::BTreeMap;

use super::template::{InvalidTemplate, Template};

/// The key of the text for languages that have none of their own.
const DEFAULT: &str = "default";

/// The operator's texts by language, and the one for all other languages.
///
/// Looked up as RFC 4647, section 3.4, has it: the user's tag is cut from its end, subtag by subtag,
/// until there is a template for what is left. Upper and lower case are the same, and so are `-`
/// and `_`: Okta's preview says `EN-US`, other systems say `en_US`.
///
/// ```
/// use okta_telephony_acs::message::{Template, Templates};
///
/// let mut templates = Templates::default();
/// templates.add("en", "Code: ${code}").unwrap();
/// templates.add("pt-BR", "Código: ${code}").unwrap();
/// let portuguese = Template::parse("Código: ${code}").unwrap();
/// assert_eq!(templates.get("pt_br"), Some(&portuguese));
/// assert!(templates.get("EN-US").is_some());
/// assert_eq!(templates.get("pt"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates(BTreeMap<String, Template>);

/// Why a key and its text can't be added. Worded to follow the name of the setting, key included; of
/// the text it shows what [`InvalidTemplate`] shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// The key is neither a language tag nor `default`.
    #[error("must have a language tag such as pt-BR as its name, or default")]
    Key,
    /// There is a text under this key.
    #[error("is there twice: remove one (upper and lower case are the same, and so are - and _)")]
    Twice,
    /// The text is no template.
    #[error(transparent)]
    Template(InvalidTemplate),
}

impl Templates {
    /// Adds a text under its key: `default`, or a language tag, which is letters and digits in subtags
    /// of 1 to 8, the first of letters only (RFC 4647, section 2.1), joined by `-` or `_`.
    pub fn add(&mut self, key: &str, text: &str) -> Result<(), InvalidEntry> {
        if !is_language_tag(key) {
            return Err(InvalidEntry::Key);
        }
        let template = Template::parse(text).map_err(InvalidEntry::Template)?;
        match self.0.insert(canonical(key), template) {
            Some(_) => Err(InvalidEntry::Twice),
            None => Ok(()),
        }
    }

    /// The template of a language. What is no language tag, of whatever length, has none.
    pub fn get(&self, locale: &str) -> Option<&Template> {
        if !is_language_tag(locale) {
            return None;
        }
        let single = |tag: &str| tag.rsplit('-').next().is_some_and(|last| last.len() == 1);
        let locale = canonical(locale);
        let mut tag = &*locale;
        loop {
            if let Some(template) = self.0.get(tag) {
                return Some(template);
            }
            tag = tag.rsplit_once('-')?.0;
            // A subtag of one character goes with the one that follows it: `zh-x-private` leaves `zh`.
            while single(tag) {
                tag = tag.rsplit_once('-')?.0;
            }
        }
    }

    /// The template for languages that have none of their own.
    pub fn default_template(&self) -> Option<&Template> {
        self.0.get(DEFAULT)
    }

    /// `${org}` is in one of them, and so the organisation's name must be known.
    pub fn uses_org(&self) -> bool {
        self.0.values().any(Template::uses_org)
    }
}

/// Letters and digits in subtags of 1 to 8, the first of letters only, joined by `-` or `_`.
fn is_language_tag(text: &str) -> bool {
    let subtags = || text.split(['-', '_']);
    let is_subtag = |subtag: &str| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    subtags().all(is_subtag)
        && subtags().take(1).all(|first| first.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// One way to write a tag, of all: in lower case and with hyphens.
fn canonical(tag: &str) -> String {
    tag.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Templates that tell by their text which tag they belong to.
    fn templates(tags: &[&str]) -> Templates {
        let mut templates = Templates::default();
        for tag in tags {
            templates.add(tag, &format!("{tag} ${{code}}")).unwrap();
        }
        templates
    }

    #[test]
    fn a_language_is_looked_up_from_its_most_to_its_least_special_tag() {
        let known = ["zh-Hant", "ZH", "pt-BR", "en_US", "de-CH-1996", "x-fruit", "sr-x", "x"];
        let templates = templates(&known);
        for (locale, tag) in [
            ("zh-Hant-CN-x-private1-private2", Some("zh-Hant")),
            ("zh-Hans-CN", Some("ZH")),
            ("zh-HantX", Some("ZH")),
            ("pt-br", Some("pt-BR")),
            ("PT_BR", Some("pt-BR")),
            ("pt-BR-a-b-c", Some("pt-BR")),
            ("pt", None),
            ("pt-PT", None),
            ("EN-US", Some("en_US")),
            ("en-us-posix", Some("en_US")),
            ("en", None),
            ("de-CH", None),
            ("de-CH-1996", Some("de-CH-1996")),
            ("de-CH-19961", None),
            ("x-fruit-apple", Some("x-fruit")),
            // A subtag of one character goes along, but not if it is what was asked for.
            ("sr-x-private", None),
            ("sr-x", Some("sr-x")),
            ("x-vegetable", None),
            ("x", Some("x")),
        ] {
            let expected = tag.map(|tag| Template::parse(&format!("{tag} ${{code}}")).unwrap());
            assert_eq!(templates.get(locale), expected.as_ref(), "{locale}");
        }
    }

    #[test]
    fn what_is_no_language_tag_has_no_template() {
        let templates = templates(&["en", "en-US"]);
        let long = format!("en-{}", "x".repeat(100_000));
        for locale in [
            "",
            "-",
            "en-",
            "-en",
            "en--US",
            "en US",
            "en-US.UTF-8",
            "*",
            "en-*",
            "én",
            "1en",
            &long,
        ] {
            assert_eq!(templates.get(locale), None, "{locale}");
        }
        assert!(templates.get(&format!("en{}", "-x".repeat(100_000))).is_some());
        assert_eq!(Templates::default().get("en"), None);
    }

    #[test]
    fn a_key_is_a_language_tag_or_default() {
        let mut templates = Templates::default();
        for key in ["", "en-", "_en", "en--US", "e n", "de-deutschland", "12-en", "ü", "en-ü", "*"]
        {
            assert_eq!(templates.add(key, "${code}"), Err(InvalidEntry::Key), "{key}");
        }
        assert_eq!(templates, Templates::default());
        templates.add("default", "${code}").unwrap();
        assert_eq!(templates.default_template().cloned(), Template::parse("${code}").ok());
    }

    #[test]
    fn a_language_that_is_there_twice_is_refused_however_it_is_written() {
        for (first, second) in [("en-US", "EN_us"), ("de", "DE"), ("default", "Default")] {
            let mut templates = templates(&[first]);
            let error = templates.add(second, "${code}").unwrap_err();
            assert!(error.to_string().starts_with("is there twice"), "{error}");
        }
    }

    #[test]
    fn a_text_that_is_no_template_is_refused_and_not_shown() {
        let error = Templates::default().add("en", "secret").unwrap_err();
        assert_eq!(error.to_string(), "has no ${code}: put it where the passcode goes");
    }

    #[test]
    fn one_text_with_the_organisation_needs_its_name() {
        let mut templates = templates(&["en"]);
        assert!(!templates.uses_org());
        templates.add("default", "${org} ${code}").unwrap();
        assert!(templates.uses_org());
    }

    proptest! {
        #[test]
        fn any_key_and_text_are_added_or_refused(
            key in "\\PC{0,12}|[a-z]{2}([-_][A-Za-z]{2})?",
            text in "\\PC*|([${}a-z]|\\$\\{code\\}){0,20}",
        ) {
            let mut templates = Templates::default();
            match templates.add(&key, &text) {
                Ok(()) => prop_assert_eq!(templates.get(&key).cloned(), Template::parse(&text).ok()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }

        #[test]
        fn any_locale_is_looked_up(locale in "\\PC{0,40}|([a-c]|[-_]|ü){0,10}") {
            let _ = templates(&["a", "a-b", "ab"]).get(&locale);
        }
    }
}
