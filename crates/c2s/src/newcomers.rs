//! How much newcomers may do before those who are logged in have their turn.
//!
//! A TLS handshake keeps a processor busy for as long as a hundred messages do, and in a storm of logins there
//! are many of them at once. On each arbiter the connections that are not authenticated share an allowance. When
//! it is used up they wait, in the order in which they came, until all connections of the arbiter that are
//! ready have run and the sockets have been asked what arrived. So a stanza waits for one share of newcomers'
//! work at most, however many newcomers there are; and they go on, however busy the others are.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix::fut::wrap_future;
use actix::{Actor, ArbiterHandle, AsyncContext, Context};
use rookery_telemetry::{Counter, Registry};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::task::yield_now;

/// What newcomers may do in one pass over an arbiter's connections, in small reads: less than half a millisecond.
const ALLOWANCE: u32 = 16;
/// An exchange of keys in small reads.
const KEY_EXCHANGE: u32 = 8;

/// The newcomers of all arbiters.
#[derive(Debug)]
pub(crate) struct Newcomers {
    /// By arbiter.
    shares: Vec<Arc<Share>>,
    waits: Counter,
}

/// One read of a newcomer, by what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Keys are exchanged and signed.
    KeyExchange,
    /// A few elements are read and answered, or a handshake is finished.
    Small,
}

/// The turn of a newcomer that has to wait for it.
pub(crate) type Turn = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The allowance of the newcomers on one arbiter.
#[derive(Debug)]
struct Share {
    /// What is left of it in this pass.
    left: Semaphore,
    /// What was used of it in this pass.
    used: AtomicUsize,
    /// A new pass is wanted, since nothing is left or too little.
    exhausted: Notify,
    is_exhausted: AtomicBool,
}

/// Gives newcomers their allowance back, a pass after it was exhausted. It lives on the arbiter.
struct Usher(Arc<Share>);

// === impl Newcomers ===

impl Newcomers {
    /// Starts an usher on each arbiter.
    pub(crate) fn new(arbiters: &[ArbiterHandle], registry: &Registry) -> Self {
        let start = |arbiter: &ArbiterHandle| {
            let share = Arc::new(Share::new());
            let usher = Usher(Arc::clone(&share));
            Usher::start_in_arbiter(arbiter, |_| usher);
            share
        };
        Self {
            shares: arbiters.iter().map(start).collect(),
            waits: registry.counter(
                "newcomer_waits_total",
                "How often did a login wait, so that those who are logged in had their turn?",
            ),
        }
    }

    /// `None` when a newcomer on this arbiter may go on at once; else it may when the turn has come.
    pub(crate) fn wait(&self, arbiter: usize, step: Step) -> Option<Turn> {
        let share = self.shares.get(arbiter)?;
        if share.admits(step) {
            return None;
        }
        self.waits.increment();
        Some(Box::pin(Arc::clone(share).turn(step)))
    }
}

impl Drop for Newcomers {
    fn drop(&mut self) {
        for share in &self.shares {
            share.left.close();
            share.exhausted.notify_one();
        }
    }
}

// === impl Step ===

impl Step {
    fn cost(self) -> u32 {
        match self {
            Self::KeyExchange => KEY_EXCHANGE,
            Self::Small => 1,
        }
    }
}

// === impl Share ===

impl Share {
    fn new() -> Self {
        Self {
            left: Semaphore::new(ALLOWANCE as usize),
            used: AtomicUsize::new(0),
            exhausted: Notify::new(),
            is_exhausted: AtomicBool::new(false),
        }
    }

    fn admits(&self, step: Step) -> bool {
        let permit = self.left.try_acquire_many(step.cost());
        permit.is_ok_and(|permit| {
            self.use_up(permit);
            true
        })
    }

    /// Waits behind those who came before.
    async fn turn(self: Arc<Self>, step: Step) {
        self.exhaust();
        // It is not closed as long as there are connections.
        if let Ok(permit) = self.left.acquire_many(step.cost()).await {
            self.use_up(permit);
        }
    }

    /// As long as somebody waits, nothing is left: whoever has a turn then asks for the next pass.
    fn use_up(&self, permit: SemaphorePermit<'_>) {
        self.used.fetch_add(permit.num_permits(), Ordering::Relaxed);
        permit.forget();
        if self.left.available_permits() == 0 {
            self.exhaust();
        }
    }

    fn exhaust(&self) {
        if !self.is_exhausted.swap(true, Ordering::Relaxed) {
            self.exhausted.notify_one();
        }
    }

    /// Begins a new pass whenever one is wanted.
    async fn usher(self: Arc<Self>) {
        while !self.left.is_closed() {
            self.exhausted.notified().await;
            // Everybody who is ready runs before this goes on, and then the sockets are asked.
            yield_now().await;
            self.is_exhausted.store(false, Ordering::Relaxed);
            self.left.add_permits(self.used.swap(0, Ordering::Relaxed));
        }
    }
}

// === impl Usher ===

impl Actor for Usher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(wrap_future(Arc::clone(&self.0).usher()));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures_util::future::join_all;
    use tokio::task::LocalSet;

    use super::*;

    type Log = Rc<RefCell<String>>;

    async fn newcomer(share: Arc<Share>, steps: Vec<Step>, name: char, log: Log) {
        for step in steps {
            if !share.admits(step) {
                Arc::clone(&share).turn(step).await;
            }
            log.borrow_mut().push(name);
        }
    }

    /// One that is always ready.
    async fn session(share: Arc<Share>, log: Log) {
        while !share.left.is_closed() {
            log.borrow_mut().push('.');
            yield_now().await;
        }
    }

    /// Newcomers that make these steps, beside a session: in which order they run.
    async fn history(newcomers: Vec<Vec<Step>>) -> String {
        let (share, log) = (Arc::new(Share::new()), Log::default());
        let arbiter = LocalSet::new();
        arbiter.spawn_local(Arc::clone(&share).usher());
        arbiter.spawn_local(session(Arc::clone(&share), Rc::clone(&log)));
        let start = |(steps, name)| {
            arbiter.spawn_local(newcomer(Arc::clone(&share), steps, name, Rc::clone(&log)))
        };
        let newcomers: Vec<_> = newcomers.into_iter().zip('a'..).map(start).collect();
        arbiter.run_until(join_all(newcomers)).await;
        log.take()
    }

    #[tokio::test]
    async fn after_two_handshakes_every_session_that_is_ready_runs() {
        let history = history(vec![vec![Step::KeyExchange; 3]; 4]).await;
        let handshakes = history.matches(char::is_alphabetic).count();
        assert_eq!(handshakes, 12, "{history}");
        let turns = history.split('.');
        let most = turns.map(str::len).max();
        assert_eq!(most, Some(2), "{history}");
    }

    #[tokio::test]
    async fn newcomers_have_their_turns_in_the_order_in_which_they_came() {
        let history = history(vec![vec![Step::KeyExchange; 2]; 3]).await;
        let order = history.replace('.', "");
        // The first one had its second turn before the others asked.
        assert_eq!(order, "aabcbc", "{history}");
    }

    #[tokio::test]
    async fn small_steps_share_a_pass() {
        let history = history(vec![vec![Step::Small; 20]; 4]).await;
        let turns: Vec<_> = history.split('.').map(str::len).collect();
        assert_eq!(turns.iter().sum::<usize>(), 80, "{history}");
        let most = turns.iter().max().copied();
        assert_eq!(most, Some(ALLOWANCE as usize), "{history}");
    }

    #[tokio::test]
    async fn who_goes_while_it_waits_takes_nothing_along() {
        let share = Arc::new(Share::new());
        assert!(share.admits(Step::KeyExchange) && share.admits(Step::KeyExchange));
        let mut gone = Box::pin(Arc::clone(&share).turn(Step::KeyExchange));
        let waits = Box::pin(Arc::clone(&share).turn(Step::Small));
        assert!(futures_util::poll!(&mut gone).is_pending());
        drop(gone);
        tokio::select! {
            () = Arc::clone(&share).usher() => {}
            () = waits => {}
        }
    }
}
