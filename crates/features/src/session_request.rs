//! RFC 3921 §3: Session Establishment, a request that does nothing.
//!
//! RFC 6121 has no such step: a session is there when a resource is bound. COMPAT: clients that know only
//! RFC 3921 wait for the feature and send the request; newer ones see that it is optional.

use rookery_extension::{
    Answer, Feature, Features, Host, IqContext, IqHandler, IqMethod, IqRequest, Registry, Relation,
    Scope, Spec, Stage, Standard, Status, StreamFeature,
};
use rookery_stanza::{StanzaError, ns};
use rookery_xml::Element;

/// Announces and grants sessions.
#[derive(Debug)]
pub struct SessionRequest;

/// Asks for a session.
#[derive(Debug)]
pub struct Establish;

// === impl Feature ===

impl Feature for SessionRequest {
    fn spec(&self) -> Spec {
        Spec {
            name: "session_request",
            source: file!(),
            standards: &[Standard {
                document: "RFC 3921",
                title: "XMPP: Instant Messaging and Presence (obsolete)",
                version: "",
                status: Status::Partial,
                note: "Only the session request (§3), which does nothing.",
            }],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.stream_feature(Self);
        registry.iq(Self);
    }
}

// === impl StreamFeature ===

impl StreamFeature for SessionRequest {
    fn advertise(&self, stage: Stage, _host: &Host, _features: &Features) -> Option<Element> {
        let Stage::Binding = stage else { return None };
        let optional = Element::new("optional", ns::SESSION);
        Some(Element::new("session", ns::SESSION).with_child(optional))
    }
}

// === impl IqHandler ===

impl IqHandler for SessionRequest {
    type Request = Establish;
    // Without an address the request is to one's own account.
    const SCOPE: Scope = Scope {
        host: true,
        account: Some(Relation::Own),
    };

    fn handle(&self, Establish: Establish, _context: IqContext<'_>) -> Answer {
        Answer::Now(Ok(None))
    }
}

// === impl IqRequest ===

impl IqRequest for Establish {
    const NAME: &'static str = "session";
    const NAMESPACE: &'static str = ns::SESSION;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use rookery_stanza::Condition;

    use super::*;
    use crate::fixture::Scene;

    const SESSION: &str = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";

    #[test]
    fn feature_is_announced_after_authentication_by_s3() {
        let scene = Scene::new();
        let announced = |stage| {
            let features = scene.features.stream_features(stage, &scene.host);
            features
                .into_iter()
                .find(|feature| feature.is("session", ns::SESSION))
        };
        assert_eq!(announced(Stage::Authentication), None);
        let session = announced(Stage::Binding).unwrap();
        assert!(session.child("optional", ns::SESSION).is_some());
    }

    #[test]
    fn session_is_granted_by_s3() {
        let scene = Scene::new();
        assert_eq!(scene.tell_host(SESSION), Some(Ok(None)));
        assert_eq!(scene.tell_account(SESSION, Relation::Own), Some(Ok(None)));
    }

    #[test]
    fn session_is_set_not_got_by_s3() {
        let refused = Some(Err(Condition::BadRequest.into()));
        assert_eq!(Scene::new().ask_host(SESSION), refused);
    }

    #[test]
    fn nobody_establishes_a_session_for_others() {
        assert_eq!(
            Scene::new().tell_account(SESSION, Relation::Subscriber),
            None
        );
    }
}
