//! Who the message is from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::numbering::Region;

/// A sender that ACS takes in `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// As ACS takes it.
    pub value: String,
    /// Which kind it is of.
    pub kind: SenderType,
}

/// The kinds of sender. A record keeps the number of the variant: their order does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SenderType {
    /// Five or six digits, domestic only.
    Shortcode,
    /// A North American toll-free number.
    Tollfree,
    /// Any other number.
    Longcode,
    /// A name.
    Alphanumeric,
}

/// Not a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASender;

/// The toll-free area codes of the North American Numbering Plan.
const TOLLFREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

impl SenderType {
    /// The name in `transactionMetadata` and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shortcode => "shortcode",
            Self::Tollfree => "tollfree",
            Self::Longcode => "longcode",
            Self::Alphanumeric => "alphanumeric",
        }
    }
}

impl Sender {
    /// Reads a sender: a short code (5 or 6 digits without `+`), a number in E.164 form, or an
    /// alphanumeric sender ID (at most 11 of `A-Z a-z 0-9`, space, `+ - _ &`, with a letter at
    /// least; "SMS FAQ", ACS documentation).
    pub fn parse(value: &str) -> Result<Self, NotASender> {
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let number = value.strip_prefix('+').filter(|digits| all_digits(digits));
        let kind = match number {
            Some(digits) if !(7..=15).contains(&digits.len()) || digits.starts_with('0') => {
                return Err(NotASender);
            }
            Some(digits) => match digits.strip_prefix('1').and_then(|national| national.get(..3)) {
                Some(area) if TOLLFREE.contains(&area) => SenderType::Tollfree,
                _ => SenderType::Longcode,
            },
            None if matches!(value.len(), 5 | 6) && all_digits(value) => SenderType::Shortcode,
            None => {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b" +-_&".contains(&b);
                let fits = value.len() <= 11 && value.bytes().all(allowed);
                if !fits || !value.bytes().any(|b| b.is_ascii_alphabetic()) {
                    return Err(NotASender);
                }
                SenderType::Alphanumeric
            }
        };
        Ok(Self { value: value.to_owned(), kind })
    }
}

/// Senders by the region of the recipient: the variables `acs_senders` and `acs_secondary_senders`.
///
/// ```
/// use okta_telephony_acs::sender::Senders;
/// use okta_telephony_acs::numbering::Region;
///
/// let senders = Senders::parse("US=12345, GB=CONTOSO, *=+18005551234").unwrap();
/// assert_eq!(senders.to(Region::parse("GB")).unwrap().value, "CONTOSO");
/// assert_eq!(senders.to(None).unwrap().value, "+18005551234");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    by_region: Vec<(Region, Sender)>,
    other: Option<Sender>,
}

/// Why a text is no map of senders. Names the entry by its region, or by its place where there is
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidSenders {
    /// The entry at this place, counted from 1, has no `=`.
    NotAnEntry(usize),
    /// The entry at this place, counted from 1, is for something that is no region.
    NotARegion(usize),
    /// Two entries are for this region, or for `*`.
    Twice(String),
    /// The sender of this region, or of `*`, is none.
    NotASender(String),
}

impl fmt::Display for InvalidSenders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnEntry(place) => {
                write!(f, "entry {place} must be REGION=SENDER, such as US=12345")
            }
            Self::NotARegion(place) => write!(
                f,
                "entry {place} must begin with a region of two letters, such as US (GB, not UK), or with *"
            ),
            Self::Twice(region) => write!(f, "{region} is there twice: remove one"),
            Self::NotASender(region) => write!(f, "the sender of {region} {SENDER_FORM}"),
        }
    }
}

/// What a sender is, for those who wrote something else.
pub const SENDER_FORM: &str = "must be a short code of 5 or 6 digits, a number with +, or an alphanumeric sender ID \
     of at most 11 characters";

impl Senders {
    /// Reads a map of senders: entries `REGION=SENDER` between commas, `*` for every other region.
    /// An empty text is a map without entries.
    pub fn parse(text: &str) -> Result<Self, InvalidSenders> {
        let mut senders = Self::default();
        if text.is_empty() {
            return Ok(senders);
        }
        for (entry, place) in text.split(',').zip(1..) {
            let (key, value) = entry.split_once('=').ok_or(InvalidSenders::NotAnEntry(place))?;
            let key = key.trim();
            let region = Region::parse(key);
            if region.is_none() && key != "*" {
                return Err(InvalidSenders::NotARegion(place));
            }
            let named = || region.map_or("*".to_owned(), |region| region.code().to_owned());
            let sender =
                Sender::parse(value.trim()).map_err(|_| InvalidSenders::NotASender(named()))?;
            let twice = match region {
                Some(region) => {
                    let twice = senders.by_region.iter().any(|(known, _)| *known == region);
                    senders.by_region.push((region, sender));
                    twice
                }
                None => senders.other.replace(sender).is_some(),
            };
            if twice {
                return Err(InvalidSenders::Twice(named()));
            }
        }
        Ok(senders)
    }

    /// The sender of messages to a region, or to a number whose region is not known.
    pub fn to(&self, region: Option<Region>) -> Option<&Sender> {
        let own = self.by_region.iter().find(|(known, _)| Some(*known) == region);
        own.map(|(_, sender)| sender).or(self.other.as_ref())
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.by_region.is_empty() && self.other.is_none()
    }

    /// Every entry with a region of its own.
    pub fn by_region(&self) -> impl Iterator<Item = (Region, &Sender)> {
        self.by_region.iter().map(|(region, sender)| (*region, sender))
    }
}

impl SenderType {
    /// Whether messages of this type of sender reach a region at all ("SMS: number types", ACS
    /// documentation, October 2024). Carriers and ACS's offers change: good for a warning, not for
    /// a refusal.
    pub fn reaches(self, region: Region) -> bool {
        match self {
            Self::Shortcode => matches!(region.code(), "US" | "GB" | "CA"),
            Self::Tollfree => matches!(region.code(), "US" | "PR" | "CA"),
            Self::Longcode => true,
            Self::Alphanumeric => matches!(
                region.code(),
                "AT" | "AU"
                    | "CH"
                    | "CZ"
                    | "DE"
                    | "DK"
                    | "EE"
                    | "ES"
                    | "FI"
                    | "FR"
                    | "GB"
                    | "IE"
                    | "IT"
                    | "LT"
                    | "LV"
                    | "NL"
                    | "NO"
                    | "PL"
                    | "PT"
                    | "SE"
                    | "SI"
                    | "SK"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_sender_is_recognised() {
        for (value, kind) in [
            ("12345", SenderType::Shortcode),
            ("123456", SenderType::Shortcode),
            ("+18005551234", SenderType::Tollfree),
            ("+18885551234", SenderType::Tollfree),
            ("+15550100123", SenderType::Longcode),
            ("+448001111111", SenderType::Longcode),
            ("CONTOSO", SenderType::Alphanumeric),
            ("A & B+C-D_2", SenderType::Alphanumeric),
        ] {
            let sender = Sender::parse(value).unwrap();
            assert_eq!((sender.value.as_str(), sender.kind), (value, kind));
        }
    }

    #[test]
    fn what_acs_would_refuse_is_refused() {
        for value in [
            "",
            "1234",
            "1234567",
            "18005551234",
            "+",
            "+123456",
            "+0123456789",
            "+1234567890123456",
            "TWELVE CHARS",
            "Contoso!",
            "Müller",
            "+ - _ &",
            "1 2 3",
            "12345\n",
        ] {
            assert_eq!(Sender::parse(value), Err(NotASender), "{value:?}");
        }
    }

    fn region(code: &str) -> Option<Region> {
        Some(Region::parse(code).unwrap())
    }

    #[test]
    fn a_region_has_its_own_sender_and_the_rest_that_of_the_star() {
        let senders = Senders::parse(" us = 12345 ,GB=A & B, * = +18005551234 ").unwrap();
        for (to, sender) in [
            (region("US"), "12345"),
            (region("GB"), "A & B"),
            (region("FR"), "+18005551234"),
            (None, "+18005551234"),
        ] {
            assert_eq!(senders.to(to).unwrap().value, sender, "{to:?}");
        }
        let senders = Senders::parse("US=12345").unwrap();
        assert_eq!((senders.to(region("FR")), senders.to(None)), (None, None));
        assert!(Senders::parse("").unwrap().is_empty());
    }

    #[test]
    fn an_unusable_entry_is_named() {
        use InvalidSenders::*;
        for (text, error) in [
            ("US=12345,", NotAnEntry(2)),
            ("12345", NotAnEntry(1)),
            ("US=12345,UK=CONTOSO", NotARegion(2)),
            ("=12345", NotARegion(1)),
            ("USA=12345", NotARegion(1)),
            ("US=12345,us=12346", Twice("US".into())),
            ("*=12345,*=12346", Twice("*".into())),
            ("US=12345,GB=Contoso!", NotASender("GB".into())),
            ("*=", NotASender("*".into())),
            ("US=1=2", NotASender("US".into())),
        ] {
            assert_eq!(Senders::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_map_or_is_not(text in "\\PC*|([A-Z*]{1,2}=[+0-9A-Za-z ]{0,12},?){0,5}") {
            let _ = Senders::parse(&text);
        }
    }
}
