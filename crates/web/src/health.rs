//! What a node says about itself.

use std::sync::Arc;
use std::time::Duration;

use rookery_telemetry::{GaugeFamily, Label, Registry, SecondsFamily, label};
use tokio::time::Instant;

use crate::heartbeats::Heartbeats;

label! {
    /// The state of the node.
    pub enum State("state") {
        /// It is getting ready.
        Starting = "starting",
        /// It serves.
        Serving = "serving",
        /// It was told to end.
        Draining = "draining",
        /// It has ended.
        Stopped = "stopped",
    }
}

label! {
    /// What must be the case for the node to be ready.
    pub enum Gate("gate") {
        /// The configuration is in use.
        Config = "config",
        /// The store answers.
        Store = "store",
        /// All listeners are bound.
        Listeners = "listeners",
        /// Every host has a certificate that is valid now.
        Certificate = "certificate",
        /// The node was not told to end.
        NotDraining = "not_draining",
    }
}

label! {
    /// A part of the start.
    pub enum Phase("phase") {
        /// Loading certificates.
        Certificate = "certificate",
        /// Opening the store.
        Store = "store",
        /// Starting threads and homes.
        Runtime = "runtime",
        /// Binding the listeners.
        Listeners = "listeners",
    }
}

/// What a node says about itself. Cheap to clone; all clones are the same node's.
#[derive(Clone, Debug)]
pub struct Health {
    inner: Arc<Inner>,
}

// What the metrics show is the state: there is no second copy that could differ.
#[derive(Debug)]
struct Inner {
    state: GaugeFamily<State>,
    gates: GaugeFamily<Gate>,
    startup: SecondsFamily<Phase>,
    heartbeats: Heartbeats,
}

// === impl Health ===

impl Health {
    /// A node that is starting, with all gates shut but the one that only the end shuts.
    pub fn new(registry: &Registry, heartbeats: Heartbeats) -> Self {
        let state = registry.gauges("lifecycle_state", "Which state is the node in?");
        let gates = registry.gauges("ready", "Which readiness gate is shut?");
        let startup = registry.seconds("startup_duration_seconds", "Where did start-up time go?");
        let inner = Inner {
            state,
            gates,
            startup,
            heartbeats,
        };
        inner.state.set_only(State::Starting);
        inner.gates.of(Gate::NotDraining).set(1);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Enters a state.
    pub fn enter(&self, state: State) {
        self.inner.state.set_only(state);
        if matches!(state, State::Draining | State::Stopped) {
            self.set(Gate::NotDraining, false);
        }
    }

    /// Opens or shuts a gate.
    pub fn set(&self, gate: Gate, open: bool) {
        self.inner.gates.of(gate).set(i64::from(open));
    }

    /// Says how long a part of the start took.
    pub fn took(&self, phase: Phase, duration: Duration) {
        self.inner.startup.of(phase).set(duration);
    }

    /// The state.
    pub fn state(&self) -> State {
        let is_now = |state: &&State| self.inner.state.of(**state).get() == 1;
        State::VALUES
            .iter()
            .find(is_now)
            .copied()
            .unwrap_or(State::Starting)
    }

    /// All gates, and whether each is open.
    pub fn gates(&self) -> impl Iterator<Item = (Gate, bool)> {
        Gate::VALUES
            .iter()
            .map(|gate| (*gate, self.inner.gates.of(*gate).get() == 1))
    }

    /// Whether the node serves and every gate is open.
    pub fn is_ready(&self) -> bool {
        self.state() == State::Serving && self.gates().all(|(_, open)| open)
    }

    /// The beat of the threads.
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.inner.heartbeats
    }

    /// The threads that are blocked.
    pub fn late(&self, now: Instant) -> Vec<&str> {
        self.inner.heartbeats.late(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(&Registry::new(), Heartbeats::new([], Instant::now()))
    }

    #[tokio::test]
    async fn a_node_is_ready_when_it_serves_and_all_gates_are_open() {
        let health = health();
        health.enter(State::Serving);
        assert!(!health.is_ready());
        for gate in Gate::VALUES {
            health.set(*gate, true);
        }
        assert!(health.is_ready());
        for gate in Gate::VALUES {
            health.set(*gate, false);
            assert!(!health.is_ready(), "{gate:?} is shut");
            health.set(*gate, true);
        }
    }

    #[tokio::test]
    async fn draining_shuts_its_gate() {
        let health = health();
        health.enter(State::Draining);
        assert_eq!(health.state(), State::Draining);
        assert!(
            health
                .gates()
                .any(|gate| gate == (Gate::NotDraining, false))
        );
    }
}
