use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

fn json(text: &str) -> Json<'_> {
    Json::parse(text.as_bytes()).unwrap_or_else(|place| panic!("{place:?}: {text}"))
}

/// What serde_json makes of the same bytes where it skips them: nothing, or the place that it shows.
fn serde_jsons(text: &[u8]) -> Option<Place> {
    let error = serde_json::from_slice::<IgnoredAny>(text).err()?;
    Some(Place { line: error.line(), column: error.column() })
}

/// The same value, as serde_json has it.
fn value(json: Json<'_>) -> Option<Value> {
    if let Some(members) = json.members() {
        let members = members.map(|(name, of)| Some((name.text()?.into_owned(), value(of)?)));
        return members.collect::<Option<_>>().map(Value::Object);
    }
    if let Some(elements) = json.elements() {
        return elements.map(value).collect::<Option<_>>().map(Value::Array);
    }
    if json.is_null() {
        return Some(Value::Null);
    }
    let bool = json.bool().map(Value::Bool);
    let whole = || json.whole().map(Value::from);
    let number = || json.number().map(Value::from);
    bool.or_else(whole).or_else(number).or_else(|| json.text().map(|text| Value::from(&*text)))
}

/// Fails if serde_json would say otherwise, of the whole or of a value in it.
fn agrees(text: &[u8]) -> Result<(), TestCaseError> {
    let read = Json::parse(text);
    prop_assert_eq!(read.as_ref().err().copied(), serde_jsons(text));
    let Ok(read) = read else { return Ok(()) };
    let Ok(expected) = serde_json::from_slice::<Value>(text) else { return Ok(()) };
    let found = value(read).expect("what serde_json can read");
    prop_assert!(same(&found, &expected), "{} {}", found, expected);
    Ok(())
}

/// The same, but that a number may be a little off: serde_json's own is.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|two| same(one, two)))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= other.abs() * 1e-14 + f64::MIN_POSITIVE
        }
        _ => one == other,
    }
}

#[test]
fn what_is_json_is_told_from_what_is_not_as_serde_json_does_to_the_column() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1 2]",
        "[1}",
        "{\"a\"",
        "{\"a\" 1}",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\":1]",
        "{1:1}",
        "{}{}",
        "[] x",
        "nul",
        "nulL",
        "truE",
        "false1",
        "\u{feff}{}",
        "-",
        "-a",
        "01",
        "-01",
        "00",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "1e+a",
        ".1",
        "+1",
        "1.5.5",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\n\"",
        "\"\0\"",
        "\n\n [1,\n 2 3]",
        "\n{\n\"a\"\n:\n}",
        "1e999",
        "[[[[]]]]",
        " \t\r\n{ \"a\" : [ ] , \"b\" : { } } ",
        "-0.0e-0",
    ] {
        agrees(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        // Nor does it matter where the text stops.
        for (cut, _) in text.char_indices() {
            agrees(&text.as_bytes()[..cut]).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        }
    }
    agrees(b"\"\xff\"").unwrap();
    agrees(b"\xff").unwrap();
}

#[test]
fn no_depth_is_too_deep() {
    let deep = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();
    assert!(Json::parse(deep(1_000_000).as_bytes()).is_ok());
    assert!(Json::parse("{\"a\":[".repeat(250_000).as_bytes()).is_err());
    let text = format!(r#"{{"deep":{},"a":1}}"#, deep(100_000));
    let [a] = json(&text).named(["a"]).unwrap();
    assert_eq!(a.and_then(Json::whole), Some(1));
}

#[test]
fn a_text_is_borrowed_unless_it_has_escapes() {
    assert!(matches!(json("\"a\u{e4}\"").text(), Some(Cow::Borrowed("a\u{e4}"))));
    let all = r#""\"\\\/\b\f\n\r\t\u00e4\u20AC\ud83d\uDE00\u0000""#;
    assert_eq!(json(all).text().unwrap(), "\"\\/\u{8}\u{c}\n\r\t\u{e4}\u{20ac}\u{1f600}\0");
}

#[test]
fn what_says_nothing_is_no_text_and_no_number_and_readable_in_a_list() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\ud800""#,
        r#""\ud800\ue000""#,
        "1e999",
        "-1e309",
    ] {
        let value = json(text);
        assert!(value.text().is_none() && value.number().is_none(), "{text}");
        assert!(!value.is_readable(), "{text}");
        assert!(json(&format!("[{text}]")).is_readable(), "{text}");
    }
    assert!(Json::parse(b"\"\xff\"").is_ok_and(|text| !text.is_readable()));
    assert!(Json::parse(b"\"\\n\xff\"").is_ok_and(|text| !text.is_readable()));
    assert!(json("1e-999").is_readable() && json("0e999").is_readable());
}

#[test]
fn a_whole_number_is_not_negative_and_has_at_most_64_bits() {
    for (text, whole) in [
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-0", None),
        ("-1", None),
        ("1.0", None),
        ("1e0", None),
        ("\"1\"", None),
        ("null", None),
        ("[]", None),
    ] {
        assert_eq!(json(text).whole(), whole, "{text}");
        assert_eq!(json(text).digits(), whole.map(|_| text), "{text}");
    }
}

#[test]
fn a_number_has_its_value() {
    for (text, number) in [
        ("0", Some(0.0)),
        ("-0", Some(0.0)),
        ("1700000000.25", Some(1_700_000_000.25)),
        ("17e8", Some(1.7e9)),
        ("17E+8", Some(1.7e9)),
        ("1700000000000e-3", Some(1.7e9)),
        ("-1.5", Some(-1.5)),
        ("1e22", Some(1e22)),
        ("0.0001e4", Some(1.0)),
        ("1e-400", Some(0.0)),
        ("0e999999999999", Some(0.0)),
        ("1e99999999999", None),
        ("\"1\"", None),
        ("true", None),
    ] {
        assert_eq!(json(text).number(), number, "{text}");
    }
    let long = format!("{}e-1000", "1".repeat(1001));
    assert!((json(&long).number().unwrap() - 1.111).abs() < 0.001);
}

#[test]
fn members_are_found_by_what_their_names_say() {
    let text = r#"{"x":1,"\u0061":true,"b":null,"\ud800":2,"x":3,"A":4}"#;
    let [a, b, c] = json(text).named(["a", "b", "c"]).ok().unwrap();
    assert_eq!(a.and_then(Json::bool), Some(true));
    assert!(b.is_some_and(Json::is_null) && c.is_none());
    let [b] = json(text).given(["b"]).ok().unwrap();
    assert!(b.is_none());
}

#[test]
fn a_member_that_is_there_twice_is_told_with_its_end() {
    for (text, end) in [(r#"{"a":1,"a":2}"#, 12), (r#"{"a":null,"\u0061":[{}] }"#, 23)] {
        let twice = Unfit::Twice(end);
        assert_eq!(json(text).named(["a"]).err(), Some(twice), "{text}");
        assert_eq!(json(text).given(["b", "a"]).err(), Some(twice), "{text}");
        assert!(json(text).named(["b"]).is_ok());
        assert_eq!(json(text).place_of(end), Place { line: 1, column: end });
    }
}

#[test]
fn what_is_not_an_object_has_a_place_where_it_ends_or_a_list_begins() {
    for (text, line, column) in
        [("7", 1, 1), ("\n \"a\"", 2, 4), ("null ", 1, 4), (" [\n{}]", 1, 1)]
    {
        assert_eq!(json(text).named(["a"]).err(), Some(Unfit::NotAnObject), "{text}");
        assert_eq!(json(text).place(), Place { line, column }, "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_serde_json_reads_them(text in proptest::collection::vec(any::<u8>(), 0..60)) {
        agrees(&text)?;
    }

    #[test]
    fn any_heap_of_tokens_is_read_as_serde_json_reads_it(
        tokens in proptest::collection::vec(proptest::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\":", "\"a\"", "\"", "\\", "\\u00e4", "\\ud83d\\ude00", "\\u", "1", "0",
            "-", ".", "e", "E+", "25", "null", "true", "false", " ", "\n", "\t", "\r", "\u{e4}", "\0", "x", "{}", "[]",
        ]), 0..14),
    ) {
        agrees(tokens.concat().as_bytes())?;
    }

    #[test]
    fn any_json_is_read_as_serde_json_reads_it(
        text in "[ \n]?(\\[|\\{\"a\":|)(-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?|\"(\\\\u[0-9a-fA-F]{4}|\\\\[\"\\\\/bfnrt]|[^\"\\\\]){0,8}\"|null|true|false|\\{\\}|\\[\\])[ \r\t]?(\\]|\\}|)",
        at in any::<proptest::sample::Index>(), byte in any::<u8>(),
    ) {
        agrees(text.as_bytes())?;
        let mut damaged = text.into_bytes();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        agrees(&damaged)?;
        agrees(&damaged[..at])?;
    }
}
