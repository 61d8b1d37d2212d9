//! Compares what is received with what a script expects.
//!
//! Attributes and text of what is expected: `*` is anything, `-` is nothing, `{name}` notices a value and
//! from then on stands for it. A child whose text is `-` must not be there.

use rookery_xml::{Element, XmlError};

use crate::speech::Variables;

/// The namespace of stream elements.
pub(crate) const STREAM: &str = "http://etherx.jabber.org/streams";

/// Reads elements as they would stand in a stream. A stream header may stand before them.
pub(crate) fn parse(text: &str) -> Result<Vec<Element>, XmlError> {
    let text = close_header(text);
    let block = format!("<block xmlns='jabber:client' xmlns:stream='{STREAM}'>{text}</block>");
    Ok(Element::parse_str(&block)?.into_children().collect())
}

/// Makes an element of the header of a stream, without what is inside of it.
fn close_header(text: &str) -> String {
    let start = "<stream:stream";
    match text.find(start).and_then(|at| text.split_at_checked(at)) {
        Some((_declaration, header)) => match header.split_once('>') {
            Some((tag, rest)) => format!("{tag}/>{rest}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

/// Compares an element, and notices the values of variables.
pub(crate) fn compare(
    expected: &Element,
    received: &Element,
    exactly: bool,
    variables: &mut Variables,
) -> Result<(), String> {
    let name = expected.name();
    if !received.is(name, expected.namespace()) {
        return Err(format!(
            "<{} xmlns='{}'/> is not <{name} xmlns='{}'/>",
            received.name(),
            received.namespace(),
            expected.namespace()
        ));
    }
    for (attribute, namespace, value) in expected.attributes() {
        let found = received.attribute_ns(attribute, namespace);
        compare_value(value, found, variables)
            .map_err(|because| format!("{attribute} of <{name}/> {because}"))?;
    }
    if expected.has_text() {
        let text = received.text();
        let found = Some(&*text).filter(|text| !text.is_empty());
        compare_value(&expected.text(), found, variables)
            .map_err(|because| format!("text of <{name}/> {because}"))?;
    }
    if exactly {
        nothing_more(expected, received)?;
        let pairs = expected.children().zip(received.children());
        return pairs
            .into_iter()
            .try_for_each(|(expected, received)| compare(expected, received, true, variables));
    }
    compare_children(expected, received, variables)
}

/// Each child that is expected is another one of those received; or there is none like it.
fn compare_children(
    expected: &Element,
    received: &Element,
    variables: &mut Variables,
) -> Result<(), String> {
    let mut left: Vec<&Element> = received.children().collect();
    for child in expected.children() {
        let name = child.name();
        if child.text() == "-" {
            if received.child(name, child.namespace()).is_some() {
                return Err(format!("there is a <{name}/>"));
            }
            continue;
        }
        let mut because = format!("there is no <{name} xmlns='{}'/>", child.namespace());
        let found = left.iter().position(|candidate| {
            let mut noticed = variables.clone();
            match compare(child, candidate, false, &mut noticed) {
                Ok(()) => {
                    *variables = noticed;
                    true
                }
                Err(difference) => {
                    if candidate.is(name, child.namespace()) {
                        because = difference;
                    }
                    false
                }
            }
        });
        let Some(at) = found else { return Err(because) };
        left.remove(at);
    }
    Ok(())
}

/// There are no attributes, children or text but those that are expected.
fn nothing_more(expected: &Element, received: &Element) -> Result<(), String> {
    let name = expected.name();
    for (attribute, namespace, _) in received.attributes() {
        if expected.attribute_ns(attribute, namespace).is_none() {
            return Err(format!("<{name}/> has {attribute}"));
        }
    }
    let counts = (expected.children().count(), received.children().count());
    if counts.0 != counts.1 {
        return Err(format!(
            "<{name}/> has {} children, not {}",
            counts.1, counts.0
        ));
    }
    if received.has_text() && !expected.has_text() {
        return Err(format!("<{name}/> has text"));
    }
    Ok(())
}

fn compare_value(
    expected: &str,
    found: Option<&str>,
    variables: &mut Variables,
) -> Result<(), String> {
    match (expected, found) {
        ("-", None) | ("*", Some(_)) => return Ok(()),
        ("-", Some(found)) => return Err(format!("is {found:?}, but should not be there")),
        (_, None) => return Err(format!("is absent, not {expected:?}")),
        _ => {}
    }
    let found = found.unwrap_or_default();
    let mut known = expected.to_owned();
    for (name, value) in &*variables {
        known = known.replace(&format!("{{{name}}}"), value);
    }
    match notice(&known, found) {
        Some(noticed) => {
            variables.extend(noticed);
            Ok(())
        }
        None => Err(format!("is {found:?}, not {known:?}")),
    }
}

/// The values of the variables in `expected`, if it can stand for `found`. Each is as short as can be.
fn notice(expected: &str, found: &str) -> Option<Variables> {
    let Some((before, name, after)) = variable(expected) else {
        return (expected == found).then(Variables::new);
    };
    let rest = found.strip_prefix(before)?;
    let ends = rest.char_indices().skip(1).map(|(at, _)| at);
    ends.chain([rest.len()]).find_map(|end| {
        let (value, rest) = rest.split_at_checked(end)?;
        let mut noticed = notice(after, rest)?;
        noticed.insert(name.to_owned(), value.to_owned());
        (!value.is_empty()).then_some(noticed)
    })
}

/// What stands before, in and behind the braces of a variable.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    let is_name = name.chars().all(|c| c.is_ascii_lowercase()) && !name.is_empty();
    is_name.then_some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        parse(text).unwrap().remove(0)
    }

    fn matches(expected: &str, received: &str, exactly: bool) -> Result<Variables, String> {
        let mut variables = Variables::new();
        let (expected, received) = (element(expected), element(received));
        compare(&expected, &received, exactly, &mut variables).map(|()| variables)
    }

    #[test]
    fn names_attributes_text_and_children_are_compared() {
        let received =
            "<message from='a' id='1'><body>hi</body><x xmlns='urn:x'><y/></x></message>";
        for same in [
            "<message/>",
            "<message from='a' id='*' to='-'/>",
            "<message>\n<x xmlns='urn:x'/>\n<body>hi</body></message>",
            "<message><body>*</body><z>-</z></message>",
        ] {
            assert!(matches(same, received, false).is_ok(), "{same}");
        }
        for different in [
            "<presence/>",
            "<message xmlns='urn:x'/>",
            "<message from='-'/>",
            "<message to='*'/>",
            "<message><body>h</body></message>",
            "<message><body>hi</body><body>hi</body></message>",
            "<message><body>-</body></message>",
            "<message><x xmlns='urn:y'/></message>",
        ] {
            assert!(matches(different, received, false).is_err(), "{different}");
        }
    }

    #[test]
    fn exactly_leaves_no_room() {
        let received = "<iq id='1'>\n<a b='c'>d</a><e/></iq>";
        assert!(matches("<iq id='1'><a b='c'>d</a><e/></iq>", received, true).is_ok());
        for different in [
            "<iq><a b='c'>d</a><e/></iq>",
            "<iq id='1'><a>d</a><e/></iq>",
            "<iq id='1'><a b='c'/><e/></iq>",
            "<iq id='1'><a b='c'>d</a></iq>",
            "<iq id='1'><e/><a b='c'>d</a></iq>",
        ] {
            assert!(matches(different, received, true).is_err(), "{different}");
        }
    }

    #[test]
    fn variables_notice_and_then_stand_for_a_value() {
        let received = "<a b='x/1' c='1'/>";
        let variables = matches("<a b='x/{n}' c='{n}'/>", received, false).unwrap();
        assert_eq!(variables.get("n").map(String::as_str), Some("1"));
        assert!(matches("<a b='{n}' c='{n}'/>", received, false).is_err());
        assert!(matches("<a b='y/{n}'/>", received, false).is_err());
        let variables = matches("<a b='{n}/{m}'/>", received, false).unwrap();
        assert_eq!(variables.len(), 2);
    }

    #[test]
    fn a_stream_header_is_an_element() {
        let text = "<?xml version='1.0'?><stream:stream id='1' version='1.0'><stream:features/>";
        let elements = parse(text).unwrap();
        assert!(elements[0].is("stream", STREAM) && elements[0].attribute("id") == Some("1"));
        assert!(elements[1].is("features", STREAM));
    }
}
