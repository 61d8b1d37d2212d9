//! What each part may have in it, and how much.

use super::*;

#[test]
fn each_part_has_1023_octets_at_most() {
    let (good, bad) = ("a".repeat(1023), "a".repeat(1024));
    assert_eq!(jid(&format!("{good}@b/{good}")).local(), Some(&*good));
    assert_eq!(
        fault(&format!("{bad}@b")),
        (JidPart::Local, JidFault::TooLong)
    );
    assert_eq!(
        fault(&format!("b/{bad}")),
        (JidPart::Resource, JidFault::TooLong)
    );
    assert_eq!(fault(&bad), (JidPart::Domain, JidFault::TooLong));
    // Octets of UTF-8, not characters.
    let wide = "\u{e9}".repeat(512);
    assert_eq!(
        fault(&format!("{wide}@b")),
        (JidPart::Local, JidFault::TooLong)
    );
    assert_eq!(
        fault(&format!("b/{wide}")),
        (JidPart::Resource, JidFault::TooLong)
    );
    // Also after preparation: this one is three times as long by Nodeprep and Resourceprep.
    let grows = format!("\u{ad}{}", "\u{3300}".repeat(300));
    assert_eq!(
        fault(&format!("{grows}@b")),
        (JidPart::Local, JidFault::TooLong)
    );
}

#[test]
fn domains_keep_the_limits_of_rfc_1034_s3_1() {
    let label = "a".repeat(63);
    assert!(Jid::parse(&label).is_ok());
    assert_eq!(
        fault(&format!("{label}a")),
        (JidPart::Domain, JidFault::TooLong)
    );
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), 253);
    assert!(Jid::parse(&longest).is_ok());
    assert_eq!(
        fault(&format!("{longest}a")),
        (JidPart::Domain, JidFault::TooLong)
    );
    // The limit is that of the A-label: 40 characters in UTF-8, more than 63 in Punycode.
    let unicode: String = ('\u{e0}'..)
        .filter(|c| c.is_alphabetic())
        .take(50)
        .collect();
    assert_eq!(fault(&unicode), (JidPart::Domain, JidFault::NotAllowed));
}

#[test]
fn final_dot_of_a_domain_is_removed_by_rfc_7622_s3_2() {
    assert_eq!(jid("a@example.com./r"), jid("a@example.com/r"));
    assert_eq!(fault("a@."), (JidPart::Domain, JidFault::Empty));
    assert_eq!(
        fault("a@example.com.."),
        (JidPart::Domain, JidFault::NotAllowed)
    );
    assert_eq!(
        fault(".example.com"),
        (JidPart::Domain, JidFault::NotAllowed)
    );
}

#[test]
fn a_labels_become_u_labels_by_rfc_7622_s3_2_1() {
    assert_eq!(
        jid("a@xn--bcher-kva.example").domain(),
        "b\u{fc}cher.example"
    );
    assert_eq!(
        jid("a@XN--BCHER-KVA.example").domain(),
        "b\u{fc}cher.example"
    );
    assert_eq!(jid("a@B\u{dc}CHER.example").domain(), "b\u{fc}cher.example");
    assert_eq!(jid("a@stra\u{df}e.example").domain(), "stra\u{df}e.example");
    assert_eq!(fault("a@xn--.example").0, JidPart::Domain);
    assert_eq!(fault("a@xn--\u{fc}.example").0, JidPart::Domain);
    assert_eq!(fault("a@xn--abc-.example").0, JidPart::Domain);
}

#[test]
fn domains_have_letters_digits_and_hyphens_only() {
    assert_eq!(jid("a@EXAMPLE.Com").domain(), "example.com");
    assert_eq!(jid("a-b.1.example").domain(), "a-b.1.example");
    for domain in [
        "a_b",
        "a b",
        "-a",
        "a-",
        "a:5222",
        "a\u{2028}b",
        "*.example",
        "a\u{7f}",
    ] {
        assert_eq!(
            fault(domain),
            (JidPart::Domain, JidFault::NotAllowed),
            "{domain:?}"
        );
    }
}

#[test]
fn addresses_of_both_versions_of_ip_are_domains() {
    assert_eq!(jid("a@127.0.0.1/r").domain(), "127.0.0.1");
    assert_eq!(jid("a@[::1]/r").domain(), "[::1]");
    assert_eq!(jid("[2001:0DB8::0001]"), jid("[2001:db8:0:0:0:0:0:1]"));
    for domain in [
        "[::1",
        "::1",
        "[]",
        "[127.0.0.1]",
        "[fe80::1%eth0]",
        "[::1]x",
    ] {
        assert_eq!(
            fault(domain),
            (JidPart::Domain, JidFault::NotAllowed),
            "{domain}"
        );
    }
}

#[test]
fn localparts_are_compared_without_case_and_resourceparts_with_it() {
    assert_eq!(
        jid("Juliet@example.com/Balcony"),
        jid("juliet@example.com/Balcony")
    );
    assert_ne!(
        jid("juliet@example.com/Balcony"),
        jid("juliet@example.com/balcony")
    );
    assert_eq!(jid("\u{ff2a}uliet@example.com"), jid("juliet@example.com"));
}

#[test]
fn resourceparts_are_as_free_as_opaque_string_and_resourceprep_together() {
    // Composed by both; a space of another kind becomes a space (RFC 8265 §4.2.2).
    assert_eq!(jid("b/e\u{301}").resource(), Some("\u{e9}"));
    assert_eq!(jid("b/a\u{3000}b").resource(), Some("a b"));
    // Newer than stringprep; only stringprep has what to do with a joiner or a selector.
    assert_eq!(jid("b/\u{1f980}").resource(), Some("\u{1f980}"));
    assert_eq!(jid("b/\u{2764}\u{fe0f}").resource(), Some("\u{2764}"));
    assert_eq!(
        jid("b/\u{1f469}\u{200d}\u{1f4bb}").resource(),
        Some("\u{1f469}\u{1f4bb}")
    );
    assert_eq!(
        jid("b/laptop \u{b7} home").resource(),
        Some("laptop \u{b7} home")
    );
    for resource in [
        "a\nb",
        "\u{0}",
        "\u{e000}",
        "\u{200b}",
        "\u{fffe}",
        "a\u{202e}b",
    ] {
        assert_eq!(
            fault(&format!("b/{resource}")).0,
            JidPart::Resource,
            "{resource:?}"
        );
    }
}

#[test]
fn new_names_are_enforced_by_username_case_mapped() {
    assert_eq!(enforce_localpart("Juliet").as_deref(), Ok("juliet"));
    assert_eq!(
        enforce_localpart("J\u{fc}rgen").as_deref(),
        Ok("j\u{fc}rgen")
    );
    assert_eq!(
        enforce_localpart("\u{5d0}\u{5d1}").as_deref(),
        Ok("\u{5d0}\u{5d1}")
    );
    assert!(enforce_localpart("a\u{5d0}").is_err());
    assert!(enforce_localpart("a\u{200b}").is_err());
    assert!(enforce_localpart("").is_err());
    assert!(enforce_localpart(&"a".repeat(1024)).is_err());
}
