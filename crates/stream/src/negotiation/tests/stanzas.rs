//! What a bound client sends (RFC 6120 §4.8, §8, §11).

use super::*;

#[test]
fn many_stanzas_come_out_of_one_read_in_order_s10_1() {
    let said = Play::bound().hears("<presence/> <message to='a@b'/>\n<iq id='1' type='result'/>");
    assert_eq!(
        said,
        "[stanza <presence/>][stanza <message to='a@b'/>][stanza <iq id='1' type='result'/>]"
    );
}

#[test]
fn a_burst_is_taken_in_turns_and_in_order_s10_1() {
    let mut play = Play::bound();
    let each = |write: fn(u32) -> String| (0..200).map(write).collect::<Vec<_>>().concat();
    let burst = each(|id| format!("<message id='{id}'/>"));
    let (mut said, mut turns) = (play.hears(&burst), 1);
    assert!(!said.contains("id='100'"), "{said}");
    while play.stream.has_more() {
        said += &play.hears("");
        turns += 1;
    }
    assert_eq!(said, each(|id| format!("[stanza <message id='{id}'/>]")));
    assert_eq!(turns, 4);
}

#[test]
fn white_space_between_stanzas_is_silent_s11_7() {
    assert_eq!(Play::bound().hears(" \n\t\r\n "), "");
}

#[test]
fn stanzas_have_the_language_of_the_stream_unless_they_have_their_own_s4_7_4() {
    let mut play = Play::greeted();
    play.hears(AUTH);
    play.told(success());
    play.hears(&HELLO.replace(" version='1.0' ", " version='1.0' xml:lang='de-CH' "));
    play.hears(BIND);
    play.told(bound("balcony"));
    assert_eq!(
        play.hears("<message/><message xml:lang='fr'/>"),
        "[stanza <message xml:lang='de-CH'/>][stanza <message xml:lang='fr'/>]"
    );
}

#[test]
fn a_faulty_stanza_does_not_end_the_stream_s8_3_1() {
    let mut play = Play::bound();
    assert_eq!(play.hears("<message to='@'/>"), "[fault jid-malformed]");
    assert_eq!(play.hears("<iq type='get'/>"), "[fault bad-request]");
    assert_eq!(play.hears("<presence/>"), "[stanza <presence/>]");
}

#[test]
fn unknown_first_level_elements_are_unsupported_s4_8_4_s4_9_3_24() {
    for element in [
        "<pubsub/>",
        "<foo xmlns='urn:x'/>",
        "<x:foo xmlns:x='urn:x'/>",
        "<message xmlns='urn:x'/>",
        "<x:message xmlns:x='urn:x'/>",
        "<stream:message/>",
        STARTTLS,
    ] {
        assert_eq!(
            Play::bound().hears(element),
            error("unsupported-stanza-type"),
            "{element}"
        );
    }
    assert_eq!(
        Play::greeted().hears("<foo xmlns='urn:x'/>"),
        error("unsupported-stanza-type")
    );
}

#[test]
fn stanzas_of_servers_have_no_place_here_s4_8_3() {
    for mut play in [Play::greeted(), Play::bound()] {
        assert_eq!(
            play.hears("<message xmlns='jabber:server'/>"),
            error("invalid-namespace")
        );
    }
}

#[test]
fn a_stanza_with_a_prefix_is_refused_s4_8_5() {
    let stanza = "<c:message xmlns:c='jabber:client'><c:body>hi</c:body></c:message>";
    for mut play in [Play::greeted(), Play::authenticated(), Play::bound()] {
        assert_eq!(play.hears(stanza), error("bad-namespace-prefix"));
    }
}

#[test]
fn refused_xml_gets_its_condition_s11() {
    for (xml, condition) in [
        (
            "<message><foo:body>What is this foo?</foo:body></message>",
            "not-well-formed",
        ),
        (
            "<message><body>No closing tag!</message></message>",
            "not-well-formed",
        ),
        ("<message><body>&nbsp;</body></message>", "restricted-xml"),
        ("<message><!-- x --></message>", "restricted-xml"),
        ("<message><?x y?></message>", "restricted-xml"),
        ("<!DOCTYPE x>", "restricted-xml"),
        ("text", "bad-format"),
        ("<message>\u{1}</message>", "not-well-formed"),
        ("</other>", "not-well-formed"),
    ] {
        assert_error(&Play::bound().hears(xml), condition);
    }
    let mut effects = Vec::new();
    let mut play = Play::bound();
    play.stream.receive(
        b"<message><body>\xC3\x28</body></message>",
        play.now,
        &mut effects,
    );
    assert_error(&written(&effects), "unsupported-encoding");
}
