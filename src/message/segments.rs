//! In how many parts a text goes over the air, which is what carriers bill.

/// The parts of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How many there are, at least 1.
    pub count: u32,
    /// How each is encoded.
    pub encoding: Encoding,
}

/// How a text is encoded over the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 7 bit default alphabet, with its extension table.
    Gsm7,
    /// UCS-2, in practice UTF-16: for any text that has a character that the alphabet lacks.
    Ucs2,
}

impl Encoding {
    /// The name for a log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }
}

/// Counts the parts of a text.
///
/// One part holds 160 septets or 70 UTF-16 code units; each of several holds 153 or 67, since it
/// begins with a header of 6 bytes (3GPP TS 23.040, section 9.2.3.24.1, with a reference number of
/// 8 bits). No character is split over two parts. A carrier may use another alphabet or header, so
/// this is what is to be expected, and not a bill.
///
/// ```
/// use okta_telephony_acs::message::{Encoding, segments};
///
/// assert_eq!(segments("Your verification code is 123456").count, 1);
/// assert_eq!(segments("Twój kod to 123456").encoding, Encoding::Ucs2);
/// ```
pub fn segments(text: &str) -> Segments {
    match parts(text.chars().map(septets), 160, 153) {
        Some(count) => Segments { count, encoding: Encoding::Gsm7 },
        None => {
            let units = text.chars().map(|c| Some(c.len_utf16() as u32));
            Segments { count: parts(units, 70, 67).unwrap_or(1), encoding: Encoding::Ucs2 }
        }
    }
}

/// The parts of a text, by the size of each character: one part of at most `alone`, or several of
/// at most `each`. `None` if a character has no size.
fn parts(sizes: impl Iterator<Item = Option<u32>>, alone: u32, each: u32) -> Option<u32> {
    let (mut total, mut count, mut used) = (0, 1, 0);
    for size in sizes {
        let size = size?;
        total += size;
        used += size;
        if used > each {
            count += 1;
            used = size;
        }
    }
    Some(if total <= alone { 1 } else { count })
}

/// The septets of a character in the GSM 7 bit default alphabet (3GPP TS 23.038, section 6.2.1): two
/// if it is in the extension table (section 6.2.1.1), where an escape comes first. The alphabet has
/// a capital Ç; Unicode's table GSM0338.TXT takes that for a mistake and has the small one.
const fn septets(character: char) -> Option<u32> {
    match character {
        ' '..='Z' | 'a'..='z' | '\n' | '\r' | '_' => Some(1),
        '\u{c}' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '~' | '€' => Some(2),
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' | 'Δ' | 'Φ' | 'Γ'
        | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' | 'Æ' | 'æ' | 'ß' | 'É' | '¤' | '¡' | 'Ä'
        | 'Ö' | 'Ñ' | 'Ü' | '§' | '¿' | 'ä' | 'ö' | 'ñ' | 'ü' | 'à' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 3GPP TS 23.038, section 6.2.1, code by code in rows of 16. Code 0x1B is the escape, which is
    /// no character.
    #[rustfmt::skip]
    const ALPHABET: [u32; 128] = [
        0x40, 0xa3, 0x24, 0xa5, 0xe8, 0xe9, 0xf9, 0xec, 0xf2, 0xc7, 0x0a, 0xd8, 0xf8, 0x0d, 0xc5, 0xe5,
        0x394, 0x5f, 0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, 0x1b, 0xc6, 0xe6, 0xdf, 0xc9,
        0x20, 0x21, 0x22, 0x23, 0xa4, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f,
        0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
        0xa1, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f,
        0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0xc4, 0xd6, 0xd1, 0xdc, 0xa7,
        0xbf, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f,
        0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0xe4, 0xf6, 0xf1, 0xfc, 0xe0,
    ];

    /// Section 6.2.1.1: page break, `^ { } \ [ ~ ] |` and the euro.
    const EXTENSION: [u32; 10] = [0x0c, 0x5e, 0x7b, 0x7d, 0x5c, 0x5b, 0x7e, 0x5d, 0x7c, 0x20ac];

    #[test]
    fn every_character_has_the_septets_of_the_published_tables() {
        for code in 0..=0x0010_ffff {
            let Some(character) = char::from_u32(code) else { continue };
            let expected = match code {
                0x1b | 0x20ad.. => None,
                _ if EXTENSION.contains(&code) => Some(2),
                _ if ALPHABET.contains(&code) => Some(1),
                _ => None,
            };
            assert_eq!(septets(character), expected, "{character:?}");
        }
    }

    fn count(encoding: Encoding, text: &str) -> u32 {
        let segments = segments(text);
        assert_eq!(segments.encoding, encoding, "{text}");
        segments.count
    }

    #[test]
    fn parts_begin_where_the_standard_says() {
        for (length, parts) in
            [(0, 1), (1, 1), (160, 1), (161, 2), (306, 2), (307, 3), (459, 3), (460, 4)]
        {
            assert_eq!(count(Encoding::Gsm7, &"à".repeat(length)), parts, "{length}");
        }
        for (length, parts) in
            [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4), (2048, 31)]
        {
            assert_eq!(count(Encoding::Ucs2, &"ł".repeat(length)), parts, "{length}");
        }
    }

    #[test]
    fn one_character_that_the_alphabet_lacks_changes_the_encoding_of_all() {
        assert_eq!(count(Encoding::Gsm7, &"x".repeat(160)), 1);
        assert_eq!(count(Encoding::Ucs2, &("x".repeat(159) + "ç")), 3);
        for text in ["`", "\t", "\u{1b}", "\u{a0}", "’", "–", "Α"] {
            assert_eq!(count(Encoding::Ucs2, text), 1);
        }
    }

    #[test]
    fn a_character_of_the_extension_table_is_not_split() {
        assert_eq!(count(Encoding::Gsm7, &"€".repeat(80)), 1);
        assert_eq!(count(Encoding::Gsm7, &("€".repeat(80) + "x")), 2);
        // 306 septets fill two parts, unless the 153rd and the 154th are one character.
        let text = |before, after| ["x".repeat(before), "[".into(), "x".repeat(after)].concat();
        assert_eq!(count(Encoding::Gsm7, &text(151, 153)), 2);
        assert_eq!(count(Encoding::Gsm7, &text(152, 152)), 3);
        assert_eq!(count(Encoding::Gsm7, &text(152, 151)), 2);
        assert_eq!(count(Encoding::Gsm7, &text(153, 151)), 2);
    }

    #[test]
    fn a_surrogate_pair_is_not_split() {
        assert_eq!(count(Encoding::Ucs2, &"😀".repeat(35)), 1);
        assert_eq!(count(Encoding::Ucs2, &"😀".repeat(36)), 2);
        let text = |before, after| ["x".repeat(before), "😀".into(), "x".repeat(after)].concat();
        assert_eq!(count(Encoding::Ucs2, &text(65, 67)), 2);
        assert_eq!(count(Encoding::Ucs2, &text(66, 66)), 3);
        assert_eq!(count(Encoding::Ucs2, &text(66, 65)), 2);
        assert_eq!(count(Encoding::Ucs2, &text(67, 65)), 2);
    }

    #[test]
    fn encodings_have_names() {
        assert_eq!((Encoding::Gsm7.name(), Encoding::Ucs2.name()), ("gsm7", "ucs2"));
    }

    proptest! {
        #[test]
        fn a_longer_text_has_no_fewer_parts(
            text in "[a-z€\\[]{0,400}|\\PC{0,200}",
            more in "[a-z€\\[]{0,200}|\\PC{0,200}|😀{0,40}",
        ) {
            let (before, after) = (segments(&text), segments(&[&*text, &more].concat()));
            prop_assert!(before.count >= 1);
            prop_assert!(before.count <= after.count);
            prop_assert!(before.encoding == Encoding::Gsm7 || after.encoding == Encoding::Ucs2);
        }
    }
}
