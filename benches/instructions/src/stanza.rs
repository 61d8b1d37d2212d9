//! Reading and writing stanzas and addresses, and the sender's stamp.

use std::hint::black_box;

use bytes::Bytes;
use rookery_delivery::SessionId;
use rookery_session::Session;
use rookery_stanza::{Condition, Jid, Stanza, StanzaError, ns};
use rookery_xml::{Limits, StreamNamespaces};

const SENDER: &str = "juliet@example.com/balcony";

/// A stanza of a client.
pub(crate) fn read(text: &'static str) -> Stanza {
    let namespaces = StreamNamespaces::with_default(ns::CLIENT);
    Stanza::parse(
        Bytes::from_static(text.as_bytes()),
        &namespaces,
        &Limits::default(),
    )
    .unwrap()
}

pub(crate) fn parse(text: &'static str) -> Box<dyn FnMut()> {
    let namespaces = StreamNamespaces::with_default(ns::CLIENT).and_prefix("stream", ns::STREAM);
    let limits = Limits::default();
    let bytes = Bytes::from_static(text.as_bytes());
    Box::new(move || {
        let stanza = Stanza::parse(black_box(bytes.clone()), &namespaces, &limits);
        black_box(stanza.unwrap());
    })
}

pub(crate) fn address() -> Box<dyn FnMut()> {
    Box::new(|| {
        black_box(Jid::parse(black_box(SENDER)).unwrap());
    })
}

pub(crate) fn stamp() -> Box<dyn FnMut()> {
    let stanza = read(crate::samples::MESSAGE);
    let mut session = Session::new(SessionId(1));
    session.bind(Jid::parse(SENDER).unwrap());
    Box::new(move || {
        black_box(session.stamp(black_box(&stanza).clone()).unwrap());
    })
}

pub(crate) fn write(text: &'static str) -> Box<dyn FnMut()> {
    let mut stanza = read(text);
    stanza.from = Some(Jid::parse(SENDER).unwrap());
    let mut out = Vec::with_capacity(1024);
    Box::new(move || {
        out.clear();
        black_box(&stanza).write(&mut out);
        black_box(&out);
    })
}

pub(crate) fn refuse(text: &'static str) -> Box<dyn FnMut()> {
    let mut stanza = read(text);
    stanza.from = Some(Jid::parse(SENDER).unwrap());
    let mut out = Vec::with_capacity(1024);
    Box::new(move || {
        out.clear();
        let error = StanzaError::new(Condition::ServiceUnavailable);
        let reply = black_box(&stanza).error_reply(&error);
        reply.unwrap().write(&mut out);
        black_box(&out);
    })
}
