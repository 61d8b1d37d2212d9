//! Runs, and what they have shown.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::folder;
use crate::traffic::PAYLOAD;

/// How often the disk is asked beside a run: seldom enough not to be a burden.
const ASIDE: Duration = Duration::from_millis(10);

/// What a run has shown.
pub(crate) struct Measured {
    pub(crate) messages: u64,
    pub(crate) time: Duration,
    /// In microseconds.
    pub(crate) delays: Histogram<u64>,
    pub(crate) spent: Spent,
}

/// What this process has spent.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) cpu_milliseconds: u64,
    pub(crate) bytes_written: u64,
}

impl Spent {
    pub(crate) fn until_now() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let stat = read("/proc/self/stat");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|word| word.parse::<u64>().ok()).sum();
        let io = read("/proc/self/io");
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        Self {
            cpu_milliseconds: ticks * 10,
            bytes_written: written
                .and_then(|word| word.parse().ok())
                .unwrap_or_default(),
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu_milliseconds: self.cpu_milliseconds - before.cpu_milliseconds,
            bytes_written: self.bytes_written - before.bytes_written,
        }
    }
}

/// Room for delays in microseconds.
pub(crate) fn delays() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("a histogram")
}

/// The time that has passed, in microseconds.
pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: u64) -> String {
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}

/// Has this many callers append one message after the other.
pub(crate) async fn closed(at_once: usize, time: Duration, append: impl AsyncFn()) -> Measured {
    let before = Spent::until_now();
    let delays = RefCell::new(delays());
    let started = Instant::now();
    let caller = async || {
        while started.elapsed() < time {
            let asked = Instant::now();
            append().await;
            delays.borrow_mut().saturating_record(micros(asked));
        }
    };
    join_all((0..at_once).map(|_| caller())).await;
    Measured::of(delays.into_inner(), started, before)
}

/// Appends at a steady rate, whatever becomes of those before. A delay counts from when the append was due until its
/// answer; what comes `afterwards` is not counted.
pub(crate) async fn steady<T: 'static>(
    rate: u64,
    time: Duration,
    append: impl AsyncFn() -> T + 'static,
    afterwards: impl AsyncFn(T) + 'static,
) -> Measured {
    let before = Spent::until_now();
    let delays = Rc::new(RefCell::new(delays()));
    let work = Rc::new((append, afterwards));
    let started = Instant::now();
    let tasks = tokio::task::LocalSet::new();
    let all = u64::try_from(time.as_millis()).unwrap_or_default() * rate / 1000;
    let pace = async {
        for number in 0..all {
            let due = started + Duration::from_micros(number * 1_000_000 / rate);
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            let (delays, work) = (Rc::clone(&delays), Rc::clone(&work));
            tokio::task::spawn_local(async move {
                let answer = (work.0)().await;
                delays.borrow_mut().saturating_record(micros(due));
                (work.1)(answer).await;
            });
        }
    };
    tasks.run_until(pace).await;
    tasks.await;
    let delays = delays.borrow().clone();
    Measured::of(delays, started, before)
}

impl Measured {
    fn of(delays: Histogram<u64>, started: Instant, before: Spent) -> Self {
        Self {
            messages: delays.len(),
            time: started.elapsed(),
            delays,
            spent: Spent::until_now().since(before),
        }
    }
}

/// The bare disk: makes a small write durable, in a file that was written before.
struct Disk {
    _folder: TempDir,
    file: File,
    record: Vec<u8>,
    place: Cell<u64>,
}

impl Disk {
    const ALL: u64 = 16 << 20;

    fn new() -> Self {
        let folder = folder();
        let file = File::create(folder.path().join("file")).expect("a file");
        let zeros = vec![0; 1 << 20];
        for place in (0..Self::ALL).step_by(zeros.len()) {
            file.write_all_at(&zeros, place).expect("room");
        }
        file.sync_all().expect("a disk");
        Self {
            _folder: folder,
            file,
            record: vec![b'x'; 2 * PAYLOAD],
            place: Cell::new(0),
        }
    }

    fn sync(&self) {
        let length = self.record.len() as u64;
        let place = self.place.get();
        self.file.write_all_at(&self.record, place).expect("room");
        self.file.sync_data().expect("a disk");
        self.place.set((place + length) % (Self::ALL - length));
    }
}

/// What the disk itself needs to make a small write durable.
pub(crate) async fn disk(time: Duration) -> Measured {
    let disk = Disk::new();
    closed(1, time, async || disk.sync()).await
}

/// Asks the disk now and then what it needs itself, while something else is measured.
pub(crate) struct Beside {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Histogram<u64>>,
}

impl Beside {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (disk, mut delays) = (Disk::new(), delays());
            while !seen.load(Ordering::Acquire) {
                let asked = Instant::now();
                disk.sync();
                // As if the disk had been asked meanwhile as well: whoever comes in a long delay waits for its rest.
                let period = u64::try_from(ASIDE.as_micros()).unwrap_or(1);
                delays.record_correct(micros(asked), period).expect("room");
                std::thread::park_timeout(ASIDE);
            }
            delays
        });
        Self { stop, thread }
    }

    /// In microseconds.
    pub(crate) fn end(self) -> Histogram<u64> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("a thread that ends")
    }
}
