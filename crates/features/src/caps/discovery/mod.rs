//! XEP-0115 §5.4: clients that announce what is not known are asked, and their answers verified.
//!
//! Nothing waits for an answer. What a client can do is known for each session, as long as it is available.
//! What was verified, and can be read in one way only, is known of all that announce the same.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rookery_extension::{AccountView, Keep, Order, PresenceEvent, Question, SessionEvents};
use rookery_stanza::{Jid, Kind, PresenceType, StanzaError, ns};
use rookery_telemetry::{CounterFamily, Registry, label};
use rookery_xml::Element;

use super::announcement::Announcement;
use super::cache::Cache;
use super::capabilities::{Capabilities, Sessions};
use super::verification::{Flaw, Info};

/// Learns what clients can do.
#[derive(Debug)]
pub(super) struct Discovery {
    cache: Cache,
    answers: CounterFamily<Outcome>,
}

label! {
    /// What came of asking a client.
    enum Outcome("outcome") {
        /// It is what was announced, and holds for all that announce the same.
        Verified = "verified",
        /// The hash is right, but other features have it too: it holds for this session.
        Ambiguous = "ambiguous",
        /// There is no hash that could be compared: it holds for this session.
        Unverifiable = "unverifiable",
        /// The hash is wrong.
        Mismatched = "mismatched",
        /// Something is there twice that may be there once.
        IllFormed = "ill_formed",
        /// More than is looked at.
        TooLarge = "too_large",
        /// An error, or something that was not asked for.
        Refused = "refused",
    }
}

// === impl Discovery ===

impl Discovery {
    /// Knows nothing yet, and will not know more than these bytes at a time.
    pub(super) fn new(max_bytes: usize, metrics: &Registry) -> Self {
        Self {
            cache: Cache::new(max_bytes, metrics),
            answers: metrics.counters(
                "capabilities_answers_total",
                "What came of asking clients what they can do?",
            ),
        }
    }

    /// Somebody is there, and announces this: it is known what that means, or its client is asked.
    fn announced(
        &self,
        announcement: Announcement,
        session: &Jid,
        sessions: Option<&Sessions>,
    ) -> Vec<Order> {
        let capabilities = announcement.key().and_then(|key| self.cache.get(&key));
        let question = capabilities.is_none().then(|| {
            Order::Ask(Question {
                session: session.clone(),
                payload: announcement.question(),
                tag: announcement.to_string(),
            })
        });
        let sessions = sessions.cloned().unwrap_or_default();
        let sessions = sessions.with(session, announcement, capabilities);
        let keep = Order::Keep(Keep::about_sessions(Some(sessions)));
        [keep].into_iter().chain(question).collect()
    }

    /// What an answer tells of the client that announced this; and of all others, if it can.
    fn learn(
        &self,
        announcement: &Announcement,
        answer: &Result<Option<Element>, StanzaError>,
    ) -> (Outcome, Option<Arc<Capabilities>>) {
        let query = match answer {
            Ok(Some(query)) if query.is("query", ns::DISCO_INFO) => query,
            _ => return (Outcome::Refused, None),
        };
        let info = match Info::of_client(query) {
            Ok(info) => info,
            Err(flaw) => return (flaw.into(), None),
        };
        let capabilities = info.features().iter().copied().collect();
        let Some(key) = announcement.key() else {
            return (Outcome::Unverifiable, Some(Arc::new(capabilities)));
        };
        match info.verify(key.algorithm, &key.ver) {
            Err(flaw) => (flaw.into(), None),
            Ok(()) if info.is_unambiguous() => {
                let known = self.cache.keep(key, capabilities);
                (Outcome::Verified, Some(known))
            }
            Ok(()) => (Outcome::Ambiguous, Some(Arc::new(capabilities))),
        }
    }
}

impl From<Flaw> for Outcome {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::TooLarge => Self::TooLarge,
            Flaw::IllFormed => Self::IllFormed,
            Flaw::Mismatched => Self::Mismatched,
        }
    }
}

// === impl SessionEvents ===

impl SessionEvents for Discovery {
    /// Presence without an announcement takes none back (§8.4), and what was announced already is known, or
    /// was asked for.
    fn presence(&self, event: PresenceEvent<'_>, account: AccountView<'_>) -> Vec<Order> {
        let sessions = account.kept.get::<Sessions>();
        let known = sessions.and_then(|sessions| sessions.get(event.session));
        if event.stanza.kind == Kind::Presence(PresenceType::Available) {
            let announced = Announcement::of(event.stanza);
            let is_new = |new: &Announcement| known.is_none_or(|known| known.announcement != *new);
            return match announced.filter(is_new) {
                Some(new) => self.announced(new, event.session, sessions),
                None => Vec::new(),
            };
        }
        match (known, sessions) {
            (Some(_), Some(sessions)) => {
                let others = sessions.without(event.session).unless_empty();
                vec![Order::Keep(Keep::about_sessions(others))]
            }
            _ => Vec::new(),
        }
    }

    /// The session may have gone, or announce something else by now.
    fn answered(
        &self,
        session: &Jid,
        tag: &str,
        answer: &Result<Option<Element>, StanzaError>,
        account: AccountView<'_>,
    ) -> Vec<Order> {
        let Some(sessions) = account.kept.get::<Sessions>() else {
            return Vec::new();
        };
        let announcement = match sessions.get(session) {
            Some(known) if known.announcement.to_string() == tag => &known.announcement,
            _ => return Vec::new(),
        };
        let (outcome, capabilities) = self.learn(announcement, answer);
        self.answers.of(outcome).increment();
        if capabilities.is_none() {
            return Vec::new();
        }
        let sessions = sessions.with(session, announcement.clone(), capabilities);
        vec![Order::Keep(Keep::about_sessions(Some(sessions)))]
    }
}
