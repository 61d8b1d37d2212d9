//! What one stream may make the server hold and look at.

/// The deepest nesting that is ever accepted: trees are written and dropped recursively.
const DEEPEST: usize = 1024;

/// Limits on one stream's XML. Everything beyond is refused with an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "each field is read far from this type"
)]
pub struct Limits {
    /// Bytes of one stanza, and of the stream header. RFC 6120 §13.12 wants at least 10 000.
    pub max_stanza_bytes: usize,
    /// Nested elements of one stanza, the stanza itself counted; 1024 is the most that has effect.
    pub max_depth: usize,
    /// Attributes of one element, namespace declarations among them.
    pub max_attributes: usize,
    /// Namespace bindings in scope at one place, those of the stream header among them.
    pub max_namespaces: usize,
    /// Bytes of one element or attribute name with its prefix.
    pub max_name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_stanza_bytes: 256 * 1024,
            max_depth: 64,
            max_attributes: 64,
            max_namespaces: 64,
            max_name_bytes: 256,
        }
    }
}

impl Limits {
    /// The nesting that is accepted: `max_depth`, but never more than recursion can bear.
    pub(crate) fn depth(&self) -> usize {
        self.max_depth.min(DEEPEST)
    }
}
