//! Typed payloads that more than one feature needs.

pub mod archive;
pub mod carbon;
pub mod client_state;
pub mod data_form;
pub mod delay;
pub mod forwarded;
pub mod hint;
pub mod result_set;
pub mod retraction;
pub mod stanza_id;
#[cfg(test)]
mod tests;
