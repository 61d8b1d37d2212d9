//! Stream headers of components (XEP-0114 §3; RFC 6120 §4.7, §4.8).

use std::sync::Arc;

use rookery_stanza::{BareJid, StreamCondition, ns};
use rookery_xml::{Header, StreamNamespaces, escape_attribute};

/// The content namespace of the streams that components begin.
pub(crate) const ACCEPT: &str = "jabber:component:accept";

/// No language tag that is taken for one is longer (RFC 5646 §4.4.1).
const LONGEST_LANGUAGE: usize = 35;

/// What a component's header says, if it can be served.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// The component that it says it is, prepared.
    pub(crate) component: String,
    /// The language of its stanzas.
    pub(crate) lang: Option<Arc<str>>,
    /// What its header declared.
    pub(crate) declared: StreamNamespaces,
}

// === impl Greeting ===

impl Greeting {
    /// Understands a header.
    ///
    /// # Errors
    /// What is wrong with it, but for the name, which is for others to judge.
    pub(crate) fn read(header: Header) -> Result<Self, StreamCondition> {
        if header.namespace != ns::STREAM {
            return Err(StreamCondition::InvalidNamespace);
        }
        if header.name != "stream" {
            return Err(StreamCondition::BadFormat);
        }
        if header.prefix != "stream" {
            return Err(StreamCondition::BadNamespacePrefix);
        }
        if header.namespaces.default_namespace() != ACCEPT {
            return Err(StreamCondition::InvalidNamespace);
        }
        let name = header.attribute("to").map(BareJid::parse);
        let Some(Ok(name)) = name else {
            return Err(StreamCondition::HostUnknown);
        };
        if name.local().is_some() {
            return Err(StreamCondition::HostUnknown);
        }
        Ok(Self {
            component: name.domain().to_owned(),
            lang: header
                .attribute_ns("lang", ns::XML)
                .filter(|tag| (1..=LONGEST_LANGUAGE).contains(&tag.len()))
                .map(Into::into),
            declared: header.namespaces,
        })
    }

    /// What is in scope in each stanza, if what the component calls its content namespace is that of
    /// clients: its stanzas then need no rewriting.
    pub(crate) fn as_of_client(&self) -> StreamNamespaces {
        let client = StreamNamespaces::with_default(ns::CLIENT);
        let prefixes = self.declared.prefixes();
        prefixes.fold(client, |all, (prefix, namespace)| {
            let namespace = if namespace == ACCEPT {
                ns::CLIENT
            } else {
                namespace
            };
            all.and_prefix(prefix, namespace)
        })
    }
}

/// Appends the server's header.
pub(crate) fn write(from: Option<&str>, id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
    let mut attribute = |name: &str, value: &str| {
        out.extend_from_slice(name.as_bytes());
        escape_attribute(value, out);
        out.push(b'\'');
    };
    if let Some(from) = from {
        attribute(" from='", from);
    }
    attribute(" id='", id);
    attribute(" xmlns='", ACCEPT);
    attribute(" xmlns:stream='", ns::STREAM);
    out.push(b'>');
}
