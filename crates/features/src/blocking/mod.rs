//! XEP-0191: Blocking Command.
//!
//! The list of an account is kept in memory at its home, where `filter.rs` asks it about every stanza. The
//! requests of this file change it: the store first, then the list, then whoever shall know.

pub(crate) mod filter;
mod list;
mod request;
#[cfg(test)]
mod tests;

use futures_util::FutureExt;
use futures_util::future::ready;
use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, Keep, Kept, Order, Outcome, Registry, Relation, Scope,
    Spec, Standard, Status,
};
use rookery_stanza::{BareJid, Condition, Jid, StanzaError};
use rookery_storage::DataWrite;
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::filter::Filter;
pub(crate) use self::list::{BlockList, is_own, put, remove};
use self::request::{Block, GetList, Unblock, block_push, list_element, unblock_push};
use crate::account_records::AccountRecords;
use crate::privacy_lists::{self, changed_push};
use crate::reports::Reports;
use crate::{ConfigError, Parts};

/// The namespace of the requests, which is also the feature and what sessions follow.
const NAMESPACE: &str = "urn:xmpp:blocking";

/// `[features.blocking]`: whom accounts keep out (XEP-0191).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most addresses that one account may block; a request for more gets `resource-constraint`. Lists
    /// of accounts that are in use are held in memory.
    pub max_items: usize,
}

/// Keeps block lists, and keeps out whom they name.
#[derive(Debug)]
pub struct Blocking {
    list: ListHandler,
    block: BlockHandler,
    unblock: UnblockHandler,
    filter: Filter,
}

/// Tells the list (§3.2).
#[derive(Debug)]
struct ListHandler;

/// Adds to the list (§3.3).
#[derive(Debug)]
struct BlockHandler {
    max_items: usize,
    records: AccountRecords,
    reports: Reports,
}

/// Takes from the list (§3.4, §3.5).
#[derive(Debug)]
struct UnblockHandler {
    records: AccountRecords,
}

/// Only the account itself manages its list.
const SCOPE: Scope = Scope {
    host: false,
    account: Some(Relation::Own),
};

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self { max_items: 1000 }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("blocking.max_items", self.max_items)
    }
}

// === impl Blocking ===

impl Blocking {
    /// Blocking whose reports (XEP-0377) go to `reports`.
    pub(crate) fn new(
        config: &Config,
        records: &AccountRecords,
        reports: Reports,
        parts: &Parts,
    ) -> Self {
        Self {
            list: ListHandler,
            block: BlockHandler {
                max_items: config.max_items,
                records: records.clone(),
                reports,
            },
            unblock: UnblockHandler {
                records: records.clone(),
            },
            filter: Filter::new(&parts.metrics),
        }
    }
}

// === impl Feature ===

impl Feature for Blocking {
    fn spec(&self) -> Spec {
        Spec {
            name: "blocking",
            source: "crates/features/src/blocking",
            standards: &[Standard {
                document: "XEP-0191",
                title: "Blocking Command",
                version: "1.3",
                status: Status::Complete,
                note: "Neither the account itself nor its own server can be kept out.",
            }],
            host_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<BlockList>();
        registry.iq(self.list);
        registry.iq(self.block);
        registry.iq(self.unblock);
        registry.filter(self.filter);
    }
}

// === impl IqHandler ===

impl IqHandler for ListHandler {
    type Request = GetList;
    const SCOPE: Scope = SCOPE;

    /// §3.2. The session that asks is told of changes from now on (§3.3).
    fn handle(&self, GetList: GetList, context: IqContext<'_>) -> Answer {
        let list = list_element(context.account.kept.get::<BlockList>());
        let outcome = Outcome {
            answer: Ok(Some(list)),
            before: vec![Order::Follow(NAMESPACE)],
            after: Vec::new(),
        };
        Answer::Ordered(ready(outcome).boxed())
    }
}

impl IqHandler for BlockHandler {
    type Request = Block;
    const SCOPE: Scope = SCOPE;

    /// §3.3.
    fn handle(&self, Block(items): Block, context: IqContext<'_>) -> Answer {
        let account = context.account.jid.clone();
        let before = kept_list(context.account.kept);
        let mut after = before.clone();
        let added: Vec<Jid> = items.iter().map(|item| item.jid.clone()).collect();
        let new = added.iter().filter(|jid| after.insert((*jid).clone()));
        let writes: Vec<DataWrite> = new.map(put).collect();
        if after.len() > self.max_items {
            let error = StanzaError::new(Condition::ResourceConstraint);
            return Answer::Now(Err(error.with_text("the list is full")));
        }
        let hidden = audience(&account, &added, &before);
        let default_list = privacy_lists::default_list(&context, &after);
        let (records, reports) = (self.records.clone(), self.reports.clone());
        let change = async move {
            if !writes.is_empty() {
                records.write(account.clone(), writes).await?;
            }
            let mut then = vec![push(block_push(&added))];
            then.extend(default_list.map(changed_push));
            let reported = items.iter().filter_map(request::Item::reported);
            then.extend(reports.process(&account, reported));
            // Whoever is kept out is told first, while presence still passes.
            Ok(Outcome {
                answer: Ok(None),
                before: vec![Order::Hide(hidden), Order::Keep(Keep::new(Some(after)))],
                after: then,
            })
        };
        ordered(change)
    }
}

impl IqHandler for UnblockHandler {
    type Request = Unblock;
    const SCOPE: Scope = SCOPE;

    /// §3.4, and §3.5 when the request names nobody. To take out who is not on the list is no error.
    fn handle(&self, Unblock(items): Unblock, context: IqContext<'_>) -> Answer {
        let account = context.account.jid.clone();
        let mut after = kept_list(context.account.kept);
        let (removed, writes) = if items.is_empty() {
            (after.take_all(), vec![list::clear()])
        } else {
            let on_list = items.iter().filter(|jid| after.remove(jid));
            let removed: Vec<Jid> = on_list.cloned().collect();
            let writes = removed.iter().map(remove).collect();
            (removed, writes)
        };
        let shown = audience(&account, &removed, &after);
        let default_list = privacy_lists::default_list(&context, &after);
        let records = self.records.clone();
        let change = async move {
            if !removed.is_empty() {
                records.write(account, writes).await?;
            }
            let kept = (!after.is_empty()).then_some(after);
            let mut then = vec![push(unblock_push(&items))];
            then.extend(default_list.map(changed_push));
            Ok(Outcome {
                answer: Ok(None),
                before: vec![Order::Keep(Keep::new(kept)), Order::Show(shown)],
                after: then,
            })
        };
        ordered(change)
    }
}

/// What sessions that follow the block list are told when it changed in another way than by its requests
/// (§5): whom it names now, and whom it does not any more.
pub(crate) fn changed_pushes(blocked: &[Jid], unblocked: &[Jid]) -> Vec<Order> {
    let block = (!blocked.is_empty()).then(|| push(block_push(blocked)));
    let unblock = (!unblocked.is_empty()).then(|| push(unblock_push(unblocked)));
    block.into_iter().chain(unblock).collect()
}

fn kept_list(kept: &Kept) -> BlockList {
    kept.get().cloned().unwrap_or_default()
}

/// What all sessions that asked for the list are told (§3.3).
fn push(payload: Element) -> Order {
    Order::Push {
        topic: NAMESPACE,
        payload,
    }
}

fn ordered(change: impl Future<Output = Result<Outcome, StanzaError>> + Send + 'static) -> Answer {
    let outcome = change.map(|done| done.unwrap_or_else(|error| Outcome::from(Err(error))));
    Answer::Ordered(outcome.boxed())
}

/// Whose view of the account changes with these items: not the account's own, nor that of anybody who is
/// kept out by the rest of the list.
fn audience(account: &BareJid, items: &[Jid], rest: &BlockList) -> Vec<Jid> {
    let others = items
        .iter()
        .filter(|jid| jid.bare_str() != account.as_str() && !rest.blocks(jid));
    others.cloned().collect()
}
