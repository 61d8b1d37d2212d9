//! The home of an account without actors and time, for the simulation in `tests/simulation`.
//!
//! [`Home`] does around the account what a shard does (`shard/work.rs`): inputs wait while the store works, steps are
//! carried out in order behind their writes, and what the store leaves uncertain is read again. Whoever drives it
//! decides when the store answers, and what becomes of each [`Event`].

mod home;

use rookery_delivery::{BindTerms, Close, Delivery, Permit, Refusal, SessionId, SessionKey};
use rookery_extension::{Features, Hosts};
use rookery_stanza::{BareJid, Jid, RowId, Stanza, StanzaError};
use rookery_storage::message_log::{Appended, NewMessage, Row, Tail};

pub use home::Home;

use super::{Bind, Input, Rules, Scene};
use crate::config::Config;

/// What all homes know of the world around them.
#[derive(Debug)]
pub struct Town {
    rules: Rules,
}

/// Something that comes to a home.
#[derive(Debug)]
pub struct Mail(Input);

/// Something that a home wants done, or says that it did.
#[derive(Debug)]
pub enum Event {
    /// Hand this to a session.
    Deliver(SessionId, Delivery),
    /// Bring this to the home of an account.
    Send(BareJid, Mail),
    /// Ask the store.
    Ask(Job),
    /// Have the log forget that these rows are owed.
    Confirm(Vec<RowId>),
    /// A request to bind is answered.
    Bound(SessionId, Result<Jid, Box<StanzaError>>),
    /// Ask a session to end.
    Close(SessionId, Close),
    /// Bring [`Mail::expired`] when the session had its time to unbind.
    Expire(SessionId),
    /// The session is no longer bound.
    Forget(SessionId),
    /// A message was taken up.
    Accepted,
    /// A message has left.
    Settled,
}

/// What a home asks the store for, in this order.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The end of its log.
    pub load: bool,
    /// These are to be appended.
    pub append: Vec<NewMessage>,
    /// A page of what is owed, after this row.
    #[expect(
        clippy::option_option,
        reason = "whether it reads, and after which row, if after one"
    )]
    pub read: Option<Option<RowId>>,
}

/// What the store answers; nothing to what failed.
#[derive(Debug, Default)]
pub struct Answers {
    /// The end of the log.
    pub tail: Option<Tail>,
    /// What came of each message.
    pub appended: Option<Vec<Appended>>,
    /// The page.
    pub page: Option<Vec<Row>>,
}

/// A session, as its home sees it.
#[derive(Debug)]
pub struct Seat {
    /// Which.
    pub id: SessionId,
    /// Its full JID.
    pub jid: Jid,
    /// It gets copies (XEP-0280).
    pub carbons: bool,
    /// It gets nothing more.
    pub held: bool,
    /// It is behind the cursor of a replay.
    pub behind: bool,
}

/// Events, each with the credit of whoever caused it.
pub type Events = Vec<(Event, Option<Permit>)>;

// === impl Town ===

impl Town {
    /// With these settings, hosts and features.
    pub fn new(config: Config, hosts: Hosts, features: Features) -> Self {
        let rules = Rules {
            config,
            hosts,
            features,
        };
        Self { rules }
    }

    fn scene(&self, now: u64) -> Scene<'_> {
        let rules = &self.rules;
        Scene {
            rules,
            now,
            promised: true,
        }
    }
}

// === impl Mail ===

impl Mail {
    /// A client of the account sent this.
    pub fn sent(session: SessionKey, stanza: Stanza) -> Self {
        Self(Input::Sent { session, stanza })
    }

    /// A client asks for a resource.
    pub fn bind(session: SessionId, resource: &str, terms: BindTerms) -> Self {
        Self(Input::Bind(Bind {
            session,
            resource: Some(resource.to_owned()),
            random: format!("random-{}", session.0),
            terms,
        }))
    }

    /// A session has ended.
    pub fn unbound(session: SessionKey, undelivered: Vec<Delivery>) -> Self {
        Self(Input::Unbound {
            session,
            undelivered,
        })
    }

    /// A session has lost its connection, and this waits with it.
    pub fn detached(session: SessionId, waiting: Vec<Delivery>) -> Self {
        Self(Input::Detached { session, waiting })
    }

    /// A session has a connection again.
    pub fn resumed(session: SessionId) -> Self {
        Self(Input::Resumed(session))
    }

    /// A client has these rows.
    pub fn confirmed(session: SessionId, rows: Vec<RowId>) -> Self {
        Self(Input::Confirmed { session, rows })
    }

    /// A session did not take this.
    pub fn refused(session: SessionId, why: Refusal, batch: Vec<Delivery>) -> Self {
        Self(Input::Refused {
            session,
            why,
            batch,
        })
    }

    /// A session had its time to unbind.
    pub fn expired(session: SessionId) -> Self {
        Self(Input::Expired(session))
    }

    /// How many messages are in flight as long as this has not been handled.
    pub fn messages(&self) -> i64 {
        self.0.messages()
    }

    /// Whether this means something to an account without sessions. What does not is dropped.
    pub fn concerns_absent(&self) -> bool {
        self.0.concerns_absent()
    }

    /// What comes for the account.
    pub fn received(&self) -> Option<&Stanza> {
        match &self.0 {
            Input::Received(stanza, _) => Some(stanza),
            _ => None,
        }
    }
}
