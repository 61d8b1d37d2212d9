//! Conformance scenes: plays that say who sends what and who receives what.
