//! TwiML, as far as a call that says something needs it: `Response` with `Pause` and `Say`, in which SSML may `break`.

use crate::phone::Voice;

/// What a call says, with an ellipsis for each pause of a second and a new line for each other one, and who says it; `None` where it is no such document.
pub(super) fn said(twiml: &str) -> Option<(String, Voice)> {
    let mut text = String::new();
    let mut voice = None;
    let mut open: Vec<&str> = Vec::new();
    let mut rest = twiml;
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            // Text is said by nobody but who says it.
            (open.last() == Some(&"Say") || rest[..end].trim().is_empty()).then_some(())?;
            text.push_str(&unescape(&rest[..end])?);
            rest = &rest[end..];
            continue;
        };
        let (tag, behind) = tag.split_once('>')?;
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            (open.pop() == Some(name)).then_some(())?;
            continue;
        }
        let is_empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let is_in_place = match (name, open.last().copied()) {
            ("Response", None) => true,
            ("Pause" | "Say", Some("Response")) => true,
            ("break", Some("Say")) => is_empty,
            _ => false,
        };
        is_in_place.then_some(())?;
        match name {
            "Say" => {
                let language = attribute(attributes, "language").unwrap_or("en-US").to_owned();
                let name = attribute(attributes, "voice").map(str::to_owned);
                voice = Some(Voice { language, name });
            }
            "break" if attribute(attributes, "time") == Some("1s") => text.push_str(" … "),
            "break" => text.push('\n'),
            _ => {}
        }
        if !is_empty {
            open.push(name);
        }
    }
    open.is_empty().then_some(())?;
    Some((text, voice?))
}

/// The value of an attribute.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = attributes.split_once(&format!("{name}=\""))?;
    behind.split_once('"').map(|(value, _)| value)
}

/// Text without the references that XML knows by itself; `None` where one is another, or none.
fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, behind) = part.split_once(';')?;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        plain.push_str(behind);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_the_text_and_no_other_document_is_one() {
        let twiml = "<Response><Pause length=\"1\"/><Say voice=\"Polly.Joanna\" language=\"en-US\">A &amp; B<break \
                     time=\"1s\"/>1<break time=\"2s\"/>C</Say></Response>";
        let (text, voice) = said(twiml).unwrap();
        assert_eq!((&*text, &*voice.language), ("A & B … 1\nC", "en-US"));
        for other in [
            "",
            "<Response></Response>",
            "<Response><Say>1</Response></Say>",
            "<Response><Say>1</Say>",
            "<Response><Say>A & B</Say></Response>",
            "<Response><Say>1</Say><Dial>+4419</Dial></Response>",
            "<Response>1<Say>1</Say></Response>",
            "<Say>1</Say>",
        ] {
            assert!(said(other).is_none(), "{other}");
        }
    }
}
