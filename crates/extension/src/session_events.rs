//! The extension point for what happens to the sessions of an account.

use rookery_stanza::{Jid, Stanza, StanzaError};
use rookery_xml::Element;

use crate::account::AccountView;
use crate::order::Order;

/// A session broadcast presence, or lost it.
#[derive(Clone, Copy, Debug)]
pub struct PresenceEvent<'a> {
    /// The session's full JID.
    pub session: &'a Jid,
    /// Its presence: available or unavailable, as the client sent it or the server on its behalf.
    pub stanza: &'a Stanza,
    /// Whether the session was not available before.
    pub initial: bool,
}

/// Follows the sessions of an account.
pub trait SessionEvents: Send + Sync + 'static {
    /// Presence was broadcast. The view shows the account afterwards: not available when it was the last
    /// resource that became unavailable.
    fn presence(&self, _event: PresenceEvent<'_>, _account: AccountView<'_>) -> Vec<Order> {
        Vec::new()
    }

    /// The client of a session answered the [`Question`](crate::Question) with this tag, which may be one of
    /// another feature.
    fn answered(
        &self,
        _session: &Jid,
        _tag: &str,
        _answer: &Result<Option<Element>, StanzaError>,
        _account: AccountView<'_>,
    ) -> Vec<Order> {
        Vec::new()
    }
}
