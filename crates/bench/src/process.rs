//! What the server costs, as Linux tells it: processor time and resident memory of a process and its children.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use crate::error::BenchError;

/// `USER_HZ`, the unit of times in `/proc/PID/stat` (proc(5)); 100 on all that this is built for.
const TICKS_PER_SECOND: u64 = 100;

/// A process with all of its descendants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    root: u32,
}

/// What one line of `/proc/PID/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
}

// === impl Tree ===

impl Tree {
    pub(crate) fn new(root: u32) -> Self {
        Self { root }
    }

    /// User and system time of the tree so far.
    pub(crate) fn cpu(self) -> Result<Duration, BenchError> {
        let all = self.members()?;
        let ticks: u64 = all.values().map(|stat| stat.ticks).sum();
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Resident memory of the tree, in bytes: the sum of `Rss` in `smaps_rollup`.
    pub(crate) fn memory(self) -> Result<u64, BenchError> {
        let mut bytes = 0;
        for pid in self.members()?.into_keys() {
            match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
                Ok(text) => bytes += resident(&text).unwrap_or(0),
                Err(error) if pid == self.root => return Err(BenchError::Process(pid, error)),
                // A child that has just ended.
                Err(_) => {}
            }
        }
        Ok(bytes)
    }

    fn members(self) -> Result<BTreeMap<u32, Stat>, BenchError> {
        let failed = |error| BenchError::Process(self.root, error);
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid
                && let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat"))
                && let Some(stat) = Stat::parse(&text)
            {
                all.insert(pid, stat);
            }
        }
        let members = descendants(self.root, &all);
        if members.is_empty() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        Ok(members)
    }
}

// === impl Stat ===

impl Stat {
    /// The name, in parentheses, may hold anything; the fields count from behind it (proc(5)).
    fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(field(4)?).ok()?,
            ticks: field(14)? + field(15)?,
        })
    }
}

/// The processes under `root`, and itself.
fn descendants(root: u32, all: &BTreeMap<u32, Stat>) -> BTreeMap<u32, Stat> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        if let Some(stat) = all.get(&pid)
            && found.insert(pid, *stat).is_none()
        {
            let children = all.iter().filter(|(_, stat)| stat.parent == pid);
            waiting.extend(children.map(|(child, _)| *child));
        }
    }
    found
}

fn resident(smaps: &str) -> Option<u64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_from_behind_the_name() {
        let line = "77 (a) b (c) S 12 77 77 0 -1 4194304 1 2 3 4 250 50 7 8 20 0 1 0 9 10 11";
        assert_eq!(
            Stat::parse(line),
            Some(Stat {
                parent: 12,
                ticks: 300
            })
        );
        assert_eq!(Stat::parse("77 (a"), None);
    }

    #[test]
    fn a_tree_is_a_process_and_everything_under_it() {
        let stat = |parent| Stat { parent, ticks: 1 };
        let all = BTreeMap::from([(1, stat(0)), (2, stat(1)), (3, stat(2)), (4, stat(1))]);
        let found: Vec<_> = descendants(2, &all).into_keys().collect();
        assert_eq!(found, [2, 3]);
        assert!(descendants(9, &all).is_empty());
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("x\nRss:      12 kB\nPss: 3 kB\n"), Some(12 * 1024));
        assert_eq!(resident(""), None);
    }

    #[test]
    fn this_process_can_be_observed() {
        let tree = Tree::new(std::process::id());
        assert!(tree.memory().unwrap() > 0);
        tree.cpu().unwrap();
    }
}
