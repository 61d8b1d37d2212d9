//! Addresses: preparation is idempotent, text reads back, parts keep their lengths (RFC 7622 §3).

use rookery_stanza::jid::{enforce_localpart, enforce_resourcepart};
use rookery_stanza::{BareJid, Jid};

/// RFC 7622 §3.2 to §3.4.
const MOST_OCTETS: usize = 1023;

/// Tries one text, as an address and as each of its parts.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(jid) = Jid::parse(text) {
        check_address(&jid);
    }
    for enforce in [enforce_localpart, enforce_resourcepart] {
        if let Ok(part) = enforce(text) {
            assert_eq!(enforce(&part).as_deref(), Ok(&*part), "not idempotent");
            assert!((1..=MOST_OCTETS).contains(&part.len()));
        }
    }
    if let Ok(local) = enforce_localpart(text) {
        let jid = Jid::from_parts(Some(&local), "h.example", None);
        assert_eq!(jid.as_ref().ok().and_then(Jid::local), Some(&*local));
    }
    if let Ok(resource) = enforce_resourcepart(text) {
        let jid = Jid::from_parts(None, "h.example", Some(&resource));
        assert_eq!(jid.as_ref().ok().and_then(Jid::resource), Some(&*resource));
    }
}

fn check_address(jid: &Jid) {
    assert_eq!(
        Jid::parse(jid.as_str()).as_ref(),
        Ok(jid),
        "it does not read back"
    );
    assert_eq!(jid.to_string(), jid.as_str());
    let parts = Jid::from_parts(jid.local(), jid.domain(), jid.resource());
    assert_eq!(parts.as_ref(), Ok(jid), "its parts make another address");
    for part in [jid.local(), Some(jid.domain()), jid.resource()]
        .into_iter()
        .flatten()
    {
        assert!(
            (1..=MOST_OCTETS).contains(&part.len()),
            "{} octets",
            part.len()
        );
    }
    assert!(!jid.local().is_some_and(|local| local.contains(['@', '/'])));
    assert!(!jid.domain().contains(['@', '/']));
    let bare = jid.bare();
    assert_eq!(BareJid::parse(bare.as_str()).as_ref(), Ok(&bare));
    assert_eq!(bare.as_str(), jid.bare_str());
    if let Some(resource) = jid.resource() {
        assert_eq!(bare.with_resource(resource).as_ref(), Ok(jid));
    } else {
        assert_eq!(bare.as_jid(), jid);
    }
}
