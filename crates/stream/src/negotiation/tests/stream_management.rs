//! XEP-0198: Stream Management, as far as the stream decides.

use rookery_xml::Element;

use super::*;

const RESUME: &str = "<resume xmlns='urn:xmpp:sm:3' previd='abc' h='7'/>";
const OUT_OF_ORDER: &str = "<failed xmlns='urn:xmpp:sm:3'>\
    <unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";

fn element(name: &'static str) -> Element {
    Element::new(name, ns::STREAM_MANAGEMENT)
}

fn command(name: &str) -> String {
    format!("<{name} xmlns='urn:xmpp:sm:3'/>")
}

#[test]
fn nothing_is_enabled_before_authentication_and_binding_s3() {
    for mut play in [Play::greeted(), Play::authenticated()] {
        for name in ["enable", "r", "a"] {
            assert_eq!(play.hears(&command(name)), OUT_OF_ORDER, "{name}");
        }
    }
    assert_eq!(Play::greeted().hears(RESUME), OUT_OF_ORDER, "§10");
}

#[test]
fn stream_that_is_resumed_is_bound_and_what_follows_waits_s5() {
    let mut play = Play::authenticated();
    assert_eq!(play.hears(&format!("{RESUME}<presence/>")), "[resume abc]");
    assert!(!play.stream.wants_input());
    assert_eq!(
        play.told(resumed()),
        "<resumed xmlns='urn:xmpp:sm:3'/>[stanza <presence/>]"
    );
    assert!(play.stream.is_bound());
    assert_eq!(play.hears(BIND), "[fault not-allowed]");
}

#[test]
fn client_may_bind_when_the_stream_is_not_resumed_s5() {
    let mut play = Play::authenticated();
    play.hears(RESUME);
    assert_eq!(
        play.told(Input::ResumeRefused(element("failed"))),
        "<failed xmlns='urn:xmpp:sm:3'/>"
    );
    assert_eq!(play.hears(BIND), "[bind None]");
}

#[test]
fn attempts_to_resume_count_as_attempts_to_bind_rfc6120_s7_7_3() {
    let mut play = Play::authenticated();
    for _ in 0..6 {
        assert_eq!(play.hears(RESUME), "[resume abc]");
        play.told(Input::ResumeRefused(element("failed")));
    }
    assert_error(&play.hears(RESUME), "policy-violation");
}

#[test]
fn elements_of_a_bound_client_go_to_its_session_in_order_with_stanzas() {
    let said = "<enable xmlns='urn:xmpp:sm:3'/><presence/><r xmlns='urn:xmpp:sm:3'/>\
        <a xmlns='urn:xmpp:sm:3' h='1'/><inactive xmlns='urn:xmpp:csi:0'/><message to='@'/>\
        <resume xmlns='urn:xmpp:sm:3'/>";
    assert_eq!(
        Play::bound().hears(said),
        "[nonza enable][stanza <presence/>][nonza r][nonza a][nonza inactive]\
         [fault jid-malformed][nonza resume]"
    );
}

#[test]
fn elements_that_clients_do_not_send_are_unsupported_rfc6120_s4_9_3_24() {
    for mut play in [Play::authenticated(), Play::bound()] {
        assert_error(&play.hears(&command("enabled")), "unsupported-stanza-type");
    }
    assert_error(
        &Play::authenticated().hears("<active xmlns='urn:xmpp:csi:0'/>"),
        "unsupported-stanza-type",
    );
}

#[test]
fn late_answer_changes_nothing() {
    let mut play = Play::authenticated();
    assert_eq!(play.told(resumed()), "");
    play.hears(RESUME);
    play.told(Input::Close);
    assert_eq!(play.told(resumed()), "");
    assert!(!play.stream.is_bound());
}
