//! Dates as senders of reports write them. A date that is not quite RFC 3339 costs no report.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::records::Moment;

/// Reads a date since 1970: RFC 3339, the same with a blank for the `T`, with a comma before the fraction, with
/// an offset such as `+0000` or `UTC`, or without one, which is UTC, as all of ACS's dates are; or seconds or
/// milliseconds since 1970. `None` for a day without a time, and for what could be two dates, such
/// as `01/02/2026`.
pub(super) fn read(text: &str) -> Option<Moment> {
    let text = text.trim();
    let whole = text.split('.').next().unwrap_or_default();
    if let Ok(since_1970) = whole.parse::<u64>() {
        return match whole.len() {
            // From 2001 to 5138.
            10 | 11 => Some(since_1970 * 1000),
            13 | 14 => Some(since_1970),
            _ => None,
        };
    }
    let date = OffsetDateTime::parse(&rfc3339(text)?, &Rfc3339).ok()?;
    let seconds = Moment::try_from(date.unix_timestamp()).ok()?;
    Some(seconds * 1000 + Moment::from(date.millisecond()))
}

/// The RFC 3339 of a date that is nearly that.
fn rfc3339(text: &str) -> Option<String> {
    let (day, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let end = rest.find(|c: char| !(c.is_ascii_digit() || ":.,".contains(c)));
    let (time, offset) = rest.split_at(end.unwrap_or(rest.len()));
    let time = time.replace(',', ".");
    let offset = match offset.trim_start() {
        "" | "Z" | "z" | "UTC" | "GMT" => "Z".to_owned(),
        // `+01:00`, `+0100` or `+01`.
        offset => match offset.split_at_checked(3)? {
            (hours, "") => [hours, ":00"].concat(),
            (hours, minutes) => [hours, ":", minutes.trim_start_matches(':')].concat(),
        },
    };
    Some(format!("{day}T{time}{offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-01-31T12:00:00Z.
    const NOON: Moment = 1_769_860_800_000;

    #[test]
    fn a_date_is_read_in_the_forms_that_senders_write() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", Some(NOON)),
            ("2026-01-31T12:00:00.1234567Z", Some(NOON + 123)),
            ("2026-01-31t12:00:00z", Some(NOON)),
            (" 2026-01-31T12:00:00Z\n", Some(NOON)),
            ("2026-01-31T12:00:00", Some(NOON)),
            ("2026-01-31 12:00:00", Some(NOON)),
            ("2026-01-31 12:00:00.5 UTC", Some(NOON + 500)),
            ("2026-01-31 12:00:00,5Z", Some(NOON + 500)),
            ("2026-01-31 12:00:00 GMT", Some(NOON)),
            ("2026-01-31T12:00:00+0000", Some(NOON)),
            ("2026-01-31T12:00:00.000+0000", Some(NOON)),
            ("2026-01-31T13:00:00+01:00", Some(NOON)),
            ("2026-01-31T13:00:00+0100", Some(NOON)),
            ("2026-01-31T13:00:00+01", Some(NOON)),
            ("2026-01-31 07:00:00 -0500", Some(NOON)),
            ("1769860800", Some(NOON)),
            ("1769860800.25", Some(NOON)),
            ("1769860800000", Some(NOON)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("", None),
            ("soon", None),
            ("2026-01-31", None),
            ("2026-01-31T", None),
            ("2026-01-31T12", None),
            ("2026-01-31T12:00:00+", None),
            ("2026-01-31T12:00:00+1", None),
            ("2026-01-31T12:00:00 CET", None),
            ("2026-13-01T00:00:00Z", None),
            ("01/02/2026 12:00:00", None),
            ("1969-12-31T23:59:59.999Z", None),
            ("-1769860800", None),
            ("1e999", None),
            ("2026", None),
            ("2026.01.31 12:00:00", None),
            ("639000000000000000", None),
            ("99999999999999999999999", None),
            ("2026-01-3é 12:00:00", None),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_date_or_none(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}\\PC{0,20}|\\PC{0,30}") {
            let _ = read(&text);
        }
    }
}
