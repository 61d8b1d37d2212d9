//! Addresses in a client's certificate: `id-on-xmppAddr` (RFC 6120 §13.7.1.4).
//!
//! A reader of just as much DER as it takes to get there (RFC 5280 §4.1, §4.2.1.6). What does not look as
//! expected has no addresses.

use rookery_stanza::BareJid;

const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed: `otherName` in a `GeneralName`, and the value in an `otherName`.
const CONTEXT_0: u8 = 0xa0;
/// `[3]`, constructed: the extensions in a certificate.
const CONTEXT_3: u8 = 0xa3;

/// `id-ce-subjectAltName`, 2.5.29.17.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
/// `id-on-xmppAddr`, 1.3.6.1.5.5.7.8.5.
const XMPP_ADDR: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x05];

/// The most addresses that are looked at.
const MAX_ADDRESSES: usize = 16;

/// The accounts that a certificate, in DER, names in its `subjectAltName`. It has to be verified by whoever
/// asks; names that are no account's address are left out.
pub fn xmpp_addresses(certificate: &[u8]) -> Vec<BareJid> {
    let names = subject_alt_name(certificate).unwrap_or_default();
    let account = |text: &str| {
        BareJid::parse(text)
            .ok()
            .filter(|jid| jid.local().is_some())
    };
    items(names)
        .filter_map(xmpp_address)
        .take(MAX_ADDRESSES)
        .filter_map(account)
        .collect()
}

/// The content of `GeneralNames`.
fn subject_alt_name(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = single(certificate, SEQUENCE)?;
    let (_, to_be_signed) = items(certificate)
        .next()
        .filter(|(tag, _)| *tag == SEQUENCE)?;
    let (_, extensions) = items(to_be_signed).find(|(tag, _)| *tag == CONTEXT_3)?;
    let extensions = single(extensions, SEQUENCE)?;
    let value = items(extensions).find_map(|(_, extension)| {
        let mut fields = items(extension);
        fields
            .next()
            .filter(|id| *id == (OBJECT_IDENTIFIER, &SUBJECT_ALT_NAME))?;
        // A flag that says whether it is critical may stand between.
        fields
            .find(|(tag, _)| *tag == OCTET_STRING)
            .map(|(_, value)| value)
    })?;
    single(value, SEQUENCE)
}

/// The text of a `GeneralName` that is an `otherName` of the type `id-on-xmppAddr`.
fn xmpp_address((tag, name): (u8, &[u8])) -> Option<&str> {
    if tag != CONTEXT_0 {
        return None;
    }
    let mut fields = items(name);
    fields
        .next()
        .filter(|id| *id == (OBJECT_IDENTIFIER, &XMPP_ADDR))?;
    let (_, value) = fields.next().filter(|(tag, _)| *tag == CONTEXT_0)?;
    std::str::from_utf8(single(value, UTF8_STRING)?).ok()
}

/// The content of the one item with this tag that is there.
fn single(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, content, rest) = item(der)?;
    (found == tag && rest.is_empty()).then_some(content)
}

/// The items up to the end, or up to one that is broken.
fn items(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = item(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// The first item: its tag, its content, and what follows it. Certificates have no tags of several bytes.
fn item(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (
                bytes
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte)),
                rest,
            )
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, OtherNameValue, SanType};

    use super::*;

    const XMPP_ADDR_OID: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    fn other(oid: &[u64], text: &str) -> SanType {
        SanType::OtherName((oid.to_vec(), OtherNameValue::Utf8String(text.to_owned())))
    }

    #[test]
    fn xmpp_addresses_are_found_among_other_names_by_rfc_6120_s13_7_1_4() {
        let der = certificate(vec![
            SanType::DnsName("example.com".try_into().unwrap()),
            other(&XMPP_ADDR_OID, "juliet@example.com"),
            other(&[1, 2, 3, 4], "somebody@example.com"),
            other(&XMPP_ADDR_OID, "Nurse@example.net"),
            other(&XMPP_ADDR_OID, "example.com"),
            other(&XMPP_ADDR_OID, "a b@example.com"),
        ]);
        let found: Vec<_> = xmpp_addresses(&der)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["juliet@example.com", "nurse@example.net"]);
    }

    #[test]
    fn a_certificate_without_names_has_none() {
        assert_eq!(xmpp_addresses(&certificate(vec![])), []);
        assert_eq!(xmpp_addresses(b""), []);
        assert_eq!(xmpp_addresses(b"no certificate"), []);
    }

    proptest! {
        #[test]
        fn no_damage_breaks_the_reader(position in 0usize..400, byte: u8, length in 0usize..400) {
            // A certificate in outline: names, in an extension, in a certificate.
            let mut der = vec![0x30, 0x20, 0x30, 0x1e, 0xa3, 0x1c, 0x30, 0x1a, 0x30, 0x18, 0x06, 3];
            der.extend(SUBJECT_ALT_NAME);
            der.extend([0x04, 0x11, 0x30, 0x0f, 0xa0, 0x0d, 0x06, 8]);
            der.extend(XMPP_ADDR);
            der.extend([0xa0, 3, 0x0c, 1, b'x']);
            if let Some(target) = der.get_mut(position % 40) {
                *target = byte;
            }
            der.truncate(length);
            drop(xmpp_addresses(&der));
        }
    }
}
