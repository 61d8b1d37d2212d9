//! XEP-0030: Service Discovery.

pub(crate) mod info;
#[cfg(test)]
mod tests;

use rookery_extension::{
    AccountNode, Addressee, Answer, Feature, Identity, IqContext, IqHandler, IqMethod, IqRequest,
    Registry, Relation, Scope, Spec, Standard, Status,
};
use rookery_stanza::{Condition, StanzaError, ns};
use rookery_xml::Element;

use crate::caps;

/// What hosts and accounts are, can do and consist of.
#[derive(Debug)]
pub struct Disco;

/// Answers disco#info (§3).
struct InfoHandler;

/// Answers disco#items (§4).
struct ItemsHandler;

/// A request for disco#info.
struct InfoRequest(Node);

/// A request for disco#items.
struct ItemsRequest(Node);

/// The node that is asked about (§3.2, §4.2); `None`: the entity itself.
struct Node(Option<String>);

/// The server answers for accounts. §8: senders that may not see the account's presence must not learn
/// whether it exists. They get `service-unavailable`, as for any request to an account that does not exist
/// (RFC 6121 §8.5.1), also where §8 would rather see empty items.
const SCOPE: Scope = Scope {
    host: true,
    account: Some(Relation::Subscriber),
};

// === impl Feature ===

impl Feature for Disco {
    fn spec(&self) -> Spec {
        Spec {
            name: "disco",
            source: "crates/features/src/disco",
            standards: &[
                Standard {
                    document: "XEP-0030",
                    title: "Service Discovery",
                    version: "2.5.0",
                    status: Status::Partial,
                    note: "Resources are not listed among the items of an account.",
                },
                Standard {
                    document: "XEP-0128",
                    title: "Service Discovery Extensions",
                    version: "1.0.1",
                    status: Status::Complete,
                    note: "",
                },
            ],
            host_identities: &[Identity {
                category: "server",
                kind: "im",
                name: "Rookery",
            }],
            host_features: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
            account_identities: &[Identity {
                category: "account",
                kind: "registered",
                name: "",
            }],
            account_features: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(InfoHandler);
        registry.iq(ItemsHandler);
    }
}

// === impl IqHandler ===

impl IqHandler for InfoHandler {
    type Request = InfoRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, InfoRequest(node): InfoRequest, context: IqContext<'_>) -> Answer {
        if let Some(found) = node.of_account(&context) {
            return match found {
                Ok(node) => node.info(context),
                Err(error) => Answer::Now(Err(error)),
            };
        }
        let (info, caps_node) = match context.addressee {
            Addressee::Host => {
                let info = info::of_host(context.host, context.features);
                let caps_node = node.0.as_ref().map(|_| caps::node(&info));
                (info, caps_node)
            }
            Addressee::Account(..) => (info::of_account(context.host, context.features), None),
        };
        // The one node that is known is the virtual one of XEP-0115 §6.2.
        Answer::Now(match node.0 {
            None => Ok(Some(info)),
            Some(node) if caps_node.as_ref() == Some(&node) => {
                Ok(Some(info.with_attribute("node", node)))
            }
            Some(_) => Err(Condition::ItemNotFound.into()),
        })
    }
}

impl IqHandler for ItemsHandler {
    type Request = ItemsRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, ItemsRequest(node): ItemsRequest, context: IqContext<'_>) -> Answer {
        if let Some(found) = node.of_account(&context) {
            return match found {
                Ok(node) => node.items(context),
                Err(error) => Answer::Now(Err(error)),
            };
        }
        Answer::Now(match node.0 {
            // §4.1: without items the answer is empty, not an error.
            None => Ok(Some(items(&context))),
            Some(_) => Err(Condition::ItemNotFound.into()),
        })
    }
}

/// A host consists of its components; an account lists nothing.
fn items(context: &IqContext<'_>) -> Element {
    let components = match context.addressee {
        Addressee::Host => context.host.components.as_slice(),
        Addressee::Account(..) => &[],
    };
    let item = |component: &String| {
        Element::new("item", ns::DISCO_ITEMS).with_attribute("jid", component.clone())
    };
    let items = components.iter().map(item);
    items.fold(Element::new("query", ns::DISCO_ITEMS), Element::with_child)
}

// === impl IqRequest ===

impl IqRequest for InfoRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = ns::DISCO_INFO;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self(Node::of(payload)))
    }
}

impl IqRequest for ItemsRequest {
    const NAME: &'static str = "query";
    const NAMESPACE: &'static str = ns::DISCO_ITEMS;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self(Node::of(payload)))
    }
}

// === impl Node ===

impl Node {
    /// COMPAT: clients send an empty node and mean none.
    fn of(payload: &Element) -> Self {
        let node = payload.attribute("node").filter(|node| !node.is_empty());
        Self(node.map(str::to_owned))
    }

    /// The feature whose node of an account it is; an error for those who may not ask about it.
    fn of_account<'a>(
        &self,
        context: &IqContext<'a>,
    ) -> Option<Result<&'a dyn AccountNode, StanzaError>> {
        let Addressee::Account(_, relation) = context.addressee else {
            return None;
        };
        let node = context.features.account_node(self.0.as_deref()?)?;
        Some(match relation {
            Relation::Own => Ok(node),
            _ => Err(Condition::Forbidden.into()),
        })
    }
}
