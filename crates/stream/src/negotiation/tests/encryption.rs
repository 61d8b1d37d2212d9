//! STARTTLS (RFC 6120 §5).

use super::*;

const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>[starttls]";
const FAILURE: &str = "[closing StartTlsRefused]<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
                       </stream:stream>[disconnect]";

fn starttls(mode: StartTls) -> Play {
    Play::new(Security::StartTls(mode))
}

#[test]
fn required_starttls_is_the_only_feature_s5_3_1() {
    let expected = header(1, " version='1.0'")
        + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
           </stream:features>";
    assert_eq!(starttls(StartTls::Required).hears(HELLO), expected);
}

#[test]
fn after_tls_a_new_stream_without_starttls_begins_s5_4_3_3() {
    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    assert_eq!(play.stream.host(), Some(HOST));
    assert_eq!(play.hears(STARTTLS), PROCEED);
    assert_eq!(
        play.stream.host(),
        None,
        "what was said in the clear is forgotten"
    );
    assert_eq!(play.told(Input::TlsEstablished(TlsFacts::default())), "");
    let said = play.hears(HELLO);
    assert!(said.starts_with(&header(2, " version='1.0'")), "{said}");
    assert!(said.contains("<mechanism>PLAIN</mechanism>"), "{said}");
    assert!(!said.contains("starttls"), "{said}");
}

#[test]
fn optional_starttls_stands_beside_mechanisms_without_plain_s6_3_4() {
    let said = starttls(StartTls::Optional).hears(HELLO);
    assert!(
        said.contains("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        "{said}"
    );
    assert!(
        said.contains("<mechanism>SCRAM-SHA-1</mechanism></mechanisms>"),
        "{said}"
    );
    let said = starttls(StartTls::Off).hears(HELLO);
    assert!(!said.contains("starttls"), "{said}");
    assert!(!said.contains("PLAIN"), "{said}");
}

#[test]
fn whatever_follows_starttls_in_the_clear_ends_the_stream_s5_4_3_1() {
    for injected in [HELLO, "<", "\n<", AUTH, "\u{16}\u{3}\u{1}"] {
        let mut play = starttls(StartTls::Required);
        play.hears(HELLO);
        assert_eq!(
            play.hears(&format!("{STARTTLS}{injected}")),
            FAILURE,
            "{injected:?}"
        );
    }
}

#[test]
fn white_space_after_starttls_is_dropped_for_clients_that_break_s5_3_3() {
    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    assert_eq!(play.hears(&format!("{STARTTLS}\n")), PROCEED);
    assert_eq!(play.told(Input::TlsEstablished(TlsFacts::default())), "");
    assert!(play.hears(HELLO).contains("<mechanism>PLAIN</mechanism>"));
}

#[test]
fn starttls_that_is_not_offered_or_malformed_fails_s5_4_2_2() {
    let mut play = Play::greeted();
    assert_eq!(play.hears(STARTTLS), FAILURE, "over direct TLS (XEP-0368)");

    let mut play = starttls(StartTls::Off);
    play.hears(HELLO);
    assert_eq!(play.hears(STARTTLS), FAILURE);

    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    play.hears(STARTTLS);
    play.told(Input::TlsEstablished(TlsFacts::default()));
    play.hears(HELLO);
    assert_eq!(play.hears(STARTTLS), FAILURE, "twice");

    let mut play = Play::authenticated();
    assert_eq!(play.hears(STARTTLS), FAILURE, "after SASL");

    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    let malformed = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><x/></starttls>";
    assert_eq!(play.hears(malformed), FAILURE);
}

#[test]
fn a_handshake_that_takes_too_long_ends_without_a_word_s5_4_3_2() {
    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    play.hears(STARTTLS);
    assert_eq!(play.waits(29), "");
    assert_eq!(play.waits(1), "[closing NoTls][disconnect]");

    let mut play = Play::new(Security::DirectTls);
    assert_eq!(play.waits(30), "[closing NoTls][disconnect]");
}

#[test]
fn during_a_handshake_nothing_is_read_s5_4_3_1() {
    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    play.hears(STARTTLS);
    assert_eq!(play.hears(HELLO), "");
    play.told(Input::TlsEstablished(TlsFacts::default()));
    assert_eq!(play.hears(""), "", "what was said in the clear is lost");
}

#[test]
fn tls_comes_before_sasl_s5_3_4() {
    let mut play = starttls(StartTls::Required);
    play.hears(HELLO);
    assert_eq!(
        play.hears(AUTH),
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required/></failure>"
    );
    assert_eq!(play.hears(STARTTLS), PROCEED, "the client may do better");
}
