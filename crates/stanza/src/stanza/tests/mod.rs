//! Tests of stanzas.

mod exact;
mod parse;
mod payload;
mod reply;

use super::*;
use crate::ns;
use rookery_xml::{Limits, StreamNamespaces};

/// The namespaces of an ordinary stream header (RFC 6120 §4.8).
fn ordinary() -> StreamNamespaces {
    StreamNamespaces::with_default(ns::CLIENT).and_prefix("stream", ns::STREAM)
}

/// A stanza of an ordinary stream.
fn stanza(xml: &str) -> Stanza {
    stanza_under(xml, &ordinary())
}

/// A stanza of a stream with this header.
fn stanza_under(xml: &str, namespaces: &StreamNamespaces) -> Stanza {
    let frame = Bytes::copy_from_slice(xml.as_bytes());
    Stanza::parse(frame, namespaces, &Limits::default()).unwrap()
}

/// Why this is no stanza of an ordinary stream.
fn refused(xml: &str) -> ParseError {
    let frame = Bytes::copy_from_slice(xml.as_bytes());
    Stanza::parse(frame, &ordinary(), &Limits::default()).unwrap_err()
}

/// The stanza as it goes out.
fn written(stanza: &Stanza) -> String {
    let mut out = Vec::new();
    stanza.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}
