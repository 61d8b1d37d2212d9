//! The rookery binary: configuration, wiring, life cycle.
