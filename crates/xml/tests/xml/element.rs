//! Trees: built, written, read again.

use proptest::prelude::*;
use rookery_xml::{Element, Limits, StreamNamespaces, XML_NAMESPACE, XmlError, read_top};

use crate::documents;

const CLIENT: &str = "jabber:client";

fn written(element: &Element, default_namespace: &str) -> String {
    String::from_utf8(element.to_bytes(default_namespace).to_vec()).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_reads_as_the_same_tree(element in documents::element(), client in any::<bool>()) {
        let default = if client { CLIENT } else { "" };
        let namespaces = StreamNamespaces::with_default(default);
        let limits = Limits { max_name_bytes: usize::MAX, ..Limits::default() };
        let bytes = element.to_bytes(default);
        prop_assert_eq!(Element::parse(&bytes, &namespaces, &limits), Ok(element));
        // Nothing written depends on more than the default namespace.
        let top = read_top(&bytes, &namespaces, &limits).unwrap();
        prop_assert!(top.borrowed_prefixes.is_empty());
    }

    #[test]
    fn what_is_read_and_written_reads_the_same_again(document in documents::document()) {
        if let Ok(element) = Element::parse_str(&document) {
            prop_assert_eq!(Element::parse_str(&written(&element, "")), Ok(element));
        }
    }
}

#[test]
fn namespaces_are_declared_where_they_change() {
    let stanza = Element::new("message", CLIENT)
        .with_attribute("type", "chat")
        .with_child(Element::new("body", CLIENT).with_text("a < b & c"))
        .with_child(
            Element::new("forwarded", "urn:xmpp:forward:0")
                .with_child(Element::new("message", CLIENT))
                .with_child(Element::new("plain", "")),
        );
    assert_eq!(
        written(&stanza, CLIENT),
        "<message type='chat'><body>a &lt; b &amp; c</body><forwarded xmlns='urn:xmpp:forward:0'>\
         <message xmlns='jabber:client'/><plain xmlns=''/></forwarded></message>"
    );
    assert!(written(&stanza, "").starts_with("<message xmlns='jabber:client' type='chat'>"));
}

#[test]
fn attributes_in_namespaces_bring_their_prefix() {
    let element = Element::new("a", "")
        .with_attribute_ns("lang", XML_NAMESPACE, "en")
        .with_attribute_ns("x", "urn:1", "1")
        .with_attribute_ns("y", "urn:2", "2")
        .with_attribute_ns("z", "urn:1", "3")
        .with_attribute("x", "4");
    assert_eq!(
        written(&element, ""),
        "<a xml:lang='en' xmlns:a1='urn:1' a1:x='1' xmlns:a2='urn:2' a2:y='2' a1:z='3' x='4'/>"
    );
    let again = Element::parse_str(&written(&element, "")).unwrap();
    assert_eq!(again.attribute_ns("z", "urn:1"), Some("3"));
    assert_eq!(again.attribute_ns("lang", XML_NAMESPACE), Some("en"));
    assert_eq!(again.attribute("x"), Some("4"));
    assert_eq!(again.attribute("lang"), None);
}

#[test]
fn what_xml_forbids_is_replaced_when_it_is_put_in() {
    let element = Element::new("1 b:c", "urn:\0")
        .with_attribute("x y", "\u{1}")
        .with_attribute("xmlns", "urn:evil")
        .with_attribute_ns("p", "http://www.w3.org/2000/xmlns/", "urn:evil")
        .with_text("\u{FFFF}");
    assert_eq!(
        written(&element, ""),
        "<_1_b_c xmlns='urn:\u{FFFD}' x_y='\u{FFFD}'>\u{FFFD}</_1_b_c>"
    );
    assert_eq!(
        written(&Element::new("", "http://www.w3.org/2000/xmlns/"), ""),
        "<_/>"
    );
}

#[test]
fn text_is_joined_over_children_references_and_cdata() {
    let element =
        Element::parse_str("<a> x &amp; <b>no</b><![CDATA[<y>]]>&#x21;\r\nz\r</a>").unwrap();
    assert_eq!(element.text(), " x & <y>!\nz\n");
    assert!(element.has_text());
    assert!(!Element::parse_str("<a> <b>x</b>\n</a>").unwrap().has_text());
    assert_eq!(Element::parse_str("<a/>").unwrap().text(), "");
}

#[test]
fn children_are_found_kept_and_taken() {
    let mut element = Element::parse_str("<a>1<b/>2<b xmlns='urn:b' n='2'/>3<c/></a>").unwrap();
    assert_eq!(element.children().count(), 3);
    assert_eq!(
        element.child("b", "urn:b").and_then(|b| b.attribute("n")),
        Some("2")
    );
    assert_eq!(element.child("b", "urn:c"), None);
    element.retain_children(|child| !child.is("b", "urn:b"));
    assert_eq!(written(&element, ""), "<a>1<b/>23<c/></a>");
    assert_eq!(
        element
            .into_children()
            .map(|c| c.name().to_owned())
            .collect::<Vec<_>>(),
        ["b", "c"]
    );
}

#[test]
fn attributes_are_replaced_and_removed() {
    let mut element = Element::new("a", "")
        .with_attribute("x", "1")
        .with_attribute("x", "2");
    assert_eq!(element.attributes().collect::<Vec<_>>(), [("x", "", "2")]);
    assert_eq!(element.remove_attribute("x").as_deref(), Some("2"));
    assert_eq!(element.remove_attribute("x"), None);
}

#[test]
fn deep_trees_neither_overflow_nor_pass() {
    let limits = Limits {
        max_depth: usize::MAX,
        max_stanza_bytes: usize::MAX,
        ..Limits::default()
    };
    let nested = |n: usize| ["<a>".repeat(n), "</a>".repeat(n)].concat();
    let read = |n| Element::parse(nested(n).as_bytes(), &StreamNamespaces::default(), &limits);
    assert_eq!(
        written(&read(1000).unwrap(), "").len(),
        nested(1000).len() - 3
    );
    assert_eq!(read(100_000), Err(XmlError::TooDeep));
}
