//! Typed payloads that more than one feature needs.

pub mod data_form;
pub mod delay;
