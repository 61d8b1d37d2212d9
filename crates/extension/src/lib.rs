//! The points that a feature attaches to, and what it declares about itself.
//!
//! A [`Feature`] says in its [`Spec`] which standards it implements and what service discovery shall
//! announce, and attaches its handlers in `install`, nowhere else. What is built into another crate is a
//! feature too: a [`Spec`] alone. The binary lists all features once, in order; [`Registry::freeze`] makes
//! the [`Features`] that the homes of accounts work with. Service discovery, the protocol support table
//! and the DOAP file are all made from the specs, so that nothing is announced that is not there.
//!
//! The points are a closed set: [`IqHandler`] (a request to the host or to an account), [`StanzaFilter`]
//! (what clients send, what comes for an account), [`SessionEvents`] (presence of sessions),
//! [`HostHandler`] (messages to the host), [`AccountData`] (what is kept in memory for an account),
//! [`Archiving`] (with whom messages are archived), [`Waiting`] (messages that wait for a client),
//! [`AccountNode`] (a node of accounts in service discovery), [`StreamFeature`] (an element among the stream
//! features) and [`BeforeLogin`] (requests before there is an account). What a feature wants done at an account's
//! home it says in [`Order`]s. A new kind of point needs a decision record.
//!
//! This crate does not know which features there are.

mod account;
mod account_node;
mod archiving;
mod before_login;
mod features;
mod filter;
mod host;
mod host_handler;
mod iq;
mod order;
mod results;
mod session_events;
mod sessions;
mod spec;
mod stream_feature;
mod waiting;

pub use account::{AccountData, AccountView, EmptyRoster, Keep, Kept, Roster, SessionData};
pub use account_node::AccountNode;
pub use archiving::Archiving;
pub use before_login::BeforeLogin;
pub use features::{Features, Registry, RegistryError};
pub use filter::{StanzaFilter, Verdict};
pub use host::{ContactKind, Contacts, Host, Hosts};
pub use host_handler::HostHandler;
pub use iq::{Addressee, Answer, IqContext, IqHandler, IqMethod, IqRequest, Relation, Scope};
pub use order::{Order, Outcome, Question};
pub use results::{Asker, Results};
pub use session_events::{PresenceEvent, SessionEvents};
pub use sessions::{NoSessions, SessionView, Sessions};
pub use spec::{HostForm, Identity, Spec, Standard, Status};
pub use stream_feature::{Stage, StreamFeature};
pub use waiting::{Waiting, WaitingMessage};

/// A protocol feature of the server.
pub trait Feature: Send + Sync {
    /// What it implements and announces.
    fn spec(&self) -> Spec;

    /// Attaches it; the only place that does.
    fn install(self: Box<Self>, registry: &mut Registry);
}
