//! Delivery of messages (RFC 6121 §8.5, summed up in its §8.5.4).

use rookery_delivery::SessionId;
use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_stanza::{Condition, MessageType, Stanza};
use rookery_storage::message_log::IngressId;

use super::effect::{Effects, Step};
use super::sessions::Session;
use super::{Account, Scene};

/// To whom a message goes by its address and its type.
enum Recipients {
    /// To these sessions. If there are none, it is kept for later, or ignored.
    Sessions(Vec<SessionId>),
    /// Back to its sender.
    Nobody,
    /// Nowhere.
    Ignored,
}

impl Account {
    /// A message to the account.
    pub(super) fn message(
        &mut self,
        mut stanza: Stanza,
        kind: MessageType,
        ingress: Option<IngressId>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if !self.exists() {
            return no_such_user(stanza, kind, step.now());
        }
        StanzaId::remove_forged(&mut stanza, &self.jid);
        match self.recipients(&stanza, kind, scene) {
            Recipients::Sessions(to) => self.message_for(to, stanza, ingress, scene, step),
            Recipients::Nobody => step.now().bounce(stanza, Condition::ServiceUnavailable),
            Recipients::Ignored => step.now().ignore(&stanza),
        }
    }

    /// The table of §8.5.4.
    fn recipients(&self, stanza: &Stanza, kind: MessageType, scene: &Scene<'_>) -> Recipients {
        let Some(to) = &stanza.to else {
            return Recipients::Ignored;
        };
        let session = self.sessions.at(to).filter(|_| to.is_full());
        match (kind, session) {
            // §8.5.3.1
            (_, Some(session)) => Recipients::Sessions(vec![session.key.id]),
            // §8.5.2.1.1, §8.5.2.2.1, §8.5.3.2.1
            (MessageType::Chat, None) => self.most_available(stanza, scene),
            (MessageType::Normal, None) if to.is_bare() => self.most_available(stanza, scene),
            (MessageType::Headline, None) if to.is_bare() => self.all_non_negative(stanza, scene),
            (MessageType::Normal | MessageType::Groupchat, None) => Recipients::Nobody,
            (MessageType::Headline | MessageType::Error, None) => Recipients::Ignored,
        }
    }

    /// The resources that share the highest non-negative priority, of those that the message reaches.
    fn most_available(&self, message: &Stanza, scene: &Scene<'_>) -> Recipients {
        let hidden = self.hidden_from(message, scene);
        let open = |session: &&Session| !hidden.contains(&session.key.id);
        let priorities = self
            .sessions
            .iter()
            .filter(open)
            .filter_map(Session::priority);
        match priorities.filter(|priority| *priority >= 0).max() {
            Some(top) => self.those(|session| open(&session) && session.priority() == Some(top)),
            None if self.is_kept_out(message, &hidden, scene) => Recipients::Nobody,
            None => Recipients::Sessions(Vec::new()),
        }
    }

    /// For a headline to the bare JID.
    fn all_non_negative(&self, message: &Stanza, scene: &Scene<'_>) -> Recipients {
        let hidden = self.hidden_from(message, scene);
        self.those(|session| session.takes_messages() && !hidden.contains(&session.key.id))
    }

    fn those(&self, are_meant: impl Fn(&Session) -> bool) -> Recipients {
        let sessions = self.sessions.iter().filter(|session| are_meant(session));
        Recipients::Sessions(sessions.map(|session| session.key.id).collect())
    }

    /// The sessions that a stanza for the account as a whole does not reach, where they are judged each for itself.
    pub(super) fn hidden_from(&self, stanza: &Stanza, scene: &Scene<'_>) -> Vec<SessionId> {
        let (features, account) = (&scene.rules.features, self.view(scene));
        if !features.judges_sessions(account) {
            return Vec::new();
        }
        let sessions = self.sessions.iter();
        let hidden = sessions
            .filter(|session| !features.reaches(stanza, Some(session.view()), account))
            .map(|session| session.key.id);
        hidden.collect()
    }

    /// Whether a message that nobody takes is not kept either: it was hidden from one who would have taken it, or from
    /// those who are to come.
    fn is_kept_out(&self, message: &Stanza, hidden: &[SessionId], scene: &Scene<'_>) -> bool {
        let mut hidden = hidden.iter().filter_map(|id| self.sessions.get(*id));
        let (features, account) = (&scene.rules.features, self.view(scene));
        hidden.any(Session::takes_messages)
            || (features.judges_sessions(account) && !features.reaches(message, None, account))
    }
}

/// §8.5.1
fn no_such_user(stanza: Stanza, kind: MessageType, out: &mut Effects) {
    match kind {
        MessageType::Normal | MessageType::Chat | MessageType::Groupchat => {
            out.bounce(stanza, Condition::ServiceUnavailable);
        }
        MessageType::Headline | MessageType::Error => out.ignore(&stanza),
    }
}
