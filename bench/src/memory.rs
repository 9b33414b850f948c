//! The memory and descriptors that Spin takes: `cargo bench -p bench -- memory`.
//!
//! Each row is a fresh Spin as the sample's unit of systemd starts it, without nginx, whose limits would be what is
//! measured. It has no neighbours: all of a row comes at once. Linux only.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::compare::circumstances;
use crate::deployment::{prepare, spin_of_the_samples};
use crate::load::{Connection, Hooks};
use crate::process::Running;
use crate::raise_descriptors;
use crate::spin::REPORT_SECRET;
use crate::stand_in::{StandIn, Transport};

/// The most bytes that a delivery of reports may have.
const LARGEST_DELIVERY: usize = 1536 * 1024;

/// How long an answer may take here. Okta would have gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long silent connections stay.
const SILENCE: Duration = Duration::from_secs(2);

/// How long Spin has, after all is answered, before it is looked at again.
const AFTER: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
pub struct Memory {
    /// The Redis that keeps the records, as redis://HOST:PORT; without it they are in memory
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// How the provider that never answers is spoken to
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Transport::Tls)]
    transport: Transport,
}

/// What comes at once.
#[derive(Clone, Copy)]
enum Load {
    /// So many hooks for a provider that takes requests and never answers, in so many waves one after the other.
    Hooks(usize, usize),
    /// So many deliveries of as many reports as fit.
    Reports(usize),
    /// So many connections that say nothing.
    Connections(usize),
}

const LOADS: [Load; 9] = [
    Load::Hooks(75, 1),
    Load::Hooks(300, 1),
    Load::Hooks(780, 1),
    Load::Hooks(1000, 1),
    Load::Hooks(1000, 3),
    Load::Hooks(1100, 1),
    Load::Reports(1),
    Load::Reports(20),
    Load::Connections(2000),
];

/// Measures and prints.
///
/// # Errors
///
/// Commands that are missing, and what does not start.
pub async fn run(memory: &Memory) -> Result<()> {
    raise_descriptors()?;
    println!("{}.\n", circumstances(&[prepare()?]));
    println!("| at once | answers | descriptors before | most | MiB before | most | after 5 s |");
    println!("|---|---|---|---|---|---|---|");
    for load in LOADS {
        println!("{}", measure(load, memory).await?);
    }
    Ok(())
}

/// The row of one load.
async fn measure(load: Load, memory: &Memory) -> Result<String> {
    let provider = StandIn::start_hung(memory.transport).await?.origin();
    let spin = spin_of_the_samples(&[&provider], memory.redis.as_deref()).await?;
    let before = spin.held();
    let mut most = before;
    let answers = tokio::select! {
        never = spin.watch(&mut most) => match never {},
        answers = come(load, &spin) => answers,
    };
    sleep(AFTER).await;
    let name = match load {
        Load::Hooks(hooks, 1) => format!("{hooks} hooks that wait"),
        Load::Hooks(hooks, times) => format!("{hooks} hooks that wait, {times} times"),
        Load::Reports(1) => "a largest delivery of reports".into(),
        Load::Reports(deliveries) => format!("{deliveries} largest deliveries of reports"),
        Load::Connections(connections) => format!("{connections} silent connections"),
    };
    Ok(format!(
        "| {name} | {answers} | {} | {} | {} | {} | {} |",
        before.descriptors,
        most.descriptors,
        before.mebibytes(),
        most.mebibytes(),
        spin.held().mebibytes(),
    ))
}

/// Has it come, waits until all is answered, and counts the answers.
async fn come(load: Load, spin: &Running) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    let (requests, times): (Vec<String>, _) = match load {
        Load::Hooks(hooks, times) => {
            let made = Hooks::new("/api/okta-telephony".into());
            ((0..hooks * times).map(|_| made.next()).collect(), times)
        }
        Load::Reports(deliveries) => ((0..deliveries).map(delivery).collect(), 1),
        Load::Connections(connections) => {
            let mut open = Vec::new();
            for _ in 0..connections {
                open.extend(TcpStream::connect(spin.address).await);
            }
            sleep(SILENCE).await;
            return format!("{} are open", open.len());
        }
    };
    let at_once = requests.len() / times;
    let mut requests = requests.into_iter();
    for _ in 0..times {
        let mut answers = JoinSet::new();
        for request in requests.by_ref().take(at_once) {
            let address = spin.address;
            answers.spawn(async move {
                let exchange = async {
                    let mut connection = Connection::open(address).await.ok()?;
                    let answer = connection.exchange(&request).await.ok()?;
                    Some(kind(&answer))
                };
                timeout(PATIENCE, exchange).await.ok().flatten()
            });
        }
        for answer in answers.join_all().await {
            *counts.entry(answer.unwrap_or_else(|| "lost".into())).or_default() += 1;
        }
    }
    let mut text = String::new();
    for (answer, count) in counts {
        let comma = if text.is_empty() { "" } else { ", " };
        _ = write!(text, "{comma}{count} × {answer}");
    }
    text
}

/// The status of an answer, or what a hook's tells Okta.
fn kind(answer: &str) -> String {
    let hook = ["SUCCESSFUL", "FAILED"].into_iter().find(|status| answer.contains(status));
    hook.or(answer.split(' ').nth(1)).unwrap_or("no HTTP").to_owned()
}

/// A delivery of as many reports as fit, each of another message.
fn delivery(number: usize) -> String {
    let mut body = String::from("[");
    for report in 0.. {
        let comma = if report == 0 { "" } else { "," };
        let id = format!("00000000-0000-4000-8000-{number:04x}{report:08x}");
        let report = format!(
            r#"{comma}{{"id":"{id}","topic":"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/contoso/providers/Microsoft.Communication/CommunicationServices/contoso","subject":"/phonenumber/+14255550123","data":{{"messageId":"Outgoing_20260131120000{id}_noam","from":"12345","to":"+14255550123","deliveryStatus":"Delivered","deliveryStatusDetails":"No error.","deliveryAttempts":[{{"timestamp":"2026-01-31T12:00:01Z","segmentsSucceeded":1,"segmentsFailed":0}}],"receivedTimestamp":"2026-01-31T12:00:02Z","tag":"{id}"}},"eventType":"Microsoft.Communication.SMSDeliveryReportReceived","dataVersion":"1.0","metadataVersion":"1","eventTime":"2026-01-31T12:00:02Z"}}"#
        );
        if body.len() + report.len() >= LARGEST_DELIVERY {
            break;
        }
        body += &report;
    }
    body.push(']');
    format!(
        "POST /api/delivery-reports HTTP/1.1\r\nhost: 127.0.0.1\r\nx-report-secret: {REPORT_SECRET}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_DELIVERY, delivery, kind};

    #[test]
    fn a_delivery_is_as_large_as_it_may_be() {
        let request = delivery(7);
        let body = request.split_once("\r\n\r\n").unwrap().1;
        assert!((LARGEST_DELIVERY - 1024..=LARGEST_DELIVERY).contains(&body.len()));
    }

    #[test]
    fn an_answer_is_counted_by_what_it_tells_okta_or_by_its_status() {
        assert_eq!(kind("HTTP/1.1 500 Internal Server Error\r\n\r\n"), "500");
        assert_eq!(kind("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"FAILED\"}"), "FAILED");
    }
}
