use std::collections::{BTreeSet, HashMap, HashSet};

use proptest::prelude::*;

use super::*;

fn plan(number: &str) -> Plan {
    let digits = number.strip_prefix('+').unwrap();
    assert!(!has_trunk_zero(digits), "{number}");
    look_up(canonical(digits).bytes())
}

fn region(number: &str) -> String {
    plan(number).region.map_or_else(|| "none".to_owned(), |region| region.to_string())
}

/// libphonenumber's examples: region, kind and number.
fn examples() -> impl Iterator<Item = [&'static str; 3]> {
    let lines = include_str!("../tests/data/examples.tsv").lines();
    let rows = lines.map(|line| <[_; 3]>::try_from(line.split('\t').collect::<Vec<_>>()).unwrap());
    rows.filter(|[_, kind, _]| *kind != "national_prefix")
}

#[test]
fn each_regions_examples_of_a_mobile_number_are_of_that_region_and_take_sms() {
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
    let mut regions = HashSet::new();
    for [code, _, number] in examples().filter(|[_, kind, _]| *kind == "mobile") {
        let other = SHARED.iter().find(|(of, _)| *of == code).map(|(_, other)| *other);
        assert_eq!(region(number), other.unwrap_or(code), "{code} {number}");
        assert!(plan(number).takes_sms, "{code} {number}");
        // Western Sahara has no number that Morocco has not.
        assert_eq!(Region::parse(code).is_some(), code != "EH", "{code}");
        regions.insert(code);
    }
    assert_eq!(regions.len(), 244);
}

#[test]
fn a_valid_number_is_its_own_canonical_form_but_for_argentinas_nine() {
    for [code, kind, number] in examples() {
        let digits = &number[1..];
        let without_nine = digits.replacen("549", "54", 1);
        let expected = if (code, kind) == ("AR", "mobile") { &without_nine } else { digits };
        assert_eq!(canonical(digits), expected, "{code} {kind}");
        assert!(!has_trunk_zero(digits) && !is_too_long(digits), "{code} {kind} {number}");
    }
}

#[test]
fn a_national_prefix_is_not_in_the_canonical_form() {
    for (number, canonical) in [
        ("375 80 29 1234567", "375 29 1234567"),
        ("375 8 29 1234567", "375 29 1234567"),
        ("7 8 916 1234567", "7 916 1234567"),
        ("7 8 771 0009998", "7 771 0009998"),
        ("993 8 66 123456", "993 66 123456"),
        ("370 8 612 34567", "370 612 34567"),
        ("1 1 425 5550123", "1 425 5550123"),
        ("52 1 55 12345678", "52 55 12345678"),
        ("54 9 11 23456789", "54 11 23456789"),
        // With a digit too many besides.
        ("375 80 29 1234567 8", "375 29 1234567"),
        ("7 8 771 0009998 0", "7 771 0009998"),
    ] {
        let [number, canonical] = [number, canonical].map(|text| text.replace(' ', ""));
        assert_eq!(super::canonical(&number), canonical, "{number}");
    }
}

#[test]
fn first_digits_that_people_leave_out_are_in_the_canonical_form() {
    for (number, canonical) in
        [("378886377", "3780549886377"), ("2612212345", "26120 2212345"), ("67222123", "672322123")]
    {
        assert_eq!(super::canonical(number), canonical.replace(' ', ""), "{number}");
    }
}

#[test]
fn digits_too_many_are_not_in_the_canonical_form() {
    for (code, number) in [
        ("AU", "61412345678"),
        ("CH", "41781234567"),
        ("CN", "8613123456789"),
        ("DE", "4915123456789"),
        ("FI", "3584123456789"),
        ("GB", "447400123456"),
        ("ID", "62812345678901"),
        ("IL", "972502345678"),
        ("IN", "918123456789"),
        ("JP", "819012345678"),
        ("KR", "821020000000"),
        ("NZ", "642112345678"),
        ("SG", "6581234567"),
    ] {
        assert_eq!(canonical(number), number, "{code}");
        for more in ["0", "9", "00", "55", "123"] {
            let written = [number, more].concat();
            if written.len() <= 15 {
                assert_eq!(canonical(&written), number, "{code}");
            }
        }
    }
}

#[test]
fn what_is_no_number_with_and_without_any_of_its_digits_stays() {
    for number in [
        "",
        "4",
        "49",
        "4477001",
        "12125550",
        "15550100123",
        "521551234567",
        "999123456789012",
        // It begins with a company's number of 6 digits, and no phone has so few.
        "98960112345",
    ] {
        assert_eq!(canonical(number), number);
    }
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
        let plan = plan(number);
        assert!(!plan.takes_sms && !plan.takes_calls, "{number}");
    }
}

#[test]
fn ordinary_and_unknown_numbers_take_sms_and_calls() {
    for number in [
        "+15550100123",
        "+12125550123",
        "+447624012345",
        "+447400123456",
        // With Argentina's 9 it is a mobile, and without it is written alike.
        "+541123456789",
        "+881612345678",
        "+99912345678",
    ] {
        let plan = plan(number);
        assert!(plan.takes_sms && plan.takes_calls, "{number}");
    }
}

#[test]
fn landlines_take_calls_and_no_sms() {
    for number in ["+442079460958", "+4930123456", "+33123456789", "+81312345678"] {
        let plan = plan(number);
        assert!(plan.takes_calls && !plan.takes_sms, "{number}");
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
    for longest in ["14255550123", "447400123456", "33612345678", "29051234"] {
        assert!(!is_too_long(longest), "{longest}");
        assert!(is_too_long(&[longest, "0"].concat()), "{longest}");
    }
    assert!(!is_too_long("999123456789012"));
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

/// Makes valid numbers of any region.
#[derive(Default)]
struct Numbers {
    /// Whether any number of the region that leads through a place is valid.
    known: HashMap<(usize, Option<Region>), bool>,
}

impl Numbers {
    fn has_valid(&mut self, place: usize, region: Option<Region>) -> bool {
        if let Some(known) = self.known.get(&(place, region)) {
            return *known;
        }
        let is_node = place < NEXT.len();
        let has_valid = is_valid_of(place, region)
            || is_node && (0..10).any(|digit| self.has_valid(follow(place, digit), region));
        self.known.insert((place, region), has_valid);
        has_valid
    }

    /// A valid number of a region. Each choice, which is not below 0 nor above 1, says how it goes on.
    fn number(&mut self, code: &str, region: Option<Region>, choices: &[f64]) -> String {
        let mut place = code.bytes().fold(ROOT, |place, digit| follow(place, digit - b'0'));
        let mut number = code.to_owned();
        for choice in choices {
            let mut ways: Vec<_> = (0..10).map(Some).collect();
            ways.retain(|digit| digit.is_some_and(|it| self.has_valid(follow(place, it), region)));
            if is_valid_of(place, region) {
                ways.push(None);
            }
            match ways[(choice * (ways.len() - 1) as f64).round() as usize] {
                Some(digit) => {
                    number.push((b'0' + digit).into());
                    place = follow(place, digit);
                }
                None => break,
            }
        }
        number
    }
}

fn is_valid_of(place: usize, region: Option<Region>) -> bool {
    matches!(end(place), Outcome::Number { plan, is_valid: true, .. } if plan.region == region)
}

/// All regions with their calling codes.
fn regions() -> BTreeSet<(String, Option<Region>)> {
    let of_example = |number: &str| {
        (calling_code(&number[1..]).to_owned(), look_up(canonical(&number[1..]).bytes()).region)
    };
    let regions: BTreeSet<_> = examples().map(|[_, _, number]| of_example(number)).collect();
    assert!(regions.len() > 230, "{}", regions.len());
    regions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_two_valid_numbers_have_one_form(choices in prop::collection::vec(0.0..=1.0, 15), more in "[0-9]{1,3}") {
        let mut numbers = Numbers::default();
        for (code, region) in regions() {
            let number = numbers.number(&code, region, &choices);
            prop_assert!(is_valid(&number), "{}", number);
            // The form of a valid number is the number itself, so no other valid number has it.
            prop_assert_eq!(&canonical(&number), &number);

            let longer = [&*number, &more].concat();
            let form = canonical(&longer);
            prop_assert!(form.starts_with(&number) || is_valid(&form), "{} {}", longer, form);
            prop_assert_eq!(canonical(&form), &*form);
            for (with, without) in OPTIONAL_DIGITS {
                if let Some(rest) = number.strip_prefix(without).filter(|rest| rest.len() == 10) {
                    let with_digit = [with, rest].concat();
                    prop_assert_eq!(canonical(&with_digit), &*number);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_looked_up_and_its_canonical_form_is_its_own(text in "([0-9]{0,20})|\\PC*") {
        look_up(text.bytes());
        has_trunk_zero(&text);
        is_too_long(&text);
        let canonical = canonical(&text);
        assert_eq!(super::canonical(&canonical), canonical);
    }
}
