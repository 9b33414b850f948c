//! What a call says: a value, of which each provider makes its own notation.

use super::Language;

/// What is said in one language. It has no `Debug`: the passcode is in it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(language: Language) -> Speech {
        Speech { language, parts: vec![Part::Words("1".into())] }
    }

    #[test]
    fn a_language_for_which_there_is_no_voice_gives_way_to_english() {
        for (language, speaks, spoken) in [
            (Language::German, true, Language::German),
            (Language::German, false, Language::English),
            (Language::English, false, Language::English),
        ] {
            let announcement = Announcement::new(speech(language), || speech(Language::English));
            assert_eq!(announcement.for_voices(|_| speaks).language, spoken, "{language:?}");
        }
    }
}
