//! The message log: a stream for each account's archive, and what is owed beside it.
//!
//! * `record.rs` is a row as it is stored, `place.rs` where it lies;
//! * `append.rs` appends, `owed.rs` reads what is owed and confirms, `archive.rs` reads the archive, `counting.rs` counts its rows, `retention.rs`
//!   takes rows out of it;

mod append;
mod archive;
mod counting;
mod owed;
mod place;
mod port;
mod record;
mod retention;
