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
        match self.recipients(&stanza, kind) {
            Recipients::Sessions(to) => self.message_for(to, stanza, ingress, scene, step),
            Recipients::Nobody => step.now().bounce(stanza, Condition::ServiceUnavailable),
            Recipients::Ignored => step.now().ignore(&stanza),
        }
    }

    /// The table of §8.5.4.
    fn recipients(&self, stanza: &Stanza, kind: MessageType) -> Recipients {
        let Some(to) = &stanza.to else {
            return Recipients::Ignored;
        };
        let session = self.sessions.at(to).filter(|_| to.is_full());
        match (kind, session) {
            // §8.5.3.1
            (_, Some(session)) => Recipients::Sessions(vec![session.key.id]),
            // §8.5.2.1.1, §8.5.2.2.1, §8.5.3.2.1
            (MessageType::Chat, None) => self.most_available(),
            (MessageType::Normal, None) if to.is_bare() => self.most_available(),
            (MessageType::Headline, None) if to.is_bare() => self.all_non_negative(),
            (MessageType::Normal | MessageType::Groupchat, None) => Recipients::Nobody,
            (MessageType::Headline | MessageType::Error, None) => Recipients::Ignored,
        }
    }

    /// The resources that share the highest non-negative priority.
    fn most_available(&self) -> Recipients {
        let top = self.sessions.top_priority();
        self.those(|session| top.is_some() && session.priority() == top)
    }

    /// For a headline to the bare JID.
    fn all_non_negative(&self) -> Recipients {
        self.those(Session::takes_messages)
    }

    fn those(&self, are_meant: impl Fn(&Session) -> bool) -> Recipients {
        let sessions = self.sessions.iter().filter(|session| are_meant(session));
        Recipients::Sessions(sessions.map(|session| session.key.id).collect())
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
