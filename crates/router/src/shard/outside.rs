//! The way to the components, for what the accounts of a shard send.

use rookery_delivery::{Outward, Permit};
use rookery_stanza::{PresenceType, Stanza};

use super::HomeShard;
use super::message::Content;
use crate::account::messages;

impl HomeShard {
    /// Hands a stanza to the component that serves its domain, or returns it to its sender.
    pub(super) fn hand_out(&mut self, stanza: Stanza, permit: Option<&Permit>) {
        let (permit, messages) = (permit.cloned(), messages(stanza.kind));
        self.metrics.in_flight.add(messages);
        if let Err(untaken) = self.shards.domains.deliver(Outward { stanza, permit }) {
            self.metrics.in_flight.add(-messages);
            let Outward { stanza, permit } = untaken.outward;
            self.bounce(&stanza, &untaken.why.error(), permit.as_ref());
        }
    }

    /// Hands to components what is for several of their addresses. A contact that is served by a component
    /// is asked for its presence by a stanza (RFC 6121 §4.3.1).
    pub(super) fn hand_out_all(&mut self, content: Content, permit: Option<&Permit>) {
        let (stanza, to) = match content {
            Content::One(stanza, _) => return self.hand_out(stanza, permit),
            Content::Many(stanza, to) => (stanza, to),
            Content::Probe(from, to) => (Stanza::presence(PresenceType::Probe).with_from(from), to),
        };
        for to in to {
            self.hand_out(stanza.clone().with_to(to), permit);
        }
    }
}
