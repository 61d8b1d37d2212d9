//! A privacy list: whom its items name, and what they say (XEP-0016 §2.1).

use std::collections::BTreeSet;

use rookery_extension::Roster;
use rookery_stanza::{Condition, Jid, StanzaError};
use rookery_storage::Subscription;
use rookery_xml::Element;

use super::NAMESPACE;

/// Items in the order in which they are processed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    whom: Whom,
    action: Action,
    order: u32,
    /// What it is about; if it names nothing, about everything.
    about: BTreeSet<Traffic>,
}

/// Whom an item names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    /// Everybody: the fall-through case.
    Everybody,
    Jid(Jid),
    /// Contacts in this group of the roster.
    Group(String),
    /// Whoever stands to the account like this.
    Subscription(Subscription),
}

/// What an item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It passes.
    Allow,
    /// It does not.
    Deny,
}

/// What an item can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Traffic {
    /// Messages that come in.
    Message,
    /// IQ stanzas that come in.
    Iq,
    /// Presence that comes in, but not what manages subscriptions.
    PresenceIn,
    /// Presence that goes out, but not what manages subscriptions.
    PresenceOut,
    /// Anything else, which only an item about everything is about.
    Other,
}

const ABOUT: [(&str, Traffic); 4] = [
    ("message", Traffic::Message),
    ("iq", Traffic::Iq),
    ("presence-in", Traffic::PresenceIn),
    ("presence-out", Traffic::PresenceOut),
];

const SUBSCRIPTIONS: [(&str, Subscription); 4] = [
    ("none", Subscription::None),
    ("to", Subscription::To),
    ("from", Subscription::From),
    ("both", Subscription::Both),
];

// === impl List ===

impl List {
    /// Reads the items of a `<list/>`.
    ///
    /// # Errors
    /// `bad-request` for what §2.1 does not allow, among it an order that is there twice; `jid-malformed`.
    pub(super) fn parse(list: &Element) -> Result<Self, StanzaError> {
        let items = list.children().map(Item::parse);
        let mut items = items.collect::<Result<Vec<_>, _>>()?;
        items.sort_by_key(|item| item.order); // §2.2, rule 5
        let mut pairs = items.iter().zip(items.iter().skip(1));
        if pairs.any(|(one, next)| one.order == next.order) {
            return Err(Condition::BadRequest.into());
        }
        Ok(Self { items })
    }

    /// The `<list/>` of this name.
    pub(super) fn to_element(&self, name: &str) -> Element {
        let list = Element::new("list", NAMESPACE).with_attribute("name", name.to_owned());
        (self.items.iter().map(Item::to_element)).fold(list, Element::with_child)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The groups that it names.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match &item.whom {
            Whom::Group(group) => Some(group.as_str()),
            _ => None,
        })
    }

    /// What it says about traffic with an address: the first item that is about both decides (§2.2, rule 6),
    /// and where none is, it passes (rule 7).
    pub(super) fn decide(&self, traffic: Traffic, with: &Jid, roster: &dyn Roster) -> Action {
        let mut deciding = self.items.iter();
        let first = deciding.find(|item| item.is_about(traffic) && item.whom.is(with, roster));
        first.map_or(Action::Allow, |item| item.action)
    }

    /// Takes out the addresses that it denies everything whatever its other items say: those are what a block
    /// list can say (XEP-0191 §5). What is left says the same behind them.
    pub(super) fn take_blocked(&mut self) -> Vec<Jid> {
        let mut blocked = Vec::new();
        let mut left: Vec<Item> = Vec::with_capacity(self.items.len());
        for item in self.items.drain(..) {
            match &item.whom {
                Whom::Jid(jid) if item.denies_all() && left.iter().all(|it| it.yields_to(jid)) => {
                    blocked.push(jid.clone());
                }
                _ => left.push(item),
            }
        }
        self.items = left;
        blocked
    }

    /// With these addresses denied before anything else. The items are numbered anew.
    pub(super) fn behind(&self, blocked: impl Iterator<Item = Jid>) -> Self {
        let blocked = blocked.map(Item::blocking);
        let items = blocked.chain(self.items.iter().cloned()).zip(1..);
        let numbered = items.map(|(item, order)| Item { order, ..item });
        Self {
            items: numbered.collect(),
        }
    }
}

// === impl Item ===

impl Item {
    fn blocking(jid: Jid) -> Self {
        Self {
            whom: Whom::Jid(jid),
            action: Action::Deny,
            order: 0,
            about: BTreeSet::new(),
        }
    }

    fn parse(item: &Element) -> Result<Self, StanzaError> {
        if !item.is("item", NAMESPACE) {
            return Err(Condition::BadRequest.into());
        }
        let action = match item.attribute("action") {
            Some("allow") => Action::Allow,
            Some("deny") => Action::Deny,
            _ => return Err(Condition::BadRequest.into()),
        };
        let order = item.attribute("order").and_then(|order| order.parse().ok());
        let about = |child: &Element| {
            let named = ABOUT.iter().find(|(name, _)| child.is(name, NAMESPACE));
            named.map(|(_, traffic)| *traffic)
        };
        let about = item.children().map(about).collect::<Option<_>>();
        Ok(Self {
            whom: Whom::parse(item)?,
            action,
            order: order.ok_or(Condition::BadRequest)?,
            about: about.ok_or(Condition::BadRequest)?,
        })
    }

    fn to_element(&self) -> Element {
        let mut element = Element::new("item", NAMESPACE);
        if let Some((kind, value)) = self.whom.attributes() {
            element = element
                .with_attribute("type", kind)
                .with_attribute("value", value.to_owned());
        }
        let action = match self.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
        };
        element = element
            .with_attribute("action", action)
            .with_attribute("order", self.order.to_string());
        let named = ABOUT.iter().filter(|(_, it)| self.about.contains(it));
        named.fold(element, |element, (name, _)| {
            element.with_child(Element::new(*name, NAMESPACE))
        })
    }

    fn is_about(&self, traffic: Traffic) -> bool {
        self.about.is_empty() || self.about.contains(&traffic)
    }

    fn denies_all(&self) -> bool {
        self.action == Action::Deny && self.about.is_empty()
    }

    /// Whether it makes no difference if everything is denied to this address before this item or behind it.
    fn yields_to(&self, denied: &Jid) -> bool {
        self.action == Action::Deny
            || matches!(&self.whom, Whom::Jid(jid) if !covers(jid, denied) && !covers(denied, jid))
    }
}

// === impl Whom ===

impl Whom {
    fn parse(item: &Element) -> Result<Self, StanzaError> {
        let Some(kind) = item.attribute("type") else {
            return Ok(Self::Everybody);
        };
        let value = item.attribute("value").ok_or(Condition::BadRequest)?;
        match kind {
            "jid" => Ok(Self::Jid(
                Jid::parse(value).map_err(|_| Condition::JidMalformed)?,
            )),
            "group" => Ok(Self::Group(value.to_owned())),
            "subscription" => {
                let mut known = SUBSCRIPTIONS.into_iter();
                let named = known.find(|(name, _)| *name == value);
                let (_, state) = named.ok_or(Condition::BadRequest)?;
                Ok(Self::Subscription(state))
            }
            _ => Err(Condition::BadRequest.into()),
        }
    }

    /// The attributes `type` and `value`.
    fn attributes(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Everybody => None,
            Self::Jid(jid) => Some(("jid", jid.as_str())),
            Self::Group(group) => Some(("group", group)),
            Self::Subscription(state) => {
                let mut known = SUBSCRIPTIONS.iter();
                let (name, _) = known.find(|(_, known)| known == state)?;
                Some(("subscription", name))
            }
        }
    }

    /// Whether it names this address; the roster is what it is now (§2.2, rule 9).
    fn is(&self, jid: &Jid, roster: &dyn Roster) -> bool {
        match self {
            Self::Everybody => true,
            Self::Jid(named) => covers(named, jid),
            Self::Group(group) => roster.is_in_group(Some(jid), group),
            Self::Subscription(state) => roster.subscription(jid) == *state,
        }
    }
}

/// Whether an address in an item names another one: itself, any resource of a bare one, anybody of a domain
/// (§2.1).
fn covers(named: &Jid, jid: &Jid) -> bool {
    named.as_str() == jid.as_str()
        || named.as_str() == jid.bare_str()
        || named.as_str() == jid.domain()
}
