//! The extension point that says with whom an account's messages are archived.

use rookery_stanza::Jid;

use crate::account::AccountView;
use crate::host::Host;

/// Decides whether what an account exchanges with somebody goes into its archive.
///
/// Asked for each message that could be archived, after it was judged by what is in it; synchronous. One that fails by
/// a mistake of its own keeps the message out: what somebody did not want kept cannot be taken back.
pub trait Archiving: Send + Sync + 'static {
    /// Whether messages with `contact` are archived: for one that the account sends, its `to`, for one that it
    /// receives, its `from` (XEP-0441 §2.3.2, §2.3.3). `host` is that of the account.
    fn archives(&self, contact: &Jid, host: &Host, account: AccountView<'_>) -> bool;
}
