//! XML for streams: resumable boundary scanner, strict reader, element tree and writer.
//!
//! XMPP speaks a restricted XML 1.0 (RFC 6120 §11) over a document that never ends. The work is
//! split so that every byte is looked at as few times as possible:
//!
//! 1. [`Scanner`] finds where the stream header, each stanza and the closing tag end, whatever
//!    pieces the network delivers, and bounds what may be buffered while waiting for the end.
//! 2. [`read_header`] reads the stream header; [`read_top`] checks one whole stanza strictly and
//!    returns what routing needs, without building a tree; [`Element::parse`] checks just the same
//!    and builds the tree.
//! 3. [`Element::write`] writes a tree; it cannot write anything that is not well-formed.
//!
//! The crate does not know JIDs, stanzas or stream errors. Only well-formed and
//! namespace-well-formed XML passes (RFC 6120 §11.3), because bytes that pass are handed on
//! unchanged, and a receiver would have to close its own stream over what is not.

mod chars;
mod element;
mod error;
mod escape;
mod header;
mod limits;
mod namespaces;
mod parse;
mod reader;
mod scanner;
mod tag;
mod top;
mod write;

pub use chars::is_xml_text;
pub use element::Element;
pub use error::XmlError;
pub use escape::{escape_attribute, escape_text};
pub use header::{Header, HeaderAttribute, read_header};
pub use limits::Limits;
pub use namespaces::{StreamNamespaces, XML_NAMESPACE};
pub use scanner::{Frame, Scanner};
pub use top::{Child, Declaration, Top, TopAttribute, read_top};
