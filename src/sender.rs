//! Who the message is from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use numbering::Region;

use crate::identifier::is_twilio_sid;

/// Who a message is from, as providers take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// As the provider takes it; empty where it chooses by itself.
    pub value: String,
    /// Which kind it is of.
    pub kind: SenderKind,
}

/// The kinds of sender. Postcard keeps the number of the variant in records: their order does not
/// change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderKind {
    /// Five or six digits, domestic only.
    Shortcode,
    /// A North American toll-free number.
    Tollfree,
    /// Any other number.
    Longcode,
    /// A name.
    Alphanumeric,
    /// The provider chooses who it is from, such as a Messaging Service of Twilio's.
    Provider,
}

/// Not a sender. Its text says what one is, and never what was there instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a short code of 5 or 6 digits, a number with +, or an alphanumeric sender ID of at most 11 \
     characters"
)]
pub struct NotASender;

/// The toll-free area codes of the North American Numbering Plan.
const TOLLFREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

impl Sender {
    /// Reads a sender: a short code (5 or 6 digits without `+`), a number in E.164 form, an
    /// alphanumeric sender ID (at most 11 of `A-Z a-z 0-9`, space, `+ - _ &`, with a letter at
    /// least; "SMS FAQ", ACS documentation), or the SID of a Messaging Service (`MG` and 32 hexadecimal
    /// digits; Twilio's OpenAPI specification), which is Twilio's alone.
    pub fn parse(value: &str) -> Result<Self, NotASender> {
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let number = value.strip_prefix('+').filter(|digits| all_digits(digits));
        let kind = match number {
            Some(digits) if !(7..=15).contains(&digits.len()) || digits.starts_with('0') => {
                return Err(NotASender);
            }
            Some(digits) => match digits.strip_prefix('1').and_then(|national| national.get(..3)) {
                Some(area) if TOLLFREE.contains(&area) => SenderKind::Tollfree,
                _ => SenderKind::Longcode,
            },
            None if matches!(value.len(), 5 | 6) && all_digits(value) => SenderKind::Shortcode,
            None if is_twilio_sid("MG", value) => SenderKind::Provider,
            None => {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b" +-_&".contains(&b);
                let fits = value.len() <= 11 && value.bytes().all(allowed);
                if !fits || !value.bytes().any(|b| b.is_ascii_alphabetic()) {
                    return Err(NotASender);
                }
                SenderKind::Alphanumeric
            }
        };
        Ok(Self { value: value.to_owned(), kind })
    }

    /// No sender of one's own: the provider chooses, and is told none.
    pub fn of_provider() -> Self {
        Self { value: String::new(), kind: SenderKind::Provider }
    }
}

/// Senders by the region of the recipient.
///
/// ```
/// use numbering::Region;
/// use okta_telephony_acs::sender::{Sender, Senders};
///
/// let [us, other] = ["12345", "CONTOSO"].map(|sender| Sender::parse(sender).unwrap());
/// let senders = Senders::new([(Region::parse("US").unwrap(), us)], Some(other));
/// assert_eq!(senders.to(Region::parse("US")).unwrap().value, "12345");
/// assert_eq!(senders.to(None).unwrap().value, "CONTOSO");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    by_region: BTreeMap<Region, Sender>,
    default: Option<Sender>,
}

impl Senders {
    /// The senders of some regions, and the one of all others. Of two for one region the last holds.
    pub fn new(
        by_region: impl IntoIterator<Item = (Region, Sender)>,
        default: Option<Sender>,
    ) -> Self {
        Self { by_region: by_region.into_iter().collect(), default }
    }

    /// The sender of messages to a region, or to a number whose region is not known.
    pub fn to(&self, region: Option<Region>) -> Option<&Sender> {
        region.and_then(|region| self.by_region.get(&region)).or(self.default.as_ref())
    }

    /// Whether there is no sender at all.
    pub fn is_empty(&self) -> bool {
        self.by_region.is_empty() && self.default.is_none()
    }

    /// Every region that has a sender of its own, in the order of their codes.
    pub fn by_region(&self) -> impl Iterator<Item = (Region, &Sender)> {
        self.by_region.iter().map(|(region, sender)| (*region, sender))
    }
}

impl SenderKind {
    /// The name in `transactionMetadata` and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shortcode => "shortcode",
            Self::Tollfree => "tollfree",
            Self::Longcode => "longcode",
            Self::Alphanumeric => "alphanumeric",
            Self::Provider => "provider",
        }
    }

    /// Whether messages from this kind of sender reach a region at all ("SMS: number types", ACS
    /// documentation, October 2024). Carriers and ACS's offers change: good for a warning, not for
    /// a refusal.
    pub fn reaches(self, region: Region) -> bool {
        const ALPHANUMERIC: [&str; 22] = [
            "AT", "AU", "CH", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "IE", "IT", "LT",
            "LV", "NL", "NO", "PL", "PT", "SE", "SI", "SK",
        ];
        match self {
            Self::Shortcode => matches!(region.code(), "US" | "GB" | "CA"),
            Self::Tollfree => matches!(region.code(), "US" | "PR" | "CA"),
            Self::Longcode | Self::Provider => true,
            Self::Alphanumeric => ALPHANUMERIC.contains(&region.code()),
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
            ("12345", SenderKind::Shortcode),
            ("123456", SenderKind::Shortcode),
            ("+18005551234", SenderKind::Tollfree),
            ("+18885551234", SenderKind::Tollfree),
            ("+15550100123", SenderKind::Longcode),
            ("+448001111111", SenderKind::Longcode),
            ("CONTOSO", SenderKind::Alphanumeric),
            ("A & B+C-D_2", SenderKind::Alphanumeric),
            ("MG0123456789abcdef0123456789ABCDEF", SenderKind::Provider),
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
            "MG0123456789abcdef0123456789ABCDE",
            "MG0123456789abcdef0123456789ABCDEG",
            "SM0123456789abcdef0123456789ABCDEF",
        ] {
            assert_eq!(Sender::parse(value), Err(NotASender), "{value:?}");
        }
    }

    fn region(code: &str) -> Region {
        Region::parse(code).unwrap()
    }

    fn sender(value: &str) -> Sender {
        Sender::parse(value).unwrap()
    }

    #[test]
    fn a_region_has_its_own_sender_and_the_rest_the_default() {
        let us = || (region("US"), sender("12345"));
        let by_region = [us(), (region("GB"), sender("A & B"))];
        let senders = Senders::new(by_region, Some(sender("+18005551234")));
        for (to, sender) in [
            (Some(region("US")), "12345"),
            (Some(region("GB")), "A & B"),
            (Some(region("FR")), "+18005551234"),
            (None, "+18005551234"),
        ] {
            assert_eq!(senders.to(to).unwrap().value, sender, "{to:?}");
        }
        let senders = Senders::new([us()], None);
        assert_eq!((senders.to(Some(region("FR"))), senders.to(None)), (None, None));
        assert!(!senders.is_empty() && Senders::default().is_empty());
    }

    // The records keep the number, and pages and the log the name.
    #[test]
    fn a_kind_has_a_number_for_records_and_a_name_for_people() {
        for (kind, number) in [
            (SenderKind::Shortcode, 0),
            (SenderKind::Tollfree, 1),
            (SenderKind::Longcode, 2),
            (SenderKind::Alphanumeric, 3),
            (SenderKind::Provider, 4),
        ] {
            assert_eq!(postcard::to_allocvec(&kind).unwrap(), [number]);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_sender_or_is_not(text in "\\PC*|[+0-9A-Za-z &_-]{0,17}") {
            if let Ok(sender) = Sender::parse(&text) {
                prop_assert_eq!(sender.value, text);
            }
        }
    }
}
