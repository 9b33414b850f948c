//! The request that has Infobip call and say a passcode, per its API's `POST /tts/3/advanced`.

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use super::request::without_plus;
use crate::message::{Announcement, Language, Part, Speech};
use crate::providers::Message;
use crate::sender::Sender;

/// The path of the API.
pub(super) const PATH: &str = "/tts/3/advanced";

/// The longest that Infobip tries, in minutes: 48 hours.
const LONGEST_VALIDITY: i64 = 48 * 60;

/// Seconds between the answer and the first word: a person needs one to have the phone at the ear.
const PAUSE: u8 = 1;

/// For how many seconds the phone rings. Many mailboxes answer after 25 to 30 seconds, and a passcode has nothing to do there;
/// Infobip's own way to tell a machine from a person is charged, takes 4 seconds, and may be off for an account.
const RING_TIMEOUT: u8 = 25;

/// The key that has it said again.
const REPEAT_KEY: &str = "1";

/// For how many seconds a key is waited for.
const KEY_TIMEOUT: u8 = 5;

/// The body, with its members in the order in which they are sent.
#[derive(Serialize)]
struct Body<'a> {
    messages: [Call<'a>; 1],
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    from: &'a str,
    destinations: [Destination<'a>; 1],
    text: String,
    language: &'static str,
    notify_content_type: &'static str,
    notify_content_version: u8,
    callback_data: Option<&'a str>,
    validity_period: Option<i64>,
    pause: u8,
    ring_timeout: u8,
    repeat_dtmf: &'static str,
    max_dtmf: u8,
    dtmf_timeout: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Destination<'a> {
    to: &'a str,
    message_id: String,
}

/// The body of a request that has a call made.
pub(super) fn body(
    sender: &Sender,
    message: &Message<'_>,
    announcement: &Announcement,
    now: OffsetDateTime,
) -> Vec<u8> {
    let speech = announcement.for_voices(|_| true);
    // Whole minutes, at least one: of the last one the part that is left is little enough.
    let until = |expires: OffsetDateTime| (expires - now).whole_minutes();
    let body = Body {
        messages: [Call {
            from: without_plus(&sender.value),
            destinations: [Destination {
                to: without_plus(message.to.as_str()),
                message_id: message.repeatability.id.to_string(),
            }],
            text: text(speech),
            language: language(speech.language),
            notify_content_type: "application/json",
            notify_content_version: 2,
            callback_data: message.tag,
            validity_period: message.expires.map(|it| until(it).clamp(1, LONGEST_VALIDITY)),
            pause: PAUSE,
            ring_timeout: RING_TIMEOUT,
            repeat_dtmf: REPEAT_KEY,
            max_dtmf: 1,
            dtmf_timeout: KEY_TIMEOUT,
        }],
    };
    serde_json::to_vec(&body).expect("texts and numbers, in memory")
}

/// What is said, as Infobip takes it: each comma is a pause of half a second. Then how to hear it again.
pub(super) fn text(speech: &Speech) -> String {
    let mut text = String::new();
    for part in &speech.parts {
        match part {
            Part::Words(words) => {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.extend(words.chars().map(plain));
            }
            Part::ShortPause => text.push_str(",,"),
            Part::LongPause => text.push_str(",,,,"),
        }
    }
    text + ",,,, " + speech.language.to_hear_again()
}

/// A character as it is said, and not read as markup (SSML).
fn plain(character: char) -> char {
    if matches!(character, '<' | '>' | '&') { ' ' } else { character }
}

/// What Infobip calls a language: the codes of its OpenAPI specification of voice. It has a voice for each of ours, and
/// takes the first of them where none is named.
fn language(language: Language) -> &'static str {
    match language {
        Language::MainlandChinese => "zh-cn",
        Language::TaiwaneseChinese => "zh-tw",
        Language::Norwegian => "no",
        Language::Portuguese => "pt-pt",
        Language::BrazilianPortuguese => "pt-br",
        other => other.tag(),
    }
}
