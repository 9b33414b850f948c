//! Processes and their children, as Linux tells of them in /proc. Elsewhere nothing is told.

use std::fs;
use std::time::Duration;

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
}
