//! XML and stanzas: what is accepted says the same after it was written, to our own readers and to another
//! parser; what is refused can be answered.

use bytes::Bytes;
use rookery_stanza::stanza::ParseError;
use rookery_stanza::{Condition, Stanza, StanzaError, ns};
use rookery_xml::{Element, Frame, Limits, Scanner, StreamNamespaces, read_top};

use crate::reference;

/// The header of the stream that the bytes stand in.
const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p'>";

/// Tries one first-level element.
pub fn check(bytes: &[u8]) {
    let namespaces = StreamNamespaces::with_default(ns::CLIENT)
        .and_prefix("stream", ns::STREAM)
        .and_prefix("p", "urn:p");
    let limits = Limits::default();
    let tree = Element::parse(bytes, &namespaces, &limits);
    let top = read_top(bytes, &namespaces, &limits);
    assert_eq!(
        top.err(),
        tree.as_ref().err().copied(),
        "the two readers disagree"
    );
    let parsed = Stanza::parse(Bytes::copy_from_slice(bytes), &namespaces, &limits);
    let Ok(tree) = tree else {
        assert!(
            matches!(parsed, Err(ParseError::Xml(_))),
            "a stanza of bad XML"
        );
        return;
    };
    check_frame(bytes);
    check_tree(bytes, &tree);
    match parsed {
        Ok(stanza) => check_stanza(&tree, &stanza),
        Err(ParseError::Stanza(fault)) => check_reply(fault.reply()),
        Err(error) => assert!(!matches!(error, ParseError::Xml(_)), "{error}"),
    }
}

/// The scanner has to find what the readers accept, and where it ends.
fn check_frame(bytes: &[u8]) {
    let mut stream = [HEADER, bytes, b"<z/>"].concat();
    let mut scanner = Scanner::new(&Limits::default());
    let len = HEADER.len();
    assert_eq!(scanner.scan(&stream), Ok(Some(Frame::Header { len })));
    stream.drain(..len);
    let len = bytes.len();
    let found = scanner.scan(&stream);
    // The beginning of a stream inside of the stream is given back without its end.
    if !matches!(found, Ok(Some(Frame::Header { .. }))) {
        assert_eq!(found, Ok(Some(Frame::Stanza { len })));
    }
}

/// An element says the same when it is written, to both parsers.
fn check_tree(bytes: &[u8], tree: &Element) {
    let written = tree.to_bytes(ns::CLIENT);
    let again = read_again(&written);
    assert_eq!(again.as_ref(), Some(tree), "it changed when it was written");
    if reference::is_wrong_about(&String::from_utf8_lossy(bytes)) {
        return;
    }
    let theirs = reference::read(bytes);
    assert!(theirs.is_some(), "rxml refuses what we accept");
    assert_eq!(
        theirs,
        reference::read(&written),
        "rxml understands another thing"
    );
}

/// A stanza that is handed on is the stanza that came.
fn check_stanza(tree: &Element, stanza: &Stanza) {
    let written = bytes_of(stanza);
    let again = Stanza::parse_again(written.clone());
    assert!(again.is_ok(), "what we wrote we refuse");
    let Ok(again) = again else { return };
    assert_eq!(again.kind, stanza.kind);
    assert_eq!(again.from, stanza.from);
    assert_eq!(again.to, stanza.to);
    assert_eq!(again.id, stanza.id);
    assert_eq!(again.lang, stanza.lang);
    assert_eq!(again.payload(), stanza.payload());
    assert_eq!(bytes_of(&again), written);
    let read = read_again(&written);
    assert!(
        read.as_ref()
            .is_some_and(|read| read.children().eq(tree.children())
                && read.text() == tree.text()
                && others(read) == others(tree)),
        "another payload: {read:?}"
    );
    if !reference::is_wrong_about(&String::from_utf8_lossy(&written)) {
        assert!(
            reference::read(&written).is_some(),
            "rxml refuses what we write"
        );
    }
    for name in stanza.names() {
        let child = stanza.child(name.name(), name.namespace());
        assert!(
            matches!(child, Ok(Some(_))),
            "a child that is named is not there"
        );
    }
    check_reply(stanza.error_reply(&StanzaError::new(Condition::ServiceUnavailable)));
}

/// The attributes that routing does not rewrite.
fn others(element: &Element) -> Vec<(&str, &str, &str)> {
    let routed = |name: &str, namespace: &str| {
        (namespace.is_empty() && ["to", "from", "id", "type"].contains(&name))
            || (namespace == ns::XML && name == "lang")
    };
    let mut others: Vec<_> = element
        .attributes()
        .filter(|(name, namespace, _)| !routed(name, namespace))
        .collect();
    others.sort_unstable();
    others
}

/// An answer can be read by whoever gets it.
fn check_reply(reply: Option<Stanza>) {
    if let Some(reply) = reply {
        assert!(reply.is_error());
        assert!(
            Stanza::parse_again(bytes_of(&reply)).is_ok(),
            "a bad answer"
        );
    }
}

fn bytes_of(stanza: &Stanza) -> Bytes {
    let mut out = Vec::new();
    stanza.write(&mut out);
    out.into()
}

/// Reads what was written, where nothing but the default namespace comes from outside. It may have become
/// larger, and have more declarations, than what came from a client may.
fn read_again(written: &[u8]) -> Option<Element> {
    let limits = Limits {
        max_stanza_bytes: usize::MAX,
        max_depth: usize::MAX,
        max_attributes: usize::MAX,
        max_namespaces: usize::MAX,
        max_name_bytes: usize::MAX,
    };
    Element::parse(
        written,
        &StreamNamespaces::with_default(ns::CLIENT),
        &limits,
    )
    .ok()
}
