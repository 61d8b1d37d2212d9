//! Our readers beside rxml, an independent parser that is strict by construction.
//!
//! What we accept, rxml accepts, and it sees the same document. What rxml accepts, we accept. The
//! exceptions are all meant. Ours:
//! - limits (depth, attributes, namespaces, names);
//! - white space, an XML declaration or a byte order mark around the element: a stanza has none.
//!
//! Those where rxml 0.14 is not right:
//! - it accepts a namespace declared twice on one element (XML 1.0 §3.1);
//! - it accepts declarations of the namespace that belongs to `xmlns` (Namespaces in XML 1.0 §3);
//! - it refuses U+FDF0 to U+FFFD in names, which production [4] allows;
//! - it refuses or drops a literal carriage return in an attribute value unless a line feed follows
//!   (§2.11 makes a line feed of it, §3.3.3 a space).

use std::collections::BTreeMap;

use proptest::prelude::*;
use rookery_xml::{Element, Limits, StreamNamespaces, XmlError, read_top};
use rxml::parser::{Options, WithOptions};
use rxml::{Event, Parse, Parser};

use crate::documents;

/// What a document says, whatever it looks like.
#[derive(Debug, PartialEq, Eq)]
enum Saying {
    Start(String, String, BTreeMap<(String, String), String>),
    Text(String),
    End,
}

/// Reads a whole document with rxml; `None` if it is refused.
fn rxml_reads(mut document: &[u8]) -> Option<Vec<Saying>> {
    let options = Options {
        max_token_length: 1 << 16,
        ..Options::default()
    };
    let mut said: Vec<Saying> = Vec::new();
    let take = |event| match event {
        Event::XmlDeclaration(..) => {}
        Event::StartElement(_, (namespace, name), attributes) => {
            let attributes = attributes
                .iter()
                .map(|((namespace, name), value)| {
                    ((namespace.to_string(), name.to_string()), value.clone())
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
    };
    Parser::with_options(options)
        .parse_all(&mut document, true, take)
        .ok()?;
    Some(said)
}

/// Reads a document with both of our readers, which must agree.
fn we_read(document: &[u8]) -> Result<Element, XmlError> {
    let (namespaces, limits) = (StreamNamespaces::default(), Limits::default());
    let tree = Element::parse(document, &namespaces, &limits);
    let top = read_top(document, &namespaces, &limits);
    assert_eq!(
        top.err(),
        tree.as_ref().err().copied(),
        "the two readers disagree"
    );
    tree
}

/// Compares, and says what is wrong.
fn compare(document: &[u8]) -> Result<(), String> {
    let ours = we_read(document);
    let theirs = rxml_reads(document);
    let shown = String::from_utf8_lossy(document);
    match (ours, theirs) {
        (Ok(_), _) if rxml_is_wrong_about(&shown) => Ok(()),
        (Ok(tree), Some(theirs)) => {
            let written = tree.to_bytes("");
            match rxml_reads(&written) {
                Some(again) if again == theirs => Ok(()),
                again => Err(format!(
                    "{shown:?} was understood as {again:?}, not {theirs:?}"
                )),
            }
        }
        (Ok(_), None) => Err(format!("we accept {shown:?}, rxml refuses it")),
        (Err(error), Some(_)) if !is_meant(document, error) => {
            Err(format!("we refuse {shown:?} as {error}, rxml accepts it"))
        }
        (Err(_), _) => Ok(()),
    }
}

/// Our own exceptions, and where rxml accepts too much.
fn is_meant(document: &[u8], error: XmlError) -> bool {
    let stands_alone =
        document.starts_with(b"<") && document.ends_with(b">") && !document.starts_with(b"<?xml");
    match error {
        XmlError::TooDeep
        | XmlError::TooManyAttributes
        | XmlError::TooManyNamespaces
        | XmlError::NameTooLong
        | XmlError::TooLarge
        | XmlError::BadNamespace("the xmlns namespace is reserved") => true,
        XmlError::NotWellFormed("duplicate attribute") => {
            String::from_utf8_lossy(document).matches("xmlns").count() > 1
        }
        _ => !stands_alone,
    }
}

/// Where rxml refuses or misunderstands what is right.
fn rxml_is_wrong_about(document: &str) -> bool {
    let mut returns = document.split('\r').skip(1);
    returns.any(|after| !after.starts_with('\n')) || document.contains(in_rxml_gap)
}

/// Characters of names that rxml does not know as such.
fn in_rxml_gap(c: char) -> bool {
    ('\u{FDF0}'..='\u{FFFD}').contains(&c)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutilated_documents_are_judged_as_rxml_judges_them(document in documents::mutilated()) {
        prop_assert_eq!(compare(&document), Ok(()));
    }

    #[test]
    fn what_we_write_rxml_accepts(element in documents::element()) {
        let written = String::from_utf8(element.to_bytes("").to_vec()).unwrap();
        let written = written.replace(in_rxml_gap, "ü");
        prop_assert!(rxml_reads(written.as_bytes()).is_some());
    }
}

#[test]
fn nasty_documents_are_judged_as_rxml_judges_them() {
    let wrong: Vec<String> = NASTY
        .iter()
        .filter_map(|document| compare(document.as_bytes()).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One of each kind, beside what is generated.
const NASTY: &[&str] = &[
    "<a>\0</a>",
    "<a>\u{1}</a>",
    "<a b='\u{1}'/>",
    "<a>\u{FFFF}</a>",
    "<a>\u{FFFE}</a>",
    "<a>\u{7F}</a>",
    "<a>\u{FEFF}</a>",
    "<a>&#x1;</a>",
    "<a>&#0;</a>",
    "<a>&#xD800;</a>",
    "<a>&#x10FFFF;</a>",
    "<a>&#xFFFF;</a>",
    "<a>&#00065;</a>",
    "<a>]]></a>",
    "<a>]]&gt;</a>",
    "<a>]]]></a>",
    "<a>]&#93;></a>",
    "<a b=']]>'/>",
    "<a b='<'/>",
    "<a b='&lt;'/>",
    "<a b='>'/>",
    "<a b='\"' c=\"'\"/>",
    "<a a='1'b='2'/>",
    "<a a='1'\tb='2'/>",
    "<1a/>",
    "<a:b:c/>",
    "<:a/>",
    "<a:/>",
    "<a b:='1'/>",
    "<a.b/>",
    "<\u{B7}/>",
    "<a\u{B7}/>",
    "<\u{D7}/>",
    "<\u{F7}/>",
    "<\u{37E}/>",
    "<\u{2FF}/>",
    "<\u{3000}/>",
    "<\u{3001}/>",
    "<\u{10000}/>",
    "<\u{EFFFF}/>",
    "<\u{F0000}/>",
    "<a xmlns:p='u' xmlns:q='u' p:a='' q:a=''/>",
    "<a xmlns:p='u' p:a='' a=''/>",
    "<a xmlns='u' xmlns:p='u' p:a='' a=''/>",
    "<a xmlns:p=''/>",
    "<a xmlns=''/>",
    "<a xmlns='u' xmlns='u'/>",
    "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns:xml='u'/>",
    "<a xmlns:xmlns='u'/>",
    "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
    "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
    "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
    "<xml:a/>",
    "<xmlns:a/>",
    "<xmlns/>",
    "<a xml:lang='en'/>",
    "<a xml:lang='en' lang='de'/>",
    "<p:a/>",
    "<a p:b=''/>",
    "<a",
    "<a>",
    "<a><b>",
    "<a></b>",
    "<a></a></a>",
    "<a/><b/>",
    "<a/>x",
    "x<a/>",
    "",
    "<a></a >",
    "<a></ a>",
    "<a></a x>",
    "<a ></a>",
    "< a/>",
    "<a / >",
    "<a b/>",
    "<a b=1/>",
    "<a b = '1' />",
    "<a b='1'",
    "<a b='1/>",
    "<a>&</a>",
    "<a>&amp</a>",
    "<a>& amp;</a>",
    "<a>&nbsp;</a>",
    "<a>&AMP;</a>",
    "<a b='&nbsp;'/>",
    "<a b='&amp;lt;'/>",
    "<a><!-- --></a>",
    "<a><?x?></a>",
    "<!DOCTYPE a><a/>",
    "<a><![CDATA[x]]></a>",
    "<a><![CDATA[]]></a>",
    "<a><![CDATA[]]]]></a>",
    "<a><![CDATA[]]]></a>",
    "<a><![cdata[x]]></a>",
    "<a><![CDATA[x]]</a>",
    "<![CDATA[x]]>",
    "<a b='x\r\ny\tz\n'/>",
    "<a b='&#13;&#10;'/>",
    "<a>x\r\ny\rz\n</a>",
    "<a>\r<![CDATA[\n]]></a>",
    "<a><![CDATA[\r\n]]>\r</a>",
    "<a>\r&#10;</a>",
    "<a>&#13;\n</a>",
    "<a b='\r&#10;'/>",
    "<a xmlns:p='a&amp;b'><p:c/></a>",
    "<a xmlns:p='a b'><p:c/></a>",
    "<a xmlns:p=' u'/>",
];

#[test]
fn bytes_that_are_not_utf_8_are_refused_by_both() {
    for bytes in [
        &b"<a>\xFF</a>"[..],
        b"<a>\xC3</a>",
        b"<a>\xED\xA0\x80</a>",
        b"<a>\xF8\x88\x80\x80\x80</a>",
    ] {
        assert_eq!(we_read(bytes), Err(XmlError::NotUtf8));
        assert_eq!(rxml_reads(bytes), None);
    }
}
