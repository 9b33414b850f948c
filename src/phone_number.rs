//! Phone numbers as ACS takes them.

use std::borrow::Cow;
use std::fmt;

use numbering::Plan;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A number in E.164 form: `+`, then 7 to 15 digits of which the first is not 0
/// (ITU-T E.164, section 6.2.1). The lower bound is the shortest number in use, country code
/// included.
///
/// `Debug` shows what a log may hold, which is [`PhoneNumber::masked`].
///
/// ```
/// use okta_telephony_acs::phone_number::PhoneNumber;
///
/// let number = PhoneNumber::parse("+1 (555) 010-0123").unwrap();
/// assert_eq!(number.as_str(), "+15550100123");
/// assert_eq!(number.masked(), "+1********23");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

/// Why a text is not a number in E.164 form. Says what is wrong, never the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhoneNumber {
    /// It has no `+`.
    #[error("it does not begin with + and the country code")]
    NoPlus,
    /// It has no `+`, and may be a mobile number with it.
    #[error(
        "it does not begin with +, and is as long as a mobile number with its country code: if it begins with the \
         country code, only the + is missing"
    )]
    OnlyPlusMissing,
    /// It holds something that has a meaning, or may have one, and that no number has.
    #[error("it has {what} at position {at}, counted in characters from 1")]
    Character {
        /// What it is.
        what: Unfit,
        /// Where it is in the text, in characters from 1.
        at: usize,
    },
    /// The digit after the `+` is 0: no calling code begins with it.
    #[error("no country code begins with 0")]
    LeadingZero,
    /// It has fewer than 7 digits or more than 15.
    #[error("it has fewer than 7 digits or more than 15")]
    Length,
    /// A 0 follows the country code, and no number there begins so.
    #[error("the 0 after the country code is dialled only within the country, so leave it out")]
    TrunkZero,
    /// It has more digits than any number of its country code.
    #[error("it has more digits than any number of its country code")]
    TooLong,
}

/// What a character is that no number has at its place. Each is told from what people take it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A second `+`, or one after something else.
    #[error("a + that is not its first character")]
    Plus,
    /// It looks like a plus sign.
    #[error("a character that looks like + and is another")]
    NotThePlus,
    /// A digit of another script, or one that is fullwidth, raised or in a circle.
    #[error("a digit that is none of the plain 0 to 9")]
    Digit,
    /// A letter.
    #[error("a letter")]
    Letter,
    /// What ends a line, so that two numbers may be meant.
    #[error("a line break")]
    LineBreak,
    /// What is not seen or hardly seen, and is no mere format.
    #[error("an invisible character")]
    Invisible,
    /// A separator that has no digit before or after it.
    #[error("a separator that is not between digits")]
    Separator,
    /// Anything else.
    #[error("a character that is neither a digit nor a separator")]
    Other,
}

impl Unfit {
    fn of(character: char) -> Self {
        use GeneralCategory as Is;
        match character {
            PLUS | FULLWIDTH_PLUS => Self::Plus,
            '\u{207a}' | '\u{208a}' | '\u{2795}' | '\u{fb29}' | '\u{fe62}' => Self::NotThePlus,
            _ if is_line_break(character) => Self::LineBreak,
            _ if is_separator(character) => Self::Separator,
            // They are blank, whatever their category.
            '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => Self::Invisible,
            _ => match character.general_category() {
                Is::DecimalNumber | Is::OtherNumber | Is::LetterNumber => Self::Digit,
                Is::Control
                | Is::NonspacingMark
                | Is::EnclosingMark
                | Is::PrivateUse
                | Is::Unassigned => Self::Invisible,
                _ if character.general_category_group() == GeneralCategoryGroup::Letter => {
                    Self::Letter
                }
                _ => Self::Other,
            },
        }
    }
}

const PLUS: char = '+';

/// The plus sign of East Asian keyboards, which means nothing else.
const FULLWIDTH_PLUS: char = '\u{ff0b}';

/// What has no meaning in a number, wherever it is: blanks, and marks that only direct how text is shown, both of
/// which come along when a number is copied out of a document.
fn is_meaningless(character: char) -> bool {
    let is_blank = character.is_whitespace() && !is_line_break(character);
    is_blank || character.general_category() == GeneralCategory::Format
}

/// What Unicode has as mandatory breaks (UAX #14, classes BK, CR, LF and NL).
fn is_line_break(character: char) -> bool {
    matches!(character, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What people write between digits, besides blanks: every dash there is, one of which a word processor puts for the
/// one that was typed.
fn is_separator(character: char) -> bool {
    matches!(character, '.' | '(' | ')' | '\u{2212}')
        || character.general_category() == GeneralCategory::DashPunctuation
}

/// A number, or what numbers begin with, without what people write between its digits, and with the plain `+`. All else
/// stays.
///
/// ```
/// use okta_telephony_acs::phone_number::bare;
///
/// assert_eq!(bare("\u{ff0b}44 (7700)\u{2013}900"), "+447700900");
/// ```
pub fn bare(text: &str) -> String {
    let digits = text.chars().filter(|c| !is_meaningless(*c) && !is_separator(*c));
    digits.map(|c| if c == FULLWIDTH_PLUS { PLUS } else { c }).collect()
}

impl PhoneNumber {
    /// Reads E.164, tolerating the separators that people write between digits and what nobody sees, but no trunk
    /// 0: the number would be another.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        Self::from_digits(digits(text)?)
    }

    /// The number of these digits, which the calling code begins.
    fn from_digits(digits: String) -> Result<Self, InvalidPhoneNumber> {
        if digits.starts_with('0') {
            return Err(InvalidPhoneNumber::LeadingZero);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(InvalidPhoneNumber::Length);
        }
        if numbering::has_trunk_zero(&digits) {
            return Err(InvalidPhoneNumber::TrunkZero);
        }
        if numbering::is_too_long(&digits) {
            return Err(InvalidPhoneNumber::TooLong);
        }
        Ok(Self(["+", &digits].concat()))
    }

    /// Whether it has a country, is of a kind that takes SMS, and has as many digits as that country's mobile
    /// numbers.
    fn may_be_mobile(&self) -> bool {
        let digits = &self.canonical()[1..];
        let plan = self.plan();
        plan.region.is_some()
            && plan.takes_sms
            && numbering::has_mobile_length(numbering::calling_code(digits), digits.len())
    }

    /// The whole number, `+` included: for ACS, and for nothing that is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that rules, limits and records go by: the same for all ways to write one number, as
    /// [`numbering::canonical`] finds it. Never for sending, for which a network may want the digits that are left
    /// out here.
    ///
    /// ```
    /// use okta_telephony_acs::phone_number::PhoneNumber;
    ///
    /// let number = PhoneNumber::parse("+52 1 55 1234 5678").unwrap();
    /// assert_eq!(number.canonical(), "+525512345678");
    /// ```
    pub fn canonical(&self) -> Cow<'_, str> {
        with_plus(&self.0, &numbering::canonical(&self.0[1..]))
    }

    /// What the numbering plan of its country says of it.
    ///
    /// ```
    /// use okta_telephony_acs::phone_number::PhoneNumber;
    ///
    /// let number = PhoneNumber::parse("+44 7624 012345").unwrap();
    /// assert_eq!(number.plan().region.unwrap().code(), "IM");
    /// ```
    pub fn plan(&self) -> Plan {
        numbering::look_up(self.canonical()[1..].bytes())
    }

    /// The calling code and the last two digits, with a `*` for each digit between them: the only
    /// form in which a number reaches a log.
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let shown = numbering::calling_code(digits);
        let last = &digits[digits.len() - 2..];
        format!("+{shown}{}{last}", "*".repeat(digits.len() - shown.len() - 2))
    }
}

/// The digits of a text that begins with a plus sign.
fn digits(text: &str) -> Result<String, InvalidPhoneNumber> {
    let mut characters: Vec<_> =
        (1..).zip(text.chars()).filter(|(_, character)| !is_meaningless(*character)).collect();
    while characters.pop_if(|(_, last)| is_line_break(*last)).is_some() {}
    let begin = characters.iter().take_while(|(_, first)| is_line_break(*first)).count();
    let characters = &characters[begin..];

    let number = match characters {
        [(_, PLUS | FULLWIDTH_PLUS), number @ ..] => number,
        _ => return Err(without_plus(characters)),
    };
    let unfit = |(at, character): (usize, char)| InvalidPhoneNumber::Character {
        what: Unfit::of(character),
        at,
    };
    let last_digit = number.iter().rposition(|(_, character)| character.is_ascii_digit());
    let mut digits = String::new();
    for (place, &(at, character)) in number.iter().enumerate() {
        let is_between = !digits.is_empty() && last_digit.is_some_and(|last| place < last);
        match character {
            '0'..='9' => digits.push(character),
            _ if is_between && is_separator(character) => {}
            _ => return Err(unfit((at, character))),
        }
    }
    Ok(digits)
}

/// What is wrong with characters of which the first is no plus sign. Who sees one in them is not told that there is
/// none.
fn without_plus(characters: &[(usize, char)]) -> InvalidPhoneNumber {
    let is_plus = |(_, character): &(usize, char)| {
        matches!(Unfit::of(*character), Unfit::Plus | Unfit::NotThePlus)
    };
    if let Some(&(at, plus)) = characters.iter().find(|it| is_plus(it)) {
        return InvalidPhoneNumber::Character { what: Unfit::of(plus), at };
    }
    let characters = characters.iter().map(|(_, character)| *character);
    let digits: String = characters.clone().filter(char::is_ascii_digit).collect();
    let is_bare = characters.into_iter().all(|it| it.is_ascii_digit() || is_separator(it));
    match PhoneNumber::from_digits(digits) {
        Ok(number) if is_bare && number.may_be_mobile() => InvalidPhoneNumber::OnlyPlusMissing,
        _ => InvalidPhoneNumber::NoPlus,
    }
}

/// What the canonical forms of numbers begin with that are written with this prefix.
///
/// ```
/// use okta_telephony_acs::phone_number::canonical_prefix;
///
/// assert_eq!(canonical_prefix("+52155"), "+5255");
/// ```
pub fn canonical_prefix(prefix: &str) -> Cow<'_, str> {
    match prefix.strip_prefix(PLUS) {
        Some(digits) => with_plus(prefix, &numbering::canonical_prefix(digits)),
        None => Cow::Borrowed(prefix),
    }
}

/// The digits with a plus before them, borrowed if they are those of the text.
fn with_plus<'a>(text: &'a str, digits: &str) -> Cow<'a, str> {
    if &text[1..] == digits { Cow::Borrowed(text) } else { Cow::Owned(["+", digits].concat()) }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod spellings;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn e164_is_taken_with_and_without_separators() {
        for (text, number) in [
            ("+15550100123", "+15550100123"),
            ("+1 (555) 010-0123", "+15550100123"),
            ("+44 20.7946.0958", "+442079460958"),
            ("+2901234", "+2901234"),
            ("+999456789012345", "+999456789012345"),
        ] {
            assert_eq!(PhoneNumber::parse(text).unwrap().as_str(), number, "{text}");
        }
    }

    #[test]
    fn what_nobody_sees_and_every_dash_is_dropped_at_the_ends_and_between() {
        let meaningless = [
            " ",
            "\t",
            "\u{a0}",
            "\u{1680}",
            "\u{2000}",
            "\u{2007}",
            "\u{2009}",
            "\u{202f}",
            "\u{205f}",
            "\u{3000}",
            "\u{ad}",
            "\u{61c}",
            "\u{180e}",
            "\u{200b}",
            "\u{200c}",
            "\u{200d}",
            "\u{200e}",
            "\u{200f}",
            "\u{202a}",
            "\u{202c}",
            "\u{202d}",
            "\u{2060}",
            "\u{2066}",
            "\u{2069}",
            "\u{feff}",
            "\u{fff9}",
            "\u{e0001}",
            "\u{e0020}",
            " \u{200e}\u{a0}",
        ];
        let between_digits = [
            "-",
            ".",
            "\u{2010}",
            "\u{2011}",
            "\u{2012}",
            "\u{2013}",
            "\u{2014}",
            "\u{2015}",
            "\u{2212}",
            "\u{58a}",
            "\u{fe58}",
            "\u{fe63}",
            "\u{ff0d}",
            "\u{a0}\u{2013} ",
        ];
        let at_the_ends = ["\n", "\r\n", "\u{85}", "\u{2028}", "\u{a0}\u{2029} \u{200b}"];
        let number = "+14255550123";
        let ends = meaningless.into_iter().chain(at_the_ends);
        let ends = ends.map(|it| [it, number, it].concat());
        let within = meaningless.into_iter().chain(between_digits);
        let within = within.map(|it| ["+1", "425", "555", "0123"].join(it));
        let after_plus = meaningless.map(|it| number.replace('+', &["+", it].concat()));
        for text in ends.chain(within).chain(after_plus).chain([number.replace('+', "\u{ff0b}")]) {
            let read = PhoneNumber::parse(&text).map(|read| read.as_str().to_owned());
            assert_eq!(read.as_deref(), Ok(number), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_e164_is_refused_with_its_cause() {
        use InvalidPhoneNumber::*;
        for (text, cause) in [
            ("", NoPlus),
            (" \u{200b}\n", NoPlus),
            ("9876543210", NoPlus),
            ("anything", NoPlus),
            ("0015550100123", NoPlus),
            ("011 49 1512 3456789", NoPlus),
            ("+", Length),
            ("+05550100123", LeadingZero),
            ("+123456", Length),
            ("+160455501239", TooLong),
            ("+338991234567", TooLong),
            ("+4490912345678", TooLong),
            ("+52155123456789", TooLong),
            ("+123456789012345", TooLong),
            ("+1234567890123456", Length),
            ("+44 (0)20 7946 0958", TrunkZero),
            ("+4901512 3456789", TrunkZero),
            ("+33 06 12 34 56 78", TrunkZero),
            ("+81 090 1234 5678", TrunkZero),
            ("+52 044 55 1234 5678", TrunkZero),
            ("+1 0212 555 0123", TrunkZero),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(cause), "{text:?}");
        }
    }

    #[test]
    fn a_character_that_no_number_has_is_told_by_its_kind_and_its_place() {
        use Unfit::*;
        for (text, what, at) in [
            ("++15550100123", Plus, 2),
            ("+1555+0100123", Plus, 6),
            ("(+1)5550100123", Plus, 2),
            ("tel:+15550100123", Plus, 5),
            ("\u{a0}00+15550100123", Plus, 4),
            ("\u{fe62}15550100123", NotThePlus, 1),
            ("\u{207a}15550100123", NotThePlus, 1),
            ("\u{2795}15550100123", NotThePlus, 1),
            ("+1555010012\u{ff13}", Digit, 12),
            ("+1\u{0665}550100123", Digit, 3),
            ("+1\u{b2}550100123", Digit, 3),
            ("+1\u{2460}550100123", Digit, 3),
            ("+1555010012x", Letter, 12),
            ("+1555010012\u{43e}", Letter, 12),
            ("+1 555\u{a0}0100123 ext 4", Letter, 16),
            ("+1555\n0100123", LineBreak, 6),
            ("+15550100123\r\n+15550100124", LineBreak, 13),
            ("+1555\u{2028}0100123", LineBreak, 6),
            ("+1555\u{0}0100123", Invisible, 6),
            ("+1555\u{7f}0100123", Invisible, 6),
            ("+1555\u{fe0f}0100123", Invisible, 6),
            ("+1555\u{34f}0100123", Invisible, 6),
            ("+1555\u{3164}0100123", Invisible, 6),
            ("+1555\u{2800}0100123", Invisible, 6),
            ("+1555\u{e000}0100123", Invisible, 6),
            ("+(1)5550100123", Separator, 2),
            ("+15550100123-", Separator, 13),
            ("+15550100123.", Separator, 13),
            ("+15550100123;ext=4", Other, 13),
            ("+1555/0100123", Other, 6),
        ] {
            let cause = InvalidPhoneNumber::Character { what, at };
            assert_eq!(PhoneNumber::parse(text), Err(cause), "{text:?}");
        }
    }

    #[test]
    fn only_the_plus_is_missing_where_the_digits_may_be_a_mobile_number_with_its_country_code() {
        use InvalidPhoneNumber::*;
        for (text, cause) in [
            ("14255550123", OnlyPlusMissing),
            ("1 (425) 555-0123", OnlyPlusMissing),
            ("\u{200e}1\u{a0}425\u{2011}555\u{2011}0123", OnlyPlusMissing),
            ("447400123456", OnlyPlusMissing),
            ("4915123456789", OnlyPlusMissing),
            ("5215512345678", OnlyPlusMissing),
            ("525512345678", OnlyPlusMissing),
            // Numbers as they are dialled within a country or from it.
            ("4255550123", NoPlus),
            ("9175550123", NoPlus),
            ("7185550123", NoPlus),
            ("07400123456", NoPlus),
            ("015123456789", NoPlus),
            ("00447400123456", NoPlus),
            ("0114915123456789", NoPlus),
            // Numbers with digits too few or too many, of nobody, and such as take no SMS.
            ("1425555012", NoPlus),
            ("142555501234", NoPlus),
            ("15550100123", NoPlus),
            ("18005550123", NoPlus),
            ("447012345678", NoPlus),
            ("4915123456789x", NoPlus),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(cause), "{text:?}");
        }
    }

    #[test]
    fn a_zero_that_belongs_to_the_number_is_taken() {
        for number in [
            "+390612345678",
            "+390669812345",
            "+3780549886377",
            "+2250123456789",
            "+24106031234",
            "+242061234567",
            "+81007712345678",
        ] {
            assert_eq!(PhoneNumber::parse(number).unwrap().as_str(), number);
        }
    }

    #[test]
    fn a_canonical_form_has_no_national_prefix_no_digit_too_many_and_a_plus() {
        for (number, canonical) in [
            ("+375 80 29 1234567", "+375291234567"),
            ("+61 412 345 6789", "+61412345678"),
            ("+5215512345678", "+525512345678"),
            ("+525512345678", "+525512345678"),
            ("+521551234567", "+521551234567"),
            ("+5491123456789", "+541123456789"),
            ("+541123456789", "+541123456789"),
            ("+549112345678", "+549112345678"),
            ("+15550100123", "+15550100123"),
        ] {
            assert_eq!(PhoneNumber::parse(number).unwrap().canonical(), canonical);
        }
    }

    #[test]
    fn a_number_that_is_written_in_two_ways_has_one_plan() {
        for (one, other, code, takes_sms) in [
            ("+5215512345678", "+525512345678", "MX", true),
            ("+5491123456789", "+541123456789", "AR", true),
            ("+5218001234567", "+528001234567", "MX", false),
        ] {
            let plan = PhoneNumber::parse(one).unwrap().plan();
            assert_eq!(plan, PhoneNumber::parse(other).unwrap().plan(), "{one}");
            assert_eq!((plan.region.unwrap().code(), plan.takes_sms), (code, takes_sms), "{one}");
        }
    }

    #[test]
    fn a_masked_number_shows_the_calling_code_and_two_digits() {
        for (number, masked) in [
            ("+15550100123", "+1********23"),
            ("+79161234567", "+7********67"),
            ("+442079460958", "+44********58"),
            ("+959123456789", "+95********89"),
            ("+35312345678", "+353******78"),
            ("+2901234", "+290**34"),
        ] {
            let number = PhoneNumber::parse(number).unwrap();
            assert_eq!(number.masked(), masked);
            assert_eq!(format!("{number:?}"), masked);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = PhoneNumber::parse(&text);
        }

        #[test]
        fn what_is_parsed_is_e164_and_parses_to_itself(text in "\\PC?[+\u{ff0b}][0-9 .()\u{a0}\u{200b}\u{2011}-]{5,24}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                let digits = number.as_str().strip_prefix('+').unwrap();
                prop_assert!((7..=15).contains(&digits.len()));
                prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()));
                prop_assert!(!digits.starts_with('0'));
                prop_assert_eq!(PhoneNumber::parse(number.as_str()).unwrap(), number.clone());
                prop_assert_eq!(number.masked().len(), number.as_str().len());
            }
        }

        #[test]
        fn a_canonical_form_parses_and_is_its_own(text in "\\+(52|54)?[1-9][0-9]{6,12}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                let canonical = PhoneNumber::parse(&number.canonical()).unwrap();
                prop_assert_eq!(canonical.canonical(), canonical.as_str());
                prop_assert_eq!(number.plan(), canonical.plan());
            }
        }
    }
}
