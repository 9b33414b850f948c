//! How counts, times and codes are written, on the page and in its sentences.

use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

use std::num::NonZero;

use crate::ports::date;
use crate::records::Moment;
use crate::records::code::{self, Code};

/// What stands for what is not known. In the order of text it comes after all letters.
pub(super) const UNKNOWN: &str = "–";

/// RFC 3339 with three digits of the second, always: so text sorts by time.
const TO_THE_MILLISECOND: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second { decimal_digits: NonZero::new(3) })
    .encode();

/// In UTC, to the millisecond: `2026-11-24T14:06:00.250Z`.
pub(super) fn rfc3339(moment: Moment) -> String {
    // Every date up to the year 9999 has this form.
    date(moment).format(&Iso8601::<TO_THE_MILLISECOND>).unwrap_or_default()
}

/// The time of day, in UTC, to the minute: `14:06`.
pub(super) fn clock(moment: Moment) -> String {
    rfc3339(moment).get(11..16).unwrap_or_default().to_owned()
}

/// When something was, as people say it: with the day only if that is another one.
pub(super) fn since(moment: Moment, now: Moment) -> String {
    if date(moment).date() == date(now).date() {
        return clock(moment);
    }
    rfc3339(moment).get(..16).unwrap_or_default().replace('T', " ")
}

/// A time span in milliseconds, as exact as anybody needs it, and rounded down.
pub(super) fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{} s", milliseconds / 100 % 10),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A rate in thousandths, in percent.
pub(super) fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// So many messages.
pub(super) fn messages(count: u64) -> String {
    match count {
        1 => "1 message".into(),
        _ => format!("{count} messages"),
    }
}

/// What a failure's code means, and what helps.
pub(super) fn explained(code: Option<Code>) -> (&'static str, &'static str) {
    let Some(code) = code else { return ("no code was given", ASK) };
    code::look_up(code).map_or(("not documented", ASK), |known| (known.meaning, known.fix))
}

const ASK: &str = "ask the provider's support with the message id";
