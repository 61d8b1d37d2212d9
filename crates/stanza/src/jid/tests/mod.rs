//! Tests of addresses.

mod limits;
mod properties;

use super::*;
use std::collections::{HashMap, HashSet};

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn fault(text: &str) -> (JidPart, JidFault) {
    let error = Jid::parse(text).unwrap_err();
    (error.part, error.fault)
}

#[test]
fn legal_jids_of_rfc_7622_s3_5_table_1_are_accepted() {
    // An address and its parts, one a line; the parts that are missing are empty.
    let table = [
        ("juliet@example.com", "juliet;example.com;"),
        ("juliet@example.com/foo", "juliet;example.com;foo"),
        ("juliet@example.com/foo bar", "juliet;example.com;foo bar"),
        ("juliet@example.com/foo@bar", "juliet;example.com;foo@bar"),
        (r"foo\20bar@example.com", r"foo\20bar;example.com;"),
        ("fussball@example.com", "fussball;example.com;"),
        ("fu\u{DF}ball@example.com", "fu\u{DF}ball;example.com;"),
        ("\u{3C0}@example.com", "\u{3C0};example.com;"),
        ("\u{3A3}@example.com/foo", "\u{3C3};example.com;foo"),
        ("\u{3C3}@example.com/foo", "\u{3C3};example.com;foo"),
        ("\u{3C2}@example.com/foo", "\u{3C2};example.com;foo"),
        ("king@example.com/\u{265A}", "king;example.com;\u{265A}"),
        ("example.com", ";example.com;"),
        ("example.com/foobar", ";example.com;foobar"),
        (
            "a.example.com/b@example.net",
            ";a.example.com;b@example.net",
        ),
    ];
    for (text, expected) in table {
        let jid = jid(text);
        let (local, resource) = (jid.local().unwrap_or(""), jid.resource().unwrap_or(""));
        assert_eq!(format!("{local};{};{resource}", jid.domain()), expected);
        assert_eq!(jid.enforce(), Ok(()), "{text}");
    }
}

#[test]
fn examples_9_to_11_of_rfc_7622_s3_5_compare_as_it_says() {
    let (capital, small, last) = (
        jid("\u{3A3}@example.com/foo"),
        jid("\u{3C3}@example.com/foo"),
        jid("\u{3C2}@example.com/foo"),
    );
    assert_eq!(capital, small);
    assert_ne!(capital, last);
    assert_ne!(jid("fussball@example.com"), jid("fu\u{DF}ball@example.com"));
}

#[test]
fn non_jids_of_rfc_7622_s3_5_table_2_are_refused() {
    use JidFault::{Empty, NotAllowed};
    use JidPart::{Domain, Local};
    let table = [
        ("\"juliet\"@example.com", (Local, NotAllowed)),
        ("foo bar@example.com", (Local, NotAllowed)),
        ("@example.com/", (Local, Empty)),
        ("juliet@", (Domain, Empty)),
        ("/foobar", (Domain, Empty)),
    ];
    for (text, expected) in table {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn non_jids_of_table_2_that_rfc_6122_allows_are_refused_when_enforced() {
    let table = [
        ("juliet@example.com/ foo", JidPart::Resource),
        ("henry\u{2163}@example.com", JidPart::Local),
        ("\u{265A}@example.com", JidPart::Local),
    ];
    for (text, part) in table {
        let refused = JidError {
            part,
            fault: JidFault::NotAllowed,
        };
        let enforced = match part {
            JidPart::Local => enforce_localpart(text.split('@').next().unwrap()),
            _ => enforce_resourcepart(text.split('/').next_back().unwrap()),
        };
        assert_eq!(enforced, Err(refused), "{text}");
    }
    // Nodeprep has mapped the numeral to letters; what is left is a good name.
    assert_eq!(jid("henry\u{2163}@example.com"), jid("henryiv@example.com"));
    assert_eq!(
        jid("\u{265A}@example.com").enforce().unwrap_err().part,
        JidPart::Local
    );
    assert_eq!(
        jid("juliet@example.com/ foo").enforce().unwrap_err().part,
        JidPart::Resource
    );
}

#[test]
fn characters_of_rfc_7622_s3_3_1_are_refused_in_localparts_only() {
    for c in [
        '"', '&', '\'', ':', '<', '>', ' ', '\u{7f}', '\n', '\u{FF02}', '\u{FF20}',
    ] {
        assert_eq!(
            fault(&format!("a{c}b@example.com")),
            (JidPart::Local, JidFault::NotAllowed),
            "{c:?}"
        );
        assert!(enforce_localpart(&format!("a{c}b")).is_err(), "{c:?}");
    }
    assert_eq!(jid("example.com/\"&':<>@/").resource(), Some("\"&':<>@/"));
}

#[test]
fn parts_are_split_as_rfc_7622_s3_2_says() {
    assert_eq!(jid("a@b.example/c@d/e").resource(), Some("c@d/e"));
    assert_eq!(fault("a@b@c"), (JidPart::Domain, JidFault::NotAllowed));
    assert_eq!(fault("a@b/"), (JidPart::Resource, JidFault::Empty));
    assert_eq!(fault(""), (JidPart::Domain, JidFault::Empty));
    assert_eq!(fault("@"), (JidPart::Local, JidFault::Empty));
}

#[test]
fn bare_address_shares_and_equals_what_it_was_cut_from() {
    let full = jid("juliet@example.com/balcony");
    let bare = full.bare();
    assert_eq!(bare.as_str(), "juliet@example.com");
    assert_eq!(
        (bare.local(), bare.domain()),
        (Some("juliet"), "example.com")
    );
    assert_eq!(bare.to_jid(), jid("juliet@example.com"));
    assert!(full.is_full() && bare.to_jid().is_bare());
    assert_eq!(bare.to_jid().resource(), None);
    assert_eq!(bare.with_resource("balcony"), Ok(full.clone()));
    assert_eq!(bare.to_jid().with_resource("chamber").unwrap().bare(), bare);
    assert!(Arc::ptr_eq(&full.text, &bare.as_jid().text));
    let refused = BareJid::parse("juliet@example.com/balcony").unwrap_err();
    assert_eq!(refused.to_string(), "the resourcepart is not allowed here");
}

#[test]
fn maps_can_be_asked_with_text() {
    let jids = HashSet::from([jid("a@b/c"), jid("d")]);
    assert!(jids.contains("a@b/c") && jids.contains("d") && !jids.contains("a@b"));
    let bare = HashMap::from([(jid("a@b/c").bare(), 1)]);
    assert_eq!(bare.get("a@b"), Some(&1));
}

#[test]
fn address_is_small() {
    assert_eq!(size_of::<Jid>(), 24);
    assert_eq!(size_of::<Option<BareJid>>(), 24);
}
