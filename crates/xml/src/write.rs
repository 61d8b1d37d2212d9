//! Writing an element tree as XML.

use bytes::Bytes;

use crate::element::{Attribute, Element, Node};
use crate::escape::{escape_attribute, escape_text};
use crate::namespaces::XML_NAMESPACE;

impl Element {
    /// Appends the element as XML that is right where `default_namespace` is the default one.
    ///
    /// Elements are written without prefixes: each one whose namespace differs from its parent's
    /// declares it as the default namespace. Prefixes are declared for attributes that need one.
    pub fn write(&self, default_namespace: &str, out: &mut Vec<u8>) {
        // Nobody may declare the xml namespace as default; its elements take the built-in prefix.
        let reserved = self.namespace == XML_NAMESPACE;
        let prefix = if reserved { "xml:" } else { "" };
        let inner = if reserved {
            default_namespace
        } else {
            self.namespace()
        };
        put(out, &["<", prefix, &self.name]);
        if inner != default_namespace {
            write_attribute(out, "xmlns", "", inner);
        }
        self.write_attributes(out);
        if self.nodes.is_empty() {
            put(out, &["/>"]);
            return;
        }
        put(out, &[">"]);
        for node in &self.nodes {
            match node {
                Node::Element(child) => child.write(inner, out),
                Node::Text(text) => escape_text(text, out),
            }
        }
        put(out, &["</", prefix, &self.name, ">"]);
    }

    /// The element as [`write`](Self::write) writes it.
    pub fn to_bytes(&self, default_namespace: &str) -> Bytes {
        let mut out = Vec::with_capacity(256);
        self.write(default_namespace, &mut out);
        out.into()
    }

    fn write_attributes(&self, out: &mut Vec<u8>) {
        for (at, attribute) in self.attributes.iter().enumerate() {
            match &*attribute.namespace {
                "" => write_attribute(out, "", &attribute.name, &attribute.value),
                XML_NAMESPACE => write_attribute(out, "xml:", &attribute.name, &attribute.value),
                namespace => {
                    // The first attribute in a namespace declares its prefix: a0, a1, ...
                    let first = self.first_in(namespace).unwrap_or(at);
                    let number = first.to_string();
                    if first == at {
                        write_attribute(out, "xmlns:a", &number, namespace);
                    }
                    put(out, &[" a", &number, ":", &attribute.name, "='"]);
                    escape_attribute(&attribute.value, out);
                    put(out, &["'"]);
                }
            }
        }
    }

    /// The place of the first attribute in `namespace`.
    fn first_in(&self, namespace: &str) -> Option<usize> {
        self.attributes.iter().position(
            |Attribute {
                 namespace: other, ..
             }| other == namespace,
        )
    }
}

/// ` prefixname='value'`; the prefix, if any, brings its colon along.
fn write_attribute(out: &mut Vec<u8>, prefix: &str, name: &str, value: &str) {
    put(out, &[" ", prefix, name, "='"]);
    escape_attribute(value, out);
    put(out, &["'"]);
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}
