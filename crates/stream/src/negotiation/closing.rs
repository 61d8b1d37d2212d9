//! The end of a stream (RFC 6120 §4.4, §4.6, §4.9).

use std::time::Instant;

use bytes::Bytes;
use rookery_stanza::{StreamCondition, StreamError};

use super::{Negotiation, State};
use crate::effect::{Effect, Ending};
use crate::refusal::Refusal;

/// The end tag of the server's streams.
pub(super) const END: &[u8] = b"</stream:stream>";

impl Negotiation {
    /// Ends the stream with an error (§4.9.1.1). Where the server has not opened its side yet, it does so
    /// first (§4.9.1.2).
    pub(super) fn fail(&mut self, refusal: Refusal, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_ending() {
            return;
        }
        if matches!(self.state, State::Handshake) {
            return self.abandon(effects);
        }
        if self.stream.is_none() {
            self.answer_unasked(effects);
        }
        let mut out = refusal.error.to_bytes().to_vec();
        out.extend_from_slice(END);
        effects.push(Effect::Closing(refusal.ending()));
        effects.push(Effect::Send(out.into()));
        self.await_end(false, now);
    }

    /// Ends the stream without an error; the client may finish what it has to say (§4.4).
    pub(super) fn close(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_ending() {
            return;
        }
        if matches!(self.state, State::Handshake) {
            return self.abandon(effects);
        }
        if self.stream.is_none() {
            self.answer_unasked(effects);
        }
        let takes_stanzas = self.is_bound();
        effects.push(Effect::Closing(Ending::Requested));
        effects.push(Effect::Send(Bytes::from_static(END)));
        self.await_end(takes_stanzas, now);
    }

    /// The client ended its side; the server ends its own, and the connection.
    pub(super) fn peer_closed(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Closing(Ending::ByPeer));
        effects.push(Effect::Send(Bytes::from_static(END)));
        self.disconnect(effects);
    }

    /// The client reports an error; both sides end the stream (§4.9.1.1).
    pub(super) fn peer_failed(
        &mut self,
        error: StreamError,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_ending() {
            effects.push(Effect::Closing(Ending::PeerError(error)));
            effects.push(Effect::Send(Bytes::from_static(END)));
            self.await_end(false, now);
        }
    }

    /// There is no way to say anything (§5.4.3.2).
    fn abandon(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Closing(Ending::NoTls));
        self.disconnect(effects);
    }

    /// Nothing remains to be said.
    pub(super) fn disconnect(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Disconnect);
        self.state = State::Closed;
    }

    fn await_end(&mut self, takes_stanzas: bool, now: Instant) {
        self.state = State::Closing {
            deadline: now.checked_add(self.config.close_timeout()).unwrap_or(now),
            takes_stanzas,
        };
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.state {
            // §4.6.1: a space between stanzas finds out whether the connection is alive.
            State::Bound => {
                effects.push(Effect::Send(Bytes::from_static(b" ")));
                self.since = now;
            }
            // §4.4, rule 3.
            State::Closing { .. } => self.disconnect(effects),
            State::Handshake => self.abandon(effects),
            _ => self.fail(StreamCondition::ConnectionTimeout.into(), now, effects),
        }
    }
}
