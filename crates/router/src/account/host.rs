//! What comes for a host itself from elsewhere, such as a component (RFC 6120 §10.5.1, §10.5.2). What the
//! host's own accounts send to it is handled at their homes.

use rookery_extension::Addressee;
use rookery_stanza::{Condition, Jid, Kind, Stanza};

use super::effect::Step;
use super::outbound::unread;
use super::{Account, Scene, iq};

impl Account {
    /// Requests are answered; messages and presence are not read.
    pub(super) fn received_at_host(&self, stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        let Kind::Iq(kind) = stanza.kind else {
            return unread(stanza, step.now());
        };
        if !kind.is_request() {
            return step.now().ignore(&stanza);
        }
        let is_host = stanza.to.as_ref().is_some_and(Jid::is_bare);
        match self.host(scene) {
            Some(host) if is_host => {
                let view = self.view(scene);
                iq::answer(stanza, &Addressee::Host, host, view, scene, step);
            }
            _ => step.now().bounce(stanza, Condition::ServiceUnavailable),
        }
    }
}
