//! The bound resources of an account.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rookery_delivery::{Custody, Delivery, SessionId, SessionKey};
use rookery_extension::{Keep, Kept, SessionView};
use rookery_stanza::{ClientId, Jid, Kind, Stanza};

use super::effect::{Effect, Effects};
use super::owed::Unconfirmed;
use crate::metrics::Outcome;

/// Addresses that one session may send directed presence to at the same time; to further ones it is
/// returned with an error, since they could not be told when the session ends.
const SHARED_LIMIT: usize = 1000;

/// Deliveries that wait for a session to unbind; further ones are returned to their senders.
const HELD_LIMIT: usize = 1000;

/// Bytes of the deliveries that wait for a session to unbind.
const HELD_BYTES: usize = 1024 * 1024;

/// Questions that one client may leave unanswered.
const QUESTIONS: usize = 4;

/// A bound resource: a connected resource (RFC 6120 §7.1).
#[derive(Debug)]
pub(crate) struct Session {
    /// Its full JID and identity.
    pub(crate) key: SessionKey,
    /// Which client of the account has it, if that is known.
    pub(crate) client: Option<ClientId>,
    /// It asked for the roster: an interested resource (RFC 6121 §2.2).
    pub(crate) interested: bool,
    /// Its last broadcast presence while it is an available resource (RFC 6121 §4.1).
    pub(crate) presence: Option<Presence>,
    /// The highest priority that it ever had.
    highest: i8,
    /// When it first became available, counted in changes of availability of the account.
    available_since: Option<u64>,
    /// Whom it sent directed presence (RFC 6121 §4.6).
    shared: BTreeSet<Jid>,
    /// What came for it since it takes nothing more; it will unbind.
    held: Option<Box<Held>>,
    /// It has no connection, and waits for its client (XEP-0198 §5).
    detached: bool,
    /// What features have to do with it; few sessions have any.
    dialogue: Option<Box<Dialogue>>,
    /// What it was handed from the log, and its client may not have.
    pub(super) unconfirmed: Unconfirmed,
}

/// Deliveries that wait until a session has unbound.
#[derive(Debug, Default)]
struct Held {
    deliveries: Vec<Delivery>,
    bytes: usize,
}

/// What features have to do with a session.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    /// The topics that it gets pushes about.
    topics: Vec<&'static str>,
    /// Questions that its client has not answered: their ids and tags.
    questions: VecDeque<(Arc<str>, String)>,
    /// What they keep for it.
    kept: Kept,
}

/// The presence of an available resource.
#[derive(Debug)]
pub(crate) struct Presence {
    /// As the client sent it, with `from` and without `to`.
    pub(crate) stanza: Stanza,
    /// Its priority (RFC 6121 §4.7.2.3).
    pub(crate) priority: i8,
    /// When it got that priority, counted in changes of availability of the account.
    pub(crate) since: u64,
}

/// All bound resources of an account.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    list: Vec<Session>,
    changes: u64,
}

// === impl Session ===

impl Session {
    fn new(key: SessionKey) -> Self {
        Self {
            key,
            client: None,
            interested: false,
            presence: None,
            highest: i8::MIN,
            available_since: None,
            shared: BTreeSet::new(),
            held: None,
            detached: false,
            dialogue: None,
            unconfirmed: Unconfirmed::default(),
        }
    }

    /// Hands over a delivery, or keeps it back when the session takes nothing more.
    pub(crate) fn give(&mut self, delivery: impl Into<Delivery>, out: &mut Effects) {
        let delivery = delivery.into();
        let Some(held) = &mut self.held else {
            out.push(Effect::Deliver(self.key.id, delivery));
            return;
        };
        match delivery.stanza.kind {
            _ if delivery.custody != Custody::Session => {}
            Kind::Message(_) | Kind::Iq(_) if held.has_room(&delivery) => held.push(delivery),
            Kind::Message(_) | Kind::Iq(_) => {
                if let Kind::Message(_) = delivery.stanza.kind {
                    out.push(Effect::Accepted);
                }
                out.bounce(
                    delivery.stanza,
                    rookery_stanza::Condition::ResourceConstraint,
                );
            }
            Kind::Presence(_) => {}
        }
    }

    /// Hands over a stanza that was sent to the account, and counts it.
    pub(crate) fn pass(&mut self, stanza: Stanza, out: &mut Effects) {
        out.settled(stanza.kind, Outcome::Local);
        self.give(stanza, out);
    }

    /// Stops handing over; what comes from now on waits until the session has unbound.
    pub(crate) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Whether it takes nothing more.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether it has no connection, and waits for its client (XEP-0198 §5).
    pub(crate) fn is_detached(&self) -> bool {
        self.detached
    }

    pub(crate) fn set_detached(&mut self, detached: bool) {
        self.detached = detached;
    }

    /// Keeps back what the session refused.
    pub(crate) fn hold_back(&mut self, batch: Vec<Delivery>) {
        let held = self.held.get_or_insert_default();
        // What is in the log is read again for the next session, and nobody misses a copy.
        let only_here = |delivery: &Delivery| delivery.custody == Custody::Session;
        for delivery in batch.into_iter().filter(only_here) {
            held.push(delivery);
        }
    }

    /// What was kept back.
    pub(crate) fn take_held(&mut self) -> Vec<Delivery> {
        let held = self.held.take().unwrap_or_default();
        held.deliveries
    }

    /// The priority of an available resource.
    pub(crate) fn priority(&self) -> Option<i8> {
        self.presence.as_ref().map(|presence| presence.priority)
    }

    /// Whether it is available with a priority of at least 0, so that it gets messages to the bare JID.
    pub(crate) fn takes_messages(&self) -> bool {
        self.priority().is_some_and(|priority| priority >= 0)
    }

    /// Remembers that `to` gets directed presence, unless there are too many (RFC 6121 §4.6.1).
    pub(crate) fn share_with(&mut self, to: &Jid) -> bool {
        let fits = self.shared.len() < SHARED_LIMIT || self.shared.contains(to);
        if fits {
            self.shared.insert(to.clone());
        }
        fits
    }

    /// Forgets that this address got directed presence.
    pub(crate) fn unshare(&mut self, with: &Jid) {
        self.shared.remove(with);
    }

    /// Forgets those who got directed presence that this names, and gives them.
    pub(crate) fn unshare_matching(&mut self, mut named: impl FnMut(&Jid) -> bool) -> Vec<Jid> {
        let gone: Vec<Jid> = self
            .shared
            .iter()
            .filter(|jid| named(jid))
            .cloned()
            .collect();
        for jid in &gone {
            self.shared.remove(jid);
        }
        gone
    }

    /// As features see it.
    pub(crate) fn view(&self) -> SessionView<'_> {
        SessionView {
            jid: &self.key.jid,
            client: self.client,
            presence: self.presence.as_ref().map(|presence| &presence.stanza),
            kept: (self.dialogue.as_ref()).map_or(Kept::NOTHING, |dialogue| &dialogue.kept),
        }
    }

    /// What features have to do with it.
    pub(crate) fn dialogue(&mut self) -> &mut Dialogue {
        self.dialogue.get_or_insert_default()
    }

    /// Whether it gets pushes about a topic.
    pub(crate) fn follows(&self, topic: &str) -> bool {
        let dialogue = self.dialogue.as_ref();
        dialogue.is_some_and(|dialogue| dialogue.topics.contains(&topic))
    }

    /// It gets no pushes about a topic any more.
    pub(crate) fn unfollow(&mut self, topic: &str) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.topics.retain(|followed| *followed != topic);
        }
    }

    /// The tag of the question with this id, which its client has answered now.
    pub(crate) fn answered(&mut self, id: &str) -> Option<String> {
        let questions = &mut self.dialogue.as_mut()?.questions;
        let at = questions.iter().position(|(asked, _)| &**asked == id)?;
        questions.remove(at).map(|(_, tag)| tag)
    }

    /// Ends its presence: whether it was available, and who else got directed presence.
    pub(crate) fn end_presence(&mut self) -> (bool, BTreeSet<Jid>) {
        (
            self.presence.take().is_some(),
            std::mem::take(&mut self.shared),
        )
    }

    /// Whether it sent directed presence to this address, or to its account.
    pub(crate) fn shares_with(&self, jid: &Jid) -> bool {
        self.shared.contains(jid.as_str()) || self.shared.contains(jid.bare_str())
    }
}

// === impl Held ===

impl Held {
    fn has_room(&self, delivery: &Delivery) -> bool {
        let bytes = self.bytes.saturating_add(delivery.stanza.size());
        self.deliveries.len() < HELD_LIMIT && bytes <= HELD_BYTES
    }

    fn push(&mut self, delivery: Delivery) {
        self.bytes += delivery.stanza.size();
        self.deliveries.push(delivery);
    }
}

// === impl Dialogue ===

impl Dialogue {
    /// The session gets pushes about this topic from now on.
    pub(crate) fn follow(&mut self, topic: &'static str) {
        if !self.topics.contains(&topic) {
            self.topics.push(topic);
        }
    }

    /// A feature keeps something else for it.
    pub(crate) fn keep(&mut self, keep: Keep) {
        self.kept.apply(keep);
    }

    /// Whether the client was asked this, and has not answered.
    pub(crate) fn is_asked(&self, tag: &str) -> bool {
        self.questions.iter().any(|(_, asked)| asked == tag)
    }

    /// The client was asked. The oldest question that it left unanswered is forgotten when there are too
    /// many.
    pub(crate) fn asked(&mut self, id: Arc<str>, tag: String) {
        if self.questions.len() >= QUESTIONS {
            self.questions.pop_front();
        }
        self.questions.push_back((id, tag));
    }
}

// === impl Sessions ===

impl rookery_extension::Sessions for Sessions {
    fn each<'a>(&'a self, look: &mut dyn FnMut(SessionView<'a>)) {
        self.list.iter().map(Session::view).for_each(look);
    }
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn add(&mut self, key: SessionKey) {
        // Most accounts have one, and room for more is not worth its memory.
        self.list.reserve_exact(1);
        self.list.push(Session::new(key));
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let at = self.list.iter().position(|session| session.key.id == id)?;
        Some(self.list.remove(at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.list.iter_mut()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.list.iter().find(|session| session.key.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.list.iter_mut().find(|session| session.key.id == id)
    }

    /// The session that has this full JID.
    pub(crate) fn at_mut(&mut self, jid: &Jid) -> Option<&mut Session> {
        self.list.iter_mut().find(|session| session.key.jid == *jid)
    }

    /// The session that has this full JID.
    pub(crate) fn at(&self, jid: &Jid) -> Option<&Session> {
        self.list.iter().find(|session| session.key.jid == *jid)
    }

    /// The available resources.
    pub(crate) fn available(&self) -> impl Iterator<Item = (&Session, &Presence)> {
        self.list
            .iter()
            .filter_map(|session| Some((session, session.presence.as_ref()?)))
    }

    /// Hands a stanza to all available resources.
    pub(crate) fn give_available(&mut self, stanza: &Stanza, out: &mut Effects) {
        for session in self
            .list
            .iter_mut()
            .filter(|session| session.presence.is_some())
        {
            session.give(stanza.clone(), out);
        }
    }

    /// Hands a stanza to all interested resources.
    pub(crate) fn give_interested(&mut self, stanza: &Stanza, out: &mut Effects) {
        for session in self.list.iter_mut().filter(|session| session.interested) {
            session.give(stanza.clone(), out);
        }
    }

    /// Makes a resource available, with this presence; `true` if it was not (RFC 6121 §4.2).
    pub(crate) fn set_available(&mut self, id: SessionId, stanza: Stanza, priority: i8) -> bool {
        self.changes += 1;
        let since = self.changes;
        let Some(session) = self.get_mut(id) else {
            return false;
        };
        session.highest = session.highest.max(priority);
        session.available_since.get_or_insert(since);
        let before = session.presence.take();
        let since = match &before {
            Some(before) if before.priority == priority => before.since,
            _ => since,
        };
        session.presence = Some(Presence {
            stanza,
            priority,
            since,
        });
        before.is_none()
    }

    /// Whether every message to the bare JID that `ended` was given was given to another session as well,
    /// which is still there: one that all the while had at least the priority of `ended`.
    pub(crate) fn cover(&self, ended: &Session) -> bool {
        let Some(since) = ended.available_since else {
            return false;
        };
        self.available().any(|(session, presence)| {
            !session.is_held()
                && presence.priority >= ended.highest.max(0)
                && presence.since <= since
        })
    }
}
