//! XML as rxml reads it, an independent parser that is strict by construction.

use std::collections::BTreeMap;

use rxml::parser::{Options, WithOptions as _};
use rxml::{Event, Parse as _, Parser};

/// What a document says, whatever it looks like.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    /// Namespace and name of an element, and its attributes.
    Start(String, String, BTreeMap<(String, String), String>),
    /// Text without a tag inside.
    Text(String),
    /// The end of an element.
    End,
}

/// Reads an element as it stands in a stream of `jabber:client`; `None` if rxml refuses it.
pub(crate) fn read(element: &[u8]) -> Option<Vec<Saying>> {
    const STREAM: &[u8] = b"<stream:stream xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p'>";
    let document = [STREAM, element, b"</stream:stream>"].concat();
    let options = Options {
        max_token_length: 1 << 20,
        ..Options::default()
    };
    let mut said = Vec::new();
    Parser::with_options(options)
        .parse_all(&mut document.as_slice(), true, |event| {
            hear(event, &mut said);
        })
        .ok()?;
    Some(said)
}

fn hear(event: Event, said: &mut Vec<Saying>) {
    match event {
        Event::XmlDeclaration(..) => {}
        Event::StartElement(_, (namespace, name), attributes) => {
            let attributes = attributes
                .iter()
                .map(|((space, name), value)| {
                    ((space.to_string(), name.to_string()), value.clone())
                })
                .collect();
            said.push(Saying::Start(
                namespace.to_string(),
                name.to_string(),
                attributes,
            ));
        }
        Event::EndElement(_) => said.push(Saying::End),
        Event::Text(_, text) => match said.last_mut() {
            _ if text.is_empty() => {}
            Some(Saying::Text(before)) => before.push_str(&text),
            _ => said.push(Saying::Text(text)),
        },
    }
}

/// Where rxml 0.14 refuses or misunderstands what is right: carriage returns in attribute values that no line
/// feed follows, those in CDATA sections behind a bracket (XML 1.0 §2.11, §3.3.3), and U+FDF0 to U+FFFD in names,
/// which production [4] allows.
pub(crate) fn is_wrong_about(element: &str) -> bool {
    let mut returns = element.split('\r').skip(1);
    returns.any(|after| !after.starts_with('\n') || element.contains("<![CDATA["))
        || element.contains(|c| ('\u{FDF0}'..='\u{FFFD}').contains(&c))
}
