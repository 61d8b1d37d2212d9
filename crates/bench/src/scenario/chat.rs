//! Pairs of accounts: one sends numbered messages, the other keeps the books.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::accounts;
use crate::error::BenchError;
use crate::latency::Latency;
use crate::ledger::{Balance, Ledger};
use crate::options::{Command, Scenario};
use crate::report::Report;
use crate::session::Session;
use crate::stage::{Stage, Window};
use crate::stamp::{self, Stamp};

/// How late a timer may wake the generator without that being held against the server: timers are as
/// exact as a millisecond.
const TIMER: Duration = Duration::from_millis(2);

/// When a pair sends.
#[derive(Clone, Copy, Debug)]
enum Loop {
    /// As many messages are under way at any time.
    Closed(u32),
    /// One each time this has passed.
    Open(Duration),
}

/// One pair at work.
struct Pair {
    stage: Stage,
    window: Window,
    sender: Session,
    receiver: Session,
    head: Vec<u8>,
    padding: usize,
    sent: u64,
    refused: u64,
    ledger: Ledger,
    found: Found,
}

/// What a pair found.
struct Found {
    done: u64,
    latency: Latency,
    late: Latency,
    balance: Balance,
}

pub(super) async fn run(stage: &Stage, command: &Command) -> Result<Report, BenchError> {
    let Scenario::Chat {
        in_flight,
        rate,
        body,
    } = command.scenario
    else {
        return Err(BenchError::Options("chat is another scenario"));
    };
    let pairs = command.options.users / 2;
    let (sessions, _) = stage.log_in(0..pairs * 2).await?;
    let mut sessions = sessions.into_iter();
    let kind = rate.map_or(Loop::Closed(in_flight), |rate| {
        Loop::Open(Duration::from_secs(1) * pairs / rate)
    });
    let mut ready = Vec::new();
    let window = stage.window();
    for index in 0..pairs {
        let (Some(sender), Some(receiver)) = (sessions.next(), sessions.next()) else {
            break;
        };
        ready.push(Pair::new(
            stage,
            window,
            [sender, receiver],
            index * 2 + 1,
            body,
        ));
    }
    let mut tasks = JoinSet::new();
    for (place, pair) in (0..).zip(ready) {
        tasks.spawn(pair.run(kind, place, pairs));
    }
    let used = stage.measure(window).await?;
    let mut sum = Found::new();
    while let Some(found) = tasks.join_next().await {
        sum.add(&found??);
    }
    let report = Report::new(command, "messages", sum.done, used);
    let mut report = report.with_latency(&sum.latency).with_balance(sum.balance);
    report.generator_late_ms = sum.late.percentiles();
    Ok(report)
}

// === impl Pair ===

impl Pair {
    fn new(stage: &Stage, window: Window, pair: [Session; 2], to: u32, body: u32) -> Self {
        let [sender, receiver] = pair;
        let jid = accounts::jid(stage.options(), to);
        Self {
            head: format!("<message to='{jid}' type='chat'><body>").into_bytes(),
            padding: usize::try_from(body)
                .unwrap_or(0)
                .saturating_sub(stamp::LENGTH),
            stage: stage.clone(),
            window,
            sender,
            receiver,
            sent: 0,
            refused: 0,
            ledger: Ledger::default(),
            found: Found::new(),
        }
    }

    async fn run(mut self, kind: Loop, place: u32, pairs: u32) -> Result<Found, BenchError> {
        for session in [&mut self.sender, &mut self.receiver] {
            session.output.extend_from_slice(b"<presence/>");
            session.flush().await?;
        }
        match kind {
            Loop::Closed(in_flight) => self.closed(u64::from(in_flight)).await?,
            Loop::Open(period) => self.open(period, period * place / pairs.max(1)).await?,
        }
        self.rest().await?;
        self.found.balance = self.ledger.close(self.sent);
        self.found.balance.refused = self.refused;
        let options = self.stage.options();
        self.sender.leave(options).await?;
        self.receiver.leave(options).await?;
        Ok(self.found)
    }

    /// Sends a message for each that has come.
    async fn closed(&mut self, in_flight: u64) -> Result<(), BenchError> {
        loop {
            let now = Instant::now();
            if now >= self.window.until {
                return Ok(());
            }
            while self.sent < self.ledger.received() + self.refused + in_flight {
                self.put(now);
            }
            self.sender.flush().await?;
            self.read(self.window.until).await?;
        }
    }

    /// Sends a message whenever one is due, whatever has come.
    async fn open(&mut self, period: Duration, delay: Duration) -> Result<(), BenchError> {
        let mut due = Instant::now() + delay;
        while due < self.window.until {
            self.read(due).await?;
            let now = Instant::now();
            while due <= now {
                let late = now - due;
                if self.window.contains(now) {
                    self.found.late.record(late);
                }
                self.put(if late > TIMER { due } else { now });
                due += period;
            }
            self.sender.flush().await?;
        }
        Ok(())
    }

    /// Waits for what is still under way.
    async fn rest(&mut self) -> Result<(), BenchError> {
        while self.ledger.received() + self.refused < self.sent
            && Instant::now() < self.window.patience
        {
            self.read(self.window.patience).await?;
        }
        Ok(())
    }

    /// Appends the next message, which counts as sent at `at`.
    fn put(&mut self, at: Instant) {
        let out = &mut self.sender.output;
        out.extend_from_slice(&self.head);
        let stamp = Stamp {
            run: self.stage.run,
            sender: 0,
            number: self.sent,
            nanoseconds: self.stage.nanoseconds(at),
        };
        stamp.write(out);
        out.resize(out.len() + self.padding, b'x');
        out.extend_from_slice(b"</body></message>");
        self.sent += 1;
    }

    /// Waits for something to come to one of the two, and enters it.
    async fn read(&mut self, deadline: Instant) -> Result<(), BenchError> {
        tokio::select! {
            biased;
            filled = self.receiver.fill() => filled?,
            filled = self.sender.fill() => filled?,
            () = sleep_until(deadline) => return Ok(()),
        }
        let Self {
            stage,
            window,
            ledger,
            found,
            refused,
            ..
        } = self;
        let now = Instant::now();
        let before = found.done;
        self.receiver.stanzas(|stanza| {
            if let Some(stamp) = Stamp::find(stanza, b"<body>", stage.run) {
                ledger.receive(stamp.number);
                if window.contains(now) {
                    found.done += 1;
                    found.latency.record(stage.since(stamp.nanoseconds, now));
                }
            }
            Ok(())
        })?;
        self.sender.stanzas(|stanza| {
            *refused += u64::from(stanza.starts_with(b"<message"));
            Ok(())
        })?;
        stage.progress.count(found.done - before);
        Ok(())
    }
}

// === impl Found ===

impl Found {
    fn new() -> Self {
        Self {
            done: 0,
            latency: Latency::new(),
            late: Latency::new(),
            balance: Balance::default(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.latency.add(&other.latency);
        self.late.add(&other.late);
        self.balance.add(other.balance);
    }
}
