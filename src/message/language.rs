//! The languages in which calls are spoken.

/// Declares [`Language`] with the tag of each.
macro_rules! languages {
    ($($(#[$doc:meta])* $name:ident = $tag:literal;)+) => {
        /// A language in which a call can be spoken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Language { $($(#[$doc])* $name,)+ }

        impl Language {
            /// Every language.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its tag, as in BCP 47: with a region where languages of one name differ.
            pub const fn tag(self) -> &'static str {
                match self { $(Self::$name => $tag,)+ }
            }
        }
    };
}

languages! {
    /// English.
    English = "en";
    /// Arabic.
    Arabic = "ar";
    /// Bulgarian.
    Bulgarian = "bg";
    /// Croatian.
    Croatian = "hr";
    /// Czech.
    Czech = "cs";
    /// Danish.
    Danish = "da";
    /// Dutch.
    Dutch = "nl";
    /// Finnish.
    Finnish = "fi";
    /// French.
    French = "fr";
    /// German.
    German = "de";
    /// Greek.
    Greek = "el";
    /// Hebrew.
    Hebrew = "he";
    /// Hungarian.
    Hungarian = "hu";
    /// Indonesian.
    Indonesian = "id";
    /// Italian.
    Italian = "it";
    /// Japanese.
    Japanese = "ja";
    /// Korean.
    Korean = "ko";
    /// Malay.
    Malay = "ms";
    /// Mandarin as in mainland China.
    MainlandChinese = "zh-CN";
    /// Mandarin as in Taiwan.
    TaiwaneseChinese = "zh-TW";
    /// Norwegian (Bokmål).
    Norwegian = "nb";
    /// Polish.
    Polish = "pl";
    /// Portuguese as in Portugal.
    Portuguese = "pt";
    /// Portuguese as in Brazil.
    BrazilianPortuguese = "pt-BR";
    /// Romanian.
    Romanian = "ro";
    /// Russian.
    Russian = "ru";
    /// Slovak.
    Slovak = "sk";
    /// Slovenian.
    Slovenian = "sl";
    /// Spanish.
    Spanish = "es";
    /// Swedish.
    Swedish = "sv";
    /// Thai.
    Thai = "th";
    /// Turkish.
    Turkish = "tr";
    /// Ukrainian.
    Ukrainian = "uk";
    /// Vietnamese.
    Vietnamese = "vi";
}
