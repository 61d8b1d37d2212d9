//! Generated XML for the property tests: trees, documents as people write them, and mutilated ones.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rookery_xml::{Element, XML_NAMESPACE};

const NAMES: &[&str] = &["a", "message", "body", "x-1.2", "Ünder", "漢字", "_"];
const NAMESPACES: &[&str] = &[
    "",
    "jabber:client",
    "urn:a",
    "urn:a?b=1&c='2'\"<>",
    XML_NAMESPACE,
    "http://例え.jp/",
];

/// Pieces that hurt when they stand in the wrong place.
const NASTY: &[&str] = &[
    "<",
    ">",
    "&",
    "'",
    "\"",
    "=",
    "/",
    "/>",
    "</",
    " ",
    "\t",
    "\r\n",
    "\r",
    "&amp;",
    "&lt",
    "&nbsp;",
    "&#1;",
    "&#x41;",
    "&#xD800;",
    "&#;",
    "]]>",
    "]]",
    "]",
    "<![CDATA[",
    "<![CDATA[<&]]>",
    "<!--x-->",
    "<!",
    "<?pi?>",
    "<!DOCTYPE a>",
    " xmlns=''",
    " xmlns='urn:d'",
    " xmlns:p='urn:p'",
    " xmlns:q='urn:p'",
    " xmlns:p=''",
    " xmlns:xml='urn:x'",
    " xmlns:xmlns='urn:x'",
    " xml:lang='en'",
    " xmlns:p='http://www.w3.org/XML/1998/namespace'",
    " xmlns='http://www.w3.org/2000/xmlns/'",
    "p:",
    "xml:",
    "xmlns:",
    ":",
    " a='1'",
    " a='2'",
    " p:a='1'",
    " q:a='2'",
    "<a/>",
    "<a>",
    "</a>",
    "<p:b/>",
    "\0",
    "\u{1}",
    "\u{7F}",
    "\u{FFFE}",
    "\u{FFFF}",
    "\u{FEFF}",
    "\u{D7}",
    "\u{B7}",
    "ü",
    "\u{1F600}",
    "1",
    "-",
    ".",
    "<1a/>",
    "<a:b:c/>",
    "<a b='<'/>",
    "<a b=1/>",
    "<a b/>",
    "<a a='1'b='2'/>",
    "<a >",
    "</a >",
    "</ a>",
    "< a>",
];

/// Any tree that can be built.
pub(crate) fn element() -> impl Strategy<Value = Element> {
    let leaf = (
        select(NAMES),
        select(NAMESPACES),
        attributes(),
        any::<String>(),
    )
        .prop_map(|(name, namespace, attributes, text)| {
            let mut element = Element::new(name, namespace).with_text(text);
            for (name, namespace, value) in attributes {
                element.set_attribute_ns(name, namespace, value);
            }
            element
        });
    leaf.prop_recursive(4, 32, 5, |inner| {
        (inner.clone(), vec((inner, ".{0,3}"), 0..5)).prop_map(|(mut parent, children)| {
            for (child, text) in children {
                parent.push(child);
                parent.push_text(text);
            }
            parent
        })
    })
}

fn attributes() -> impl Strategy<Value = Vec<(String, &'static str, String)>> {
    let name = prop_oneof![select(NAMES).prop_map(String::from), any::<String>()];
    vec((name, select(NAMESPACES), any::<String>()), 0..4)
}

/// A document with prefixes, declarations and every kind of content; mostly right, but names may
/// be doubled and prefixes unbound.
pub(crate) fn document() -> impl Strategy<Value = String> {
    let name = || select(&["a", "b", "p:a", "q:a", "message", "ü"][..]);
    let attribute = select(
        &[
            " a='1'",
            " b=\"x'y\"",
            " p:a = '&lt;'",
            " q:a='2'",
            "\txml:lang='en'",
            " xmlns='urn:d'",
            "\nxmlns:p='urn:p'",
            " xmlns:q='urn:p'",
            " xmlns:q=\"urn:q\"",
            " c='\t\r\n '",
            " xmlns=''",
        ][..],
    );
    let text = select(
        &[
            "",
            "text",
            " ",
            "a]]b",
            "&amp;",
            "&#x20AC;",
            "<![CDATA[<&>]]>",
            "\r\n",
            "漢",
            "&#13;",
            ">",
        ][..],
    );
    let tag = (name(), vec(attribute, 0..4)).prop_map(|(name, list)| (name, list.concat()));
    let leaf = (tag.clone(), text).prop_map(|((name, attributes), text)| match text {
        "" => format!("<{name}{attributes}/>"),
        _ => format!("<{name}{attributes} >{text}</{name} >"),
    });
    let tree = leaf.prop_recursive(4, 24, 4, move |inner| {
        (tag.clone(), vec(inner, 1..4)).prop_map(|((name, attributes), children)| {
            format!("<{name}{attributes}>{}</{name}>", children.concat())
        })
    });
    // Most of the time prefixes are bound, so that other faults are reached.
    (tree, any::<bool>(), any::<bool>()).prop_map(|(tree, p, q)| {
        let bound = [(p, " xmlns:p='urn:p'"), (q, " xmlns:q='urn:q'")];
        let declared: String = bound
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, text)| *text)
            .collect();
        format!("<r{declared}>{tree}</r>")
    })
}

/// One thing done to a document.
#[derive(Clone, Debug)]
enum Mutation {
    Insert(Index, &'static str),
    Remove(Index, usize),
    Repeat(Index, usize),
    Byte(Index, u8),
}

/// A document to which a few bad things were done.
pub(crate) fn mutilated() -> impl Strategy<Value = Vec<u8>> {
    let at = any::<Index>;
    let mutation = prop_oneof![
        6 => (at(), select(NASTY)).prop_map(|(at, nasty)| Mutation::Insert(at, nasty)),
        2 => (at(), 1..6_usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        1 => (at(), 1..12_usize).prop_map(|(at, len)| Mutation::Repeat(at, len)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
    ];
    (document(), vec(mutation, 0..4)).prop_map(|(document, mutations)| {
        let mut bytes = document.into_bytes();
        for mutation in mutations {
            mutate(&mut bytes, &mutation);
        }
        bytes
    })
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let place = |at: &Index| at.index(bytes.len() + 1);
    match mutation {
        Mutation::Insert(at, nasty) => {
            let at = place(at);
            bytes.splice(at..at, nasty.bytes());
        }
        Mutation::Remove(at, len) => {
            let at = place(at);
            bytes.drain(at..(at + len).min(bytes.len()));
        }
        Mutation::Repeat(at, len) => {
            let at = place(at);
            let piece = bytes[at..(at + len).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        Mutation::Byte(at, byte) => {
            let at = place(at);
            if let Some(old) = bytes.get_mut(at) {
                *old = *byte;
            }
        }
    }
}
