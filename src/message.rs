//! The text of the message. Whatever happens, the passcode is in it.

/// The most that ACS takes, in UTF-16 code units ("maxLength 2048", ACS SMS REST API, `message`).
pub const MESSAGE_LIMIT: usize = 2048;

/// What stands for the passcode in a template. `${code}` is Okta's; it has normally been filled in
/// before the hook is called. The others are in use with the system that this one replaces. Longer
/// ones first, so that none is taken for the end of another.
const PLACEHOLDERS: [&str; 4] = ["{{otpCode}}", "${otpCode}", "{otpCode}", "${code}"];

/// The text for a passcode: the template with the passcode filled in, or a text of our own where
/// there is no template, or the passcode is not in it, or it would be longer than
/// [`MESSAGE_LIMIT`].
///
/// ```
/// use okta_telephony_acs::message::text;
///
/// assert_eq!(text(Some("Contoso: ${code}"), "123456"), "Contoso: 123456");
/// assert_eq!(text(Some("Welcome!"), "123456"), "Your verification code is 123456");
/// ```
pub fn text(template: Option<&str>, otp_code: &str) -> String {
    template
        .map(|template| fill(template, otp_code))
        .filter(|text| text.contains(otp_code) && text.encode_utf16().count() <= MESSAGE_LIMIT)
        .unwrap_or_else(|| format!("Your verification code is {otp_code}"))
}

/// Fills in the placeholders in one pass, so that a passcode is text and never a placeholder.
fn fill(template: &str, otp_code: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['$', '{']) {
        let (before, here) = rest.split_at(at);
        text.push_str(before);
        let placeholder = PLACEHOLDERS.iter().find_map(|p| here.strip_prefix(p));
        rest = match placeholder {
            Some(after) => {
                text.push_str(otp_code);
                after
            }
            None => {
                // Both characters that begin a placeholder have one byte.
                let (character, after) = here.split_at(1);
                text.push_str(character);
                after
            }
        };
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rendered_template_goes_out_as_it_is() {
        let template = "(HOOK) Your code is 123456 ${org.name} {{x}} $5 – ünï";
        assert_eq!(text(Some(template), "123456"), template);
    }

    #[test]
    fn every_placeholder_is_filled_in_literally_and_once() {
        for (template, expected) in [
            ("a ${otpCode} b", "a 1$2 b"),
            ("{{otpCode}}{otpCode}", "1$21$2"),
            ("${code}.", "1$2."),
            ("$${code}{", "$1$2{"),
            ("{{{otpCode}}}", "{1$2}"),
        ] {
            assert_eq!(text(Some(template), "1$2"), expected, "{template}");
        }
        assert_eq!(text(Some("{otpCode}"), "{otpCode}"), "{otpCode}");
    }

    #[test]
    fn a_template_without_the_passcode_gives_way_to_our_own_text() {
        for template in [None, Some(""), Some("Your code is ${otpcode}"), Some("12345 6")] {
            assert_eq!(
                text(template, "123456"),
                "Your verification code is 123456",
                "{template:?}"
            );
        }
    }

    #[test]
    fn a_text_over_the_limit_gives_way_to_our_own_text() {
        let fits = format!("1{}", "x".repeat(2047));
        assert_eq!(text(Some(&fits), "1"), fits);
        let too_long = format!("1{}", "x".repeat(2048));
        assert_eq!(text(Some(&too_long), "1"), "Your verification code is 1");
        let too_long = format!("1{}", "😀".repeat(1024));
        assert_eq!(text(Some(&too_long), "1"), "Your verification code is 1");
    }

    proptest! {
        #[test]
        fn the_passcode_is_in_every_text(template in "\\PC*|([${}a-zA-Z]|otpCode|code){0,20}", otp_code in "[0-9]{1,8}") {
            let text = text(Some(&template), &otp_code);
            prop_assert!(text.contains(&otp_code));
            prop_assert!(text.encode_utf16().count() <= MESSAGE_LIMIT);
        }
    }
}
