//! Presence subscriptions (RFC 6121 §3): the states and tables of Appendix A, and what follows from them.

mod received;
mod sent;
mod state;
mod table;
#[cfg(test)]
mod tests;

use rookery_stanza::PresenceType;
use rookery_storage::RosterItem;

use state::State;

/// The four types of presence that manage subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

impl Action {
    fn of(kind: PresenceType) -> Option<Self> {
        match kind {
            PresenceType::Subscribe => Some(Self::Subscribe),
            PresenceType::Subscribed => Some(Self::Subscribed),
            PresenceType::Unsubscribe => Some(Self::Unsubscribe),
            PresenceType::Unsubscribed => Some(Self::Unsubscribed),
            _ => None,
        }
    }
}

/// The item as it is in a new state; a request that no longer waits is dropped.
fn moved(item: RosterItem, state: State) -> RosterItem {
    RosterItem {
        subscription: state.subscription(),
        pending_out: state.is_pending_out(),
        pending_in: item.pending_in.filter(|_| state.is_pending_in()),
        ..item
    }
}

/// Whether clients see a difference between two versions of an item: it was changed in a way that makes a
/// roster push (§2.6.3).
fn is_visible(before: Option<&RosterItem>, after: &RosterItem) -> bool {
    let visible = |item: &RosterItem| {
        item.listed
            .then_some((item.subscription, item.pending_out, item.approved))
    };
    before.and_then(visible) != visible(after)
}
