//! What a feature wants done at the home of an account.

use rookery_delivery::Close;
use rookery_stanza::{ClientId, Jid, RowId, Stanza, StanzaError};
use rookery_storage::DataUpdate;
use rookery_xml::Element;

use crate::account::Keep;

/// One thing that a feature wants done at the home of the account where it is at work.
#[derive(Clone, Debug)]
pub enum Order {
    /// The feature keeps something else for the account from now on.
    Keep(Keep),
    /// The feature keeps something else for the session that asked, until that ends.
    KeepForSession(Keep),
    /// Write records of the account; nothing waits for it. A failure is logged, and counted with the store's
    /// operations.
    Store(DataUpdate),
    /// The session that asked gets what is pushed about this topic, a namespace, from now on.
    Follow(&'static str),
    /// It no longer does.
    Unfollow(&'static str),
    /// An IQ set with this payload for every session that follows the topic.
    Push {
        /// The topic.
        topic: &'static str,
        /// The payload.
        payload: Element,
    },
    /// An IQ set with this payload for every session.
    PushToAll(Element),
    /// Hand this to the session with this full JID, past everything that filters what comes for the account.
    Tell(Jid, Stanza),
    /// Tell these addresses that every available resource of the account is unavailable.
    Hide(Vec<Jid>),
    /// Send these addresses the presence of every available resource, as far as they may see it.
    Show(Vec<Jid>),
    /// Ask the client of a session; its answer goes to [`SessionEvents::answered`](crate::SessionEvents).
    Ask(Question),
    /// Send a stanza of the account, with its `from` already set.
    Send(Stanza),
    /// A client has removed these rows from what the log of the account owes it (XEP-0013 §2.5).
    Removed(Vec<RowId>),
    /// End all sessions of the account.
    End(Close),
    /// End the sessions of one client of the account.
    EndClient(ClientId, Close),
}

/// A question to the client of a session of the account. Nobody waits for its answer, which may never come.
#[derive(Clone, Debug)]
pub struct Question {
    /// The session's full JID.
    pub session: Jid,
    /// The payload of the IQ get.
    pub payload: Element,
    /// What the feature recognises the answer by; it begins with the feature's name. As long as the client has
    /// not answered, a question with the same tag is not put to it again.
    pub tag: String,
}

/// What came of a request that had to ask the store first.
#[derive(Debug)]
pub struct Outcome {
    /// The payload of the result, if it has one, or an error.
    pub answer: Result<Option<Element>, StanzaError>,
    /// What is done before the answer leaves, in order.
    pub before: Vec<Order>,
    /// What is done after it.
    pub after: Vec<Order>,
}

// === impl Outcome ===

impl From<Result<Option<Element>, StanzaError>> for Outcome {
    fn from(answer: Result<Option<Element>, StanzaError>) -> Self {
        Self {
            answer,
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}
