//! What an account is owed, as XEP-0013 sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rookery_stanza::payload::delay::Delay;
use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_stanza::{BareJid, Condition, Jid, RowId, Stanza, StanzaError, ns};
use rookery_storage::message_log::{Header, MessageLog, Row};
use rookery_xml::Element;

use crate::account_records::refusal;

/// Messages that are read at once.
const PAGE: usize = 100;

/// Messages that are listed at once.
const HEADERS: usize = 1000;

/// The messages that are owed to an account.
pub(super) struct Queue {
    pub(super) log: Arc<dyn MessageLog>,
    pub(super) account: BareJid,
}

// === impl Queue ===

impl Queue {
    /// How many there are.
    pub(super) async fn count(&self) -> Result<u64, StanzaError> {
        let tail = self.log.tail(&self.account).await;
        tail.map(|tail| tail.owed).map_err(|error| refusal(&error))
    }

    /// Some of those after `after`; none when there are no more.
    pub(super) async fn page(&self, after: Option<RowId>) -> Result<Vec<Row>, StanzaError> {
        let rows = self.log.read_owed(&self.account, after, PAGE).await;
        rows.map_err(|error| refusal(&error))
    }

    /// All of them, without what is in them.
    pub(super) async fn headers(&self) -> Result<Vec<Header>, StanzaError> {
        let mut headers: Vec<Header> = Vec::new();
        loop {
            let after = headers.last().map(|header| header.id);
            let page = self.log.list_owed(&self.account, after, HEADERS).await;
            let page = page.map_err(|error| refusal(&error))?;
            let more = page.len() == HEADERS;
            headers.extend(page);
            if !more {
                return Ok(headers);
            }
        }
    }

    /// Those with these ids, each once, in the order of the log.
    ///
    /// # Errors
    /// `item-not-found` if one of them is not there (§2.4, §2.5).
    pub(super) async fn find(&self, ids: BTreeSet<RowId>) -> Result<Vec<Row>, StanzaError> {
        let ids = ids.into_iter().collect();
        let rows = self.log.owed_rows(&self.account, ids).await;
        let rows: Option<Vec<Row>> = rows.map_err(|error| refusal(&error))?.into_iter().collect();
        rows.ok_or_else(|| Condition::ItemNotFound.into())
    }

    /// Has them owed no longer; which those were.
    pub(super) async fn remove(&self, rows: Vec<RowId>) -> Result<Vec<RowId>, StanzaError> {
        let removed = self.log.confirm(&self.account, rows.clone()).await;
        removed.map(|()| rows).map_err(|error| refusal(&error))
    }

    /// A message as the client gets it that asked for it: with its node (§2.4). One that cannot be read is left out.
    pub(super) fn message(&self, row: Row) -> Option<Stanza> {
        let id = row.id.to_string();
        let mut message = match Stanza::parse_again(row.payload) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(account = %self.account, row = %id, %error, "a message that is owed cannot be read");
                return None;
            }
        };
        let stanza_id = StanzaId {
            id: id.as_str().into(),
            by: self.account.to_jid(),
        };
        message.append(stanza_id.to_element());
        let delay = Delay {
            from: Jid::from_parts(None, self.account.domain(), None).ok(),
            stamp: i64::try_from(row.received).unwrap_or(i64::MAX),
            reason: None,
        };
        message.append(delay.to_element());
        let item = Element::new("item", ns::FLEXIBLE_OFFLINE).with_attribute("node", id);
        message.append(Element::new("offline", ns::FLEXIBLE_OFFLINE).with_child(item));
        Some(message)
    }
}
