//! The extension point for messages that wait until a client of their account comes.

use rookery_stanza::{Jid, RowId, Stanza, StanzaError};

use crate::account::AccountView;
use crate::order::Order;

/// A message that the account is owed, and that no client has or is about to get.
#[derive(Clone, Copy, Debug)]
pub struct WaitingMessage<'a> {
    /// The message, as it came for the account.
    pub stanza: &'a Stanza,
    /// Its row in the account's log, which is durable.
    pub row: RowId,
    /// About how many messages wait for the account, this one included.
    pub count: u64,
}

/// Hears of messages that wait, and may call a client.
pub trait Waiting: Send + Sync + 'static {
    /// Messages wait, in the order of the log: their rows are durable, and no session has them whose client can be
    /// reached. The orders are carried out at once. A message for which a feature has ordered something is not told
    /// again.
    fn waits(&self, messages: &[WaitingMessage<'_>], account: AccountView<'_>) -> Vec<Order>;

    /// Somebody who is not of the account answered a request of this id that the account sent to him by
    /// [`Order::Send`], or pretends to: `from` and `id` are to be compared with what was sent. The request may be
    /// one of another feature.
    fn answered(
        &self,
        _from: &Jid,
        _id: &str,
        _answer: Result<(), &StanzaError>,
        _account: AccountView<'_>,
    ) -> Vec<Order> {
        Vec::new()
    }
}
