//! Archives of messages: what stands in them, and how they are asked.
//!
//! * [`classification`]: the one table that says what becomes of a message: archived, kept for an account that is
//!   away, carbon-copied, pushed;
//! * [`copied`]: which errors are carbon-copied (XEP-0280);
//! * [`query`]: how a query of an archive is answered (XEP-0313);
//! * [`tombstone`]: what stands in the place of a message that was taken back (XEP-0424);
//! * [`preferences`]: with whom an account's messages are archived (XEP-0441).
//!
//! This crate decides only. It does not know who is connected, and asks no log by itself.

pub mod classification;
pub mod copied;
pub mod preferences;
pub mod query;
pub mod tombstone;

pub use classification::{Content, Copies, Push, Side, Treatment};
pub use query::ArchiveQuery;
