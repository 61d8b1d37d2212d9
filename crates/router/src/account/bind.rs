//! Resources come and go (RFC 6120 §7).

use rookery_delivery::{BindTerms, Close, Delivery, Limit, Refusal, SessionId, SessionKey};
use rookery_stanza::{ClientId, Condition, ErrorType, Jid, StanzaError, ns};

use super::effect::{Effect, Effects, Step};
use super::{Account, Bind, Scene, Standing};
use crate::config::Conflict;

/// A session that gets its resource once the session that has it is gone.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) session: SessionId,
    jid: Jid,
    terms: BindTerms,
}

impl Account {
    /// A client asks for a resource (§7.6, §7.7).
    pub(super) fn bind(&mut self, bind: Bind, scene: &Scene<'_>, step: &mut Step) {
        let (session, terms) = (bind.session, bind.terms);
        let out = step.now();
        match self.allot(bind, scene, out) {
            Ok((jid, None)) => self.admit(session, jid, terms, scene, step),
            Ok((jid, Some(old))) => {
                self.displace(old, Close::Conflict, out);
                // Of two that wait for the same resource, the later one gets it.
                while let Some(at) = self.pending.iter().position(|pending| pending.jid == jid) {
                    let earlier = self.pending.swap_remove(at);
                    let error = Box::new(Condition::Conflict.into());
                    out.push(Effect::Bound(earlier.session, Err(error)));
                }
                self.pending.push(Pending {
                    session,
                    jid,
                    terms,
                });
            }
            Err(error) => out.push(Effect::Bound(session, Err(Box::new(error)))),
        }
    }

    /// The full JID for a client, and the session that has to end first.
    fn allot(
        &mut self,
        bind: Bind,
        scene: &Scene<'_>,
        out: &mut Effects,
    ) -> Result<(Jid, Option<SessionId>), StanzaError> {
        if !self.exists() {
            if !self.host(scene).is_some_and(|host| host.anonymous) {
                return Err(Condition::NotAllowed.into());
            }
            self.standing = Standing::Guest;
        }
        let config = &scene.rules.config;
        let random = |random: &str| {
            self.jid
                .with_resource(random)
                .map_err(|_| Condition::InternalServerError)
        };
        // §7.7.2.1: of zero length, or against the rules of RFC 7622.
        let jid = match bind.resource.as_deref() {
            None => random(&bind.random)?,
            Some(resource) => self
                .jid
                .with_resource(resource)
                .map_err(|_| Condition::BadRequest)?,
        };
        let old = self.sessions.at(&jid);
        // A client that comes back takes what it had, whatever becomes of others. §7.7.2.2 protects a client that is
        // connected; one that has lost its connection has nothing to lose but the stream that it could resume.
        let gives_way = old.is_some_and(|old| {
            old.is_detached() || (old.client.is_some() && old.client == bind.terms.client)
        });
        let old = old.map(|session| session.key.id);
        let (jid, old) = match (old, config.resource_conflict) {
            (Some(old), _) if gives_way => return Ok((jid, Some(old))),
            (None, _) => (jid, None),
            (Some(old), Conflict::TerminateOld) => return Ok((jid, Some(old))),
            (Some(_), Conflict::NewResource) => (random(&bind.random)?, None),
            (Some(_), Conflict::DenyNew) => {
                // §7.7.2.2
                return Err(StanzaError::new(Condition::Conflict).with_type(ErrorType::Modify));
            }
        };
        if self.sessions.len() + self.pending.len() >= config.sessions_per_account {
            out.push(Effect::Limited(Limit::Sessions));
            return Err(Condition::ResourceConstraint.into()); // §7.6.2.1
        }
        Ok((jid, old))
    }

    fn admit(
        &mut self,
        session: SessionId,
        jid: Jid,
        terms: BindTerms,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if self.sessions.is_empty() {
            step.now().push(Effect::Online(true));
        }
        let key = SessionKey { jid, id: session };
        self.sessions.add(key.clone());
        if let Some(bound) = self.sessions.get_mut(session) {
            bound.client = terms.client;
            if terms.carbons {
                bound.dialogue().follow(ns::CARBONS);
            }
        }
        if terms.archive && self.is_archived(scene) {
            step.survey(key);
        } else {
            step.now().bound(key, None);
        }
        if let Some(client) = terms.client {
            // XEP-0386 §"Performing the bind".
            self.end_client(client, Some(session), Close::Conflict, step.now());
        }
    }

    /// Ends the sessions of a client but this one.
    pub(super) fn end_client(
        &mut self,
        client: ClientId,
        but: Option<SessionId>,
        reason: Close,
        out: &mut Effects,
    ) {
        let others = self.sessions.iter().filter_map(|session| {
            let is_other = session.client == Some(client) && Some(session.key.id) != but;
            is_other.then_some(session.key.id)
        });
        for old in others.collect::<Vec<_>>() {
            self.displace(old, reason, out);
        }
    }

    /// Ends a session, which gets nothing more.
    fn displace(&mut self, old: SessionId, reason: Close, out: &mut Effects) {
        if let Some(session) = self.sessions.get_mut(old)
            && !session.is_held()
        {
            session.hold();
            out.push(Effect::Expire(old));
        }
        out.push(Effect::Close(old, reason));
    }

    /// A session has ended. Contacts are told (RFC 6121 §4.5.2), whoever waited for the resource gets it,
    /// and what the client did not get finds another way.
    pub(super) fn unbound(
        &mut self,
        key: &SessionKey,
        undelivered: Vec<Delivery>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let mut ended = self.sessions.remove(key.id);
        let mut returned = undelivered;
        if let Some(session) = &mut ended {
            returned.extend(session.take_held());
            step.now().push(Effect::Forget(key.id));
            self.gone_offline(session, scene, step);
            if self.sessions.is_empty() {
                step.now().push(Effect::Online(false));
            }
            self.leave_all(session, step);
            self.admit_next(&key.jid, scene, step);
        }
        self.all_returned(returned, ended.as_ref(), scene, step);
        self.replay_to_any(step);
    }

    /// Gives a resource that became free to the session that waits for it, unless the account was removed in
    /// the meantime.
    fn admit_next(&mut self, jid: &Jid, scene: &Scene<'_>, step: &mut Step) {
        let Some(at) = self.pending.iter().position(|pending| pending.jid == *jid) else {
            return;
        };
        let next = self.pending.swap_remove(at);
        if self.exists() {
            self.admit(next.session, next.jid, next.terms, scene, step);
        } else {
            let error = Box::new(Condition::NotAllowed.into());
            step.now().push(Effect::Bound(next.session, Err(error)));
        }
    }

    /// A session did not take a batch. It gets nothing more, and its batch waits until it has unbound, so
    /// that what it has queued already comes first.
    pub(super) fn refused(
        &mut self,
        id: SessionId,
        why: Refusal,
        batch: Vec<Delivery>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            return self.all_returned(batch, None, scene, step);
        };
        if !session.is_held() {
            step.now().push(Effect::Expire(id));
        }
        session.hold_back(batch);
        if why == Refusal::Busy {
            step.now().push(Effect::Close(id, Close::SlowConsumer));
        }
    }

    /// A session had its time to unbind; if it is still there, it never will.
    pub(super) fn expired(&mut self, id: SessionId, scene: &Scene<'_>, step: &mut Step) {
        if let Some(session) = self.sessions.get(id) {
            let key = session.key.clone();
            self.unbound(&key, Vec::new(), scene, step);
        }
    }
}
