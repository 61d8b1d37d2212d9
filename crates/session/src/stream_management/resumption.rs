//! XEP-0198 §5: whether a client may resume a stream.

use std::fmt;

use rookery_stanza::{BareJid, Condition};

use super::element::Failed;

/// What a stream is resumed by. Whoever has it, and the account's credentials, has the session: it is not
/// written to logs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SmId(Box<str>);

/// The stream that a client resumes another one on.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Who it is; `None` before it has authenticated.
    pub account: Option<&'a BareJid>,
    /// Whether it has a resource.
    pub bound: bool,
}

/// The stream that is to be resumed, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum Former<'a> {
    /// No stream has this id.
    Unknown,
    /// It was not resumed in time.
    Expired {
        /// Whose it was.
        account: &'a BareJid,
        /// How many stanzas of the client were handled.
        handled: u32,
    },
    /// It can be resumed.
    Resumable {
        /// Whose it is.
        account: &'a BareJid,
    },
}

// === impl SmId ===

impl SmId {
    /// An id that a client names.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// A new id, made of bytes that nobody can guess and that are never the same twice (§5).
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)).into())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmId(..)")
    }
}

/// Whether a client may resume a stream (§5, §10). To somebody else, a stream is as if there were none.
///
/// # Errors
/// `unexpected-request` before authentication, and when a resource is bound; `item-not-found` when there is
/// no such stream of the account, with the last count if there was one.
pub fn may_resume(asker: Asker<'_>, former: Former<'_>) -> Result<(), Failed> {
    let Some(asker_account) = asker.account.filter(|_| !asker.bound) else {
        return Err(Failed::OUT_OF_ORDER);
    };
    let not_found = Failed::new(Condition::ItemNotFound);
    match former {
        Former::Resumable { account } if account == asker_account => Ok(()),
        Former::Expired { account, handled } if account == asker_account => Err(Failed {
            handled: Some(handled),
            ..not_found
        }),
        Former::Resumable { .. } | Former::Expired { .. } | Former::Unknown => Err(not_found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> BareJid {
        BareJid::parse(text).unwrap()
    }

    #[test]
    fn only_the_account_itself_resumes_and_only_before_binding_s5() {
        let (romeo, juliet) = (jid("romeo@montague.lit"), jid("juliet@capulet.lit"));
        let unbound = Asker {
            account: Some(&romeo),
            bound: false,
        };
        let bound = Asker {
            account: Some(&romeo),
            bound: true,
        };
        let nobody = Asker {
            account: None,
            bound: false,
        };
        let own = Former::Resumable { account: &romeo };
        let expired = Former::Expired {
            account: &romeo,
            handled: 7,
        };
        let not_found = Failed::new(Condition::ItemNotFound);
        let rows = [
            ("own", unbound, own, Ok(())),
            (
                "own, over",
                unbound,
                expired,
                Err(Failed {
                    handled: Some(7),
                    ..not_found
                }),
            ),
            ("unknown", unbound, Former::Unknown, Err(not_found)),
            (
                "another's",
                unbound,
                Former::Resumable { account: &juliet },
                Err(not_found),
            ),
            (
                "another's, over",
                unbound,
                Former::Expired {
                    account: &juliet,
                    handled: 7,
                },
                Err(not_found),
            ),
            ("bound", bound, own, Err(Failed::OUT_OF_ORDER)),
            ("bound, over", bound, expired, Err(Failed::OUT_OF_ORDER)),
            (
                "not authenticated (§10)",
                nobody,
                own,
                Err(Failed::OUT_OF_ORDER),
            ),
        ];
        for (what, asker, former, expected) in rows {
            assert_eq!(may_resume(asker, former), expected, "{what}");
        }
    }

    #[test]
    fn id_is_made_of_all_bytes_and_not_logged_s5() {
        let id = SmId::from_random([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.as_str(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(format!("{id:?}"), "SmId(..)");
    }
}
