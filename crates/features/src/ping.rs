//! XEP-0199: XMPP Ping.
//!
//! Pings to full JIDs are delivered like any other request and answered by the client.

use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Registry, Relation, Scope, Spec,
    Standard, Status,
};
use rookery_stanza::{StanzaError, ns};
use rookery_xml::Element;

/// Answers pings to hosts and accounts.
#[derive(Debug)]
pub struct Ping;

/// Asks for a sign of life (§3).
#[derive(Debug)]
pub struct PingRequest;

// === impl Feature ===

impl Feature for Ping {
    fn spec(&self) -> Spec {
        Spec {
            name: "ping",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0199",
                title: "XMPP Ping",
                version: "2.0.1",
                status: Status::Complete,
                note: "",
            }],
            host_features: &[ns::PING],
            account_features: &[ns::PING],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

// === impl IqHandler ===

impl IqHandler for Ping {
    type Request = PingRequest;
    // §4.2: one's own account stands for the server. §4.4: the server answers for other accounts, but to
    // nobody who may not know of them.
    const SCOPE: Scope = Scope {
        host: true,
        account: Some(Relation::Subscriber),
    };

    fn handle(&self, PingRequest: PingRequest, _context: IqContext<'_>) -> Answer {
        Answer::Now(Ok(None))
    }
}

// === impl IqRequest ===

impl IqRequest for PingRequest {
    const NAME: &'static str = "ping";
    const NAMESPACE: &'static str = ns::PING;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use rookery_stanza::Condition;

    use super::*;
    use crate::fixture::Scene;

    const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

    #[test]
    fn host_answers_with_an_empty_result_by_s4_2() {
        assert_eq!(Scene::new().ask_host(PING), Some(Ok(None)));
    }

    #[test]
    fn own_account_stands_for_the_server_by_s4_2() {
        assert_eq!(Scene::new().ask_own_account(PING), Some(Ok(None)));
    }

    #[test]
    fn account_answers_only_those_who_may_know_of_it_by_s4_4() {
        let scene = Scene::new();
        assert_eq!(
            scene.ask_account(PING, Relation::Subscriber),
            Some(Ok(None))
        );
        assert_eq!(scene.ask_account(PING, Relation::Stranger), None);
    }

    #[test]
    fn ping_is_a_get_by_s3() {
        let refused = Some(Err(Condition::BadRequest.into()));
        assert_eq!(Scene::new().tell_host(PING), refused);
    }

    #[test]
    fn host_and_accounts_report_it_by_s5() {
        let scene = Scene::new();
        assert!(scene.host_announces("urn:xmpp:ping"));
        assert!(scene.account_announces("urn:xmpp:ping"));
    }
}
