//! The tables of RFC 6121 Appendix A.2 and A.3.

use super::Action;
use super::state::State;

/// What a stanza of the user does (A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Whether it goes on to the contact.
    pub(super) route: bool,
    /// The state afterwards.
    pub(super) state: State,
    /// Whether it approves a request that is still to come (§3.4).
    pub(super) approves_ahead: bool,
}

/// What a stanza of the contact does (A.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Whether it is delivered to the user.
    pub(super) deliver: bool,
    /// The state afterwards.
    pub(super) state: State,
    /// What the server answers for the user.
    pub(super) reply: Option<Action>,
}

/// The user sends a stanza.
pub(super) fn sent(state: State, action: Action) -> Sent {
    let to = |route: bool, state: State| Sent {
        route,
        state,
        approves_ahead: false,
    };
    match action {
        // Table 2
        Action::Subscribe => to(
            true,
            match state {
                State::None => State::NonePendingOut,
                State::NonePendingIn => State::NonePendingOutIn,
                State::From => State::FromPendingOut,
                other => other,
            },
        ),
        // Table 3
        Action::Unsubscribe => to(true, state.without_to()),
        // Table 4
        Action::Subscribed => match state {
            State::NonePendingIn | State::NonePendingOutIn | State::ToPendingIn => {
                to(true, state.with_from())
            }
            State::None | State::NonePendingOut | State::To => Sent {
                route: false,
                state,
                approves_ahead: true,
            },
            State::From | State::FromPendingOut | State::Both => to(false, state),
        },
        // Table 5
        Action::Unsubscribed => {
            let after = state.without_from();
            to(after != state, after)
        }
    }
}

/// The contact sends a stanza.
pub(super) fn received(state: State, action: Action) -> Received {
    let to = |after: State, reply: Option<Action>| {
        let changed = after != state;
        Received {
            deliver: changed,
            state: after,
            reply: reply.filter(|_| changed),
        }
    };
    match action {
        // Table 6
        Action::Subscribe => match state {
            State::None => to(State::NonePendingIn, None),
            State::NonePendingOut => to(State::NonePendingOutIn, None),
            State::To => to(State::ToPendingIn, None),
            State::NonePendingIn | State::NonePendingOutIn | State::ToPendingIn => to(state, None),
            State::From | State::FromPendingOut | State::Both => Received {
                deliver: false,
                state,
                reply: Some(Action::Subscribed),
            },
        },
        // Table 7
        Action::Unsubscribe => to(state.without_from(), Some(Action::Unsubscribed)),
        // Table 8
        Action::Subscribed => to(
            match state {
                State::NonePendingOut => State::To,
                State::NonePendingOutIn => State::ToPendingIn,
                State::FromPendingOut => State::Both,
                other => other,
            },
            None,
        ),
        // Table 9
        Action::Unsubscribed => to(state.without_to(), None),
    }
}
