//! Stream headers (RFC 6120 §4.7, §11.5, §11.6).

use rookery_xml::{Header, Limits, XML_NAMESPACE, XmlError, read_header};

const TAG: &str = "<stream:stream to='example.org' xml:lang='en' version='1.0' \
     xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:d='urn:d?a&amp;b'>";

fn read(text: &str) -> Result<Header, XmlError> {
    read_header(text.as_bytes(), &Limits::default())
}

#[test]
fn header_tells_name_attributes_and_namespaces() {
    let header = read(&format!("<?xml version='1.0'?>\n{TAG}")).unwrap();
    assert_eq!((&*header.prefix, &*header.name), ("stream", "stream"));
    assert_eq!(header.namespace, "http://etherx.jabber.org/streams");
    assert_eq!(header.attribute("to"), Some("example.org"));
    assert_eq!(header.attribute("version"), Some("1.0"));
    assert_eq!(header.attribute_ns("lang", XML_NAMESPACE), Some("en"));
    assert_eq!(header.attribute("lang"), None);
    assert_eq!(header.namespaces.default_namespace(), "jabber:client");
    assert_eq!(header.namespaces.namespace_of("d"), Some("urn:d?a&b"));
    assert_eq!(header.namespaces.namespace_of("e"), None);
    assert_eq!(read(TAG), Ok(header));
}

#[test]
fn header_may_have_the_stream_namespace_as_default() {
    let header = read("<stream xmlns='http://etherx.jabber.org/streams'>").unwrap();
    assert_eq!((&*header.prefix, &*header.name), ("", "stream"));
    assert_eq!(header.namespace, header.namespaces.default_namespace());
}

#[test]
fn xml_declaration_is_checked_as_xml_s2_8_and_s11_5_say() {
    for good in [
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" ?>",
        "<?xml version='1.0' encoding='UTF-8'?>",
        "<?xml version='1.0' encoding='utf-8' standalone='no'?>",
        "<?xml version='1.0' standalone='yes'?>",
        "<?xml\tversion = '1.0'\r\n?>\r\n",
    ] {
        assert!(read(&format!("{good}{TAG}")).is_ok(), "{good}");
    }
    for bad in [
        "<?xml?>",
        "<?xml ?>",
        "<?xml version='1.1'?>",
        "<?xml encoding='utf-8'?>",
        "<?xml encoding='utf-8' version='1.0'?>",
        "<?xml version='1.0' standalone='no' encoding='utf-8'?>",
        "<?xml version='1.0' version='1.0'?>",
        "<?xml version='1.0' other='1'?>",
        "<?xml version='1.0' standalone='maybe'?>",
        "<?xml version='1.0'encoding='utf-8'?>",
        "<?xml version='1.0' /?>",
        "<?xml version='1.0' encoding?>",
        "<?xml version='1&#46;0'?>",
        "<?xml version='1.0'>",
        "<?xml version='1.0'?><?xml version='1.0'?>",
        " <?xml version='1.0'?>",
    ] {
        let read = read(&format!("{bad}{TAG}"));
        assert!(
            matches!(read, Err(XmlError::NotWellFormed(_))),
            "{bad}: {read:?}"
        );
    }
}

#[test]
fn encodings_other_than_utf_8_have_an_error_of_their_own_s11_6() {
    for encoding in ["UTF-16", "ISO-8859-1", "us-ascii", ""] {
        let header = format!("<?xml version='1.0' encoding='{encoding}'?>{TAG}");
        assert_eq!(
            read(&header),
            Err(XmlError::UnsupportedEncoding),
            "{encoding}"
        );
    }
    let not_utf8 = read_header(b"<stream:stream to='\xE4'>", &Limits::default());
    assert_eq!(not_utf8, Err(XmlError::NotUtf8));
}

#[test]
fn header_is_exactly_one_start_tag() {
    for bad in [
        "", "<a/>", "<a", "a>", "<a>x", "<a><b>", "<a></a>", "</a>", "<a b>", "<>", "<1>",
    ] {
        assert!(
            matches!(read(bad), Err(XmlError::NotWellFormed(_))),
            "{bad}"
        );
    }
    assert_eq!(read("<stream:stream>"), Err(XmlError::UnboundPrefix));
    assert_eq!(read("\u{FEFF}<a>"), Err(XmlError::NotWellFormed("no tag")));
}

#[test]
fn header_keeps_within_the_limits() {
    let many = |n: usize| {
        (0..n)
            .map(|i| format!(" xmlns:p{i}='urn:p'"))
            .collect::<Vec<_>>()
            .concat()
    };
    let limits = Limits {
        max_namespaces: 3,
        max_attributes: 9,
        max_name_bytes: 9,
        ..Limits::default()
    };
    let read = |attributes: &str| read_header(format!("<a{attributes}>").as_bytes(), &limits);
    assert!(read(&many(3)).is_ok());
    assert_eq!(read(&many(4)), Err(XmlError::TooManyNamespaces));
    let attributes = (0..10)
        .map(|i| format!(" a{i}=''"))
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(read(&attributes), Err(XmlError::TooManyAttributes));
    assert_eq!(read(" a123456789=''"), Err(XmlError::NameTooLong));
    let small = Limits {
        max_stanza_bytes: 9,
        ..Limits::default()
    };
    assert_eq!(read_header(b"<a b='12'>", &small), Err(XmlError::TooLarge));
}
