//! What a process and its children use, as Linux tells it. Elsewhere nothing is told.

use std::fs;

/// What a process and all that it has started have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Microseconds of CPU, in steps of a clock tick (10,000).
    pub cpu: u64,
    /// Pages that were touched for the first time since the kernel last took them back.
    pub page_faults: u64,
    /// Bytes that are in memory now.
    pub resident: u64,
}

/// Sums up over the tree of processes below `root`, it included; `None` where there is no /proc.
pub fn usage(root: u32) -> Option<Usage> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").ok()? {
        let Ok(pid) = entry.ok()?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // Gone meanwhile.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name, in parentheses, may hold anything.
        let Some((_, fields)) = stat.rsplit_once(')') else { continue };
        // Fields from the third on ("/proc/pid/stat", proc(5)).
        let fields: Vec<u64> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        all.push((pid, fields));
    }
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(all.iter().filter(|(_, f)| f[1] == u64::from(parent)).map(|(pid, _)| *pid));
        at += 1;
    }
    let mut usage = Usage::default();
    for (_, fields) in all.iter().filter(|(pid, _)| tree.contains(pid)) {
        usage.page_faults += fields[7];
        usage.cpu += (fields[11] + fields[12]) * 10_000;
        usage.resident += fields[21] * 4096;
    }
    Some(usage)
}
