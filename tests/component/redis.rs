//! The store `records` behind a real Redis, and what the operator is told where Redis refuses the hook.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use okta_telephony_acs::records::KEY_PREFIX;
use okta_telephony_dev::local_host::Settings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Form, Hook, envelope, from_now, skipped, until, until_told};
use crate::reports::{deliver, delivery, look_up, report, setup};

/// A Redis server of a test's own, which keeps nothing and ends with this.
pub struct Redis {
    address: SocketAddr,
    process: Child,
}

impl Redis {
    /// One that also has these words in its configuration. `None` where there is no `redis-server`.
    pub async fn start(configuration: &[&str]) -> Option<Self> {
        // Free now; nobody else is told of it.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir", env!("CARGO_TARGET_TMPDIR")]);
        let process = command.args(configuration).stdout(Stdio::null()).spawn();
        let Ok(process) = process else {
            skipped("no records were behind Redis, since redis-server is not installed");
            return None;
        };
        let redis = Self { address, process };
        until_told(async || {
            TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
        Some(redis)
    }

    /// Has it run a command, as `redis-cli` does, and gives what it answers, as it comes over the wire.
    async fn run(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Has a host keep the records here.
    pub fn keep_records(&self, user: &str, host: Settings) -> Settings {
        let mut host = host;
        host.redis.insert("records".into(), format!("redis://{user}{}", self.address));
        host
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// A hook whose records are in this Redis, which has been called once, with the id of its message.
async fn called(redis: &Redis, user: &str) -> (Hook, String) {
    let hook = Hook::with_host(setup(), |host| redis.keep_records(user, host)).await;
    let id = hook.post(envelope("+447400123456").to_string()).await.accepted(Form::Documented);
    (hook, id)
}

/// The lines of an event, once there are `count`.
async fn lines(hook: &Hook, event: &str, count: usize) -> Vec<Value> {
    until(|| {
        let lines = hook.log.lines();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.filter(|line| line["event"] == event).collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}

#[tokio::test]
async fn the_rights_to_get_and_set_keys_with_the_prefix_are_all_that_records_need() {
    let keys = format!("~{KEY_PREFIX}*");
    let user = ["--user", "okta", "on", ">c0ffee", &keys, "-@all", "+get", "+set", "+ping"];
    let Some(redis) = Redis::start(&user).await else { return };
    let (hook, id) = called(&redis, "okta:c0ffee@").await;
    assert_eq!(delivery(&hook, &id).await["status"], "accepted");
}

#[tokio::test]
async fn a_redis_that_refuses_the_hook_is_told_as_one_with_what_it_lacks() {
    let keys = format!("~{KEY_PREFIX}*");
    for (configuration, user, fix) in [
        // Keys of another form, such as those of the store `default`.
        (
            &["--user", "okta", "on", ">c0ffee", "~okta-telephony-acs/*", "-@all", "+get", "+set"]
                [..],
            "okta:c0ffee@",
            "lacks the right",
        ),
        (
            &["--user", "okta", "on", ">c0ffee", &keys, "-@all", "+get", "+ping"],
            "okta:c0ffee@",
            "lacks the right",
        ),
        (&["--requirepass", "c0ffee"], "", "wants a user and a password"),
    ] {
        let Some(redis) = Redis::start(configuration).await else { return };
        let (hook, id) = called(&redis, user).await;
        let told = &lines(&hook, "records", 1).await[0];
        assert!(told["fix"].as_str().unwrap().contains(fix), "{configuration:?}: {told}");
        // Whoever comes next is told the same, whether it tries or knows.
        for count in 1..=2 {
            let report = report(&id, "Delivered", "No error.", &from_now(1));
            assert_eq!(deliver(&hook, &json!([report])).await.status, 503);
            let told = lines(&hook, "delivery_reports", count).await;
            assert!(told[count - 1]["fix"].as_str().unwrap().contains(fix), "{told:?}");
        }
        assert_eq!(lines(&hook, "records", 1).await.len(), 1);
        let log = hook.log.lines();
        let its_own = log.iter().filter(|line| line.starts_with('{'));
        assert!(its_own.clone().all(|line| !line.contains("c0ffee")), "{log:?}");
    }
}

/// The line that gives the hook a user of its own, as deploy/spinkube/README.md has it.
fn documented_user() -> &'static str {
    let page = include_str!("../../deploy/spinkube/README.md");
    page.lines().find(|line| line.starts_with("ACL SETUSER ")).expect("the page has the line")
}

#[tokio::test]
async fn the_documented_user_of_redis_can_all_that_records_need_and_nothing_else() {
    let line = documented_user();
    assert!(line.contains(&format!(" ~{KEY_PREFIX}* ")), "{line}");
    let Some(redis) = Redis::start(&[]).await else { return };
    let answer = redis.run(line).await;
    assert!(answer.starts_with("+OK"), "{line}: {answer}");
    let (hook, id) = called(&redis, "okta-telephony:PASSWORD@").await;
    assert_eq!(delivery(&hook, &id).await["status"], "accepted");
    let report = report(&id, "Delivered", "No error.", &from_now(1));
    assert_eq!(deliver(&hook, &json!([report])).await.status, 200);
    assert_eq!(delivery(&hook, &id).await["status"], "delivered");
    assert_eq!(look_up(&hook, "/api/deliveries?format=json").await.status, 200);
    let log = hook.log.lines();
    assert!(log.iter().all(|line| !line.contains(r#""event":"records""#)), "{log:?}");
    assert!(log.iter().all(|line| !line.contains("store_unavailable")), "{log:?}");
    // All that Redis has refused: the library's name, which the client tells of itself and can do without.
    let refused = redis.run("ACL LOG").await;
    let refused: Vec<_> = refused.split("\r\nobject\r\n").skip(1).collect();
    assert!(refused.iter().all(|entry| entry.contains("client|setinfo")), "{refused:?}");
}
