//! The world's numbering plans: the region that a number belongs to, and whether numbers of its kind
//! take SMS.
//!
//! The plans are libphonenumber's. `build.rs` makes a table of them, in which each digit leads on, and
//! a lookup is a walk of at most 15 steps.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

// How the table is read. A node is a run of entries, and NEXT leads from entry to entry, by the first
// entry from the node's own whose UP_TO is not below the digit, or not below END where the number
// ends. What is not below NEXT's length is the outcome: a trunk 0, and then, for no region and each of
// REGIONS, no SMS and SMS. LONGEST has the most digits of a number by its calling code, 0 where nobody
// has the code.
include!(concat!(env!("OUT_DIR"), "/numbering.rs"));

/// What follows the last digit.
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
    /// use okta_telephony_acs::numbering::Region;
    ///
    /// assert_eq!(Region::parse("im").unwrap().code(), "IM");
    /// assert_eq!(Region::parse("UK"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 2] = text.as_bytes().try_into().ok()?;
        let code = code.map(|byte| byte.to_ascii_uppercase());
        REGIONS.binary_search(&code).ok().map(|_| Self(code))
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
        let code = <&str>::deserialize(deserializer)?;
        Self::parse(code).ok_or_else(|| D::Error::custom("not a region"))
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

/// Looks a number up that is given by its canonical form's digits.
pub(crate) fn look_up(digits: impl Iterator<Item = u8>) -> Plan {
    // Who has a number has parsed it, which lets none with a trunk 0 pass.
    let outcome = walk(digits).unwrap_or(1);
    Plan {
        region: (outcome / 2).checked_sub(1).map(|at| Region(REGIONS[at])),
        takes_sms: outcome % 2 == 1,
    }
}

/// Whether a 0 follows the calling code though no valid number there begins with it and the digit
/// after it.
pub(crate) fn has_trunk_zero(digits: &str) -> bool {
    walk(digits.bytes()).is_none()
}

/// Whether there are more digits than any number under the calling code has. Networks may well drop what
/// is too much, and the number reached is then another one than the rules saw.
pub(crate) fn is_too_long(calling_code: &str, digits: usize) -> bool {
    most_digits(calling_code).is_some_and(|most| digits > most)
}

/// The calling code that digits begin with, of which there are three at least: no code is the beginning of
/// another (ITU-T E.164, section 6.2.1). Three digits where nobody has it.
pub(crate) fn calling_code(digits: &str) -> &str {
    let short = [&digits[..1], &digits[..2]];
    short.into_iter().find(|code| most_digits(code).is_some()).unwrap_or(&digits[..3])
}

/// The most digits of a number under a calling code, with the code; `None` where nobody has it.
fn most_digits(calling_code: &str) -> Option<usize> {
    let longest = *LONGEST.get(calling_code.parse::<usize>().ok()?)?;
    (longest > 0).then_some(usize::from(longest))
}

/// The outcome of digits, or `None` if it is a trunk 0.
fn walk(digits: impl Iterator<Item = u8>) -> Option<usize> {
    let symbols = digits.map(|digit| digit - b'0').chain([END]);
    let mut at = ROOT;
    for symbol in symbols {
        while UP_TO[at] < symbol {
            at += 1;
        }
        at = usize::from(NEXT[at]);
        if at >= NEXT.len() {
            break;
        }
    }
    (at - NEXT.len()).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone_number::PhoneNumber;
    use proptest::prelude::*;

    fn plan(number: &str) -> Plan {
        PhoneNumber::parse(number).unwrap().plan()
    }

    fn region(number: &str) -> String {
        plan(number).region.map_or_else(|| "none".to_owned(), |region| region.to_string())
    }

    #[test]
    fn each_regions_example_of_a_mobile_number_is_of_that_region_and_takes_sms() {
        // These share their mobile numbers with another region, to which libphonenumber's own
        // region_code_for_number gives the example.
        const SHARED: [(&str, &str); 8] = [
            ("AX", "FI"),
            ("BL", "GP"),
            ("CC", "AU"),
            ("CX", "AU"),
            ("EH", "MA"),
            ("MF", "GP"),
            ("SJ", "NO"),
            ("VA", "IT"),
        ];
        let examples = include_str!("../tests/data/example-mobile-numbers.tsv");
        let mut count = 0;
        for line in examples.lines().filter(|line| !line.starts_with('#')) {
            let (code, number) = line.split_once('\t').unwrap();
            let other = SHARED.iter().find(|(of, _)| *of == code).map(|(_, other)| *other);
            assert_eq!(region(number), other.unwrap_or(code), "{line}");
            assert!(plan(number).takes_sms, "{line}");
            // Western Sahara has no number that Morocco has not.
            assert_eq!(Region::parse(code).is_some(), code != "EH", "{code}");
            count += 1;
        }
        assert_eq!(count, 244);
    }

    #[test]
    fn regions_that_share_a_calling_code_are_told_apart() {
        for (number, code) in [
            ("+12125550123", "US"),
            ("+14165550123", "CA"),
            ("+12425550123", "BS"),
            ("+18765550123", "JM"),
            ("+16715550123", "GU"),
            ("+17875550123", "PR"),
            ("+79161234567", "RU"),
            ("+77011234567", "KZ"),
            ("+442079460958", "GB"),
            ("+441481960194", "GG"),
            ("+441534456789", "JE"),
            ("+441624960194", "IM"),
            ("+447624012345", "IM"),
            ("+390612345678", "IT"),
            ("+390669812345", "VA"),
            ("+4740612345", "NO"),
            ("+4779123456", "SJ"),
            ("+61412345678", "AU"),
            ("+61891641234", "CX"),
            ("+61891621234", "CC"),
            ("+212650123456", "MA"),
            ("+590590271234", "BL"),
            ("+262692123456", "RE"),
            ("+262639012345", "YT"),
            ("+358412345678", "FI"),
            ("+3581812345678", "AX"),
            ("+590690001234", "GP"),
            ("+59995181234", "CW"),
            ("+5993181234", "BQ"),
            ("+38343201234", "XK"),
            ("+24740123", "AC"),
        ] {
            assert_eq!(region(number), code, "{number}");
        }
    }

    #[test]
    fn area_codes_and_ranges_that_are_new_or_narrow_have_their_region() {
        for (number, code) in [
            ("+19836550123", "US"),
            ("+12734550123", "CA"),
            ("+61496123456", "AU"),
            ("+29091234", "SH"),
            ("+447924123456", "IM"),
        ] {
            assert_eq!(region(number), code, "{number}");
        }
    }

    #[test]
    fn a_number_that_fits_no_region_of_a_shared_code_has_none() {
        for number in ["+15550100123", "+12115550123", "+1212555012", "+4410123456", "+72000000"] {
            assert_eq!(region(number), "none", "{number}");
        }
    }

    #[test]
    fn a_code_with_one_region_gives_it_to_any_number() {
        for (number, code) in [("+4911111", "DE"), ("+3399999999", "FR"), ("+5001234", "FK")] {
            assert_eq!(region(number), code, "{number}");
        }
    }

    #[test]
    fn codes_of_no_country_and_of_nobody_have_no_region() {
        for code in ["800", "808", "870", "878", "881", "882", "883", "888", "979", "999", "210"] {
            assert_eq!(region(&format!("+{code}12345678")), "none", "{code}");
        }
    }

    #[test]
    fn special_numbers_take_no_sms() {
        for number in [
            "+18005550123",
            "+18225550123",
            "+18815550123",
            "+19005550123",
            "+15005550123",
            "+15295550123",
            "+16005550123",
            "+17005550123",
            "+17105550123",
            "+447012345678",
            "+447612345678",
            "+448001234567",
            "+449012345678",
            "+498001234567",
            "+491371234567",
            "+33800123456",
            "+33891234567",
            "+81120123456",
            "+80012345678",
            "+979123456789",
            // With a digit more than they have.
            "+811201234567",
            "+6119001234567",
        ] {
            assert!(!plan(number).takes_sms, "{number}");
        }
    }

    #[test]
    fn ordinary_and_unknown_numbers_take_sms() {
        for number in [
            "+15550100123",
            "+12125550123",
            "+447624012345",
            "+447400123456",
            "+442079460958",
            "+4930123456",
            "+881612345678",
            "+99912345678",
        ] {
            assert!(plan(number).takes_sms, "{number}");
        }
    }

    #[test]
    fn a_number_that_is_written_in_two_ways_has_one_plan() {
        for (one, other, code) in [
            ("+5215512345678", "+525512345678", "MX"),
            ("+5491123456789", "+541123456789", "AR"),
            ("+5218001234567", "+528001234567", "MX"),
        ] {
            assert_eq!(plan(one), plan(other), "{one}");
            assert_eq!(region(one), code, "{one}");
        }
        assert!(!plan("+5218001234567").takes_sms);
    }

    #[test]
    fn only_regions_of_the_plan_are_read() {
        for code in ["DE", "de", "xK", "AC"] {
            let region = Region::parse(code).unwrap();
            assert_eq!(region.code(), code.to_uppercase());
            assert_eq!(format!("{region} {region:?}"), format!("{0} {0}", region.code()));
        }
        for text in ["", "D", "DEU", "UK", "EU", "ZZ", "00", "001", "ß", "D "] {
            assert_eq!(Region::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_number_is_looked_up_and_its_canonical_form_has_the_same_plan(
            text in "\\+[1-9][0-9]{6,14}",
        ) {
            if let Ok(number) = PhoneNumber::parse(&text) {
                let canonical = PhoneNumber::parse(&number.canonical()).unwrap();
                prop_assert_eq!(number.plan(), canonical.plan());
            }
        }
    }
}
