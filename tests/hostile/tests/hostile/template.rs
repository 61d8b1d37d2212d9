//! What a row sends, written out: `{open}`, `{repeat 1000 <a>}`, `{bytes C3 28}`, `{base64 n,,n=x}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_testkit::Server;

/// The header of a stream.
const OPEN: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
                    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// The namespaces of the header of a component.
pub(crate) const COMPONENT: &str = "xmlns='jabber:component:accept' \
                                    xmlns:stream='http://etherx.jabber.org/streams'";

/// Writes out a template for a user, whose session has this address if there is one.
pub(crate) fn expand(template: &str, user: &str, full: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.extend_from_slice(before.as_bytes());
        let (inside, after) = split_at_brace(after);
        out.extend(call(inside, user, full));
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// What stands before the brace that closes, and what after it.
fn split_at_brace(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (index, byte) in text.bytes().enumerate() {
        depth += i32::from(byte == b'{') - i32::from(byte == b'}');
        if depth == 0 {
            let (inside, rest) = text.split_at(index);
            return (inside, rest.strip_prefix('}').unwrap_or_default());
        }
    }
    panic!("a brace is missing: {text}");
}

fn call(inside: &str, user: &str, full: &str) -> Vec<u8> {
    let (name, argument) = inside.split_once(' ').unwrap_or((inside, ""));
    match name {
        "open" => OPEN.into(),
        "component" => COMPONENT.into(),
        "user" => user.into(),
        "jid" => format!("{user}@localhost").into(),
        "full" => full.into(),
        "password" => Server::PASSWORD.into(),
        "tls" => "xmlns='urn:ietf:params:xml:ns:xmpp-tls'".into(),
        "sasl" => "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'".into(),
        "bind" => "xmlns='urn:ietf:params:xml:ns:xmpp-bind'".into(),
        "0" => vec![0],
        "bytes" => argument
            .split(' ')
            .map(|hex| u8::from_str_radix(hex, 16).unwrap())
            .collect(),
        "base64" => STANDARD.encode(expand(argument, user, full)).into(),
        "repeat" => {
            let (count, text) = counted(argument);
            expand(text, user, full).repeat(count)
        }
        "each" => {
            let (count, text) = counted(argument);
            (0..count)
                .flat_map(|index| expand(&text.replace('#', &index.to_string()), user, full))
                .collect()
        }
        _ => panic!("not known: {{{inside}}}"),
    }
}

fn counted(argument: &str) -> (usize, &str) {
    let (count, text) = argument.split_once(' ').unwrap();
    (count.parse().unwrap(), text)
}

#[test]
fn a_template_is_written_out() {
    let expanded = expand(
        "{repeat 2 <a>}{bytes C3 28}{each 2 [#]}{base64 {0}{user}}{full}",
        "x",
        "x@localhost/y",
    );
    assert_eq!(expanded, b"<a><a>\xc3\x28[0][1]AHg=x@localhost/y");
}
