//! The way in for what components send, and back to senders for what they did not get.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use rookery_delivery::{Inlet, Outward, Permit};
use rookery_stanza::{Condition, Kind, Stanza, StanzaError};

use crate::account::messages;
use crate::decide::{Destination, decide};
use crate::homes::Router;
use crate::metrics::{Mailbox, Outcome, Queue};
use crate::shard::{Content, Hop, Parcel};

/// For each shard, what is on its way there.
type Hops = Vec<Vec<Parcel>>;

impl Router {
    /// Where a stanza from outside goes: to a home of ours, to another component, or back.
    fn pass_in(&self, stanza: Stanza, permit: Option<&Permit>, hops: &mut Hops) {
        let Some(to) = &stanza.to else {
            return self.metrics.settle(stanza.kind, Outcome::Dropped);
        };
        match decide(to, &self.hosts) {
            Destination::Account | Destination::Host(_) => {
                let home = self.shards.index_of(to);
                if let Some(hop) = hops.get_mut(home) {
                    hop.push(parcel(stanza, permit));
                }
            }
            Destination::Component => self.hand_out(stanza, permit, hops),
            Destination::Remote => {
                let error = Condition::RemoteServerNotFound.into();
                self.bounce(&stanza, &error, permit, hops);
            }
        }
    }

    fn hand_out(&self, stanza: Stanza, permit: Option<&Permit>, hops: &mut Hops) {
        let (permit, messages) = (permit.cloned(), messages(stanza.kind));
        self.metrics.in_flight.add(messages);
        if let Err(untaken) = self.shards.domains.deliver(Outward { stanza, permit }) {
            self.metrics.in_flight.add(-messages);
            let Outward { stanza, permit } = untaken.outward;
            self.bounce(&stanza, &untaken.why.error(), permit.as_ref(), hops);
        }
    }

    /// Returns a stanza to its sender with an error, unless it is one that is never answered with an error.
    fn bounce(
        &self,
        stanza: &Stanza,
        error: &StanzaError,
        permit: Option<&Permit>,
        hops: &mut Hops,
    ) {
        let Some(reply) = stanza.error_reply(error) else {
            return self.metrics.settle(stanza.kind, Outcome::Dropped);
        };
        self.metrics.settle(stanza.kind, Outcome::Bounced);
        self.metrics.shared.answered(stanza.kind, error.condition);
        if let Kind::Message(_) = reply.kind {
            self.metrics.accept();
        }
        self.pass_in(reply, permit, hops);
    }

    /// Sends each shard its batch. What a full mailbox refuses goes back to the component.
    fn send(&self, hops: Hops) {
        for (shard, hop) in self.shards.all().iter().zip(hops) {
            if hop.is_empty() {
                continue;
            }
            let waiting = self.metrics.waiting.of(Mailbox::Shard);
            waiting.add(1);
            let hop = Hop(hop);
            let messages = hop.messages();
            self.metrics.in_flight.add(messages);
            let Err(error) = shard.try_send(hop) else {
                continue;
            };
            waiting.add(-1);
            self.metrics.in_flight.add(-messages);
            self.metrics.rejected.of(Queue::Shard).increment();
            let error_to_sender = Condition::ResourceConstraint.into();
            for Parcel { content, permit } in error.into_inner().0 {
                if let Content::One(stanza, _) = content {
                    // The sender is a component: nothing of this is for a shard.
                    let mut none = Hops::new();
                    self.bounce(&stanza, &error_to_sender, permit.as_ref(), &mut none);
                }
            }
        }
    }

    fn hops(&self) -> Hops {
        let shards = self.shards.all();
        shards.iter().map(|_| Vec::new()).collect()
    }
}

impl Inlet for Router {
    fn submit(&self, batch: Vec<Stanza>, permit: Permit) {
        let mut hops = self.hops();
        for stanza in batch {
            if let Kind::Message(_) = stanza.kind {
                self.metrics.accept();
            }
            self.pass_in(stanza, Some(&permit), &mut hops);
        }
        self.send(hops);
    }

    fn written(&self, kind: Kind) {
        self.metrics.in_flight.add(-messages(kind));
        self.metrics.settle(kind, Outcome::Component);
    }

    fn returned(&self, batch: Vec<Outward>) -> BoxFuture<'static, ()> {
        let mut hops = self.hops();
        let error = rookery_delivery::Unreached::Unread.error();
        for Outward { stanza, permit } in batch {
            self.metrics.in_flight.add(-messages(stanza.kind));
            self.bounce(&stanza, &error, permit.as_ref(), &mut hops);
        }
        let (shards, in_flight) = (Arc::clone(&self.shards), self.metrics.in_flight.clone());
        async move {
            let sent = hops.into_iter().enumerate();
            let sent = sent.filter(|(_, hop)| !hop.is_empty());
            let tell = |(index, hop)| {
                let hop = Hop(hop);
                in_flight.add(hop.messages());
                shards.tell(index, hop)
            };
            join_all(sent.map(tell)).await;
        }
        .boxed()
    }
}

fn parcel(stanza: Stanza, permit: Option<&Permit>) -> Parcel {
    Parcel {
        content: Content::One(stanza, None),
        permit: permit.cloned(),
    }
}
