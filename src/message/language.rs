//! The languages in which calls are spoken, and what is said in each.

/// Declares [`Language`] with the tag of each, and its texts.
macro_rules! languages {
    ($($(#[$doc:meta])* $name:ident = $tag:literal {
        $announcement:literal, $to_hear_again:literal, $dash:literal, $hash:literal
    })+) => {
        /// A language in which a call can be spoken: those of Okta's sign-in pages, and some more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Language { $($(#[$doc])* $name,)+ }

        impl Language {
            /// Every language.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its tag, as in BCP 47: with a region where languages of one name differ.
            pub const fn tag(self) -> &'static str {
                match self { $(Self::$name => $tag,)+ }
            }

            /// What is said where the owner has no text of his own: a template.
            pub(super) const fn announcement(self) -> &'static str {
                match self { $(Self::$name => $announcement,)+ }
            }

            /// How to have it said again, for a provider that does so on the key 1.
            pub const fn to_hear_again(self) -> &'static str {
                match self { $(Self::$name => $to_hear_again,)+ }
            }

            /// What `-` is called.
            pub(super) const fn dash(self) -> &'static str {
                match self { $(Self::$name => $dash,)+ }
            }

            /// What `#` is called.
            pub(super) const fn hash(self) -> &'static str {
                match self { $(Self::$name => $hash,)+ }
            }
        }
    };
}

languages! {
    /// English.
    English = "en" {
        "Hello. Your verification code is: ${code}.", "To hear this again, press 1.", "dash", "hash"
    }
    /// Arabic.
    Arabic = "ar" {
        "مرحبًا. رمز التحقق الخاص بك هو: ${code}.", "للاستماع مرة أخرى، اضغط 1.", "شرطة", "مربع"
    }
    /// Bulgarian.
    Bulgarian = "bg" {
        "Здравейте. Вашият код за потвърждение е: ${code}.", "За да чуете отново, натиснете 1.", "тире", "диез"
    }
    /// Croatian.
    Croatian = "hr" {
        "Dobar dan. Vaš kod za potvrdu je: ${code}.", "Za ponavljanje pritisnite 1.", "crtica", "ljestve"
    }
    /// Czech.
    Czech = "cs" {
        "Dobrý den. Váš ověřovací kód je: ${code}.", "Pro zopakování stiskněte 1.", "pomlčka", "křížek"
    }
    /// Danish.
    Danish = "da" {
        "Hej. Din bekræftelseskode er: ${code}.", "Tryk 1 for at høre det igen.", "bindestreg", "firkant"
    }
    /// Dutch.
    Dutch = "nl" {
        "Hallo. Uw verificatiecode is: ${code}.", "Druk op 1 om dit nogmaals te horen.", "streepje", "hekje"
    }
    /// Finnish.
    Finnish = "fi" {
        "Hei. Vahvistuskoodisi on: ${code}.", "Kuullaksesi tämän uudelleen paina 1.", "viiva", "ruutu"
    }
    /// French.
    French = "fr" {
        "Bonjour. Votre code de vérification est : ${code}.", "Pour réécouter, appuyez sur 1.", "tiret", "dièse"
    }
    /// German.
    German = "de" {
        "Guten Tag. Ihr Bestätigungscode lautet: ${code}.", "Um dies noch einmal zu hören, drücken Sie die 1.",
        "Bindestrich", "Raute"
    }
    /// Greek.
    Greek = "el" {
        "Γεια σας. Ο κωδικός επαλήθευσής σας είναι: ${code}.", "Για να το ακούσετε ξανά, πατήστε 1.", "παύλα", "δίεση"
    }
    /// Hebrew.
    Hebrew = "he" {
        "שלום. קוד האימות שלך הוא: ${code}.", "לשמיעה חוזרת הקישו 1.", "מקף", "סולמית"
    }
    /// Hungarian.
    Hungarian = "hu" {
        "Üdvözöljük! Az Ön ellenőrző kódja: ${code}.", "Az ismétléshez nyomja meg az 1-es gombot.", "kötőjel",
        "kettőskereszt"
    }
    /// Indonesian.
    Indonesian = "id" {
        "Halo. Kode verifikasi Anda adalah: ${code}.", "Untuk mendengarkan lagi, tekan 1.", "strip", "pagar"
    }
    /// Italian.
    Italian = "it" {
        "Salve. Il suo codice di verifica è: ${code}.", "Per riascoltare, prema 1.", "trattino", "cancelletto"
    }
    /// Japanese.
    Japanese = "ja" {
        "こんにちは。確認コードは次のとおりです。${code}。", "もう一度お聞きになるには、1を押してください。", "ハイフン",
        "シャープ"
    }
    /// Korean.
    Korean = "ko" {
        "안녕하세요. 인증 코드는 다음과 같습니다. ${code}.", "다시 들으시려면 1번을 누르세요.", "하이픈", "샵"
    }
    /// Malay.
    Malay = "ms" {
        "Helo. Kod pengesahan anda ialah: ${code}.", "Untuk mendengar sekali lagi, tekan 1.", "sempang", "tanda pagar"
    }
    /// Mandarin as in mainland China.
    MainlandChinese = "zh-CN" {
        "您好。您的验证码是：${code}。", "重听请按1。", "短横线", "井号"
    }
    /// Mandarin as in Taiwan.
    TaiwaneseChinese = "zh-TW" {
        "您好。您的驗證碼是：${code}。", "重聽請按1。", "連字號", "井字號"
    }
    /// Norwegian (Bokmål).
    Norwegian = "nb" {
        "Hei. Bekreftelseskoden din er: ${code}.", "Trykk 1 for å høre det igjen.", "bindestrek", "firkant"
    }
    /// Polish.
    Polish = "pl" {
        "Dzień dobry. Twój kod weryfikacyjny to: ${code}.", "Aby usłyszeć ponownie, naciśnij 1.", "myślnik", "krzyżyk"
    }
    /// Portuguese as in Portugal.
    Portuguese = "pt" {
        "Olá. O seu código de verificação é: ${code}.", "Para ouvir de novo, prima 1.", "hífen", "cardinal"
    }
    /// Portuguese as in Brazil.
    BrazilianPortuguese = "pt-BR" {
        "Olá. Seu código de verificação é: ${code}.", "Para ouvir novamente, pressione 1.", "hífen", "cerquilha"
    }
    /// Romanian.
    Romanian = "ro" {
        "Bună ziua. Codul dumneavoastră de verificare este: ${code}.", "Pentru a asculta din nou, apăsați 1.",
        "liniuță", "diez"
    }
    /// Russian.
    Russian = "ru" {
        "Здравствуйте. Ваш код подтверждения: ${code}.", "Чтобы прослушать ещё раз, нажмите 1.", "дефис", "решётка"
    }
    /// Slovak.
    Slovak = "sk" {
        "Dobrý deň. Váš overovací kód je: ${code}.", "Pre zopakovanie stlačte 1.", "pomlčka", "mriežka"
    }
    /// Slovenian.
    Slovenian = "sl" {
        "Pozdravljeni. Vaša potrditvena koda je: ${code}.", "Za ponovitev pritisnite 1.", "vezaj", "lojtra"
    }
    /// Spanish.
    Spanish = "es" {
        "Hola. Su código de verificación es: ${code}.", "Para escucharlo de nuevo, pulse 1.", "guion", "almohadilla"
    }
    /// Swedish.
    Swedish = "sv" {
        "Hej. Din verifieringskod är: ${code}.", "Tryck 1 för att höra det igen.", "bindestreck", "fyrkant"
    }
    /// Thai.
    Thai = "th" {
        "สวัสดี รหัสยืนยันของคุณคือ ${code}", "หากต้องการฟังอีกครั้ง กด 1", "ขีด", "สี่เหลี่ยม"
    }
    /// Turkish.
    Turkish = "tr" {
        "Merhaba. Doğrulama kodunuz: ${code}.", "Tekrar dinlemek için 1'e basın.", "tire", "kare"
    }
    /// Ukrainian.
    Ukrainian = "uk" {
        "Вітаємо. Ваш код підтвердження: ${code}.", "Щоб прослухати ще раз, натисніть 1.", "дефіс", "решітка"
    }
    /// Vietnamese.
    Vietnamese = "vi" {
        "Xin chào. Mã xác minh của bạn là: ${code}.", "Để nghe lại, hãy bấm phím 1.", "gạch ngang", "dấu thăng"
    }
}

/// Other tags of the same languages, in lower case: those that replaced tags stand for, those of regions that speak as
/// one of ours does, and those without the region that ours have.
const OTHER_TAGS: [(&str, Language); 10] = [
    ("in", Language::Indonesian),
    ("iw", Language::Hebrew),
    ("nn", Language::Norwegian),
    ("no", Language::Norwegian),
    ("zh", Language::MainlandChinese),
    ("zh-hans", Language::MainlandChinese),
    ("zh-hant", Language::TaiwaneseChinese),
    ("zh-hk", Language::TaiwaneseChinese),
    ("zh-mo", Language::TaiwaneseChinese),
    ("cmn", Language::MainlandChinese),
];

impl Language {
    /// The language of a tag, upper and lower case and `-` and `_` being the same.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let tag = tag.replace('_', "-");
        let own = Self::ALL.iter().find(|language| language.tag().eq_ignore_ascii_case(&tag));
        let other = || OTHER_TAGS.iter().find(|(other, _)| other.eq_ignore_ascii_case(&tag));
        own.copied().or_else(|| other().map(|(_, language)| *language))
    }

    /// The language of a locale, as Okta writes it, such as `EN-US`: that of the longest beginning that is a tag.
    pub fn of_locale(locale: &str) -> Option<Self> {
        /// No tag that is ours is longer, so that a long one costs nothing.
        const LONGEST: usize = 8;
        let ends = locale.char_indices().filter(|(_, c)| matches!(c, '-' | '_')).map(|(at, _)| at);
        let ends: Vec<_> = ends.chain([locale.len()]).take_while(|end| *end <= LONGEST).collect();
        ends.iter().rev().find_map(|end| Self::of_tag(&locale[..*end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Template;
    use proptest::prelude::*;

    #[test]
    fn a_locale_is_spoken_in_the_language_that_it_begins_with() {
        for (locale, language) in [
            ("en", Some(Language::English)),
            ("EN-US", Some(Language::English)),
            ("de_AT", Some(Language::German)),
            ("pt", Some(Language::Portuguese)),
            ("pt-PT", Some(Language::Portuguese)),
            ("pt_br", Some(Language::BrazilianPortuguese)),
            ("nl-NL", Some(Language::Dutch)),
            ("no", Some(Language::Norwegian)),
            ("nn-NO", Some(Language::Norwegian)),
            ("zh", Some(Language::MainlandChinese)),
            ("zh-Hans-CN", Some(Language::MainlandChinese)),
            ("zh-Hant-HK", Some(Language::TaiwaneseChinese)),
            ("zh-TW", Some(Language::TaiwaneseChinese)),
            ("iw", Some(Language::Hebrew)),
            ("es-419", Some(Language::Spanish)),
            ("de-x-private-tags-that-go-on-and-on", Some(Language::German)),
            ("sw", None),
            ("deutsch", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }

    #[test]
    fn every_language_has_a_tag_of_its_own_and_a_template() {
        for language in Language::ALL {
            assert_eq!(Language::of_tag(language.tag()), Some(*language));
            let template = Template::parse(language.announcement()).unwrap();
            assert!(!template.uses_org(), "{language:?}");
            assert!(language.to_hear_again().contains('1'), "{language:?}");
        }
    }

    proptest! {
        #[test]
        fn any_locale_has_a_language_or_none(locale in "\\PC{0,20}|([a-z]{1,3}[-_]?){0,4}") {
            let _ = Language::of_locale(&locale);
        }
    }
}
