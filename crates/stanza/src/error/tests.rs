//! Tests of errors.

use super::*;
use crate::Jid;

#[test]
fn all_conditions_of_s8_3_3_and_s4_9_3_are_there_and_read_back() {
    assert_eq!(Condition::ALL.len(), 22);
    assert_eq!(StreamCondition::ALL.len(), 25);
    for &condition in Condition::ALL {
        assert_eq!(Condition::from_name(condition.as_str()), condition);
        let error = StanzaError::new(condition);
        assert_eq!(StanzaError::parse(&error.to_element()), error);
    }
    for &condition in StreamCondition::ALL {
        assert_eq!(StreamCondition::from_name(condition.as_str()), condition);
        let error = StreamError::new(condition);
        assert_eq!(StreamError::parse(&error.to_element()), error);
    }
}

#[test]
fn error_is_written_in_the_syntax_of_s8_3_2() {
    let error = StanzaError::new(Condition::FeatureNotImplemented)
        .with_by(Jid::parse("example.net").unwrap())
        .with_text("not here")
        .with_application(
            Element::new("unsupported", "http://jabber.org/protocol/pubsub#errors")
                .with_attribute("feature", "retrieve-subscriptions"),
        );
    let written = error.to_element().to_bytes(ns::CLIENT);
    let expected = "<error type='cancel' by='example.net'>\
        <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>not here</text>\
        <unsupported xmlns='http://jabber.org/protocol/pubsub#errors' feature='retrieve-subscriptions'/>\
        </error>";
    assert_eq!(written, expected.as_bytes());
    assert_eq!(StanzaError::parse(&error.to_element()), error);
}

#[test]
fn unknown_condition_is_undefined_by_s8_3_2() {
    let xml = "<error xmlns='jabber:client' type='wait'>\
        <too-sunny xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let error = StanzaError::parse(&Element::parse_str(xml).unwrap());
    assert_eq!(
        error,
        StanzaError::new(Condition::UndefinedCondition).with_type(ErrorType::Wait)
    );
}

#[test]
fn new_address_of_gone_is_its_text_by_s8_3_3_5() {
    let xml = "<error xmlns='jabber:client' by='example.net' type='cancel'>\
        <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>\n xmpp:romeo@afterlife.example.net\n </gone></error>";
    let error = StanzaError::parse(&Element::parse_str(xml).unwrap());
    assert_eq!(
        error.address.as_deref(),
        Some("xmpp:romeo@afterlife.example.net")
    );
    assert_eq!(error.by, Some(Jid::parse("example.net").unwrap()));
    assert_eq!(StanzaError::parse(&error.to_element()), error);
}

#[test]
fn stream_error_is_written_with_the_prefix_of_streams_by_s4_9_2() {
    let error = StreamError::see_other_host("[2001:41D0:1:A49b::1]:9222").with_text("moved & gone");
    let expected = "<stream:error>\
        <see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:41D0:1:A49b::1]:9222</see-other-host>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>moved &amp; gone</text>\
        </stream:error>";
    assert_eq!(error.to_bytes(), expected.as_bytes());
    assert_eq!(StreamError::parse(&error.to_element()), error);
}

#[test]
fn errors_say_what_they_are() {
    assert_eq!(StanzaError::from(Condition::Gone).to_string(), "gone");
    let error = StreamError::from(StreamCondition::Conflict).with_text("replaced");
    assert_eq!(error.to_string(), "conflict: replaced");
}

#[test]
fn errors_are_small_enough_to_be_returned() {
    assert!(size_of::<StanzaError>() <= 96);
    assert!(size_of::<StreamError>() <= 96);
}
