//! What happens to hooks when parts fail: two hosts behind nginx, Redis for their records, and Okta's
//! clients in front. Each part is a process of its own, which is stopped, killed or hung in the middle.
//!
//! Not part of `cargo test`; docs/contributing/scale.md has its results, and what each scenario is:
//! `cargo test --test scale -- --ignored --nocapture`
//!
//! With `SCALE=redis` in the environment only the scenarios with that word run, and with `SCALE_RATE=20` there
//! are so many hooks a second. A machine that has no time for the hosts shows its own faults, not theirs.
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;
mod load;
mod parts;

use std::collections::HashMap;
use std::time::Duration;

use okta_telephony_dev::acs_emulator::{
    self, AcsEmulator, EventSubscription, Fault, FaultNumber, OddAnswer, Spoilt, TrackFault,
    fault_of,
};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::common::skipped;
use crate::load::{Load, Okta, Outcome};
use crate::parts::{Folder, Host, Nginx, Redis, Sink};

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    Nothing,
    HostKilled,
    /// The same with an nginx that does what a plain Service does: it gives each request to a host in turn,
    /// dead or not, and that is it.
    HostKilledPlain,
    HostStopped,
    RedisStopped,
    RedisKilled,
    RedisSilent,
    RollingRestart,
    TelemetryHangs,
    AcsHangs,
}

impl Scenario {
    const ALL: [(Self, &str); 10] = [
        (Self::Nothing, "nothing fails"),
        (Self::HostKilled, "one host killed, back after 7 s"),
        (Self::HostKilledPlain, "the same behind a plain Service"),
        (Self::HostStopped, "one host stopped for 7 s"),
        (Self::RedisStopped, "redis stopped"),
        (Self::RedisKilled, "redis killed"),
        (Self::RedisSilent, "redis takes connections and is silent"),
        (Self::RollingRestart, "rolling restart with a new secret"),
        (Self::TelemetryHangs, "telemetry sink hangs"),
        (Self::AcsHangs, "first ACS hangs, second provider"),
    ];

    /// One is there to show what is lost.
    fn has_bars(self) -> bool {
        self != Self::HostKilledPlain
    }
}

/// How long the clients post, and how long they still do once everything is mended or started anew.
const TIME: Duration = Duration::from_secs(20);
const AFTER: Duration = Duration::from_secs(3);
/// When something breaks, and when it is mended where it is.
const BREAKS: Duration = Duration::from_secs(4);
const MENDED: Duration = Duration::from_secs(11);
/// All clients together, unless `SCALE_RATE` says otherwise.
const HOOKS_A_SECOND: u32 = 150;

const ACCESS_KEY: &str = "YWNjZXNzLWtleS1vZi10aGUtZW11bGF0b3I=";
const REPORT_SECRET: &str = "report-secret-c0ffee";
const OLD: &str = "hook-secret-c0ffee";
const NEW: &str = "hook-secret-deca11";

/// All parts, running.
struct World {
    folder: Folder,
    acs: AcsEmulator,
    second: AcsEmulator,
    redis: Redis,
    hosts: [Host; 2],
    nginx: Nginx,
}

/// The emulator's port speaks both. The hosts are processes of their own, which do not trust its certificate.
fn without_tls(connection_string: String) -> String {
    connection_string.replace("https://", "http://")
}

impl World {
    async fn start(scenario: Scenario) -> Self {
        let folder = Folder::new(&format!("scale/{scenario:?}"));
        let [acs, second] = [start_acs().await, start_acs().await];
        let redis = Redis::start(&folder).await;
        folder.write(
            "runtime-config.toml",
            &format!(
                "[key_value_store.default]\ntype = \"spin\"\n\n[key_value_store.records]\ntype = \"redis\"\nurl = \"{}\"\n",
                redis.url()
            ),
        );
        let mut variables = vec![
            ("okta_basic_secret", OLD.to_owned()),
            ("acs_connection_string", without_tls(acs.connection_string())),
            ("acs_from_shortcode", "12345".into()),
            ("outbound_host1", "http://127.0.0.1:*".into()),
        ];
        let mut settings = "[limits]\nper_number = ''\n".to_owned();
        let mut secrets = format!(
            "[reports]\nsecret = '{REPORT_SECRET}'\n[application_insights]\nconnection_string = '{}'\n",
            without_tls(acs.application_insights_connection_string())
        );
        if scenario == Scenario::AcsHangs {
            settings += "[[providers]]\nkind = 'acs'\nname = 'acs'\n\
                         [[providers]]\nkind = 'acs'\nname = 'second'\nsenders.default = 'CONTOSO'\n";
            secrets += &format!(
                "[providers.second]\nconnection_string = '{}'\n",
                without_tls(second.connection_string())
            );
        }
        variables.extend([("settings", settings), ("secrets", secrets)]);
        let hosts = [Host::new("a", &variables), Host::new("b", &variables)];
        let mut world = Self {
            nginx: Nginx::start(&folder, &hosts, scenario != Scenario::HostKilledPlain),
            folder,
            acs,
            second,
            redis,
            hosts,
        };
        for host in &mut world.hosts {
            host.start(&world.folder);
        }
        for host in &world.hosts {
            host.is_up().await;
        }
        world.nginx.is_up().await;
        let reports = EventSubscription {
            delay: Duration::from_secs(1),
            ..EventSubscription::new(
                format!("http://{}/api/delivery-reports", world.nginx.address),
                REPORT_SECRET,
            )
        };
        for acs in [&world.acs, &world.second] {
            acs.subscribe_reports(reports.clone()).await.expect("the hook takes reports");
        }
        world
    }

    /// Breaks what the scenario says, in the middle of the load.
    async fn fail(&mut self, scenario: Scenario, okta: &Okta, start: Instant) {
        sleep_until(start + BREAKS).await;
        match scenario {
            Scenario::Nothing => {}
            Scenario::HostKilled | Scenario::HostKilledPlain => {
                self.hosts[0].process.signal("KILL").await;
                sleep_until(start + MENDED).await;
                self.hosts[0].start(&self.folder);
            }
            Scenario::HostStopped => {
                self.hosts[0].process.signal("STOP").await;
                sleep_until(start + MENDED).await;
                self.hosts[0].process.signal("CONT").await;
            }
            Scenario::RedisStopped => self.redis.process.signal("STOP").await,
            Scenario::RedisKilled => self.redis.process.signal("KILL").await,
            Scenario::RedisSilent => {
                self.redis.process.signal("KILL").await;
                Sink::listen(self.redis.address).await;
            }
            Scenario::RollingRestart => {
                for host in &mut self.hosts {
                    host.process.signal("TERM").await;
                    host.process.ended().await;
                    host.set("okta_basic_secret", NEW);
                    host.append("secrets", &format!("[okta]\nbasic_secret_previous = '{OLD}'\n"));
                    host.start(&self.folder);
                    host.is_up().await;
                }
                okta.use_secret(NEW);
            }
            Scenario::TelemetryHangs => self.acs.set_track_fault(Some(TrackFault::Hang)),
            Scenario::AcsHangs => self.acs.set_fault(fault_of("+15550103001")),
        }
    }
}

/// Sends a message at once and says so as late as a service at the other end of a region. So what dies in
/// the middle of a hook dies with a message sent and nobody told.
static AS_LATE_AS_ACS: FaultNumber = FaultNumber {
    number: "",
    fault: Fault::Accept(OddAnswer::Spoilt(Spoilt::Late(Duration::from_millis(120)))),
    meaning: "accepted, answered 120 ms late",
};

async fn start_acs() -> AcsEmulator {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let settings = acs_emulator::Settings::new(loopback, ACCESS_KEY);
    let acs = AcsEmulator::start(settings).await.unwrap();
    acs.set_fault(Some(&AS_LATE_AS_ACS));
    acs
}

/// Events of which more than one message came, at whichever resource, or that one resource took twice under
/// one repeatability id.
fn doubled(world: &World) -> usize {
    let mut events: HashMap<String, usize> = HashMap::new();
    let mut ids: HashMap<(usize, String), usize> = HashMap::new();
    for (resource, acs) in [&world.acs, &world.second].into_iter().enumerate() {
        for message in acs.messages() {
            let id = message.details["repeatabilityRequestId"].as_str().map(str::to_owned);
            let event = message.tag;
            *events.entry(event.expect("a message has its event's id")).or_default() += 1;
            *ids.entry((resource, id.expect("and its own"))).or_default() += 1;
        }
    }
    let twice = |count: &&usize| **count > 1;
    events.values().filter(twice).count().max(ids.values().filter(twice).count())
}

/// Requests that a resource knew by their repeatability id, and did not send again.
fn recognised(world: &World) -> usize {
    let requests = [&world.acs, &world.second].into_iter().flat_map(AcsEmulator::requests);
    let repeated = |reason: &String| reason.starts_with("Repeated");
    requests.filter(|request| request.reasons.iter().any(repeated)).count()
}

/// What a scenario came to.
struct Row {
    what: &'static str,
    load: Load,
    doubled: usize,
    /// Requests that ACS knew again: without repeatability ids they would be doubled.
    recognised: usize,
    /// The bars that are not kept, where there are any.
    broken: bool,
}

impl Row {
    const HEAD: &str = "| scenario | hooks | SUCCESSFUL | FAILED | lost | doubled | known again | over 3 s | p50 | p99 | max |\n\
                        |---|---|---|---|---|---|---|---|---|---|---|";

    fn text(&self) -> String {
        let Load { times, .. } = &self.load;
        let of = |outcome| self.load.count(outcome);
        let late = times.iter().filter(|time| **time > Duration::from_secs(3)).count();
        let at = |part: usize| times[(times.len() - 1) * part / 100].as_millis();
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {late} | {} ms | {} ms | {} ms |",
            self.what,
            times.len(),
            of(Outcome::Accepted),
            of(Outcome::Failed),
            of(Outcome::Lost),
            self.doubled,
            self.recognised,
            at(50),
            at(99),
            at(100),
        )
    }
}

async fn run(scenario: Scenario, what: &'static str, rate: u32) -> Row {
    let mut world = World::start(scenario).await;
    let okta = Okta::new(world.nginx.address, OLD);
    okta.warm_up().await;
    let before = Instruments::read(&world).await;
    let start = Instant::now();
    let (stop, stopped) = watch::channel(false);
    let failing = async {
        world.fail(scenario, &okta, start).await;
        sleep_until((start + TIME).max(Instant::now() + AFTER)).await;
        stop.send_replace(true);
    };
    let (load, ()) = tokio::join!(okta.post(rate, start, stopped), failing);
    if scenario == Scenario::Nothing {
        // The reports, too.
        sleep(Duration::from_secs(3)).await;
        Instruments::read(&world).await.tell(&before, &load, &world);
    }
    for said in load.said() {
        println!("  {what}: {said}");
    }
    let doubled = doubled(&world);
    let late = load.times.last().is_some_and(|time| *time > Duration::from_secs(3));
    let broken = scenario.has_bars()
        && (doubled > 0
            || late
            || load.count(Outcome::Lost) > 0
            || load.count(Outcome::Failed) > 0);
    for host in &world.hosts {
        println!(
            "  {what}: host {} has {} kB at its peak",
            host.name,
            host.process.peak_kilobytes()
        );
    }
    Row { what, load, doubled, recognised: recognised(&world), broken }
}

/// What the parts have used so far.
struct Instruments {
    cpu: [Duration; 2],
    redis: HashMap<String, u64>,
    telemetry: usize,
    log: u64,
}

impl Instruments {
    async fn read(world: &World) -> Self {
        let telemetry = world.acs.telemetry().iter().map(|item| item.to_string().len() + 1).sum();
        Self {
            cpu: [0, 1].map(|at| world.hosts[at].process.cpu()),
            redis: world.redis.info().await,
            telemetry,
            log: world.hosts.iter().map(|host| world.folder.length(&host.log())).sum(),
        }
    }

    fn tell(&self, before: &Self, load: &Load, world: &World) {
        let hooks = load.times.len() as f64;
        let cpu: Duration = self.cpu.iter().sum::<Duration>() - before.cpu.iter().sum::<Duration>();
        println!(
            "  CPU of both hosts: {:.2} ms a hook with its report",
            cpu.as_secs_f64() * 1000.0 / hooks
        );
        let commands =
            self.redis["total_commands_processed"] - before.redis["total_commands_processed"];
        println!("  Redis: {:.1} commands a hook with its report", commands as f64 / hooks);
        println!(
            "  Redis: {} bytes of memory, {} before; {} messages in {} keys",
            self.redis["used_memory"],
            before.redis["used_memory"],
            world.acs.messages().len(),
            self.redis["keys"]
        );
        println!(
            "  Application Insights: {:.0} bytes of items a hook with its report",
            (self.telemetry - before.telemetry) as f64 / hooks
        );
        println!(
            "  Log: {} bytes a hook with its report",
            (self.log - before.log) / load.times.len() as u64
        );
        for host in &world.hosts {
            println!("  host {}: {} kB resident", host.name, host.process.kilobytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes five minutes"]
async fn when_a_part_fails_no_hook_is_lost_doubled_or_late() {
    for (tool, version) in [("nginx", "-v"), ("redis-server", "--version")] {
        if Command::new(tool).arg(version).output().await.is_err() {
            return skipped(&format!("no part has failed, since {tool} is not installed"));
        }
    }
    let only = std::env::var("SCALE").unwrap_or_default();
    let rate = std::env::var("SCALE_RATE").ok().and_then(|rate| rate.parse().ok());
    let rate = rate.unwrap_or(HOOKS_A_SECOND);
    let mut rows = Vec::new();
    for (scenario, what) in Scenario::ALL.into_iter().filter(|(_, what)| what.contains(&only)) {
        let row = run(scenario, what, rate).await;
        println!("{}", row.text());
        rows.push(row);
    }
    println!("\n{}", Row::HEAD);
    for row in &rows {
        println!("{}", row.text());
    }
    let broken: Vec<_> = rows.iter().filter(|row| row.broken).map(|row| row.what).collect();
    assert!(broken.is_empty(), "hooks were failed, lost, doubled or late: {broken:?}");
}
