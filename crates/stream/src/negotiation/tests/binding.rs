//! Resource binding (RFC 6120 §7).

use rookery_stanza::{Condition, StanzaError};

use super::*;

fn bind(inside: &str) -> String {
    format!(
        "<iq id='b1' type='set'><bind xmlns='{}'>{inside}</bind></iq>",
        ns::BIND
    )
}

#[test]
fn the_server_chooses_a_resource_or_takes_the_clients_s7_6_1_s7_7_1() {
    assert_eq!(Play::authenticated().hears(BIND), "[bind None]");
    let mut play = Play::authenticated();
    assert_eq!(
        play.hears(&bind("<resource>balcony</resource>")),
        "[bind Some(\"balcony\")]"
    );
    assert_eq!(
        play.told(bound("balcony")),
        "<iq id='b1' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <jid>juliet@im.example.com/balcony</jid></bind></iq>"
    );
    assert!(play.stream.is_bound());
}

#[test]
fn an_empty_resource_leaves_the_choice_to_the_server_s7_7_2_1() {
    assert_eq!(
        Play::authenticated().hears(&bind("<resource/>")),
        "[bind None]"
    );
}

#[test]
fn binding_is_a_set_s7_6_1() {
    let get = BIND.replace("'set'", "'get'");
    let said = Play::authenticated().hears(&get);
    assert_eq!(
        said,
        "<iq id='b1' type='error'><error type='modify'>\
         <bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    );
}

#[test]
fn a_refused_resource_may_be_followed_by_another_until_the_retries_are_used_up_s7_7_3() {
    let mut play = Play::authenticated();
    for _ in 0..6 {
        assert_eq!(play.hears(BIND), "[bind None]");
        assert_eq!(
            play.told(Input::BindRefused(StanzaError::new(Condition::Conflict))),
            "<iq id='b1' type='error'><error type='cancel'>\
             <conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        );
    }
    assert_error(&play.hears(BIND), "policy-violation");
}

#[test]
fn binding_is_addressed_to_the_server_or_the_account_s7_1() {
    for to in [HOST, ACCOUNT] {
        let said = Play::authenticated().hears(&BIND.replace(" id", &format!(" to='{to}' id")));
        assert_eq!(said, "[bind None]");
    }
    let said = Play::authenticated().hears(&BIND.replace(" id", " to='romeo@example.net' id"));
    assert_error(&said, "not-authorized");
}

#[test]
fn stanzas_before_binding_are_not_authorized_s7_1() {
    for stanza in [
        "<message to='romeo@example.net'><body>hi</body></message>",
        "<presence/>",
        "<iq id='1' type='get'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq id='1' type='result'/>",
        "<message to='@'/>",
    ] {
        assert_error(&Play::authenticated().hears(stanza), "not-authorized");
    }
}

#[test]
fn stanzas_before_authentication_are_not_authorized_s4_9_3_12() {
    for stanza in ["<message to='romeo@example.net'/>", "<presence/>", BIND] {
        assert_eq!(Play::greeted().hears(stanza), error("not-authorized"));
    }
}

#[test]
fn stanzas_that_follow_the_request_wait_for_its_answer_s10_1() {
    let mut play = Play::authenticated();
    assert_eq!(play.hears(&format!("{BIND}<presence/>")), "[bind None]");
    assert!(!play.stream.wants_input());
    assert!(
        play.told(bound("balcony"))
            .ends_with("</iq>[stanza <presence/>]")
    );
}

#[test]
fn who_is_bound_is_not_allowed_to_bind_again_s7_6_2_2() {
    for to in ["", " to='im.example.com'"] {
        let mut play = Play::bound();
        assert_eq!(
            play.hears(&BIND.replace(" id", &format!("{to} id"))),
            "[fault not-allowed]"
        );
        assert_eq!(play.hears("<presence/>"), "[stanza <presence/>]");
    }
    let to_romeo = BIND.replace(" id", " to='romeo@example.net' id");
    assert!(Play::bound().hears(&to_romeo).starts_with("[stanza <iq "));
}

#[test]
fn a_late_answer_changes_nothing() {
    let mut play = Play::authenticated();
    assert_eq!(play.told(bound("balcony")), "", "nobody asked");
    play.hears(BIND);
    play.told(Input::Close);
    assert_eq!(play.told(bound("balcony")), "");
    assert!(!play.stream.is_bound());
}
