//! RFC 6121: Instant Messaging and Presence, as far as it is announced.
//!
//! Rosters, presence and delivery are the work of the homes of accounts, in `crates/router`.

use rookery_extension::{
    Feature, Features, Host, Registry, Spec, Stage, Standard, Status, StreamFeature,
};
use rookery_stanza::ns;
use rookery_xml::Element;

/// Announces what is optional in RFC 6121.
#[derive(Debug)]
pub struct InstantMessaging;

/// Roster versioning (§2.6.1).
struct RosterVersioning;

/// Pre-approval of subscription requests (§3.4).
struct PreApproval;

// === impl Feature ===

impl Feature for InstantMessaging {
    fn spec(&self) -> Spec {
        Spec {
            name: "instant_messaging",
            source: "crates/router",
            standards: &[Standard {
                document: "RFC 6121",
                title: "XMPP: Instant Messaging and Presence",
                version: "",
                status: Status::Partial,
                note: "Among the hosts of this server; there are no streams to other servers yet.",
            }],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.stream_feature(RosterVersioning);
        registry.stream_feature(PreApproval);
    }
}

// === impl StreamFeature ===

impl StreamFeature for RosterVersioning {
    fn advertise(&self, stage: Stage, _host: &Host, _features: &Features) -> Option<Element> {
        (stage == Stage::Binding).then(|| Element::new("ver", ns::ROSTER_VERSIONING))
    }
}

impl StreamFeature for PreApproval {
    fn advertise(&self, stage: Stage, _host: &Host, _features: &Features) -> Option<Element> {
        (stage == Stage::Binding).then(|| Element::new("sub", ns::PRE_APPROVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Scene;

    fn announced(stage: Stage, name: &str, namespace: &str) -> bool {
        let scene = Scene::new();
        let features = scene.features.stream_features(stage, &scene.host);
        features.iter().any(|feature| feature.is(name, namespace))
    }

    #[test]
    fn roster_versioning_is_announced_by_s2_6_1() {
        assert!(announced(
            Stage::Binding,
            "ver",
            "urn:xmpp:features:rosterver"
        ));
        assert!(!announced(
            Stage::Authentication,
            "ver",
            "urn:xmpp:features:rosterver"
        ));
    }

    #[test]
    fn pre_approval_is_announced_by_s3_4() {
        assert!(announced(
            Stage::Binding,
            "sub",
            "urn:xmpp:features:pre-approval"
        ));
        assert!(!announced(
            Stage::Authentication,
            "sub",
            "urn:xmpp:features:pre-approval"
        ));
    }
}
