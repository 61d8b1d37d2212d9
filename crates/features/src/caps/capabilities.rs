//! What clients can do, by session: for features that want to know (XEP-0115 §8.2, XEP-0163 §4.2).

use std::sync::Arc;

use rookery_extension::{AccountView, SessionData};
use rookery_stanza::Jid;

use super::announcement::Announcement;

/// What a client can do, in its own words.
#[derive(Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Sorted, each once.
    features: Box<[Box<str>]>,
}

/// What is known of the available sessions of an account that announced something.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    list: Vec<Arc<Known>>,
}

/// What is known of one.
#[derive(Debug)]
pub(super) struct Known {
    session: Jid,
    pub(super) announcement: Announcement,
    /// What that means. `None` as long as its client has not answered, or when its answer was no good.
    capabilities: Option<Arc<Capabilities>>,
}

/// What the client of an available session of the account can do. `None`: it does not say, it has not
/// answered yet, or its answer was not what it announced.
pub fn of_session<'a>(account: AccountView<'a>, session: &Jid) -> Option<&'a Capabilities> {
    let known = account.kept.get::<Sessions>()?.get(session)?;
    known.capabilities.as_deref()
}

// === impl Capabilities ===

impl Capabilities {
    /// Whether it has this feature.
    pub fn has(&self, feature: &str) -> bool {
        let found = self.features.binary_search_by(|have| (**have).cmp(feature));
        found.is_ok()
    }

    /// Whether it wants to be notified about a node (XEP-0163 §4.2, XEP-0060 §9.2).
    pub fn wants_notifications(&self, node: &str) -> bool {
        let wanted = || node.bytes().chain(*b"+notify");
        let found = self
            .features
            .binary_search_by(|have| have.bytes().cmp(wanted()));
        found.is_ok()
    }

    /// All features, in the order of their octets.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| &**feature)
    }

    /// The bytes that it takes in memory, roughly.
    pub(super) fn size(&self) -> usize {
        let each = 2 * size_of::<Box<str>>();
        let texts = self.features.iter().map(|feature| each + feature.len());
        texts.sum()
    }
}

impl<'a> FromIterator<&'a str> for Capabilities {
    fn from_iter<T: IntoIterator<Item = &'a str>>(features: T) -> Self {
        let mut features: Vec<Box<str>> = features.into_iter().map(Into::into).collect();
        features.sort_unstable();
        features.dedup();
        let features = features.into();
        Self { features }
    }
}

// === impl Sessions ===

impl SessionData for Sessions {}

impl Sessions {
    pub(super) fn get(&self, session: &Jid) -> Option<&Known> {
        let mut list = self.list.iter();
        list.find(|known| known.session == *session)
            .map(|known| &**known)
    }

    /// The same, with this about a session.
    pub(super) fn with(
        &self,
        session: &Jid,
        announcement: Announcement,
        capabilities: Option<Arc<Capabilities>>,
    ) -> Self {
        let mut sessions = self.without(session);
        sessions.list.push(Arc::new(Known {
            session: session.clone(),
            announcement,
            capabilities,
        }));
        sessions
    }

    /// The same, with nothing about a session.
    pub(super) fn without(&self, session: &Jid) -> Self {
        let others = self.list.iter().filter(|known| known.session != *session);
        Self {
            list: others.cloned().collect(),
        }
    }

    /// `None` when nothing is known of any session.
    pub(super) fn unless_empty(self) -> Option<Self> {
        (!self.list.is_empty()).then_some(self)
    }
}
