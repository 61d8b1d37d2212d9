//! Bytes that mean harm: they end in an error, never in a panic.

use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;
use rustls::version::TLS13;

use super::{Authority, Directory, client_config, connect, load, shake, xmpp_address};
use crate::{server_end_point, xmpp_addresses};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_session_survives_any_bytes(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8)) {
        let (_, acceptor) = served();
        let mut session = acceptor.session().unwrap();
        let mut plaintext = BytesMut::new();
        for chunk in chunks {
            if session.receive(&chunk, &mut plaintext).is_err() {
                break;
            }
        }
        prop_assert!(plaintext.is_empty());
    }

    #[test]
    fn a_record_that_was_tampered_with_gives_nothing_by_rfc_8446_s5_2(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        use std::io::Write;

        let (authority, acceptor) = served();
        let config = client_config(authority.roots(), &[&TLS13], None);
        let mut client = connect(config, "example.net");
        let mut session = acceptor.session().unwrap();
        shake(&mut client, &mut session).unwrap();
        client.writer().write_all(b"<message/>").unwrap();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        let at = at.index(wire.len());
        wire[at] ^= flip;
        let mut plaintext = BytesMut::new();
        let result = session.receive(&wire, &mut plaintext);
        // The type and the version in front mean nothing to a receiver (RFC 8446 §5.1), and a greater
        // length leaves the record unfinished.
        let unharmed = at < 3 && plaintext == b"<message/>"[..];
        prop_assert!(unharmed || plaintext.is_empty());
        prop_assert!(at < 5 || result.is_err());
    }

    #[test]
    fn certificates_may_hold_any_bytes(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let authority = Authority::new();
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names.push(xmpp_address("juliet@example.net"));
        let mut der = authority.sign(&params).der().to_vec();
        let at = at.index(der.len());
        der[at] = to;
        drop(xmpp_addresses(&der));
        drop(server_end_point(&der));
    }
}

fn served() -> (Authority, crate::Acceptor) {
    let authority = Authority::new();
    let directory = Directory::new();
    let config = directory.default(&authority.issue(&["example.net"]));
    let acceptor = load(&config, &[]).acceptor(&[]);
    (authority, acceptor)
}

#[test]
fn early_data_which_could_be_replayed_is_not_offered() {
    let (authority, acceptor) = served();
    let mut config = client_config(authority.roots(), &[&TLS13], None);
    config.enable_early_data = true;
    let config = Arc::new(config);
    for resumed in [false, true] {
        let mut client = connect(Arc::clone(&config), "example.net");
        assert!(client.early_data().is_none());
        let mut session = acceptor.session().unwrap();
        shake(&mut client, &mut session).unwrap();
        assert_eq!(session.info().resumed, resumed);
    }
}
