//! Stream headers and features (RFC 6120 §4.2, §4.3, §4.7, §4.8).

use super::*;

/// A header with these attributes and the usual namespaces.
fn hello(attributes: &str) -> String {
    format!(
        "<stream:stream {attributes} xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

#[test]
fn mechanisms_channel_bindings_and_limits_are_offered_inside_tls_s6_4_1_xep_0440_xep_0478() {
    let expected = header(1, " version='1.0'")
        + "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
           <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>\
           <sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
           <channel-binding type='tls-exporter'/>\
           <channel-binding type='tls-server-end-point'/></sasl-channel-binding>\
           <authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-1</mechanism>\
           <mechanism>PLAIN</mechanism><inline><bind xmlns='urn:xmpp:bind:0'><inline>\
           <feature var='urn:xmpp:carbons:2'/></inline></bind><sm xmlns='urn:xmpp:sm:3'/>\
           <fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism></fast></inline>\
           <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>\
           </authentication>\
           <limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits>\
           </stream:features>";
    assert_eq!(Play::secure().hears(HELLO), expected);
}

#[test]
fn binding_limits_and_further_features_are_offered_after_authentication_s7_4() {
    let mut play = Play::greeted();
    play.hears(AUTH);
    play.told(success());
    let expected = header(2, " version='1.0'")
        + "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>\
           <limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes>\
           <idle-seconds>300</idle-seconds></limits>\
           <ver xmlns='urn:xmpp:features:rosterver'/></stream:features>";
    assert_eq!(play.hears(HELLO), expected);
}

#[test]
fn the_answer_is_addressed_to_the_bare_jid_in_from_s4_7_2() {
    let mut play = Play::secure();
    let said = play.hears(&hello(
        "from='Juliet@im.example.com/x' to='im.example.com' version='1.0'",
    ));
    assert!(
        said.starts_with(&header(1, " to='juliet@im.example.com' version='1.0'")),
        "{said}"
    );
}

#[test]
fn every_stream_gets_an_id_of_its_own_and_the_clients_is_ignored_s4_7_3() {
    let mut play = Play::secure();
    play.hears(&hello("id='mine' to='im.example.com' version='1.0'"));
    assert_eq!(play.stream.stream_id(), "id1");
    play.hears(AUTH);
    play.told(success());
    play.hears(HELLO);
    assert_eq!(play.stream.stream_id(), "id2");
}

#[test]
fn the_lower_version_is_answered_s4_7_5() {
    let said = Play::secure().hears(&hello("to='im.example.com' version='1.13'"));
    assert!(
        said.starts_with(&(header(1, " version='1.0'") + "<stream:features>")),
        "{said}"
    );
}

#[test]
fn a_stream_without_version_is_refused_without_version_s4_7_5() {
    let said = Play::secure().hears(&hello("to='im.example.com'"));
    assert_eq!(said, header(1, "") + &error("unsupported-version"));
}

#[test]
fn another_major_version_is_unsupported_s4_9_3_25() {
    let said = Play::secure().hears(&hello("to='im.example.com' version='11.0'"));
    assert_eq!(
        said,
        header(1, " version='1.0'") + &error("unsupported-version")
    );
}

#[test]
fn an_unknown_host_is_told_by_a_known_one_s4_9_1_3_s4_9_3_6() {
    for to in [
        "unknown.example",
        "",
        "juliet@im.example.com",
        "im.example.com/x",
    ] {
        let said = Play::secure().hears(&hello(&format!("to='{to}' version='1.0'")));
        assert_eq!(
            said,
            header(1, " version='1.0'") + &error("host-unknown"),
            "{to}"
        );
    }
}

#[test]
fn each_host_speaks_for_itself_s4_7_1() {
    let mut play = Play::secure();
    let said = play.hears(&hello("to='OTHER.example' version='1.0'"));
    assert!(said.contains(" from='other.example' "), "{said}");
    assert_eq!(play.stream.host(), Some("other.example"));
}

#[test]
fn a_client_that_names_no_host_gets_the_one_of_tls_or_the_default_s4_7_2() {
    let said = Play::secure().hears(&hello("version='1.0'"));
    assert!(
        said.starts_with(&(header(1, " version='1.0'") + "<stream:features>")),
        "{said}"
    );

    for (server_name, host) in [
        ("other.example", "other.example"),
        ("unknown.example", HOST),
    ] {
        let mut play = Play::new(Security::DirectTls);
        play.told(Input::TlsEstablished(TlsFacts {
            server_name: Some(server_name.into()),
            ..TlsFacts::default()
        }));
        play.hears(&hello("version='1.0'"));
        assert_eq!(play.stream.host(), Some(host));
    }
}

#[test]
fn another_stream_namespace_is_invalid_s4_8_1_s4_9_1_2() {
    let said = Play::secure().hears(
        "<?xml version='1.0'?><stream:stream from='juliet@im.example.com' to='im.example.com' \
         version='1.0' xmlns='jabber:client' xmlns:stream='http://wrong.namespace.example.org/'>",
    );
    let expected = header(1, " to='juliet@im.example.com' version='1.0'");
    assert_eq!(said, expected + &error("invalid-namespace"));
}

#[test]
fn only_the_content_namespace_of_clients_is_served_s4_8_3() {
    for namespace in ["jabber:server", "jabber:component:accept", "urn:x"] {
        let said = Play::secure().hears(&format!(
            "<stream:stream to='im.example.com' version='1.0' xmlns='{namespace}' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        ));
        assert_error(&said, "invalid-namespace");
    }
}

#[test]
fn a_prefix_other_than_stream_is_refused_s4_9_3_2() {
    let said = Play::secure().hears(
        "<foobar:stream to='im.example.com' version='1.0' xmlns='jabber:client' \
         xmlns:foobar='http://etherx.jabber.org/streams'>",
    );
    assert_eq!(
        said,
        header(1, " version='1.0'") + &error("bad-namespace-prefix")
    );
}

#[test]
fn prefix_free_canonicalization_is_served_s4_8_2() {
    let mut play = Play::secure();
    let hello =
        "<stream to='im.example.com' version='1.0' xmlns='http://etherx.jabber.org/streams'>";
    play.hears(hello);
    assert_eq!(play.hears(AUTH), "[start SCRAM-SHA-1 Some(\"n,,\")]");
    play.told(success());
    play.hears(hello);
    play.hears(
        "<iq xmlns='jabber:client' id='b1' type='set'>\
         <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    );
    play.told(bound("balcony"));
    assert_eq!(
        play.hears("<message xmlns='jabber:client'><body>hi</body></message>"),
        "[stanza <message><body>hi</body></message>]"
    );
    assert_eq!(
        play.hears("</stream>"),
        "[closing ByPeer]</stream:stream>[disconnect]",
        "the client's own end tag"
    );
}

#[test]
fn a_root_that_is_no_stream_is_bad_format_s4_9_3_1() {
    let said = Play::secure().hears(
        "<stream:x to='im.example.com' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>",
    );
    assert_error(&said, "bad-format");
}

#[test]
fn garbage_is_answered_by_a_header_and_an_error_s4_9_1_2() {
    for (garbage, condition) in [
        ("GET / HTTP/1.1\r\n\r\n", "not-well-formed"),
        ("\u{16}\u{3}\u{1}", "not-well-formed"),
        ("<!DOCTYPE x>", "restricted-xml"),
        (
            "<?xml version='1.0' encoding='UTF-16'?><stream:stream>",
            "unsupported-encoding",
        ),
        ("<stream:stream>", "not-well-formed"),
        ("</stream:stream>", "not-well-formed"),
    ] {
        let said = Play::clear().hears(garbage);
        assert!(said.starts_with(&header(1, " version='1.0'")), "{said}");
        assert_error(&said, condition);
    }
}

#[test]
fn a_malformed_from_is_invalid_s4_9_3_9() {
    let said = Play::secure().hears(&hello("from='@' to='im.example.com' version='1.0'"));
    assert_eq!(said, header(1, " version='1.0'") + &error("invalid-from"));
}

#[test]
fn an_authenticated_client_stays_with_its_host_and_account() {
    for (attributes, condition) in [
        ("to='other.example' version='1.0'", "not-authorized"),
        (
            "from='romeo@im.example.com' to='im.example.com' version='1.0'",
            "invalid-from",
        ),
    ] {
        let mut play = Play::greeted();
        play.hears(AUTH);
        play.told(success());
        assert_error(&play.hears(&hello(attributes)), condition);
    }
    let mut play = Play::greeted();
    play.hears(AUTH);
    play.told(success());
    let said = play.hears(&hello("from='juliet@im.example.com/balcony' version='1.0'"));
    assert!(said.contains("<bind "), "{said}");
}

#[test]
fn white_space_before_the_header_is_tolerated_s11_7() {
    let said = Play::secure().hears(&format!("\n {HELLO}"));
    assert!(said.contains("<stream:features>"), "{said}");
}

#[test]
fn a_second_header_without_a_restart_is_no_header_s4_3_3() {
    let mut play = Play::greeted();
    assert_error(&play.hears(HELLO), "restricted-xml");

    let mut play = Play::greeted();
    assert_error(
        &play.hears(&hello("to='im.example.com'")),
        "unsupported-stanza-type",
    );
}

#[test]
fn namespaces_of_a_replaced_stream_are_forgotten_s4_8_5() {
    let mut play = Play::secure();
    play.hears(&hello(
        "xmlns:a='urn:ietf:params:xml:ns:xmpp-sasl' to='im.example.com' version='1.0'",
    ));
    let auth = "<a:auth mechanism='SCRAM-SHA-1'/>";
    assert_eq!(play.hears(auth), "[start SCRAM-SHA-1 None]");
    play.told(success());
    play.hears(HELLO);
    assert_error(&play.hears(auth), "not-well-formed");
}
