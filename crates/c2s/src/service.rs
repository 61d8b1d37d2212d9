//! What streams ask of the server: hosts, mechanisms, features, stream ids.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rookery_auth::Authenticator;
use rookery_extension::{Features, Host, Hosts};
use rookery_stanza::ns;
use rookery_stream::{Inline, Mechanisms, Service, Stage, TlsFacts};
use rookery_xml::Element;

use crate::facts;

/// The server, as the streams of its clients see it.
#[derive(Debug)]
pub(crate) struct ClientService {
    pub(crate) hosts: Hosts,
    pub(crate) features: Features,
    default_host: String,
    authenticator: Authenticator,
    /// By host.
    announced: HashMap<String, Announced>,
    /// What a session can begin with (XEP-0386), by namespace.
    inline: Vec<&'static str>,
}

/// The stream features of one host, which do not change while the node runs.
#[derive(Debug)]
struct Announced {
    in_clear: Vec<Element>,
    secure: Vec<Element>,
    binding: Vec<Element>,
    /// For clients that have a resource already (XEP-0386).
    bound: Vec<Element>,
}

// === impl ClientService ===

impl ClientService {
    pub(crate) fn new(
        hosts: Hosts,
        default_host: String,
        features: Features,
        authenticator: Authenticator,
    ) -> Self {
        let announced = hosts.iter().map(|host| {
            let name = host.name().to_owned();
            (name, Announced::by(&features, host))
        });
        let announced: HashMap<_, _> = announced.collect();
        let mut binding = announced.values().flat_map(|announced| &announced.binding);
        let states = binding.any(|feature| feature.namespace() == ns::CLIENT_STATE);
        // Those that are installed, or built in.
        let specs = features.specs().iter();
        let announces = |namespace| {
            let mut specs = specs.clone();
            specs.any(|spec| spec.host_features.contains(&namespace))
        };
        let mut inline = vec![ns::STREAM_MANAGEMENT];
        inline.extend(announces(ns::CARBONS).then_some(ns::CARBONS));
        inline.extend(states.then_some(ns::CLIENT_STATE));
        Self {
            hosts,
            features,
            default_host,
            authenticator,
            announced,
            inline,
        }
    }
}

// === impl Announced ===

impl Announced {
    fn by(features: &Features, host: &Host) -> Self {
        use rookery_extension::Stage::{Authentication, Binding};
        let before_login = |secure| {
            let mut announced = features.stream_features(Authentication, host);
            announced.extend(features.announced_before_login(host, secure));
            announced
        };
        let binding = features.stream_features(Binding, host);
        // A session is requested after binding, or never (RFC 3921 §3).
        let mut bound = binding.clone();
        bound.retain(|feature| feature.namespace() != ns::SESSION);
        Self {
            in_clear: before_login(false),
            secure: before_login(true),
            binding,
            bound,
        }
    }
}

// === impl Service ===

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
            tokens: offer.tokens().iter().map(|token| token.name()).collect(),
            upgrades: offer.upgrades(),
        }
    }

    fn inline(&self, _host: &str) -> Inline {
        Inline {
            bind: self.inline.clone(),
            resume: true,
        }
    }

    fn features(&self, host: &str, stage: Stage, tls: Option<&TlsFacts>) -> Vec<Element> {
        let announced = self.announced.get(host);
        let features = announced.map(|announced| match (stage, tls) {
            (Stage::Authentication, None) => &announced.in_clear,
            (Stage::Authentication, Some(_)) => &announced.secure,
            (Stage::Binding, _) => &announced.binding,
            (Stage::Bound, _) => &announced.bound,
        });
        features.cloned().unwrap_or_default()
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
        URL_SAFE_NO_PAD.encode(random)
    }
}
