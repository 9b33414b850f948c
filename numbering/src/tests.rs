use proptest::prelude::*;

use super::*;

fn plan(number: &str) -> Plan {
    let digits = number.strip_prefix('+').unwrap();
    assert!(!has_trunk_zero(digits), "{number}");
    look_up(digits.bytes())
}

fn region(number: &str) -> String {
    plan(number).region.map_or_else(|| "none".to_owned(), |region| region.to_string())
}

#[test]
fn each_regions_example_of_a_mobile_number_is_of_that_region_and_takes_sms() {
    // These share their mobile numbers with another region, to which libphonenumber's own
    // region_code_for_number gives the example.
    const SHARED: [(&str, &str); 8] = [
        ("AX", "FI"),
        ("BL", "GP"),
        ("CC", "AU"),
        ("CX", "AU"),
        ("EH", "MA"),
        ("MF", "GP"),
        ("SJ", "NO"),
        ("VA", "IT"),
    ];
    let examples = include_str!("../tests/data/example-mobile-numbers.tsv");
    let mut count = 0;
    for line in examples.lines().filter(|line| !line.starts_with('#')) {
        let (code, number) = line.split_once('\t').unwrap();
        let other = SHARED.iter().find(|(of, _)| *of == code).map(|(_, other)| *other);
        assert_eq!(region(number), other.unwrap_or(code), "{line}");
        assert!(plan(number).takes_sms, "{line}");
        // Western Sahara has no number that Morocco has not.
        assert_eq!(Region::parse(code).is_some(), code != "EH", "{code}");
        count += 1;
    }
    assert_eq!(count, 244);
}

#[test]
fn regions_that_share_a_calling_code_are_told_apart() {
    for (number, code) in [
        ("+12125550123", "US"),
        ("+14165550123", "CA"),
        ("+12425550123", "BS"),
        ("+18765550123", "JM"),
        ("+16715550123", "GU"),
        ("+17875550123", "PR"),
        ("+79161234567", "RU"),
        ("+77011234567", "KZ"),
        ("+442079460958", "GB"),
        ("+441481960194", "GG"),
        ("+441534456789", "JE"),
        ("+441624960194", "IM"),
        ("+447624012345", "IM"),
        ("+390612345678", "IT"),
        ("+390669812345", "VA"),
        ("+4740612345", "NO"),
        ("+4779123456", "SJ"),
        ("+61412345678", "AU"),
        ("+61891641234", "CX"),
        ("+61891621234", "CC"),
        ("+212650123456", "MA"),
        ("+590590271234", "BL"),
        ("+262692123456", "RE"),
        ("+262639012345", "YT"),
        ("+358412345678", "FI"),
        ("+3581812345678", "AX"),
        ("+590690001234", "GP"),
        ("+59995181234", "CW"),
        ("+5993181234", "BQ"),
        ("+38343201234", "XK"),
        ("+24740123", "AC"),
    ] {
        assert_eq!(region(number), code, "{number}");
    }
}

#[test]
fn area_codes_and_ranges_that_are_new_or_narrow_have_their_region() {
    for (number, code) in [
        ("+19836550123", "US"),
        ("+12734550123", "CA"),
        ("+61496123456", "AU"),
        ("+29091234", "SH"),
        ("+447924123456", "IM"),
    ] {
        assert_eq!(region(number), code, "{number}");
    }
}

#[test]
fn a_number_that_fits_no_region_of_a_shared_code_has_none() {
    for number in ["+15550100123", "+12115550123", "+1212555012", "+4410123456", "+72000000"] {
        assert_eq!(region(number), "none", "{number}");
    }
}

#[test]
fn a_code_with_one_region_gives_it_to_any_number() {
    for (number, code) in [("+4911111", "DE"), ("+3399999999", "FR"), ("+5001234", "FK")] {
        assert_eq!(region(number), code, "{number}");
    }
}

#[test]
fn codes_of_no_country_and_of_nobody_have_no_region() {
    for code in ["800", "808", "870", "878", "881", "882", "883", "888", "979", "999", "210"] {
        assert_eq!(region(&format!("+{code}12345678")), "none", "{code}");
    }
}

#[test]
fn special_numbers_take_no_sms() {
    for number in [
        "+18005550123",
        "+18225550123",
        "+18815550123",
        "+19005550123",
        "+15005550123",
        "+15295550123",
        "+16005550123",
        "+17005550123",
        "+17105550123",
        "+447012345678",
        "+447612345678",
        "+448001234567",
        "+449012345678",
        "+498001234567",
        "+491371234567",
        "+33800123456",
        "+33891234567",
        "+81120123456",
        "+80012345678",
        "+979123456789",
        // With a digit more than they have.
        "+811201234567",
        "+6119001234567",
    ] {
        assert!(!plan(number).takes_sms, "{number}");
    }
}

#[test]
fn ordinary_and_unknown_numbers_take_sms() {
    for number in [
        "+15550100123",
        "+12125550123",
        "+447624012345",
        "+447400123456",
        "+442079460958",
        "+4930123456",
        "+881612345678",
        "+99912345678",
    ] {
        assert!(plan(number).takes_sms, "{number}");
    }
}

#[test]
fn only_regions_of_the_plan_are_read() {
    for code in ["DE", "de", "xK", "AC"] {
        let region = Region::parse(code).unwrap();
        assert_eq!(region.code(), code.to_uppercase());
        assert_eq!(format!("{region} {region:?}"), format!("{0} {0}", region.code()));
    }
    for text in ["", "D", "DEU", "UK", "EU", "ZZ", "00", "001", "ß", "D "] {
        assert_eq!(Region::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_region_is_its_code_in_a_document() {
    let region: Region = serde_json::from_str(r#""im""#).unwrap();
    assert_eq!(serde_json::to_string(&region).unwrap(), r#""IM""#);
    assert!(serde_json::from_str::<Region>(r#""UK""#).is_err());
}

#[test]
fn a_calling_code_is_found_at_the_beginning() {
    for (digits, code) in [
        ("15550100123", "1"),
        ("79161234567", "7"),
        ("442079460958", "44"),
        ("35312345678", "353"),
        ("999123456", "999"),
        ("99", "99"),
        ("", ""),
    ] {
        assert_eq!(calling_code(digits), code, "{digits}");
    }
}

#[test]
fn a_number_is_too_long_by_the_longest_of_its_calling_code() {
    for (code, most) in [("1", 11), ("44", 12), ("33", 11), ("290", 8)] {
        assert!(!is_too_long(code, most), "{code}");
        assert!(is_too_long(code, most + 1), "{code}");
    }
    assert!(!is_too_long("999", 15));
}

#[test]
fn a_byte_that_is_no_digit_ends_the_number() {
    for (bytes, digits) in [(&b"4916x"[..], "4916"), (b"", ""), (b"\xff", ""), (b"+49", "")] {
        assert_eq!(look_up(bytes.iter().copied()), look_up(digits.bytes()), "{bytes:?}");
    }
}

/// As of libphonenumber 9.0.33 there are 215 codes and 244 regions.
#[test]
fn the_plans_are_whole() {
    let codes = MOST_DIGITS.iter().filter(|most| **most > 0).count();
    assert!(
        codes >= 210 && REGIONS.len() >= 240,
        "the crate phonenumber has {codes} calling codes and {} regions: if that is right, lower these limits, and \
         if not, go back to the version that Cargo.lock had before (cargo update phonenumber --precise VERSION)",
        REGIONS.len()
    );
}

#[test]
fn the_exceptions_are_still_right_and_needed() {
    assert!(FINDINGS.is_empty(), "{}", FINDINGS.join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_looked_up(text in "([0-9]{0,20})|\\PC*") {
        look_up(text.bytes());
        has_trunk_zero(&text);
        is_too_long(calling_code(&text), text.len());
    }
}
