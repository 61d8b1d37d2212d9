//! How the server is, window by window: memory, descriptors, the time that a message takes.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use rookery_testkit::Server;

/// Memory may grow by this share, and by this much, between the windows after the warm-up.
const GROWTH: f64 = 1.05;
const GROWTH_KIB: f64 = 6.0 * 1024.0;
/// The time of a message may grow by this factor, and by this much: others use the machine too.
const SLOWER: f64 = 3.0;
const SLOWER_MS: f64 = 50.0;

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    sent: Cell<u64>,
    heard: Cell<u64>,
    attacks: Cell<u64>,
    visits: Cell<u64>,
    /// How long the messages of the current window took.
    took: RefCell<Vec<Duration>>,
    windows: RefCell<Vec<Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    resident_kib: f64,
    p99_ms: f64,
}

// === impl Vitals ===

impl Vitals {
    pub(crate) fn sent(&self) {
        self.sent.set(self.sent.get() + 1);
    }

    pub(crate) fn heard(&self, took: Duration) {
        self.heard.set(self.heard.get() + 1);
        self.took.borrow_mut().push(took);
    }

    pub(crate) fn attacked(&self) {
        self.attacks.set(self.attacks.get() + 1);
    }

    pub(crate) fn visited(&self) {
        self.visits.set(self.visits.get() + 1);
    }

    /// How many descriptors a process has open.
    #[expect(clippy::unused_self, reason = "it is one of the vitals")]
    pub(crate) fn descriptors(&self, pid: u32) -> usize {
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count()
    }

    /// Writes down so many windows, each of this length, and prints them.
    pub(crate) async fn watch(&self, server: &Server, length: Duration, windows: u32) {
        println!(
            "window\tRSS KiB\tfds\tsessions\tmessages\tp50 ms\tp99 ms\tmax ms\tvisits\tattacks"
        );
        for number in 1..=windows {
            tokio::time::sleep(length).await;
            let mut took = self.took.take();
            took.sort_unstable();
            let window = Window {
                resident_kib: resident_kib(server.pid()),
                p99_ms: quantile_ms(&took, 99),
            };
            let sessions = server.metric("rookery_sessions").await.unwrap().unwrap();
            println!(
                "{number}\t{}\t{}\t{sessions}\t{}\t{:.2}\t{:.2}\t{:.2}\t{}\t{}",
                window.resident_kib,
                self.descriptors(server.pid()),
                took.len(),
                quantile_ms(&took, 50),
                window.p99_ms,
                quantile_ms(&took, 100),
                self.visits.get(),
                self.attacks.get(),
            );
            self.windows.borrow_mut().push(window);
        }
    }

    /// Whoever talked was heard, and the others did what they are for.
    pub(crate) fn assert_all_heard(&self) {
        assert_eq!(self.sent, self.heard);
        assert!(self.sent.get() > 0 && self.visits.get() > 0 && self.attacks.get() > 0);
    }

    /// The second half of the windows after the warm-up is like the first.
    pub(crate) fn assert_steady(&self, warm_up: usize) {
        let windows = self.windows.borrow();
        let windows = &windows[warm_up..];
        let (early, late) = windows.split_at(windows.len() / 2);
        let memory = |windows: &[Window]| median(windows, |it| it.resident_kib);
        let (before, after) = (memory(early), memory(late));
        assert!(
            after <= before * GROWTH + GROWTH_KIB,
            "{before} KiB became {after} KiB"
        );
        let p99 = |windows: &[Window]| median(windows, |it| it.p99_ms);
        let (before, after) = (p99(early), p99(late));
        assert!(
            after <= before * SLOWER + SLOWER_MS,
            "{before} ms became {after} ms"
        );
    }
}

fn median(windows: &[Window], of: impl Fn(&Window) -> f64) -> f64 {
    let mut values: Vec<_> = windows.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The time below which so many of a hundred are.
fn quantile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted
        .get(index)
        .map_or(0.0, |took| took.as_secs_f64() * 1000.0)
}

fn resident_kib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
