//! The world's numbering plans: the region that a number belongs to, and whether numbers of its kind
//! take SMS.
//!
//! The plans are libphonenumber's. The build script makes a table of them, in which each digit leads on, so
//! that a look-up takes at most 15 steps and needs neither patterns nor memory.
//!
//! Digits here are those of a number in E.164 form, without the `+`.
#![warn(missing_docs)]

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
// that nobody has. MOBILE_DIGITS has, likewise, a bit for each count of digits that mobile numbers have. FINDINGS is what a person should look at since the metadata is newer.
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
    /// Whether numbers of this kind take SMS. Toll-free, premium-rate, shared-cost, personal, pager,
    /// company and voicemail numbers don't. What is of no known kind may.
    pub takes_sms: bool,
}

/// What a number is.
#[derive(Clone, Copy)]
enum Outcome {
    Number(Plan),
    /// Not a number: the 0 after the calling code is dialled only within the country.
    TrunkZero,
}

/// What the numbering plan says of the number with these ASCII digits. The first byte that is no digit ends
/// the number.
pub fn look_up(digits: impl Iterator<Item = u8>) -> Plan {
    match outcome(digits) {
        Outcome::Number(plan) => plan,
        Outcome::TrunkZero => Plan { region: None, takes_sms: true },
    }
}

/// Whether a 0 follows the calling code though no valid number there begins with it and the digit
/// after it.
pub fn has_trunk_zero(digits: &str) -> bool {
    matches!(outcome(digits.bytes()), Outcome::TrunkZero)
}

/// Whether `digits`, the calling code included, are more than any number under the calling code has.
/// Networks may drop the digits that are too much, and then reach another number than the one that was
/// looked up. Nothing is too long under a code that nobody has.
pub fn is_too_long(calling_code: &str, digits: usize) -> bool {
    most_digits(calling_code).is_some_and(|most| digits > most)
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

fn outcome(mut digits: impl Iterator<Item = u8>) -> Outcome {
    let mut edge = ROOT;
    loop {
        let digit = digits.next().filter(u8::is_ascii_digit);
        let symbol = digit.map_or(END, |digit| digit - b'0');
        while UP_TO[edge] < symbol {
            edge += 1;
        }
        let next = NEXT[edge] as usize;
        match next.checked_sub(NEXT.len()) {
            Some(outcome) => return OUTCOMES[outcome],
            None => edge = next,
        }
    }
}

#[cfg(test)]
mod tests;
