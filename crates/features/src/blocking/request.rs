//! What clients ask for, and what they are told (§3.2 to §3.5).

use rookery_extension::{IqMethod, IqRequest};
use rookery_stanza::{Condition, Jid, StanzaError};
use rookery_xml::Element;

use super::NAMESPACE;
use super::list::BlockList;
use crate::reports;

/// `<blocklist/>`: the list.
pub(super) struct GetList;

/// `<block/>`: these shall be kept out.
pub(super) struct Block(pub(super) Vec<Item>);

/// `<unblock/>`: these shall be let in again; all, if there are none.
pub(super) struct Unblock(pub(super) Vec<Jid>);

/// An address to be blocked, perhaps with a report (XEP-0377 §6).
pub(super) struct Item {
    pub(super) jid: Jid,
    pub(super) report: Option<Element>,
}

// === impl Item ===

impl Item {
    fn parse(item: &Element) -> Result<Self, StanzaError> {
        let jid = item.attribute("jid").ok_or(Condition::BadRequest)?;
        let report = item.child("report", reports::NAMESPACE);
        Ok(Self {
            jid: Jid::parse(jid).map_err(|_| Condition::JidMalformed)?,
            report: report.cloned(),
        })
    }

    pub(super) fn reported(&self) -> Option<(&Jid, &Element)> {
        Some((&self.jid, self.report.as_ref()?))
    }
}

fn items(request: &Element) -> impl Iterator<Item = Result<Item, StanzaError>> {
    let items = request
        .children()
        .filter(|child| child.is("item", NAMESPACE));
    items.map(Item::parse)
}

// === impl IqRequest ===

impl IqRequest for GetList {
    const NAME: &'static str = "blocklist";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

impl IqRequest for Block {
    const NAME: &'static str = "block";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        let items = items(payload).collect::<Result<Vec<_>, _>>()?;
        if items.is_empty() {
            return Err(Condition::BadRequest.into()); // §3.3
        }
        Ok(Self(items))
    }
}

impl IqRequest for Unblock {
    const NAME: &'static str = "unblock";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        let jids = items(payload).map(|item| item.map(|item| item.jid));
        Ok(Self(jids.collect::<Result<_, _>>()?))
    }
}

// === answers ===

/// §3.2: one item for each address.
pub(super) fn list_element(list: Option<&BlockList>) -> Element {
    with_items(
        "blocklist",
        list.into_iter().flat_map(BlockList::iter).map(item),
    )
}

/// §3.3: what was blocked.
pub(super) fn block_push(jids: &[Jid]) -> Element {
    with_items("block", jids.iter().map(item))
}

/// §3.4, §3.5: what was let in; none stands for all.
pub(super) fn unblock_push(jids: &[Jid]) -> Element {
    with_items("unblock", jids.iter().map(item))
}

fn item(jid: &Jid) -> Element {
    Element::new("item", NAMESPACE).with_attribute("jid", jid.to_string())
}

fn with_items(name: &'static str, items: impl Iterator<Item = Element>) -> Element {
    items.fold(Element::new(name, NAMESPACE), Element::with_child)
}
