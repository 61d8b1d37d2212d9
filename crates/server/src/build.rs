//! Which program this is.

use rookery_telemetry::Registry;

/// The version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The revision of the source, or `unknown`.
pub(crate) const REVISION: &str = env!("BUILD_REVISION");
/// The compiler.
pub(crate) const COMPILER: &str = env!("BUILD_RUSTC_VERSION");

/// One line for people.
pub(crate) fn line() -> String {
    format!("rookery {VERSION} (revision {REVISION}, {COMPILER})")
}

/// Says it among the metrics.
pub(crate) fn register(registry: &Registry) {
    let labels = [
        ("version", VERSION),
        ("revision", REVISION),
        ("rustc", COMPILER),
    ];
    registry.info("build_info", "What runs where?", &labels);
}
