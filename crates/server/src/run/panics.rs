//! What happens when a part of the program meets a mistake of its own: it is logged and counted.

use std::panic::{self, PanicHookInfo};

use rookery_telemetry::{Counter, Registry};

/// Registers the metric.
pub(super) fn describe(registry: &Registry) -> Counter {
    registry.counter(
        "panics_total",
        "How often did a part of the program fail by its own mistake?",
    )
}

/// Has every panic of the process logged, with its place, and counted.
pub(super) fn install(registry: &Registry) {
    let panics = describe(registry);
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = info.payload().downcast_ref::<&str>().copied();
        let what = text.or_else(|| info.payload().downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("(no text)");
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("(no name)");
        tracing::error!(
            place,
            what,
            thread,
            "a part of the server has failed; this is a bug"
        );
        panics.increment();
    }));
}
