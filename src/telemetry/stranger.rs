//! What is told of those who have not proven who they are. They may send requests without end, and the owner pays for
//! telemetry by the byte; and a log that is not read as fast as it is written stops the host. So in each second
//! telemetry is told of the first of them, and the log of the first of each kind: that Okta shows a secret that is no
//! longer valid must not be lost among a stranger's attempts without any.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::ports::{Ports, StoreUnavailable};
use crate::records::value;

/// What a line of the log says, and telemetry, that stands for more than itself.
pub const SAMPLED: &str = "one a second";

/// Of how many kinds the log is told in a second.
const KINDS: usize = 8;

/// The version of [`Told`] in the store.
const VERSION: u8 = 1;

/// Where requests come in.
#[derive(Clone, Copy, Debug)]
pub enum Door {
    /// Okta's.
    Hook,
    /// Event Grid's.
    Reports,
    /// The operator's.
    Operator,
}

/// A request of somebody who has not proven who he is.
#[derive(Clone, Copy, Debug)]
pub struct Stranger {
    door: Door,
    kind: u64,
}

/// What has been told of a door in a second.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    /// Since 1970.
    second: u64,
    kinds: Vec<u64>,
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
    /// One that was answered with this status and, in the log, this fix: requests that have both in common are of a
    /// kind.
    pub fn new(door: Door, status: u16, fix: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (status, fix).hash(&mut hasher);
        Self { door, kind: hasher.finish() }
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
            Door::Operator => "okta-telephony-acs/strangers/operator",
        };
        let second = ports.clock.milliseconds() / 1000;
        let stored = ports.store.get(key)?;
        let known = stored.and_then(|stored| value::read::<Told>(VERSION, &stored));
        let is_first = known.as_ref().is_none_or(|told| told.second != second);
        let mut told = known.filter(|_| !is_first).unwrap_or(Told { second, kinds: Vec::new() });
        let log = told.kinds.len() < KINDS && !told.kinds.contains(&self.kind);
        if log {
            told.kinds.push(self.kind);
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

    fn tell(host: &FakeHost, door: Door, fix: &str) -> Audience {
        Stranger::new(door, 401, fix).audience(host.ports())
    }

    const LOG: Audience = Audience { log: true, telemetry: false };
    const NOBODY: Audience = Audience { log: false, telemetry: false };

    #[test]
    fn of_each_kind_the_log_has_one_a_second_and_telemetry_has_one_of_all() {
        let mut host = FakeHost::default();
        for _ in 0..2 {
            assert_eq!(tell(&host, Door::Hook, "none"), Audience::ALL);
            assert_eq!(tell(&host, Door::Hook, "wrong"), LOG);
            for fix in ["none", "wrong", "none"] {
                assert_eq!(tell(&host, Door::Hook, fix), NOBODY);
            }
            let other = Stranger::new(Door::Hook, 405, "none");
            assert_eq!(other.audience(host.ports()), LOG, "another status");
            assert_eq!(tell(&host, Door::Reports, "none"), Audience::ALL, "another door");
            host.now += Duration::from_secs(1);
        }
        host.now -= Duration::from_secs(3600);
        assert_eq!(tell(&host, Door::Hook, "none"), Audience::ALL, "the clock went back");
    }

    #[test]
    fn whoever_invents_kinds_brings_about_no_more_lines_than_there_is_room_for() {
        let host = FakeHost::default();
        let told = (0..1000).filter(|at| tell(&host, Door::Operator, &at.to_string()).log).count();
        assert_eq!(told, KINDS);
        let sets = host.store_calls.borrow().iter().filter(|call| call.starts_with("set")).count();
        assert_eq!(sets, KINDS);
    }

    #[test]
    fn where_the_store_fails_the_log_has_them_all_and_telemetry_none() {
        let host = FakeHost::default();
        host.stored.replace(None);
        assert_eq!([tell(&host, Door::Hook, ""), tell(&host, Door::Hook, "")], [LOG, LOG]);
    }

    #[test]
    fn what_can_not_be_read_counts_as_nothing() {
        let host = FakeHost::default();
        for value in [&b""[..], b"\x01", b"\x02\x00\x00", &[0xff; 40]] {
            Store::set(&host, "okta-telephony-acs/strangers/hook", value).unwrap();
            assert_eq!(tell(&host, Door::Hook, ""), Audience::ALL, "{value:?}");
        }
    }
}
