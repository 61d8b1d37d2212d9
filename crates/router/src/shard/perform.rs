//! Carrying out what an account wants done.

use std::sync::Arc;

use rookery_delivery::{
    BindRefused, BoundResource, Close, Delivery, Limit, Permit, Refusal, SessionId, SessionKey,
};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{BareJid, Condition, Jid, Kind, Stanza, StanzaError, ns};
use rookery_storage::message_log::IngressId;

use super::message::{Content, Replied};
use super::outbox::Port;
use super::{Binding, HomeShard, Todo, UNBIND_TIME};
use crate::account::{Effect, Input};
use crate::metrics::{Lost, Outcome, SessionState};

impl HomeShard {
    /// Does one thing that `account` wants done.
    pub(super) fn perform(&mut self, account: &BareJid, effect: Effect, permit: Option<&Permit>) {
        match effect {
            Effect::Deliver(session, mut delivery) => {
                // What was kept is not from just now.
                if !delivery.stanza.has(Delay::NAME, ns::DELAY) {
                    delivery.since = permit.map(Permit::since);
                }
                self.deliver(account, session, delivery);
            }
            Effect::Online(online) => {
                let change = if online { 1 } else { -1 };
                self.metrics.online(account.domain(), change);
            }
            Effect::Bound(session, bound) => self.bound(Some(account), session, bound),
            Effect::Close(session, reason) => self.close(session, reason),
            Effect::Return(session, stanza, error) => {
                if let Some(reply) = self.error_reply(&stanza, &error) {
                    self.metrics.settle(reply.kind, Outcome::Local);
                    self.deliver(account, session, reply.into());
                }
            }
            // Not before what the account was told has been handed over.
            Effect::End(reason) => self.ending.push((account.clone(), reason)),
            Effect::Expire(session) => {
                let until = self.clock.now() + UNBIND_TIME;
                self.expiring.push_back((until, account.clone(), session));
            }
            Effect::Detached(session) => self.count_as(session, SessionState::Detached),
            Effect::Resumed(session) => self.count_as(session, SessionState::Active),
            Effect::Forget(session) => self.forget(account, session),
            Effect::Confirm(rows) => self.confirm(account, rows),
            Effect::Results(request, results) => self.results(account, *request, results, permit),
            other => self.send(other, permit),
        }
    }

    /// Does one thing that is not about a session of an account of this shard.
    pub(super) fn send(&mut self, effect: Effect, permit: Option<&Permit>) {
        match effect {
            Effect::Route(stanza) => self.route(stanza, None, permit),
            Effect::PassOn(stanza, ingress) => self.route(stanza, Some(ingress), permit),
            Effect::FanOut { stanza, to } => {
                self.spread(to, permit, |to| Content::Many(stanza.clone(), to));
            }
            Effect::Probe { from, to } => {
                self.spread(to, permit, |to| Content::Probe(from.clone(), to));
            }
            Effect::Bounce(stanza, error) => self.bounce(&stanza, &error, permit),
            Effect::Later(request, future) => self.later(*request, future, permit),
            Effect::Accepted => self.metrics.accept(),
            Effect::Settled(kind, outcome) => self.settle(kind, outcome, permit),
            Effect::Limited(limit) => self.metrics.shared.exceeded(limit),
            Effect::Unreadable => {
                self.metrics.accept();
                self.metrics.lose(Lost::Decode);
            }
            Effect::Deliver(..)
            | Effect::Bound(..)
            | Effect::Close(..)
            | Effect::Online(_)
            | Effect::Return(..)
            | Effect::End(_)
            | Effect::Expire(_)
            | Effect::Detached(_)
            | Effect::Resumed(_)
            | Effect::Forget(_)
            | Effect::Confirm(_)
            | Effect::Results(..) => {}
        }
    }

    /// A stanza has left; how long it took into the store is measured, on the way to a client its session
    /// does that.
    fn settle(&self, kind: Kind, outcome: Outcome, permit: Option<&Permit>) {
        self.metrics.settle(kind, outcome);
        if let (Kind::Message(_), Outcome::Offline, Some(permit)) = (kind, outcome, permit) {
            let now = self.clock.now().into_std();
            self.metrics.shared.stored(permit.since(), now);
        }
    }

    /// Sends a stanza to the home of its recipient.
    fn route(&mut self, stanza: Stanza, ingress: Option<IngressId>, permit: Option<&Permit>) {
        match &stanza.to {
            Some(to) if self.rules.hosts.is_component(to.domain()) => {
                self.hand_out(stanza, permit);
            }
            Some(to) => {
                let home = self.shards.index_of(to);
                self.enqueue(Content::One(stanza, ingress), home, permit);
            }
            None => self.metrics.settle(stanza.kind, Outcome::Dropped),
        }
    }

    /// Sends the same to several accounts, once to each of their homes.
    fn spread(
        &mut self,
        to: Vec<Jid>,
        permit: Option<&Permit>,
        content: impl Fn(Vec<Jid>) -> Content,
    ) {
        let mut homes: Vec<Vec<Jid>> = vec![Vec::new(); self.shards.all().len()];
        let mut outside = Vec::new();
        for jid in to {
            if self.rules.hosts.is_component(jid.domain()) {
                outside.push(jid);
            } else if let Some(home) = homes.get_mut(self.shards.index_of(&jid)) {
                home.push(jid);
            }
        }
        if !outside.is_empty() {
            self.hand_out_all(content(outside), permit);
        }
        for (home, to) in homes.into_iter().enumerate() {
            if !to.is_empty() {
                self.enqueue(content(to), home, permit);
            }
        }
    }

    /// Returns a stanza to its sender with an error, unless it is one that is never answered with an error.
    pub(super) fn bounce(&mut self, stanza: &Stanza, error: &StanzaError, permit: Option<&Permit>) {
        if let Some(reply) = self.error_reply(stanza, error) {
            self.route(reply, None, permit);
        }
    }

    /// The stanza that returns another with an error, if it is one that may be answered so; counted.
    fn error_reply(&self, stanza: &Stanza, error: &StanzaError) -> Option<Stanza> {
        let Some(reply) = stanza.error_reply(error) else {
            self.metrics.settle(stanza.kind, Outcome::Dropped);
            return None;
        };
        self.metrics.settle(stanza.kind, Outcome::Bounced);
        self.metrics.shared.answered(stanza.kind, error.condition);
        if let Kind::Message(_) = reply.kind {
            self.metrics.accept();
        }
        Some(reply)
    }

    /// Answers a request when its answer is known; nothing else waits for it.
    fn later(
        &mut self,
        request: Stanza,
        future: futures_util::future::BoxFuture<'static, crate::account::Answered>,
        permit: Option<&Permit>,
    ) {
        let (shards, index) = (Arc::clone(&self.shards), self.index);
        let (asked, held) = (request.clone(), permit.cloned());
        let task = async move {
            let answer = future.await;
            shards
                .tell(
                    index,
                    Replied {
                        request: asked,
                        answer,
                        permit: held,
                    },
                )
                .await;
        };
        if self.scope.spawn("iq-answer", task).is_err() {
            self.metrics.shared.exceeded(Limit::Tasks);
            let answer = Err(Condition::ResourceConstraint.into());
            self.todo.push_back(Todo::Replied(Box::new(Replied {
                request,
                answer,
                permit: permit.cloned(),
            })));
        }
    }

    /// Puts a delivery into the outgoing batch of a session.
    fn deliver(&mut self, account: &BareJid, session: SessionId, delivery: Delivery) {
        match self.ports.get_mut(&session) {
            Some(port) => {
                if port.outgoing.is_empty() {
                    self.outbox.touched.push(session);
                }
                port.outgoing.push(delivery);
            }
            None => match self.binding.get_mut(&session) {
                Some(binding) => binding.early.push(delivery),
                None => self.give_back(account, session, vec![delivery]),
            },
        }
    }

    /// Returns deliveries for a session that is gone to its account.
    fn give_back(&mut self, account: &BareJid, session: SessionId, batch: Vec<Delivery>) {
        let refused = Input::Refused {
            session,
            why: Refusal::Gone,
            batch,
        };
        self.todo.push_back(Todo::Input(account.clone(), refused));
    }

    /// Answers a request to bind.
    pub(super) fn bound(
        &mut self,
        account: Option<&BareJid>,
        session: SessionId,
        bound: Result<BoundResource, Box<StanzaError>>,
    ) {
        let Some(binding) = self.binding.remove(&session) else {
            return;
        };
        let Binding {
            port,
            answer,
            early,
        } = binding;
        match (bound, account) {
            (Ok(bound), Some(account)) => {
                let state = SessionState::Active;
                self.metrics.session(account.domain(), state, 1);
                if !early.is_empty() {
                    self.outbox.touched.push(session);
                }
                let outgoing = early;
                self.ports.insert(
                    session,
                    Port {
                        port,
                        account: account.clone(),
                        state,
                        outgoing,
                        results: None,
                    },
                );
                if let Err(Ok(BoundResource { jid, .. })) = answer.send(Ok(bound)) {
                    // The client went while it waited.
                    let session = SessionKey { jid, id: session };
                    let unbound = Input::Unbound {
                        session,
                        undelivered: Vec::new(),
                    };
                    self.todo.push_back(Todo::Input(account.clone(), unbound));
                }
            }
            (Err(error), _) => drop(answer.send(Err(BindRefused(*error)))),
            (Ok(_), None) => {}
        }
    }

    /// Asks all sessions of an account to end, those that wait for a resource too, and has its data read
    /// again before they are used again.
    pub(super) fn close_account(&mut self, account: &BareJid, reason: Close) {
        let Some(slot) = self.slots.of(account) else {
            return;
        };
        slot.stale = true;
        let (bound, waiting) = slot.account.session_ids();
        for session in bound.into_iter().chain(waiting) {
            self.close(session, reason);
        }
    }

    /// Asks a session to end, which is bound or waits for a resource. One whose mailbox is full does not hear
    /// of it: it is asked again until it has ended.
    pub(super) fn close(&mut self, session: SessionId, reason: Close) {
        let bound = self.ports.get(&session).map(|bound| &bound.port);
        let waiting = || self.binding.get(&session).map(|waiting| &waiting.port);
        if let Some(port) = bound.or_else(waiting) {
            port.close(reason);
            self.closing.entry(session).or_insert(reason);
        }
    }

    /// A session is in this state from now on.
    fn count_as(&mut self, session: SessionId, state: SessionState) {
        if let Some(port) = self.ports.get_mut(&session) {
            let host = port.account.domain();
            self.metrics.session(host, port.state, -1);
            self.metrics.session(host, state, 1);
            port.state = state;
        }
    }

    /// A session is no longer bound.
    fn forget(&mut self, account: &BareJid, session: SessionId) {
        let Some(port) = self.ports.remove(&session) else {
            return;
        };
        self.metrics.session(account.domain(), port.state, -1);
        if !port.outgoing.is_empty() {
            self.give_back(account, session, port.outgoing);
        }
    }
}
