//! The owner's rules and limits.

use numbering::Region;

use super::document::Said;
use super::findings::Place;
use super::reading::Reading;
use super::said;
use crate::pasted::clean;
use crate::phone_number::bare;
use crate::policy::limits::{InvalidRate, Rate, Scope};
use crate::policy::{Countries, Policy};

/// Beginnings of numbers that get nothing where nothing is said: +800 freephone, +808 shared cost, +870
/// Inmarsat, +878 universal personal numbers, +881 satellite, +882 and +883 international networks, +888 and
/// +979 international premium rate. They belong to no country, and the expensive ones pay whoever owns them.
const DEFAULT_BLOCKED_PREFIXES: [&str; 9] =
    ["+800", "+808", "+870", "+878", "+881", "+882", "+883", "+888", "+979"];

/// The rules and limits.
pub(super) fn policy(
    reading: &mut Reading<'_>,
    said: said::Policy,
    limits: said::Limits,
) -> Policy {
    let sending = reading.value("policy.sending", said.sending).unwrap_or(true);
    let enforce = one_of(reading, "policy.mode", said.mode, ["enforce", "observe"]);
    let refused_as_failed =
        one_of(reading, "policy.refusal_status", said.refusal_status, ["failed", "successful"]);
    let allowed = countries(reading, "policy.allowed_countries", said.allowed_countries);
    let blocked = countries(reading, "policy.blocked_countries", said.blocked_countries);
    let enrollment_allowed = countries(
        reading,
        "policy.enrollment_allowed_countries",
        said.enrollment_allowed_countries,
    );
    let blocked_prefixes = prefixes(reading, said.blocked_prefixes);
    let mut rate = |scope: Scope, said: Said<String>, default: Option<Rate>| match said {
        Said::Nothing => default,
        said => {
            // An empty text is no limit; one of white space is a mistake.
            let said = reading.value(scope.name(), said).filter(|said| !said.is_empty())?;
            let error = |error: InvalidRate| {
                reading.problem(Place::Settings, scope.name(), error.to_string());
            };
            Rate::parse(&clean(&said)).map_err(error).ok()
        }
    };
    let total = rate(Scope::Total, limits.total, None);
    let limits = [
        (Scope::Number, rate(Scope::Number, limits.per_number, Some(Rate::PER_NUMBER))),
        (
            Scope::CallsPerNumber,
            rate(Scope::CallsPerNumber, limits.calls_per_number, Some(Rate::CALLS_PER_NUMBER)),
        ),
        (Scope::User, rate(Scope::User, limits.per_user, None)),
        (Scope::Ip, rate(Scope::Ip, limits.per_ip, None)),
        (Scope::Prefix, rate(Scope::Prefix, limits.per_prefix, Some(Rate::PER_PREFIX))),
        (Scope::Total, total),
        (Scope::EnrollmentTotal, rate(Scope::EnrollmentTotal, limits.enrollment_total, total)),
        (Scope::CallsTotal, rate(Scope::CallsTotal, limits.calls_total, Some(Rate::CALLS_TOTAL))),
    ]
    .into_iter()
    .filter_map(|(scope, rate)| Some((scope, rate?)))
    .collect();
    Policy {
        sending,
        enforce,
        refused_as_failed,
        allowed: allowed.map_or(Countries::All, Countries::Only),
        blocked: blocked.unwrap_or_default(),
        enrollment_allowed: enrollment_allowed.map_or(Countries::All, Countries::Only),
        blocked_prefixes,
        limits,
    }
}

/// Whether a setting that has two values has the first, which is its default.
fn one_of(
    reading: &mut Reading<'_>,
    key: &str,
    said: Said<String>,
    [first, second]: [&str; 2],
) -> bool {
    match reading.text(key, said) {
        None => true,
        Some(said) if said == first => true,
        Some(said) if said == second => false,
        Some(_) => {
            reading.unexpected(Place::Settings, key);
            true
        }
    }
}

/// The lists that may be empty.
const MAY_BE_EMPTY: [&str; 2] = ["policy.blocked_countries", "guard.home_countries"];

/// The countries of a list; `None` where there is none.
pub(super) fn countries(
    reading: &mut Reading<'_>,
    key: &str,
    said: Said<Vec<Said<String>>>,
) -> Option<Vec<Region>> {
    let texts = reading.texts(key, said)?;
    if texts.is_empty() && !MAY_BE_EMPTY.contains(&key) {
        reading.problem(
            Place::Settings,
            key,
            "is empty, which lets no message go: leave it out for all countries, or set policy.sending to false",
        );
    }
    let region = |(key, text): (String, String)| {
        let region = Region::parse(&clean(&text));
        if region.is_none() {
            reading.problem(
                Place::Settings,
                &key,
                "is no country: it must have two letters, such as \"US\" (Great Britain is \"GB\")",
            );
        }
        region
    };
    Some(texts.into_iter().filter_map(region).collect())
}

/// Whether it is the beginning of a number, or a whole one.
pub(super) fn is_prefix(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (1..=15).contains(&digits.len()) && !digits.starts_with('0');
    fits && digits.bytes().all(|b| b.is_ascii_digit())
}

fn prefixes(reading: &mut Reading<'_>, said: Said<Vec<Said<String>>>) -> Vec<String> {
    let Some(texts) = reading.texts("policy.blocked_prefixes", said) else {
        return DEFAULT_BLOCKED_PREFIXES.map(str::to_owned).into();
    };
    let prefix = |(key, text): (String, String)| {
        let text = bare(&clean(&text));
        if !is_prefix(&text) {
            reading.problem(
                Place::Settings,
                &key,
                "must be the beginning of a number, such as \"+881\"",
            );
        }
        text
    };
    texts.into_iter().map(prefix).collect()
}
