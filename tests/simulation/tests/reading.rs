//! What is read of a stanza: which message it is, which row, and whether it is a copy.

use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_stanza::{BareJid, RowId, Stanza, ns};

/// The number of a message or request, as its id says.
pub(crate) fn number(stanza: &Stanza) -> Option<u64> {
    stanza.id.as_deref()?.strip_prefix('m')?.parse().ok()
}

/// The number of the message that is written here, or in here. Ids of rows have no `m`.
pub(crate) fn number_in(payload: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(payload).ok()?;
    let (_, after) = text.split_once(" id='m")?;
    let (number, _) = after.split_once('\'')?;
    number.parse().ok()
}

/// Whether it is a copy (XEP-0280), and which way the message went.
pub(crate) fn carbon(stanza: &Stanza) -> Option<bool> {
    if stanza.has("received", ns::CARBONS) {
        return Some(false);
    }
    stanza.has("sent", ns::CARBONS).then_some(true)
}

/// The row that the account says it is.
pub(crate) fn row(stanza: &Stanza, account: &BareJid) -> Option<RowId> {
    if !stanza.has("stanza-id", ns::STANZA_ID) {
        return None;
    }
    let ids = stanza.children().ok()?;
    let mut ids = ids.iter().filter_map(|child| StanzaId::parse(child).ok());
    let own = ids.find(|id| id.by.as_str() == account.as_str())?;
    own.id.parse().ok()
}

/// The row in a copy.
pub(crate) fn row_in(payload: &[u8]) -> Option<RowId> {
    let text = std::str::from_utf8(payload).ok()?;
    let (_, after) = text.split_once("<stanza-id ")?;
    let (_, after) = after.split_once(" id='")?;
    after.split_once('\'')?.0.parse().ok()
}

/// Whether it is a copy of an error.
pub(crate) fn is_of_error(copy: &Stanza) -> bool {
    let text = std::str::from_utf8(copy.payload()).unwrap_or_default();
    text.contains("type='error'")
}
