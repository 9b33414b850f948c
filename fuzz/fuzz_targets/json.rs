//! Any text is JSON or not as serde_json has it, and all of it can be walked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_telephony_acs::json::read::{Json, Place};
use serde::de::IgnoredAny;

fuzz_target!(|text: &[u8]| {
    let expected = serde_json::from_slice::<IgnoredAny>(text).err();
    let expected = expected.map(|error| Place { line: error.line(), column: error.column() });
    let json = Json::parse(text);
    assert_eq!(json.as_ref().err().copied(), expected);
    let Ok(json) = json else { return };
    let expected = serde_json::from_slice::<String>(text).ok();
    assert_eq!(json.text().as_deref(), expected.as_deref());
    let mut values = vec![json];
    // Not all of them: each level is looked through once more.
    for _ in 0..2_000 {
        let Some(value) = values.pop() else { return };
        let _ = (value.text(), value.number(), value.whole(), value.bool(), value.place());
        let _ = (value.named(["a", "b"]).is_ok(), value.given(["a"]).is_ok());
        values.extend(value.elements().into_iter().flatten());
        values.extend(value.members().into_iter().flatten().flat_map(<[_; 2]>::from));
    }
});
