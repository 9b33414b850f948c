//! JSON on its way out: the log, the answers, and what ACS and Application Insights are sent.
//!
//! An [`Object`] or a [`List`] puts the commas, and ends itself where it goes out of scope. While one
//! within it is open it is borrowed, so that nothing gets in between.
//!
//! What writes is never inlined: there are some 200 calls. And there are no floating-point numbers,
//! which would bring tables of 10 KB with them: what has places after the point has three,
//! [`Thousandths`].

use std::time::Duration;

/// A number with three places after the point. Zeros at their end are left out, but the first: `20.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thousandths(pub u64);

impl Thousandths {
    /// A whole number.
    pub const fn whole(number: u64) -> Self {
        Self(number.saturating_mul(1000))
    }

    /// A duration in milliseconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use okta_telephony_acs::json::write::Thousandths;
    ///
    /// assert_eq!(Thousandths::milliseconds(Duration::from_micros(1234)), Thousandths(1234));
    /// ```
    pub const fn milliseconds(duration: Duration) -> Self {
        let microseconds = duration.as_secs().saturating_mul(1_000_000);
        Self(microseconds.saturating_add(duration.subsec_micros() as u64))
    }
}

/// An object in the making. A member whose value is `None` is left out.
///
/// Names are the source's own, and as they are: none has anything to escape.
///
/// ```
/// use okta_telephony_acs::json::write::Object;
///
/// let mut text = String::new();
/// let mut object = Object::new(&mut text);
/// object.text("name", "\"x\"").number("none", None).object("inner").bool("ok", true);
/// object.list("list").text("a").text("b");
/// drop(object);
/// assert_eq!(text, r#"{"name":"\"x\"","inner":{"ok":true},"list":["a","b"]}"#);
/// ```
pub struct Object<'a>(&'a mut String);

/// A list in the making.
pub struct List<'a>(&'a mut String);

impl<'a> Object<'a> {
    /// Begins an object at the end of what is there.
    pub fn new(to: &'a mut String) -> Self {
        bracket(to, '{');
        Self(to)
    }

    /// A text.
    pub fn text<'b>(&mut self, name: &'static str, value: impl Into<Option<&'b str>>) -> &mut Self {
        if let Some(value) = value.into() {
            member_text(self.0, name, value);
        }
        self
    }

    /// A whole number.
    pub fn number(&mut self, name: &'static str, value: impl Into<Option<u64>>) -> &mut Self {
        if let Some(value) = value.into() {
            member_number(self.0, name, value);
        }
        self
    }

    /// A number with places after the point.
    pub fn thousandths(
        &mut self,
        name: &'static str,
        value: impl Into<Option<Thousandths>>,
    ) -> &mut Self {
        if let Some(value) = value.into() {
            member_thousandths(self.0, name, value);
        }
        self
    }

    /// True or false.
    pub fn bool(&mut self, name: &'static str, value: impl Into<Option<bool>>) -> &mut Self {
        if let Some(value) = value.into() {
            member_bool(self.0, name, value);
        }
        self
    }

    /// A list of texts, which is left out if there is none.
    #[inline(never)]
    pub fn texts(&mut self, name: &'static str, values: &[&str]) -> &mut Self {
        if !values.is_empty() {
            let mut list = self.list(name);
            for value in values {
                list.text(value);
            }
        }
        self
    }

    /// Begins an object.
    #[inline(never)]
    pub fn object(&mut self, name: &'static str) -> Object<'_> {
        member(self.0, name);
        Object::new(self.0)
    }

    /// Begins a list.
    #[inline(never)]
    pub fn list(&mut self, name: &'static str) -> List<'_> {
        member(self.0, name);
        List::new(self.0)
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        bracket(self.0, '}');
    }
}

impl<'a> List<'a> {
    /// Begins a list at the end of what is there.
    pub fn new(to: &'a mut String) -> Self {
        bracket(to, '[');
        Self(to)
    }

    /// A text.
    #[inline(never)]
    pub fn text(&mut self, value: &str) -> &mut Self {
        comma(self.0);
        quoted(self.0, value);
        self
    }

    /// Begins an object.
    #[inline(never)]
    pub fn object(&mut self) -> Object<'_> {
        comma(self.0);
        Object::new(self.0)
    }
}

impl Drop for List<'_> {
    fn drop(&mut self) {
        bracket(self.0, ']');
    }
}

#[inline(never)]
fn bracket(to: &mut String, bracket: char) {
    to.push(bracket);
}

/// Before all but the first: no value ends with what a list or an object begins with, since a text ends
/// with its quote.
fn comma(to: &mut String) {
    if !matches!(to.as_bytes().last(), Some(b'{' | b'[')) {
        to.push(',');
    }
}

#[inline(never)]
fn member(to: &mut String, name: &'static str) {
    debug_assert!(name.bytes().all(is_plain), "{name} must be escaped");
    comma(to);
    to.push('"');
    to.push_str(name);
    to.push_str("\":");
}

#[inline(never)]
fn member_text(to: &mut String, name: &'static str, value: &str) {
    member(to, name);
    quoted(to, value);
}

#[inline(never)]
fn member_number(to: &mut String, name: &'static str, value: u64) {
    member(to, name);
    digits(to, value, 1);
}

#[inline(never)]
fn member_bool(to: &mut String, name: &'static str, value: bool) {
    member(to, name);
    to.push_str(if value { "true" } else { "false" });
}

#[inline(never)]
fn member_thousandths(to: &mut String, name: &'static str, Thousandths(value): Thousandths) {
    member(to, name);
    digits(to, value / 1000, 1);
    to.push('.');
    let (mut part, mut places) = (value % 1000, 3);
    while places > 1 && part.is_multiple_of(10) {
        (part, places) = (part / 10, places - 1);
    }
    digits(to, part, places);
}

/// Whether a byte of a text stands for itself.
fn is_plain(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\'
}

#[inline(never)]
fn quoted(to: &mut String, text: &str) {
    to.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        // What is escaped is one byte long, so that both are boundaries.
        let (Some(before), Some(after)) = (rest.get(..at), rest.get(at + 1..)) else { break };
        to.push_str(before);
        let byte = rest.as_bytes()[at];
        let escape = match byte {
            b'"' | b'\\' => char::from(byte),
            b'\x08' => 'b',
            b'\t' => 't',
            b'\n' => 'n',
            b'\x0c' => 'f',
            b'\r' => 'r',
            _ => 'u',
        };
        to.push('\\');
        to.push(escape);
        if escape == 'u' {
            to.push_str(if byte < 0x10 { "000" } else { "001" });
            to.push(char::from(b"0123456789abcdef"[usize::from(byte % 16)]));
        }
        rest = after;
    }
    to.push_str(rest);
    to.push('"');
}

/// A number with so many digits at least.
#[inline(never)]
pub(crate) fn digits(to: &mut String, number: u64, at_least: u32) {
    if number >= 10 || at_least > 1 {
        digits(to, number / 10, at_least.saturating_sub(1));
    }
    to.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn written(fill: impl FnOnce(&mut Object<'_>)) -> String {
        let mut text = String::new();
        fill(&mut Object::new(&mut text));
        text
    }

    #[test]
    fn members_keep_their_order_and_what_is_not_known_is_left_out() {
        let text = written(|object| {
            object.text("a", None).text("b", "").number("c", 0).number("d", None).bool("e", false);
            object.bool("f", None).thousandths("g", None).texts("h", &[]).texts("i", &["x", "[{"]);
            object.number("j", u64::MAX);
        });
        assert_eq!(text, r#"{"b":"","c":0,"e":false,"i":["x","[{"],"j":18446744073709551615}"#);
    }

    #[test]
    fn what_is_empty_and_what_is_nested_has_its_commas() {
        assert_eq!(written(|_| {}), "{}");
        let text = written(|object| {
            object.object("a");
            object.list("b");
            let mut list = object.list("c");
            list.object();
            list.text("d");
            list.object().number("e", 1).object("f").text("g", "{");
            drop(list);
            object.text("h", "[").text("i", "{");
        });
        assert_eq!(text, r#"{"a":{},"b":[],"c":[{},"d",{"e":1,"f":{"g":"{"}}],"h":"[","i":"{"}"#);
    }

    #[test]
    fn it_goes_on_after_what_is_there() {
        let mut text = String::from("{\n");
        List::new(&mut text).text("a");
        assert_eq!(text, "{\n[\"a\"]");
    }

    #[test]
    fn places_after_the_point_are_three_at_most_and_one_at_least() {
        for (number, expected) in [
            (0, "0.0"),
            (1, "0.001"),
            (10, "0.01"),
            (100, "0.1"),
            (500, "0.5"),
            (1234, "1.234"),
            (20_000, "20.0"),
            (1_000_050, "1000.05"),
            (u64::MAX, "18446744073709551.615"),
        ] {
            let text = written(|object| {
                object.thousandths("n", Thousandths(number));
            });
            assert_eq!(text, format!(r#"{{"n":{expected}}}"#));
        }
        assert_eq!(Thousandths::whole(3), Thousandths(3000));
        assert_eq!(Thousandths::whole(u64::MAX), Thousandths(u64::MAX));
        assert_eq!(Thousandths::milliseconds(Duration::from_nanos(1_999)), Thousandths(1));
        assert_eq!(Thousandths::milliseconds(Duration::from_secs(7)), Thousandths(7_000_000));
        assert_eq!(Thousandths::milliseconds(Duration::MAX), Thousandths(u64::MAX));
    }

    #[test]
    fn digits_are_so_many_at_least() {
        for (number, at_least, expected) in
            [(0, 0, "0"), (0, 1, "0"), (7, 3, "007"), (1234, 2, "1234"), (10, 2, "10")]
        {
            let mut text = String::new();
            digits(&mut text, number, at_least);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does_it() {
        let all: String = ('\0'..'\u{800}').chain(['\u{2028}', '\u{ffff}', '\u{1f600}']).collect();
        let mut text = String::new();
        quoted(&mut text, &all);
        assert_eq!(text, json!(all).to_string());
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_was(value in any::<String>(), other in "[\"\\\\{}\\[\\],:\\PC]*") {
            let text = written(|object| {
                object.text("a", value.as_str()).texts("b", &[&value, &other]);
                object.object("c").text("d", other.as_str());
            });
            prop_assert_eq!(
                &text,
                &json!({ "a": value, "b": [value, other], "c": { "d": other } }).to_string()
            );
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["a"].as_str(), Some(value.as_str()));
        }

        #[test]
        fn any_number_is_read_back_as_it_was(number: u64, thousandths in 0..1_u64 << 50) {
            let text = written(|object| {
                object.number("n", number).thousandths("t", Thousandths(thousandths));
            });
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["n"].as_u64(), Some(number));
            prop_assert_eq!(read["t"].as_f64(), Some(thousandths as f64 / 1000.0));
            // To the letter what serde_json would have written.
            prop_assert_eq!(text, json!({ "n": number, "t": thousandths as f64 / 1000.0 }).to_string());
        }
    }
}
