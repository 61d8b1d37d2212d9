//! What streams ask of the server: hosts, mechanisms, features, stream ids.

use std::fmt::Write as _;

use rookery_auth::Authenticator;
use rookery_extension::{Features, Hosts};
use rookery_stream::{Mechanisms, Service, Stage, TlsFacts};
use rookery_xml::Element;

use crate::facts;

/// The server, as the streams of its clients see it.
#[derive(Debug)]
pub(crate) struct ClientService {
    pub(crate) hosts: Hosts,
    pub(crate) default_host: String,
    pub(crate) features: Features,
    pub(crate) authenticator: Authenticator,
}

impl Service for ClientService {
    fn default_host(&self) -> &str {
        &self.default_host
    }

    fn serves(&self, host: &str) -> bool {
        self.hosts.get(host).is_some()
    }

    fn mechanisms(&self, host: &str, tls: Option<&TlsFacts>) -> Mechanisms {
        let offer = self
            .authenticator
            .offer(host, tls.map(facts::for_offer).as_ref());
        Mechanisms {
            names: offer
                .mechanisms()
                .iter()
                .map(|mechanism| mechanism.name().into())
                .collect(),
            channel_bindings: offer
                .channel_bindings()
                .iter()
                .map(|one| one.name())
                .collect(),
        }
    }

    fn features(&self, host: &str, stage: Stage, tls: Option<&TlsFacts>) -> Vec<Element> {
        use rookery_extension::Stage::{Authentication, Binding};
        let Some(host) = self.hosts.get(host) else {
            return Vec::new();
        };
        match stage {
            Stage::Authentication => {
                let mut features = self.features.stream_features(Authentication, host);
                features.extend(self.features.announced_before_login(host, tls.is_some()));
                features
            }
            Stage::Binding => self.features.stream_features(Binding, host),
        }
    }

    fn answers_before_login(&self, host: &str, namespace: &str, tls: Option<&TlsFacts>) -> bool {
        let is_answered = |host| {
            let handler = self.features.before_login(namespace, host, tls.is_some());
            handler.is_some()
        };
        self.hosts.get(host).is_some_and(|host| is_answered(host))
    }

    fn stream_id(&self) -> String {
        let mut random = [0; 16];
        if let Err(error) = getrandom::fill(&mut random) {
            // Without it the id is not a secret, and nothing of ours relies on its being one.
            tracing::error!(%error, "the system gives no randomness");
        }
        random
            .iter()
            .fold(String::with_capacity(32), |mut id, byte| {
                write!(id, "{byte:02x}").unwrap_or_default();
                id
            })
    }
}
