//! XEP-0352: Client State Indication.
//!
//! What it does is decided in the session: `crates/session/src/client_state/mod.rs`.

use rookery_extension::{
    Feature, Features, Host, Registry, Spec, Stage, Standard, Status, StreamFeature,
};
use rookery_stanza::payload::client_state::ClientState;
use rookery_xml::Element;

/// Announces that clients may say whether somebody looks at them (§4.1).
#[derive(Debug)]
pub struct ClientStateIndication;

// === impl Feature ===

impl Feature for ClientStateIndication {
    fn spec(&self) -> Spec {
        Spec {
            name: "client_state",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0352",
                title: "Client State Indication",
                version: "1.0.0",
                status: Status::Complete,
                note: "Presence and chat states wait, and only the last of each sender is sent.",
            }],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.stream_feature(*self);
    }
}

// === impl StreamFeature ===

impl StreamFeature for ClientStateIndication {
    fn advertise(&self, stage: Stage, _host: &Host, _features: &Features) -> Option<Element> {
        (stage == Stage::Binding).then(ClientState::feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Scene;

    #[test]
    fn it_is_announced_to_who_has_authenticated_by_s4_1() {
        let scene = Scene::new();
        let announced = |stage| {
            let features = scene.features.stream_features(stage, &scene.host);
            features.contains(&ClientState::feature())
        };
        assert!(announced(Stage::Binding) && !announced(Stage::Authentication));
    }
}
