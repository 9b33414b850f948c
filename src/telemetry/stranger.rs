//! What is told of those who have not proven who they are. They may send requests without end, and the owner pays for
//! telemetry by the byte; and a log that is not read as fast as it is written stops the host. So in each second
//! telemetry is told of the first of them, and the log of the first for each cause: that Okta shows a secret that is no
//! longer valid must not be lost among a stranger's attempts without any, whatever else they bring. (A stranger who shows a
//! wrong secret has the same cause.) And, as long as there is room, of the first with each text, of which one cause has many.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::callers::Cause;
use crate::ports::{Ports, StoreUnavailable};
use crate::records::value;

/// What a line of the log says, and telemetry, that stands for more than itself.
pub const SAMPLED: &str = "one a second";

/// Of how many texts the log is told in a second.
const TEXTS: usize = 8;

/// Of how many causes: more than there are, with each status.
const CAUSES: usize = 24;

/// The version of [`Told`] in the store.
const VERSION: u8 = 2;

/// Where requests come in.
#[derive(Clone, Copy, Debug)]
pub enum Door {
    /// Okta's.
    Hook,
    /// That of delivery reports.
    Reports,
    /// That of Okta's events.
    Events,
    /// The operator's.
    Operator,
}

/// A request of somebody who has not proven who he is.
#[derive(Clone, Copy, Debug)]
pub struct Stranger {
    door: Door,
    /// Status and cause.
    cause: u64,
    /// Those, and the text of the log.
    text: u64,
}

/// What has been told of a door in a second.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    /// Since 1970.
    second: u64,
    causes: Vec<u64>,
    texts: Vec<u64>,
}

/// Who is told of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The log is.
    pub log: bool,
    /// Telemetry is.
    pub telemetry: bool,
}

impl Audience {
    /// Both are.
    pub const ALL: Self = Self { log: true, telemetry: true };
}

impl Stranger {
    /// One that was answered with this status, for this cause where it was asked for credentials, and with this text in
    /// the log.
    pub fn new(door: Door, status: u16, cause: Option<Cause>, text: &str) -> Self {
        let hash = |text: &str| {
            let mut hasher = DefaultHasher::new();
            (status, cause, text).hash(&mut hasher);
            hasher.finish()
        };
        Self { door, cause: hash(""), text: hash(text) }
    }

    /// Who is told of it. For after the answer: it asks the local store.
    pub fn audience(self, ports: Ports<'_>) -> Audience {
        // The log is what remains where the store fails.
        self.look(ports).unwrap_or(Audience { log: true, telemetry: false })
    }

    fn look(self, ports: Ports<'_>) -> Result<Audience, StoreUnavailable> {
        let key = match self.door {
            Door::Hook => "okta-telephony-acs/strangers/hook",
            Door::Reports => "okta-telephony-acs/strangers/reports",
            Door::Events => "okta-telephony-acs/strangers/events",
            Door::Operator => "okta-telephony-acs/strangers/operator",
        };
        let second = ports.clock.milliseconds() / 1000;
        let stored = ports.store.get(key)?;
        let known = stored.and_then(|stored| value::read::<Told>(VERSION, &stored));
        let is_first = known.as_ref().is_none_or(|told| told.second != second);
        let mut told = known.filter(|_| !is_first).unwrap_or(Told { second, ..Told::default() });
        let is_new = |known: &[u64], it, room| known.len() < room && !known.contains(&it);
        let is_new_cause = is_new(&told.causes, self.cause, CAUSES);
        let log = is_new_cause || is_new(&told.texts, self.text, TEXTS);
        if log {
            told.causes.extend(is_new_cause.then_some(self.cause));
            told.texts.push(self.text);
            ports.store.set(key, &value::write(VERSION, &told))?;
        }
        Ok(Audience { log, telemetry: is_first })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ports::Store;
    use crate::ports::fake::FakeHost;

    fn tell(host: &FakeHost, door: Door, cause: Cause) -> Audience {
        Stranger::new(door, 401, Some(cause), "").audience(host.ports())
    }

    const LOG: Audience = Audience { log: true, telemetry: false };
    const NOBODY: Audience = Audience { log: false, telemetry: false };

    #[test]
    fn of_each_cause_the_log_has_one_a_second_and_telemetry_has_one_of_all() {
        let mut host = FakeHost::default();
        for _ in 0..2 {
            assert_eq!(tell(&host, Door::Hook, Cause::Credentials), Audience::ALL);
            assert_eq!(tell(&host, Door::Hook, Cause::Secret), LOG);
            for cause in [Cause::Credentials, Cause::Secret, Cause::Credentials] {
                assert_eq!(tell(&host, Door::Hook, cause), NOBODY);
            }
            let other = Stranger::new(Door::Hook, 405, Some(Cause::Credentials), "");
            assert_eq!(other.audience(host.ports()), LOG, "another status");
            assert_eq!(tell(&host, Door::Reports, Cause::Secret), Audience::ALL, "another door");
            host.now += Duration::from_secs(1);
        }
        host.now -= Duration::from_secs(3600);
        assert_eq!(tell(&host, Door::Hook, Cause::Secret), Audience::ALL, "the clock went back");
    }

    #[test]
    fn whoever_invents_texts_crowds_no_cause_out_and_has_no_more_lines_than_there_is_room_for() {
        let host = FakeHost::default();
        let is_told = |cause, text: &str| {
            Stranger::new(Door::Hook, 401, Some(cause), text).audience(host.ports()).log
        };
        let told = (0..1000).filter(|at| is_told(Cause::Token, &at.to_string())).count();
        assert_eq!(told, TEXTS);
        assert!(is_told(Cause::Secret, "is not the one"));
        assert!(!is_told(Cause::Secret, "is not the one"));
        assert!(!is_told(Cause::Secret, "is not the one, and is not UTF-8"));
        let sets = host.store_calls.borrow().iter().filter(|call| call.starts_with("set")).count();
        assert_eq!(sets, TEXTS + 1);
    }

    #[test]
    fn where_the_store_fails_the_log_has_them_all_and_telemetry_none() {
        let host = FakeHost::default();
        host.stored.replace(None);
        assert_eq!(
            [tell(&host, Door::Hook, Cause::Secret), tell(&host, Door::Hook, Cause::Secret)],
            [LOG, LOG]
        );
    }

    #[test]
    fn what_can_not_be_read_counts_as_nothing() {
        let host = FakeHost::default();
        for value in [&b""[..], b"\x01", b"\x02\x00\x00", &[0xff; 40]] {
            Store::set(&host, "okta-telephony-acs/strangers/hook", value).unwrap();
            assert_eq!(tell(&host, Door::Hook, Cause::Secret), Audience::ALL, "{value:?}");
        }
    }
}
