//! What is known of a connection's TLS session, in the words of the stream and of the authenticator.

use rookery_auth::ChannelBinding;
use rookery_stanza::BareJid;
use rookery_tls::{TlsInfo, TlsSession};

/// What a handshake has established. It is asked for once: to export keying material is no small matter.
pub(crate) struct Established {
    /// What the stream is told.
    pub(crate) for_stream: rookery_stream::TlsFacts,
    /// What the authenticator is told when a login begins.
    pub(crate) for_login: rookery_auth::TlsFacts,
}

// === impl Established ===

impl Established {
    /// Of a session whose handshake is complete, and agreed on this.
    pub(crate) fn by(tls: &TlsSession, info: TlsInfo) -> Self {
        let for_login = rookery_auth::TlsFacts {
            exporter: tls.export_channel_binding(),
            server_end_point: info.server_end_point,
            identities: accounts(&info.peer_addresses),
        };
        let bindings = for_login.protection().channel_bindings;
        Self {
            for_stream: rookery_stream::TlsFacts {
                channel_bindings: bindings.iter().map(|one| one.name()).collect(),
                server_name: info.sni,
                client_addresses: info.peer_addresses,
            },
            for_login,
        }
    }
}

/// What matters of the stream's facts for the offer of mechanisms: which bindings there are, not their
/// data.
pub(crate) fn for_offer(tls: &rookery_stream::TlsFacts) -> rookery_auth::Protection {
    rookery_auth::Protection {
        channel_bindings: tls
            .channel_bindings
            .iter()
            .filter_map(|name| ChannelBinding::named(name))
            .collect(),
        identities: accounts(&tls.client_addresses),
    }
}

fn accounts(addresses: &[String]) -> Vec<BareJid> {
    let parsed = addresses.iter().map(|address| BareJid::parse(address));
    parsed.filter_map(Result::ok).collect()
}
