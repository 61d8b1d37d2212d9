//! XEP-0202: Entity Time.

use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Registry, Scope, Spec, Standard,
    Status,
};
use rookery_lifecycle::Clock;
use rookery_stanza::{StanzaError, date};
use rookery_xml::Element;

/// The namespace of requests and answers.
const NAMESPACE: &str = "urn:xmpp:time";

/// Tells what time it is at a host.
#[derive(Debug)]
pub struct EntityTime {
    clock: Clock,
}

/// Asks for the time.
#[derive(Debug)]
pub struct TimeRequest;

// === impl EntityTime ===

impl EntityTime {
    /// Tells the time of this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

// === impl Feature ===

impl Feature for EntityTime {
    fn spec(&self) -> Spec {
        Spec {
            name: "entity_time",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0202",
                title: "Entity Time",
                version: "2.0",
                status: Status::Complete,
                note: "The offset is that of UTC, wherever the server is.",
            }],
            host_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

// === impl IqHandler ===

impl IqHandler for EntityTime {
    type Request = TimeRequest;
    const SCOPE: Scope = Scope {
        host: true,
        account: None,
    };

    fn handle(&self, TimeRequest: TimeRequest, _context: IqContext<'_>) -> Answer {
        // XEP-0082 §3.2 in UTC; nobody sets a clock to milliseconds by this.
        let whole_seconds = self.clock.unix_millis() / 1000 * 1000;
        let utc = date::format(i64::try_from(whole_seconds).unwrap_or(i64::MAX));
        let time = Element::new("time", NAMESPACE)
            .with_child(Element::new("tzo", NAMESPACE).with_text("+00:00"))
            .with_child(Element::new("utc", NAMESPACE).with_text(utc));
        Answer::Now(Ok(Some(time)))
    }
}

// === impl IqRequest ===

impl IqRequest for TimeRequest {
    const NAME: &'static str = "time";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rookery_extension::Relation;
    use rookery_stanza::Condition;

    use super::*;
    use crate::fixture::Scene;

    const TIME: &str = "<time xmlns='urn:xmpp:time'/>";

    fn told(scene: &Scene) -> (String, String) {
        let time = scene.host_says(TIME);
        let text = |name| time.child(name, NAMESPACE).unwrap().text().into_owned();
        (text("tzo"), text("utc"))
    }

    #[tokio::test(start_paused = true)]
    async fn host_tells_offset_and_utc_by_s2() {
        let scene = Scene::new();
        let now = i64::try_from(scene.clock.unix_millis()).unwrap();
        let (tzo, utc) = told(&scene);
        assert_eq!(tzo, "+00:00");
        assert!(
            utc.ends_with('Z') && utc.len() == "2006-12-19T17:58:35Z".len(),
            "{utc}"
        );
        assert_eq!(date::parse(&utc), Some(now / 1000 * 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on() {
        let scene = Scene::new();
        let before = date::parse(&told(&scene).1).unwrap();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(date::parse(&told(&scene).1), Some(before + 3_600_000));
    }

    #[test]
    fn accounts_have_no_time_of_their_own() {
        assert_eq!(Scene::new().ask_account(TIME, Relation::Own), None);
    }

    #[test]
    fn nobody_sets_the_time() {
        let refused = Some(Err(Condition::BadRequest.into()));
        assert_eq!(Scene::new().tell_host(TIME), refused);
    }

    #[test]
    fn host_reports_it_by_s4() {
        let scene = Scene::new();
        assert!(scene.host_announces("urn:xmpp:time"));
        assert!(!scene.account_announces("urn:xmpp:time"));
    }
}
