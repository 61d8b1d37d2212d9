//! A ring of accounts in which each changes its status again when all its contacts have seen the last one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::BenchError;
use crate::latency::Latency;
use crate::ledger::{Balance, Ledger};
use crate::options::Command;
use crate::report::Report;
use crate::session::Session;
use crate::stage::{Stage, Window};
use crate::stamp::Stamp;

/// What the receivers tell a sender.
#[derive(Debug, Default)]
struct Seen {
    /// How often one of its statuses was seen by one of its contacts.
    count: AtomicU64,
    changed: Notify,
}

/// One account at work.
struct Member {
    stage: Stage,
    window: Window,
    session: Session,
    index: u32,
    ring: Arc<[Seen]>,
    sent: u64,
    done: u64,
    books: HashMap<u32, Ledger>,
    latency: Latency,
}

/// What an account found.
struct Found {
    index: u32,
    sent: u64,
    done: u64,
    books: HashMap<u32, Ledger>,
    latency: Latency,
    session: Session,
}

pub(super) async fn run(stage: &Stage, command: &Command) -> Result<Report, BenchError> {
    let users = command.options.users;
    let (mut sessions, _) = stage.log_in(0..users).await?;
    for session in &mut sessions {
        session.output.extend_from_slice(b"<presence/>");
        session.flush().await?;
    }
    sleep(Duration::from_secs(command.options.settle)).await;
    let ring: Arc<[Seen]> = (0..users).map(|_| Seen::default()).collect();
    let window = stage.window();
    let mut tasks = JoinSet::new();
    for (index, session) in (0..).zip(sessions) {
        let member = Member {
            stage: stage.clone(),
            window,
            session,
            index,
            ring: ring.clone(),
            sent: 0,
            done: 0,
            books: HashMap::new(),
            latency: Latency::new(),
        };
        tasks.spawn(member.run());
    }
    let used = stage.measure(window).await?;
    let mut all = Vec::new();
    while let Some(found) = tasks.join_next().await {
        all.push(found??);
    }
    all.sort_unstable_by_key(|found| found.index);
    let (balance, latency) = close(stage, &all);
    let done: u64 = all.iter().map(|found| found.done).sum();
    if balance.received == 0 {
        return Err(BenchError::Unprepared(
            "no status reached a contact; `rookery bench rosters` makes the accounts contacts of each other",
        ));
    }
    stage
        .leave(all.into_iter().map(|found| found.session).collect())
        .await?;
    let report = Report::new(command, "deliveries", done, used);
    Ok(report.with_latency(&latency).with_balance(balance))
}

/// Closes the books of each account on each of its contacts.
fn close(stage: &Stage, all: &[Found]) -> (Balance, Latency) {
    let mut balance = Balance::default();
    let mut latency = Latency::new();
    let sent = |index: u32| {
        let found = usize::try_from(index).ok().and_then(|index| all.get(index));
        found.map_or(0, |found| found.sent)
    };
    let nothing = Ledger::default();
    for found in all {
        latency.add(&found.latency);
        for contact in stage.options().neighbours(found.index) {
            let ledger = found.books.get(&contact).unwrap_or(&nothing);
            balance.add(ledger.close(sent(contact)));
        }
    }
    (balance, latency)
}

// === impl Member ===

impl Member {
    async fn run(mut self) -> Result<Found, BenchError> {
        let contacts = u64::from(self.stage.options().contacts);
        let ring = self.ring.clone();
        let place = usize::try_from(self.index).ok();
        let Some(own) = place.and_then(|place| ring.get(place)) else {
            return Err(BenchError::Options("there is no such account"));
        };
        loop {
            let now = Instant::now();
            let seen = own.count.load(Ordering::Acquire);
            if now < self.window.until && seen >= self.sent * contacts {
                self.put(now);
                self.session.flush().await?;
            }
            // The others may still have something under way for a while.
            if now >= self.window.patience {
                return Ok(self.into_found());
            }
            tokio::select! {
                filled = self.session.fill() => filled?,
                () = own.changed.notified() => {}
                () = sleep_until(self.window.patience) => {}
            }
            self.take()?;
        }
    }

    fn put(&mut self, now: Instant) {
        let out = &mut self.session.output;
        out.extend_from_slice(b"<presence><status>");
        let stamp = Stamp {
            run: self.stage.run,
            sender: self.index,
            number: self.sent,
            nanoseconds: self.stage.nanoseconds(now),
        };
        stamp.write(out);
        out.extend_from_slice(b"</status></presence>");
        self.sent += 1;
    }

    /// Enters what has come, and tells the senders.
    fn take(&mut self) -> Result<(), BenchError> {
        let Self {
            stage,
            window,
            index,
            ring,
            books,
            latency,
            done,
            ..
        } = self;
        let contacts = u64::from(stage.options().contacts);
        let now = Instant::now();
        let before = *done;
        self.session.stanzas(|stanza| {
            let stamp = Stamp::find(stanza, b"<status>", stage.run);
            let stamp = stamp.filter(|stamp| stamp.sender != *index);
            let Some(stamp) = stamp else { return Ok(()) };
            books.entry(stamp.sender).or_default().receive(stamp.number);
            if window.contains(now) {
                *done += 1;
                latency.record(stage.since(stamp.nanoseconds, now));
            }
            let place = usize::try_from(stamp.sender).ok();
            if let Some(sender) = place.and_then(|place| ring.get(place)) {
                let count = sender.count.fetch_add(1, Ordering::AcqRel) + 1;
                if count.is_multiple_of(contacts) {
                    sender.changed.notify_one();
                }
            }
            Ok(())
        })?;
        stage.progress.count(*done - before);
        Ok(())
    }

    fn into_found(self) -> Found {
        Found {
            index: self.index,
            sent: self.sent,
            done: self.done,
            books: self.books,
            latency: self.latency,
            session: self.session,
        }
    }
}
