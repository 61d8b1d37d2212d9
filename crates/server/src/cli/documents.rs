//! Documents that the program writes about itself: metrics, supported standards.

use std::fmt::Write;
use std::sync::Arc;

use rookery_auth::{Accounts, Authenticator, Services};
use rookery_extension::Features;
use rookery_features::support;
use rookery_lifecycle::{Clock, TaskScope};
use rookery_storage::memory::MemoryStore;
use rookery_storage::message_log::MemoryLog;
use rookery_telemetry::{Description, Kind, Registry};
use rookery_web::{SERIES, process};
use serde_json::{Value, json};

use super::exit::Failure;
use crate::config::Config;
use crate::run::{self, StartError};

const METRICS_HEAD: &str = "\
# Metrics

This page is printed by `rookery metrics reference`; do not edit it. `rookery metrics list --format json` prints
the same for programs. The metrics are read from `/metrics` of `[listener.ops]`, in the text format of Prometheus.
Every series exists, at zero, from the start; no label holds an address, a name of an account or anything else
that comes from outside. A label without values here has those of the build or the configuration: at most 32 hosts,
and `other`.

| metric | type | labels | answers |
|---|---|---|---|
";

/// One metric, whoever measures it.
struct Row {
    name: String,
    kind: &'static str,
    labels: Vec<(&'static str, Vec<&'static str>)>,
    help: &'static str,
}

/// The metrics as a document.
pub(super) fn metrics_reference() -> Result<String, Failure> {
    let mut text = METRICS_HEAD.to_owned();
    for Row {
        name,
        kind,
        labels,
        help,
    } in rows()?
    {
        let labels: Vec<String> = labels.iter().map(label_text).collect();
        let line = writeln!(
            text,
            "| `{name}` | {kind} | {} | {help} |",
            labels.join("; ")
        );
        line.unwrap_or_default();
    }
    Ok(text)
}

/// The metrics, a name a line.
pub(super) fn metrics_text() -> Result<String, Failure> {
    let mut text = String::new();
    for Row {
        name,
        kind,
        labels,
        help,
    } in rows()?
    {
        let labels: Vec<&str> = labels.iter().map(|(label, _)| *label).collect();
        let line = writeln!(text, "{name} {kind} [{}] {help}", labels.join(","));
        line.unwrap_or_default();
    }
    Ok(text)
}

/// The metrics as JSON.
pub(super) fn metrics_json() -> Result<String, Failure> {
    let rows = rows()?.into_iter().map(
        |Row {
             name,
             kind,
             labels,
             help,
         }| {
            let labels = labels
                .into_iter()
                .map(|(label, values)| (label.to_owned(), json!(values)));
            let labels = Value::Object(labels.collect());
            json!({ "name": name, "type": kind, "labels": labels, "help": help })
        },
    );
    Ok(format!("{:#}\n", Value::Array(rows.collect())))
}

/// The table of supported standards.
pub(super) fn support() -> Result<String, Failure> {
    Ok(support::support_table(features()?.specs()))
}

/// The DOAP file.
pub(super) fn doap() -> Result<String, Failure> {
    Ok(support::doap(features()?.specs()))
}

fn features() -> Result<Features, StartError> {
    // Nothing runs on it: features are asked what they are, and nothing else.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(StartError::Threads)?;
    let (config, clock, metrics) = (Config::default(), Clock::system(), Registry::new());
    let store = Arc::new(MemoryStore::new());
    let services = Services {
        store: store.clone(),
        scope: TaskScope::new("documents", runtime.handle().clone(), 1),
        clock: clock.clone(),
        registry: metrics.clone(),
        secret: [0; 32],
    };
    let authenticator = Authenticator::new(&config.auth, [], services);
    let hashing = authenticator.hashing().clone();
    let parts = rookery_features::Parts {
        clock,
        accounts: Accounts::new(&config.auth, [], store.clone(), hashing)
            .with_clients(authenticator.clients().clone()),
        store,
        log: Arc::new(MemoryLog::new()),
        archive: config.archive.clone(),
        metrics,
    };
    run::features(&config, &parts)
}

/// All metrics, in the order of their names.
fn rows() -> Result<Vec<Row>, Failure> {
    let described = |Description {
                         name,
                         kind,
                         labels,
                         help,
                     }| Row {
        name,
        kind: match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        },
        labels,
        help,
    };
    let of_process = process::METRICS.iter().chain([&SERIES]).map(|metric| Row {
        name: metric.name.to_owned(),
        kind: metric.kind,
        labels: Vec::new(),
        help: metric.help,
    });
    let mut rows: Vec<Row> = run::metrics()?.into_iter().map(described).collect();
    rows.extend(of_process);
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

fn label_text((label, values): &(&'static str, Vec<&'static str>)) -> String {
    if values.is_empty() {
        return format!("`{label}`");
    }
    format!("`{label}`: {}", values.join(", "))
}
