//! RFC 6120 §13.7.1.4: the XMPP addresses in a client's certificate.

use x509_parser::asn1_rs::{Error, FromDer, TaggedExplicit, Utf8String};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

/// `id-on-xmppAddr`
const XMPP_ADDRESS: &str = "1.3.6.1.5.5.7.8.5";

/// The XMPP addresses in a certificate, given as DER, in their order there; not prepared or checked.
///
/// The certificate has to be verified before. Which of the addresses counts is decided by RFC 6120
/// §13.7.2.2.1 and XEP-0178 §2. A certificate that cannot be read has none.
pub fn xmpp_addresses(certificate: &[u8]) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    names
        .value
        .general_names
        .iter()
        .filter_map(address)
        .collect()
}

fn address(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::OtherName(kind, value) if kind.to_id_string() == XMPP_ADDRESS => {
            let parsed = TaggedExplicit::<Utf8String<'_>, Error, 0>::from_der(value);
            let (rest, text) = parsed.ok()?;
            rest.is_empty().then(|| text.into_inner().string())
        }
        _ => None,
    }
}
