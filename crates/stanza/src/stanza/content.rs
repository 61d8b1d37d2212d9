//! What a stanza has besides what routing reads of it: shared between its copies.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::PayloadName;

/// The names of the first-level children. Most stanzas have few.
pub(super) type Names = SmallVec<[PayloadName; 3]>;

/// The content of a stanza; one that is empty takes no memory. It never changes: a stanza gets another.
#[derive(Clone, Debug, Default)]
pub(super) struct Content(Option<Arc<Parts>>);

#[derive(Debug)]
struct Parts {
    /// Attributes beyond those that a stanza knows and namespace declarations of the stanza's own tag, as
    /// received, each with a space before it.
    attributes: Bytes,
    /// What is between the tags, right under `xmlns='jabber:client'` and the declarations in `attributes`.
    payload: Bytes,
    /// The first-level children of the payload.
    names: Names,
}

/// No bytes, where a reference to some is wanted.
static NOTHING: Bytes = Bytes::new();

// === impl Content ===

impl Content {
    pub(super) fn new(attributes: Bytes, payload: Bytes, names: Names) -> Self {
        if attributes.is_empty() && payload.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(Parts {
            attributes,
            payload,
            names,
        })))
    }

    /// The same attributes around another payload.
    pub(super) fn with_payload(&self, payload: Bytes, names: Names) -> Self {
        Self::new(self.attributes().clone(), payload, names)
    }

    pub(super) fn attributes(&self) -> &Bytes {
        self.0.as_ref().map_or(&NOTHING, |parts| &parts.attributes)
    }

    pub(super) fn payload(&self) -> &Bytes {
        self.0.as_ref().map_or(&NOTHING, |parts| &parts.payload)
    }

    pub(super) fn names(&self) -> &[PayloadName] {
        self.0.as_ref().map_or(&[], |parts| &parts.names)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stanza;

    #[test]
    fn a_stanza_fits_into_two_lines_of_the_cache() {
        let size = size_of::<Stanza>();
        assert!(size <= 96, "{size}");
    }
}
