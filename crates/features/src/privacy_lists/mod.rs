//! XEP-0016: Privacy Lists.
//!
//! The lists of an account are kept in memory at its home, where `filter.rs` asks them about every stanza.
//! `rules.rs` says how they go together with the block list (XEP-0191). The requests of this file change them: the
//! store first, then the rules, then whoever shall know.

mod filter;
mod list;
mod request;
mod rules;
#[cfg(test)]
mod tests;

use futures_util::FutureExt;
use rookery_extension::{
    AccountView, Answer, Feature, IqContext, IqHandler, Keep, Order, Outcome, Registry, Relation,
    Scope, SessionView, Spec, Standard, Status,
};
use rookery_stanza::{Condition, Jid, PresenceType, Stanza, StanzaError};
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::filter::{is_any_active, is_judged_later};
use self::list::{List, Traffic};
use self::request::PrivacyRequest;
use self::rules::{Active, Lists, Rules};
pub(crate) use self::rules::{active, replaces_block_list};
use crate::ConfigError;
use crate::account_records::AccountRecords;
use crate::blocking::{self, BlockList};

/// The namespace of the requests, which is also the feature.
const NAMESPACE: &str = "jabber:iq:privacy";

/// `[features.privacy_lists]`: rules of accounts about what they send and receive (XEP-0016). Whether accounts may
/// make any is said for each host, by `privacy_lists` in its `[[host]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most lists of one account; a request for more gets `resource-constraint`.
    pub max_lists: usize,
    /// The most items of one list; a larger list gets `resource-constraint`.
    pub max_items: usize,
}

/// Keeps privacy lists, and stanzas to them.
#[derive(Debug)]
pub struct PrivacyLists {
    handler: Handler,
}

/// Shows and changes lists.
#[derive(Debug)]
struct Handler {
    config: Config,
    records: AccountRecords,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_lists: 20,
            max_items: 200,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("privacy_lists.max_lists", self.max_lists)?;
        ConfigError::at_least_one("privacy_lists.max_items", self.max_items)
    }
}

// === impl PrivacyLists ===

impl PrivacyLists {
    pub(crate) fn new(config: &Config, records: &AccountRecords) -> Self {
        Self {
            handler: Handler {
                config: config.clone(),
                records: records.clone(),
            },
        }
    }
}

// === impl Handler ===

impl Handler {
    /// The rules after a change, and the list that is active in the session that asks, if it is allowed.
    fn changed(
        &self,
        request: PrivacyRequest,
        context: &IqContext<'_>,
    ) -> Result<(Rules, Option<String>), Condition> {
        let mut rules = Rules::of(context.account.kept);
        let mut active = active_of(context).map(str::to_owned);
        let exists = |rules: &Rules, name: &str| match rules.list(name) {
            Some(_) => Ok(()),
            None => Err(Condition::ItemNotFound),
        };
        match request {
            PrivacyRequest::Names | PrivacyRequest::Get(_) => {}
            PrivacyRequest::Activate(name) => {
                name.iter().try_for_each(|name| exists(&rules, name))?;
                active = name;
            }
            PrivacyRequest::SetDefault(name) => {
                name.iter().try_for_each(|name| exists(&rules, name))?;
                if let Some(default) = rules.default_name()
                    && name.as_ref() != Some(&default)
                    && applies_to_others(&default, &rules, context)
                {
                    return Err(Condition::Conflict); // §2.5
                }
                rules.set_default(name.as_deref());
            }
            PrivacyRequest::Put(name, list) => {
                self.check(&name, &list, &rules, context)?;
                rules.put(&name, list);
            }
            PrivacyRequest::Remove(name) => {
                exists(&rules, &name)?;
                if applies_to_others(&name, &rules, context) {
                    return Err(Condition::Conflict); // §2.8
                }
                rules.remove(&name);
                active = active.filter(|active| *active != name);
            }
        }
        Ok((rules, active))
    }

    /// Whether a list can be kept: it names groups that are there (§2.1), and there is room.
    fn check(
        &self,
        name: &str,
        list: &List,
        rules: &Rules,
        context: &IqContext<'_>,
    ) -> Result<(), Condition> {
        let roster = context.account.roster;
        if !list.groups().all(|group| roster.is_in_group(None, group)) {
            return Err(Condition::ItemNotFound);
        }
        let is_new = rules.list(name).is_none();
        let too_many = is_new && rules.names().len() >= self.config.max_lists;
        if too_many || list.len() > self.config.max_items {
            return Err(Condition::ResourceConstraint);
        }
        Ok(())
    }

    /// Makes a change; `pushed` is the list whose definition it changes.
    fn change(&self, request: PrivacyRequest, context: &IqContext<'_>) -> Answer {
        let pushed = match &request {
            PrivacyRequest::Put(name, _) | PrivacyRequest::Remove(name) => Some(name.clone()),
            _ => None,
        };
        let (rules, active) = match self.changed(request, context) {
            Ok(changed) => changed,
            Err(condition) => return Answer::Now(Err(condition.into())),
        };
        let before = Rules::of(context.account.kept);
        let writes = rules.writes(&before);
        let (blocked, unblocked) = rules.blocked_since(&before);
        let shown = presence_changes(&before, &rules, active.as_deref(), context);
        let (records, account) = (self.records.clone(), context.account.jid.clone());
        let change = async move {
            if !writes.is_empty() {
                records.write(account, writes).await?;
            }
            let (lists, block_list) = rules.into_kept();
            let mut orders = vec![
                Order::Keep(Keep::new::<Lists>(lists)),
                Order::Keep(Keep::new::<BlockList>(block_list)),
                Order::KeepForSession(Keep::about_sessions(active.map(Active))),
            ];
            orders.extend(shown);
            let mut then: Vec<Order> = pushed.map(changed_push).into_iter().collect();
            then.extend(blocking::changed_pushes(&blocked, &unblocked));
            Ok(Outcome {
                answer: Ok(None),
                before: orders,
                after: then,
            })
        };
        let failed = |error: StanzaError| Outcome::from(Err(error));
        Answer::Ordered(change.map(move |done| done.unwrap_or_else(failed)).boxed())
    }
}

/// The list that is active in the session that asks.
fn active_of<'a>(context: &IqContext<'a>) -> Option<&'a str> {
    let session = context.account.session(context.from)?;
    active(&session)
}

/// Whether a list applies to another session than the one that asks: it is active there, or it is the default one
/// and none is (§2.2, rule 11).
fn applies_to_others(name: &str, rules: &Rules, context: &IqContext<'_>) -> bool {
    let is_default = rules.default_name().as_deref() == Some(name);
    let mut applies = false;
    context.account.sessions.each(&mut |session| {
        let applying = active(&session).map_or(is_default, |active| active == name);
        applies |= applying && session.jid != context.from;
    });
    applies
}

/// Subscribers that see a session no longer are told that it is unavailable (§2.11), those that see it now what its
/// presence is; a session that sees a contact no longer is told that the contact is unavailable (§2.10). `active` is the
/// list that is active in the session that asks, after the change.
fn presence_changes(
    before: &Rules,
    after: &Rules,
    active_after: Option<&str>,
    context: &IqContext<'_>,
) -> Vec<Order> {
    let account: AccountView<'_> = context.account;
    let (subscribers, subscriptions) =
        (account.roster.subscribers(), account.roster.subscriptions());
    let gone = || Stanza::presence(PresenceType::Unavailable);
    let mut orders = Vec::new();
    account.sessions.each(&mut |session: SessionView<'_>| {
        let Some(presence) = session.presence else {
            return;
        };
        let was_active = active(&session);
        let is_active = if session.jid == context.from {
            active_after
        } else {
            was_active
        };
        let change = |traffic, contact: &Jid| {
            let passed = before.passes(traffic, was_active, contact, account);
            (passed, after.passes(traffic, is_active, contact, account))
        };
        for to in &subscribers {
            let stanza = match change(Traffic::PresenceOut, to) {
                (true, false) => gone(),
                (false, true) => presence.clone(),
                _ => continue,
            };
            let stanza = stanza.with_from(session.jid.clone()).with_to(to.clone());
            orders.push(Order::Send(stanza));
        }
        for from in &subscriptions {
            if change(Traffic::PresenceIn, from) == (true, false) {
                let stanza = gone().with_from(from.clone()).with_to(session.jid.clone());
                orders.push(Order::Tell(session.jid.clone(), stanza));
            }
        }
    });
    orders
}

/// §2.2, rule 10: the name of a list whose definition changed.
pub(crate) fn changed_push(name: String) -> Order {
    let list = Element::new("list", NAMESPACE).with_attribute("name", name);
    Order::PushToAll(Element::new("query", NAMESPACE).with_child(list))
}

/// The name of the default list of the account that asks, when its block list becomes this one.
pub(crate) fn default_list(context: &IqContext<'_>, blocked: &BlockList) -> Option<String> {
    if !context.host.privacy_lists {
        return None;
    }
    let before = Rules::of(context.account.kept);
    let name = before.default_name();
    name.or_else(|| before.with_blocked(blocked.clone()).default_name())
}

// === impl Feature ===

impl Feature for PrivacyLists {
    fn spec(&self) -> Spec {
        Spec {
            name: "privacy_lists",
            source: "crates/features/src/privacy_lists",
            standards: &[Standard {
                document: "XEP-0016",
                title: "Privacy Lists",
                version: "1.7",
                status: Status::Complete,
                note: "Off until a host allows it. Requests to the account as a whole, and subscriptions, are judged by \
                       the default list. What was taken up while nobody was there is delivered whatever is active by then.",
            }],
            switched_host_features: |host| {
                if host.privacy_lists {
                    &[NAMESPACE]
                } else {
                    &[]
                }
            },
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<Lists>();
        registry.filter(filter::Filter);
        registry.iq(self.handler);
    }
}

// === impl IqHandler ===

impl IqHandler for Handler {
    type Request = PrivacyRequest;
    /// Only the account itself manages its lists.
    const SCOPE: Scope = Scope {
        host: false,
        account: Some(Relation::Own),
    };

    fn handle(&self, request: PrivacyRequest, context: IqContext<'_>) -> Answer {
        if !context.host.privacy_lists {
            return Answer::Now(Err(Condition::ServiceUnavailable.into()));
        }
        let rules = Rules::of(context.account.kept);
        let answer = match request {
            PrivacyRequest::Names => Ok(names(&rules, active_of(&context))),
            PrivacyRequest::Get(name) => match rules.list(&name) {
                Some(list) => Ok(query([list.to_element(&name)])),
                None => Err(Condition::ItemNotFound.into()),
            },
            change => return self.change(change, &context),
        };
        Answer::Now(answer.map(Some))
    }
}

/// §2.3: the names of all lists, behind those of the active and of the default one.
fn names(rules: &Rules, active: Option<&str>) -> Element {
    let named = |element: &'static str, name: &str| {
        Element::new(element, NAMESPACE).with_attribute("name", name.to_owned())
    };
    let active = active.map(|name| named("active", name));
    let default = rules.default_name().map(|name| named("default", &name));
    let lists = rules.names();
    let lists = lists.iter().map(|name| named("list", name));
    query(active.into_iter().chain(default).chain(lists))
}

fn query(children: impl IntoIterator<Item = Element>) -> Element {
    let children = children.into_iter();
    children.fold(Element::new("query", NAMESPACE), Element::with_child)
}
