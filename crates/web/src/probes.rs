//! What each probe answers. A probe depends on nothing outside of the process.

use rookery_telemetry::{Label, Registry};
use tokio::time::Instant;

use crate::health::{Health, State};
use crate::{process, series};

/// An answer: whether all is well, and a text for whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) well: bool,
    pub(crate) text: String,
}

/// All metrics.
pub(crate) fn metrics(registry: &Registry) -> String {
    let mut text = registry.render();
    text.push_str(&process::render());
    series::append(&mut text);
    text
}

/// Whether the process works at all; if not, it is to be killed and started again. No thread is
/// blocked.
pub(crate) fn live(health: &Health, now: Instant) -> Answer {
    let late = health.late(now);
    if late.is_empty() {
        return Answer {
            well: true,
            text: "alive\n".to_owned(),
        };
    }
    Answer {
        well: false,
        text: format!("blocked: {}\n", late.join(", ")),
    }
}

/// Whether the start is over.
pub(crate) fn started(health: &Health) -> Answer {
    let state = health.state();
    Answer {
        well: state != State::Starting,
        text: format!("{}\n", state.value()),
    }
}

/// Whether clients may be sent here.
pub(crate) fn ready(health: &Health, verbose: bool) -> Answer {
    let well = health.is_ready();
    let mut lines: Vec<String> = Vec::new();
    if verbose {
        lines.push(format!("state {}", health.state().value()));
    }
    for (gate, open) in health.gates() {
        match (verbose, open) {
            (true, true) => lines.push(format!("gate {} open", gate.value())),
            (_, false) => lines.push(format!("gate {} shut", gate.value())),
            (false, true) => {}
        }
    }
    lines.push(if well { "ready\n" } else { "not ready\n" }.to_owned());
    Answer {
        well,
        text: lines.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::Gate;
    use crate::heartbeats::Heartbeats;

    fn health() -> Health {
        let heartbeats = Heartbeats::new(["arbiter-0".to_owned()], Instant::now());
        Health::new(&Registry::new(), heartbeats)
    }

    #[tokio::test(start_paused = true)]
    async fn liveness_names_the_blocked_thread() {
        let health = health();
        assert!(live(&health, Instant::now()).well);
        tokio::time::advance(Duration::from_secs(16)).await;
        let answer = live(&health, Instant::now());
        assert_eq!(
            answer,
            Answer {
                well: false,
                text: "blocked: arbiter-0\n".to_owned()
            }
        );
    }

    #[tokio::test]
    async fn readiness_names_the_gates_that_are_shut() {
        let health = health();
        health.enter(State::Serving);
        for gate in [Gate::Config, Gate::Listeners, Gate::Certificate] {
            health.set(gate, true);
        }
        let answer = ready(&health, false);
        assert_eq!(answer.text, "gate store shut\nnot ready\n");
        assert!(ready(&health, true).text.contains("gate config open\n"));
        health.set(Gate::Store, true);
        assert_eq!(
            ready(&health, false),
            Answer {
                well: true,
                text: "ready\n".to_owned()
            }
        );
    }

    #[tokio::test]
    async fn the_start_is_over_once_the_node_serves() {
        let health = health();
        assert!(!started(&health).well);
        health.enter(State::Serving);
        assert!(started(&health).well);
        health.enter(State::Draining);
        assert!(started(&health).well, "a node that drains has started");
    }
}
