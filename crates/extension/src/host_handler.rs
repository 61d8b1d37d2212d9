//! The extension point for messages and presence that a client sends to a host itself.

use std::sync::Arc;

use rookery_stanza::{Stanza, StanzaError};

use crate::account::AccountView;
use crate::host::Host;

/// Takes messages and presence that are addressed to a host.
pub trait HostHandler: Send + Sync + 'static {
    /// The stanzas that are sent in its place, as if the client had sent them; an error for the sender;
    /// or `None`, when it is nothing that this handler understands.
    fn handle(
        &self,
        stanza: &Stanza,
        host: &Arc<Host>,
        account: AccountView<'_>,
    ) -> Option<Result<Vec<Stanza>, StanzaError>>;
}
