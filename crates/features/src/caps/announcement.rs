//! XEP-0115 §4: what a presence says about the client that sent it.

use std::fmt;

use rookery_stanza::{Stanza, ns};
use rookery_xml::Element;

use super::verification::Algorithm;

/// The most bytes of each attribute. An announcement with a longer one is none.
const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// A `<c/>` that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    /// The hash function; without one this is the legacy format (§13).
    hash: Option<Box<str>>,
    node: Box<str>,
    ver: Box<str>,
    /// Further features; only in the legacy format.
    ext: Box<str>,
}

/// A verification string that can be computed from an answer: it stands for the same features, whoever
/// announces it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) ver: Box<str>,
}

// === impl Announcement ===

impl Announcement {
    /// What a presence announces. `None`: nothing that could be asked about; that does not take back what
    /// was announced before (§8.4).
    pub(super) fn of(presence: &Stanza) -> Option<Self> {
        let caps = presence.child("c", ns::CAPS).ok()??;
        let attribute = |name| caps.attribute(name).filter(|value| !value.is_empty());
        let hash = attribute("hash");
        let ext = attribute("ext").filter(|_| hash.is_none());
        let announcement = Self {
            hash: hash.map(Into::into),
            node: attribute("node")?.into(),
            ver: attribute("ver")?.into(),
            ext: ext.unwrap_or_default().into(),
        };
        announcement.is_short().then_some(announcement)
    }

    fn is_short(&self) -> bool {
        let hash = self.hash.as_deref().unwrap_or_default();
        let attributes = [hash, &self.node, &self.ver, &self.ext];
        attributes
            .iter()
            .all(|value| value.len() <= MAX_ATTRIBUTE_BYTES)
    }

    /// What its answer can be verified by. There is nothing for hash functions that are not known (§5.4,
    /// step 2), and in the legacy format.
    pub(super) fn key(&self) -> Option<Key> {
        let algorithm = Algorithm::named(self.hash.as_deref()?)?;
        let ver = self.ver.clone();
        Some(Key { algorithm, ver })
    }

    /// What the client is asked (§6.2). The `ver` of the legacy format means nothing to us: the client is
    /// asked about itself as a whole (XEP-0030 §3.1).
    pub(super) fn question(&self) -> Element {
        let query = Element::new("query", ns::DISCO_INFO);
        match self.hash {
            Some(_) => query.with_attribute("node", format!("{}#{}", self.node, self.ver)),
            None => query,
        }
    }
}

/// The tag of the question about it.
impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hash,
            node,
            ver,
            ext,
        } = self;
        let hash = hash.as_deref().unwrap_or_default();
        write!(f, "caps {hash} {ver} {node} {ext}")
    }
}
