//! XEP-0280: Message Carbons.
//!
//! A client asks for copies of what the account's other clients send and receive, by following the topic
//! [`ns::CARBONS`]. The home of the account makes the copies (§7, §8).

use futures_util::FutureExt;
use futures_util::future::ready;
use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Order, Outcome, Registry, Relation,
    Scope, Spec, Standard, Status,
};
use rookery_stanza::payload::carbon::Switch;
use rookery_stanza::{StanzaError, ns};
use rookery_xml::Element;

/// Announced by servers that treat the rules of §6.1 as required (§6.2).
const RULES: &str = "urn:xmpp:carbons:rules:0";

/// Lets clients have copies, and do without them.
#[derive(Debug)]
pub struct Carbons;

/// `<enable/>` (§4).
#[derive(Debug)]
pub struct Enable;

/// `<disable/>` (§5).
#[derive(Debug)]
pub struct Disable;

#[derive(Debug)]
struct Enabling;

#[derive(Debug)]
struct Disabling;

/// A client decides for itself only, which its own account stands for.
const SCOPE: Scope = Scope {
    host: false,
    account: Some(Relation::Own),
};

// === impl Feature ===

impl Feature for Carbons {
    fn spec(&self) -> Spec {
        Spec {
            name: "carbons",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0280",
                title: "Message Carbons",
                version: "1.0.1",
                status: Status::Complete,
                note: "",
            }],
            host_features: &[ns::CARBONS, RULES],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(Enabling);
        registry.iq(Disabling);
    }
}

// === impl IqHandler ===

impl IqHandler for Enabling {
    type Request = Enable;
    const SCOPE: Scope = SCOPE;

    /// §4; to ask once more is no error (§10.1).
    fn handle(&self, Enable: Enable, _context: IqContext<'_>) -> Answer {
        switched(Order::Follow(ns::CARBONS))
    }
}

impl IqHandler for Disabling {
    type Request = Disable;
    const SCOPE: Scope = SCOPE;

    /// §5; to ask once more is no error (§10.1).
    fn handle(&self, Disable: Disable, _context: IqContext<'_>) -> Answer {
        switched(Order::Unfollow(ns::CARBONS))
    }
}

/// The change is made before the client is told of it.
fn switched(order: Order) -> Answer {
    let outcome = Outcome {
        answer: Ok(None),
        before: vec![order],
        after: Vec::new(),
    };
    Answer::Ordered(ready(outcome).boxed())
}

// === impl IqRequest ===

impl IqRequest for Enable {
    const NAME: &'static str = Switch::Enable.as_str();
    const NAMESPACE: &'static str = ns::CARBONS;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        Ok(Self)
    }
}

impl IqRequest for Disable {
    const NAME: &'static str = Switch::Disable.as_str();
    const NAMESPACE: &'static str = ns::CARBONS;

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

    const ENABLE: &str = "<enable xmlns='urn:xmpp:carbons:2'/>";
    const DISABLE: &str = "<disable xmlns='urn:xmpp:carbons:2'/>";

    /// Whether the session follows the topic after this request; the answer is an empty result.
    fn follows_after(scene: &Scene, request: &str) -> bool {
        assert_eq!(scene.tell_account(request, Relation::Own), Some(Ok(None)));
        match scene.orders()[..] {
            [Order::Follow(ns::CARBONS)] => true,
            [Order::Unfollow(ns::CARBONS)] => false,
            ref others => panic!("{others:?}"),
        }
    }

    #[test]
    fn client_enables_and_disables_as_often_as_it_likes_by_s10_1() {
        let scene = Scene::new();
        assert!(follows_after(&scene, ENABLE));
        assert!(follows_after(&scene, ENABLE));
        assert!(!follows_after(&scene, DISABLE));
        assert!(!follows_after(&scene, DISABLE));
        assert!(follows_after(&scene, ENABLE));
    }

    #[test]
    fn requests_are_sets_by_s4_and_s5() {
        for request in [ENABLE, DISABLE] {
            let refused = Some(Err(Condition::BadRequest.into()));
            assert_eq!(Scene::new().ask_own_account(request), refused);
        }
    }

    #[test]
    fn nobody_decides_for_others_by_s5_1() {
        let scene = Scene::new();
        for request in [ENABLE, DISABLE] {
            assert_eq!(scene.tell_account(request, Relation::Subscriber), None);
            assert_eq!(scene.tell_host(request), None);
        }
        assert!(scene.orders().is_empty());
    }

    #[test]
    fn host_announces_it_and_the_rules_by_s3_and_s6_2() {
        let scene = Scene::new();
        assert!(scene.host_announces(ns::CARBONS));
        assert!(scene.host_announces(RULES));
    }
}
