//! Dates, as Okta and ACS write them and as others do.

use time::format_description::well_known::{Iso8601, Rfc2822, Rfc3339};
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

/// The seconds from 1970 to a moment of the years 2001 to 2286, which have ten digits.
const SECONDS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;

/// Reads a date: RFC 3339, ISO 8601 in any of its forms, with a space for the `T` or in lower case, too, or RFC 2822;
/// or seconds or milliseconds since 1970. One without an offset is in UTC. `None` if it can't be understood, or
/// could be two, such as `01/02/2026`.
///
/// ```
/// use okta_telephony_acs::date::read;
///
/// assert_eq!(read("2026-01-31 12:05:00 +0000"), read("2026-01-31T12:05:00Z"));
/// ```
pub fn read(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    text.parse().ok().and_then(since_1970).or_else(|| written_out(text))
}

fn since_1970(number: u64) -> Option<OffsetDateTime> {
    let milliseconds = if SECONDS.contains(&number) {
        number * 1000
    } else {
        Some(number).filter(|number| SECONDS.contains(&(number / 1000)))?
    };
    let since_1970 = Duration::milliseconds(i64::try_from(milliseconds).ok()?);
    OffsetDateTime::UNIX_EPOCH.checked_add(since_1970)
}

fn written_out(text: &str) -> Option<OffsetDateTime> {
    if let Ok(date) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(date);
    }
    if let Ok(date) = OffsetDateTime::parse(text, &Rfc2822) {
        return Some(date);
    }
    let text = text.to_ascii_uppercase().replacen(' ', "T", 1).replace(' ', "");
    let text = match text.strip_suffix("UTC").or_else(|| text.strip_suffix("GMT")) {
        Some(date) => [date, "Z"].concat(),
        None => text,
    };
    OffsetDateTime::parse(&text, &Iso8601::DEFAULT).ok().or_else(|| {
        let local = PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).ok()?;
        // A date with an offset that there is not is read up to it.
        let has_offset = text.rsplit('T').next()?.contains(['Z', '+', '-']);
        (!has_offset).then(|| local.assume_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    #[test]
    fn a_date_is_understood_however_it_is_written() {
        for date in [
            "2026-01-31T12:05:00Z",
            "2026-01-31T12:05:00.000Z",
            "2026-01-31T12:05:00.000000000Z",
            "2026-01-31T12:05:00.0000000000000000000Z",
            "2026-01-31t12:05:00z",
            "2026-01-31 12:05:00Z",
            "2026-01-31 12:05:00 Z",
            "2026-01-31 12:05:00 UTC",
            "2026-01-31 12:05:00 gmt",
            "2026-01-31T12:05:00+00:00",
            "2026-01-31T12:05:00+0000",
            "2026-01-31T12:05:00.000+0000",
            "2026-01-31T12:05:00+00",
            "2026-01-31T12:05:00-0000",
            "2026-01-31T13:05:00+0100",
            "2026-01-31 13:05:00 +0100",
            "2026-01-31T07:05:00.000-05",
            "2026-01-31T12:05Z",
            "2026-01-31T12:05+0000",
            "2026-01-31T12:05:00,000Z",
            "2026-01-31T12:05:00",
            "2026-01-31 12:05",
            "20260131T120500Z",
            "20260131T120500",
            " 2026-01-31T12:05:00Z\n",
            "Sat, 31 Jan 2026 12:05:00 GMT",
            "Sat, 31 Jan 2026 13:05:00 +0100",
            "31 Jan 2026 12:05:00 +0000",
            "1769861100",
            "1769861100000",
        ] {
            assert_eq!(read(date), Some(datetime!(2026-01-31 12:05:00 UTC)), "{date}");
        }
        assert_eq!(read("2026-01-31 12:05:00.25"), Some(datetime!(2026-01-31 12:05:00.25 UTC)));
    }

    #[test]
    fn what_may_mean_anything_is_no_date() {
        for date in [
            "",
            " ",
            "soon",
            "12:05",
            "2026-01-31",
            "31/01/2026 12:05",
            "01/02/2026",
            "300",
            "-1",
            "0",
            "999999999",
            "10000000000",
            "639000000000000000",
            "1769860800.25",
            "1e999",
            "2026",
            "01/02/2026 12:00:00",
            "2026-01-3é 12:00:00",
            "2026-01-31T12:00:00 CET",
            "2026-02-30T12:05:00Z",
            "2026-01-31T25:05:00Z",
            "2026-01-31T12:05:00+99:00",
            "2026-01-31T12:05:00+",
            "2026-01-31T12:05:00 CEST",
            "99999999999999999999",
            "T",
            "\u{feff}",
        ] {
            assert_eq!(read(date), None, "{date:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_date_or_none(
            any in prop_oneof!["\\PC*", "[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ][0-9:.,]{1,20}[-+Z]?[0-9:]{0,6}"]
        ) {
            if let Some(date) = read(&any) {
                // What the hook does with it.
                let _ = (date < OffsetDateTime::UNIX_EPOCH, date.saturating_add(Duration::MINUTE));
                let _ = crate::message::minutes_until(date, OffsetDateTime::UNIX_EPOCH);
            }
        }
    }
}
