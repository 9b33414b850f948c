//! The world's numbering plans: the one form of a number that is written in several ways, the region that it
//! belongs to, and whether numbers of its kind take SMS and calls.
//!
//! The plans are libphonenumber's. The build script makes a table of them, in which each digit leads on, so
//! that a look-up takes at most 15 steps and needs neither patterns nor memory.
//!
//! Digits here are those of a number in E.164 form, without the `+`.
#![warn(missing_docs)]

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

// The table is a tree. Each digit of a number leads from one node to the next, until it leads to an outcome,
// which says what the number is. A node is a run of edges in the two arrays UP_TO and NEXT, which belong
// together:
//
// - An edge is for all symbols up to UP_TO that the edges before it are not for. The symbols are the
//   digits 0 to 9, and END after the last digit, which always leads to an outcome.
// - It leads to the node whose first edge is at NEXT, or, if NEXT is not below the number of edges, to
//   OUTCOMES[NEXT - the number of edges].
//
// ROOT is the first edge of the node that the first digit leaves. REGIONS has all regions of OUTCOMES, sorted.
// MOST_DIGITS has, by calling code, the most digits of a number with its calling code, and 0 for a code
// that nobody has. MOBILE_DIGITS has, likewise, a bit for each count of digits that mobile numbers have.
// OPTIONAL_DIGITS has calling codes with a digit that may follow them and without it. OMITTED has calling codes
// without and with the first digits of their numbers, where some people leave these out. FINDINGS is what a
// person should look at since the metadata is newer.
include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// The symbol that follows the last digit.
const END: u8 = 10;

/// A region of the numbering plan, by its ISO 3166-1 alpha-2 code, or by the one that libphonenumber
/// uses where ISO assigns none: `AC` Ascension Island, `TA` Tristan da Cunha, `XK` Kosovo.
///
/// `EH`, Western Sahara, is none: libphonenumber gives all its numbers to `MA`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region([u8; 2]);

impl Region {
    /// Reads the code of a region that has numbers, in any case.
    ///
    /// ```
    /// use numbering::Region;
    ///
    /// assert_eq!(Region::parse("im").unwrap().code(), "IM");
    /// assert_eq!(Region::parse("UK"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let region = Self(text.to_ascii_uppercase().as_bytes().try_into().ok()?);
        REGIONS.contains(&region).then_some(region)
    }

    /// The code, in capitals.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::parse(&code).ok_or_else(|| D::Error::custom("not a region"))
    }
}

/// What the numbering plan says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The region that the number belongs to. None has one under the codes of no country, such as
    /// +800, or if it fits none of the regions that share a code, such as the fictional +1 555.
    ///
    /// A region with a code of its own has all numbers under it, valid or not.
    pub region: Option<Region>,
    /// Whether numbers of this kind take SMS. Landlines don't, where the plan tells them from mobiles, nor does what
    /// takes no calls. What is of no known kind may.
    pub takes_sms: bool,
    /// Whether numbers of this kind take calls with passcodes. Toll-free, premium-rate, shared-cost, personal, pager,
    /// company and voicemail numbers don't. What is of no known kind may.
    pub takes_calls: bool,
}

/// What some digits are.
#[derive(Clone, Copy)]
enum Outcome {
    Number {
        plan: Plan,
        is_valid: bool,
        /// Whether they are a calling code and a national prefix, and nothing else.
        ends_national_prefix: bool,
    },
    /// Not a number: the 0 after the calling code is dialled only within the country.
    TrunkZero,
}

/// The form of a number that all ways to write it have in common.
///
/// A number that is valid is its own form. Of what is not valid, the form is the first of these that there is:
///
/// 1. The longest valid number that it begins with once it has lost a national prefix, such as the 8 in `+7 8 …`.
///    Networks ignore the digits that follow.
/// 2. The longest valid number that it begins with.
/// 3. The same of the number with the first digits that people leave out in San Marino, Madagascar and Norfolk Island.
/// 4. The number as it is. It may be of a range that is newer than libphonenumber's metadata.
///
/// Two valid numbers have one form only where they are known to be one phone: Argentina's with the 9 and without.
///
/// ```
/// use numbering::canonical;
///
/// assert_eq!(canonical("789161234567"), "79161234567");
/// assert_eq!(canonical("614123456789"), "61412345678");
/// assert_eq!(canonical("5215512345678"), "525512345678");
/// ```
pub fn canonical(digits: &str) -> Cow<'_, str> {
    if is_valid(digits) {
        return Cow::Borrowed(digits);
    }
    let code = calling_code(digits);
    let prefixes =
        beginnings(digits, |of| matches!(of, Outcome::Number { ends_national_prefix: true, .. }));
    let without: Vec<_> = prefixes.map(|prefix| [code, &digits[prefix.len()..]].concat()).collect();
    if let Some(number) = without.iter().find_map(|number| longest_valid(number)) {
        return Cow::Owned(number.to_owned());
    }
    if let Some(number) = longest_valid(digits) {
        return Cow::Borrowed(number);
    }
    let complete = |(code, with): &(&str, &str)| Some([with, digits.strip_prefix(code)?].concat());
    let completed = OMITTED.iter().find_map(complete);
    match completed.as_deref().and_then(longest_valid) {
        Some(number) => Cow::Owned(number.to_owned()),
        None => Cow::Borrowed(digits),
    }
}

/// What the canonical forms of numbers begin with that are written with this beginning: Mexico's old 1 and
/// Argentina's 9 are left out, as no area code there begins with that digit.
///
/// ```
/// use numbering::canonical_prefix;
///
/// assert_eq!(canonical_prefix("52155"), "5255");
/// assert_eq!(canonical_prefix("54911"), "5411");
/// assert_eq!(canonical_prefix("549"), "549");
/// ```
pub fn canonical_prefix(digits: &str) -> Cow<'_, str> {
    let without = OPTIONAL_DIGITS.iter().find_map(|(with, without)| {
        let rest = digits.strip_prefix(with).filter(|rest| !rest.is_empty())?;
        Some([without, rest].concat())
    });
    without.map_or(Cow::Borrowed(digits), Cow::Owned)
}

/// What the numbering plan says of the number with these ASCII digits, which are in canonical form. The first byte
/// that is no digit ends the number.
pub fn look_up(digits: impl Iterator<Item = u8>) -> Plan {
    match outcome(digits) {
        Outcome::Number { plan, .. } => plan,
        Outcome::TrunkZero => Plan { region: None, takes_sms: true, takes_calls: true },
    }
}

/// Whether a 0 follows the calling code though no valid number there begins with it and the digit
/// after it.
pub fn has_trunk_zero(digits: &str) -> bool {
    matches!(outcome(digits.bytes()), Outcome::TrunkZero)
}

/// Whether a number has more digits than any number under its calling code. Nothing is too long under a code
/// that nobody has, and a digit that may be left out is not one too many.
pub fn is_too_long(digits: &str) -> bool {
    let has_more = most_digits(calling_code(digits)).is_some_and(|most| digits.len() > most);
    let without_optional_digit = canonical_prefix(digits);
    has_more && (without_optional_digit == digits || without_optional_digit != canonical(digits))
}

/// Whether mobile numbers under the calling code have as many digits, the calling code included.
///
/// ```
/// assert!(numbering::has_mobile_length("1", "14255550123".len()));
/// assert!(!numbering::has_mobile_length("91", "9175550123".len()));
/// ```
pub fn has_mobile_length(calling_code: &str, digits: usize) -> bool {
    let counts = calling_code.parse().ok().and_then(|code: usize| MOBILE_DIGITS.get(code));
    counts.is_some_and(|counts| digits <= 15 && counts >> digits & 1 == 1)
}

/// The calling code that these digits begin with, or the first three of them if nobody has it. No calling
/// code is the beginning of another (ITU-T E.164, section 6.2.1).
///
/// ```
/// assert_eq!(numbering::calling_code("442079460958"), "44");
/// ```
pub fn calling_code(digits: &str) -> &str {
    let beginnings = (1..=3).filter_map(|length| digits.get(..length));
    let mut known = beginnings.filter(|code| most_digits(code).is_some());
    known.next().or(digits.get(..3)).unwrap_or(digits)
}

/// The most digits of a number under a calling code, with the code; `None` if nobody has it.
fn most_digits(calling_code: &str) -> Option<usize> {
    let most = *MOST_DIGITS.get(calling_code.parse::<usize>().ok()?)?;
    (most > 0).then_some(usize::from(most))
}

/// Whether the plan of a region has the number.
fn is_valid(digits: &str) -> bool {
    matches!(outcome(digits.bytes()), Outcome::Number { is_valid: true, .. })
}

/// The longest valid number that the digits begin with.
fn longest_valid(digits: &str) -> Option<&str> {
    beginnings(digits, |of| matches!(of, Outcome::Number { is_valid: true, .. })).next()
}

/// The beginnings of the digits that are what is asked for, the longest one first.
fn beginnings(digits: &str, is_asked_for: fn(Outcome) -> bool) -> impl Iterator<Item = &str> {
    let mut place = ROOT;
    let outcomes = digits.bytes().take_while(u8::is_ascii_digit).map(|digit| {
        place = follow(place, digit - b'0');
        end(place)
    });
    let found: Vec<_> = (1..).zip(outcomes).filter(|(_, of)| is_asked_for(*of)).collect();
    found.into_iter().rev().map(|(length, _)| &digits[..length])
}

fn outcome(digits: impl Iterator<Item = u8>) -> Outcome {
    let digits = digits.take_while(u8::is_ascii_digit).map(|digit| digit - b'0');
    end(digits.fold(ROOT, follow))
}

/// What the number is that ends at a place in the tree.
fn end(place: usize) -> Outcome {
    OUTCOMES[follow(place, END) - NEXT.len()]
}

/// Where a symbol leads from a place in the tree, which is the first edge of a node, or an outcome, which nothing
/// leads away from.
fn follow(place: usize, symbol: u8) -> usize {
    if place >= NEXT.len() {
        return place;
    }
    let edge = UP_TO[place..].iter().position(|up_to| *up_to >= symbol);
    let edge = edge.expect("the last edge of a node is for the end");
    NEXT[place + edge] as usize
}

#[cfg(test)]
mod tests;
