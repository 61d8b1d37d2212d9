//! How many series a node exposes: what it costs whoever stores them.

use std::fmt::Write;

use crate::process::Metric;

/// The metric.
pub const SERIES: Metric = Metric {
    name: "rookery_metrics_series",
    kind: "gauge",
    help: "How many series does the node expose?",
};

/// Counts the series of a text, and adds their number to it, as one of them.
pub(crate) fn append(text: &mut String) {
    let Metric { name, kind, help } = SERIES;
    let is_sample = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let count = text.lines().filter(is_sample).count() + 1;
    let lines = writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {count}"
    );
    // Writing to text cannot fail.
    lines.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_series_and_this_one_too() {
        let mut text = "# HELP a A?\n# TYPE a gauge\na{b=\"1\"} 0\na{b=\"2\"} 7\n".to_owned();
        append(&mut text);
        assert!(text.ends_with("\nrookery_metrics_series 3\n"), "{text}");
    }
}
