//! XEP-0077: In-Band Registration.
//!
//! Users change their password and remove their account (here); whoever has none makes one, on hosts that
//! allow it (`newcomers.rs`). Sessions stay when the password of their account changes: no standard ends
//! them, and the client that changed it goes on. When an operator changes it, all end.

mod form;
mod newcomers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rookery_auth::{AccountError, Accounts};
use rookery_delivery::Close;
use rookery_extension::{
    Answer, Feature, IqContext, IqHandler, Order, Outcome, Registry, Relation, Scope, Spec,
    Standard, Status,
};
use rookery_stanza::jid::enforce_localpart;
use rookery_stanza::{BareJid, Condition, PresenceType, Stanza, StanzaError};
use rookery_storage::{RosterItem, Store, Subscription};
use rookery_telemetry::{CounterFamily2, label};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::form::{RegistrationRequest, Submission};
use self::newcomers::Newcomers;
use crate::account_records::refusal;
use crate::{ConfigError, Parts};

/// The namespace of the requests, which is also the feature.
pub(crate) const NAMESPACE: &str = "jabber:iq:register";

/// Names that RFC 2142 gives a meaning, and those that people take for the operator's.
const RESERVED: [&str; 16] = [
    "abuse",
    "admin",
    "administrator",
    "hostmaster",
    "info",
    "marketing",
    "noc",
    "operator",
    "postmaster",
    "root",
    "sales",
    "security",
    "support",
    "webmaster",
    "www",
    "xmpp",
];

/// `[features.registration]`: what clients may do to accounts (XEP-0077). Whether new ones may be made is
/// said for each host, by `registration` in its `[[host]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether users may change their password.
    pub change_password: bool,
    /// Whether users may remove their account, with everything that is kept for it.
    pub remove_account: bool,
    /// How many accounts may be made from one address (IPv6: one /64 network) in `window_seconds`; ten times
    /// as many names may be tried. Whoever wants more is told to wait.
    pub accounts_per_address: u32,
    /// In how many seconds an address that made as many accounts as it may is like new.
    pub window_seconds: u64,
    /// How many addresses that made accounts are remembered. When there are more, the half that can soonest
    /// be forgotten is forgotten.
    pub addresses: usize,
    /// Names, the part before the `@`, that nobody can take.
    pub reserved_names: Vec<String>,
}

/// Makes, changes and removes accounts.
#[derive(Debug)]
pub struct Registration {
    changes: Changes,
    newcomers: Newcomers,
}

/// Lets users change what is theirs.
#[derive(Debug)]
struct Changes {
    change_password: bool,
    remove_account: bool,
    accounts: Accounts,
    store: Arc<dyn Store>,
    counted: CounterFamily2<Action, Done>,
}

label! {
    /// What is wanted.
    enum Action("action") {
        /// A new account.
        Register = "register",
        /// A new password.
        ChangePassword = "change_password",
        /// The end of an account.
        Remove = "remove",
    }
}

label! {
    /// What came of it.
    enum Done("result") {
        /// It was done.
        Ok = "ok",
        /// The request cannot be granted: the name is taken or reserved, the password cannot be used.
        Refused = "refused",
        /// Too many came from the same address.
        Limited = "limited",
        /// The store or the hashing failed.
        Failed = "failed",
    }
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            change_password: true,
            remove_account: true,
            accounts_per_address: 3,
            window_seconds: 3600,
            addresses: 16_384,
            reserved_names: RESERVED.map(str::to_owned).to_vec(),
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let accounts = usize::try_from(self.accounts_per_address).unwrap_or(usize::MAX);
        ConfigError::at_least_one("registration.accounts_per_address", accounts)?;
        ConfigError::at_least_one("registration.addresses", self.addresses)?;
        if !(1..=86_400 * 365).contains(&self.window_seconds) {
            let key = "registration.window_seconds";
            return Err(ConfigError::new(key, "must be from 1 to 31536000"));
        }
        let mut names = self.reserved_names.iter();
        match names.find(|name| enforce_localpart(name).is_err()) {
            Some(name) => Err(ConfigError::new(
                "registration.reserved_names",
                format!("has \"{name}\", which no account could have: it is the part before the @"),
            )),
            None => Ok(()),
        }
    }

    /// The reserved names, prepared.
    fn reserved(&self) -> BTreeSet<String> {
        let names = self.reserved_names.iter();
        names
            .filter_map(|name| enforce_localpart(name).ok())
            .collect()
    }

    fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds)
    }
}

// === impl Registration ===

impl Registration {
    pub(crate) fn new(config: &Config, parts: &Parts) -> Self {
        let counted = parts.metrics.counters2(
            "registration_requests_total",
            "What do clients want to do to accounts, and what comes of it?",
        );
        Self {
            newcomers: Newcomers::new(config, parts, counted.clone()),
            changes: Changes {
                change_password: config.change_password,
                remove_account: config.remove_account,
                accounts: parts.accounts.clone(),
                store: parts.store.clone(),
                counted,
            },
        }
    }
}

// === impl Changes ===

impl Changes {
    /// §3.3. One account's requests come one after the other, so that nobody fills the queue of passwords
    /// that wait to be hashed.
    fn change_password(&self, account: &BareJid, submission: Submission) -> Answer {
        if !self.change_password {
            return self.refuse(Action::ChangePassword, Condition::NotAllowed);
        }
        // An empty password leaves the old one.
        let Some((username, password)) = submission.complete() else {
            return self.refuse(Action::ChangePassword, Condition::BadRequest);
        };
        // §3.1.1: a second account is not made by way of the first.
        let named = BareJid::from_parts(Some(&username), account.domain());
        if named.ok().as_ref() != Some(account) {
            return self.refuse(Action::ChangePassword, Condition::NotAcceptable);
        }
        let (accounts, counted) = (self.accounts.clone(), self.counted.clone());
        let account = account.clone();
        let change = async move {
            let changed = accounts.set_password(account.as_str(), password).await;
            counted
                .of(Action::ChangePassword, Done::of(&changed))
                .increment();
            Outcome::from(changed.map(|()| None).map_err(|error| stanza_error(&error)))
        };
        Answer::Ordered(change.boxed())
    }

    /// §3.2: the result first; then the contacts learn of it, and all sessions end.
    fn remove(&self, account: &BareJid) -> Answer {
        if !self.remove_account {
            return self.refuse(Action::Remove, Condition::NotAllowed);
        }
        let (accounts, counted) = (self.accounts.clone(), self.counted.clone());
        let (store, account) = (self.store.clone(), account.clone());
        let removal = async move {
            let state = match store.load_account(&account, &[]).await {
                Ok(state) => state.unwrap_or_default(),
                Err(error) => {
                    counted.of(Action::Remove, Done::Failed).increment();
                    return Outcome::from(Err(refusal(&error)));
                }
            };
            let removed = accounts.delete(account.as_str()).await;
            counted.of(Action::Remove, Done::of(&removed)).increment();
            if let Err(error) = removed {
                return Outcome::from(Err(stanza_error(&error)));
            }
            tracing::info!(%account, "account removed by its user");
            let items = state.roster.items.iter();
            let farewells = items.flat_map(|item| farewells(&account, item));
            let mut after: Vec<Order> = farewells.map(Order::Send).collect();
            after.push(Order::End(Close::NotAuthorized));
            Outcome {
                answer: Ok(None),
                before: Vec::new(),
                after,
            }
        };
        Answer::Ordered(removal.boxed())
    }

    fn refuse(&self, action: Action, condition: Condition) -> Answer {
        self.counted.of(action, Done::Refused).increment();
        Answer::Now(Err(condition.into()))
    }
}

/// What ends the subscriptions between an account and one of its contacts, in both directions.
fn farewells(account: &BareJid, item: &RosterItem) -> impl Iterator<Item = Stanza> + use<> {
    use Subscription::{Both, From, To};
    let (account, contact) = (account.to_jid(), item.jid.to_jid());
    let ends = [
        (
            matches!(item.subscription, From | Both),
            PresenceType::Unsubscribed,
        ),
        (
            item.pending_out || matches!(item.subscription, To | Both),
            PresenceType::Unsubscribe,
        ),
    ];
    let ends = ends.into_iter().filter(|(ends, _)| *ends);
    ends.map(move |(_, kind)| {
        let farewell = Stanza::presence(kind);
        farewell.with_from(account.clone()).with_to(contact.clone())
    })
}

/// What a client is told.
fn stanza_error(error: &AccountError) -> StanzaError {
    let condition = match error {
        AccountError::Exists => Condition::Conflict,
        AccountError::NoSuchAccount => Condition::RegistrationRequired,
        AccountError::Address(_)
        | AccountError::NoLocalpart
        | AccountError::UnknownHost(_)
        | AccountError::Password(_) => Condition::NotAcceptable,
        AccountError::Hashing(_) => Condition::ResourceConstraint,
        AccountError::Store(error) => return refusal(error),
        AccountError::Randomness(_) => Condition::InternalServerError,
    };
    let told = StanzaError::new(condition);
    match error {
        AccountError::Address(_) | AccountError::Password(_) => told.with_text(error.to_string()),
        _ => told,
    }
}

// === impl Done ===

impl Done {
    fn of<T>(result: &Result<T, AccountError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(
                AccountError::Store(_) | AccountError::Hashing(_) | AccountError::Randomness(_),
            ) => Self::Failed,
            Err(_) => Self::Refused,
        }
    }
}

// === impl Feature ===

impl Feature for Registration {
    fn spec(&self) -> Spec {
        Spec {
            name: "registration",
            source: "crates/features/src/registration",
            standards: &[Standard {
                document: "XEP-0077",
                title: "In-Band Registration",
                version: "2.4",
                status: Status::Complete,
                note: "New accounts are off until a host allows them, and need TLS.",
            }],
            host_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(self.changes);
        registry.before_login(self.newcomers);
    }
}

// === impl IqHandler ===

impl IqHandler for Changes {
    type Request = RegistrationRequest;
    // §3.2: to the host, or to nobody, which is the account.
    const SCOPE: Scope = Scope {
        host: true,
        account: Some(Relation::Own),
    };

    fn handle(&self, request: RegistrationRequest, context: IqContext<'_>) -> Answer {
        let account = context.account.jid;
        let is_here = account.domain() == context.host.name() && account.local().is_some();
        if !is_here {
            // The account of another host is nothing that this one could change; a component has none.
            return Answer::Now(Err(Condition::NotAllowed.into()));
        }
        match request {
            RegistrationRequest::Fields => Answer::Now(Ok(Some(form::registered(account)))),
            RegistrationRequest::Submit(submission) => self.change_password(account, submission),
            RegistrationRequest::Remove => self.remove(account),
        }
    }
}
