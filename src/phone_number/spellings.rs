//! However a number is written, it is one phone to the limits, but for the spellings that are counted here, and for
//! mobile numbers in docs/policy.md.

use std::collections::{BTreeMap, BTreeSet};

use super::PhoneNumber;

/// How many digits are added to each number.
const ADDED_DIGITS: usize = 3;

/// What people put between the calling code and the number besides the national prefix: carriers, old prefixes, and
/// prefixes of neighbours.
const OTHER_PREFIXES: [(&str, &[&str]); 22] = [
    ("AR", &["9", "015"]),
    ("AU", &["1831", "1832"]),
    ("BO", &["010", "014"]),
    ("BR", &["015", "021", "90", "9015"]),
    ("BY", &["80", "0"]),
    ("CN", &["11100", "17911"]),
    ("CO", &["03", "05", "0444", "0456"]),
    ("CR", &["1900", "1966"]),
    ("FO", &["1001", "1088"]),
    ("GA", &["0"]),
    ("GB", &["180020"]),
    ("GG", &["180020"]),
    ("IM", &["180020"]),
    ("JE", &["180020"]),
    ("JP", &["003768", "0037680"]),
    ("KR", &["081", "08500"]),
    ("LI", &["1001"]),
    ("LT", &["0", "8"]),
    ("LU", &["15001", "15775"]),
    ("MX", &["1", "01", "044", "045"]),
    ("TM", &["0", "8"]),
    ("US", &["1", "0"]),
];

/// First digits that people leave out.
const LEFT_OUT: [(&str, &str); 3] = [("MG", "20"), ("NF", "3"), ("SM", "0549")];

/// The lines of libphonenumber's examples: region, kind and number.
fn rows() -> Vec<[&'static str; 3]> {
    let lines = include_str!("../../numbering/tests/data/examples.tsv").lines();
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect()
}

/// The ways to write a number, without its `+`.
fn spellings(region: &str, number: &str, national_prefix: Option<&str>) -> Vec<String> {
    let (code, national) = number[1..].split_at(numbering::calling_code(&number[1..]).len());
    let others = OTHER_PREFIXES.iter().find(|(of, _)| *of == region).map(|(_, others)| *others);
    let prefixes = [""].iter().chain(&national_prefix).chain(others.unwrap_or_default());
    let mut spellings: Vec<_> = prefixes.map(|prefix| [code, prefix, national].concat()).collect();
    for (_, digits) in LEFT_OUT.iter().filter(|(of, _)| *of == region) {
        spellings.extend(national.strip_prefix(digits).map(|rest| [code, rest].concat()));
    }
    if region == "AR" {
        let local = national.strip_prefix('9').unwrap_or(national);
        for (area_code, rest) in (2..=4).map(|length| local.split_at(length)) {
            let prefixes = ["", "0"];
            spellings.extend(prefixes.map(|zero| [code, zero, area_code, "15", rest].concat()));
        }
    }
    spellings
}

/// Adds the canonical forms of a number that begins so, as far as a message goes to it.
fn add_forms(written: &str, added_digits: usize, forms: &mut BTreeSet<String>) {
    let Ok(number) = PhoneNumber::parse(&["+", written].concat()) else {
        return;
    };
    if number.plan().takes_calls {
        forms.insert(number.canonical().into_owned());
    }
    if added_digits > 0 {
        for digit in '0'..='9' {
            add_forms(&format!("{written}{digit}"), added_digits - 1, forms);
        }
    }
}

/// Regions with the counts of digits that their numbers have after the calling code, as a person reads them.
fn in_words(numbers: &BTreeMap<&str, BTreeSet<usize>>) -> String {
    let region = |(region, lengths): (&&str, &BTreeSet<usize>)| {
        let lengths: Vec<_> = lengths.iter().map(usize::to_string).collect();
        format!("{region} {}", lengths.join("/"))
    };
    numbers.iter().map(region).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_spelling_of_a_number_is_one_phone_but_for_those_that_the_document_counts() {
    let rows = rows();
    let mut left: BTreeMap<usize, [BTreeMap<&str, BTreeSet<usize>>; 2]> = BTreeMap::new();
    let mut regions = BTreeSet::new();
    for &[region, kind, number] in rows.iter().filter(|row| row[1] != "national_prefix") {
        let parsed =
            PhoneNumber::parse(number).unwrap_or_else(|why| panic!("{region} {number}: {why}"));
        assert_eq!(parsed.as_str(), number);
        let prefix = rows.iter().find(|row| row[0] == region && row[1] == "national_prefix");
        let mut forms = BTreeSet::new();
        for spelling in spellings(region, number, prefix.map(|row| row[2])) {
            add_forms(&spelling, ADDED_DIGITS, &mut forms);
        }
        if forms.len() > 1 || forms.first().is_some_and(|form| *form != parsed.canonical()) {
            let digits = number.len() - 1 - numbering::calling_code(&number[1..]).len();
            let column = usize::from(kind != "mobile");
            let columns = left.entry(forms.len()).or_default();
            columns[column].entry(region).or_default().insert(digits);
        }
        regions.insert(region);
    }
    assert_eq!(regions.len(), 245);

    let rows = left.iter().rev().map(|(&count, columns)| {
        let [mobile, other] = columns.each_ref().map(in_words);
        (count, mobile, other)
    });
    let actual: Vec<_> = rows.collect();
    let actual: Vec<_> =
        actual.iter().map(|(at, mobile, other)| (*at, &**mobile, &**other)).collect();
    assert_eq!(actual, SEVERAL);

    // The page has the most of each country's mobile numbers, by tens, hundreds and thousands.
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for (&count, [mobile, _]) in &left {
        most.extend(mobile.keys().map(|region| (*region, count)));
    }
    let mut groups: BTreeMap<u32, (usize, Vec<&str>)> = BTreeMap::new();
    for (region, count) in most {
        let (most, regions) = groups.entry(count.ilog10()).or_default();
        *most = count.max(*most);
        regions.push(region);
    }
    let groups = groups.values().rev();
    let expected: Vec<_> = groups.map(|(most, it)| [most.to_string(), it.join(", ")]).collect();
    let page = include_str!("../../docs/policy.md");
    let table = page.lines().skip_while(|line| !line.contains("| counters, at most |")).skip(2);
    let documented: Vec<_> = table.map_while(cells).collect();
    assert_eq!(documented, expected);
}

/// The numbers that have several canonical forms: how many, of which mobile and of which other numbers. `DE 10` is a
/// number with ten digits after Germany's calling code.
const SEVERAL: [(usize, &str, &str); 9] = [
    (1111, "AT 7/8/9/10, FI 6/7, ID 9, TK 4, ZA 5/6", "AT 9/10, DE 8, LU 8, RS 8, TK 4"),
    (1001, "AD 6, PM 6", ""),
    (1000, "", "UY 5"),
    (111, "AT 11, FI 8, ID 10, MM 8, NZ 8, TK 5, ZA 7", "LU 8, SE 7"),
    (101, "GM 7, LR 7", "CD 7"),
    (100, "", "VU 5"),
    (12, "GA 7", ""),
    (
        11,
        "AT 12, AX 9, DE 10, EE 7, FI 9, HR 8, ID 11, IT 9, KH 8, KR 9, MM 9, NZ 9, RS 8/9, SO 8, TK 6, ZA 8",
        "BG 7, ID 9, IT 10, KR 8, MM 7, NA 8, VA 10, XK 8",
    ),
    (10, "", "JP 9"),
];

/// The two cells of a table's row.
fn cells(line: &str) -> Option<[String; 2]> {
    let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|');
    cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>().try_into().ok()
}
