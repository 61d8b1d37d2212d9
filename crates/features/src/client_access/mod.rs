//! XEP-0494: Client Access Management.
//!
//! The owner of an account sees which clients have access to it, and takes it back. Clients that log in by XEP-0388
//! under a name of their own are remembered (`[auth.clients]`); sessions of others are told of while they last.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures_util::FutureExt;
use rookery_auth::{Clients, KnownClient, Revocation};
use rookery_delivery::Close;
use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Order, Outcome, Registry, Relation,
    Scope, Spec, Standard, Status,
};
use rookery_stanza::{BareJid, ClientId, Condition, StanzaError, date};
use rookery_xml::Element;

use crate::Parts;
use crate::account_records::refusal;

/// The namespace of the requests.
const NAMESPACE: &str = "urn:xmpp:cam:0";
/// On whose behalf it answers: nobody but the owner is told anything (§"Security Considerations").
const SCOPE: Scope = Scope {
    host: false,
    account: Some(Relation::Own),
};

/// Lists clients, and takes their access back.
#[derive(Debug)]
pub struct ClientAccess {
    clients: Option<Clients>,
}

/// Asks which clients there are (§"Listing clients").
#[derive(Debug)]
pub struct ListRequest;

/// Takes the access of one back (§"Revoking access").
#[derive(Debug)]
pub struct RevokeRequest {
    id: String,
}

#[derive(Debug)]
struct List(Clients);

#[derive(Debug)]
struct Revoke(Clients);

/// The sessions of an account at the time of a request.
#[derive(Debug, Default)]
struct Connected {
    /// The clients that are known.
    clients: BTreeSet<ClientId>,
    /// The resources of the others.
    resources: Vec<String>,
}

// === impl ClientAccess ===

impl ClientAccess {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            clients: parts.accounts.clients().cloned(),
        }
    }
}

impl Feature for ClientAccess {
    fn spec(&self) -> Spec {
        Spec {
            name: "client_access",
            source: file!(),
            standards: &[Standard {
                document: "XEP-0494",
                title: "Client Access Management",
                version: "0.1.0",
                status: Status::Complete,
                note: "Times are good to an hour; clients that do not name themselves are listed while they are connected.",
            }],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        if let Some(clients) = self.clients {
            registry.iq(List(clients.clone()));
            registry.iq(Revoke(clients));
        }
    }
}

// === impl Connected ===

impl Connected {
    fn of(context: &IqContext<'_>) -> Self {
        let mut connected = Self::default();
        context.account.sessions.each(&mut |session| {
            if let Some(client) = session.client {
                connected.clients.insert(client);
            } else {
                let resource = session.jid.resource().unwrap_or_default();
                connected.resources.push(resource.to_owned());
            }
        });
        connected
    }

    /// `<clients/>`: who was seen last comes first.
    fn list(&self, mut known: Vec<KnownClient>) -> Element {
        known.sort_by_key(|client| std::cmp::Reverse(client.last_seen));
        let mut list = Element::new("clients", NAMESPACE);
        for client in known {
            let connected = self.clients.contains(&client.id);
            list.push(described(&client, connected));
        }
        for resource in &self.resources {
            let id = format!("/{resource}");
            let auth = auth(&["password"]);
            list.push(with_rights(element(&id, true), auth));
        }
        list
    }
}

/// `<client/>`.
fn described(client: &KnownClient, connected: bool) -> Element {
    let id = client.id.to_string();
    let time = |name, seconds: u64| {
        let millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        Element::new(name, NAMESPACE).with_text(date::format(millis))
    };
    let methods = [
        ("password", client.knows_password),
        ("fast", client.has_token),
    ];
    let methods: Vec<_> = methods
        .into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect();
    let seen = element(&id, connected)
        .with_child(time("first-seen", client.first_seen))
        .with_child(time("last-seen", client.last_seen));
    let mut described = with_rights(seen, auth(&methods));
    let names = [("software", &client.software), ("device", &client.device)];
    let mut agent = Element::new("user-agent", NAMESPACE);
    for (name, text) in names {
        if let Some(text) = text {
            agent.push(Element::new(name, NAMESPACE).with_text(text));
        }
    }
    if agent.children().next().is_some() {
        described.push(agent);
    }
    described
}

fn element(id: &str, connected: bool) -> Element {
    Element::new("client", NAMESPACE)
        .with_attribute("connected", connected.to_string())
        .with_attribute("id", id.to_owned())
        .with_attribute("type", "session")
}

/// `<auth/>`, with the ways by which the client can log in.
fn auth(methods: &[&'static str]) -> Element {
    let auth = Element::new("auth", NAMESPACE);
    methods.iter().fold(auth, |auth, method| {
        auth.with_child(Element::new(*method, NAMESPACE))
    })
}

/// Every client has all rights here.
fn with_rights(client: Element, auth: Element) -> Element {
    let permission = Element::new("permission", NAMESPACE).with_attribute("status", "unrestricted");
    client.with_child(auth).with_child(permission)
}

/// Only a new password keeps out who knows the old one.
fn password_reset_required() -> StanzaError {
    let reason = Element::new("password-reset-required", NAMESPACE);
    StanzaError::new(Condition::ServiceUnavailable).with_application(reason)
}

// === impl IqHandler ===

impl IqHandler for List {
    type Request = ListRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, ListRequest: ListRequest, context: IqContext<'_>) -> Answer {
        let (clients, account) = (self.0.clone(), context.account.jid.clone());
        let connected = Connected::of(&context);
        let list = async move {
            let known = clients.list(&account).await;
            let known = known.map_err(|error| refusal(&error))?;
            Ok(Some(connected.list(known)))
        };
        Answer::Later(list.boxed())
    }
}

impl IqHandler for Revoke {
    type Request = RevokeRequest;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, RevokeRequest { id }: RevokeRequest, context: IqContext<'_>) -> Answer {
        let connected = Connected::of(&context);
        if let Some(resource) = id.strip_prefix('/')
            && connected.resources.iter().any(|one| one == resource)
        {
            return Answer::Now(Err(password_reset_required()));
        }
        let Ok(id) = id.parse() else {
            return Answer::Now(Err(Condition::ItemNotFound.into()));
        };
        let (clients, account) = (self.0.clone(), context.account.jid.clone());
        Answer::Ordered(async move { revoked(&clients, &account, id).await }.boxed())
    }
}

/// Takes the access back, and ends the sessions of the client after the answer, since one may be the session that
/// asks.
async fn revoked(clients: &Clients, account: &BareJid, id: ClientId) -> Outcome {
    let answer = match clients.revoke(account, id).await {
        Ok(Revocation::Done) => Ok(None),
        Ok(Revocation::Unknown) => Err(Condition::ItemNotFound.into()),
        Ok(Revocation::KnowsPassword) => Err(password_reset_required()),
        Err(error) => Err(refusal(&error)),
    };
    let ends = answer.is_ok();
    let mut outcome = Outcome::from(answer);
    if ends {
        outcome
            .after
            .push(Order::EndClient(id, Close::NotAuthorized));
    }
    outcome
}

// === impl IqRequest ===

impl IqRequest for ListRequest {
    const NAME: &'static str = "list";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, _payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Get)?;
        Ok(Self)
    }
}

impl IqRequest for RevokeRequest {
    const NAME: &'static str = "revoke";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        let id = payload.attribute("id").ok_or(Condition::BadRequest)?;
        Ok(Self { id: id.to_owned() })
    }
}
