//! Templates by language.

use std::borrow::Cow;
use std::fmt;

use super::template::{InvalidTemplate, Template};
use crate::json::read::{Json, Place};

/// The operator's texts by language.
///
/// Looked up as RFC 4647, section 3.4, has it: the user's tag is cut from its end, subtag by subtag,
/// until there is a template for what is left. Upper and lower case are the same, and so are `-`
/// and `_`: Okta's preview says `EN-US`, other systems say `en_US`.
///
/// ```
/// use okta_telephony_acs::message::{Template, Templates};
///
/// let templates = Templates::parse(r#"{"en": "Code: ${code}", "pt-BR": "Código: ${code}"}"#).unwrap();
/// let portuguese = Template::parse("Código: ${code}").unwrap();
/// assert_eq!(templates.get("pt_br"), Some(&portuguese));
/// assert!(templates.get("EN-US").is_some());
/// assert_eq!(templates.get("pt"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates(Vec<(String, Template)>);

/// Why a text is no set of templates. Worded to follow the name of the setting; of the text it shows
/// language tags, and what [`InvalidTemplate`] shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidTemplates {
    /// It is not JSON.
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 at the beginning of a line.
        column: usize,
    },
    /// It is JSON, but not an object of strings.
    NotAnObject {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 at the beginning of a line.
        column: usize,
    },
    /// A name in the object is no language tag.
    NotATag {
        /// Which one, from 1.
        entry: usize,
    },
    /// A language is there twice.
    Twice {
        /// The tag, in lower case and with hyphens.
        tag: String,
    },
    /// A text is no template.
    Template {
        /// The tag, in lower case and with hyphens.
        tag: String,
        /// What is wrong.
        error: InvalidTemplate,
    },
}

impl fmt::Display for InvalidTemplates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => {
                write!(f, "is not JSON: see line {line}, column {column}")
            }
            Self::NotAnObject { line, column } => write!(
                f,
                "must be one object of language tags and texts, as in {{\"en\":\"Code: ${{code}}\"}}: see line {line}, column {column}"
            ),
            Self::NotATag { entry } => {
                write!(f, "has no language tag such as pt-BR as the name of text {entry}")
            }
            Self::Twice { tag } => write!(
                f,
                "has {tag} twice: remove one (upper and lower case are the same, and so are - and _)"
            ),
            Self::Template { tag, error } => write!(f, "at {tag} {error}"),
        }
    }
}

impl Templates {
    /// Reads a JSON object, language tag to template. A tag is letters and digits in subtags of 1 to
    /// 8, the first of letters only (RFC 4647, section 2.1), joined by `-` or `_`.
    pub fn parse(json: &str) -> Result<Self, InvalidTemplates> {
        let entries = entries(json)?;
        let mut templates: Vec<(String, Template)> = Vec::with_capacity(entries.len());
        for (index, (tag, text)) in entries.into_iter().enumerate() {
            if !is_language_tag(&tag) {
                return Err(InvalidTemplates::NotATag { entry: index + 1 });
            }
            let tag = tag.to_ascii_lowercase().replace('_', "-");
            if templates.iter().any(|(known, _)| *known == tag) {
                return Err(InvalidTemplates::Twice { tag });
            }
            match Template::parse(&text) {
                Ok(template) => templates.push((tag, template)),
                Err(error) => return Err(InvalidTemplates::Template { tag, error }),
            }
        }
        Ok(Self(templates))
    }

    /// The template for a language. What is no language tag, of whatever length, has none.
    pub fn get(&self, locale: &str) -> Option<&Template> {
        if self.0.is_empty() || !is_language_tag(locale) {
            return None;
        }
        let left = self.0.iter().filter(|(tag, _)| is_left_of(tag, locale));
        left.max_by_key(|(tag, _)| tag.len()).map(|(_, template)| template)
    }

    /// `${org}` is in one of them, and so the organisation's name must be known.
    pub fn uses_org(&self) -> bool {
        self.0.iter().any(|(_, template)| template.uses_org())
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

/// Cutting a language tag from its end leaves `tag`, which is in lower case and has hyphens. A
/// subtag of one character goes with the one that follows it: `zh-x-private` leaves no `zh-x`.
fn is_left_of(tag: &str, locale: &str) -> bool {
    let Some((left, cut)) = locale.as_bytes().split_at_checked(tag.len()) else { return false };
    let same = |(of_locale, of_tag): (&u8, u8)| match of_locale {
        b'_' => of_tag == b'-',
        letter => letter.to_ascii_lowercase() == of_tag,
    };
    let single = |tag: &str| tag.rsplit('-').next().is_some_and(|last| last.len() == 1);
    left.iter().zip(tag.bytes()).all(same)
        && match cut.first() {
            None => true,
            Some(b'-' | b'_') => !single(tag),
            Some(_) => false,
        }
}

/// A language tag and its text.
type Entry<'a> = (Cow<'a, str>, Cow<'a, str>);

/// An object's texts, in order and with all names, even if there twice.
fn entries(json: &str) -> Result<Vec<Entry<'_>>, InvalidTemplates> {
    let not_json = |Place { line, column }| InvalidTemplates::NotJson { line, column };
    let not_an_object = |value: Json<'_>| {
        let Place { line, column } = value.place();
        InvalidTemplates::NotAnObject { line, column }
    };
    let json = Json::parse(json.as_bytes()).map_err(not_json)?;
    let mut entries = Vec::new();
    for (tag, text) in json.members().ok_or_else(|| not_an_object(json))? {
        for value in [tag, text] {
            if !value.is_readable() {
                return Err(not_json(value.place()));
            }
        }
        match (tag.text(), text.text()) {
            (Some(tag), Some(text)) => entries.push((tag, text)),
            _ => return Err(not_an_object(text)),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Templates that tell by their text which tag they belong to.
    fn templates(tags: &[&str]) -> Templates {
        let entries = tags.iter().map(|tag| ((*tag).to_owned(), format!("{tag} ${{code}}").into()));
        let json = serde_json::Value::Object(entries.collect());
        Templates::parse(&json.to_string()).unwrap()
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
    fn what_is_not_an_object_of_strings_is_refused_with_its_place() {
        use InvalidTemplates::*;
        for (json, expected) in [
            ("", NotJson { line: 1, column: 0 }),
            ("{", NotJson { line: 1, column: 1 }),
            ("{\n\"en\":secret}", NotJson { line: 2, column: 6 }),
            (r#"{"en":"${code}"} x"#, NotJson { line: 1, column: 18 }),
            (r#"{"en":"${code}",}"#, NotJson { line: 1, column: 17 }),
            ("[]", NotAnObject { line: 1, column: 0 }),
            ("\"secret\"", NotAnObject { line: 1, column: 8 }),
            ("null", NotAnObject { line: 1, column: 4 }),
            ("{\"en\":\n12345}", NotAnObject { line: 2, column: 5 }),
            (r#"{"en":["${code}"]}"#, NotAnObject { line: 1, column: 6 }),
            (r#"{"en":null}"#, NotAnObject { line: 1, column: 10 }),
        ] {
            let error = Templates::parse(json).unwrap_err();
            assert_eq!(error, expected, "{json}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(Templates::parse("{}"), Ok(Templates::default()));
    }

    #[test]
    fn a_name_that_is_no_language_tag_is_counted_out_and_not_shown() {
        for tag in ["", "en-", "_en", "en--US", "e n", "de-deutschland", "12-en", "ü", "en-ü", "*"]
        {
            let json = serde_json::json!({ tag: "${code}" }).to_string();
            let error = Templates::parse(&json).unwrap_err();
            assert_eq!(error, InvalidTemplates::NotATag { entry: 1 }, "{tag}");
        }
        let error = Templates::parse(r#"{"en":"${code}","your code":"de"}"#).unwrap_err();
        assert_eq!(error.to_string(), "has no language tag such as pt-BR as the name of text 2");
    }

    #[test]
    fn a_language_that_is_there_twice_is_named() {
        for json in
            [r#"{"en":"${code}","en":"${code}"}"#, r#"{"en-US":"${code}","EN_us":"${code}"}"#]
        {
            let error = Templates::parse(json).unwrap_err().to_string();
            assert!(error.starts_with("has en"), "{error}");
            assert!(error.contains(" twice"), "{error}");
        }
    }

    #[test]
    fn a_text_that_is_no_template_is_named_by_its_tag() {
        let error = Templates::parse(r#"{"en":"${code}","pt_BR":"secret"}"#).unwrap_err();
        assert_eq!(error.to_string(), "at pt-br has no ${code}: put it where the passcode goes");
    }

    #[test]
    fn one_text_with_the_organisation_needs_its_name() {
        let uses_org = |json| Templates::parse(json).unwrap().uses_org();
        assert!(!uses_org("{}"));
        assert!(!uses_org(r#"{"en":"${code}"}"#));
        assert!(uses_org(r#"{"en":"${code}","de":"${org} ${code}"}"#));
    }

    /// RFC 4647, section 3.4, step by step.
    fn look_up<'a>(tags: &[&'a str], range: &str) -> Option<&'a str> {
        let canonical = |tag: &str| tag.replace('_', "-").to_lowercase();
        let range = canonical(range);
        let mut subtags: Vec<&str> = range.split('-').collect();
        while !subtags.is_empty() {
            let wanted = subtags.join("-");
            if let Some(tag) = tags.iter().find(|tag| canonical(tag) == wanted) {
                return Some(tag);
            }
            subtags.pop();
            while subtags.last().is_some_and(|last| last.len() == 1) {
                subtags.pop();
            }
        }
        None
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(json in "\\PC*|(\\{|\\}|\"|:|,|en|de-AT|\\$\\{code\\}|\\\\){0,30}") {
            if let Err(error) = Templates::parse(&json) {
                prop_assert!(!error.to_string().is_empty());
            }
        }

        #[test]
        fn any_locale_is_looked_up(locale in "\\PC{0,40}|([a-c]|[-_]|ü){0,10}") {
            let templates = templates(&["a", "a-b", "ab"]);
            let _ = templates.get(&locale);
        }

        #[test]
        fn the_look_up_finds_exactly_what_the_rfc_says(
            tags in proptest::collection::vec("[ab]{1,2}([-_][abAB1]{1,2}){0,3}", 1..6),
            locale in "[abAB]{1,2}([-_][abAB1]{1,2}){0,5}",
        ) {
            let mut distinct: Vec<&str> = Vec::new();
            for tag in &tags {
                if !distinct.iter().any(|d| d.replace('_', "-").eq_ignore_ascii_case(&tag.replace('_', "-"))) {
                    distinct.push(tag);
                }
            }
            let templates = templates(&distinct);
            let expected = look_up(&distinct, &locale)
                .map(|tag| Template::parse(&format!("{tag} ${{code}}")).unwrap());
            prop_assert_eq!(templates.get(&locale), expected.as_ref());
            prop_assert_eq!(templates.get(&locale.to_uppercase()), expected.as_ref());
            prop_assert_eq!(templates.get(&locale.to_lowercase().replace('-', "_")), expected.as_ref());
        }
    }
}
