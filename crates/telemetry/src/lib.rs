//! The metric registry, label types and logging set-up.
