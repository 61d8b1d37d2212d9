//! Finding where a stanza ends, and making a tree of one.

use std::hint::black_box;

use rookery_xml::{Element, Frame, Limits, Scanner, StreamNamespaces};

const HEADER: &str = "<stream:stream to='example.com' version='1.0' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams'>";

pub(crate) fn scan(stanza: &'static str) -> Box<dyn FnMut()> {
    let mut scanner = Scanner::new(&Limits::default());
    let header = scanner.scan(HEADER.as_bytes()).unwrap();
    assert!(matches!(header, Some(Frame::Header { .. })));
    Box::new(move || {
        let frame = scanner.scan(black_box(stanza.as_bytes())).unwrap();
        assert_eq!(frame, Some(Frame::Stanza { len: stanza.len() }));
    })
}

pub(crate) fn tree(stanza: &'static str) -> Box<dyn FnMut()> {
    let namespaces = StreamNamespaces::with_default("jabber:client");
    let limits = Limits::default();
    Box::new(move || {
        let element = Element::parse(black_box(stanza.as_bytes()), &namespaces, &limits);
        black_box(element.unwrap());
    })
}
