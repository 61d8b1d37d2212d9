//! What a client wants of its offline messages.

use std::collections::BTreeSet;

use rookery_extension::{IqMethod, IqRequest};
use rookery_stanza::{Condition, RowId, StanzaError, ns};
use rookery_xml::Element;

/// The most messages that one request may name: as many as there are by default.
const MOST: usize = 1000;

/// `<offline/>`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OfflineRequest {
    /// These messages (§2.4).
    View(BTreeSet<RowId>),
    /// All messages (§2.6).
    Fetch,
    /// Without these messages (§2.5).
    Remove(BTreeSet<RowId>),
    /// Without any (§2.7).
    Purge,
}

// === impl IqRequest ===

impl IqRequest for OfflineRequest {
    const NAME: &'static str = "offline";
    const NAMESPACE: &'static str = ns::FLEXIBLE_OFFLINE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        // COMPAT: it is a get in §2.6; some clients send it as a set.
        if payload.child("fetch", ns::FLEXIBLE_OFFLINE).is_some() {
            return Ok(Self::Fetch);
        }
        if payload.child("purge", ns::FLEXIBLE_OFFLINE).is_some() {
            method.must_be(IqMethod::Set)?;
            return Ok(Self::Purge);
        }
        Ok(match method {
            IqMethod::Get => Self::View(items(payload, "view")?),
            IqMethod::Set => Self::Remove(items(payload, "remove")?),
        })
    }
}

/// The ids of a request. All of its items are for the same action, which goes with the method.
fn items(payload: &Element, action: &str) -> Result<BTreeSet<RowId>, StanzaError> {
    let mut ids = BTreeSet::new();
    for item in payload
        .children()
        .filter(|child| child.is("item", ns::FLEXIBLE_OFFLINE))
    {
        let fits = item.attribute("action").is_none_or(|named| named == action);
        let Some(node) = item.attribute("node").filter(|_| fits) else {
            return Err(Condition::BadRequest.into());
        };
        // What is no id names nothing.
        ids.insert(node.parse().map_err(|_| Condition::ItemNotFound)?);
    }
    match ids.len() {
        0 => Err(Condition::BadRequest.into()),
        many if many > MOST => {
            let text = format!("a request may name {MOST} messages");
            Err(StanzaError::new(Condition::NotAcceptable).with_text(text))
        }
        _ => Ok(ids),
    }
}
