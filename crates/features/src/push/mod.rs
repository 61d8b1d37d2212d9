//! XEP-0357: Push Notifications.

mod notification;
mod services;
#[cfg(test)]
mod tests;

use futures_util::FutureExt;
use rookery_archive::{Content, Push as Wakes, Side, Treatment};
use rookery_extension::{
    AccountView, Answer, Feature, IqContext, IqHandler, IqMethod, IqRequest, Keep, Kept, Order,
    Outcome, Registry, Relation, Scope, Spec, Standard, Status, Waiting, WaitingMessage,
};
use rookery_stanza::payload::data_form::{Form, FormType};
use rookery_stanza::{Condition, ErrorType, Jid, StanzaError};
use rookery_storage::{DataUpdate, DataWrite};
use rookery_telemetry::{CounterFamily, label};
use rookery_xml::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::account_records::AccountRecords;
use notification::{Pending, publish, summary};
use services::{PublishOptions, Services, Target};

const NAMESPACE: &str = "urn:xmpp:push:0";
const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// What ids of notifications begin with.
const ID: &str = "push";

/// `[features.push]`: calling the devices of accounts that are away (XEP-0357), by services that their
/// clients name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most services that an account may have enabled; a request for more gets `resource-constraint`.
    pub max_services: usize,
    /// The most bytes of a node and the options that are published with each notification; a request with
    /// more gets `not-acceptable`.
    pub max_options_bytes: usize,
    /// Whether services are told who sent the last message.
    pub tell_sender: bool,
    /// Whether services are told how the last message begins, if it is not encrypted.
    pub tell_body: bool,
}

label! {
    /// What became of notifications.
    enum Notified("outcome") {
        /// Sent to the service.
        Sent = "sent",
        /// The service has taken it.
        Taken = "taken",
        /// The service cannot take any for the time being.
        Deferred = "deferred",
        /// The service takes no more, and is disabled.
        Disabled = "disabled",
        /// The service has not answered for long.
        Unanswered = "unanswered",
    }
}

/// Calls devices.
#[derive(Debug)]
pub struct PushNotifications {
    enable: EnableHandler,
    disable: DisableHandler,
    caller: Caller,
}

/// Answers `<enable/>` (§5).
#[derive(Debug)]
struct EnableHandler {
    config: Config,
    records: AccountRecords,
}

/// Answers `<disable/>` (§6).
#[derive(Debug)]
struct DisableHandler {
    records: AccountRecords,
}

/// Publishes notifications (§7).
#[derive(Debug)]
struct Caller {
    config: Config,
    bytes_per_account: u64,
    notified: CounterFamily<Notified>,
}

/// `<enable/>`.
struct Enable {
    target: Target,
    options: PublishOptions,
}

/// `<disable/>`: of a service, or one node of it.
struct Disable {
    jid: Jid,
    node: Option<String>,
}

/// §5: an account decides for itself.
const SCOPE: Scope = Scope {
    host: false,
    account: Some(Relation::Own),
};

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_services: 16,
            max_options_bytes: 4096,
            tell_sender: false,
            tell_body: false,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("push.max_services", self.max_services)?;
        ConfigError::at_least_one("push.max_options_bytes", self.max_options_bytes)
    }
}

// === impl PushNotifications ===

impl PushNotifications {
    pub(crate) fn new(
        config: &Config,
        records: &AccountRecords,
        bytes_per_account: u64,
        metrics: &rookery_telemetry::Registry,
    ) -> Self {
        let notified = metrics.counters(
            "push_notifications_total",
            "What becomes of notifications to push services?",
        );
        Self {
            enable: EnableHandler {
                config: config.clone(),
                records: records.clone(),
            },
            disable: DisableHandler {
                records: records.clone(),
            },
            caller: Caller {
                config: config.clone(),
                bytes_per_account,
                notified,
            },
        }
    }
}

impl Feature for PushNotifications {
    fn spec(&self) -> Spec {
        Spec {
            name: "push",
            source: "crates/features/src/push",
            standards: &[Standard {
                document: "XEP-0357",
                title: "Push Notifications",
                version: "0.4.1",
                status: Status::Complete,
                note: "Services are told how many messages wait; who sent the last one and how it begins only \
                       where the operator allows it.",
            }],
            account_features: &[NAMESPACE],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<Services>();
        registry.iq(self.enable);
        registry.iq(self.disable);
        registry.waiting(self.caller);
    }
}

// === impl IqHandler ===

impl IqHandler for EnableHandler {
    type Request = Enable;
    const SCOPE: Scope = SCOPE;

    fn handle(&self, Enable { target, options }: Enable, context: IqContext<'_>) -> Answer {
        let write = target.enable(&options);
        if size(&write) > self.config.max_options_bytes {
            let error = StanzaError::new(Condition::NotAcceptable);
            return Answer::Now(Err(error.with_text("the node or the options are too long")));
        }
        let mut services = enabled(context.account.kept);
        services.enable(target, options);
        if services.len() > self.config.max_services {
            let error = StanzaError::new(Condition::ResourceConstraint);
            return Answer::Now(Err(error.with_text("too many push services")));
        }
        change(&self.records, context, vec![write], services)
    }
}

impl IqHandler for DisableHandler {
    type Request = Disable;
    const SCOPE: Scope = SCOPE;

    /// To disable what is not enabled is no error.
    fn handle(&self, Disable { jid, node }: Disable, context: IqContext<'_>) -> Answer {
        let mut services = enabled(context.account.kept);
        let gone = services.of(&jid, node.as_deref());
        for target in &gone {
            services.disable(target);
        }
        let writes = gone.iter().map(Target::disable).collect();
        change(&self.records, context, writes, services)
    }
}

/// Makes a change durable before it is in use.
fn change(
    records: &AccountRecords,
    context: IqContext<'_>,
    writes: Vec<DataWrite>,
    services: Services,
) -> Answer {
    let (records, account) = (records.clone(), context.account.jid.clone());
    let change = async move {
        if !writes.is_empty() {
            records.write(account, writes).await?;
        }
        Ok(Outcome {
            answer: Ok(None),
            before: vec![Order::Keep(Keep::new(services.or_none()))],
            after: Vec::new(),
        })
    };
    let outcome = change.map(|done: Result<Outcome, StanzaError>| {
        done.unwrap_or_else(|error| Outcome::from(Err(error)))
    });
    Answer::Ordered(outcome.boxed())
}

fn enabled(kept: &Kept) -> Services {
    kept.get().cloned().unwrap_or_default()
}

fn size(write: &DataWrite) -> usize {
    match write {
        DataWrite::Put { name, value, .. } => name.len() + value.len(),
        _ => 0,
    }
}

// === impl IqRequest ===

impl IqRequest for Enable {
    const NAME: &'static str = "enable";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        Ok(Self {
            target: Target {
                jid: service(payload)?,
                node: payload.attribute("node").unwrap_or_default().to_owned(),
            },
            options: payload
                .children()
                .find_map(Form::parse)
                .map(submitted)
                .transpose()?,
        })
    }
}

impl IqRequest for Disable {
    const NAME: &'static str = "disable";
    const NAMESPACE: &'static str = NAMESPACE;

    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        method.must_be(IqMethod::Set)?;
        Ok(Self {
            jid: service(payload)?,
            node: payload.attribute("node").map(str::to_owned),
        })
    }
}

/// §5, §6: the address of the service is required.
fn service(payload: &Element) -> Result<Jid, StanzaError> {
    let jid = payload.attribute("jid").ok_or(Condition::BadRequest)?;
    Jid::parse(jid).map_err(|_| Condition::JidMalformed.into())
}

/// §5: options are a submitted form of their own kind.
fn submitted(form: Form) -> Result<Element, StanzaError> {
    let is_submitted = form.form_type == FormType::Submit && form.kind() == Some(PUBLISH_OPTIONS);
    let error = || StanzaError::new(Condition::BadRequest).with_text("no publish options");
    is_submitted.then(|| form.to_element()).ok_or_else(error)
}

// === impl Waiting ===

impl Waiting for Caller {
    /// §7, if one of the messages is worth it: several that wait at once are one notification for each device, which
    /// tells how many wait, and of the last.
    fn waits(&self, messages: &[WaitingMessage<'_>], account: AccountView<'_>) -> Vec<Order> {
        let Some(services) = account.kept.get::<Services>() else {
            return Vec::new();
        };
        let wakes = |message: &&WaitingMessage<'_>| {
            Treatment::of(message.stanza, Side::Recipient).push != Wakes::No
        };
        let Some(message) = messages.iter().rfind(wakes).copied() else {
            return Vec::new();
        };
        let content = Content::of(message.stanza.names());
        let summary = summary(message, content, &self.config);
        let mut pending = pending(account.kept);
        let mut orders = Vec::with_capacity(services.len() + 1);
        for (number, (target, options)) in services.iter().enumerate() {
            // The id of the row is known to nobody who could answer for the service.
            let id = format!("{ID}-{}-{number}", message.row);
            orders.push(Order::Send(publish(
                &id,
                account.jid,
                target,
                options,
                &summary,
            )));
            self.notified.of(Notified::Sent).increment();
            if pending.expect(id, target.clone()) {
                self.notified.of(Notified::Unanswered).increment();
            }
        }
        orders.push(Order::Keep(Keep::about_sessions(Some(pending))));
        orders
    }

    /// §7.1: a service that answers with an error is disabled, unless it asks to be tried again.
    fn answered(
        &self,
        from: &Jid,
        id: &str,
        answer: Result<(), &StanzaError>,
        account: AccountView<'_>,
    ) -> Vec<Order> {
        let mut pending = pending(account.kept);
        let Some(target) = pending.answered(from, id) else {
            return Vec::new();
        };
        let mut orders = vec![Order::Keep(Keep::about_sessions(pending.or_none()))];
        let outcome = match answer {
            Ok(()) => Notified::Taken,
            Err(error) if error.error_type == ErrorType::Wait => Notified::Deferred,
            Err(error) => {
                let mut services = enabled(account.kept);
                if services.contains(&target) {
                    tracing::debug!(account = %account.jid, service = %target.jid, condition = error.condition.as_str(), "a push service is disabled");
                    services.disable(&target);
                    orders.push(Order::Store(DataUpdate {
                        account: account.jid.clone(),
                        writes: vec![target.disable()],
                        limit: self.bytes_per_account,
                    }));
                    orders.push(Order::Keep(Keep::new(services.or_none())));
                }
                Notified::Disabled
            }
        };
        self.notified.of(outcome).increment();
        orders
    }
}

fn pending(kept: &Kept) -> Pending {
    kept.get().cloned().unwrap_or_default()
}
