//! What has Twilio call and say a passcode, per its API's `POST /2010-04-01/Accounts/{AccountSid}/Calls.json`: instructions
//! in TwiML, which are XML and come with the request.
//!
//! Nothing in them waits for a key, since Twilio takes it to a URL that has further instructions; so all is said twice.

use form_urlencoded::Serializer;

use crate::message::{Announcement, Language, Part, Speech};

/// The path of the API, without the account.
pub(super) const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Calls.json";

/// For how many seconds the phone rings; Twilio adds up to 5. Many mailboxes answer after 25 to 30 seconds, and a passcode
/// has nothing to do there. Twilio's own way to tell a machine from a person (`MachineDetection`) is charged, and what is
/// said can't depend on it without a URL of ours that Twilio asks while the person waits.
const RING_TIMEOUT: &str = "20";

/// After how many seconds a call ends, whoever holds it: what is said takes two minutes at most.
const LONGEST: &str = "120";

/// The most characters of the instructions.
pub(super) const MOST_TWIML: usize = 4000;

/// Adds what a call has in place of a text.
pub(super) fn append(form: &mut Serializer<'_, String>, announcement: &Announcement) {
    let speech = announcement.for_voices(|language| voice(language).is_some());
    form.append_pair("Twiml", &twiml(speech))
        .append_pair("Timeout", RING_TIMEOUT)
        .append_pair("TimeLimit", LONGEST);
}

/// What is said, as TwiML. What means something in XML is escaped or, where that makes it too long, a blank.
pub(super) fn twiml(speech: &Speech) -> String {
    let (voice, language) = voice(speech.language).unwrap_or(ENGLISH);
    let with = |plain: fn(char) -> Option<&'static str>| {
        let mut twiml = format!(
            "<Response><Pause length=\"1\"/><Say voice=\"Polly.{voice}\" language=\"{language}\">"
        );
        for part in &speech.parts {
            match part {
                Part::Words(words) => {
                    for character in words.chars() {
                        match plain(character) {
                            Some(text) => twiml.push_str(text),
                            None => twiml.push(character),
                        }
                    }
                }
                Part::ShortPause => twiml.push_str("<break time=\"1s\"/>"),
                Part::LongPause => twiml.push_str("<break time=\"2s\"/>"),
            }
        }
        twiml + "</Say></Response>"
    };
    let escaped = with(|character| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => blank(character).filter(|_| is_no_xml(character)),
    });
    if escaped.chars().count() <= MOST_TWIML { escaped } else { with(blank) }
}

/// A blank in place of what means something in XML, or must not be in it.
fn blank(character: char) -> Option<&'static str> {
    (matches!(character, '&' | '<' | '>') || is_no_xml(character)).then_some(" ")
}

/// Whether XML 1.0 has no such character ("Extensible Markup Language", section 2.2).
fn is_no_xml(character: char) -> bool {
    character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// The voice and its language in English.
const ENGLISH: (&str, &str) = ("Joanna", "en-US");

/// The voice for a language and what it calls the language: the standard voices of Amazon Polly, which Twilio has
/// ("Standard voices", Amazon Polly).
fn voice(language: Language) -> Option<(&'static str, &'static str)> {
    Some(match language {
        Language::English => ENGLISH,
        Language::Arabic => ("Zeina", "arb"),
        Language::Danish => ("Naja", "da-DK"),
        Language::Dutch => ("Lotte", "nl-NL"),
        Language::French => ("Celine", "fr-FR"),
        Language::German => ("Marlene", "de-DE"),
        Language::Italian => ("Carla", "it-IT"),
        Language::Japanese => ("Mizuki", "ja-JP"),
        Language::Korean => ("Seoyeon", "ko-KR"),
        Language::MainlandChinese => ("Zhiyu", "cmn-CN"),
        Language::Norwegian => ("Liv", "nb-NO"),
        Language::Polish => ("Ewa", "pl-PL"),
        Language::Portuguese => ("Ines", "pt-PT"),
        Language::BrazilianPortuguese => ("Vitoria", "pt-BR"),
        Language::Romanian => ("Carmen", "ro-RO"),
        Language::Russian => ("Tatyana", "ru-RU"),
        Language::Spanish => ("Conchita", "es-ES"),
        Language::Swedish => ("Astrid", "sv-SE"),
        Language::Turkish => ("Filiz", "tr-TR"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn speech(language: Language, words: &str) -> Speech {
        let words = || Part::Words(words.to_owned());
        let parts =
            vec![words(), Part::ShortPause, Part::Words("1".into()), Part::LongPause, words()];
        Speech { language, parts }
    }

    #[test]
    fn what_is_said_is_twiml_of_a_voice_that_has_the_language() {
        assert_eq!(
            twiml(&speech(Language::German, "Ihr Code")),
            "<Response><Pause length=\"1\"/><Say voice=\"Polly.Marlene\" language=\"de-DE\">Ihr Code<break time=\"1s\"/>1\
             <break time=\"2s\"/>Ihr Code</Say></Response>"
        );
        let announcement =
            Announcement::new(speech(Language::Thai, "x"), || speech(Language::English, "y"));
        let mut form = Serializer::new(String::new());
        append(&mut form, &announcement);
        let form = form.finish();
        assert!(
            form.contains("Polly.Joanna") && form.ends_with("&Timeout=20&TimeLimit=120"),
            "{form}"
        );
    }

    #[test]
    fn a_text_adds_no_instruction() {
        let twiml = twiml(&speech(Language::English, "A & B</Say><Dial>+4419</Dial>\u{0}\u{1b}"));
        assert!(
            twiml.contains("A &amp; B&lt;/Say&gt;&lt;Dial&gt;+4419&lt;/Dial&gt;  <break"),
            "{twiml}"
        );
        assert_eq!(twiml.matches('<').count(), 7, "{twiml}");
    }

    proptest! {
        #[test]
        fn any_text_is_within_the_limit_and_adds_no_instruction(words in "(\\PC|[<>&\"']){0,900}") {
            let twiml = twiml(&speech(Language::French, &words));
            prop_assert!(twiml.chars().count() <= MOST_TWIML);
            prop_assert_eq!(twiml.matches('<').count(), 7);
            prop_assert_eq!(twiml.matches('>').count(), 7);
        }
    }
}
