//! Boundaries, however the bytes are cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rookery_xml::{Element, Frame, Limits, Scanner, StreamNamespaces, XmlError};

use crate::documents;

const HEADER: &str = "<?xml version='1.0'?> <stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' note='a>b/'>";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Header,
    Stanza,
    Whitespace,
    End,
}

/// All frames of a stream, and the error that ended it. Neighbouring white space is joined: how
/// it is cut is free.
fn frames<'a, P: IntoIterator<Item = &'a [u8]>>(
    pieces: P,
    limits: &Limits,
) -> (Vec<(Kind, String)>, Option<XmlError>) {
    let mut scanner = Scanner::new(limits);
    let mut buffer = Vec::new();
    let mut found: Vec<(Kind, String)> = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let (kind, len) = match scanner.scan(&buffer) {
                Ok(None) => break,
                Ok(Some(Frame::Header { len })) => (Kind::Header, len),
                Ok(Some(Frame::Stanza { len })) => (Kind::Stanza, len),
                Ok(Some(Frame::Whitespace { len })) => (Kind::Whitespace, len),
                Ok(Some(Frame::End { len })) => (Kind::End, len),
                Err(error) => return (found, Some(error)),
            };
            let text: String = String::from_utf8_lossy(&buffer[..len]).into_owned();
            buffer.drain(..len);
            match found.last_mut() {
                Some((Kind::Whitespace, before)) if kind == Kind::Whitespace => {
                    before.push_str(&text);
                }
                _ => found.push((kind, text)),
            }
        }
    }
    (found, None)
}

fn scan(text: &str) -> (Vec<(Kind, String)>, Option<XmlError>) {
    frames([text.as_bytes()], &Limits::default())
}

/// The error that text gives after a header.
fn refusal(text: &str) -> Option<XmlError> {
    scan(&format!("{HEADER}{text}")).1
}

fn stream(parts: &[&[u8]]) -> Vec<u8> {
    [HEADER.as_bytes(), &parts.concat(), b"</stream:stream>"].concat()
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_how_the_bytes_are_cut(
        stanzas in vec(documents::mutilated(), 1..4),
        cuts in vec(any::<Index>(), 0..12),
        max in prop_oneof![Just(1 << 20), 40..400_usize],
        max_depth in 1..6_usize,
    ) {
        let limits = Limits { max_stanza_bytes: max, max_depth, ..Limits::default() };
        let bytes = stream(&stanzas.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let whole = frames([bytes.as_slice()], &limits);
        prop_assert_eq!(&frames(bytes.chunks(1), &limits), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([bytes.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let pieces = starts.zip(ends).map(|(start, end)| &bytes[start..end]);
        prop_assert_eq!(&frames(pieces, &limits), &whole);
    }

    #[test]
    fn every_stanza_that_reads_well_is_framed_exactly(stanza in documents::mutilated()) {
        let limits = Limits::default();
        if Element::parse(&stanza, &StreamNamespaces::default(), &limits).is_ok() {
            let (found, error) = frames([stream(&[&stanza, b" ", &stanza]).as_slice()], &limits);
            let stanza = String::from_utf8(stanza).unwrap();
            prop_assert_eq!(error, None);
            prop_assert_eq!(found, [
                (Kind::Header, HEADER.to_owned()),
                (Kind::Stanza, stanza.clone()),
                (Kind::Whitespace, " ".to_owned()),
                (Kind::Stanza, stanza),
                (Kind::End, "</stream:stream>".to_owned()),
            ]);
        }
    }

    #[test]
    fn any_bytes_at_all_are_borne(bytes in vec(any::<u8>(), 0..200), after in any::<bool>()) {
        let limits = Limits { max_stanza_bytes: 100, ..Limits::default() };
        let header = if after { HEADER } else { "" };
        let limits = Limits { max_stanza_bytes: HEADER.len().max(limits.max_stanza_bytes), ..limits };
        let bytes = [header.as_bytes(), &bytes].concat();
        prop_assert_eq!(frames(bytes.chunks(1), &limits), frames([bytes.as_slice()], &limits));
    }
}

#[test]
fn a_stream_is_header_stanzas_white_space_and_end() {
    let text = format!(
        "\n{HEADER}\r\n<a b='>' c=\"/>'\"/><m><m></m>\n<![CDATA[</m>]]]>]]></m> </stream:stream >\n"
    );
    let (found, error) = scan(&text);
    assert_eq!(error, None);
    let found: Vec<_> = found
        .iter()
        .map(|(kind, text)| (*kind, text.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Kind::Whitespace, "\n"),
            (Kind::Header, HEADER),
            (Kind::Whitespace, "\r\n"),
            (Kind::Stanza, "<a b='>' c=\"/>'\"/>"),
            (Kind::Stanza, "<m><m></m>\n<![CDATA[</m>]]]>]]></m>"),
            (Kind::Whitespace, " "),
            (Kind::End, "</stream:stream >"),
            (Kind::Whitespace, "\n"),
        ]
    );
}

#[test]
fn a_restarted_stream_begins_with_a_header_again_s4_3_3() {
    let mut scanner = Scanner::new(&Limits::default());
    for _ in 0..2 {
        let header = scanner.scan(HEADER.as_bytes());
        assert_eq!(header, Ok(Some(Frame::Header { len: HEADER.len() })));
        assert_eq!(scanner.scan(b"<a/>"), Ok(Some(Frame::Stanza { len: 4 })));
        assert_eq!(scanner.scan(b"<b"), Ok(None));
        scanner.restart();
    }
    // Without a restart, a second header is shown at once, and not taken for a stanza that does not end.
    assert_eq!(scanner.scan(b"<a>"), Ok(Some(Frame::Header { len: 3 })));
    assert_eq!(scanner.scan(b"<a>"), Ok(Some(Frame::Header { len: 3 })));
    assert_eq!(scanner.scan(b"<b>"), Ok(None));
}

#[test]
fn an_end_tag_of_another_element_is_refused_as_soon_as_it_shows_s4_9_3_13() {
    let mut scanner = Scanner::new(&Limits::default());
    scanner.scan(HEADER.as_bytes()).unwrap();
    let refused = scanner.scan(b"<message><body>No closing tag!</message>");
    assert!(
        matches!(refused, Err(XmlError::NotWellFormed(_))),
        "{refused:?}"
    );
}

#[test]
fn restricted_xml_is_refused_as_soon_as_it_shows_s11_1() {
    for restricted in [
        "<!--",
        "<!D",
        "<a><!--",
        "<a><!DOCTYPE",
        "<a><!ENTITY",
        "<?",
        "<?xml version='1.0'?>",
        "<a><?pi",
    ] {
        assert!(
            matches!(refusal(restricted), Some(XmlError::Restricted(_))),
            "{restricted}"
        );
    }
    for restricted in [
        "<!DOCTYPE a>",
        "<!--",
        "<?pi",
        "<?xmlx",
        "<?xml-stylesheet?>",
        "<?xml version='1.0'?><?xml",
    ] {
        assert!(
            matches!(scan(restricted).1, Some(XmlError::Restricted(_))),
            "{restricted}"
        );
    }
}

#[test]
fn what_only_looks_like_a_declaration_is_not_well_formed_s11_3() {
    for ill_formed in [
        "<!>",
        "<!-x",
        "<a><!->",
        "<a><! DOCTYPE",
        "<!doctype",
        "<a><![cdata[",
        "<a><![INCLUDE[",
    ] {
        assert!(
            matches!(refusal(ill_formed), Some(XmlError::NotWellFormed(_))),
            "{ill_formed}"
        );
    }
}

#[test]
fn an_empty_element_is_no_header_s4_9_3_1() {
    assert_eq!(scan("<iq/>").1, Some(XmlError::EmptyStream));
}

#[test]
fn text_between_stanzas_is_refused_s11_7() {
    for text in ["x", "&amp;", " x", "<a/>x", "]", "\u{FEFF}", "<![CDATA["] {
        assert_eq!(refusal(text), Some(XmlError::TextBetweenStanzas), "{text}");
    }
}

#[test]
fn what_no_stream_can_begin_with_is_refused() {
    for text in [
        "GET / HTTP/1.1\r\n",
        "x",
        "</a>",
        "<1",
        "< ",
        "<![CDATA[",
        "<?xml version='1.0'>",
        "\u{FEFF}<a>",
    ] {
        assert!(
            matches!(scan(text).1, Some(XmlError::NotWellFormed(_))),
            "{text}: {:?}",
            scan(text)
        );
    }
}

#[test]
fn utf_16_is_told_by_its_first_bytes_s11_6() {
    for bytes in [&b"\xFE\xFF"[..], b"\xFF\xFE", b"<\0", b"\0<"] {
        let (found, error) = frames([bytes], &Limits::default());
        assert_eq!(
            (found, error),
            (Vec::new(), Some(XmlError::UnsupportedEncoding))
        );
    }
}

#[test]
fn the_end_tag_of_the_stream_must_match_and_ends_it() {
    assert_eq!(refusal("</stream:stream>\n"), None);
    for text in ["</stream>", "</a>", "</>", "</stream:stream x>"] {
        let refused = refusal(text);
        let expected = (text != "</stream:stream x>")
            .then_some(XmlError::NotWellFormed("end tag of another element"));
        assert_eq!(refused, expected, "{text}");
    }
    for text in ["x", "<a/>", "</stream:stream>"] {
        let refused = refusal(&format!("</stream:stream>{text}"));
        assert!(
            matches!(refused, Some(XmlError::NotWellFormed(_))),
            "{text}"
        );
    }
}

#[test]
fn nothing_grows_beyond_the_limit_while_its_end_is_awaited() {
    let limits = Limits {
        max_stanza_bytes: 1000,
        ..Limits::default()
    };
    let endless = "x".repeat(1000);
    for begin in [
        "<",
        "<a b='",
        "<a ",
        "<?xml ",
        "<?xml version='1.0'?><a b=\"",
    ] {
        let text = format!("{begin}{endless}");
        assert_eq!(
            frames(text.as_bytes().chunks(7), &limits).1,
            Some(XmlError::TooLarge),
            "{begin}"
        );
    }
    for begin in [
        "<",
        "<a b='",
        "<a ",
        "<a>",
        "<a><b/>",
        "<a><![CDATA[",
        "<a></",
    ] {
        let text = format!("{HEADER}{begin}{endless}");
        assert_eq!(
            frames(text.as_bytes().chunks(7), &limits).1,
            Some(XmlError::TooLarge),
            "{begin}"
        );
    }
    let of_size = |n: usize| format!("{HEADER}<a>{}</a>", "x".repeat(n - 7));
    assert_eq!(frames([of_size(1000).as_bytes()], &limits).1, None);
    assert_eq!(
        frames([of_size(1001).as_bytes()], &limits).1,
        Some(XmlError::TooLarge)
    );
}

#[test]
fn depth_is_bounded_while_it_arrives() {
    let limits = Limits {
        max_depth: 3,
        ..Limits::default()
    };
    let error = |text: &str| frames([format!("{HEADER}{text}").as_bytes()], &limits).1;
    assert_eq!(error("<a><b><c/><c></c></b></a>"), None);
    assert_eq!(error("<a><b><c><d"), Some(XmlError::TooDeep));
    assert_eq!(refusal(&"<a>".repeat(100)), Some(XmlError::TooDeep));
}

#[test]
fn limits_may_grow_once_a_peer_is_known() {
    let small = Limits {
        max_stanza_bytes: 10,
        ..Limits::default()
    };
    let mut scanner = Scanner::new(&small);
    assert_eq!(scanner.scan(b"<a>"), Ok(Some(Frame::Header { len: 3 })));
    scanner.set_limits(&Limits::default());
    assert_eq!(
        scanner.scan(b"<a b='123456789'/>"),
        Ok(Some(Frame::Stanza { len: 18 }))
    );
}
