//! What it is to hand over a stanza.
//!
//! Sessions and the homes of accounts do not know each other; they meet at the two ports of this crate:
//! [`SessionPort`] (a home hands stanzas to a session) and [`Homes`] (a session hands stanzas to the home
//! of its account). A hand-over never blocks and never loses: it is accepted, or refused by name with
//! everything given back. What is for a component is handed to its [`Domains`], and comes in by an
//! [`Inlet`]. [`Credit`] lets a sender pay attention to what it has in flight, [`Budget`]
//! bounds what may wait for a slow reader. What both sides measure together is in [`Metrics`].
//!
//! This crate does not know actors, sockets, the store or the routing table.

mod budget;
mod credit;
mod domain;
mod home;
mod metrics;
mod session;
mod settlement;

pub use budget::Budget;
pub use credit::{Credit, Load, Permit};
pub use domain::{Domains, Inlet, NoDomains, Outward, Unreached, Untaken};
pub use home::{BindRefused, BindRequest, BindTerms, BoundResource, Homes, Overloaded};
pub use metrics::{ErrorCondition, Limit, Metrics, Path, StanzaKind};
pub use session::{Close, Custody, Delivery, Refusal, Refused, SessionId, SessionKey, SessionPort};
pub use settlement::Settlements;
