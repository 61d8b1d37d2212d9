//! The extension point for filters of stanzas at the home of an account.

use rookery_stanza::{Jid, Stanza, StanzaError};

use crate::account::AccountView;
use crate::sessions::SessionView;

/// What a filter decides about a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, with what the filter changed.
    Pass,
    /// It goes no further, and nobody is told.
    Ignore,
    /// It is returned to its sender with this error.
    Refuse(StanzaError),
}

/// Looks at the stanzas of an account, synchronously, in the order of the catalog.
///
/// A filter that fails by a mistake of its own refuses the stanza with `internal-server-error`: it never
/// lets it through.
pub trait StanzaFilter: Send + Sync + 'static {
    /// A stanza that a client of the account sent, its `from` stamped, before anything is decided about it.
    fn outbound(&self, _stanza: &mut Stanza, _account: AccountView<'_>) -> Verdict {
        Verdict::Pass
    }

    /// A stanza for the account, to its bare or a full JID, before it is delivered or kept. Also asked about
    /// what its own clients send to it.
    fn inbound(&self, _stanza: &mut Stanza, _account: AccountView<'_>) -> Verdict {
        Verdict::Pass
    }

    /// Whether the sessions of the account are judged each for itself. Then [`inbound`](Self::inbound) lets messages and
    /// presence for the account as a whole pass, and [`reaches`](Self::reaches) is asked about them.
    fn judges_sessions(&self, _account: AccountView<'_>) -> bool {
        false
    }

    /// Whether a message or presence for the account as a whole reaches this session; without one, whether it is kept
    /// for later. Asked only where a filter judges sessions each for itself.
    fn reaches(
        &self,
        _stanza: &Stanza,
        _session: Option<SessionView<'_>>,
        _account: AccountView<'_>,
    ) -> bool {
        true
    }

    /// Whether presence passes between the account and this address by broadcast and probe.
    fn shares_presence(&self, _with: &Jid, _account: AccountView<'_>) -> bool {
        true
    }

    /// Whether this address gets the presence that a session broadcasts. Asked about those whom the account
    /// shares presence with.
    fn shows_presence(&self, _of: SessionView<'_>, _to: &Jid, _account: AccountView<'_>) -> bool {
        true
    }
}
