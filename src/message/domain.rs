//! The line by which a browser knows that a passcode is for its page.

use crate::pasted::is_invisible;

/// The host whose sign-in page a passcode is for.
///
/// A message binds its passcode to the host by its last line, `@example.com #123456` (WICG draft
/// "Origin-bound one-time codes delivered via SMS", section 3). Browsers then offer the passcode on
/// pages of the same site and on no other. The draft asks for a line of its own; the empty line
/// before it is that of the draft's examples.
///
/// ```
/// use okta_telephony_acs::message::Domain;
///
/// assert_eq!(Domain::parse("Login.Example.com").unwrap().as_str(), "login.example.com");
/// assert!(Domain::parse("https://login.example.com/").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(String);

/// Why a text is not the name of a host. Worded to follow the name of the setting; says what to do,
/// never the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDomain {
    /// It holds what belongs to a URL.
    #[error("must be a host's name alone: leave out scheme, user, port and path")]
    MoreThanHost,
    /// It has more than 253 characters.
    #[error("must have at most 253 characters")]
    Length,
    /// A label is empty, has more than 63 characters, or holds something else than letters and
    /// digits in ASCII, and hyphens between them.
    #[error(
        "must be letters, digits and hyphens between single dots, as in login.example.com (other letters in their xn-- form)"
    )]
    Label,
    /// It is one label, and not `localhost`.
    #[error("must be the whole name, as login.example.com, or localhost")]
    OneLabel,
    /// Its last label does not begin with a letter, as in an address.
    #[error("must be a name, not an address")]
    Address,
}

impl Domain {
    /// Reads the name of a host: labels as RFC 1123, section 2.1, has them, at least two of them
    /// unless it is `localhost`. Upper case becomes lower case.
    pub fn parse(text: &str) -> Result<Self, InvalidDomain> {
        if text.contains([':', '/', '?', '#', '@']) {
            return Err(InvalidDomain::MoreThanHost);
        }
        if text.len() > 253 {
            return Err(InvalidDomain::Length);
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !text.split('.').all(is_label) {
            return Err(InvalidDomain::Label);
        }
        let name = text.to_ascii_lowercase();
        match name.rsplit_once('.') {
            None if name == "localhost" => Ok(Self(name)),
            None => Err(InvalidDomain::OneLabel),
            // A browser takes a host that ends in a number, in hexadecimal too, for an address.
            Some((_, last)) if !last.starts_with(|c: char| c.is_ascii_lowercase()) => {
                Err(InvalidDomain::Address)
            }
            Some(_) => Ok(Self(name)),
        }
    }

    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds the line to a text, unless it is the last line already, or the whole would not fit into
    /// a message, or the line can't hold the passcode.
    pub(super) fn bind(&self, text: &mut String, code: &str, fits: impl FnOnce(&str) -> bool) {
        // The draft ends a code at white space. Chromium ends it at a `#` too. What nobody sees would be typed along.
        if code.contains(|c: char| c.is_whitespace() || is_invisible(c) || c == '#') {
            return;
        }
        let line = format!("@{} #{code}", self.0);
        if text.rsplit(['\n', '\r']).next() == Some(line.as_str()) {
            return;
        }
        let length = text.len();
        text.push_str("\n\n");
        text.push_str(&line);
        if !fits(text) {
            text.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound(text: &str, code: &str) -> String {
        let mut text = text.to_owned();
        Domain::parse("example.com").unwrap().bind(&mut text, code, |_| true);
        text
    }

    #[test]
    fn names_of_hosts_are_taken_in_lower_case() {
        let long = format!("{}.{}.com", "a".repeat(63), "b".repeat(63));
        for (text, name) in [
            ("example.com", "example.com"),
            ("LOGIN.Example.COM", "login.example.com"),
            ("contoso.okta.com", "contoso.okta.com"),
            ("localhost", "localhost"),
            ("LocalHost", "localhost"),
            ("1-2.3com.xn--p1ai", "1-2.3com.xn--p1ai"),
            (&long, &long),
        ] {
            assert_eq!(Domain::parse(text).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_is_no_name_of_a_host_is_refused_with_its_cause() {
        use InvalidDomain::*;
        let long_label = format!("{}.com", "a".repeat(64));
        let long_name = format!("{}com", "a.".repeat(126));
        for (text, cause) in [
            ("", Label),
            ("https://example.com", MoreThanHost),
            ("example.com:443", MoreThanHost),
            ("example.com/", MoreThanHost),
            ("@example.com", MoreThanHost),
            ("[::1]", MoreThanHost),
            ("example.com.", Label),
            (".example.com", Label),
            ("example..com", Label),
            ("-example.com", Label),
            ("example-.com", Label),
            ("exa_mple.com", Label),
            ("*.example.com", Label),
            (" example.com", Label),
            ("example.com\n", Label),
            ("bücher.example", Label),
            (&long_label, Label),
            (&long_name, Length),
            ("example", OneLabel),
            ("com", OneLabel),
            ("192.0.2.1", Address),
            ("example.0x1", Address),
        ] {
            assert_eq!(Domain::parse(text), Err(cause), "{text:?}");
        }
        assert!(Domain::parse(&long_name[2..]).is_ok());
    }

    #[test]
    fn the_line_follows_the_text_and_an_empty_line() {
        assert_eq!(
            bound("747723 is your ExampleCo authentication code.", "747723"),
            "747723 is your ExampleCo authentication code.\n\n@example.com #747723"
        );
        assert_eq!(bound("Code 1%2ü", "1%2ü"), "Code 1%2ü\n\n@example.com #1%2ü");
    }

    #[test]
    fn the_line_is_added_once_and_only_another_last_line_is_none() {
        for text in
            ["@example.com #1", "1\n@example.com #1", "1\r\n@example.com #1", "1\r@example.com #1"]
        {
            assert_eq!(bound(text, "1"), text);
        }
        for text in [
            "1 @example.com #1",
            "@example.com #1\n",
            "@example.com #12",
            "@example.com #1 ",
            "@other.example #1",
        ] {
            assert_eq!(bound(text, "1"), format!("{text}\n\n@example.com #1"));
        }
    }

    #[test]
    fn a_passcode_that_the_line_cannot_hold_adds_none() {
        for code in ["1 2", "1\u{a0}2", "1\t2", "1\n2", "1#2", "1\u{7f}", "1\u{200b}2"] {
            assert_eq!(bound("text", code), "text", "{code:?}");
        }
    }

    /// The draft's "parse an origin-bound one-time code message", up to the code.
    fn parse(message: &str) -> Option<(&str, &str)> {
        let line = message.rsplit(['\n', '\r']).next()?;
        let (host, code) = line.strip_prefix('@')?.split_once([' ', '\t', '\u{c}'])?;
        let code = code.strip_prefix('#')?.split_ascii_whitespace().next()?;
        Some((host, code))
    }

    proptest! {
        #[test]
        fn any_text_is_the_name_of_a_host_or_refused(text in "\\PC*|[a-cA-C1.-]{0,12}") {
            if let Ok(domain) = Domain::parse(&text) {
                prop_assert_eq!(Domain::parse(domain.as_str()).unwrap(), domain.clone());
                prop_assert!(domain.as_str().eq_ignore_ascii_case(&text));
            }
        }

        #[test]
        fn what_is_bound_reads_back_and_is_bound_once(text in "(?s).{0,40}", code in "\\PC{1,8}|[0-9]{6}") {
            let once = bound(&text, &code);
            prop_assert!(once.starts_with(&text));
            if once != text {
                prop_assert_eq!(parse(&once), Some(("example.com", code.as_str())));
            }
            prop_assert_eq!(bound(&once, &code), once);
        }
    }
}
