//! What holds for any bytes whatever: properties that libFuzzer tries to break, each with its corpus.
//!
//! A module is one target. Its `check` takes bytes that anybody may have made up, and panics when something does
//! not hold that has to: not only that nothing crashes, but that what is accepted says the same to whoever reads
//! it next. `fuzz/run` lets libFuzzer drive it, guided by coverage; `cargo test -p rookery-fuzz` tries the corpus,
//! in which every finding stays.

#[cfg(feature = "configuration")]
pub mod configuration;
pub mod data_form;
pub mod jid;
pub mod negotiation;
// It has a source of another crate inside, which has its tests there.
#[cfg(not(test))]
pub mod proxy_header;
pub mod records;
mod reference;
pub mod sasl;
pub mod scanner;
pub mod stanza;
pub mod stream_management;
