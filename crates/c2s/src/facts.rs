//! What is known of a connection's TLS session, in the words of the stream and of the authenticator.

use rookery_auth::ChannelBinding;
use rookery_stanza::BareJid;

use crate::transport::Transport;

/// What the stream is told once TLS is established.
pub(crate) fn for_stream(transport: &Transport) -> rookery_stream::TlsFacts {
    let protection = for_login(transport)
        .map(|facts| facts.protection())
        .unwrap_or_default();
    let info = transport.tls_info();
    rookery_stream::TlsFacts {
        channel_bindings: protection
            .channel_bindings
            .iter()
            .map(|one| one.name())
            .collect(),
        server_name: info.as_ref().and_then(|info| info.sni.clone()),
        client_addresses: info.map(|info| info.peer_addresses).unwrap_or_default(),
    }
}

/// What the authenticator is told when a login begins; `None` without TLS.
pub(crate) fn for_login(transport: &Transport) -> Option<rookery_auth::TlsFacts> {
    let tls = transport.tls()?;
    let info = tls.info();
    let identities = info
        .peer_addresses
        .iter()
        .filter_map(|address| BareJid::parse(address).ok());
    Some(rookery_auth::TlsFacts {
        exporter: tls.export_channel_binding(),
        server_end_point: info.server_end_point,
        identities: identities.collect(),
    })
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
        identities: tls
            .client_addresses
            .iter()
            .filter_map(|address| BareJid::parse(address).ok())
            .collect(),
    }
}
