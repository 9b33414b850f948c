//! The hook with its guard against SMS pumping.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::load::Connection;

/// What the guard does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Guard {
    Off,
    Shadow,
    Enforce,
}

/// The Basic credentials `events:bench-events-secret`.
const AUTHORIZATION: &str = "Basic ZXZlbnRzOmJlbmNoLWV2ZW50cy1zZWNyZXQ=";

impl Guard {
    /// Its name in tables and in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }

    /// Sets it in the hook's variables. Off is what it is without them.
    pub fn set(self, variables: &mut BTreeMap<String, String>) {
        if self == Self::Off {
            return;
        }
        let settings = variables.entry("settings".into()).or_default();
        *settings += &format!("\n[guard]\nmode = '{}'\n", self.name());
        *variables.entry("secrets".into()).or_default() +=
            "[events]\nsecret = 'bench-events-secret'\n";
    }
}

/// Has the hook hear of an event of Okta's, as without a recent one the guard does not look at messages.
///
/// # Errors
///
/// Any answer but 204.
pub async fn bring_event(hook: SocketAddr) -> Result<()> {
    let now = OffsetDateTime::now_utc().format(&Rfc3339)?;
    let body = format!(
        r#"{{"eventType":"com.okta.event_hook","data":{{"events":[{{"uuid":"bench-{now}","published":"{now}","eventType":"user.authentication.auth_via_mfa","actor":{{"id":"00ubenchsomebody00","type":"User"}},"outcome":{{"result":"SUCCESS"}},"debugContext":{{"debugData":{{"factor":"SMS_FACTOR"}}}}}}]}}}}"#
    );
    let request = format!(
        "POST /api/okta-events HTTP/1.1\r\nhost: {hook}\r\nauthorization: {AUTHORIZATION}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::open(hook).await?;
    let answer = connection.exchange(&request).await?;
    ensure!(answer.starts_with("HTTP/1.1 204 "), "the event was not taken: {answer}");
    Ok(())
}
