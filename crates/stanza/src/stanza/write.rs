//! Writing a stanza to a stream whose default namespace is `jabber:client`.

use super::Stanza;
use rookery_xml::escape_attribute;
use std::sync::Arc;

/// Bytes that a stanza takes besides its addresses, id and payload: tags, names of attributes, type.
const FRAME: usize = 80;

impl Stanza {
    /// Appends the stanza: its tag made anew from the fields, its payload as it is.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = self.kind.name().as_bytes();
        out.reserve(self.size());
        out.push(b'<');
        out.extend_from_slice(name);
        if let Some(from) = &self.from {
            attribute(" from='", from.as_str(), out);
        }
        if let Some(to) = &self.to {
            attribute(" to='", to.as_str(), out);
        }
        if let Some(id) = &self.id {
            attribute(" id='", id, out);
        }
        if let Some(type_name) = self.kind.type_name() {
            attribute(" type='", type_name, out);
        }
        if let Some(lang) = &self.lang {
            attribute(" xml:lang='", lang, out);
        }
        out.extend_from_slice(self.content.attributes());
        let payload = self.content.payload();
        if payload.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        out.extend_from_slice(payload);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name);
        out.push(b'>');
    }

    /// About how many bytes the stanza takes when written, and in memory. Does not depend on its length to
    /// be found.
    pub fn size(&self) -> usize {
        let address = |jid: &Option<crate::Jid>| jid.as_ref().map_or(0, |jid| jid.as_str().len());
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        FRAME
            + address(&self.to)
            + address(&self.from)
            + text(&self.id)
            + text(&self.lang)
            + self.content.attributes().len()
            + self.content.payload().len()
    }
}

/// One attribute, given with what stands before its value.
fn attribute(opening: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(opening.as_bytes());
    escape_attribute(value, out);
    out.push(b'\'');
}
