//! The one date form of the protocol: IMF-fixdate (RFC 9110, 5.6.7), which Microsoft's pages call
//! "RFC 1123": `Wed, 13 Apr 2022 18:09:12 GMT`.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const FORM: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Nothing but the exact form: one-digit days, a weekday that is not the date's, or lower case are
/// refused, as a sender that gets them wrong here would be refused by the service.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let moment = PrimitiveDateTime::parse(text, FORM).ok()?.assume_utc();
    // The parser is lenient here and there (it does not compare weekday and date); writing is not.
    (format(moment)? == text).then_some(moment)
}

pub(super) fn format(moment: OffsetDateTime) -> Option<String> {
    moment.to_offset(UtcOffset::UTC).format(FORM).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn only_the_exact_form_is_a_date() {
        assert_eq!(
            parse("Wed, 13 Apr 2022 18:09:12 GMT"),
            Some(datetime!(2022-04-13 18:09:12 UTC))
        );
        for wrong in [
            "",
            "Mon, 1 Apr 2019 06:22:03 GMT",
            "Tue, 13 Apr 2022 18:09:12 GMT",
            "Wed, 13 apr 2022 18:09:12 GMT",
            "Wed, 13 Apr 2022 18:09:12 UTC",
            "Wed, 13 Apr 2022 18:09:12 GMT ",
            "Wed, 31 Feb 2022 18:09:12 GMT",
            "2022-04-13T18:09:12Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
