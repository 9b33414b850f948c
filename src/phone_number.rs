//! Phone numbers as ACS takes them.

use std::borrow::Cow;
use std::fmt;

use numbering::Plan;

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
    /// It does not begin with `+` and a country code.
    #[error("it does not begin with + and the country code")]
    NoPlus,
    /// It holds something that is neither a digit nor one of `space . - ( )` between digits.
    #[error(
        "it holds something other than digits, and spaces, dots, dashes and parentheses between them"
    )]
    Character,
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

impl PhoneNumber {
    /// Reads E.164, tolerating the separators that people write between digits, but no trunk 0: the
    /// number would be another.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let rest = text.strip_prefix('+').ok_or(InvalidPhoneNumber::NoPlus)?;
        let between = rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.ends_with(|c: char| c.is_ascii_digit());
        if !between || !rest.bytes().all(|b| b.is_ascii_digit() || b" .-()".contains(&b)) {
            return Err(InvalidPhoneNumber::Character);
        }
        let number: String =
            std::iter::once('+').chain(rest.chars().filter(char::is_ascii_digit)).collect();
        let digits = &number[1..];
        if digits.starts_with('0') {
            return Err(InvalidPhoneNumber::LeadingZero);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(InvalidPhoneNumber::Length);
        }
        if numbering::has_trunk_zero(digits) {
            return Err(InvalidPhoneNumber::TrunkZero);
        }
        let calling_code = numbering::calling_code(digits);
        if numbering::is_too_long(calling_code, canonical(&number)[1..].len()) {
            return Err(InvalidPhoneNumber::TooLong);
        }
        Ok(Self(number))
    }

    /// The whole number, `+` included: for ACS, and for nothing that is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that rules and limits go by: the same for all ways to write one number. Never for
    /// sending, for which a network may want the digit that is left out here.
    ///
    /// ```
    /// use okta_telephony_acs::phone_number::PhoneNumber;
    ///
    /// let number = PhoneNumber::parse("+52 1 55 1234 5678").unwrap();
    /// assert_eq!(number.canonical(), "+525512345678");
    /// ```
    pub fn canonical(&self) -> Cow<'_, str> {
        canonical(&self.0)
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

/// The canonical form of a number in E.164 form.
fn canonical(number: &str) -> Cow<'_, str> {
    // Mexico dropped the 1 before mobile numbers in 2019, and both ways to write them are around.
    // Argentina's 9 says that the number after it, which is also written without, is a mobile.
    for (with_digit, calling_code) in [("+521", "+52"), ("+549", "+54")] {
        if let Some(rest) = number.strip_prefix(with_digit)
            && rest.len() == 10
            && !rest.starts_with('0')
        {
            return Cow::Owned([calling_code, rest].concat());
        }
    }
    Cow::Borrowed(number)
}

/// What the canonical forms of numbers begin with that are written with this prefix: one with Mexico's old 1 or
/// Argentina's 9 loses it, as no area code there begins with that digit.
///
/// ```
/// use okta_telephony_acs::phone_number::canonical_prefix;
///
/// assert_eq!(canonical_prefix("+52155"), "+5255");
/// assert_eq!(canonical_prefix("+54911"), "+5411");
/// assert_eq!(canonical_prefix("+549"), "+549");
/// ```
pub fn canonical_prefix(prefix: &str) -> Cow<'_, str> {
    match prefix.split_at_checked("+521".len()) {
        Some((with_digit @ ("+521" | "+549"), rest)) if !rest.is_empty() => {
            Cow::Owned([&with_digit[.."+52".len()], rest].concat())
        }
        _ => Cow::Borrowed(prefix),
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

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
    fn what_is_not_e164_is_refused_with_its_cause() {
        use InvalidPhoneNumber::*;
        for (text, cause) in [
            ("", NoPlus),
            ("9876543210", NoPlus),
            (" +15550100123", NoPlus),
            ("0015550100123", NoPlus),
            ("+", Character),
            ("++15550100123", Character),
            ("+15550100123 ", Character),
            ("+(1)5550100123", Character),
            ("+1555\n0100123", Character),
            ("+1555\u{a0}0100123", Character),
            ("+1555010012３", Character),
            ("+15550100123;ext=4", Character),
            ("+1555010012x", Character),
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
    fn mexicos_one_and_argentinas_nine_are_not_in_the_canonical_form() {
        for (number, canonical) in [
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
        fn what_is_parsed_is_e164_and_parses_to_itself(text in "\\+[0-9 .()-]{5,24}") {
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
