//! Archives of messages: what stands in them, and how they are asked.
//!
//! [`classification`] is the one table that says what becomes of a message: archived, kept for an account
//! that is away, carbon-copied, pushed.
//!
//! This crate decides only. It does not know where messages are stored, and who is connected.

pub mod classification;

pub use classification::{Content, Copies, Push, Side, Treatment};
