//! The owner's rules for the guard.

use std::ops::RangeInclusive;

use numbering::Region;

use super::document::Said;
use super::findings::Place;
use super::policy::{countries, is_prefix};
use super::reading::Reading;
use super::said;
use crate::guard::{Mode, Rule, Rules};
use crate::pasted::clean;
use crate::phone_number::bare;
use crate::policy::limits::seconds;

/// After how long a send may count as unused, in seconds.
const MATURES_AFTER: RangeInclusive<u32> = 1..=6 * 3600;

/// For how many sends there may be room: judging reads all of them.
const SLOTS: RangeInclusive<u32> = 128..=65_536;

/// How many sends or numbers a rule may want.
const SENDS: RangeInclusive<u32> = 1..=10_000;

/// Which share a rule may take for few.
const USED: RangeInclusive<f64> = 0.0..=0.5;

/// The rules. Without the receiver of Okta's events there is nothing to learn from.
pub(super) fn guard(reading: &mut Reading<'_>, said: said::Guard, has_events: bool) -> Rules {
    let default = Rules::default();
    const MODE: &str = "guard.mode";
    let mode = match reading.text(MODE, said.mode).as_deref() {
        None if has_events => Mode::Shadow,
        None | Some("off") => Mode::Off,
        Some("shadow") => Mode::Shadow,
        Some("enforce") => Mode::Enforce,
        Some(_) => {
            reading.unexpected(Place::Settings, MODE);
            Mode::Off
        }
    };
    if mode != Mode::Off && !has_events {
        let fix = "is not \"off\", and nobody may tell which passcodes are used: set events.secret in the secrets, and \
                   register Okta's event hook";
        reading.problem(Place::Settings, MODE, fix);
    }
    const MATURES: &str = "guard.matures_after";
    let matures_after = match reading.text(MATURES, said.matures_after).map(|said| seconds(&said)) {
        None => default.matures_after,
        Some(Some(time)) if MATURES_AFTER.contains(&time) => u64::from(time) * 1000,
        Some(_) => {
            reading.unexpected(Place::Settings, MATURES);
            default.matures_after
        }
    };
    Rules {
        mode,
        slots: within(reading, "guard.slots", said.slots, SLOTS, default.slots),
        matures_after,
        exempt_prefixes: prefixes(reading, said.exempt_prefixes),
        home_countries: countries(reading, "guard.home_countries", said.home_countries)
            .unwrap_or_default(),
        lifted: lifted(reading, said.lifted),
        block: rule(reading, "guard.block", said.block, default.block),
        country: rule(reading, "guard.country", said.country, default.country),
    }
}

fn within<T: PartialOrd>(
    reading: &mut Reading<'_>,
    key: &str,
    said: Said<T>,
    range: RangeInclusive<T>,
    default: T,
) -> T {
    match reading.value(key, said) {
        None => default,
        Some(value) if range.contains(&value) => value,
        Some(_) => {
            reading.unexpected(Place::Settings, key);
            default
        }
    }
}

fn rule(reading: &mut Reading<'_>, key: &str, said: Said<said::GuardRule>, default: Rule) -> Rule {
    let said = said.get().unwrap_or_default();
    let key = |name: &str| [key, ".", name].concat();
    Rule {
        sends: within(reading, &key("sends"), said.sends, SENDS, default.sends),
        numbers: within(reading, &key("numbers"), said.numbers, SENDS, default.numbers),
        used: within(reading, &key("used"), said.used, USED, default.used),
    }
}

fn prefixes(reading: &mut Reading<'_>, said: Said<Vec<Said<String>>>) -> Vec<String> {
    let texts = reading.texts("guard.exempt_prefixes", said).unwrap_or_default();
    let prefix = |(key, text): (String, String)| {
        let text = bare(&clean(&text));
        let is_so = is_prefix(&text);
        if !is_so {
            let fix = "must be the beginning of a number, such as \"+4930123\"";
            reading.problem(Place::Settings, &key, fix);
        }
        is_so.then_some(text)
    };
    texts.into_iter().filter_map(prefix).collect()
}

fn lifted(reading: &mut Reading<'_>, said: Said<Vec<Said<String>>>) -> Vec<String> {
    let texts = reading.texts("guard.lifted", said).unwrap_or_default();
    let name = |(key, text): (String, String)| {
        let text = clean(&text);
        if text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(text.to_ascii_lowercase());
        }
        let region = Region::parse(&text);
        if region.is_none() {
            let fix = "must be a block as the log names it, such as \"b3f9a1c2\", or a country of two letters";
            reading.problem(Place::Settings, &key, fix);
        }
        region.map(|region| region.to_string())
    };
    texts.into_iter().filter_map(name).collect()
}
