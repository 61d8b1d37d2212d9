//! What is published when a message waits (§7), and the answers that are still to come.

use std::collections::VecDeque;

use rookery_archive::Content;
use rookery_extension::{SessionData, WaitingMessage};
use rookery_stanza::payload::data_form::{Field, Form, FormType};
use rookery_stanza::{BareJid, IqType, Jid, Stanza, ns};
use rookery_xml::Element;

use super::services::{PublishOptions, Target};
use super::{Config, NAMESPACE};

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const SUMMARY: &str = "urn:xmpp:push:summary";
/// Characters of a body that are told at most.
const BODY: usize = 200;
/// Answers of services that are waited for; the oldest is given up then.
const PENDING: usize = 64;

/// Which notifications have not been answered yet, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    asked: VecDeque<(String, Target)>,
}

// === impl Pending ===

impl SessionData for Pending {}

impl Pending {
    /// Waits for one more answer; whether one is given up for it.
    pub(super) fn expect(&mut self, id: String, target: Target) -> bool {
        let is_full = self.asked.len() >= PENDING;
        if is_full {
            self.asked.pop_front();
        }
        self.asked.push_back((id, target));
        is_full
    }

    /// The service that answers the request of this id, if `from` is who was asked.
    pub(super) fn answered(&mut self, from: &Jid, id: &str) -> Option<Target> {
        let is_asked = |(asked, target): &(String, Target)| asked == id && target.jid == *from;
        let at = self.asked.iter().position(is_asked)?;
        self.asked.remove(at).map(|(_, target)| target)
    }

    pub(super) fn or_none(self) -> Option<Self> {
        (!self.asked.is_empty()).then_some(self)
    }
}

/// The notification about a message, told by the account itself.
pub(super) fn publish(
    id: &str,
    account: &BareJid,
    target: &Target,
    options: &PublishOptions,
    summary: &Element,
) -> Stanza {
    let notification = Element::new("notification", NAMESPACE).with_child(summary.clone());
    let item = Element::new("item", PUBSUB).with_child(notification);
    let mut publish = Element::new("publish", PUBSUB).with_child(item);
    if !target.node.is_empty() {
        publish.set_attribute("node", target.node.clone());
    }
    let mut pubsub = Element::new("pubsub", PUBSUB).with_child(publish);
    if let Some(options) = options {
        pubsub.push(Element::new("publish-options", PUBSUB).with_child(options.clone()));
    }
    Stanza::iq(IqType::Set, id)
        .with_from(account.to_jid())
        .with_to(target.jid.clone())
        .with_payload(pubsub)
}

/// What is told about a message: how many wait, and what the operator allows beside (§9).
pub(super) fn summary(message: WaitingMessage<'_>, content: Content, config: &Config) -> Element {
    let count = Field::new("message-count").with_value(message.count.to_string());
    let mut form = Form::of_kind(FormType::Submit, SUMMARY).with_field(count);
    if config.tell_sender
        && let Some(from) = &message.stanza.from
    {
        form = form.with_field(Field::new("last-message-sender").with_value(from.to_string()));
    }
    if config.tell_body
        && content != Content::Encrypted
        && let Ok(Some(body)) = message.stanza.child("body", ns::CLIENT)
    {
        let body: String = body.text().chars().take(BODY).collect();
        form = form.with_field(Field::new("last-message-body").with_value(body));
    }
    form.to_element()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            jid: Jid::parse("push.example.net").unwrap(),
            node: "n".to_owned(),
        }
    }

    #[test]
    fn only_who_was_asked_answers_and_once() {
        let mut pending = Pending::default();
        assert!(!pending.expect("1".to_owned(), target()));
        let stranger = Jid::parse("push.example.org").unwrap();
        assert_eq!(pending.answered(&stranger, "1"), None);
        assert_eq!(pending.answered(&target().jid, "2"), None);
        assert_eq!(pending.answered(&target().jid, "1"), Some(target()));
        assert_eq!(pending.answered(&target().jid, "1"), None);
        assert!(pending.or_none().is_none());
    }

    #[test]
    fn a_service_that_never_answers_fills_nothing() {
        let mut pending = Pending::default();
        let given_up = (0..1000)
            .filter(|id| pending.expect(id.to_string(), target()))
            .count();
        assert_eq!((pending.asked.len(), given_up), (PENDING, 1000 - PENDING));
    }
}
