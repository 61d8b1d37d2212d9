//! What a part of the server is given to live: a clock, a scope for its tasks, and the signal to drain.
//!
//! Nothing here is global: every part gets its own handles through its constructor, so that several
//! nodes can live in one process.

mod clock;
mod drain;
mod scope;

pub use clock::Clock;
pub use drain::{Drain, DrainSignal};
pub use scope::{ScopeClosed, TaskScope};
