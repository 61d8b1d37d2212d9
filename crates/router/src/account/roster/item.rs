//! Roster items on the wire (RFC 6121 §2.1.2).

use rookery_stanza::{BareJid, Condition, Jid, StanzaError, ns};
use rookery_storage::{RosterItem, Subscription};
use rookery_xml::Element;

use crate::config::Config;

/// What a roster set asks for (§2.1.5).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Add or update a contact.
    Put(Contact),
    /// Remove a contact.
    Remove(BareJid),
}

/// What a client says of a contact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contact {
    /// Its address.
    pub(super) jid: BareJid,
    /// Its name; an empty one counts as none (§2.4.1).
    pub(super) name: Option<String>,
    /// Its groups.
    pub(super) groups: Vec<String>,
}

/// Reads a roster set, or says which rule of §2.3.3 it breaks.
pub(super) fn parse_set(query: &Element, config: &Config) -> Result<Wanted, StanzaError> {
    let mut items = query
        .children()
        .filter(|child| child.is("item", ns::ROSTER));
    let (Some(item), None) = (items.next(), items.next()) else {
        return Err(StanzaError::new(Condition::BadRequest).with_text("exactly one item is needed"));
    };
    let jid = item.attribute("jid").ok_or(Condition::BadRequest)?;
    let jid = Jid::parse(jid).map_err(|_| Condition::JidMalformed)?.bare();
    // Other values of 'subscription' are ignored (§2.1.2.5).
    if item.attribute("subscription") == Some("remove") {
        return Ok(Wanted::Remove(jid));
    }
    let name = item
        .attribute("name")
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    if name
        .as_ref()
        .is_some_and(|name| name.len() > config.roster_name_bytes)
    {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("the name is too long"));
    }
    let groups = parse_groups(item, config)?;
    Ok(Wanted::Put(Contact { jid, name, groups }))
}

fn parse_groups(item: &Element, config: &Config) -> Result<Vec<String>, StanzaError> {
    let not_acceptable =
        |text: &'static str| StanzaError::new(Condition::NotAcceptable).with_text(text);
    let mut groups: Vec<String> = Vec::new();
    for group in item
        .children()
        .filter(|child| child.is("group", ns::ROSTER))
    {
        let group = group.text().into_owned();
        if group.is_empty() {
            return Err(not_acceptable("a group has no name"));
        }
        if group.len() > config.roster_name_bytes {
            return Err(not_acceptable("the name of a group is too long"));
        }
        if groups.contains(&group) {
            return Err(StanzaError::new(Condition::BadRequest).with_text("a group is there twice"));
        }
        if groups.len() >= config.roster_groups {
            return Err(not_acceptable("too many groups"));
        }
        groups.push(group);
    }
    Ok(groups)
}

/// The `<item/>` of a contact.
pub(super) fn to_element(item: &RosterItem) -> Element {
    let mut element = Element::new("item", ns::ROSTER)
        .with_attribute("jid", item.jid.as_str().to_owned())
        .with_attribute("subscription", subscription_name(item.subscription));
    if let Some(name) = &item.name {
        element.set_attribute("name", name.clone());
    }
    if item.pending_out {
        element.set_attribute("ask", "subscribe");
    }
    if item.approved {
        element.set_attribute("approved", "true");
    }
    for group in &item.groups {
        element.push(Element::new("group", ns::ROSTER).with_text(group));
    }
    element
}

/// The `<item/>` that tells of a removal (§2.5.2).
pub(super) fn removal(jid: &BareJid) -> Element {
    Element::new("item", ns::ROSTER)
        .with_attribute("jid", jid.as_str().to_owned())
        .with_attribute("subscription", "remove")
}

/// The `<query/>` that carries items, with the roster's version (§2.6.3).
pub(super) fn query(version: u64, items: impl IntoIterator<Item = Element>) -> Element {
    let query = Element::new("query", ns::ROSTER).with_attribute("ver", version.to_string());
    items.into_iter().fold(query, Element::with_child)
}

fn subscription_name(subscription: Subscription) -> &'static str {
    match subscription {
        Subscription::None => "none",
        Subscription::To => "to",
        Subscription::From => "from",
        Subscription::Both => "both",
    }
}

/// Bytes of the name and the groups of a contact.
pub(super) fn text_bytes(item: &RosterItem) -> usize {
    let groups = item.groups.iter().map(String::len);
    item.name.as_ref().map_or(0, String::len) + groups.sum::<usize>()
}
