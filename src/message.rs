//! What a message says: its text, or the words of a call. Whatever happens, the passcode is in it.

mod channel;
mod domain;
mod language;
mod segments;
mod speech;
mod template;
mod templates;

pub use channel::Channel;
pub use domain::{Domain, InvalidDomain};
pub use language::Language;
pub use segments::{Encoding, Segments, segments};
pub use speech::{
    Announcement, InvalidSpoken, MOST_SPOKEN_CHARACTERS, Part, Speech, SpokenTemplates,
};
pub use template::{InvalidTemplate, Template};
pub use templates::{InvalidEntry, Templates};

use time::OffsetDateTime;

/// How many segments a message may have where nothing is said. Okta's own texts have at most 160 characters, which are
/// three segments in the scripts that take the most room.
const DEFAULT_MAX_SEGMENTS: u32 = 3;

/// How the operator wants messages to be worded. The default leaves it to Okta.
///
/// ```
/// use okta_telephony_acs::message::{Domain, Passcode, SpokenTemplates, Templates, Wording};
///
/// let mut templates = Templates::default();
/// templates.add("default", "${org}: ${code}").unwrap();
/// templates.add("de", "${code} gilt noch ${minutes} min.").unwrap();
/// let wording = Wording {
///     templates,
///     spoken: SpokenTemplates::default(),
///     org_name: "Contoso".into(),
///     web_otp_domain: Some(Domain::parse("login.contoso.com").unwrap()),
///     max_segments: 1,
/// };
/// let mut passcode =
///     Passcode { code: "123456", minutes: Some(5), okta_template: None, locale: Some("de-AT") };
/// assert_eq!(
///     wording.text(&passcode),
///     "123456 gilt noch 5 min.\n\n@login.contoso.com #123456"
/// );
/// passcode.locale = Some("en");
/// assert_eq!(wording.text(&passcode), "Contoso: 123456\n\n@login.contoso.com #123456");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The texts in place of Okta's.
    pub templates: Templates,
    /// The texts of calls in place of our own.
    pub spoken: SpokenTemplates,
    /// What `${org}` stands for; empty if that is not known.
    pub org_name: String,
    /// The host whose sign-in page fills in the passcode by itself.
    pub web_otp_domain: Option<Domain>,
    /// The most segments of a message, each of which is paid for; at least 1.
    pub max_segments: u32,
}

impl Default for Wording {
    fn default() -> Self {
        Self {
            templates: Templates::default(),
            spoken: SpokenTemplates::default(),
            org_name: String::new(),
            web_otp_domain: None,
            max_segments: DEFAULT_MAX_SEGMENTS,
        }
    }
}

/// A passcode, and what Okta says of it. It has no `Debug`: a passcode is for its message alone.
#[derive(Clone, Copy)]
pub struct Passcode<'a> {
    /// The passcode.
    pub code: &'a str,
    /// For how long it holds, as [`minutes_until`] has it; `None` if that is not known.
    pub minutes: Option<u64>,
    /// Okta's own text (`msgTemplate`), normally with the passcode already in it.
    pub okta_template: Option<&'a str>,
    /// The user's language, a tag such as `pt-BR`. Anything else matches no template.
    pub locale: Option<&'a str>,
}

impl Wording {
    /// The text for a passcode: the template of its language, or else the operator's default, or else
    /// Okta's text, or else one of our own. Whichever can't be completed, lacks the passcode, or has more segments than
    /// a message may have, gives way to the next. Our own has one.
    ///
    /// ```
    /// use okta_telephony_acs::message::{Passcode, Wording};
    ///
    /// let text = |okta_template| {
    ///     Wording::default().text(&Passcode { code: "123456", minutes: None, okta_template, locale: None })
    /// };
    /// assert_eq!(text(Some("Contoso: ${code}")), "Contoso: 123456");
    /// assert_eq!(text(Some("Welcome!")), "Your verification code is 123456");
    /// ```
    pub fn text(&self, passcode: &Passcode<'_>) -> String {
        let fits = |text: &str| segments(text).count <= self.max_segments;
        let by_language = passcode.locale.and_then(|locale| self.templates.get(locale));
        let mut text = [by_language, self.templates.default_template()]
            .into_iter()
            .flatten()
            .find_map(|template| template.complete(passcode, &self.org_name).filter(|t| fits(t)))
            .or_else(|| {
                let text = template::fill_in_code(passcode.okta_template?, passcode.code);
                Some(text).filter(|text| text.contains(passcode.code) && fits(text))
            })
            .unwrap_or_else(|| format!("Your verification code is {}", passcode.code));
        if let Some(domain) = &self.web_otp_domain {
            domain.bind(&mut text, passcode.code, fits);
        }
        text
    }

    /// What a call says of a passcode. Okta's text is not for calls ("Not applicable for voice call", Okta's telephony
    /// inline hook reference).
    pub fn announcement(&self, passcode: &Passcode<'_>) -> Announcement {
        self.spoken.announcement(passcode, &self.org_name)
    }
}

/// For how many minutes a passcode still holds: rounded up, and at least 1. Parts of a second do
/// not count, so that two clocks that differ by some make no 6 minutes of Okta's 5.
///
/// ```
/// use okta_telephony_acs::message::minutes_until;
/// use time::{Duration, OffsetDateTime};
///
/// let now = OffsetDateTime::UNIX_EPOCH;
/// assert_eq!(minutes_until(now + Duration::seconds(299), now), 5);
/// assert_eq!(minutes_until(now, now), 1);
/// ```
pub fn minutes_until(expires: OffsetDateTime, now: OffsetDateTime) -> u64 {
    let seconds = u64::try_from((expires - now).whole_seconds()).unwrap_or_default();
    seconds.div_ceil(60).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn passcode<'a>(code: &'a str, okta_template: Option<&'a str>) -> Passcode<'a> {
        Passcode { code, minutes: Some(5), okta_template, locale: None }
    }

    fn oktas(okta_template: Option<&str>, code: &str) -> String {
        Wording::default().text(&passcode(code, okta_template))
    }

    #[test]
    fn oktas_text_goes_out_as_it_is() {
        let template = "(HOOK) Your code is 123456 ${org.name} ${org} ${minutes} {{x}} $5 – ünï";
        assert_eq!(oktas(Some(template), "123456"), template);
    }

    #[test]
    fn every_placeholder_in_oktas_text_is_filled_in_literally_and_once() {
        for (template, expected) in [
            ("a ${otpCode} b", "a 1$2 b"),
            ("{{otpCode}}{otpCode}", "1$21$2"),
            ("${code}.", "1$2."),
            ("$${code}{", "$1$2{"),
            ("{{{otpCode}}}", "{1$2}"),
        ] {
            assert_eq!(oktas(Some(template), "1$2"), expected, "{template}");
        }
        assert_eq!(oktas(Some("{otpCode}"), "{otpCode}"), "{otpCode}");
    }

    #[test]
    fn a_text_of_oktas_without_the_passcode_gives_way_to_our_own() {
        for template in [None, Some(""), Some("Your code is ${otpcode}"), Some("12345 6")] {
            let text = oktas(template, "123456");
            assert_eq!(text, "Your verification code is 123456", "{template:?}");
        }
    }

    #[test]
    fn a_text_of_oktas_with_too_many_segments_gives_way_to_our_own() {
        for (character, most) in [("x", 3 * 153), ("я", 3 * 67)] {
            let fits = ["1", &character.repeat(most - 1)].concat();
            assert_eq!(oktas(Some(&fits), "1"), fits);
            let too_long = ["1", &character.repeat(most)].concat();
            assert_eq!(oktas(Some(&too_long), "1"), "Your verification code is 1");
        }
    }

    #[test]
    fn each_text_gives_way_to_the_next_one_down() {
        let mut wording = Wording::default();
        for (key, text) in [
            ("default", "operator ${code} ${minutes}"),
            ("de", "deutsch ${code}"),
            ("de-CH", "${org} ${code}"),
            ("fr", "${code} ${minutes}"),
        ] {
            wording.templates.add(key, text).unwrap();
        }
        let text = |wording: &Wording, locale, minutes| {
            let okta_template = Some("okta 123456");
            wording.text(&Passcode { code: "123456", minutes, okta_template, locale })
        };
        assert_eq!(text(&wording, Some("de"), None), "deutsch 123456");
        assert_eq!(text(&wording, Some("fr_FR"), Some(5)), "123456 5");
        assert_eq!(text(&wording, Some("pl"), Some(5)), "operator 123456 5");
        assert_eq!(text(&wording, None, Some(5)), "operator 123456 5");
        // No organisation is known, and then no expiry either.
        assert_eq!(text(&wording, Some("de-CH"), Some(5)), "operator 123456 5");
        assert_eq!(text(&wording, Some("de-CH"), None), "okta 123456");
        assert_eq!(text(&wording, Some("fr"), None), "okta 123456");
        // What the values make too long.
        wording.max_segments = 1;
        wording.org_name = "x".repeat(160 - 7);
        assert_eq!(text(&wording, Some("de-CH"), None).len(), 160);
        wording.org_name.push('x');
        assert_eq!(text(&wording, Some("de-CH"), Some(5)), "operator 123456 5");
    }

    #[test]
    fn the_line_for_the_sign_in_page_follows_whichever_text_wins_if_there_is_room() {
        let wording = Wording {
            web_otp_domain: Some(Domain::parse("example.com").unwrap()),
            ..Wording::default()
        };
        for (template, expected) in [
            (None, "Your verification code is 12\n\n@example.com #12"),
            (Some("Okta: 12"), "Okta: 12\n\n@example.com #12"),
            (Some("Okta: 12\n@example.com #12"), "Okta: 12\n@example.com #12"),
        ] {
            assert_eq!(wording.text(&passcode("12", template)), expected);
        }
        let most = 3 * 153;
        let room = most - "\n\n@example.com #12".len();
        let text = format!("12{}", "x".repeat(room - 2));
        assert_eq!(wording.text(&passcode("12", Some(&text))).len(), most);
        let text = format!("12{}", "x".repeat(room - 1));
        assert_eq!(wording.text(&passcode("12", Some(&text))), text);
    }

    #[test]
    fn minutes_are_rounded_up_and_never_none() {
        let now = datetime!(2026-01-31 12:00:00 UTC);
        for (expires, minutes) in [
            (datetime!(2026-01-31 12:05:00 UTC), 5),
            (datetime!(2026-01-31 12:05:00.9 UTC), 5),
            (datetime!(2026-01-31 12:05:01 UTC), 6),
            (datetime!(2026-01-31 12:04:00.9 UTC), 4),
            (datetime!(2026-01-31 12:00:01 UTC), 1),
            (datetime!(2026-01-31 12:00:00 UTC), 1),
            (datetime!(2026-01-31 11:00:00 UTC), 1),
            (datetime!(2026-01-31 14:05:00 +2), 5),
        ] {
            assert_eq!(minutes_until(expires, now), minutes, "{expires}");
        }
        let (first, last) = (time::Date::MIN.midnight(), time::Date::MAX.midnight());
        assert!(minutes_until(last.assume_utc(), first.assume_utc()) > 1);
        assert_eq!(minutes_until(first.assume_utc(), last.assume_utc()), 1);
    }

    proptest! {
        #[test]
        fn the_passcode_is_in_every_text_and_none_has_too_many_segments(
            text in "\\PC*|([${}a-zA-Z]|otpCode|\\$\\{code\\}|\\$\\{minutes\\}|\\$\\{org\\}){0,20}",
            okta_template in "\\PC*|([${}a-zA-Z]|otpCode|code){0,20}",
            tag in "[a-z]{2}",
            locale in "\\PC{0,8}|[a-zA-Z]{2}([-_][a-zA-Z]{2})?",
            code in "[-#0-9A-Za-z ]{1,32}|[0-9]{1,8}",
            minutes in proptest::option::of(any::<u64>()),
            org_name in "\\PC{0,40}|.{150,2100}",
            bound: bool,
            max_segments in 1..=10_u32,
        ) {
            let mut templates = Templates::default();
            for key in ["default", &tag] {
                let _ = templates.add(key, &text);
            }
            let wording = Wording {
                templates,
                spoken: SpokenTemplates::default(),
                org_name,
                web_otp_domain: bound.then(|| Domain::parse("login.example.com").unwrap()),
                max_segments,
            };
            let passcode = Passcode { code: &code, minutes, okta_template: Some(&okta_template), locale: Some(&locale) };
            let text = wording.text(&passcode);
            prop_assert!(text.contains(&code));
            prop_assert!(segments(&text).count <= max_segments);
        }
    }
}
