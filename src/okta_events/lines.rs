//! What the log says of Okta's events. The schema is docs/monitoring.md.

use serde::Serialize;
use serde_with::skip_serializing_none;
use time::OffsetDateTime;

use crate::message::Channel;
use crate::outcome::{Happened, TakenEvent};
use crate::telemetry::line;

/// The line of one event.
pub fn event(event: &TakenEvent, now: OffsetDateTime) -> String {
    #[skip_serializing_none]
    #[derive(Serialize)]
    struct Facts<'a> {
        what: &'static str,
        fix: Option<&'static str>,
        channel: Option<&'static str>,
        country: Option<&'a str>,
        provider: Option<&'a str>,
        message_id: Option<&'a str>,
        used_ms: Option<u64>,
    }
    let converted = event.converted.as_ref();
    let fix = fix(event.what);
    let facts = Facts {
        what: event.what.name(),
        fix,
        channel: event.channel.map(Channel::name),
        country: event.country.as_ref().map(|region| region.code()),
        provider: converted.map(|send| send.provider.as_str()),
        message_id: converted.and_then(|send| send.message_id.as_deref()),
        used_ms: event.milliseconds_to_use(),
    };
    let level = if fix.is_some() { "warn" } else { "info" };
    line(now, level, "okta_event", facts)
}

/// What to do about what Okta did without the hook.
fn fix(what: Happened) -> Option<&'static str> {
    Some(match what {
        Happened::PasscodeUsed | Happened::PasscodeWrong => return None,
        Happened::SentByOkta => {
            "Okta sent a passcode itself, since the hook failed: look for the hook's lines of that time that are not \
             accepted"
        }
        Happened::RefusedByOkta => {
            "Okta refused to send a passcode and did not ask the hook: the System Log has the reason beside DENY"
        }
        Happened::HookGivenUp => {
            "Okta got no answer from the hook in 3 seconds, or none with status 200: look at the hook's lines of that \
             time and, if there are none, at the way to the hook"
        }
    })
}
