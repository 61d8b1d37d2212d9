//! Where a stanza goes, by its address alone (RFC 6120 §10.4, §10.5).

use std::sync::Arc;

use rookery_extension::{Host, Hosts};
use rookery_stanza::Jid;

/// Who is responsible for an address.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// An account of ours: `localpart@domainpart`, with or without a resourcepart (§10.5.3, §10.5.4).
    Account,
    /// A host of ours itself: `domainpart`, with or without a resourcepart (§10.5.1, §10.5.2).
    Host(Arc<Host>),
    /// A component of ours (XEP-0114): a specialized local service (§10.5).
    Component,
    /// Another server (§10.4).
    Remote,
}

/// Decides where a stanza for `to` goes.
pub(crate) fn decide(to: &Jid, hosts: &Hosts) -> Destination {
    match hosts.get(to.domain()) {
        None if hosts.is_component(to.domain()) => Destination::Component,
        None => Destination::Remote,
        Some(_) if to.local().is_some() => Destination::Account,
        Some(host) => Destination::Host(Arc::clone(host)),
    }
}

#[cfg(test)]
mod tests {
    use rookery_stanza::BareJid;

    use super::*;

    fn hosts() -> Hosts {
        let jid = BareJid::parse("example.com").unwrap();
        Hosts::new([Host::new(jid)]).with_components(["irc.example.com".to_owned()])
    }

    #[test]
    fn addresses_of_rfc6120_s10_4_and_s10_5_are_told_apart() {
        let hosts = hosts();
        let decided = |jid: &str| decide(&Jid::parse(jid).unwrap(), &hosts);
        assert!(matches!(
            decided("juliet@example.com"),
            Destination::Account
        ));
        assert!(matches!(
            decided("juliet@example.com/balcony"),
            Destination::Account
        ));
        assert!(matches!(decided("example.com"), Destination::Host(_)));
        assert!(matches!(
            decided("example.com/announce"),
            Destination::Host(_)
        ));
        assert!(matches!(decided("irc.example.com"), Destination::Component));
        assert!(matches!(
            decided("romeo@irc.example.com/orchard"),
            Destination::Component
        ));
        assert!(matches!(decided("romeo@example.net"), Destination::Remote));
        assert!(matches!(decided("chat.example.com"), Destination::Remote));
    }
}
