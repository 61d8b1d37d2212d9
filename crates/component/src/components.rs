//! The components that are configured, connected or not: who has which queue.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;
use rookery_delivery::{Domains, Outward, Unreached, Untaken};
use rookery_stanza::Kind;
use rookery_telemetry::Registry;

use crate::config::Listener;
use crate::metrics::{Direction, Metrics, Returned};
use crate::queue::{ConnectionId, Queue, Room};
use crate::secret::Secret;
use crate::stream::Directory;

/// A component as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its domain, prepared.
    pub name: String,
    /// What it proves to know.
    pub secret: Secret,
}

/// All components. Cheap to clone.
#[derive(Clone)]
pub struct Components {
    inner: Arc<Inner>,
}

struct Inner {
    by_name: BTreeMap<String, Component>,
    metrics: Metrics,
    connections: AtomicU64,
}

struct Component {
    secret: Mutex<Secret>,
    link: Mutex<Link>,
}

/// A component's queue, and how its connection is woken.
struct Link {
    queue: Queue,
    waker: Option<Waker>,
}

// === impl Components ===

impl Components {
    /// These components, none of them connected.
    pub fn new(
        credentials: impl IntoIterator<Item = Credentials>,
        limits: &Listener,
        registry: &Registry,
    ) -> Self {
        let room = Room {
            stanzas: limits.queue_stanzas,
            bytes: limits.queue_bytes,
        };
        let component = |credentials: Credentials| {
            let link = Mutex::new(Link {
                queue: Queue::new(room),
                waker: None,
            });
            let secret = Mutex::new(credentials.secret);
            (credentials.name, Component { secret, link })
        };
        let by_name: BTreeMap<_, _> = credentials.into_iter().map(component).collect();
        let names: Vec<&str> = by_name.keys().map(String::as_str).collect();
        let metrics = Metrics::register(registry, &names);
        Self {
            inner: Arc::new(Inner {
                by_name,
                metrics,
                connections: AtomicU64::new(0),
            }),
        }
    }

    /// From now on components prove to know these secrets; streams that are open stay. How many are other ones than
    /// before. Who is not named keeps his, and a name that is not known is passed over.
    pub fn change_secrets(&self, credentials: impl IntoIterator<Item = Credentials>) -> usize {
        let changed = credentials
            .into_iter()
            .filter(|Credentials { name, secret }| {
                let component = self.inner.by_name.get(name);
                component.is_some_and(|component| {
                    let mut known = component.secret.lock();
                    let before = std::mem::replace(&mut *known, secret.clone());
                    before != *secret
                })
            });
        changed.count()
    }

    /// Their domains.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.by_name.keys().map(String::as_str)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// A name for a connection.
    pub(crate) fn next_id(&self) -> ConnectionId {
        ConnectionId(self.inner.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// A connection has proved to be this component's. An older one learns of it, and is told `conflict`;
    /// whether there is one.
    pub(crate) fn take_over(&self, component: &str, connection: ConnectionId) -> bool {
        let replaced = self.with(component, |link| {
            let replaced = link.queue.take_over(connection);
            link.wake();
            replaced.is_some()
        });
        let replaced = replaced.unwrap_or_default();
        self.metrics().connected.of(component).get(()).set(1);
        if replaced {
            self.metrics().replaced.of(component).get(()).increment();
        }
        replaced
    }

    /// Whether the connection is still the component's; if it is, it is woken when there is something to
    /// write, or when a newer one takes its place.
    pub(crate) fn owns(&self, component: &str, connection: ConnectionId, waker: &Waker) -> bool {
        let owns = self.with(component, |link| {
            let owns = link.queue.owner() == Some(connection);
            if owns
                && !link
                    .waker
                    .as_ref()
                    .is_some_and(|known| known.will_wake(waker))
            {
                link.waker = Some(waker.clone());
            }
            owns
        });
        owns.unwrap_or_default()
    }

    /// Writes what waits for the component to the end of its connection's buffer; `false` when nothing
    /// waits, or the connection is not the component's any more.
    pub(crate) fn write(
        &self,
        component: &str,
        connection: ConnectionId,
        before: u64,
        buffer: &mut Vec<u8>,
        piece: usize,
    ) -> bool {
        let wrote = self.with(component, |link| {
            let writes = link.queue.owner() == Some(connection) && !link.queue.is_empty();
            if writes {
                link.queue.write(before, buffer, piece);
            }
            writes
        });
        wrote.unwrap_or_default()
    }

    /// The connection has written this many bytes in all: what is through.
    pub(crate) fn written(
        &self,
        component: &str,
        connection: ConnectionId,
        bytes: u64,
    ) -> Vec<Kind> {
        let through = self.with(component, |link| {
            let owns = link.queue.owner() == Some(connection);
            let through = owns.then(|| link.queue.written(bytes));
            self.measure(component, &link.queue);
            through.unwrap_or_default()
        });
        let through = through.unwrap_or_default();
        for kind in &through {
            self.metrics().passed(component, Direction::Out, *kind);
        }
        through
    }

    /// The connection has ended: what its component did not get, unless a newer connection has it.
    pub(crate) fn leave(&self, component: &str, connection: ConnectionId) -> Vec<Outward> {
        let left = self.with(component, |link| {
            if link.queue.owner() != Some(connection) {
                return Vec::new();
            }
            let left = link.queue.abandon();
            link.waker = None;
            self.measure(component, &link.queue);
            self.metrics().connected.of(component).get(()).set(0);
            left
        });
        let left = left.unwrap_or_default();
        let lost = self.metrics().returned.of(component);
        for _ in &left {
            lost.of(Returned::ConnectionLost).increment();
        }
        left
    }

    fn with<T>(&self, component: &str, act: impl FnOnce(&mut Link) -> T) -> Option<T> {
        let component = self.inner.by_name.get(component)?;
        Some(act(&mut component.link.lock()))
    }

    fn measure(&self, component: &str, queue: &Queue) {
        let bytes = i64::try_from(queue.bytes()).unwrap_or(i64::MAX);
        self.metrics().queued.of(component).get(()).set(bytes);
    }
}

impl Domains for Components {
    fn deliver(&self, outward: Outward) -> Result<(), Box<Untaken>> {
        let absent = |outward| {
            let why = Unreached::Absent;
            Err(Box::new(Untaken { outward, why }))
        };
        let to = outward.stanza.to.as_ref();
        let Some((name, component)) =
            to.and_then(|to| self.inner.by_name.get_key_value(to.domain()))
        else {
            return absent(outward);
        };
        let returned = self.metrics().returned.of(name);
        let mut link = component.link.lock();
        if link.queue.owner().is_none() {
            returned.of(Returned::Absent).increment();
            return absent(outward);
        }
        if !link.queue.has_room(outward.stanza.size()) {
            returned.of(Returned::QueueFull).increment();
            let why = Unreached::Unread;
            return Err(Box::new(Untaken { outward, why }));
        }
        let was_empty = link.queue.is_empty();
        link.queue.push(outward);
        self.measure(name, &link.queue);
        if was_empty {
            link.wake();
        }
        Ok(())
    }
}

impl Directory for Components {
    fn secret(&self, component: &str) -> Option<Secret> {
        let component = self.inner.by_name.get(component)?;
        Some(component.secret.lock().clone())
    }
}

impl fmt::Debug for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

// === impl Link ===

impl Link {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
