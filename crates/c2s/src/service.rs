//! What streams ask of the server: hosts, mechanisms, features, stream ids.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rookery_auth::{Authenticator, ChannelBinding, Protection};
use rookery_extension::{Features, Host, Hosts};
use rookery_stanza::ns;
use rookery_stream::{Inline, Mechanisms, Offer, Service, Stage, TlsFacts, write_features};

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
    /// What a session can begin with (XEP-0386).
    inline: Inline,
}

/// The stream features of one host, which do not change while the node runs.
#[derive(Debug, Default)]
struct Announced {
    in_clear: Bytes,
    secure: Bytes,
    binding: Bytes,
    /// For clients that have a resource already (XEP-0386).
    bound: Bytes,
    offer_in_clear: Arc<Offer>,
    /// For clients without certificates, by the channel bindings that their TLS sessions have.
    offers: Vec<(Vec<&'static str>, Arc<Offer>)>,
}

// === impl ClientService ===

impl ClientService {
    pub(crate) fn new(
        hosts: Hosts,
        default_host: String,
        features: Features,
        authenticator: Authenticator,
    ) -> Self {
        let mut service = Self {
            inline: inline(&features, &hosts),
            announced: HashMap::new(),
            hosts,
            features,
            default_host,
            authenticator,
        };
        let announced = service.hosts.iter().map(|host| {
            let name = host.name().to_owned();
            (name, service.announced(host))
        });
        service.announced = announced.collect();
        service
    }

    fn announced(&self, host: &Host) -> Announced {
        use rookery_extension::Stage::{Authentication, Binding};
        let before_login = |secure| {
            let mut announced = self.features.stream_features(Authentication, host);
            announced.extend(self.features.announced_before_login(host, secure));
            write_features(&announced)
        };
        let binding = self.features.stream_features(Binding, host);
        // A session is requested after binding, or never (RFC 3921 §3).
        let mut bound = binding.clone();
        bound.retain(|feature| feature.namespace() != ns::SESSION);
        let offers = bindings().map(|channel_bindings| {
            let names = channel_bindings.iter().map(|one| one.name()).collect();
            let protection = Protection {
                channel_bindings,
                ..Protection::default()
            };
            let offer = self.offer_to(host.name(), Some(&protection));
            (names, Arc::new(offer))
        });
        Announced {
            in_clear: before_login(false),
            secure: before_login(true),
            binding: write_features(&binding),
            bound: write_features(&bound),
            offer_in_clear: Arc::new(self.offer_to(host.name(), None)),
            offers: offers.collect(),
        }
    }

    /// What is offered at `host` to those who are protected like this, or not at all.
    fn offer_to(&self, host: &str, protection: Option<&Protection>) -> Offer {
        let offer = self.authenticator.offer(host, protection);
        let names = offer.mechanisms().iter();
        let channel_bindings = offer.channel_bindings().iter();
        let mechanisms = Mechanisms {
            names: names.map(|mechanism| mechanism.name().into()).collect(),
            channel_bindings: channel_bindings.map(|one| one.name()).collect(),
            tokens: offer.tokens().iter().map(|token| token.name()).collect(),
            upgrades: offer.upgrades(),
        };
        Offer::new(mechanisms, &self.inline, protection.is_some())
    }
}

/// What a session can begin with: what is installed of it, or built in.
fn inline(features: &Features, hosts: &Hosts) -> Inline {
    let announces = |namespace| {
        let mut specs = features.specs().iter();
        specs.any(|spec| spec.host_features.contains(&namespace))
    };
    let has_states = hosts.iter().any(|host| {
        let binding = features.stream_features(rookery_extension::Stage::Binding, host);
        let mut binding = binding.iter();
        binding.any(|feature| feature.namespace() == ns::CLIENT_STATE)
    });
    let mut bind = vec![ns::STREAM_MANAGEMENT];
    bind.extend(announces(ns::CARBONS).then_some(ns::CARBONS));
    bind.extend(has_states.then_some(ns::CLIENT_STATE));
    Inline { bind, resume: true }
}

/// The channel bindings that a TLS session may have: any of them, in the order of their strength.
fn bindings() -> impl Iterator<Item = Vec<ChannelBinding>> {
    let all = ChannelBinding::ALL;
    (0..1_u32 << all.len()).map(move |chosen| {
        let numbered = all.into_iter().enumerate();
        let is_chosen = numbered.filter(|(number, _)| chosen >> number & 1 == 1);
        is_chosen.map(|(_, binding)| binding).collect()
    })
}

// === impl Service ===

impl Service for ClientService {
    fn default_host(&self) -> &str {
        &self.default_host
    }

    fn serves(&self, host: &str) -> bool {
        self.hosts.get(host).is_some()
    }

    fn offer(&self, host: &str, tls: Option<&TlsFacts>) -> Arc<Offer> {
        let announced = self.announced.get(host);
        let known = announced.and_then(|announced| match tls {
            None => Some(&announced.offer_in_clear),
            // What a certificate allows depends on whom it names.
            Some(tls) if !tls.client_addresses.is_empty() => None,
            Some(tls) => {
                let mut offers = announced.offers.iter();
                let of = offers.find(|(bindings, _)| *bindings == tls.channel_bindings);
                of.map(|(_, offer)| offer)
            }
        });
        known.cloned().unwrap_or_else(|| {
            let protection = tls.map(facts::for_offer);
            Arc::new(self.offer_to(host, protection.as_ref()))
        })
    }

    fn features(&self, host: &str, stage: Stage, tls: Option<&TlsFacts>) -> Bytes {
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
