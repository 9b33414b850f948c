//! What a call is made of: the voices that Telesign has, and how its pauses are written.
//!
//! Facts are from Telesign's API of voice messages (`POST /v1/voice`) and from its page on text to speech.

use crate::message::{Language, Part, Speech};

/// The path of the API.
pub(super) const PATH: &str = "/v1/voice";

/// The key that the person presses before the passcode is said.
pub(super) const KEY: &str = "1";

/// A voice, and how it asks for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    /// As Telesign calls it: all of them are female.
    pub name: &'static str,
    /// Asks for [`KEY`]. A voicemail presses none: without this it would keep the passcode for whoever can hear it.
    pub prompt: &'static str,
}

/// The voice for English, in which every announcement can be said.
pub(super) const ENGLISH: Voice =
    Voice { name: "f-en-US", prompt: "Hello. To hear your verification code, press 1." };

/// The voice for a language, where there is one.
pub(super) fn of(language: Language) -> Option<Voice> {
    use Language as It;
    let (name, prompt) = match language {
        It::English => return Some(ENGLISH),
        It::Danish => ("f-da-DK", "Hej. Tryk på 1 for at høre din bekræftelseskode."),
        It::Dutch => ("f-nl-NL", "Hallo. Druk op 1 om uw verificatiecode te horen."),
        It::Finnish => ("f-fi-FI", "Hei. Paina 1, niin kuulet vahvistuskoodisi."),
        It::French => {
            ("f-fr-FR", "Bonjour. Pour entendre votre code de vérification, appuyez sur 1.")
        }
        It::German => {
            ("f-de-DE", "Guten Tag. Drücken Sie die 1, um Ihren Bestätigungscode zu hören.")
        }
        It::Italian => ("f-it-IT", "Salve. Per ascoltare il codice di verifica, premere 1."),
        It::Japanese => {
            ("f-ja-JP", "こんにちは。確認コードをお聞きになるには、1を押してください。")
        }
        It::Korean => ("f-ko-KR", "안녕하세요. 인증 코드를 들으시려면 1번을 눌러 주세요."),
        It::MainlandChinese => ("f-zh-CN", "您好。要收听您的验证码,请按1。"),
        It::TaiwaneseChinese => ("f-zh-TW", "您好。要收聽您的驗證碼,請按1。"),
        It::Norwegian => ("f-nb-NO", "Hei. Trykk 1 for å høre bekreftelseskoden din."),
        It::Polish => ("f-pl-PL", "Dzień dobry. Aby usłyszeć kod weryfikacyjny, naciśnij 1."),
        It::Portuguese => ("f-pt-PT", "Olá. Para ouvir o seu código de verificação, prima 1."),
        It::BrazilianPortuguese => {
            ("f-pt-BR", "Olá. Para ouvir o seu código de verificação, pressione 1.")
        }
        It::Russian => ("f-ru-RU", "Здравствуйте. Чтобы прослушать код подтверждения, нажмите 1."),
        It::Spanish => ("f-es-ES", "Hola. Para escuchar su código de verificación, pulse 1."),
        It::Swedish => ("f-sv-SE", "Hej. Tryck på 1 för att höra din verifieringskod."),
        _ => return None,
    };
    Some(Voice { name, prompt })
}

/// What is said, as Telesign reads it: a comma is a pause, and a new line a longer one.
pub(super) fn text(speech: &Speech) -> String {
    let mut text = String::new();
    for part in &speech.parts {
        match part {
            Part::Words(words) => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(words);
            }
            Part::ShortPause => text.push(','),
            Part::LongPause => text.push('\n'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_voice_is_of_its_language_and_asks_for_the_key() {
        for language in Language::ALL {
            let Some(Voice { name, prompt }) = of(*language) else { continue };
            let of_name = name.strip_prefix("f-").unwrap();
            assert!(of_name.starts_with(&language.tag()[..2]), "{language:?}: {name}");
            assert!(prompt.contains(KEY) && prompt.chars().count() < 100, "{prompt}");
        }
        assert_eq!(of(Language::Thai), None);
    }

    #[test]
    fn pauses_are_commas_and_new_lines() {
        let words = |it: &str| Part::Words(it.to_owned());
        let parts = vec![
            words("Your code is"),
            Part::LongPause,
            words("1"),
            Part::ShortPause,
            words("2"),
            Part::LongPause,
            words("Goodbye."),
        ];
        let speech = Speech { language: Language::English, parts };
        assert_eq!(text(&speech), "Your code is\n1, 2\nGoodbye.");
    }
}
