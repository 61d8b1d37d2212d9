//! What the kernel says about the process: the `process_*` metrics by which every Prometheus client
//! library describes its process. Read from `/proc` at each scrape.

use std::fmt::Write;
use std::fs;

/// A metric of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// What question it answers.
    pub help: &'static str,
}

const CPU: Metric = Metric {
    name: "process_cpu_seconds_total",
    kind: "counter",
    help: "How much processor time was used, by user and system together?",
};
const RESIDENT: Metric = Metric {
    name: "process_resident_memory_bytes",
    kind: "gauge",
    help: "How much memory is in use?",
};
const VIRTUAL: Metric = Metric {
    name: "process_virtual_memory_bytes",
    kind: "gauge",
    help: "How much address space is mapped?",
};
const THREADS: Metric = Metric {
    name: "process_threads",
    kind: "gauge",
    help: "How many threads are there?",
};
const OPEN_FILES: Metric = Metric {
    name: "process_open_fds",
    kind: "gauge",
    help: "How many files and sockets are open?",
};
const MOST_FILES: Metric = Metric {
    name: "process_max_fds",
    kind: "gauge",
    help: "How many may be open?",
};
const STARTED: Metric = Metric {
    name: "process_start_time_seconds",
    kind: "gauge",
    help: "When did the process start, in seconds since 1970?",
};

/// All of them.
pub const METRICS: [Metric; 7] = [
    CPU, MOST_FILES, OPEN_FILES, RESIDENT, STARTED, THREADS, VIRTUAL,
];

/// Linux counts processor time in hundredths of a second on every architecture that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// The text of all metrics that the kernel gives.
pub fn render() -> String {
    let mut text = String::new();
    let mut write = |metric: Metric, value: Option<f64>| {
        let Metric { name, kind, help } = metric;
        if let Some(value) = value {
            let lines = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            );
            // Writing to text cannot fail.
            lines.unwrap_or_default();
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    write(
        CPU,
        Some(ticks(&stat, 14))
            .zip(ticks(&stat, 15))
            .and_then(|(a, b)| Some(a? + b)),
    );
    write(MOST_FILES, most_files());
    write(OPEN_FILES, open_files());
    write(RESIDENT, kibibytes(&status, "VmRSS:"));
    write(
        STARTED,
        ticks(&stat, 22)
            .zip(boot())
            .map(|(since_boot, boot)| boot + since_boot),
    );
    write(THREADS, field(&status, "Threads:"));
    write(VIRTUAL, kibibytes(&status, "VmSize:"));
    text
}

/// Field `number` of `/proc/self/stat`, counted from 1 as in proc(5), in seconds. The second field is a
/// name in parentheses, which may hold anything.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let value: f64 = after_name
        .split_whitespace()
        .nth(number.checked_sub(3)?)?
        .parse()
        .ok()?;
    Some(value / TICKS_PER_SECOND)
}

/// When the machine started, in seconds since 1970.
fn boot() -> Option<f64> {
    field(&fs::read_to_string("/proc/stat").ok()?, "btime")
}

fn open_files() -> Option<f64> {
    let count = u32::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
    Some(f64::from(count))
}

fn most_files() -> Option<f64> {
    field(
        &fs::read_to_string("/proc/self/limits").ok()?,
        "Max open files",
    )
}

fn kibibytes(status: &str, name: &str) -> Option<f64> {
    field(status, name).map(|kibibytes| kibibytes * 1024.0)
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_gives_every_metric_of_the_list() {
        let text = render();
        for metric in METRICS {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{} ", metric.name)));
            let value = line
                .and_then(|line| line.split(' ').nth(1))
                .unwrap_or_default();
            assert!(
                value.parse::<f64>().is_ok_and(|value| value >= 0.0),
                "{metric:?}: {text}"
            );
        }
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4 0 0 0 0 250 50 0 0 20 0 1 0 900 0";
        assert_eq!(ticks(stat, 14), Some(2.5));
        assert_eq!(ticks(stat, 22), Some(9.0));
        assert_eq!(ticks("", 14), None);
    }
}
