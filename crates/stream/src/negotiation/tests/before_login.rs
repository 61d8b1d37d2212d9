//! Requests before authentication (XEP-0077).

use rookery_stanza::{Condition, StanzaError};

use super::*;

const ASK: &str = "<iq id='r1' type='get'><query xmlns='jabber:iq:register'/></iq>";

fn answer() -> Input {
    Input::Answered(Ok(Some(Element::new("query", "jabber:iq:register"))))
}

#[test]
fn a_request_that_the_host_answers_is_handed_out_and_answered_xep0077_s3_1_1() {
    let mut play = Play::greeted();
    assert_eq!(
        play.hears(ASK),
        "[before login Get(\"jabber:iq:register\")]"
    );
    let set = ASK.replace("'get'", "'set' to='im.example.com'");
    assert_eq!(play.hears(&set), "", "nothing is read in the meantime");
    assert_eq!(
        play.told(answer()),
        "<iq id='r1' type='result'><query xmlns='jabber:iq:register'/></iq>\
         [before login Set(\"jabber:iq:register\")]"
    );
    assert_eq!(
        play.told(Input::Answered(Err(StanzaError::new(Condition::Conflict)))),
        "<iq from='im.example.com' id='r1' type='error'><error type='cancel'>\
         <conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    );
    assert!(play.hears(AUTH).starts_with("[start"), "now it logs in");
}

#[test]
fn any_other_stanza_is_still_not_authorized_rfc6120_s4_3_5() {
    for stanza in [
        ASK.replace("jabber:iq:register", "jabber:iq:roster"),
        ASK.replace("'get'", "'result'"),
        ASK.replace("'get'", "'get' to='other.example'"),
        ASK.replace("'get'", "'get' from='juliet@im.example.com'"),
        ASK.replace("</iq>", "<query xmlns='jabber:iq:register'/></iq>"),
        ASK.replace("iq id", "message id")
            .replace("/iq", "/message"),
    ] {
        assert_error(&Play::greeted().hears(&stanza), "not-authorized");
    }
}

#[test]
fn nothing_is_asked_without_tls_xep0077_s11() {
    let mut play = Play::clear();
    play.hears(HELLO);
    assert_error(&play.hears(ASK), "not-authorized");
}

#[test]
fn nobody_is_answered_any_number_of_times_xep0077_s3_1_1() {
    let mut play = Play::greeted();
    for _ in 0..10 {
        play.hears(ASK);
        play.told(answer());
    }
    let said = play.hears(ASK);
    assert!(said.contains("<not-acceptable"), "{said}");
    assert!(play.hears(AUTH).starts_with("[start"), "logging in is left");
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let mut play = Play::greeted();
    play.hears(ASK);
    assert_error(&play.waits(3600), "connection-timeout");
    assert_eq!(play.told(answer()), "");
}
