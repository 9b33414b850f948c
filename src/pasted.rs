//! Text that people paste, and what comes along that nobody sees.
//!
//! Editors on Windows write a byte order mark, web pages break long words with zero-width spaces, word processors
//! put no-break spaces and typographic quotes, and `docker run --env-file` keeps the quotes that a shell takes
//! away. Whoever looks at such a value sees the right one: so what can't be meant is dropped, and what might be is
//! named.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Whether a character has no shape and, in a setting, no meaning: a control or format character, a variation
/// selector or a filler. White space is another matter.
pub fn is_invisible(c: char) -> bool {
    let is_blank = matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    );
    // Nearly all are ASCII, and need no look into a table.
    let is_mark = || is_blank || c.general_category() == GeneralCategory::Format;
    !c.is_whitespace() && (c.is_control() || !c.is_ascii() && is_mark())
}

/// A quotation mark, straight or typographic.
pub fn is_quote(c: char) -> bool {
    "\"'`\u{ab}\u{bb}\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\u{201f}\u{2039}\u{203a}".contains(c)
}

/// A value that holds nothing invisible, and that no quotes belong to: without the former, and without the latter and
/// white space around the whole.
///
/// ```
/// use okta_telephony_acs::pasted::clean;
///
/// assert_eq!(clean("\u{feff}“https://contoso.okta.com” \r\n"), "https://contoso.okta.com");
/// ```
pub fn clean(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let mut value = visible.trim();
    while let Some(inside) = unquoted(value) {
        value = inside.trim();
    }
    value.to_owned()
}

/// What stands between quotes, where they are around the whole.
pub fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix(is_quote)?.strip_suffix(is_quote)
}

/// A text of parts such as `name=value`, in one line. A line break that came in on the way stands for nothing, but for
/// the `;` where the next line begins a part.
pub fn in_one_line(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines().map(str::trim) {
        let begins_a_part = line.split_once('=').is_some_and(|(name, value)| {
            // Of base64 all that follows a `=` is another.
            name.trim_end().bytes().all(|b| b.is_ascii_alphabetic()) && !matches!(value, "" | "=")
        });
        if begins_a_part {
            joined.push(';');
        }
        joined.push_str(line);
    }
    joined
}

/// A text for people to read: without white space and what nobody sees around it. The marks of direction and the
/// joiners stay: they say how the characters beside them are shown.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| is_blank(c) || c.is_control())
}

/// White space, or a mark that is nothing but a blank of no width.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// What stands at an end of a text that is taken to the letter, and that few people mean: its text is a verb with its
/// object, such as "ends with a line feed".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    at_the_end: bool,
    character: char,
}

/// The first thing that is odd about a text that is taken to the letter, such as a secret.
///
/// ```
/// use okta_telephony_acs::pasted::oddity;
///
/// assert_eq!(oddity("s3cret\n").unwrap().to_string(), "ends with a line feed");
/// assert_eq!(oddity("s3cret"), None);
/// ```
pub fn oddity(text: &str) -> Option<Oddity> {
    let is_odd = |c: &char| c.is_whitespace() || is_quote(*c) || is_invisible(*c);
    let first = text.chars().next().filter(is_odd);
    let last = text.chars().next_back().filter(is_odd);
    let first = first.map(|character| Oddity { at_the_end: false, character });
    first.or(last.map(|character| Oddity { at_the_end: true, character }))
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.at_the_end { "ends with " } else { "begins with " })?;
        f.write_str(&named(self.character))
    }
}

/// A character that is hard to see, in words.
pub fn named(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        '\n' => "a line feed".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        '"' | '\'' | '`' => "a quotation mark".to_owned(),
        '\u{feff}' => "a byte order mark (U+FEFF), which nobody sees".to_owned(),
        c if is_quote(c) => format!("a typographic quotation mark (U+{:04X})", u32::from(c)),
        c if c.is_whitespace() => format!("the white space U+{:04X}", u32::from(c)),
        c => format!("the character U+{:04X}, which nobody sees", u32::from(c)),
    }
}

/// What of a line comes from a word processor or a web page and looks like something else, in words.
pub fn lookalike(line: &str) -> Option<String> {
    let is_lookalike =
        |c: char| is_invisible(c) || !c.is_ascii() && (c.is_whitespace() || is_quote(c));
    line.chars().find(|c| is_lookalike(*c)).map(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nobody_means_is_dropped_from_a_value() {
        for text in [
            "a b",
            " a b\r\n",
            "\u{feff}a b",
            "\u{feff}\u{feff}a b\u{0}",
            "a\u{200b} b\u{ad}",
            "\u{a0}a b\u{3000}",
            "\"a b\"",
            "'a b'",
            "“a b”",
            "„a b“",
            "« a b »",
            " \u{feff}\"'a b' \"\u{2060}",
            "a b\u{fe0f}",
        ] {
            assert_eq!(clean(text), "a b", "{text:?}");
        }
        for (text, value) in
            [("\"a", "\"a"), ("a'", "a'"), ("a\"b\"c", "a\"b\"c"), ("\"", "\""), ("''", "")]
        {
            assert_eq!(clean(text), value, "{text:?}");
        }
    }

    #[test]
    fn a_text_keeps_what_says_how_it_is_shown() {
        for (text, trimmed) in [
            ("\u{feff}a\u{200b} \r\n", "a"),
            ("\"a\"", "\"a\""),
            ("\u{200f}a\u{200e}", "\u{200f}a\u{200e}"),
            ("a\u{200d}", "a\u{200d}"),
        ] {
            assert_eq!(trim(text), trimmed, "{text:?}");
        }
    }

    #[test]
    fn what_is_odd_is_named_with_its_place() {
        for (text, expected) in [
            (" s", "begins with a space"),
            ("s\n", "ends with a line feed"),
            ("s\u{a0}", "ends with the white space U+00A0"),
            ("\u{feff}s", "begins with a byte order mark (U+FEFF), which nobody sees"),
            ("s\u{200b}", "ends with the character U+200B, which nobody sees"),
            ("'s'", "begins with a quotation mark"),
            ("s”", "ends with a typographic quotation mark (U+201D)"),
        ] {
            assert_eq!(oddity(text).unwrap().to_string(), expected, "{text:?}");
        }
        for text in ["", "s", "s t", "s\"t", "é", "=+/"] {
            assert_eq!(oddity(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_clean_stays_as_it_is(text in "[\\PC\\pC]{0,20}|[\"'\u{feff} a]{0,8}") {
            let cleaned = clean(&text);
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
            prop_assert!(cleaned.len() <= text.len());
            prop_assert!(!cleaned.contains(is_invisible));
        }
    }
}
