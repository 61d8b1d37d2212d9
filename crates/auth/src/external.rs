//! EXTERNAL: the client's certificate says who it is (RFC 4422 Appendix A, XEP-0178).

use rookery_stanza::BareJid;
use rookery_stream::SaslCondition;

use crate::identity::authorization_identity;
use crate::offer::TlsFacts;

/// The account that the client means, of those at `host` that its certificate names (XEP-0178
/// §"Client-to-Server Recommendation", steps 10 and 11). Whether there is such an account is still to be
/// asked.
pub(crate) fn account(
    message: &[u8],
    host: &str,
    tls: &TlsFacts,
) -> Result<BareJid, SaslCondition> {
    let authzid = std::str::from_utf8(message).map_err(|_| SaslCondition::MalformedRequest)?;
    if authzid.contains('\0') {
        return Err(SaslCondition::MalformedRequest);
    }
    let mut identities = tls.identities_at(host);
    if !authzid.is_empty() {
        let wanted = authorization_identity(authzid)?;
        let named = identities.any(|identity| *identity == wanted);
        return if named {
            Ok(wanted)
        } else {
            Err(SaslCondition::InvalidAuthzid)
        };
    }
    match (identities.next(), identities.next()) {
        (Some(only), None) => Ok(only.clone()),
        // Which of them is meant has to be said.
        (Some(_), Some(_)) => Err(SaslCondition::InvalidAuthzid),
        (None, _) => Err(SaslCondition::NotAuthorized),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(identities: &[&str]) -> TlsFacts {
        let identities = identities
            .iter()
            .map(|jid| BareJid::parse(jid).unwrap())
            .collect();
        TlsFacts {
            identities,
            ..TlsFacts::default()
        }
    }

    #[test]
    fn the_only_name_in_the_certificate_is_meant() {
        let tls = named(&["juliet@example.com", "juliet@example.net"]);
        let juliet = account(b"", "example.com", &tls).unwrap();
        assert_eq!(juliet.as_str(), "juliet@example.com");
        assert_eq!(
            account(b"Juliet@example.com", "example.com", &tls),
            Ok(juliet)
        );
    }

    #[test]
    fn of_several_names_one_has_to_be_given() {
        let tls = named(&["juliet@example.com", "nurse@example.com"]);
        assert_eq!(
            account(b"", "example.com", &tls),
            Err(SaslCondition::InvalidAuthzid)
        );
        assert_eq!(
            account(b"nurse@example.com", "example.com", &tls)
                .unwrap()
                .local(),
            Some("nurse")
        );
    }

    #[test]
    fn a_name_outside_of_the_certificate_is_refused() {
        let tls = named(&["juliet@example.com"]);
        for authzid in [
            "romeo@example.com",
            "juliet@example.com/balcony",
            "juliet",
            "\u{7f}@@",
        ] {
            let refused = account(authzid.as_bytes(), "example.com", &tls);
            assert_eq!(refused, Err(SaslCondition::InvalidAuthzid), "{authzid}");
        }
        assert_eq!(
            account(b"", "example.net", &tls),
            Err(SaslCondition::NotAuthorized)
        );
        assert_eq!(
            account(b"a\0b", "example.com", &tls),
            Err(SaslCondition::MalformedRequest)
        );
        assert_eq!(
            account(b"\xFF", "example.com", &tls),
            Err(SaslCondition::MalformedRequest)
        );
    }
}
