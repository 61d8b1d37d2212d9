//! A message that goes into the account's log first: whatever it causes leaves when its row is durable.
//!
//! The row of a message that the account sends is durable before the message goes on to its recipient; the row of one
//! that comes for it, before a client gets it. What leaves then was planned before: later stanzas wait behind it, so
//! that the order of the log is the order in which everybody sees the messages.

use bytes::Bytes;
use rookery_archive::{Side, Treatment};
use rookery_delivery::{Limit, SessionId};
use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_stanza::{BareJid, Condition, Jid, RowId, Stanza};
use rookery_storage::message_log::{IngressId, NewMessage, NewRow, Origin, Purpose};

use super::effect::{Change, Effect, Effects, Step, Write};
use super::{Account, Scene, Standing, durable};
use crate::metrics::Outcome;

/// A message to append to the account's log, and what happens then.
#[derive(Debug)]
pub(crate) struct Append {
    /// The message, without an id of the account's.
    stanza: Stanza,
    ingress: IngressId,
    /// When it was received, in unix milliseconds.
    received: u64,
    /// With whom it is exchanged.
    with: Jid,
    purpose: Purpose,
    treatment: Treatment,
    plan: Plan,
}

/// What happens when the row is durable.
#[derive(Debug)]
enum Plan {
    /// The message, which the account sent, goes on to its recipient.
    PassOn,
    /// These sessions get it.
    HandTo(Vec<SessionId>),
}

/// What ids the account gives to the messages that it sends (see [`IngressId`]).
#[derive(Debug)]
pub(super) struct Ingress {
    session: u64,
    count: u64,
}

// === impl Ingress ===

impl Ingress {
    /// Ids of a number that nobody else uses.
    pub(super) fn new(session: u64) -> Self {
        Self { session, count: 0 }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> IngressId {
        self.count += 1;
        IngressId {
            session: self.session,
            count: self.count,
        }
    }
}

// === impl Append ===

impl Append {
    /// For the log of `account`.
    pub(crate) fn to_message(&self, account: &BareJid) -> NewMessage {
        NewMessage {
            ingress: self.ingress,
            received: self.received,
            origin: self.stanza.id.as_deref().map(Origin::of),
            payload: Bytes::from(durable::write(&self.stanza)),
            rows: vec![NewRow {
                account: account.clone(),
                epoch: 0,
                with: self.with.clone(),
                purpose: self.purpose.clone(),
            }],
        }
    }

    /// The message, with whom it is exchanged, and when it was received, in unix milliseconds.
    pub(crate) fn parts(&self) -> (&Stanza, &Jid, u64) {
        (&self.stanza, &self.with, self.received)
    }

    /// It could not be appended: its sender is told.
    pub(super) fn failed(self, out: &mut Effects) {
        out.bounce(self.stanza, Condition::ResourceConstraint);
    }
}

impl Account {
    /// What becomes of a message, as the message, the host and the account's preferences have it. Nothing is kept for
    /// an anonymous account.
    fn treatment(&self, stanza: &Stanza, side: Side, scene: &Scene<'_>) -> Treatment {
        let treatment = Treatment::of(stanza, side);
        if !treatment.archived {
            return treatment;
        }
        let contact = match side {
            Side::Sender => &stanza.to,
            Side::Recipient => &stanza.from,
        };
        let archives = match (contact, self.host(scene)) {
            (Some(contact), Some(host)) => {
                let view = self.view(scene);
                scene.rules.features.archives(contact, host, view)
            }
            _ => false,
        };
        if archives {
            treatment
        } else {
            treatment.without_archive()
        }
    }

    /// A message to somebody else: into the archive of the account first, if it belongs there.
    pub(super) fn message_sent(&mut self, mut stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        StanzaId::remove_forged(&mut stanza, &self.jid);
        let treatment = self.treatment(&stanza, Side::Sender, scene);
        let ingress = self.ingress.next();
        match &stanza.to {
            Some(to) if treatment.archived && self.standing == Standing::Stored => {
                step.append_row(Append {
                    with: to.clone(),
                    stanza,
                    ingress,
                    received: scene.now,
                    purpose: Purpose::Archive,
                    treatment,
                    plan: Plan::PassOn,
                });
            }
            _ => {
                self.copy(&stanza, treatment, Side::Sender, &[], step.now());
                step.now().pass_on(stanza, ingress);
            }
        }
    }

    /// A message for these sessions, or for nobody who is there.
    pub(super) fn message_for(
        &mut self,
        to: Vec<SessionId>,
        stanza: Stanza,
        ingress: Option<IngressId>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let treatment = self.treatment(&stanza, Side::Recipient, scene);
        if self.standing != Standing::Stored {
            if to.is_empty() && treatment.owed {
                return step.now().bounce(stanza, Condition::ServiceUnavailable);
            }
            return self.hand_over(&to, stanza, treatment, scene, step);
        }
        if !treatment.archived && !self.has_to_keep(&to, scene) {
            return self.hand_over(&to, stanza, treatment, scene, step);
        }
        let routed = treatment.owed.then(|| self.resources(&to));
        let Some(purpose) = Purpose::of(treatment.archived, routed) else {
            return self.hand_over(&to, stanza, treatment, scene, step);
        };
        if to.is_empty() && treatment.owed {
            let size = stanza.size();
            if !self.owed.has_room(size, scene.rules.config.offline_limit()) {
                // XEP-0160 §3, step 3.
                step.now().push(Effect::Limited(Limit::Offline));
                return step.now().bounce(stanza, Condition::ServiceUnavailable);
            }
            self.owed.expect(size);
        }
        let with = stanza.from.clone().unwrap_or_else(|| self.jid.to_jid());
        step.append_row(Append {
            with,
            ingress: ingress.unwrap_or_else(|| self.ingress.next()),
            received: scene.now,
            stanza,
            purpose,
            treatment,
            plan: Plan::HandTo(to),
        });
    }

    /// Whether a message for these sessions, which is not archived, has to be durable before they get it: it is promised
    /// to somebody, nobody else would have it, or rows that are older are still to come before it.
    fn has_to_keep(&self, to: &[SessionId], scene: &Scene<'_>) -> bool {
        let is_there = |id: &SessionId| {
            let session = self.sessions.get(*id);
            session.is_some_and(|session| !session.is_detached())
        };
        scene.promised || !to.iter().any(is_there) || to.iter().any(|id| self.owed.is_before(*id))
    }

    /// The resources of these sessions.
    fn resources(&self, sessions: &[SessionId]) -> Vec<String> {
        let resource = |id: &SessionId| self.sessions.get(*id)?.key.jid.resource();
        let named = sessions.iter().filter_map(resource);
        named.map(str::to_owned).collect()
    }

    /// Hands a message that is not kept to these sessions.
    fn hand_over(
        &mut self,
        to: &[SessionId],
        stanza: Stanza,
        treatment: Treatment,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        self.copy_received(&stanza, treatment, to, scene, step.now());
        let Some((last, others)) = to.split_last() else {
            return step.now().ignore(&stanza);
        };
        step.now().settled(stanza.kind, Outcome::Local);
        for another in others {
            if let Some(session) = self.sessions.get_mut(*another) {
                session.give(stanza.clone(), step.now());
            }
        }
        if let Some(session) = self.sessions.get_mut(*last) {
            session.give(stanza, step.now());
        }
    }

    /// The row of a message is durable, and has this id.
    pub(super) fn appended(
        &mut self,
        append: Append,
        row: RowId,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Append {
            stanza,
            ingress,
            purpose,
            treatment,
            plan,
            ..
        } = append;
        match plan {
            Plan::PassOn => {
                if self.wants_copies() {
                    let own = self.with_id(&stanza, row);
                    self.copy(&own, treatment, Side::Sender, &[], step.now());
                }
                step.now().pass_on(stanza, ingress);
            }
            Plan::HandTo(to) => {
                let own = self.with_id(&stanza, row);
                let outcome = if purpose.is_owed() {
                    self.hand_row(&to, &own, row, step)
                } else {
                    self.hand_archived(&to, &own, step)
                };
                step.now().settled(stanza.kind, outcome);
                self.copy_received(&own, treatment, &to, scene, step.now());
                if purpose.is_owed() && outcome == Outcome::Offline {
                    self.wait(&[(stanza, row)], scene, step);
                }
            }
        }
    }

    /// A message with the id that the account gives to it: that of its row (XEP-0359 §3).
    pub(super) fn with_id(&self, message: &Stanza, row: RowId) -> Stanza {
        let mut message = message.clone();
        StanzaId::add(&mut message, row, &self.jid);
        message
    }

    /// Hands a row that is owed to those of these sessions that are still there. One that has older rows to come gets
    /// it after them.
    fn hand_row(
        &mut self,
        to: &[SessionId],
        stanza: &Stanza,
        row: RowId,
        step: &mut Step,
    ) -> Outcome {
        let (mut outcome, mut comes_later) = (Outcome::Offline, false);
        for id in to {
            if self.owed.is_before(*id) {
                comes_later = true;
                continue;
            }
            let session = self.sessions.get_mut(*id);
            if session.is_some_and(|session| session.hand(stanza.clone(), row, step)) {
                outcome = Outcome::Local;
            }
        }
        if comes_later && outcome == Outcome::Local {
            self.owed.share(row);
        }
        if outcome == Outcome::Offline {
            if !to.is_empty() {
                self.owed.expect(stanza.size());
            }
            self.owed.leave(row);
            self.replay_to_any(step);
        }
        outcome
    }

    /// Hands a row that is only in the archive to those of these sessions that are still there.
    fn hand_archived(&mut self, to: &[SessionId], stanza: &Stanza, step: &mut Step) -> Outcome {
        let mut outcome = Outcome::Offline;
        for id in to {
            if let Some(session) = self.sessions.get_mut(*id) {
                session.give(stanza.clone(), step.now());
                outcome = Outcome::Local;
            }
        }
        outcome
    }
}

// === impl Step ===

impl Step {
    fn append_row(&mut self, append: Append) {
        self.write(Write::new(Change::Append(Box::new(append))));
    }
}
