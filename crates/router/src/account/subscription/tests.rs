//! The tables against RFC 6121 Appendix A, row by row.

use super::Action::{self, Subscribe, Subscribed, Unsubscribe, Unsubscribed};
use super::State::{
    self, Both, From, FromPendingOut, None, NonePendingIn, NonePendingOut, NonePendingOutIn, To,
    ToPendingIn,
};
use super::{moved, table};
use crate::account::roster::blank;

/// The order of the rows in all tables.
const STATES: [State; 9] = [
    None,
    NonePendingOut,
    NonePendingIn,
    NonePendingOutIn,
    To,
    ToPendingIn,
    From,
    FromPendingOut,
    Both,
];

/// For each state: whether the stanza is routed or delivered (MUST), and the new state.
type Table = [(bool, State); 9];

fn check_sent(action: Action, table: Table) {
    for (state, (route, after)) in STATES.into_iter().zip(table) {
        let row = table::sent(state, action);
        assert_eq!(
            (row.route, row.state),
            (route, after),
            "{state:?} {action:?}"
        );
    }
}

fn check_received(action: Action, table: Table) {
    for (state, (deliver, after)) in STATES.into_iter().zip(table) {
        let row = table::received(state, action);
        assert_eq!(
            (row.deliver, row.state),
            (deliver, after),
            "{state:?} {action:?}"
        );
    }
}

#[test]
fn outbound_subscribe_follows_table_2() {
    check_sent(
        Subscribe,
        [
            (true, NonePendingOut),
            (true, NonePendingOut),
            (true, NonePendingOutIn),
            (true, NonePendingOutIn),
            (true, To),
            (true, ToPendingIn),
            (true, FromPendingOut),
            (true, FromPendingOut),
            (true, Both),
        ],
    );
}

#[test]
fn outbound_unsubscribe_follows_table_3() {
    check_sent(
        Unsubscribe,
        [
            (true, None),
            (true, None),
            (true, NonePendingIn),
            (true, NonePendingIn),
            (true, None),
            (true, NonePendingIn),
            (true, From),
            (true, From),
            (true, From),
        ],
    );
}

#[test]
fn outbound_subscribed_follows_table_4() {
    check_sent(
        Subscribed,
        [
            (false, None),
            (false, NonePendingOut),
            (true, From),
            (true, FromPendingOut),
            (false, To),
            (true, Both),
            (false, From),
            (false, FromPendingOut),
            (false, Both),
        ],
    );
    for state in STATES {
        let ahead = matches!(state, None | NonePendingOut | To);
        assert_eq!(
            table::sent(state, Subscribed).approves_ahead,
            ahead,
            "{state:?}"
        );
    }
}

#[test]
fn outbound_unsubscribed_follows_table_5() {
    check_sent(
        Unsubscribed,
        [
            (false, None),
            (false, NonePendingOut),
            (true, None),
            (true, NonePendingOut),
            (false, To),
            (true, To),
            (true, None),
            (true, NonePendingOut),
            (true, To),
        ],
    );
}

#[test]
fn inbound_subscribe_follows_table_6() {
    check_received(
        Subscribe,
        [
            (true, NonePendingIn),
            (true, NonePendingOutIn),
            (false, NonePendingIn),
            (false, NonePendingOutIn),
            (true, ToPendingIn),
            (false, ToPendingIn),
            (false, From),
            (false, FromPendingOut),
            (false, Both),
        ],
    );
    for state in STATES {
        let replies = matches!(state, From | FromPendingOut | Both).then_some(Subscribed);
        assert_eq!(
            table::received(state, Subscribe).reply,
            replies,
            "{state:?}"
        );
    }
}

#[test]
fn inbound_unsubscribe_follows_table_7() {
    check_received(
        Unsubscribe,
        [
            (false, None),
            (false, NonePendingOut),
            (true, None),
            (true, NonePendingOut),
            (false, To),
            (true, To),
            (true, None),
            (true, NonePendingOut),
            (true, To),
        ],
    );
    for state in STATES {
        let row = table::received(state, Unsubscribe);
        assert_eq!(row.reply, row.deliver.then_some(Unsubscribed), "{state:?}");
    }
}

#[test]
fn inbound_subscribed_follows_table_8() {
    check_received(
        Subscribed,
        [
            (false, None),
            (true, To),
            (false, NonePendingIn),
            (true, ToPendingIn),
            (false, To),
            (false, ToPendingIn),
            (false, From),
            (true, Both),
            (false, Both),
        ],
    );
}

#[test]
fn inbound_unsubscribed_follows_table_9() {
    check_received(
        Unsubscribed,
        [
            (false, None),
            (true, None),
            (false, NonePendingIn),
            (true, NonePendingIn),
            (true, None),
            (true, NonePendingIn),
            (false, From),
            (true, From),
            (true, From),
        ],
    );
}

#[test]
fn every_state_survives_in_an_item() {
    for state in STATES {
        let mut item = blank(rookery_stanza::BareJid::parse("romeo@example.net").unwrap());
        item.pending_in = Some(Vec::new());
        assert_eq!(State::of(Some(&moved(item, state))), state);
    }
}
