//! What a run found: a table for people, JSON for machines.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::error::BenchError;
use crate::latency::{Latency, Percentiles};
use crate::ledger::Balance;
use crate::options::{Command, Options, Scenario};

/// What a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario.
    pub scenario: &'static str,
    /// How the scenario was made, where it has options of its own.
    pub detail: String,
    /// The options.
    pub options: Options,
    /// What is counted: `messages`, `logins`, …
    pub unit: &'static str,
    /// How many of them were done while it was measured.
    pub done: u64,
    /// Seconds that were measured.
    pub seconds: f64,
    /// `done` a second.
    pub per_second: f64,
    /// How long one took, in milliseconds.
    pub latency_ms: Option<Percentiles>,
    /// How late the generator itself was in an open loop, in milliseconds.
    pub generator_late_ms: Option<Percentiles>,
    /// Processor time of the server while it was measured, in milliseconds for 1000 of them.
    pub server_cpu_ms_per_1000: Option<f64>,
    /// Processor time of the generator, likewise.
    pub generator_cpu_ms_per_1000: Option<f64>,
    /// Resident memory of the server, where that was asked for.
    pub memory: Option<Memory>,
    /// Resident memory of the server while clients are away, where that was asked for.
    pub away: Option<Away>,
    /// The books of the whole run, warm-up and end included, where stanzas are numbered.
    pub balance: Option<Balance>,
}

/// Resident memory of the server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Bytes before the sessions came.
    pub before: u64,
    /// Bytes while they were there.
    pub with_sessions: u64,
    /// Bytes after they had gone.
    pub after: u64,
    /// Bytes for each session.
    pub per_session: u64,
}

/// Resident memory of the server, in bytes, as clients lose their connections.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Away {
    /// Before the sessions came.
    pub before: u64,
    /// While they were connected.
    pub connected: u64,
    /// When the connections were lost.
    pub lost: u64,
    /// When messages waited for them besides.
    pub full: u64,
    /// For each session that waits for its client.
    pub per_session: u64,
    /// For each message that waits.
    pub per_message: u64,
}

/// What was used while it was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) time: Duration,
    pub(crate) server: Option<Duration>,
    pub(crate) generator: Duration,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(command: &Command, unit: &'static str, done: u64, used: Used) -> Self {
        let per_1000 = |time: Duration| (done > 0).then(|| time.as_secs_f64() * 1e6 / float(done));
        let seconds = used.time.as_secs_f64();
        let detail = match command.scenario {
            Scenario::Chat {
                rate: Some(rate),
                body,
                ..
            } => {
                format!("open loop, {rate}/s, bodies of {body} bytes")
            }
            Scenario::Chat {
                in_flight, body, ..
            } => {
                format!("closed loop, {in_flight} in flight, bodies of {body} bytes")
            }
            Scenario::Presence => format!("{} contacts", command.options.contacts),
            _ => String::new(),
        };
        Self {
            scenario: command.scenario.name(),
            detail,
            options: command.options.clone(),
            unit,
            done,
            seconds,
            per_second: if seconds > 0.0 {
                float(done) / seconds
            } else {
                0.0
            },
            latency_ms: None,
            generator_late_ms: None,
            server_cpu_ms_per_1000: used.server.and_then(per_1000),
            generator_cpu_ms_per_1000: per_1000(used.generator),
            memory: None,
            away: None,
            balance: None,
        }
    }

    pub(crate) fn with_latency(mut self, latency: &Latency) -> Self {
        self.latency_ms = latency.percentiles();
        self
    }

    pub(crate) fn with_balance(mut self, balance: Balance) -> Self {
        self.balance = Some(balance);
        self
    }

    /// Whether nothing was lost, repeated, reordered or refused.
    pub fn is_clean(&self) -> bool {
        self.balance.is_none_or(|balance| balance.is_clean())
    }

    /// For machines.
    pub fn json(&self) -> Result<String, BenchError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut rows = vec![
            (
                "scenario",
                format!("{} {}", self.scenario, self.detail)
                    .trim()
                    .to_owned(),
            ),
            ("against", self.against()),
            (
                self.unit,
                format!(
                    "{} in {:.2} s, {:.0}/s",
                    self.done, self.seconds, self.per_second
                ),
            ),
        ];
        let times = [
            ("latency", self.latency_ms),
            ("generator late", self.generator_late_ms),
        ];
        for (name, times) in times {
            if let Some(Percentiles {
                p50,
                p99,
                p999,
                max,
            }) = times
            {
                let text = format!(
                    "p50 {p50:.3} ms, p99 {p99:.3} ms, p99.9 {p999:.3} ms, max {max:.3} ms"
                );
                rows.push((name, text));
            }
        }
        self.costs(&mut rows);
        let mut table = String::new();
        for (name, text) in rows {
            // A string takes everything.
            writeln!(table, "{name:<15} {text}").unwrap_or_default();
        }
        table
    }

    /// What the server and the generator used, and what became of the stanzas.
    fn costs(&self, rows: &mut Vec<(&'static str, String)>) {
        if let Some(cpu) = self.server_cpu_ms_per_1000 {
            rows.push(("server CPU", format!("{cpu:.2} ms per 1000 {}", self.unit)));
        }
        if let Some(cpu) = self.generator_cpu_ms_per_1000 {
            rows.push((
                "generator CPU",
                format!("{cpu:.2} ms per 1000 {}", self.unit),
            ));
        }
        if let Some(away) = self.away {
            let (session, message) = (float(away.per_session) / 1024.0, away.per_message);
            rows.push((
                "away",
                format!("{session:.1} KiB a session, {message} bytes a message"),
            ));
        }
        if let Some(memory) = self.memory {
            let Memory {
                before,
                with_sessions,
                after,
                per_session,
            } = memory;
            let [before, with, after] =
                [before, with_sessions, after].map(|bytes| float(bytes) / 1_048_576.0);
            let each = float(per_session) / 1024.0;
            rows.push(("memory", format!("{each:.1} KiB a session")));
            rows.push((
                "",
                format!(
                    "{before:.1} MiB before, {with:.1} MiB with, {after:.1} MiB after the sessions"
                ),
            ));
        }
        if let Some(Balance {
            sent,
            received,
            lost,
            repeated,
            reordered,
            refused,
        }) = self.balance
        {
            rows.push(("sent", sent.to_string()));
            rows.push(("received", received.to_string()));
            let faults = format!(
                "{lost} lost, {repeated} repeated, {reordered} reordered, {refused} refused"
            );
            rows.push(("faults", faults));
        }
    }

    fn against(&self) -> String {
        let Options {
            server,
            domain,
            mode,
            mechanism,
            users,
            ..
        } = &self.options;
        format!(
            "{domain} at {server}, {mode:?}, {}, {users} accounts",
            mechanism.name()
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "it is for reading, and 2^53 is far away"
)]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let command = Command {
            scenario: Scenario::Chat {
                in_flight: 10,
                rate: None,
                body: 100,
            },
            options: Options::default(),
        };
        let used = Used {
            time: Duration::from_secs(2),
            server: Some(Duration::from_millis(60)),
            generator: Duration::from_millis(30),
        };
        let balance = Balance {
            sent: 10,
            received: 9,
            lost: 1,
            ..Balance::default()
        };
        let mut latency = Latency::new();
        latency.record(Duration::from_millis(1));
        Report::new(&command, "messages", 10_000, used)
            .with_balance(balance)
            .with_latency(&latency)
    }

    #[test]
    fn costs_are_told_for_each_thousand() {
        let report = report();
        assert_eq!(report.server_cpu_ms_per_1000, Some(6.0));
        assert!((report.per_second - 5_000.0).abs() < 1e-9);
        assert!(!report.is_clean());
    }

    #[test]
    fn people_see_what_was_lost_and_machines_too_and_nobody_the_password() {
        let report = report();
        let table = report.table();
        assert!(
            table.contains("1 lost, 0 repeated, 0 reordered, 0 refused"),
            "{table}"
        );
        assert!(table.contains("p99.9"), "{table}");
        let json = report.json().unwrap();
        assert!(
            json.contains("\"lost\": 1") && json.contains("\"p999\""),
            "{json}"
        );
        assert!(!json.contains("password"), "{json}");
    }
}
