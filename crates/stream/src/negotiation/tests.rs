//! Behaviour of whole streams.
