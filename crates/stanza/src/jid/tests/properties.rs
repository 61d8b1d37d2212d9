//! What holds for all addresses.

use super::*;
use proptest::prelude::*;
use std::borrow::Cow;

/// Text in which what matters to addresses is frequent.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z@/. :\\-\\[\\]\u{df}\u{3a3}\u{130}\u{2163}\u{ff21}\u{fb01}\u{ad}\u{300}\u{345}\u{5d0}\u{1e9e}]{0,24}",
        "[a-z]{1,4}@(xn--)?[a-z0-9\u{e0}-\u{17f}\u{3b1}-\u{3c9}]{1,8}\\.[a-z]{2}/\\PC{0,8}",
        "\\PC{1,6}@[a-z]{1,3}",
        "[\u{340}-\u{360}\u{1d15e}\u{f900}-\u{fa10}\u{1100}-\u{1112}a]{1,6}@[a-z]{1,3}",
        "[a-z]/[\u{340}-\u{360}\u{1d15e}\u{f900}-\u{fa10}\u{200d}\u{b7}a]{1,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn preparation_is_idempotent_and_display_reads_back(text in text()) {
        if let Ok(jid) = Jid::parse(&text) {
            let again = Jid::parse(&jid.to_string());
            prop_assert_eq!(again.as_ref(), Ok(&jid), "{:?}", text);
            let parts = Jid::from_parts(jid.local(), jid.domain(), jid.resource());
            prop_assert_eq!(parts, Ok(jid));
        }
    }

    #[test]
    fn what_is_enforced_is_a_prepared_part(text in "\\PC{1,8}") {
        if let Ok(local) = enforce_localpart(&text) {
            let prepared = jid(&format!("{local}@b"));
            prop_assert_eq!(prepared.local(), Some(&*local));
        }
        if let Ok(resource) = enforce_resourcepart(&text) {
            let prepared = jid(&format!("b/{resource}"));
            prop_assert_eq!(prepared.resource(), Some(&*resource));
        }
    }

    #[test]
    fn all_printable_ascii_is_prepared_alike_by_both_ways(text in "[!-~]{1,12}") {
        let without_shortcut = enforce_localpart(&text);
        prop_assert_eq!(prepare::localpart(&text).map(Cow::into_owned), without_shortcut);
    }

    #[test]
    fn plain_parts_are_prepared_as_they_stand(
        local in prop::option::of("[ -~]{0,3}"),
        domain in "[a-c.-]{0,6}|xn--[a-z]{1,4}",
        resource in prop::option::of("[ -~]{0,3}"),
    ) {
        if prepare::is_plain(local.as_deref(), &domain, resource.as_deref()) {
            let jid = Jid::from_parts(local.as_deref(), &domain, resource.as_deref()).unwrap();
            prop_assert_eq!(jid.local(), local.as_deref());
            prop_assert_eq!(jid.domain(), domain);
            prop_assert_eq!(jid.resource(), resource.as_deref());
        }
    }
}
