//! Who the message is from.

/// A sender that ACS takes in `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// As ACS takes it.
    pub value: String,
    /// Which kind it is of.
    pub kind: SenderType,
}

/// The kinds of sender, as `transactionMetadata` and the log name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
