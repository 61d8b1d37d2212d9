//! The nine states of a subscription (RFC 6121 Appendix A.1).

use rookery_storage::{RosterItem, Subscription};

/// The state of a contact, from the perspective of the user. An unknown contact is in the state `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    None,
    NonePendingOut,
    NonePendingIn,
    NonePendingOutIn,
    To,
    ToPendingIn,
    From,
    FromPendingOut,
    Both,
}

impl State {
    /// The state that an item is in.
    pub(super) fn of(item: Option<&RosterItem>) -> Self {
        let Some(item) = item else { return Self::None };
        match (
            item.subscription,
            item.pending_out,
            item.pending_in.is_some(),
        ) {
            (Subscription::None, false, false) => Self::None,
            (Subscription::None, true, false) => Self::NonePendingOut,
            (Subscription::None, false, true) => Self::NonePendingIn,
            (Subscription::None, true, true) => Self::NonePendingOutIn,
            (Subscription::To, _, false) => Self::To,
            (Subscription::To, _, true) => Self::ToPendingIn,
            (Subscription::From, false, _) => Self::From,
            (Subscription::From, true, _) => Self::FromPendingOut,
            (Subscription::Both, _, _) => Self::Both,
        }
    }

    /// Who receives whose presence.
    pub(super) fn subscription(self) -> Subscription {
        match self {
            Self::None | Self::NonePendingOut | Self::NonePendingIn | Self::NonePendingOutIn => {
                Subscription::None
            }
            Self::To | Self::ToPendingIn => Subscription::To,
            Self::From | Self::FromPendingOut => Subscription::From,
            Self::Both => Subscription::Both,
        }
    }

    /// The user waits for an answer of the contact.
    pub(super) fn is_pending_out(self) -> bool {
        matches!(
            self,
            Self::NonePendingOut | Self::NonePendingOutIn | Self::FromPendingOut
        )
    }

    /// The contact waits for an answer of the user.
    pub(super) fn is_pending_in(self) -> bool {
        matches!(
            self,
            Self::NonePendingIn | Self::NonePendingOutIn | Self::ToPendingIn
        )
    }

    /// The contact receives the user's presence.
    pub(super) fn has_from(self) -> bool {
        matches!(self, Self::From | Self::FromPendingOut | Self::Both)
    }

    /// The state once the contact receives the user's presence.
    pub(super) fn with_from(self) -> Self {
        match self {
            Self::None | Self::NonePendingIn | Self::From => Self::From,
            Self::NonePendingOut | Self::NonePendingOutIn | Self::FromPendingOut => {
                Self::FromPendingOut
            }
            Self::To | Self::ToPendingIn | Self::Both => Self::Both,
        }
    }

    /// The state once the contact neither receives the user's presence nor waits for it.
    pub(super) fn without_from(self) -> Self {
        match self {
            Self::None | Self::NonePendingIn | Self::From => Self::None,
            Self::NonePendingOut | Self::NonePendingOutIn | Self::FromPendingOut => {
                Self::NonePendingOut
            }
            Self::To | Self::ToPendingIn | Self::Both => Self::To,
        }
    }

    /// The state once the user neither receives the contact's presence nor waits for it.
    pub(super) fn without_to(self) -> Self {
        match self {
            Self::None | Self::NonePendingOut | Self::To => Self::None,
            Self::NonePendingIn | Self::NonePendingOutIn | Self::ToPendingIn => Self::NonePendingIn,
            Self::From | Self::FromPendingOut | Self::Both => Self::From,
        }
    }
}
