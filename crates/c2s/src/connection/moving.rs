//! A connection's move to the arbiter that is the home of its account: once, when it has authenticated.
//!
//! From then on the connection, its session and the home share a thread, and what they tell each other
//! never crosses from one to another.

use std::sync::Arc;

use rookery_stanza::BareJid;
use rookery_stream::Negotiation;

use super::actor::ConnectionActor;
use super::{About, Connection, Ctx, Phase};
use crate::edge::Edge;
use crate::outgoing::Outgoing;
use crate::pace::Pace;
use crate::transport::Detached;

/// A connection between two arbiters. It has authenticated and has no session yet.
#[derive(Debug)]
struct Moving {
    edge: Arc<Edge>,
    about: About,
    transport: Detached,
    negotiation: Negotiation,
    outgoing: Outgoing,
    pace: Pace,
}

// === impl Connection ===

impl Connection {
    /// The client has authenticated: the connection goes where the home of the account is.
    pub(super) fn authenticated(&mut self, account: &BareJid, ctx: &mut Ctx) {
        self.newcomer = None;
        self.login = None;
        let home = self.edge.homes.arbiter(account);
        if home == self.arbiter {
            self.receive(&[], ctx);
        } else {
            self.departure = Some(home);
            self.wake();
        }
    }

    /// The connection has begun to live on this arbiter, anew or after a move.
    pub(super) fn arrived(&mut self, ctx: &mut Ctx) {
        if self.negotiation.account().is_some() {
            self.receive(&[], ctx);
        }
    }

    /// Leaves this arbiter for another one.
    pub(super) fn depart(self, target: usize) {
        let Self {
            edge,
            about,
            transport,
            negotiation,
            outgoing,
            pace,
            ..
        } = self;
        let peer = about.peer;
        let arbiters = Arc::clone(&edge);
        let transport = match transport.detach() {
            Ok(transport) => transport,
            Err(error) => return tracing::warn!(%peer, %error, "a connection could not move"),
        };
        let moving = Moving {
            edge,
            about,
            transport,
            negotiation,
            outgoing,
            pace,
        };
        let sent = arbiters
            .arbiters
            .get(target)
            .is_some_and(|arbiter| arbiter.spawn_fn(move || moving.arrive(target)));
        if !sent {
            tracing::warn!(%peer, target, "a connection could not move: the arbiter has ended");
        }
    }
}

// === impl Moving ===

impl Moving {
    fn arrive(self, arbiter: usize) {
        let Self {
            edge,
            about,
            transport,
            negotiation,
            outgoing,
            pace,
        } = self;
        let transport = match transport.attach() {
            Ok(transport) => transport,
            Err(error) => {
                return tracing::warn!(peer = %about.peer, %error, "a connection could not move");
            }
        };
        let read = edge.clock.now();
        ConnectionActor::launch(Connection {
            edge,
            arbiter,
            about,
            transport,
            negotiation,
            newcomer: None,
            login: None,
            attached: None,
            outgoing,
            phase: Phase::Open,
            departure: None,
            pace,
            read,
            waker: None,
        });
    }
}
