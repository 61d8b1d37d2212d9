//! The names of all keys (docs/adr/0023-keys-in-redis.md).
//!
//! What belongs to an account has the account as its hash tag, so that all of it is in one slot, and one script can
//! change it in one step. What goes over many accounts is cut into parts that are in slots of their own.

use rookery_stanza::BareJid;

use crate::slot;

/// Into how many parts the lists of a host are cut.
pub(crate) const PARTS: u8 = 16;

/// The keys of one account, or of one part of a host's lists.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Everything up to the name: `rookery:{romeo@example.net}:`.
    stem: String,
    /// The slot that they all are in.
    pub(crate) slot: u16,
}

// === impl Keys ===

impl Keys {
    /// Those of an account.
    pub(crate) fn of(prefix: &str, account: &BareJid) -> Self {
        Self::tagged(prefix, &slot::tag(account.as_str()))
    }

    /// Those of one part of a host's lists.
    pub(crate) fn of_part(prefix: &str, host: &str, part: u8) -> Self {
        // No account has a slash in it, so that no account's keys are these.
        Self::tagged(prefix, &format!("{}/{part}", slot::tag(host)))
    }

    fn tagged(prefix: &str, tag: &str) -> Self {
        Self {
            stem: format!("{prefix}:{{{tag}}}:"),
            slot: slot::of_tag(tag),
        }
    }

    /// The key of this name.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.stem)
    }

    /// The key of this name that is for one kind of records.
    pub(crate) fn of_kind(&self, name: &str, kind: &str) -> String {
        format!("{}{name}:{kind}", self.stem)
    }
}

/// The part of its host's lists that a name is in.
pub(crate) fn part(local: &str) -> u8 {
    let part = slot::of_tag(local) % u16::from(PARTS);
    u8::try_from(part).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_an_account_have_its_tag() {
        let account = BareJid::parse("}ro{meo@montague.example").unwrap();
        let keys = Keys::of("rookery", &account);
        assert_eq!(
            keys.key("rows"),
            "rookery:{%7Dro%7Bmeo@montague.example}:rows"
        );
        assert_eq!(keys.slot, slot::of_tag("%7Dro%7Bmeo@montague.example"));
    }
}
