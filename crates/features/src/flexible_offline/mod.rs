//! XEP-0013: Flexible Offline Message Retrieval.
//!
//! A client counts, lists, reads and removes what its account is owed, in place of getting all of it at its first
//! presence. What is owed is in the log of the account; a message is named by the id of its row.

mod queue;
mod request;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use rookery_extension::{
    AccountNode, Answer, Feature, IqContext, IqHandler, Order, Outcome, Registry, Relation,
    Results, Scope, Spec, Standard, Status,
};
use rookery_stanza::payload::data_form::{Field, Form, FormType};
use rookery_stanza::{Condition, RowId, StanzaError, ns};
use rookery_storage::message_log::MessageLog;
use rookery_xml::Element;

use crate::Parts;
use queue::Queue;
use request::OfflineRequest;

/// Lets clients take what is owed to them by themselves.
#[derive(Clone)]
pub struct FlexibleOffline {
    log: Arc<dyn MessageLog>,
}

/// Answers `<offline/>` (§2.4 to §2.7).
struct OfflineHandler(FlexibleOffline);

/// Answers service discovery (§2.2, §2.3).
struct OfflineNode(FlexibleOffline);

/// What every request of a client does first. As long as a session of the account follows this topic, nothing that is
/// owed is handed out by itself (§2.2, §2.6).
const FIRST: Order = Order::Follow(ns::FLEXIBLE_OFFLINE);

// === impl FlexibleOffline ===

impl FlexibleOffline {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            log: Arc::clone(&parts.log),
        }
    }

    fn queue(&self, context: &IqContext<'_>) -> Queue {
        Queue {
            log: Arc::clone(&self.log),
            account: context.account.jid.clone(),
        }
    }
}

/// An answer that has to read the log, and what is done before it.
fn ordered(
    answer: impl Future<Output = Result<Option<Element>, StanzaError>> + Send + 'static,
) -> Answer {
    let outcome = |answer| Outcome {
        answer,
        before: vec![FIRST],
        after: Vec::new(),
    };
    Answer::Ordered(answer.map(outcome).boxed())
}

// === impl Feature ===

impl Feature for FlexibleOffline {
    fn spec(&self) -> Spec {
        Spec {
            name: "flexible_offline",
            source: "crates/features/src/flexible_offline",
            standards: &[Standard {
                document: "XEP-0013",
                title: "Flexible Offline Message Retrieval",
                version: "1.3",
                status: Status::Complete,
                note: "Delays are told as XEP-0203 has it.",
            }],
            host_features: &[ns::FLEXIBLE_OFFLINE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_node(OfflineNode((*self).clone()));
        registry.iq(OfflineHandler(*self));
    }
}

// === impl AccountNode ===

impl AccountNode for OfflineNode {
    fn node(&self) -> &'static str {
        ns::FLEXIBLE_OFFLINE
    }

    /// §2.2: how many there are.
    fn info(&self, context: IqContext<'_>) -> Answer {
        let queue = self.0.queue(&context);
        ordered(async move { Ok(Some(info(queue.count().await?))) })
    }

    /// §2.3: from whom they are.
    fn items(&self, context: IqContext<'_>) -> Answer {
        let queue = self.0.queue(&context);
        ordered(async move {
            let jid = queue.account.to_string();
            let mut items =
                Element::new("query", ns::DISCO_ITEMS).with_attribute("node", ns::FLEXIBLE_OFFLINE);
            for header in queue.headers().await? {
                items.push(
                    Element::new("item", ns::DISCO_ITEMS)
                        .with_attribute("jid", jid.clone())
                        .with_attribute("node", header.id.to_string())
                        .with_attribute("name", header.with.to_string()),
                );
            }
            Ok(Some(items))
        })
    }
}

/// The queue, as service discovery describes it (§2.2).
fn info(messages: u64) -> Element {
    let number = Field::new("number_of_messages").with_value(messages.to_string());
    Element::new("query", ns::DISCO_INFO)
        .with_attribute("node", ns::FLEXIBLE_OFFLINE)
        .with_child(
            Element::new("identity", ns::DISCO_INFO)
                .with_attribute("category", "automation")
                .with_attribute("type", "message-list"),
        )
        .with_child(
            Element::new("feature", ns::DISCO_INFO).with_attribute("var", ns::FLEXIBLE_OFFLINE),
        )
        .with_child(
            Form::of_kind(FormType::Result, ns::FLEXIBLE_OFFLINE)
                .with_field(number)
                .to_element(),
        )
}

// === impl IqHandler ===

impl IqHandler for OfflineHandler {
    type Request = OfflineRequest;
    // §2.4 has a word for everybody else.
    const SCOPE: Scope = Scope {
        host: false,
        account: Some(Relation::Stranger),
    };

    fn handle(&self, request: OfflineRequest, context: IqContext<'_>) -> Answer {
        if !context.is_own() {
            return Answer::Now(Err(Condition::Forbidden.into()));
        }
        let queue = self.0.queue(&context);
        match request {
            OfflineRequest::View(ids) => view(queue, ids),
            OfflineRequest::Fetch => fetch(queue),
            OfflineRequest::Remove(ids) => remove(async move {
                let rows = queue.find(ids).await?;
                queue
                    .remove(rows.into_iter().map(|row| row.id).collect())
                    .await
            }),
            OfflineRequest::Purge => remove(async move {
                let headers = queue.headers().await?;
                queue
                    .remove(headers.into_iter().map(|header| header.id).collect())
                    .await
            }),
        }
    }
}

/// §2.4: these messages, which stay where they are.
fn view(queue: Queue, ids: BTreeSet<RowId>) -> Answer {
    sending(Results::new(|mut asker| async move {
        let rows = queue.find(ids).await?;
        let mut messages = rows.into_iter().filter_map(|row| queue.message(row));
        asker.send(&mut messages).await?;
        Ok(None)
    }))
}

/// §2.6: all messages, which stay where they are.
fn fetch(queue: Queue) -> Answer {
    sending(Results::new(|mut asker| async move {
        let mut last = None;
        loop {
            let rows = queue.page(last).await?;
            let Some(newest) = rows.last() else {
                return Ok(None);
            };
            last = Some(newest.id);
            let mut messages = rows.into_iter().filter_map(|row| queue.message(row));
            asker.send(&mut messages).await?;
        }
    }))
}

fn sending(mut results: Results) -> Answer {
    results.orders.push(FIRST);
    Answer::Results(results)
}

/// §2.5, §2.7: these are owed no longer.
fn remove(
    removed: impl Future<Output = Result<Vec<RowId>, StanzaError>> + Send + 'static,
) -> Answer {
    let outcome = removed.map(|removed| match removed {
        Ok(rows) => Outcome {
            answer: Ok(None),
            before: vec![FIRST, Order::Removed(rows)],
            after: Vec::new(),
        },
        Err(error) => Err(error).into(),
    });
    Answer::Ordered(outcome.boxed())
}

impl fmt::Debug for FlexibleOffline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlexibleOffline").finish_non_exhaustive()
    }
}
