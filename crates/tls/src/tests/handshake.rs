//! Handshakes, data, and the end of sessions.

use std::io::Write;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};

use super::{Authority, Directory, client_config, connect, load, shake, to_client, to_session};
use crate::{Acceptor, Config, HandshakeResult, MinimumVersion, TlsError, TlsSession};

fn served(authority: &Authority, alpn: &[&str]) -> Acceptor {
    served_with(authority, alpn, MinimumVersion::Tls12)
}

fn served_with(authority: &Authority, alpn: &[&str], min_version: MinimumVersion) -> Acceptor {
    let directory = Directory::new();
    let config = Config {
        min_version,
        ..directory.default(&authority.issue(&["example.net"]))
    };
    load(&config, &[]).acceptor(alpn)
}

#[test]
fn everything_can_move_between_threads() {
    fn movable<T: Send + 'static>() {}
    fn shared<T: Send + Sync + 'static>() {}
    movable::<TlsSession>();
    shared::<Acceptor>();
    shared::<crate::CertificateStore>();
    shared::<TlsError>();
    shared::<crate::CertificateError>();
}

#[test]
fn tls_1_2_and_1_3_carry_data_both_ways() {
    let authority = Authority::new();
    let acceptor = served(&authority, &[]);
    for (version, name) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let config = client_config(authority.roots(), &[version], None);
        let mut client = connect(config, "example.net");
        let mut session = acceptor.session().unwrap();
        shake(&mut client, &mut session).unwrap();

        client.writer().write_all(b"<stream:stream>").unwrap();
        assert_eq!(
            to_session(&mut client, &mut session).unwrap(),
            b"<stream:stream>"
        );
        let large = vec![b'x'; 100_000];
        session.send(&large).unwrap();
        assert_eq!(to_client(&mut session, &mut client).unwrap(), large);
        assert!(!session.has_output());

        let info = session.info();
        assert_eq!(info.version, name);
        assert!(info.cipher.starts_with("TLS"), "{}", info.cipher);
        assert_eq!(info.sni.as_deref(), Some("example.net"));
        assert_eq!(info.alpn, None);
        assert!(!info.resumed);
        assert!(info.peer_certificates.is_empty() && info.peer_addresses.is_empty());
    }
}

#[test]
fn the_suite_that_every_peer_speaks_comes_first_by_rfc_8446_s9_1() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &[]).session().unwrap();
    shake(&mut client, &mut session).unwrap();
    assert!(session.info().cipher.ends_with("AES_128_GCM_SHA256"));
}

#[test]
fn bytes_may_come_one_by_one() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &[]).session().unwrap();
    let mut plaintext = BytesMut::new();
    for _ in 0..3 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        for byte in wire {
            session.receive(&[byte], &mut plaintext).unwrap();
        }
        to_client(&mut session, &mut client).unwrap();
    }
    assert!(!session.is_handshaking());
    assert!(plaintext.is_empty());
}

#[test]
fn many_records_in_one_read_come_out_whole() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &[]).session().unwrap();
    shake(&mut client, &mut session).unwrap();
    client.set_buffer_limit(None);
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    client.writer().write_all(&sent).unwrap();
    assert_eq!(to_session(&mut client, &mut session).unwrap(), sent);
}

#[test]
fn older_versions_than_configured_are_refused() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS12], None);
    let mut client = connect(config, "example.net");
    let acceptor = served_with(&authority, &[], MinimumVersion::Tls13);
    let mut session = acceptor.session().unwrap();
    let error = shake(&mut client, &mut session).unwrap_err();
    assert_eq!(error.handshake_result(), HandshakeResult::Protocol);
    assert!(session.has_output(), "an alert tells the client");
}

#[test]
fn nothing_is_sent_before_the_handshake_is_complete() {
    let mut session = served(&Authority::new(), &[]).session().unwrap();
    assert_eq!(session.send(b"early"), Err(TlsError::Handshaking));
    assert!(!session.has_output());
    assert_eq!(session.export_channel_binding(), None);
    assert_eq!(session.info().version, "none");
}

#[test]
fn bytes_that_are_not_tls_are_answered_with_an_alert() {
    let mut session = served(&Authority::new(), &[]).session().unwrap();
    let mut plaintext = BytesMut::new();
    let error = session
        .receive(b"<?xml version='1.0'?>", &mut plaintext)
        .unwrap_err();
    assert_eq!(error.handshake_result(), HandshakeResult::Protocol);
    let mut out = Vec::new();
    session.take_output(&mut out);
    assert_eq!(out.first(), Some(&21), "content type alert (RFC 8446 §5.1)");
}

#[test]
fn a_client_that_does_not_trust_us_counts_as_certificate() {
    let stranger = Authority::new();
    let config = client_config(stranger.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&Authority::new(), &[]).session().unwrap();
    to_session(&mut client, &mut session).unwrap();
    to_client(&mut session, &mut client).unwrap_err();
    let error = to_session(&mut client, &mut session).unwrap_err();
    assert_eq!(error.handshake_result(), HandshakeResult::Certificate);
}

#[test]
fn direct_tls_agrees_on_xmpp_client_by_xep_0368_s3_rule_8() {
    let authority = Authority::new();
    let mut config = client_config(authority.roots(), &[&TLS13], None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"xmpp-client".to_vec()];
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &["xmpp-client"]).session().unwrap();
    shake(&mut client, &mut session).unwrap();
    assert_eq!(session.info().alpn.as_deref(), Some(&b"xmpp-client"[..]));
    assert_eq!(client.alpn_protocol(), Some(&b"xmpp-client"[..]));
}

#[test]
fn a_client_without_alpn_is_welcome_by_xep_0368_s3_rule_7() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &["xmpp-client"]).session().unwrap();
    shake(&mut client, &mut session).unwrap();
    assert_eq!(session.info().alpn, None);
}

#[test]
fn a_client_of_another_protocol_is_refused() {
    let authority = Authority::new();
    let mut config = client_config(authority.roots(), &[&TLS13], None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &["xmpp-client"]).session().unwrap();
    let error = shake(&mut client, &mut session).unwrap_err();
    assert_eq!(
        error,
        TlsError::Protocol(rustls::Error::NoApplicationProtocol)
    );
}

#[test]
fn both_sides_derive_the_same_tls_exporter_by_rfc_9266_s2() {
    let authority = Authority::new();
    let acceptor = served(&authority, &[]);
    let mut seen = Vec::new();
    for version in [&TLS12, &TLS13] {
        let config = client_config(authority.roots(), &[version], None);
        let mut client = connect(config, "example.net");
        let mut session = acceptor.session().unwrap();
        shake(&mut client, &mut session).unwrap();
        let ours = session.export_channel_binding().unwrap();
        let theirs = client
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
            .unwrap();
        assert_eq!(ours, theirs);
        seen.push(ours);
    }
    assert_ne!(seen[0], seen[1], "unique to the session");
}

#[test]
fn the_end_point_binding_is_of_the_certificate_that_the_client_sees() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &[]).session().unwrap();
    shake(&mut client, &mut session).unwrap();
    let seen = &client.peer_certificates().unwrap()[0];
    let expected = Sha256::digest(seen).to_vec();
    assert_eq!(session.info().server_end_point, Some(expected));
}

#[test]
fn sessions_are_resumed_by_ticket() {
    let authority = Authority::new();
    let acceptor = served(&authority, &[]);
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_config(authority.roots(), &[version], None));
        let mut bindings = Vec::new();
        for resumed in [false, true] {
            let mut client = connect(Arc::clone(&config), "example.net");
            let mut session = acceptor.session().unwrap();
            shake(&mut client, &mut session).unwrap();
            let info = session.info();
            assert_eq!(info.resumed, resumed);
            assert!(info.server_end_point.is_some());
            bindings.push(session.export_channel_binding().unwrap());
        }
        assert_ne!(bindings[0], bindings[1]);
    }
}

#[test]
fn tickets_of_rfc_8446_s4_6_1_travel_with_the_first_thing_that_is_said() {
    let authority = Authority::new();
    let acceptor = served(&authority, &[]);
    for version in [&TLS12, &TLS13] {
        let config = client_config(authority.roots(), &[version], None);
        let mut client = connect(config, "example.net");
        let mut session = acceptor.session().unwrap();
        // All that a handshake needs is urgent.
        while client.is_handshaking() || session.is_handshaking() {
            to_session(&mut client, &mut session).unwrap();
            let mut wire = Vec::new();
            session.take_urgent_output(&mut wire);
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        assert_eq!(client.tls13_tickets_received(), 0);
        assert_eq!(session.has_output(), session.version() == "1.3");
        session.send(b"<stream:features/>").unwrap();
        to_client(&mut session, &mut client).unwrap();
        let tickets = u32::from(session.version() == "1.3");
        assert_eq!(client.tls13_tickets_received(), tickets);
    }
}

#[test]
fn close_notify_is_told_from_a_cut_connection() {
    let authority = Authority::new();
    let config = client_config(authority.roots(), &[&TLS13], None);
    let mut client = connect(config, "example.net");
    let mut session = served(&authority, &[]).session().unwrap();
    shake(&mut client, &mut session).unwrap();
    assert!(!session.peer_closed());

    client.writer().write_all(b"</stream:stream>").unwrap();
    client.send_close_notify();
    assert_eq!(
        to_session(&mut client, &mut session).unwrap(),
        b"</stream:stream>"
    );
    assert!(session.peer_closed());

    session.send(b"</stream:stream>").unwrap();
    session.close();
    assert_eq!(
        to_client(&mut session, &mut client).unwrap(),
        b"</stream:stream>"
    );
    assert!(client.process_new_packets().unwrap().peer_has_closed());
    let mut plaintext = BytesMut::new();
    session.receive(b"late bytes", &mut plaintext).unwrap();
    assert!(plaintext.is_empty());
}

/// Whether each of the client's flights makes keys be exchanged, as the session announces it.
fn exchanges(config: rustls::ClientConfig, acceptor: &Acceptor) -> Vec<bool> {
    let mut client = connect(config, "example.net");
    let mut session = acceptor.session().unwrap();
    let mut announced = Vec::new();
    while session.is_handshaking() {
        announced.push(session.awaits_key_exchange());
        to_session(&mut client, &mut session).unwrap();
        to_client(&mut session, &mut client).unwrap();
    }
    assert!(!session.awaits_key_exchange());
    announced
}

#[test]
fn keys_are_exchanged_once_in_a_handshake_by_rfc_8446_s2() {
    use rustls::crypto::aws_lc_rs::kx_group::{MLKEM768, X25519};
    let authority = Authority::new();
    let acceptor = served(&authority, &[]);
    let config = |version| client_config(authority.roots(), &[version], None);
    assert_eq!(exchanges(config(&TLS13), &acceptor), [true, false]);
    // RFC 5246 §7.3: the client's share comes in its second flight.
    assert_eq!(exchanges(config(&TLS12), &acceptor), [true, true]);

    // RFC 8446 §2.1: a share of a group that the server does not know is asked for again.
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![MLKEM768, X25519];
    let again = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    assert_eq!(exchanges(again, &acceptor), [true, true, true]);
}
