//! XEP-0441 §2.3: whether messages exchanged with somebody are archived.

use rookery_stanza::Jid;
use rookery_stanza::payload::archive::{Policy, Preferences};

/// Whether an account with these preferences archives what it exchanges with `contact`: for a message that it sends,
/// the `to`, for one that it receives, the `from` (§2.3.2, §2.3.3). The roster is looked into only if that decides.
///
/// Where both lists name the contact, which the standard does not foresee, it is not archived.
pub fn archives(
    preferences: &Preferences,
    contact: &Jid,
    is_in_roster: impl FnOnce() -> bool,
) -> bool {
    let lists = |list: &[Jid]| list.iter().any(|listed| matches(listed, contact));
    if lists(&preferences.never) {
        return false;
    }
    lists(&preferences.always)
        || match preferences.default {
            Policy::Always => true,
            Policy::Never => false,
            Policy::Roster => is_in_roster(),
        }
}

/// A listed full JID is compared as it is, a bare one without the contact's resource (§2.3.1).
fn matches(listed: &Jid, contact: &Jid) -> bool {
    if listed.is_full() {
        listed == contact
    } else {
        listed.as_str() == contact.bare_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn preferences(default: Policy, always: &[&str], never: &[&str]) -> Preferences {
        let jids = |list: &[&str]| list.iter().map(|text| jid(text)).collect();
        Preferences {
            default,
            always: jids(always),
            never: jids(never),
        }
    }

    #[test]
    fn default_decides_about_whoever_is_in_no_list_s2_1_1() {
        let contact = jid("romeo@montague.lit/orchard");
        for (default, in_roster, expected) in [
            (Policy::Always, false, true),
            (Policy::Never, true, false),
            (Policy::Roster, true, true),
            (Policy::Roster, false, false),
        ] {
            let preferences = Preferences::new(default);
            assert_eq!(archives(&preferences, &contact, || in_roster), expected);
        }
    }

    #[test]
    fn lists_decide_before_the_default_s2_1_2() {
        let contact = jid("romeo@montague.lit/orchard");
        let not_asked = || panic!("the lists decide");
        let always = preferences(Policy::Never, &["romeo@montague.lit"], &[]);
        assert!(archives(&always, &contact, not_asked));
        let never = preferences(Policy::Always, &[], &["romeo@montague.lit"]);
        assert!(!archives(&never, &contact, not_asked));
        let both = preferences(
            Policy::Always,
            &["romeo@montague.lit"],
            &["romeo@montague.lit"],
        );
        assert!(!archives(&both, &contact, not_asked));
    }

    #[test]
    fn a_listed_resource_means_only_itself_s2_3_1() {
        let never = preferences(Policy::Always, &[], &["romeo@montague.lit/orchard"]);
        assert!(!archives(
            &never,
            &jid("romeo@montague.lit/orchard"),
            || true
        ));
        assert!(archives(&never, &jid("romeo@montague.lit/garden"), || true));
        assert!(archives(&never, &jid("romeo@montague.lit"), || true));
        let domain = preferences(Policy::Always, &[], &["montague.lit"]);
        assert!(archives(&domain, &jid("romeo@montague.lit"), || true));
        assert!(!archives(&domain, &jid("montague.lit"), || true));
    }
}
