//! Processes that are measured: how they are started and ended, and what CPU, memory and descriptors they and their
//! children take, as Linux tells it in /proc. Elsewhere that is not told.

use std::convert::Infallible;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpStream;

/// The time in which a process must listen. Spin and the local host may have to compile a component first.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The time that a process has to end once it is told to.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How often it is looked at what a process holds.
const LOOK: Duration = Duration::from_millis(100);

/// A tick of the clock in /proc, which is the same on every Linux that Spin is made for.
const TICK: Duration = Duration::from_millis(10);

/// A process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub id: u32,
    parent: u32,
    /// User and system time so far, all threads together.
    cpu: Duration,
}

impl Process {
    /// Reads `/proc/PID/stat`, whose fields proc(5) lists. `None` for a process that has ended and only waits for
    /// its parent to look.
    fn parse(id: u32, stat: &str) -> Option<Self> {
        // The second field is the command's name in parentheses, which may hold spaces and parentheses.
        let (_, from_the_third) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = from_the_third.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
        let process = Self { id, parent: field(4)?, cpu: TICK * (field(14)? + field(15)?) };
        (fields[0] != "Z").then_some(process)
    }
}

/// A process and all processes below it. Empty where there is no /proc or no such process.
pub fn tree(root: u32) -> Vec<Process> {
    let mut others: Vec<_> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Process::parse(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
        })
        .collect();
    let mut tree: Vec<_> = others.extract_if(.., |it| it.id == root).collect();
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(others.extract_if(.., |it| it.parent == parent.id));
        at += 1;
    }
    tree
}

/// The CPU time that a process and all processes below it have used; `None` where that is not known.
pub fn cpu(root: u32) -> Option<Duration> {
    let tree = tree(root);
    if tree.is_empty() { None } else { Some(tree.iter().map(|process| process.cpu).sum()) }
}

/// What a process and all processes below it hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    /// File descriptors of the one that has most: each may have as many as `ulimit -n` says.
    pub descriptors: usize,
    /// Memory in KiB, of each page that several share a part (Pss): about what a container's limit counts. The resident set
    /// counts the image of the component once for each instance.
    pub memory: u64,
}

impl Held {
    /// What they hold now; nothing where it is not told.
    fn by(root: u32) -> Self {
        let mut held = Self::default();
        for Process { id, .. } in tree(root) {
            let descriptors = fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
            let memory = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
            held.descriptors = held.descriptors.max(descriptors);
            held.memory += pss(&memory).unwrap_or_default();
        }
        held
    }

    /// The most of either.
    pub fn max(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors.max(other.descriptors),
            memory: self.memory.max(other.memory),
        }
    }

    /// The memory for a table.
    pub fn mebibytes(self) -> String {
        // A process that has ended holds nothing.
        if self.memory == 0 { "–".into() } else { (self.memory / 1024).to_string() }
    }
}

/// The KiB of the line `Pss` of `/proc/PID/smaps_rollup`.
fn pss(smaps: &str) -> Option<u64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A process that listens, until it is dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    /// Starts it and waits until it listens. All that it prints goes into a file, since that is where a cluster's logs
    /// go: a terminal would be slower, /dev/null faster.
    ///
    /// # Errors
    ///
    /// A command that can't be run, ends early, or does not listen within a minute.
    pub async fn start(command: &mut Command, address: SocketAddr, log: &Path) -> Result<Self> {
        let log = File::create(log)?;
        Self::start_into(command.stdout(log.try_clone()?).stderr(log), address).await
    }

    /// The same with output that goes where the command says.
    ///
    /// # Errors
    ///
    /// As [`Running::start`].
    pub async fn start_into(command: &mut Command, address: SocketAddr) -> Result<Self> {
        command.stdin(Stdio::null());
        let child = command.spawn().with_context(|| format!("{command:?} can't be run"))?;
        let mut running = Self { child, address };
        let end = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = running.child.try_wait()? {
                bail!("it ended with {status} before it listened");
            }
            ensure!(Instant::now() < end, "it does not listen on {address} after {START_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(running)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        _ = Command::new("kill").args([&format!("-{name}"), &id]).status();
    }

    /// Ends it and its children at once, as a crash does.
    pub fn kill(self) {
        kill(&tree(self.child.id()).iter().map(|it| it.id).collect::<Vec<_>>());
    }

    /// What it and its children hold now.
    pub fn held(&self) -> Held {
        Held::by(self.child.id())
    }

    /// Looks at that again and again, for the most of it.
    pub async fn watch(&self, most: &mut Held) -> Infallible {
        loop {
            *most = most.max(self.held());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The CPU time that it has used so far, with its children: the server of `spin up` is one.
    pub fn cpu(&self) -> Option<Duration> {
        cpu(self.child.id())
    }
}

impl Drop for Running {
    /// Has it end, and waits until its children have ended too.
    fn drop(&mut self) {
        let ids: Vec<_> = tree(self.child.id()).iter().map(|it| it.id).collect();
        if self.has_ended() {
            return;
        }
        // Asked and not killed, since `spin up` and gunicorn have processes of their own to end.
        self.signal("TERM");
        let end = Instant::now() + STOP_LIMIT;
        let is_running = |child: &mut Child| {
            matches!(child.try_wait(), Ok(None)) || ids.iter().any(|id| !tree(*id).is_empty())
        };
        while is_running(&mut self.child) {
            if Instant::now() > end {
                kill(&ids);
                _ = self.child.wait();
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

fn kill(ids: &[u32]) {
    _ = Command::new("kill").arg("-KILL").args(ids.iter().map(u32::to_string)).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_the_command_is_called() {
        let stat = |state: &str| {
            format!("42 (a) b (c) {state} 7 42 42 0 -1 4194304 9 0 0 0 3 4 0 0 20 0 1 0 99 0 0")
        };
        let process = Process { id: 42, parent: 7, cpu: Duration::from_millis(70) };
        assert_eq!(Process::parse(42, &stat("S")), Some(process));
        assert_eq!(Process::parse(42, &stat("Z")), None);
        assert_eq!(Process::parse(42, ""), None);
    }

    #[test]
    fn of_shared_memory_a_part_is_counted() {
        let smaps = "55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:   2048 kB\nPss:   512 kB\nPss_Dirty: 4 kB\n";
        assert_eq!(pss(smaps), Some(512));
        assert_eq!(pss(""), None);
    }
}
