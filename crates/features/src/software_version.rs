//! XEP-0092: Software Version.

use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Registry, Scope, Spec, Standard,
    Status,
};
use rookery_stanza::{StanzaError, ns};
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[features.software_version]`: what the server tells about itself to whoever asks (XEP-0092).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether to tell the operating system, which helps attackers more than anybody else.
    pub operating_system: bool,
}

/// Tells the name and the version of the software at a host.
#[derive(Debug)]
pub struct SoftwareVersion {
    operating_system: Option<&'static str>,
}

/// Asks for the version.
#[derive(Debug)]
pub struct VersionRequest;

// === impl SoftwareVersion ===

impl SoftwareVersion {
    /// Tells what the configuration allows.
    pub fn new(config: &Config) -> Self {
        Self {
            operating_system: config.operating_system.then_some(std::env::consts::OS),
        }
    }
}

// === impl Feature ===

impl Feature for SoftwareVersion {
    fn spec(&self) -> Spec {
        Spec {
            name: "software_version",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0092",
                title: "Software Version",
                version: "1.1",
                status: Status::Complete,
                note: "The operating system is told only where the configuration says so.",
            }],
            host_features: &[ns::VERSION],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

// === impl IqHandler ===

impl IqHandler for SoftwareVersion {
    type Request = VersionRequest;
    const SCOPE: Scope = Scope {
        host: true,
        account: None,
    };

    fn handle(&self, VersionRequest: VersionRequest, _context: IqContext<'_>) -> Answer {
        let said = |name: &'static str, text| Element::new(name, ns::VERSION).with_text(text);
        let version = Element::new("query", ns::VERSION)
            .with_child(said("name", "Rookery"))
            .with_child(said("version", env!("CARGO_PKG_VERSION")));
        Answer::Now(Ok(Some(match self.operating_system {
            Some(name) => version.with_child(said("os", name)),
            None => version,
        })))
    }
}

// === impl IqRequest ===

impl IqRequest for VersionRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = ns::VERSION;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use rookery_extension::Relation;
    use rookery_stanza::Condition;

    use super::*;
    use crate::fixture::Scene;

    const VERSION: &str = "<query xmlns='jabber:iq:version'/>";

    fn told(scene: &Scene, name: &str) -> Option<String> {
        let version = scene.host_says(VERSION);
        version
            .child(name, ns::VERSION)
            .map(|told| told.text().into_owned())
    }

    #[test]
    fn host_tells_name_and_version_by_s2() {
        let scene = Scene::new();
        assert_eq!(told(&scene, "name").as_deref(), Some("Rookery"));
        assert_eq!(
            told(&scene, "version").as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn operating_system_is_told_only_when_allowed_by_s5() {
        assert_eq!(told(&Scene::new(), "os"), None);
        let config = Config {
            operating_system: true,
        };
        let open = Scene::with_config(&crate::Config {
            software_version: config,
            ..crate::Config::default()
        });
        assert_eq!(told(&open, "os").as_deref(), Some(std::env::consts::OS));
    }

    #[test]
    fn accounts_are_no_software() {
        assert_eq!(Scene::new().ask_account(VERSION, Relation::Own), None);
    }

    #[test]
    fn nobody_sets_the_version() {
        let refused = Some(Err(Condition::BadRequest.into()));
        assert_eq!(Scene::new().tell_host(VERSION), refused);
    }

    #[test]
    fn host_reports_it_by_s4() {
        assert!(Scene::new().host_announces("jabber:iq:version"));
    }
}
