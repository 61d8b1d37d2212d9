//! What is read, and what is refused.

use super::*;
use crate::Condition;
use proptest::prelude::*;

/// The condition that a faulty stanza gets, and the answer as it goes out.
fn answered(xml: &str) -> (Condition, Option<String>) {
    match refused(xml) {
        ParseError::Stanza(fault) => (fault.error.condition, fault.reply().as_ref().map(written)),
        other => panic!("{other}"),
    }
}

#[test]
fn ordinary_message_is_read() {
    let message = stanza(
        "<message from='Juliet@example.com/balcony' to='romeo@example.net' id='a&amp;b' type='chat' \
         xml:lang='en'><body>Hi</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
    );
    assert_eq!(message.kind, Kind::Message(MessageType::Chat));
    assert_eq!(message.from, Some(jid("juliet@example.com/balcony")));
    assert_eq!(message.to, Some(jid("romeo@example.net")));
    assert_eq!(message.id.as_deref(), Some("a&b"));
    assert_eq!(message.lang.as_deref(), Some("en"));
    assert!(message.has("body", ns::CLIENT));
    assert!(message.has("active", ns::CHAT_STATES));
    assert!(!message.has("active", ns::CLIENT));
    assert_eq!(message.names().len(), 2);
}

#[test]
fn all_types_are_read_and_written() {
    for name in ["normal", "chat", "groupchat", "headline", "error"] {
        let Kind::Message(message_type) = stanza(&format!("<message type='{name}'/>")).kind else {
            panic!()
        };
        assert_eq!(message_type.as_str(), name);
    }
    for name in [
        "unavailable",
        "subscribe",
        "subscribed",
        "unsubscribe",
        "unsubscribed",
        "probe",
        "error",
    ] {
        let xml = format!("<presence type='{name}'/>");
        assert_eq!(written(&stanza(&xml)), xml);
    }
    for name in ["get", "set", "result", "error"] {
        let xml = format!("<iq id='1' type='{name}'><a xmlns='b'/></iq>");
        assert_eq!(written(&stanza(&xml)), xml);
    }
    assert_eq!(
        stanza("<presence/>").kind,
        Kind::Presence(PresenceType::Available)
    );
}

#[test]
fn missing_or_unknown_type_of_message_is_normal_by_rfc_6121_s5_2_2() {
    assert_eq!(
        stanza("<message/>").kind,
        Kind::Message(MessageType::Normal)
    );
    assert_eq!(
        stanza("<message type='pigeon'/>").kind,
        Kind::Message(MessageType::Normal)
    );
    assert_eq!(written(&stanza("<message type='pigeon'/>")), "<message/>");
}

#[test]
fn unknown_type_of_presence_is_a_bad_request_by_rfc_6121_s4_7_1() {
    let (condition, reply) = answered("<presence type='available' id='1' to='a@b'/>");
    assert_eq!(condition, Condition::BadRequest);
    assert!(reply.unwrap().starts_with(
        "<presence from='a@b' id='1' type='error'><error type='modify'><bad-request "
    ));
}

#[test]
fn missing_or_unknown_type_of_iq_is_a_bad_request_by_rfc_6120_s8_2_3() {
    for attribute in ["", " type='subscribe'", " type=''", " type='GET'"] {
        let (condition, reply) = answered(&format!(
            "<iq id='zj3v142b'{attribute}><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        assert_eq!(condition, Condition::BadRequest);
        assert!(
            reply
                .unwrap()
                .starts_with("<iq id='zj3v142b' type='error'><error type='modify'><bad-request ")
        );
    }
}

#[test]
fn iq_without_an_id_is_answered_with_an_empty_one_by_rfc_6120_s8_2_3() {
    let (condition, reply) = answered("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(condition, Condition::BadRequest);
    assert!(
        reply
            .unwrap()
            .starts_with("<iq id='' type='error'><error type='modify'><bad-request ")
    );
    let (_, reply) = answered("<iq type='result'/>");
    assert_eq!(reply, None);
}

#[test]
fn iq_without_an_id_has_an_empty_one_in_every_answer_by_rfc_6120_s8_2_3() {
    for xml in [
        "<iq to='@' type='get'><a xmlns='urn:a'/></iq>",
        "<iq type='x'><a xmlns='urn:a'/></iq>",
        "<iq><a xmlns='urn:a'/></iq>",
    ] {
        let ParseError::Stanza(fault) = refused(xml) else {
            panic!("{xml}")
        };
        assert_eq!(fault.reply().unwrap().id.as_deref(), Some(""), "{xml}");
    }
}

#[test]
fn request_has_exactly_one_child_by_rfc_6120_s8_2_3() {
    for content in ["", " text ", "<a/><b/>", "<a xmlns='c'/> <a xmlns='c'/>"] {
        for iq_type in ["get", "set"] {
            let (condition, reply) =
                answered(&format!("<iq id='1' type='{iq_type}'>{content}</iq>"));
            assert_eq!(condition, Condition::BadRequest, "{content}");
            assert!(reply.is_some());
        }
        stanza(&format!("<iq id='1' type='result'>{content}</iq>"));
    }
}

#[test]
fn malformed_recipient_is_answered_without_giving_it_back_by_rfc_6120_s8_3_3_8() {
    let (condition, reply) = answered(
        "<presence from='juliet@im.example.com/balcony' id='y2bs71v4' to='ch@r@cters@muc.example.com/JulieC'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    assert_eq!(condition, Condition::JidMalformed);
    let expected = "<presence to='juliet@im.example.com/balcony' id='y2bs71v4' type='error'>\
                    <error type='modify'><jid-malformed ";
    assert!(reply.unwrap().starts_with(expected));
    let (condition, reply) = answered("<message type='error' to=''/>");
    assert_eq!((condition, reply), (Condition::JidMalformed, None));
}

#[test]
fn malformed_sender_is_told_apart_by_rfc_6120_s4_9_3_9() {
    assert!(matches!(
        refused("<message from='@' to='a@b'/>"),
        ParseError::InvalidFrom
    ));
    assert!(matches!(
        refused("<iq from='a b@c' type='x'/>"),
        ParseError::InvalidFrom
    ));
}

#[test]
fn what_is_no_stanza_is_told_apart_by_rfc_6120_s4_9_3_24() {
    assert!(matches!(
        refused("<pubsub/>"),
        ParseError::UnsupportedStanzaType
    ));
    assert!(matches!(
        refused("<stream:features/>"),
        ParseError::UnsupportedStanzaType
    ));
    assert!(matches!(
        refused("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        ParseError::UnsupportedStanzaType
    ));
    assert!(matches!(
        refused("<message xmlns='jabber:server'/>"),
        ParseError::InvalidNamespace
    ));
    assert!(matches!(
        refused("<stream:iq/>"),
        ParseError::InvalidNamespace
    ));
}

#[test]
fn what_is_no_xml_is_refused() {
    for xml in [
        "<message>",
        "<message><!-- --></message>",
        "<message><a:b/></message>",
        "<message/><message/>",
    ] {
        assert!(matches!(refused(xml), ParseError::Xml(_)), "{xml}");
    }
}

#[test]
fn unknown_attributes_and_declarations_are_kept() {
    let xml =
        "<message to='a@b' id='1' xmlns:x='urn:x' x:hue=\"re'd\" later = '&lt;'><x:y/></message>";
    let message = stanza(xml);
    assert!(message.has("y", "urn:x"));
    let expected =
        "<message to='a@b' id='1' x:hue=\"re'd\" later = '&lt;' xmlns:x='urn:x'><x:y/></message>";
    assert_eq!(written(&message), expected);
    assert_eq!(
        message.child("y", "urn:x").unwrap().unwrap(),
        Element::new("y", "urn:x")
    );
    assert_eq!(
        stanza(expected).to_element().unwrap(),
        message.to_element().unwrap()
    );
}

#[test]
fn attributes_of_other_namespaces_are_not_those_of_the_stanza() {
    let message = stanza("<message xmlns:x='urn:x' x:to='@' x:from='@' x:type='chat' x:id='1'/>");
    assert_eq!(
        (message.kind, message.to, message.from, message.id),
        (Kind::Message(MessageType::Normal), None, None, None)
    );
}

#[test]
fn stanza_is_small() {
    assert!(size_of::<Stanza>() <= 200, "{}", size_of::<Stanza>());
    assert!(size_of::<PayloadName>() <= 56);
    assert!(size_of::<ParseError>() <= 40);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _read = Stanza::parse(bytes.into(), &ordinary(), &Limits::default());
    }

    #[test]
    fn what_is_written_reads_back(
        to in prop::option::of("[a-z]{1,4}@[a-z]{1,4}/\\PC{1,6}"),
        id in prop::option::of("[ -~\u{e9}\u{1f980}\n\t]{0,8}"),
        body in "[ -~\u{e9}]{0,12}",
    ) {
        let to = to.and_then(|to| Jid::parse(&to).ok());
        let mut message = Stanza::message(MessageType::Chat)
            .with_payload(Element::new("body", ns::CLIENT).with_text(&body));
        message.to = to;
        message.id = id.map(Into::into);
        let again = stanza(&written(&message));
        prop_assert_eq!(&again.to, &message.to);
        prop_assert_eq!(&again.id, &message.id);
        prop_assert_eq!(again.payload(), message.payload());
        prop_assert_eq!(again.names(), message.names());
        prop_assert!(written(&message).len() <= message.size() + 6 * (message.size() - message.payload().len()));
    }
}
