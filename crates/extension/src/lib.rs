//! The points that a feature attaches to, and what it declares about itself.
//!
//! A [`Feature`] says in its [`Spec`] which standards it implements and what service discovery shall
//! announce, and attaches its handlers in `install`, nowhere else. What is built into another crate is a
//! feature too: a [`Spec`] alone. The binary lists all features once, in order; [`Registry::freeze`] makes
//! the [`Features`] that the homes of accounts work with. Service discovery, the protocol support table
//! and the DOAP file are all made from the specs, so that nothing is announced that is not there.
//!
//! The points are a closed set: [`IqHandler`] (a request to the host or to an account) and
//! [`StreamFeature`] (an element among the stream features). A new kind of point needs a decision
//! record.
//!
//! This crate does not know which features there are.

mod features;
mod host;
mod iq;
mod spec;
mod stream_feature;

pub use features::{Features, Registry, RegistryError};
pub use host::{ContactKind, Contacts, Host, Hosts};
pub use iq::{Addressee, Answer, IqContext, IqHandler, IqMethod, IqRequest, Relation, Scope};
pub use spec::{HostForm, Identity, Spec, Standard, Status};
pub use stream_feature::{Stage, StreamFeature};

/// A protocol feature of the server.
pub trait Feature: Send + Sync {
    /// What it implements and announces.
    fn spec(&self) -> Spec;

    /// Attaches it; the only place that does.
    fn install(self: Box<Self>, registry: &mut Registry);
}
