//! The registry that features attach to, and its frozen form.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use rookery_stanza::{Condition, Jid, Stanza, StanzaError};
use rookery_storage::{Datum, StoreError};
use rookery_xml::Element;

use crate::Feature;
use crate::account::{AccountData, AccountView, Keep, Kept};
use crate::account_node::AccountNode;
use crate::archiving::Archiving;
use crate::before_login::BeforeLogin;
use crate::filter::{StanzaFilter, Verdict};
use crate::host::Host;
use crate::host_handler::HostHandler;
use crate::iq::{Answer, Erase, ErasedIqHandler, IqContext, IqHandler, IqRequest};
use crate::order::Order;
use crate::session_events::{PresenceEvent, SessionEvents};
use crate::sessions::SessionView;
use crate::spec::Spec;
use crate::stream_feature::{Stage, StreamFeature};
use crate::waiting::{Waiting, WaitingMessage};

/// Why the features do not fit together; found at start, never later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two handlers want the same requests.
    #[error("two features answer {{{namespace}}}{name}; the second is {feature}")]
    Taken {
        /// The payload's namespace.
        namespace: &'static str,
        /// The payload's name.
        name: &'static str,
        /// The feature that came second.
        feature: &'static str,
    },
    /// Two features keep records of the same kind.
    #[error("two features keep records of the kind {kind:?}; the second is {feature}")]
    Kind {
        /// The kind.
        kind: &'static str,
        /// The feature that came second.
        feature: &'static str,
    },
    /// Two features have the same name.
    #[error("the feature {0} is installed twice")]
    Twice(&'static str),
}

/// Takes what features attach.
#[derive(Default)]
pub struct Registry {
    inner: Inner,
    installing: &'static str,
    error: Option<RegistryError>,
}

/// Everything that is installed; cheap to clone.
#[derive(Clone, Default)]
pub struct Features {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    specs: Vec<Spec>,
    iq: HashMap<(&'static str, &'static str), Box<dyn ErasedIqHandler>>,
    stream: Vec<Box<dyn StreamFeature>>,
    before_login: Vec<Box<dyn BeforeLogin>>,
    filters: Vec<Box<dyn StanzaFilter>>,
    events: Vec<Box<dyn SessionEvents>>,
    host: Vec<Box<dyn HostHandler>>,
    archiving: Vec<Box<dyn Archiving>>,
    account_nodes: Vec<Box<dyn AccountNode>>,
    waiting: Vec<Box<dyn Waiting>>,
    kinds: Vec<&'static str>,
    readers: Vec<ReadData>,
}

/// Makes what a feature keeps for an account from the records of its kind.
type ReadData = fn(&[Datum]) -> Result<Keep, StoreError>;

// === impl Registry ===

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Installs a feature.
    pub fn install(&mut self, feature: Box<dyn Feature>) {
        let spec = feature.spec();
        if self.inner.specs.iter().any(|other| other.name == spec.name) {
            self.refuse(RegistryError::Twice(spec.name));
            return;
        }
        self.installing = spec.name;
        self.inner.specs.push(spec);
        feature.install(self);
    }

    /// Attaches a handler of IQ requests.
    pub fn iq<H: IqHandler>(&mut self, handler: H) {
        let (namespace, name) = (H::Request::NAMESPACE, H::Request::NAME);
        let handler = Box::new(Erase(handler));
        if self.inner.iq.insert((namespace, name), handler).is_some() {
            let feature = self.installing;
            self.refuse(RegistryError::Taken {
                namespace,
                name,
                feature,
            });
        }
    }

    /// Attaches an announcement among the stream features.
    pub fn stream_feature(&mut self, feature: impl StreamFeature) {
        self.inner.stream.push(Box::new(feature));
    }

    /// Attaches requests of clients that have not authenticated.
    pub fn before_login(&mut self, handler: impl BeforeLogin) {
        self.inner.before_login.push(Box::new(handler));
    }

    /// Attaches a filter of stanzas, behind those that are attached already.
    pub fn filter(&mut self, filter: impl StanzaFilter) {
        self.inner.filters.push(Box::new(filter));
    }

    /// Attaches somebody who follows the presence of sessions.
    pub fn session_events(&mut self, events: impl SessionEvents) {
        self.inner.events.push(Box::new(events));
    }

    /// Attaches a handler of messages and presence to a host.
    pub fn host_handler(&mut self, handler: impl HostHandler) {
        self.inner.host.push(Box::new(handler));
    }

    /// Attaches somebody who decides with whom messages are archived.
    pub fn archiving(&mut self, archiving: impl Archiving) {
        self.inner.archiving.push(Box::new(archiving));
    }

    /// Attaches a node of accounts.
    pub fn account_node(&mut self, node: impl AccountNode) {
        self.inner.account_nodes.push(Box::new(node));
    }

    /// Attaches somebody who hears of messages that wait.
    pub fn waiting(&mut self, waiting: impl Waiting) {
        self.inner.waiting.push(Box::new(waiting));
    }

    /// Has something kept in memory for each account.
    pub fn account_data<T: AccountData>(&mut self) {
        if self.inner.kinds.contains(&T::KIND) {
            let (kind, feature) = (T::KIND, self.installing);
            return self.refuse(RegistryError::Kind { kind, feature });
        }
        self.inner.kinds.push(T::KIND);
        self.inner
            .readers
            .push(|records| T::read(records).map(Keep::new));
    }

    /// Remembers the first thing that does not fit.
    fn refuse(&mut self, error: RegistryError) {
        self.error.get_or_insert(error);
    }

    /// Ends installation.
    pub fn freeze(self) -> Result<Features, RegistryError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Features {
                inner: Arc::new(self.inner),
            }),
        }
    }
}

// === impl Features ===

impl Features {
    /// What is installed, in order.
    pub fn specs(&self) -> &[Spec] {
        &self.inner.specs
    }

    /// Answers a request, or `None` when nothing understands it, or nothing answers it on behalf of the
    /// addressee: `service-unavailable`.
    ///
    /// A feature that fails by a mistake of its own costs its requester an `internal-server-error`, and
    /// nobody else anything.
    pub fn answer(&self, payload: &Element, context: IqContext<'_>) -> Option<Answer> {
        let handler = self.inner.iq.get(&(payload.namespace(), payload.name()))?;
        let answer = AssertUnwindSafe(|| handler.handle(payload, context));
        match catch_unwind(answer) {
            Ok(Some(Answer::Later(future))) => {
                let contained = AssertUnwindSafe(future).catch_unwind();
                Some(Answer::Later(
                    contained
                        .map(|answer| answer.unwrap_or_else(failed))
                        .boxed(),
                ))
            }
            Ok(Some(Answer::Ordered(future))) => {
                let contained = AssertUnwindSafe(future).catch_unwind();
                Some(Answer::Ordered(
                    contained
                        .map(|outcome| outcome.unwrap_or_else(|panic| failed(panic).into()))
                        .boxed(),
                ))
            }
            Ok(Some(Answer::Results(results))) => Some(Answer::Results(results.contained(failed))),
            Ok(answer) => answer,
            Err(panic) => Some(Answer::Now(failed(panic))),
        }
    }

    /// Who answers service discovery about a node of accounts.
    pub fn account_node(&self, node: &str) -> Option<&dyn AccountNode> {
        let mut nodes = self.inner.account_nodes.iter().map(AsRef::as_ref);
        nodes.find(|known| known.node() == node)
    }

    /// The elements to announce among the stream features.
    pub fn stream_features(&self, stage: Stage, host: &Host) -> Vec<Element> {
        let features = self.inner.stream.iter();
        features
            .filter_map(|feature| feature.advertise(stage, host, self))
            .collect()
    }
}

/// What the home of an account asks the features.
impl Features {
    /// The kinds of records that are read with an account.
    pub fn data_kinds(&self) -> &[&'static str] {
        &self.inner.kinds
    }

    /// What is kept for an account that has these records.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn keep(&self, records: &[Datum]) -> Result<Kept, StoreError> {
        let mut kept = Kept::default();
        for (kind, read) in self.inner.kinds.iter().zip(&self.inner.readers) {
            let mut of_kind = records.chunk_by(|one, other| one.kind == other.kind);
            let mine = of_kind
                .find(|records| records.first().is_some_and(|datum| datum.kind == *kind))
                .unwrap_or_default();
            if !mine.is_empty() {
                let mistake = |_| Err(StoreError::Corrupt(format!("reading {kind} failed")));
                let read = catch_unwind(|| read(mine)).unwrap_or_else(mistake);
                kept.apply(read?);
            }
        }
        Ok(kept)
    }

    /// What the filters say of a stanza that a client of the account sent.
    pub fn outbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        self.ask_filters(|filter| filter.outbound(stanza, account))
    }

    /// What the filters say of a stanza for the account.
    pub fn inbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        self.ask_filters(|filter| filter.inbound(stanza, account))
    }

    /// Whether the sessions of the account are judged each for itself, by [`reaches`](Self::reaches). A filter that fails
    /// does.
    pub fn judges_sessions(&self, account: AccountView<'_>) -> bool {
        self.inner.filters.iter().any(|filter| {
            let asked = || filter.judges_sessions(account);
            catch_unwind(AssertUnwindSafe(asked)).unwrap_or(true)
        })
    }

    /// Whether a message or presence for the account as a whole reaches this session; without one, whether it is kept
    /// for later. A filter that fails keeps it back.
    pub fn reaches(
        &self,
        stanza: &Stanza,
        session: Option<SessionView<'_>>,
        account: AccountView<'_>,
    ) -> bool {
        self.inner.filters.iter().all(|filter| {
            let asked = || filter.reaches(stanza, session, account);
            catch_unwind(AssertUnwindSafe(asked)).unwrap_or(false)
        })
    }

    /// Whether presence passes between the account and an address. A filter that fails keeps it back.
    pub fn shares_presence(&self, with: &Jid, account: AccountView<'_>) -> bool {
        self.inner.filters.iter().all(|filter| {
            let asked = || filter.shares_presence(with, account);
            catch_unwind(AssertUnwindSafe(asked)).unwrap_or(false)
        })
    }

    /// Whether messages that the account exchanges with this address are archived: if nothing that is installed
    /// keeps them out.
    pub fn archives(&self, contact: &Jid, host: &Host, account: AccountView<'_>) -> bool {
        self.inner.archiving.iter().all(|archiving| {
            let asked = || archiving.archives(contact, host, account);
            catch_unwind(AssertUnwindSafe(asked)).unwrap_or(false)
        })
    }

    /// Whether an address gets the presence that a session broadcasts. A filter that fails keeps it back.
    pub fn shows_presence(&self, of: SessionView<'_>, to: &Jid, account: AccountView<'_>) -> bool {
        self.inner.filters.iter().all(|filter| {
            let asked =
                || filter.shares_presence(to, account) && filter.shows_presence(of, to, account);
            catch_unwind(AssertUnwindSafe(asked)).unwrap_or(false)
        })
    }

    /// Asks filter after filter, until one does not let the stanza pass.
    fn ask_filters(&self, mut ask: impl FnMut(&dyn StanzaFilter) -> Verdict) -> Verdict {
        for filter in &self.inner.filters {
            let asked = AssertUnwindSafe(|| ask(&**filter));
            let verdict = catch_unwind(asked)
                .unwrap_or_else(|_| Verdict::Refuse(Condition::InternalServerError.into()));
            if verdict != Verdict::Pass {
                return verdict;
            }
        }
        Verdict::Pass
    }

    /// What the features want done about presence that was broadcast.
    pub fn presence(&self, event: PresenceEvent<'_>, account: AccountView<'_>) -> Vec<Order> {
        self.react(|events| events.presence(event, account))
    }

    /// What the features want done about a client's answer to a question.
    pub fn answered(
        &self,
        session: &Jid,
        tag: &str,
        answer: &Result<Option<Element>, StanzaError>,
        account: AccountView<'_>,
    ) -> Vec<Order> {
        self.react(|events| events.answered(session, tag, answer, account))
    }

    /// The orders of all; one that fails orders nothing.
    fn react(&self, ask: impl Fn(&dyn SessionEvents) -> Vec<Order>) -> Vec<Order> {
        let events = self.inner.events.iter();
        events
            .flat_map(|events| {
                catch_unwind(AssertUnwindSafe(|| ask(&**events))).unwrap_or_default()
            })
            .collect()
    }

    /// What the features want done about messages that wait for the account.
    pub fn waits(&self, messages: &[WaitingMessage<'_>], account: AccountView<'_>) -> Vec<Order> {
        self.call(|waiting| waiting.waits(messages, account))
    }

    /// What the features want done about an answer from somebody who is not of the account.
    pub fn answered_from_outside(
        &self,
        from: &Jid,
        id: &str,
        answer: Result<(), &StanzaError>,
        account: AccountView<'_>,
    ) -> Vec<Order> {
        self.call(|waiting| waiting.answered(from, id, answer, account))
    }

    /// The orders of all who hear of what waits; one that fails orders nothing.
    fn call(&self, ask: impl Fn(&dyn Waiting) -> Vec<Order>) -> Vec<Order> {
        let waiting = self.inner.waiting.iter();
        waiting
            .flat_map(|waiting| {
                catch_unwind(AssertUnwindSafe(|| ask(&**waiting))).unwrap_or_default()
            })
            .collect()
    }

    /// What is sent in place of a stanza to a host, an error for its sender, or `None` when nothing
    /// understands it.
    pub fn to_host(
        &self,
        stanza: &Stanza,
        host: &Arc<Host>,
        account: AccountView<'_>,
    ) -> Option<Result<Vec<Stanza>, StanzaError>> {
        self.inner.host.iter().find_map(|handler| {
            let handled = AssertUnwindSafe(|| handler.handle(stanza, host, account));
            catch_unwind(handled)
                .unwrap_or_else(|_| Some(Err(Condition::InternalServerError.into())))
        })
    }

    /// Who answers requests of this namespace on a host before a client has authenticated.
    pub fn before_login(
        &self,
        namespace: &str,
        host: &Host,
        secure: bool,
    ) -> Option<&dyn BeforeLogin> {
        self.open_before_login(host, secure)
            .find(|handler| handler.namespace() == namespace)
    }

    /// The elements to announce among the stream features for what may be asked on a host before a client
    /// has authenticated.
    pub fn announced_before_login(&self, host: &Host, secure: bool) -> Vec<Element> {
        self.open_before_login(host, secure)
            .map(BeforeLogin::announcement)
            .collect()
    }

    fn open_before_login(
        &self,
        host: &Host,
        secure: bool,
    ) -> impl Iterator<Item = &dyn BeforeLogin> {
        let handlers = self.inner.before_login.iter().map(AsRef::as_ref);
        handlers.filter(move |handler| handler.is_open(host, secure))
    }
}

/// What the requester of a feature that failed is told. The failure itself was logged where it happened.
fn failed(_: Box<dyn Any + Send>) -> Result<Option<Element>, StanzaError> {
    Err(StanzaError::new(Condition::InternalServerError))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("installed", &self.inner.specs.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Features")
            .field("installed", &self.inner.specs.len())
            .finish_non_exhaustive()
    }
}
