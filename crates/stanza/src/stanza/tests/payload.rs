//! Children added, removed and read.

use super::*;
use crate::payload::delay::Delay;

#[test]
fn children_are_read_in_order_and_text_between_them_is_not() {
    let message = stanza("<message> <body>a</body> <x xmlns='urn:x'><y/></x> </message>");
    let children = message.children().unwrap();
    assert_eq!(children.len(), 2);
    assert_eq!(children[0], Element::new("body", ns::CLIENT).with_text("a"));
    assert!(children[1].child("y", "urn:x").is_some());
    assert_eq!(
        message.child("x", "urn:x").unwrap().as_ref(),
        children.get(1)
    );
    assert_eq!(message.child("x", ns::CLIENT).unwrap(), None);
}

#[test]
fn appended_child_stands_at_the_end_and_leaves_copies_alone() {
    let original = stanza("<message to='a@b'><body>&#65;</body>\n</message>");
    let mut delayed = original.clone();
    delayed.append(Delay::new(jid("b"), 0).to_element());
    assert_eq!(
        written(&delayed),
        "<message to='a@b'><body>&#65;</body>\n\
         <delay xmlns='urn:xmpp:delay' from='b' stamp='1970-01-01T00:00:00Z'/></message>"
    );
    assert!(delayed.has("delay", ns::DELAY) && !original.has("delay", ns::DELAY));
    let delay = delayed.child("delay", ns::DELAY).unwrap().unwrap();
    assert_eq!(Delay::parse(&delay), Some(Delay::new(jid("b"), 0)));
    assert_eq!(stanza(&written(&delayed)).names(), delayed.names());
}

#[test]
fn removed_children_are_gone_and_the_rest_is_untouched() {
    let mut message = stanza("<message> <a/> <b x='&#65;'/> <a> </a><c/> </message>");
    message.retain(|name| name.name() != "a");
    assert_eq!(
        written(&message),
        "<message>  <b x='&#65;'/> <c/> </message>"
    );
    assert_eq!(
        message
            .child("b", ns::CLIENT)
            .unwrap()
            .unwrap()
            .attribute("x"),
        Some("A")
    );
    assert_eq!(stanza(&written(&message)).names(), message.names());
    let before = message.payload().as_ptr();
    message.retain(|_| true);
    assert_eq!(message.payload().as_ptr(), before);
    message.retain(|_| false);
    assert_eq!(written(&message), "<message>    </message>");
}

#[test]
fn built_stanza_is_written_as_it_was_built() {
    let iq = Stanza::iq(IqType::Set, "1")
        .with_from(jid("a@b/c'd<"))
        .with_to(jid("b").bare())
        .with_payloads(&[Element::new("query", ns::ROSTER)]);
    assert_eq!(
        written(&iq),
        "<iq from='a@b/c&apos;d&lt;' to='b' id='1' type='set'><query xmlns='jabber:iq:roster'/></iq>"
    );
    assert!(iq.is_request() && !iq.is_error());
    assert_eq!(
        written(&Stanza::presence(PresenceType::Unavailable)),
        "<presence type='unavailable'/>"
    );
}

#[test]
fn whole_stanza_is_read_as_a_tree() {
    let message = stanza("<message to='a@b' xml:lang='en' type='chat'><body>c</body></message>");
    let element = message.to_element().unwrap();
    assert!(element.is("message", ns::CLIENT));
    assert_eq!(element.attribute("to"), Some("a@b"));
    assert_eq!(element.attribute_ns("lang", ns::XML), Some("en"));
    assert_eq!(element.child("body", ns::CLIENT).unwrap().text(), "c");
}

#[test]
fn names_print_with_their_namespaces() {
    let message = stanza("<message><body/><q xmlns='urn:q'/></message>");
    assert_eq!(
        format!("{:?}", message.names()),
        "[{jabber:client}body, {urn:q}q]"
    );
}
