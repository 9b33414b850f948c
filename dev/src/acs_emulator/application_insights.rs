//! `POST /v2.1/track`: what the ingestion of Application Insights checks, and what it answers.
//!
//! The source is the exporter of Microsoft's SDK for Python, `azure-monitor-opentelemetry-exporter`,
//! whose models say what is required. Nothing here knows sockets: a body goes in, a [`Verdict`] comes out.

use http::StatusCode;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The instrumentation key in [`super::AcsEmulator::application_insights_connection_string`]: the
/// same on every machine and nobody's.
pub const DEVELOPMENT_INSTRUMENTATION_KEY: &str = "00000000-0000-4000-8000-000000000000";

/// The longest body of a request in bytes.
pub(super) const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// In characters.
const PROPERTY_KEY_MAX: usize = 150;
const PROPERTY_VALUE_MAX: usize = 8192;

/// What goes wrong with every request from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackFault {
    /// The whole request gets this HTTP status, and nothing of it is kept.
    Status(u16),
    /// No answer, and the connection stays open until the sender closes it.
    Hang,
    /// The connection is closed without an answer.
    Cut,
    /// The first item is refused with this status and the others are judged as ever: 206, if one of
    /// them is good.
    PartialFirst(u16),
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Verdict {
    pub status: StatusCode,
    pub body: Value,
    pub accepted: Vec<Value>,
}

/// Judges the items of a request, all but those that a fault refuses with its status.
pub(super) fn judge(content_type: &str, body: &[u8], fault: Option<TrackFault>) -> Verdict {
    let items = match items(content_type, body) {
        Ok(items) => items,
        Err((status, reason)) => return Verdict::refused(status, &reason),
    };
    let received = items.len();
    let mut accepted = Vec::new();
    let mut errors = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let refused = match fault {
            Some(TrackFault::Status(status)) => Some(status),
            Some(TrackFault::PartialFirst(status)) if index == 0 => Some(status),
            _ => None,
        };
        let (status, message) = match (refused, check(&item)) {
            (Some(status), _) => (status, "Fault".to_owned()),
            (None, Ok(())) => {
                accepted.push(item);
                continue;
            }
            (None, Err(reason)) => (400, reason),
        };
        errors.push(json!({ "index": index, "statusCode": status, "message": message }));
    }
    let status = match fault {
        // What is no status is a mistake of who set it.
        Some(TrackFault::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        _ if errors.is_empty() => StatusCode::OK,
        _ if accepted.is_empty() => StatusCode::BAD_REQUEST,
        _ => StatusCode::PARTIAL_CONTENT,
    };
    let body = json!({
        "itemsReceived": received,
        "itemsAccepted": accepted.len(),
        "errors": errors,
    });
    Verdict { status, body, accepted }
}

impl Verdict {
    /// Nothing in the request could be told apart.
    pub fn refused(status: StatusCode, reason: &str) -> Verdict {
        let error = json!({ "index": 0, "statusCode": status.as_u16(), "message": reason });
        let body = json!({ "itemsReceived": 0, "itemsAccepted": 0, "errors": [error] });
        Verdict { status, body, accepted: Vec::new() }
    }
}

/// A JSON array, as the SDK for Python sends it.
fn items(content_type: &str, body: &[u8]) -> Result<Vec<Value>, (StatusCode, String)> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let reason = format!("The content type is {content_type:?}, not application/json");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    match serde_json::from_slice::<Vec<Value>>(body) {
        Ok(items) if !items.is_empty() => Ok(items),
        Ok(_) => Err((StatusCode::BAD_REQUEST, "There is no item in the body".into())),
        Err(error) => {
            Err((StatusCode::BAD_REQUEST, format!("The body is not a JSON array: {error}")))
        }
    }
}

/// What is wrong with an envelope, field by field.
fn check(envelope: &Value) -> Result<(), String> {
    text(envelope, "name")?;
    let key = text(envelope, "iKey")?;
    if key.len() != 36 || Uuid::try_parse(key).is_err() {
        return Err(format!("iKey is {key:?}, not a UUID"));
    }
    let time = text(envelope, "time")?;
    OffsetDateTime::parse(time, &Rfc3339)
        .map_err(|_| format!("time is {time:?}, not a moment of RFC 3339"))?;
    object(&envelope["tags"], "tags", |_, value| value.is_string())?;

    let data = &envelope["data"];
    let base = &data["baseData"];
    if !base.is_object() {
        return Err("data.baseData is not an object".into());
    }
    match text(data, "baseType")? {
        "RequestData" => {
            text(base, "id")?;
            duration(base)?;
            text(base, "responseCode")?;
            if !base["success"].is_boolean() {
                return Err("success is not a boolean".into());
            }
        }
        "RemoteDependencyData" => {
            text(base, "name")?;
            duration(base)?;
        }
        "EventData" => _ = text(base, "name")?,
        "MessageData" => _ = text(base, "message")?,
        other => {
            return Err(format!(
                "data.baseType is {other:?}, and the emulator knows RequestData, \
                 RemoteDependencyData, EventData and MessageData"
            ));
        }
    }
    object(&base["properties"], "properties", |key, value| {
        key.chars().count() <= PROPERTY_KEY_MAX
            && value.as_str().is_some_and(|text| text.chars().count() <= PROPERTY_VALUE_MAX)
    })?;
    object(&base["measurements"], "measurements", |_, value| value.is_number())
}

fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str, String> {
    let text = object[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("{name} is missing, empty or not a string"))
}

/// `d.hh:mm:ss.fff`, with up to 7 digits at the end.
fn duration(base: &Value) -> Result<(), String> {
    let said = text(base, "duration")?;
    let number = |text: &str, length: std::ops::RangeInclusive<usize>, max: u32| {
        length.contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse().is_ok_and(|value: u32| value <= max)
    };
    let parts = || {
        let (days, rest) = said.split_once('.')?;
        let (clock, fraction) = rest.split_once('.')?;
        let (hours, rest) = clock.split_once(':')?;
        let (minutes, seconds) = rest.split_once(':')?;
        Some((days, hours, minutes, seconds, fraction))
    };
    let right = parts().is_some_and(|(days, hours, minutes, seconds, fraction)| {
        number(days, 1..=3, 999)
            && number(hours, 2..=2, 23)
            && number(minutes, 2..=2, 59)
            && number(seconds, 2..=2, 59)
            && number(fraction, 3..=7, u32::MAX)
    });
    if right { Ok(()) } else { Err(format!("duration is {said:?}, not d.hh:mm:ss.fff")) }
}

/// An object may be missing; each of its members must be right.
fn object(value: &Value, name: &str, right: impl Fn(&str, &Value) -> bool) -> Result<(), String> {
    let empty = Map::new();
    let members = match value {
        Value::Null => &empty,
        Value::Object(members) => members,
        _ => return Err(format!("{name} is not an object")),
    };
    match members.iter().find(|(key, value)| !right(key, value)) {
        None => Ok(()),
        Some((key, _)) => {
            let key: String = key.chars().take(20).collect();
            Err(format!("{name}: the member {key}… is of the wrong type, or too long"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRAY: &str = "application/json";

    fn envelope(base_type: &str, base: Value) -> Value {
        json!({
            "name": "Microsoft.ApplicationInsights.Any",
            "iKey": DEVELOPMENT_INSTRUMENTATION_KEY,
            "time": "2026-11-24T06:13:01.330723Z",
            "tags": { "ai.cloud.role": "hook" },
            "data": { "baseType": base_type, "baseData": base },
        })
    }

    fn request() -> Value {
        let base = json!({
            "ver": 2,
            "id": "00f067aa0ba902b7",
            "duration": "0.00:00:00.120",
            "success": true,
            "responseCode": "200",
            "properties": { "reason": "accepted" },
            "measurements": { "attempts": 1 },
        });
        envelope("RequestData", base)
    }

    fn event() -> Value {
        envelope("EventData", json!({ "name": "otp_sent" }))
    }

    fn judge_array(items: &[Value], fault: Option<TrackFault>) -> Verdict {
        judge(ARRAY, json!(items).to_string().as_bytes(), fault)
    }

    #[test]
    fn every_kind_of_item_is_taken() {
        let items = [
            request(),
            envelope(
                "RemoteDependencyData",
                json!({ "name": "send message", "duration": "1.23:59:59.9999999" }),
            ),
            event(),
            envelope("MessageData", json!({ "message": "hello", "severityLevel": 2 })),
        ];
        let body = json!(items).to_string();
        let verdict = judge("application/json; charset=utf-8", body.as_bytes(), None);
        assert_eq!(verdict.status, 200, "{}", verdict.body);
        let expected = json!({ "itemsReceived": 4, "itemsAccepted": 4, "errors": [] });
        assert_eq!(verdict.body, expected);
        assert_eq!(verdict.accepted, items);
    }

    #[test]
    fn an_item_that_is_not_as_it_should_be_is_refused_with_what_is_wrong() {
        let base = |name: &str| format!("/data/baseData/{name}");
        for (pointer, value, reason) in [
            ("/name".to_owned(), Value::Null, "name"),
            ("/iKey".to_owned(), json!("x"), "iKey"),
            ("/iKey".to_owned(), json!("00000000000040008000000000000000"), "iKey"),
            ("/time".to_owned(), json!("today"), "RFC 3339"),
            ("/tags".to_owned(), json!({ "ai.cloud.role": 1 }), "tags"),
            ("/data".to_owned(), Value::Null, "baseData"),
            ("/data/baseType".to_owned(), json!("OtherData"), "baseType"),
            (base("id"), json!(1), "id"),
            (base("success"), json!("true"), "success"),
            (base("responseCode"), json!(200), "responseCode"),
            (base("duration"), Value::Null, "duration"),
            (base("duration"), json!("00:00:00.120"), "duration"),
            (base("duration"), json!("0.00:00:60.120"), "duration"),
            (base("duration"), json!("0.24:00:00.120"), "duration"),
            (base("duration"), json!("0.0:00:00.120"), "duration"),
            (base("duration"), json!("0.00:00:00.12"), "duration"),
            (base("duration"), json!("0.00:00:00"), "duration"),
            (base("duration"), json!("-1.00:00:00.120"), "duration"),
            (base("properties"), json!([]), "properties"),
            (base("properties"), json!({ "a": 1 }), "properties"),
            (base("properties"), json!({ "a": "v".repeat(8193) }), "properties"),
            (base("properties"), json!({ ("k".repeat(151)): "" }), "properties"),
            (base("measurements"), json!({ "a": "1" }), "measurements"),
        ] {
            let mut item = request();
            *item.pointer_mut(&pointer).unwrap() = value.clone();
            let verdict = judge_array(&[event(), item], None);
            assert_eq!(verdict.status, 206, "{pointer} {value}");
            assert_eq!(verdict.body["itemsAccepted"], 1);
            let [error] = verdict.body["errors"].as_array().unwrap().as_slice() else {
                panic!("{pointer}: {}", verdict.body);
            };
            assert_eq!((&error["index"], &error["statusCode"]), (&json!(1), &json!(400)));
            assert!(error["message"].as_str().unwrap().contains(reason), "{error}");
        }
        for (kind, missing) in
            [("RemoteDependencyData", "name"), ("EventData", "name"), ("MessageData", "message")]
        {
            let verdict = judge_array(&[envelope(kind, json!({}))], None);
            assert_eq!(verdict.status, 400, "{kind}");
            let message = verdict.body["errors"][0]["message"].as_str().unwrap();
            assert!(message.starts_with(missing), "{message}");
        }
    }

    #[test]
    fn what_the_limits_allow_is_allowed() {
        let mut item = request();
        item["data"]["baseData"]["properties"] = json!({ ("k".repeat(150)): "ü".repeat(8192) });
        assert_eq!(judge_array(&[item], None).status, 200);
    }

    #[test]
    fn a_body_in_which_no_item_can_be_told_apart_is_refused_as_a_whole() {
        for (content_type, body, status) in [
            (ARRAY, "{}", 400),
            (ARRAY, "[", 400),
            (ARRAY, "[]", 400),
            (ARRAY, "", 400),
            ("application/x-json-stream", "{}", 415),
            ("text/plain", "[]", 415),
            ("", "[]", 415),
        ] {
            let verdict = judge(content_type, body.as_bytes(), None);
            assert_eq!(verdict.status, status, "{content_type} {body}");
            assert_eq!(verdict.body["itemsReceived"], 0);
            assert!(!verdict.body["errors"][0]["message"].as_str().unwrap().is_empty());
        }
    }

    #[test]
    fn a_fault_refuses_all_items_or_the_first() {
        let verdict = judge_array(&[event(), event()], Some(TrackFault::Status(439)));
        assert_eq!(verdict.status.as_u16(), 439);
        assert_eq!(verdict.body["errors"].as_array().unwrap().len(), 2);
        assert!(verdict.accepted.is_empty());

        let verdict = judge_array(&[event(), event()], Some(TrackFault::PartialFirst(429)));
        assert_eq!(verdict.status, 206);
        assert_eq!(verdict.body["errors"][0]["statusCode"], 429);
        assert_eq!(verdict.accepted.len(), 1);
    }
}
