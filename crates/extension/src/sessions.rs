//! The sessions of an account, as features see them.

use std::fmt;

use rookery_stanza::{ClientId, Jid, Stanza};

use crate::account::Kept;

/// One session.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'a> {
    /// Its full JID.
    pub jid: &'a Jid,
    /// Which client of the account has it, if that is known.
    pub client: Option<ClientId>,
    /// What it broadcast last, while it is available.
    pub presence: Option<&'a Stanza>,
    /// What the features keep for it, until it ends.
    pub kept: &'a Kept,
}

/// All bound sessions of an account.
pub trait Sessions: Send + Sync + fmt::Debug {
    /// Shows one after the other.
    fn each<'a>(&'a self, look: &mut dyn FnMut(SessionView<'a>));
}

/// No sessions.
#[derive(Clone, Copy, Debug)]
pub struct NoSessions;

// === impl NoSessions ===

impl Sessions for NoSessions {
    fn each<'a>(&'a self, _: &mut dyn FnMut(SessionView<'a>)) {}
}
