//! The payload of a stanza: read as trees, children added and removed.

use super::content::Names;
use super::{PayloadName, Stanza};
use crate::ns;
use rookery_xml::{Element, Limits, StreamNamespaces, XmlError};

/// Limits for XML that has passed the limits of its stream before, or that this server wrote.
pub(super) const TRUSTED: Limits = Limits {
    max_stanza_bytes: usize::MAX,
    max_depth: usize::MAX,
    max_attributes: usize::MAX,
    max_namespaces: usize::MAX,
    max_name_bytes: usize::MAX,
};

impl Stanza {
    /// The first-level children as trees, parsed now.
    ///
    /// # Errors
    /// None for a stanza that was parsed: its payload has been checked then.
    pub fn children(&self) -> Result<Vec<Element>, XmlError> {
        Ok(self.to_element()?.into_children().collect())
    }

    /// The first child of this name as a tree, parsed now.
    ///
    /// # Errors
    /// As for [`children`](Self::children).
    pub fn child(&self, name: &str, namespace: &str) -> Result<Option<Element>, XmlError> {
        let Some(payload) = self
            .names()
            .iter()
            .find(|payload| payload.is(name, namespace))
        else {
            return Ok(None);
        };
        if self.content.attributes().is_empty() {
            let bytes = self.payload().get(payload.range()).unwrap_or_default();
            return Element::parse(bytes, &content_namespaces(), &TRUSTED).map(Some);
        }
        // The child may use prefixes that the stanza's own tag declares.
        let mut children = self.to_element()?.into_children();
        Ok(children.find(|child| child.is(name, namespace)))
    }

    /// The whole stanza as a tree, for instance to wrap it into another one.
    ///
    /// # Errors
    /// As for [`children`](Self::children).
    pub fn to_element(&self) -> Result<Element, XmlError> {
        let mut bytes = Vec::with_capacity(self.size());
        self.write(&mut bytes);
        Element::parse(&bytes, &content_namespaces(), &TRUSTED)
    }

    /// Adds a child at the end. Copies the payload, which other stanzas may share.
    pub fn append(&mut self, child: Element) {
        self.add(&child);
    }

    /// Adds a child at the end.
    pub(super) fn add(&mut self, child: &Element) {
        self.add_written(child.namespace(), child.name(), |payload| {
            child.write(ns::CLIENT, payload);
        });
    }

    /// Adds a child at the end: an element of this name, which `write` appends as it stands where the default
    /// namespace is `jabber:client`.
    pub(crate) fn add_written(
        &mut self,
        namespace: &str,
        name: &str,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let before = self.payload().len();
        let mut payload = Vec::with_capacity(before + 256);
        payload.extend_from_slice(self.payload());
        write(&mut payload);
        let name = PayloadName::new(namespace, name, before..payload.len());
        let names = self.names().iter().cloned().chain([name]).collect();
        self.content = self.content.with_payload(payload.into(), names);
    }

    /// Keeps the children that `keep` wants and removes the others. Copies the payload only if one goes.
    pub fn retain(&mut self, mut keep: impl FnMut(&PayloadName) -> bool) {
        let mut kept = Names::new();
        let mut payload = Vec::new();
        let mut copied = 0;
        let mut removed = 0;
        for name in self.names() {
            if keep(name) {
                kept.push(name.moved_back(removed));
                continue;
            }
            let range = name.range();
            payload.extend_from_slice(self.payload().get(copied..range.start).unwrap_or_default());
            copied = range.end;
            removed += range.len();
        }
        if removed == 0 {
            return;
        }
        payload.extend_from_slice(self.payload().get(copied..).unwrap_or_default());
        self.content = self.content.with_payload(payload.into(), kept);
    }
}

/// What is in scope where a payload without declarations around it stands.
fn content_namespaces() -> StreamNamespaces {
    StreamNamespaces::with_default(ns::CLIENT)
}
