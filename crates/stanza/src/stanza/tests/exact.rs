//! Payloads go out as they came in, byte for byte.

use super::*;

/// Payloads that a careless hand would change.
const PAYLOADS: &[&str] = &[
    // White space, references, quotes, empty elements written both ways.
    "\n  <body >  a\t&#65;&#x42;&amp;&quot;&apos;&gt; > \"' </body>\n  <a   x = \"1\"  y='2&#10;3'/><b></b><c />\r\n",
    // CDATA sections, also empty and side by side.
    "<body><![CDATA[<not a='tag'>&amp;]] >]]><![CDATA[]]></body>",
    // Prefixes declared, used and redeclared inside.
    "<x:a xmlns:x='urn:1'><x:b xmlns:x='urn:2' x:c='d'><e xmlns=''/></x:b></x:a><f xmlns='urn:3'><g xml:lang='de'/></f>",
    // An element that says again what its namespace is.
    "<body xmlns='jabber:client'>b</body>",
    // Beyond the first plane, combining characters, not in any normal form.
    "<body>\u{1f469}\u{200d}\u{1f4bb} e\u{301} \u{e9} \u{fb01} \u{5e9}\u{5c1}</body>",
    // As OMEMO sends it (XEP-0384): Base64 in many elements.
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1234'><key rid='31415' prekey='true'>\
     MwohBR+/kLmn==</key><key rid='12321'>b64/enc+oded\n</key><iv>TWFu</iv></header><payload>QUJD</payload></encrypted>\
     <store xmlns='urn:xmpp:hints'/><body>I sent you an OMEMO encrypted message</body>",
    // A signed object in a CDATA section (RFC 3923 §3.2).
    "<e2e xmlns='urn:ietf:params:xml:ns:xmpp-e2e'>\n<![CDATA[\nContent-Type: multipart/signed; boundary=next;\n\
     micalg=sha1; protocol=application/pkcs7-signature\r\n\r\n--next\nContent-type: Message/CPIM\n\n\
     From: Juliet Capulet <im:juliet@example.com>\nTo: Romeo Montague <im:romeo@example.net>\n--next--\n]]>\n</e2e>",
];

#[test]
fn payload_bytes_go_out_as_they_came_in() {
    for payload in PAYLOADS {
        let xml = format!("<message id='1'>{payload}</message>");
        let message = stanza(&xml);
        assert_eq!(message.payload(), payload.as_bytes());
        assert_eq!(written(&message), xml);
    }
}

#[test]
fn payload_is_shared_with_the_bytes_that_were_read() {
    let frame = Bytes::from_static(b"<message><body>a</body></message>");
    let message = Stanza::parse(frame.clone(), &ordinary(), &Limits::default()).unwrap();
    assert_eq!(message.payload().as_ptr(), frame.slice(9..).as_ptr());
    assert_eq!(
        message.clone().payload().as_ptr(),
        message.payload().as_ptr()
    );
}

#[test]
fn payload_under_another_prefix_stays_when_it_does_not_need_it() {
    let payload = "<a xmlns='urn:a'>&#65;<![CDATA[b]]></a>";
    let message = stanza(&format!(
        "<c:message xmlns:c='jabber:client'>{payload}</c:message>"
    ));
    assert_eq!(message.payload(), payload.as_bytes());
    assert_eq!(
        written(&message),
        format!("<message xmlns:c='jabber:client'>{payload}</message>")
    );
}

#[test]
fn payload_that_uses_the_prefix_of_its_stanza_keeps_the_declaration() {
    let message = stanza("<c:message xmlns:c='jabber:client'><c:body>&#65;</c:body></c:message>");
    assert!(message.has("body", ns::CLIENT));
    assert_eq!(
        written(&message),
        "<message xmlns:c='jabber:client'><c:body>&#65;</c:body></message>"
    );
    assert_eq!(
        message.child("body", ns::CLIENT).unwrap().unwrap().text(),
        "A"
    );
}

#[test]
fn payload_that_inherits_another_default_namespace_is_written_anew() {
    let message = stanza(
        "<c:message xmlns:c='jabber:client' xmlns='urn:a'><b> <c:body>&#65;</c:body></b></c:message>",
    );
    assert!(message.has("b", "urn:a"));
    assert_eq!(
        written(&message),
        "<message><b xmlns='urn:a'> <body xmlns='jabber:client'>A</body></b></message>"
    );
}

#[test]
fn prefix_of_the_stream_header_is_declared_where_it_is_used() {
    let namespaces = ordinary().and_prefix("x", "urn:x");
    let message = stanza_under(
        "<message x:a='1'><body>A</body><x:b x:c='2'>&#65;</x:b></message>",
        &namespaces,
    );
    assert!(message.has("b", "urn:x") && message.has("body", ns::CLIENT));
    let anew = stanza(&written(&message)).to_element().unwrap();
    assert_eq!(anew.attribute_ns("a", "urn:x"), Some("1"));
    assert_eq!(
        anew.child("b", "urn:x").unwrap().attribute_ns("c", "urn:x"),
        Some("2")
    );
    assert_eq!(anew.child("b", "urn:x").unwrap().text(), "A");
}

#[test]
fn stream_whose_content_has_a_prefix_is_understood_by_rfc_6120_s4_8_5() {
    let namespaces = StreamNamespaces::with_default(ns::STREAM).and_prefix("app", ns::CLIENT);
    let message = stanza_under(
        "<app:message to='romeo@example.net' type='chat'><app:body>Art thou not Romeo?</app:body></app:message>",
        &namespaces,
    );
    let expected =
        "<message to='romeo@example.net' type='chat'><body>Art thou not Romeo?</body></message>";
    assert_eq!(written(&message), expected);
    assert_eq!(
        message.child("body", ns::CLIENT).unwrap().unwrap().text(),
        "Art thou not Romeo?"
    );
}

#[test]
fn what_is_written_anew_may_have_more_declarations_than_its_stream_allows() {
    let header =
        b"<s:s xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' xmlns:p='urn:p'>";
    let namespaces = rookery_xml::read_header(header, &Limits::default())
        .unwrap()
        .namespaces;
    let limits = Limits {
        max_attributes: 2,
        ..Limits::default()
    };
    let xml = "<message><x p:a='1' p:b='2'/></message>";
    let stanza = Stanza::parse(Bytes::from_static(xml.as_bytes()), &namespaces, &limits).unwrap();
    assert!(
        written(&stanza).contains("='urn:p'"),
        "{}",
        written(&stanza)
    );
}
