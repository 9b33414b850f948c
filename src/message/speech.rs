//! What a call says: a value, of which each provider makes its own notation.

use std::collections::BTreeMap;

use super::template::InvalidTemplate;
use super::{Language, Passcode, Template};

/// What is said in one language. It has no `Debug`: the passcode is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Speech {
    /// The language of the words, and so of the voice.
    pub language: Language,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// A part of what is said.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// Words, or a single digit or letter. They may hold any character: a provider whose notation gives one a
    /// meaning of its own has to escape it.
    Words(String),
    /// A pause of about one second, in which a person writes down a digit.
    ShortPause,
    /// A pause of about two seconds, between sentences.
    LongPause,
}

/// What a call says in the person's language and in English, for a provider that has no voice for the former.
#[derive(Clone)]
pub struct Announcement {
    speech: Speech,
    /// `None` where the other is in English.
    in_english: Option<Speech>,
}

impl Announcement {
    /// What is said in a language. `in_english` is not asked for where that is English.
    pub fn new(speech: Speech, in_english: impl FnOnce() -> Speech) -> Self {
        let in_english = (speech.language != Language::English).then(in_english);
        Self { speech, in_english }
    }

    /// What is said by a provider with voices for these languages, and for English in any case.
    pub fn for_voices(&self, speaks: impl FnOnce(Language) -> bool) -> &Speech {
        match &self.in_english {
            Some(in_english) if !speaks(self.speech.language) => in_english,
            _ => &self.speech,
        }
    }
}

impl Speech {
    /// What is said, as a person reads it who looks at an explanation: pauses are commas and full stops.
    pub fn to_read(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Words(words) => {
                    if !text.is_empty() {
                        text.push(' ');
                    }
                    text.push_str(words);
                }
                Part::ShortPause => text.push(','),
                Part::LongPause => text.push_str(" …"),
            }
        }
        text
    }
}

/// The owner's texts for calls, by language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpokenTemplates(BTreeMap<Language, Template>);

/// Why a text for calls can't be added. Worded to follow the name of the setting, key included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpoken {
    /// The key is no language in which calls are spoken.
    #[error("must have a language in which calls are spoken as its name: {}", tags())]
    Language,
    /// There is a text for this language.
    #[error("is there twice: remove one (upper and lower case are the same, and so are - and _)")]
    Twice,
    /// The text is no template.
    #[error(transparent)]
    Template(InvalidTemplate),
}

fn tags() -> String {
    Language::ALL.iter().map(|language| language.tag()).collect::<Vec<_>>().join(", ")
}

/// The most characters of what is said once, without the passcode: about half a minute. Said twice, with a passcode of
/// any length, it is within the limits of every provider.
pub const MOST_SPOKEN_CHARACTERS: usize = 300;

impl SpokenTemplates {
    /// Adds a text for a language.
    pub fn add(&mut self, tag: &str, text: &str) -> Result<Language, InvalidSpoken> {
        let language = Language::of_tag(tag).ok_or(InvalidSpoken::Language)?;
        let template = Template::parse(text).map_err(InvalidSpoken::Template)?;
        match self.0.insert(language, template) {
            Some(_) => Err(InvalidSpoken::Twice),
            None => Ok(language),
        }
    }

    /// How many characters of the text for a language are said once, with a passcode that has none; `None` where there
    /// is no text, or no name of the organisation that it needs.
    pub fn characters(&self, language: Language, org_name: &str) -> Option<usize> {
        let passcode = Passcode { code: "", minutes: Some(5), okta_template: None, locale: None };
        let pieces = self.0.get(&language)?.around_code(&passcode, org_name)?;
        Some(characters(&pieces))
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `${org}` is in one of them, and so the organisation's name must be known.
    pub fn uses_org(&self) -> bool {
        self.0.values().any(Template::uses_org)
    }

    /// What is said of a passcode: in the language of its locale or, where that is none of ours, in English.
    pub fn announcement(&self, passcode: &Passcode<'_>, org_name: &str) -> Announcement {
        let language = passcode.locale.and_then(Language::of_locale).unwrap_or(Language::English);
        let speech = |language| self.speech(language, passcode, org_name);
        Announcement::new(speech(language), || speech(Language::English))
    }

    /// What is said in a language: the owner's text or, where that can't be completed or is too long, our own. All of
    /// it is said twice.
    fn speech(&self, language: Language, passcode: &Passcode<'_>, org_name: &str) -> Speech {
        let of_owner = self.0.get(&language).and_then(|it| it.around_code(passcode, org_name));
        let pieces = of_owner.filter(|it| characters(it) <= MOST_SPOKEN_CHARACTERS);
        let pieces = pieces.unwrap_or_else(|| {
            let ours = Template::parse(language.announcement()).expect("a test parses them all");
            ours.around_code(passcode, org_name).expect("it has neither minutes nor organisation")
        });
        let once = spoken(language, &pieces, passcode.code);
        let parts = [&once[..], &[Part::LongPause], &once].concat();
        Speech { language, parts }
    }
}

fn characters(pieces: &[String]) -> usize {
    pieces.iter().map(|piece| piece.chars().count()).sum()
}

/// What is said between and around the passcodes, and them.
fn spoken(language: Language, pieces: &[String], code: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut is_after_passcode = false;
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            parts.extend(pause(&parts, is_after_passcode));
            parts.extend(digits(language, code));
            is_after_passcode = true;
        }
        let words = piece.trim();
        // What ends the sentence after a passcode says nothing.
        if words.contains(char::is_alphanumeric) {
            parts.extend(pause(&parts, is_after_passcode));
            parts.push(Part::Words(words.to_owned()));
            is_after_passcode = false;
        }
    }
    parts
}

/// The pause before the next part: a long one after a passcode, none at the beginning.
fn pause(before: &[Part], is_after_passcode: bool) -> Option<Part> {
    let pause = if is_after_passcode { Part::LongPause } else { Part::ShortPause };
    (!before.is_empty()).then_some(pause)
}

/// A passcode character by character, so that nobody hears it as one number, with the time to write each down. Blanks
/// are not said.
fn digits(language: Language, code: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for character in code.chars().filter(|c| !c.is_whitespace()) {
        if !parts.is_empty() {
            parts.push(Part::ShortPause);
        }
        parts.push(Part::Words(match character {
            '-' => language.dash().to_owned(),
            '#' => language.hash().to_owned(),
            other => other.to_ascii_uppercase().to_string(),
        }));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passcode<'a>(code: &'a str, locale: &'a str) -> Passcode<'a> {
        Passcode { code, minutes: Some(5), okta_template: Some("Okta: 1"), locale: Some(locale) }
    }

    fn said(templates: &SpokenTemplates, code: &str, locale: &str) -> String {
        let announcement = templates.announcement(&passcode(code, locale), "Contoso");
        announcement.for_voices(|_| true).to_read()
    }

    #[test]
    fn a_passcode_is_said_digit_by_digit_and_all_of_it_twice() {
        for (locale, once) in [
            ("en", "Hello. Your verification code is:, 0, 4, 2"),
            ("ar", "مرحبًا. رمز التحقق الخاص بك هو:, 0, 4, 2"),
            ("bg", "Здравейте. Вашият код за потвърждение е:, 0, 4, 2"),
            ("hr", "Dobar dan. Vaš kod za potvrdu je:, 0, 4, 2"),
            ("cs", "Dobrý den. Váš ověřovací kód je:, 0, 4, 2"),
            ("da", "Hej. Din bekræftelseskode er:, 0, 4, 2"),
            ("nl-NL", "Hallo. Uw verificatiecode is:, 0, 4, 2"),
            ("fi", "Hei. Vahvistuskoodisi on:, 0, 4, 2"),
            ("fr", "Bonjour. Votre code de vérification est :, 0, 4, 2"),
            ("de", "Guten Tag. Ihr Bestätigungscode lautet:, 0, 4, 2"),
            ("el", "Γεια σας. Ο κωδικός επαλήθευσής σας είναι:, 0, 4, 2"),
            ("he", "שלום. קוד האימות שלך הוא:, 0, 4, 2"),
            ("hu", "Üdvözöljük! Az Ön ellenőrző kódja:, 0, 4, 2"),
            ("id", "Halo. Kode verifikasi Anda adalah:, 0, 4, 2"),
            ("it", "Salve. Il suo codice di verifica è:, 0, 4, 2"),
            ("ja", "こんにちは。確認コードは次のとおりです。, 0, 4, 2"),
            ("ko", "안녕하세요. 인증 코드는 다음과 같습니다., 0, 4, 2"),
            ("ms", "Helo. Kod pengesahan anda ialah:, 0, 4, 2"),
            ("zh-CN", "您好。您的验证码是：, 0, 4, 2"),
            ("zh-TW", "您好。您的驗證碼是：, 0, 4, 2"),
            ("nb", "Hei. Bekreftelseskoden din er:, 0, 4, 2"),
            ("pl", "Dzień dobry. Twój kod weryfikacyjny to:, 0, 4, 2"),
            ("pt", "Olá. O seu código de verificação é:, 0, 4, 2"),
            ("pt-BR", "Olá. Seu código de verificação é:, 0, 4, 2"),
            ("ro", "Bună ziua. Codul dumneavoastră de verificare este:, 0, 4, 2"),
            ("ru", "Здравствуйте. Ваш код подтверждения:, 0, 4, 2"),
            ("sk", "Dobrý deň. Váš overovací kód je:, 0, 4, 2"),
            ("sl", "Pozdravljeni. Vaša potrditvena koda je:, 0, 4, 2"),
            ("es", "Hola. Su código de verificación es:, 0, 4, 2"),
            ("sv", "Hej. Din verifieringskod är:, 0, 4, 2"),
            ("th", "สวัสดี รหัสยืนยันของคุณคือ, 0, 4, 2"),
            ("tr", "Merhaba. Doğrulama kodunuz:, 0, 4, 2"),
            ("uk", "Вітаємо. Ваш код підтвердження:, 0, 4, 2"),
            ("vi", "Xin chào. Mã xác minh của bạn là:, 0, 4, 2"),
            // English where we know no sentence.
            ("sw-KE", "Hello. Your verification code is:, 0, 4, 2"),
        ] {
            let expected = format!("{once} … {once}");
            assert_eq!(said(&SpokenTemplates::default(), "042", locale), expected, "{locale}");
        }
    }

    #[test]
    fn letters_are_spelled_signs_are_named_and_blanks_are_not_said() {
        for (code, locale, expected) in [
            ("aB-1 #", "en", "A, B, dash, 1, hash"),
            ("aB-1 #", "de", "A, B, Bindestrich, 1, Raute"),
            ("7", "fr", "7"),
        ] {
            let said = said(&SpokenTemplates::default(), code, locale);
            let digits = said.split(":, ").nth(1).unwrap().split(" …").next().unwrap();
            assert_eq!(digits, expected, "{code} {locale}");
        }
    }

    #[test]
    fn the_owners_text_is_said_in_its_language_and_ours_where_it_can_not_be_completed() {
        let mut templates = SpokenTemplates::default();
        templates.add("en", "This is ${org}. ${code}. It holds for ${minutes} minutes.").unwrap();
        let once = "This is Contoso., 1, 2 … . It holds for 5 minutes.";
        assert_eq!(said(&templates, "12", "en"), format!("{once} … {once}"));
        assert!(said(&templates, "12", "de").starts_with("Guten Tag."));
        // A language without a sentence of ours has the owner's English one.
        assert!(said(&templates, "12", "sw").starts_with("This is Contoso."));
        for (org_name, minutes) in [("", Some(5)), ("Contoso", None), (&*"x".repeat(300), Some(5))]
        {
            let passcode = Passcode { minutes, ..passcode("12", "en") };
            let said = templates.announcement(&passcode, org_name).for_voices(|_| true).to_read();
            assert!(said.starts_with("Hello."), "{said}");
        }
    }

    #[test]
    fn a_text_for_calls_needs_a_language_of_ours_and_the_passcode() {
        let mut templates = SpokenTemplates::default();
        assert_eq!(templates.add("PT_br", "${code}"), Ok(Language::BrazilianPortuguese));
        for (tag, text, error) in [
            ("pt-BR", "${code}", "is there twice"),
            ("default", "${code}", "as its name: en, ar, bg,"),
            ("de-AT", "${code}", "as its name: en, ar, bg,"),
            ("de", "Hallo", "has no ${code}"),
        ] {
            let said = templates.add(tag, text).unwrap_err().to_string();
            assert!(said.contains(error), "{said}");
        }
    }

    #[test]
    fn a_language_for_which_there_is_no_voice_gives_way_to_english() {
        for (locale, speaks, spoken) in [
            ("de", true, Language::German),
            ("de", false, Language::English),
            ("en", false, Language::English),
        ] {
            let announcement = SpokenTemplates::default().announcement(&passcode("1", locale), "");
            assert_eq!(announcement.for_voices(|_| speaks).language, spoken, "{locale}");
        }
    }

    proptest! {
        #[test]
        fn each_character_of_the_passcode_is_said_alone_twice_and_never_without_a_pause(
            code in "[-#0-9A-Za-z ]{1,32}",
            text in "[a-z. ]{0,40}\\$\\{code\\}[a-z. ]{0,40}",
            locale in "[a-z]{2}",
        ) {
            let mut templates = SpokenTemplates::default();
            templates.add("en", &text).unwrap();
            let announcement = templates.announcement(&passcode(&code, &locale), "");
            let parts = &announcement.for_voices(|_| true).parts;
            for pair in parts.windows(2) {
                let are_words = pair.iter().all(|part| matches!(part, Part::Words(_)));
                prop_assert!(!are_words);
            }
            let digits = code.chars().filter(char::is_ascii_digit).count();
            let is_digit = |part: &&Part| matches!(part, Part::Words(it) if it.len() == 1 && it.bytes().all(|b| b.is_ascii_digit()));
            prop_assert_eq!(parts.iter().filter(is_digit).count(), 2 * digits);
        }
    }
}
