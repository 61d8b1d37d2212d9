//! What comes for the account (RFC 6121 §8.5).

use rookery_extension::Verdict;
use rookery_stanza::{Kind, PresenceType, Stanza};
use rookery_storage::message_log::IngressId;

use super::effect::Step;
use super::{Account, Scene};

impl Account {
    /// Somebody sent a stanza to the account, to its bare or a full JID.
    pub(super) fn received(
        &mut self,
        mut stanza: Stanza,
        ingress: Option<IngressId>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if self.jid.local().is_none() {
            return self.received_at_host(stanza, scene, step);
        }
        if self.exists() {
            match scene.rules.features.inbound(&mut stanza, self.view(scene)) {
                Verdict::Pass => {}
                Verdict::Ignore => return step.now().ignore(&stanza),
                Verdict::Refuse(error) => return step.now().bounce(stanza, error),
            }
        }
        match stanza.kind {
            Kind::Message(kind) => self.message(stanza, kind, ingress, scene, step),
            Kind::Iq(kind) => self.iq(stanza, kind, scene, step),
            Kind::Presence(PresenceType::Probe) => self.probe_received(&stanza, scene, step.now()),
            Kind::Presence(
                PresenceType::Available | PresenceType::Unavailable | PresenceType::Error,
            ) => self.presence_received(&stanza, scene, step.now()),
            Kind::Presence(kind) => self.subscription_received(stanza, kind, scene, step),
        }
    }
}
