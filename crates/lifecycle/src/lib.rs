//! What a part of the server is given to live: a clock, a scope for its tasks, the signal to drain, sockets to accept
//! connections on, and measures of how much somebody may do.
//!
//! Nothing here is global: every part gets its own handles through its constructor, so that several
//! nodes can live in one process.

mod address_limiter;
mod clock;
mod drain;
mod listening;
mod network;
mod scope;
mod token_bucket;

pub use address_limiter::AddressLimiter;
pub use clock::Clock;
pub use drain::{Drain, DrainSignal};
pub use listening::{Accepting, ListenError, accepted};
pub use network::Network;
pub use scope::{ScopeClosed, TaskScope};
pub use token_bucket::{Rate, TokenBucket};
