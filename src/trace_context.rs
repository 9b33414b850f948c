//! The ids by which Application Insights knows that items belong together: W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! Attack: `traceparent` comes from outside, and whoever may call the hook may choose the trace that
//! the call is filed under. Nothing is decided by it.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::ports::Random;

/// The ids under which Application Insights has the hook call. Neither is all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The hook call's own part of it.
    pub span_id: [u8; 8],
}

/// What the caller's `traceparent` says. Neither id is all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace that the caller is part of.
    pub trace_id: [u8; 16],
    /// The caller's part of it: `parent-id`.
    pub span_id: [u8; 8],
}

/// The caller's part of the trace, from all values of its header `traceparent`. None where there is
/// not one header, or where it is not valid: a trace of its own begins then (section 3.2 and, for
/// versions that are not known yet, 3.2.4: a later version has the same fields first, and more only
/// after a `-`).
///
/// ```
/// use okta_telephony_acs::trace_context::parent;
///
/// let header = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec();
/// assert_eq!(parent(&[header]).unwrap().span_id, *b"\xb7\xad\x6b\x71\x69\x20\x33\x31");
/// ```
pub fn parent(values: &[Vec<u8>]) -> Option<Parent> {
    let [value] = values else { return None };
    let mut fields = value.split(|&byte| byte == b'-');
    let [version] = read_hex(fields.next()?)?;
    let trace_id = read_hex(fields.next()?)?;
    let span_id = read_hex(fields.next()?)?;
    let _flags: [u8; 1] = read_hex(fields.next()?)?;
    if version == 0xff || (version == 0 && fields.next().is_some()) {
        return None;
    }
    (trace_id != [0; 16] && span_id != [0; 8]).then_some(Parent { trace_id, span_id })
}

impl Trace {
    /// The ids of a call: its own part of the caller's trace, or of a new one.
    pub fn begin(parent: Option<&Parent>, random: &dyn Random) -> Self {
        let trace_id = match parent {
            Some(parent) => parent.trace_id,
            None => not_zero(random.bytes()),
        };
        Self { trace_id, span_id: span_id(random) }
    }
}

/// The id of one more part of a trace, as of a request to elsewhere. Not all zero.
pub fn span_id(random: &dyn Random) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = random.bytes();
    not_zero([a, b, c, d, e, f, g, h])
}

/// The bytes that twice as many lower-case hexadecimal digits stand for.
fn read_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    HEXLOWER.decode(digits).ok()?.try_into().ok()
}

/// All zero is how the standard writes "no id".
fn not_zero<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN_ID: &str = "b7ad6b7169203331";

    /// Each call gives other bytes, the first these.
    struct Counting(std::cell::Cell<u8>);

    impl Random for Counting {
        fn bytes(&self) -> [u8; 16] {
            [self.0.replace(self.0.get() + 1); 16]
        }
    }

    fn hex(id: &[u8]) -> String {
        HEXLOWER.encode(id)
    }

    fn of(value: &str) -> Option<String> {
        let parent = parent(&[value.as_bytes().to_vec()])?;
        Some([hex(&parent.trace_id), hex(&parent.span_id)].join("/"))
    }

    #[test]
    fn a_traceparent_is_read_in_its_version_and_in_later_ones() {
        let expected = Some(format!("{TRACE_ID}/{SPAN_ID}"));
        for (version, rest) in [
            ("00", "01"),
            ("00", "00"),
            ("00", "ff"),
            ("01", "01"),
            ("fe", "01"),
            ("01", "01-"),
            ("cc", "01-what-the-future-will-be-like"),
        ] {
            assert_eq!(
                of(&format!("{version}-{TRACE_ID}-{SPAN_ID}-{rest}")),
                expected,
                "{version} {rest}"
            );
        }
    }

    #[test]
    fn what_is_not_a_traceparent_begins_a_new_trace() {
        for value in [
            String::new(),
            format!("00-{TRACE_ID}-{SPAN_ID}"),
            format!("00-{TRACE_ID}-{SPAN_ID}-0"),
            format!("00-{TRACE_ID}-{SPAN_ID}-011"),
            format!("00-{TRACE_ID}-{SPAN_ID}-01-"),
            format!("00-{TRACE_ID}-{SPAN_ID}-01 "),
            format!(" 00-{TRACE_ID}-{SPAN_ID}-01"),
            format!("cc-{TRACE_ID}-{SPAN_ID}-01.more"),
            format!("ff-{TRACE_ID}-{SPAN_ID}-01"),
            format!("FE-{TRACE_ID}-{SPAN_ID}-01"),
            format!("0g-{TRACE_ID}-{SPAN_ID}-01"),
            format!("00-{}-{SPAN_ID}-01", TRACE_ID.to_uppercase()),
            format!("00-{TRACE_ID}-{}-01", SPAN_ID.to_uppercase()),
            format!("00-{TRACE_ID}-{SPAN_ID}-0A"),
            format!("00-{}-{SPAN_ID}-01", "0".repeat(32)),
            format!("00-{TRACE_ID}-{}-01", "0".repeat(16)),
            format!("00_{TRACE_ID}-{SPAN_ID}-01"),
            format!("00-{TRACE_ID}_{SPAN_ID}-01"),
            format!("00-{TRACE_ID}-{SPAN_ID}_01"),
            format!("00-{TRACE_ID}-{SPAN_ID}-0\u{e9}"),
        ] {
            assert_eq!(of(&value), None, "{value}");
        }
        let one = format!("00-{TRACE_ID}-{SPAN_ID}-01").into_bytes();
        assert_eq!(parent(&[]), None);
        assert_eq!(parent(&[one.clone(), one]), None, "of several headers none can be believed");
    }

    #[test]
    fn a_call_continues_the_callers_trace_or_begins_its_own() {
        let parent = Parent { trace_id: [3; 16], span_id: [4; 8] };
        let random = Counting(8.into());
        let continued = Trace::begin(Some(&parent), &random);
        assert_eq!(continued, Trace { trace_id: [3; 16], span_id: [8; 8] });
        let begun = Trace::begin(None, &random);
        assert_eq!(begun, Trace { trace_id: [9; 16], span_id: [10; 8] });
    }

    #[test]
    fn no_id_is_ever_all_zero() {
        let begun = Trace::begin(None, &Counting(0.into()));
        assert_eq!(hex(&begun.trace_id), format!("{}1", "0".repeat(31)));
        assert_eq!(hex(&span_id(&Counting(0.into()))), format!("{}1", "0".repeat(15)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(value: Vec<u8>, edit in any::<(prop::sample::Index, u8)>()) {
            let _ = parent(&[value]);
            let mut value = format!("00-{TRACE_ID}-{SPAN_ID}-01").into_bytes();
            let at = edit.0.index(value.len());
            value[at] = edit.1;
            let _ = parent(&[value]);
        }

        #[test]
        fn ids_are_read_as_they_were_written(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) {
            prop_assume!(trace_id != [0; 16] && span_id != [0; 8]);
            let value = ["00", &hex(&trace_id), &hex(&span_id), &hex(&[flags])].join("-");
            prop_assert_eq!(parent(&[value.into_bytes()]), Some(Parent { trace_id, span_id }));
        }
    }
}
