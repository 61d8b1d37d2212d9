//! What is said about a stanza.

use std::ops::Range;

use rookery_xml::{Limits, StreamNamespaces, Top, read_top};

fn slice(stanza: &str, range: Range<usize>) -> &str {
    stanza.get(range).unwrap()
}

/// Reads on a stream whose header is that of most clients.
fn on_client_stream<R>(stanza: &str, look: impl FnOnce(Top<'_>) -> R) -> R {
    let namespaces = StreamNamespaces::with_default("jabber:client")
        .and_prefix("stream", "http://etherx.jabber.org/streams")
        .and_prefix("h", "urn:h");
    look(read_top(stanza.as_bytes(), &namespaces, &Limits::default()).unwrap())
}

#[test]
fn top_describes_attributes_children_and_content() {
    let stanza = "<message xmlns:x='urn:x' to='a&amp;b' xml:lang='en' x:y = \"z\">\
         <body>hi</body> <x:c xmlns='urn:d'><deep/></x:c><e xmlns='urn:e'/></message>";
    on_client_stream(stanza, |top| {
        assert_eq!((&*top.namespace, top.name), ("jabber:client", "message"));
        let attributes: Vec<_> = top
            .attributes
            .iter()
            .map(|a| {
                (
                    &*a.namespace,
                    a.prefix,
                    a.name,
                    &*a.value,
                    slice(stanza, a.range.clone()),
                )
            })
            .collect();
        assert_eq!(
            attributes,
            [
                ("", "", "to", "a&b", "to='a&amp;b'"),
                (
                    "http://www.w3.org/XML/1998/namespace",
                    "xml",
                    "lang",
                    "en",
                    "xml:lang='en'"
                ),
                ("urn:x", "x", "y", "z", "x:y = \"z\""),
            ]
        );
        let declarations: Vec<_> = top
            .declarations
            .iter()
            .map(|d| (d.prefix, &*d.namespace, slice(stanza, d.range.clone())))
            .collect();
        assert_eq!(declarations, [("x", "urn:x", "xmlns:x='urn:x'")]);
        let children: Vec<_> = top
            .children
            .iter()
            .map(|c| (&*c.namespace, c.name, slice(stanza, c.range.clone())))
            .collect();
        assert_eq!(
            children,
            [
                ("jabber:client", "body", "<body>hi</body>"),
                ("urn:x", "c", "<x:c xmlns='urn:d'><deep/></x:c>"),
                ("urn:e", "e", "<e xmlns='urn:e'/>"),
            ]
        );
        assert_eq!(
            slice(stanza, top.content.clone()),
            "<body>hi</body> <x:c xmlns='urn:d'><deep/></x:c><e xmlns='urn:e'/>"
        );
        assert!(top.plain && !top.has_text && top.borrowed_prefixes.is_empty());
    });
}

#[test]
fn empty_elements_have_empty_content() {
    for stanza in ["<presence/>", "<presence></presence>", "<presence  />"] {
        on_client_stream(stanza, |top| {
            assert!(top.content.is_empty(), "{stanza}");
            assert!(stanza.get(top.content.clone()).is_some(), "{stanza}");
            assert!(top.plain && top.children.is_empty());
        });
    }
}

#[test]
fn text_of_its_own_is_told_from_white_space_and_text_inside() {
    for (stanza, has_text) in [
        ("<message> \r\n<body>hi</body>\t</message>", false),
        ("<message>&#32;<![CDATA[ ]]></message>", false),
        ("<message>x<body/></message>", true),
        ("<message><body/>&amp;</message>", true),
        ("<message><![CDATA[x]]></message>", true),
    ] {
        assert_eq!(
            on_client_stream(stanza, |top| top.has_text),
            has_text,
            "{stanza}"
        );
    }
}

#[test]
fn prefixes_of_the_stream_header_are_named_once() {
    for (stanza, borrowed) in [
        ("<message><h:a h:b='1'/><h:c/></message>", &["h"][..]),
        ("<message h:b='1'><stream:c/></message>", &["h", "stream"]),
        ("<message><a xml:lang='en'/></message>", &[]),
        ("<message xmlns:h='urn:other'><h:a/></message>", &[]),
        (
            "<message><a xmlns:h='urn:other'><h:b/></a><h:c/></message>",
            &["h"],
        ),
        ("<stream:error/>", &["stream"]),
    ] {
        on_client_stream(stanza, |top| {
            assert_eq!(top.borrowed_prefixes.as_slice(), borrowed, "{stanza}");
        });
    }
}

#[test]
fn content_is_plain_if_its_default_namespace_is_that_of_the_stanza() {
    for (stanza, plain) in [
        ("<message><body/></message>", true),
        ("<message xmlns='jabber:client'><body/></message>", true),
        ("<message xmlns='urn:other'><body/></message>", true),
        (
            "<c:message xmlns:c='jabber:client'><body/></c:message>",
            true,
        ),
        (
            "<c:message xmlns:c='jabber:client' xmlns='urn:d'><body/></c:message>",
            false,
        ),
        (
            "<c:message xmlns:c='jabber:client' xmlns='urn:d'><c:body/>text</c:message>",
            true,
        ),
        (
            "<c:message xmlns:c='jabber:client' xmlns='urn:d'><c:b><d/></c:b></c:message>",
            false,
        ),
        (
            "<c:message xmlns:c='jabber:client' xmlns='urn:d'><c:b xmlns=''><d/></c:b></c:message>",
            true,
        ),
        ("<h:a><b/></h:a>", false),
    ] {
        assert_eq!(on_client_stream(stanza, |top| top.plain), plain, "{stanza}");
    }
}

#[test]
fn stanzas_find_their_namespace_on_a_stream_without_content_namespace_s4_8_2() {
    let namespaces = StreamNamespaces::with_default("http://etherx.jabber.org/streams")
        .and_prefix("c", "jabber:client");
    let read = |stanza| read_top(stanza, &namespaces, &Limits::default()).unwrap();
    let own = read(b"<message xmlns='jabber:client'><body/></message>");
    assert_eq!((&*own.namespace, own.plain), ("jabber:client", true));
    let prefixed = read(b"<c:message><c:body/></c:message>");
    assert_eq!(
        (&*prefixed.namespace, prefixed.plain),
        ("jabber:client", true)
    );
    assert_eq!(prefixed.borrowed_prefixes.as_slice(), ["c"]);
    assert!(!read(b"<c:message><body/></c:message>").plain);
}
