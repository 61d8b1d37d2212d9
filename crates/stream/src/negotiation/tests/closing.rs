//! The end of a stream (RFC 6120 §4.4, §4.6, §4.9).

use rookery_stanza::{StreamCondition, StreamError};

use super::*;

const END: &str = "</stream:stream>";

#[test]
fn a_stream_that_the_client_closes_is_closed_in_return_s4_4() {
    for mut play in [Play::greeted(), Play::authenticated(), Play::bound()] {
        assert_eq!(
            play.hears(END),
            "[closing ByPeer]</stream:stream>[disconnect]"
        );
        assert_eq!(
            play.hears("<presence/>"),
            "",
            "nothing is read after the end"
        );
        assert_eq!(play.stream.deadline(), None);
    }
}

#[test]
fn stanzas_before_the_end_are_taken_s4_4() {
    let said = Play::bound().hears("<presence type='unavailable'/></stream:stream>");
    assert_eq!(
        said,
        "[stanza <presence type='unavailable'/>][closing ByPeer]</stream:stream>[disconnect]"
    );
}

#[test]
fn a_stream_that_the_server_closes_waits_for_the_client_and_takes_its_stanzas_s4_4() {
    let mut play = Play::bound();
    assert_eq!(
        play.told(Input::Close),
        "[closing Requested]</stream:stream>"
    );
    assert_eq!(play.hears("<presence/>"), "[stanza <presence/>]");
    assert_eq!(
        play.hears("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        ""
    );
    assert_eq!(play.hears(END), "[disconnect]");
}

#[test]
fn a_client_that_does_not_close_is_not_waited_for_s4_4() {
    let mut play = Play::bound();
    play.told(Input::Close);
    assert_eq!(play.waits(4), "");
    assert_eq!(play.waits(1), "[disconnect]");
    assert_eq!(play.waits(600), "");
}

#[test]
fn after_an_error_nothing_but_the_end_counts_s4_9_1_1() {
    let mut play = Play::bound();
    let shutdown = StreamError::new(StreamCondition::SystemShutdown);
    assert_eq!(
        play.told(Input::Shutdown(shutdown.clone())),
        error("system-shutdown")
    );
    assert_eq!(play.hears("<message/>"), "");
    assert_eq!(
        play.told(Input::Shutdown(shutdown)),
        "",
        "one error is enough"
    );
    assert_eq!(play.told(Input::Close), "");
    assert_eq!(play.hears(END), "[disconnect]");
}

#[test]
fn every_condition_of_s4_9_3_can_end_a_stream() {
    for &condition in StreamCondition::ALL {
        let said = Play::bound().told(Input::Shutdown(StreamError::new(condition)));
        assert_eq!(said, error(condition.as_str()));
    }
}

#[test]
fn a_client_that_reports_an_error_is_closed_in_return_s4_9_1_1() {
    let report = "<stream:error><unsupported-feature \
                  xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    for mut play in [Play::greeted(), Play::bound()] {
        assert_eq!(play.hears(report), "[closing PeerError]</stream:stream>");
        assert_eq!(play.hears(END), "[disconnect]");
    }
    let said = Play::bound().hears(&format!("{report}{END}"));
    assert_eq!(said, "[closing PeerError]</stream:stream>[disconnect]");
}

#[test]
fn a_stream_that_ends_before_its_header_is_opened_first_s4_9_1_2() {
    let mut play = Play::clear();
    let shutdown = StreamError::new(StreamCondition::SystemShutdown);
    let said = play.told(Input::Shutdown(shutdown));
    assert_eq!(
        said,
        header(1, " version='1.0'") + &error("system-shutdown")
    );
    assert_eq!(play.hears(HELLO), "");

    let said = Play::clear().told(Input::Close);
    assert_eq!(
        said,
        header(1, " version='1.0'") + "[closing Requested]</stream:stream>"
    );
}

#[test]
fn after_xml_that_is_refused_nothing_is_understood_any_more() {
    for refused in [
        "<message><body>No closing tag!</message>",
        "<message><body>&oops;</body></message>",
    ] {
        let mut play = Play::bound();
        let said = play.hears(refused);
        assert!(said.contains("<stream:error>"), "{said}");
    }

    let mut play = Play::bound();
    assert_error(&play.hears("<!-- a comment -->"), "restricted-xml");
    assert_eq!(play.hears("<presence/></stream:stream>"), "");
    assert_eq!(play.waits(5), "[disconnect]");
}

#[test]
fn see_other_host_waits_for_tls_s4_9_3_19() {
    let expected = "[closing Error]<stream:error><see-other-host \
                    xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:9222</see-other-host>\
                    </stream:error></stream:stream>";
    let redirect = || Input::SeeOtherHost("[2001:db8::1]:9222".into());

    let mut play = Play::new(Security::StartTls(StartTls::Required));
    play.hears(HELLO);
    assert_eq!(play.told(redirect()), "");
    play.hears(STARTTLS);
    play.told(Input::TlsEstablished(TlsFacts::default()));
    assert_eq!(play.hears(HELLO), header(2, " version='1.0'") + expected);

    assert_eq!(Play::bound().told(redirect()), expected);

    let mut play = Play::clear();
    play.hears(HELLO);
    assert_eq!(play.told(redirect()), expected, "there will be no TLS");
}

#[test]
fn a_negotiation_that_takes_too_long_times_out_s4_9_3_4() {
    let mut play = Play::clear();
    assert_eq!(play.waits(29), "");
    assert_eq!(
        play.waits(1),
        header(1, " version='1.0'") + &error("connection-timeout")
    );

    for mut play in [Play::greeted(), Play::authenticated()] {
        play.now += Duration::from_secs(29);
        play.hears(" ");
        assert_eq!(
            play.waits(1),
            error("connection-timeout"),
            "spaces do not extend it"
        );
    }
}

#[test]
fn a_silent_connection_is_probed_by_a_space_s4_6_1() {
    let mut play = Play::bound();
    assert_eq!(play.waits(299), "");
    assert_eq!(play.waits(1), " ");
    assert_eq!(play.waits(299), "");
    play.hears(" ");
    assert_eq!(play.waits(299), "", "the client was heard");
    assert_eq!(play.waits(1), " ");
}

#[test]
fn a_keepalive_of_zero_is_none() {
    let play = Play::bound_with(Config {
        keepalive_seconds: 0,
        ..Config::default()
    });
    assert_eq!(play.stream.deadline(), None);
}
