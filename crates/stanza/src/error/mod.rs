//! Errors on the wire: of stanzas (RFC 6120 §8.3) and of streams (RFC 6120 §4.9).

mod stanza;
mod stream;
#[cfg(test)]
mod tests;

pub use stanza::{Condition, ErrorType, StanzaError};
pub use stream::{StreamCondition, StreamError};

use crate::ns;
use rookery_xml::Element;

/// The descriptive `<text/>` of an error, in English.
fn text_element(text: &str, namespace: &'static str) -> Element {
    Element::new("text", namespace)
        .with_attribute_ns("lang", ns::XML, "en")
        .with_text(text)
}
