//! How many messages a phone puts together to one text.

/// The messages of a text (3GPP TS 23.038 and 23.040): a character of
/// the default alphabet takes 7 bits, and those of its extension take two places; any other character
/// makes the text UTF-16.
pub(crate) fn segments(text: &str) -> usize {
    const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
         ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";
    let places = text.chars().try_fold(0, |places, character| {
        if DEFAULT.contains(character) {
            Some(places + 1)
        } else {
            EXTENSION.contains(character).then_some(places + 2)
        }
    });
    let (length, alone, joined) = match places {
        Some(places) => (places, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if length <= alone { 1 } else { length.div_ceil(joined) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_takes_several_segments_and_other_alphabets_sooner() {
        for (text, count) in [
            ("".to_owned(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("é".repeat(160), 1),
            // Two places each.
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("я".repeat(70), 1),
            ("я".repeat(71), 2),
            // Two UTF-16 units each.
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
        ] {
            assert_eq!(segments(&text), count, "{} of {:?}", text.len(), text.chars().next());
        }
    }
}
