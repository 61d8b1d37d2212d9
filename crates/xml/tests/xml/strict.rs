//! What is refused, and with which error. Every case goes both ways of reading a stanza.

use rookery_xml::{Element, Limits, StreamNamespaces, XmlError, read_top};

/// Reads with both readers, which must agree.
fn read_within(limits: &Limits, bytes: &[u8]) -> Result<(), XmlError> {
    let namespaces = StreamNamespaces::with_default("jabber:client").and_prefix("s", "urn:s");
    let top = read_top(bytes, &namespaces, limits).map(|_| ());
    let tree = Element::parse(bytes, &namespaces, limits).map(|_| ());
    assert_eq!(top, tree, "{:?}", String::from_utf8_lossy(bytes));
    top
}

fn read(text: &str) -> Result<(), XmlError> {
    read_within(&Limits::default(), text.as_bytes())
}

#[track_caller]
fn not_well_formed(cases: &[&str]) {
    for case in cases {
        assert!(
            matches!(read(case), Err(XmlError::NotWellFormed(_))),
            "{case:?}: {:?}",
            read(case)
        );
    }
}

#[track_caller]
fn restricted(cases: &[&str]) {
    for case in cases {
        assert!(
            matches!(read(case), Err(XmlError::Restricted(_))),
            "{case:?}: {:?}",
            read(case)
        );
    }
}

#[test]
fn well_formed_stanzas_pass() {
    for good in [
        "<a/>",
        "<a></a>",
        "<a />",
        "<a\t\n></a\r >",
        "<ü 漢='1'/>",
        "<a b='1' c=\"2\"\nd = '\"'/>",
        "<a>x > y ]] &gt; &#x10FFFF; &#9;</a>",
        "<a><![CDATA[<&]]]]><![CDATA[>]]></a>",
        "<a b=']]>'/>",
        "<a b='>'>/></a>",
        "<a>\u{FEFF}\u{7F}\u{85}\u{FFFD}\u{1F600}</a>",
        "<s:a s:b='1' b='2' xml:lang='en'/>",
        "<p:a xmlns:p='urn:p' p:b='1'><b p:b='1' xmlns:p='urn:q'/></p:a>",
        "<a xmlns='' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<xmlns/>",
        "<a.b-c_1/>",
    ] {
        assert_eq!(read(good), Ok(()), "{good:?}");
    }
}

#[test]
fn characters_outside_of_production_2_are_refused() {
    for bad in [
        "\0", "\u{1}", "\u{8}", "\u{B}", "\u{1F}", "\u{FFFE}", "\u{FFFF}",
    ] {
        not_well_formed(&[
            &format!("<a>{bad}</a>"),
            &format!("<a b='{bad}'/>"),
            &format!("<a><![CDATA[{bad}]]></a>"),
            &format!("<a{bad}/>"),
            &format!("<a {bad}b='1'/>"),
        ]);
    }
}

#[test]
fn references_to_what_is_no_character_are_refused() {
    for bad in [
        "&#0;",
        "&#x1;",
        "&#xFFFE;",
        "&#xD800;",
        "&#x110000;",
        "&#;",
        "&#x;",
        "&#-1;",
        "&#xg;",
    ] {
        not_well_formed(&[&format!("<a>{bad}</a>"), &format!("<a b='{bad}'/>")]);
    }
    not_well_formed(&[
        "<a>&</a>",
        "<a>&amp</a>",
        "<a>& amp;</a>",
        "<a b='&'/>",
        "<a b='&amp'/>",
        "<a>&;</a>",
    ]);
}

#[test]
fn entities_that_are_not_predefined_are_restricted_s11_1() {
    restricted(&[
        "<a>&nbsp;</a>",
        "<a b='&nbsp;'/>",
        "<a>&AMP;</a>",
        "<a>&x:y;</a>".replace(':', "-").as_str(),
    ]);
}

#[test]
fn comments_instructions_and_document_types_are_restricted_s11_1() {
    restricted(&[
        "<a><!-- x --></a>",
        "<!-- x --><a/>",
        "<a/><!-- x -->",
        "<a><?pi x?></a>",
        "<?pi?><a/>",
        "<?xml version='1.0'?><a/>",
        "<!DOCTYPE a><a/>",
        "<a><!DOCTYPE a></a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a><!ELEMENT a></a>",
    ]);
}

#[test]
fn text_and_attribute_values_hold_no_stray_markup() {
    not_well_formed(&[
        "<a><![cdata[x]]></a>",
        "<a><!></a>",
        "<a>]]></a>",
        "<a>x]]]>y</a>",
        "<a><b/>]]></a>",
        "<a b='<'/>",
        "<a b='x<y'/>",
        "<a><</a>",
        "<a>< b/></a>",
        "<a><![CDATA[x</a>",
        "<a><![CDATA[x]] ></a>",
    ]);
}

#[test]
fn attributes_are_separated_quoted_and_unique() {
    not_well_formed(&[
        "<a a='1'b='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b=/>",
        "<a b='1/>",
        "<a b='1\"/>",
        "<a b '1'/>",
        "<a ='1'/>",
        "<a b='1' b='2'/>",
        "<a b='1' c='' b='1'/>",
        "<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='1' q:b='2'/>",
        "<a xmlns:q='urn:s' s:b='1' q:b='2'/>",
        "<a xmlns='urn:a' xmlns='urn:a'/>",
        "<a xmlns:p='urn:a' xmlns:p='urn:b'/>",
        "<a / >",
        "<a/ b='1'>",
        "<a b='1'/c='2'/>",
        "<a b='1' /c='2'>",
    ]);
}

#[test]
fn names_are_names() {
    not_well_formed(&[
        "<1a/>",
        "<-a/>",
        "<.a/>",
        "<a:b:c/>",
        "<:a/>",
        "<a:/>",
        "< a/>",
        "<a$/>",
        "<\u{D7}/>",
        "<>",
        "</>",
        "<a 1b='2'/>",
        "<a b:c:d='1'/>",
        "<a :b='1'/>",
        "<a b:='1'/>",
        "<a s:1='1'/>",
        "<a xmlns:='urn:a'/>",
        "<a xmlns:1='urn:a'/>",
        "<a<b/>",
        "<a'/>",
    ]);
}

#[test]
fn tags_match_and_one_element_is_the_whole() {
    not_well_formed(&[
        "",
        " ",
        "x",
        "<",
        "<a",
        "<a ",
        "<a>",
        "<a>x",
        "<a><b></a>",
        "<a><b></a></b>",
        "</a>",
        "<a></b>",
        "<a></a",
        "<a></a b>",
        "<a></ a>",
        "<a></a/>",
        "<a></ab>",
        "<ab></a>",
        "<a/></a>",
        "<a/><b/>",
        "<a/> ",
        " <a/>",
        "<a/>x",
        "x<a/>",
        "\u{FEFF}<a/>",
        "<a/>&amp;",
        "&amp;<a/>",
        "<a/><![CDATA[x]]>",
        "<![CDATA[x]]><a/>",
        "<s:a></a>",
        "<s:a xmlns:t='urn:s'></t:a>",
    ]);
}

#[test]
fn namespace_well_formedness_is_checked_s11_3() {
    for unbound in [
        "<p:a/>",
        "<a p:b='1'/>",
        "<a><b xmlns:p='urn:p'/><p:c/></a>",
    ] {
        assert_eq!(read(unbound), Err(XmlError::UnboundPrefix), "{unbound}");
    }
    for bad in [
        "<a xmlns:p=''/>",
        "<a xmlns:s=''/>",
        "<a xmlns:xml='urn:a'/>",
        "<a xmlns:xml=''/>",
        "<a xmlns:xmlns='urn:a'/>",
        "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/name&#115;pace'/>",
        "<xmlns:a/>",
    ] {
        assert!(
            matches!(read(bad), Err(XmlError::BadNamespace(_))),
            "{bad}: {:?}",
            read(bad)
        );
    }
}

#[test]
fn bytes_are_utf_8_s11_6() {
    for bad in [
        &b"<a>\xFF</a>"[..],
        b"<a>\xC3</a>",
        b"<a b='\xED\xA0\x80'/>",
        b"<a>\xC0\x80</a>",
        b"\xEF\xBB<a/>",
    ] {
        assert_eq!(read_within(&Limits::default(), bad), Err(XmlError::NotUtf8));
    }
}

#[test]
fn limits_are_exact() {
    let limits = Limits {
        max_stanza_bytes: 100,
        max_depth: 3,
        max_attributes: 3,
        max_namespaces: 3, // one of them is bound by the stream
        max_name_bytes: 7,
    };
    let read = |text: &str| read_within(&limits, text.as_bytes());
    assert_eq!(read("<a><b><c/></b></a>"), Ok(()));
    assert_eq!(read("<a><b><c><d/></c></b></a>"), Err(XmlError::TooDeep));
    assert_eq!(read("<a b='' c='' xmlns='urn:a'/>"), Ok(()));
    assert_eq!(
        read("<a b='' c='' d='' xmlns='urn:a'/>"),
        Err(XmlError::TooManyAttributes)
    );
    assert_eq!(
        read("<a xmlns:b='b'><c xmlns:d='d'/><e xmlns:f='f'/></a>"),
        Ok(())
    );
    assert_eq!(
        read("<a xmlns:b='b'><c xmlns:d='d'><e xmlns:f='f'/></c></a>"),
        Err(XmlError::TooManyNamespaces)
    );
    assert_eq!(read("<abcdefg s:abcde='1'/>"), Ok(()));
    assert_eq!(read("<abcdefgh/>"), Err(XmlError::NameTooLong));
    assert_eq!(read("<a s:abcdef='1'/>"), Err(XmlError::NameTooLong));
    let of_size = |n: usize| format!("<a>{}</a>", "x".repeat(n - 7));
    assert_eq!(read(&of_size(100)), Ok(()));
    assert_eq!(read(&of_size(101)), Err(XmlError::TooLarge));
}

/// With limits that allow them, masses of names still cost no more than sorting them.
#[test]
fn masses_of_attributes_and_declarations_are_checked_fast() {
    const MANY: usize = 20_000;
    let limits = Limits {
        max_stanza_bytes: usize::MAX,
        max_attributes: usize::MAX,
        max_namespaces: usize::MAX,
        ..Limits::default()
    };
    let tag = |each: fn(usize) -> String, last: &str| {
        format!("<a{}{last}/>", (0..MANY).map(each).collect::<String>())
    };
    let attributes = |last| tag(|i| format!(" a{i}=''"), last);
    let declarations = |last| tag(|i| format!(" xmlns:a{i}='urn:a'"), last);
    let twice = Err(XmlError::NotWellFormed("duplicate attribute"));
    assert_eq!(read_within(&limits, attributes("").as_bytes()), Ok(()));
    assert_eq!(read_within(&limits, attributes(" a7=''").as_bytes()), twice);
    assert_eq!(read_within(&limits, declarations("").as_bytes()), Ok(()));
    assert_eq!(
        read_within(&limits, declarations(" xmlns:a7='urn:b'").as_bytes()),
        twice
    );

    let default = Limits {
        max_stanza_bytes: usize::MAX,
        ..Limits::default()
    };
    let refused = read_within(&default, attributes("").as_bytes());
    assert_eq!(refused, Err(XmlError::TooManyAttributes));
    let nested = format!(
        "{}{}",
        "<a xmlns:b='urn:b'>".repeat(MANY),
        "</a>".repeat(MANY)
    );
    assert_eq!(
        read_within(&default, nested.as_bytes()),
        Err(XmlError::TooManyNamespaces)
    );
}
