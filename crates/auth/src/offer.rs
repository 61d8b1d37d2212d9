//! Which mechanisms and channel bindings a stream offers (RFC 6120 §6.3.4, XEP-0440).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_stanza::BareJid;
use rookery_storage::ScramHash;

use crate::config::HostConfig;
use crate::mechanism::{Mechanism, TokenBinding};
use crate::scram::hash;
use crate::upgrade;

/// What TLS has established, as far as logging in depends on it.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// The channel binding `tls-exporter` (RFC 9266), where the session has one.
    pub exporter: Option<[u8; 32]>,
    /// The channel binding `tls-server-end-point` (RFC 5929 §4).
    pub server_end_point: Option<Vec<u8>>,
    /// The accounts named by the client's certificate (RFC 6120 §13.7.1.4), given that its chain was
    /// verified.
    pub identities: Vec<BareJid>,
}

/// What of these facts the offer depends on: which channel bindings there are, not their data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The types of channel binding that the session has.
    pub channel_bindings: Vec<ChannelBinding>,
    /// The accounts named by the client's verified certificate.
    pub identities: Vec<BareJid>,
}

/// A type of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelBinding {
    /// Keying material of the session (RFC 9266).
    TlsExporter,
    /// The hash of the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
}

/// What is offered on one stream: it does not change while the stream lives.
#[derive(Clone, Debug)]
pub struct Offer {
    mechanisms: Vec<Mechanism>,
    tokens: Vec<Mechanism>,
    channel_bindings: Vec<ChannelBinding>,
    encrypted: bool,
}

// === impl ChannelBinding ===

impl ChannelBinding {
    /// All of them, strongest first.
    pub const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// Its registered name (RFC 5056 §7).
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

// === impl TlsFacts ===

impl TlsFacts {
    /// The data of a channel binding, where the session has it.
    pub fn binding(&self, binding: ChannelBinding) -> Option<&[u8]> {
        match binding {
            ChannelBinding::TlsExporter => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            ChannelBinding::TlsServerEndPoint => self.server_end_point.as_deref(),
        }
    }

    /// The accounts at `host` that the client's certificate names.
    pub(crate) fn identities_at(&self, host: &str) -> impl Iterator<Item = &BareJid> {
        at_host(&self.identities, host)
    }

    /// What of the facts the offer depends on.
    pub fn protection(&self) -> Protection {
        let available = |binding: &ChannelBinding| self.binding(*binding).is_some();
        Protection {
            channel_bindings: ChannelBinding::ALL.into_iter().filter(available).collect(),
            identities: self.identities.clone(),
        }
    }
}

// === impl Offer ===

impl Offer {
    /// What `host` offers over a connection that is protected like this, or by nothing.
    pub fn new(host: &str, policy: &HostConfig, protection: Option<&Protection>) -> Self {
        let available = |binding: &ChannelBinding| {
            protection.is_some_and(|protection| protection.channel_bindings.contains(binding))
        };
        let channel_bindings: Vec<_> = ChannelBinding::ALL.into_iter().filter(available).collect();
        let encrypted = protection.is_some();
        let certified = protection
            .is_some_and(|protection| at_host(&protection.identities, host).next().is_some());
        let offered = |mechanism: &Mechanism| match mechanism {
            Mechanism::External => certified,
            Mechanism::Plain => policy.plain && encrypted,
            Mechanism::Anonymous => policy.anonymous,
            token if token.token_binding().is_some() => false,
            scram => !scram.is_plus() || !channel_bindings.is_empty(),
        };
        // XEP-0484 §"Security Considerations": over a secure connection only.
        let takes_tokens = |mechanism: &Mechanism| {
            let binding = mechanism.token_binding();
            let bound = |binding: TokenBinding| {
                binding.is_none_or(|binding| channel_bindings.contains(&binding))
            };
            policy.fast && encrypted && binding.is_some_and(bound)
        };
        Self {
            tokens: Mechanism::ALL.into_iter().filter(takes_tokens).collect(),
            mechanisms: Mechanism::ALL.into_iter().filter(offered).collect(),
            channel_bindings,
            encrypted,
        }
    }

    /// The mechanisms for `<mechanisms/>`, strongest first.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// The mechanisms that take a token, for `<fast/>` (XEP-0484), strongest first.
    pub fn tokens(&self) -> &[Mechanism] {
        &self.tokens
    }

    /// The upgrade tasks (XEP-0480): the same for all accounts, so that nothing is told of any.
    pub fn upgrades(&self) -> Vec<&'static str> {
        if self.encrypted {
            upgrade::HASHES.map(upgrade::name).to_vec()
        } else {
            Vec::new()
        }
    }

    /// The types for `<sasl-channel-binding/>` (XEP-0440), strongest first. When there are none, the
    /// feature is left out.
    pub fn channel_bindings(&self) -> &[ChannelBinding] {
        &self.channel_bindings
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The value of the SCRAM attribute `h`: a hash of what is offered, from which a client learns that
    /// nobody on the way has shortened the lists (XEP-0474 §"Server Sends Downgrade Protection Hash").
    pub fn downgrade_hash(&self, hash: ScramHash) -> String {
        const UNIT: &str = "\u{1E}";
        const GROUP: &str = "\u{1F}";
        let mut mechanisms: Vec<_> = self.mechanisms.iter().map(|one| one.name()).collect();
        mechanisms.sort_unstable();
        let mut text = mechanisms.join(UNIT);
        if !self.channel_bindings.is_empty() {
            let mut bindings: Vec<_> = self.channel_bindings.iter().map(|one| one.name()).collect();
            bindings.sort_unstable();
            text.push_str(GROUP);
            text.push_str(&bindings.join(UNIT));
        }
        STANDARD.encode(hash::h(hash, text.as_bytes()))
    }
}

/// The accounts at one host.
fn at_host<'a>(accounts: &'a [BareJid], host: &str) -> impl Iterator<Item = &'a BareJid> {
    accounts
        .iter()
        .filter(move |jid| jid.domain() == host && jid.local().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls() -> Protection {
        let facts = TlsFacts {
            exporter: Some([7; 32]),
            server_end_point: Some(vec![8; 32]),
            identities: Vec::new(),
        };
        facts.protection()
    }

    fn names(offer: &Offer) -> Vec<&'static str> {
        offer.mechanisms().iter().map(|one| one.name()).collect()
    }

    #[test]
    fn nothing_that_needs_tls_is_offered_without_it_as_rfc_6120_s6_3_4_demands() {
        let offer = Offer::new("localhost", &HostConfig::default(), None);
        assert_eq!(
            names(&offer),
            ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]
        );
        assert_eq!(offer.channel_bindings(), []);
    }

    #[test]
    fn plus_is_offered_with_a_channel_binding_only_as_rfc_5802_s6_demands() {
        let offer = Offer::new(
            "localhost",
            &HostConfig::default(),
            Some(&Protection::default()),
        );
        assert_eq!(
            names(&offer),
            ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
        );
        let offer = Offer::new("localhost", &HostConfig::default(), Some(&tls()));
        assert_eq!(
            names(&offer),
            [
                "SCRAM-SHA-512-PLUS",
                "SCRAM-SHA-256-PLUS",
                "SCRAM-SHA-1-PLUS",
                "SCRAM-SHA-512",
                "SCRAM-SHA-256",
                "SCRAM-SHA-1",
                "PLAIN"
            ]
        );
        let exporter_first = [
            ChannelBinding::TlsExporter,
            ChannelBinding::TlsServerEndPoint,
        ];
        assert_eq!(offer.channel_bindings(), exporter_first);
    }

    #[test]
    fn external_comes_first_and_only_for_a_certificate_of_this_host() {
        let identities = vec![BareJid::parse("juliet@example.com").unwrap()];
        let tls = Protection {
            identities,
            ..tls()
        };
        let offer = Offer::new("example.com", &HostConfig::default(), Some(&tls));
        assert_eq!(offer.mechanisms().first(), Some(&Mechanism::External));
        let offer = Offer::new("example.net", &HostConfig::default(), Some(&tls));
        assert!(!offer.mechanisms().contains(&Mechanism::External));
    }

    #[test]
    fn a_host_decides_on_plain_and_anonymous() {
        let policy = HostConfig {
            plain: false,
            anonymous: true,
            fast: false,
        };
        let offer = Offer::new("localhost", &policy, Some(&tls()));
        assert!(!offer.mechanisms().contains(&Mechanism::Plain));
        assert_eq!(offer.mechanisms().last(), Some(&Mechanism::Anonymous));
    }

    #[test]
    fn tokens_are_taken_inside_tls_with_the_channel_bindings_that_there_are_xep_0484() {
        let tokens = |protection: Option<&Protection>, fast| {
            let policy = HostConfig {
                fast,
                ..HostConfig::default()
            };
            let offer = Offer::new("localhost", &policy, protection);
            offer.tokens().to_vec()
        };
        let [expr, endp, none] = [
            Mechanism::HtSha256Expr,
            Mechanism::HtSha256Endp,
            Mechanism::HtSha256None,
        ];
        assert_eq!(tokens(Some(&tls()), true), [expr, endp, none]);
        assert_eq!(tokens(Some(&Protection::default()), true), [none]);
        assert_eq!(tokens(Some(&tls()), false), []);
        assert_eq!(tokens(None, true), []);
    }

    /// The lists of XEP-0474 §"Full Example".
    #[test]
    fn the_downgrade_hash_is_that_of_the_example_in_xep_0474() {
        let offer = Offer {
            mechanisms: vec![Mechanism::ScramSha1Plus, Mechanism::ScramSha1],
            tokens: vec![Mechanism::HtSha256None],
            channel_bindings: vec![
                ChannelBinding::TlsServerEndPoint,
                ChannelBinding::TlsExporter,
            ],
            encrypted: true,
        };
        assert_eq!(
            offer.downgrade_hash(ScramHash::Sha1),
            "G6k/rBLDqgOhRRaCuuatSDFkJ08="
        );
    }

    #[test]
    fn the_downgrade_hash_changes_with_every_part_of_the_offer() {
        let whole = Offer::new("localhost", &HostConfig::default(), Some(&tls()));
        let fewer = Protection {
            channel_bindings: vec![ChannelBinding::TlsServerEndPoint],
            identities: Vec::new(),
        };
        let fewer = Offer::new("localhost", &HostConfig::default(), Some(&fewer));
        let no_plain = HostConfig {
            plain: false,
            ..HostConfig::default()
        };
        let no_plain = Offer::new("localhost", &no_plain, Some(&tls()));
        let hash = |offer: &Offer| offer.downgrade_hash(ScramHash::Sha256);
        assert_ne!(hash(&whole), hash(&fewer));
        assert_ne!(hash(&whole), hash(&no_plain));
    }
}
