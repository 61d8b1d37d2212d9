//! The home of one account: everything that it sends and everything addressed to it, in one order.
//!
//! [`Account`] is a pure state machine. [`Account::handle`] takes what happened and answers with what to do
//! ([`Step`]); nothing that depends on a write leaves before the write is durable. Whoever runs it hands
//! in nothing more for this account while the store works.
//!
//! * `outbound`: what the account's own clients send (RFC 6120 §10.3, RFC 6121 §4.6.3);
//! * `host`: what comes for a host from elsewhere (RFC 6120 §10.5.1, §10.5.2);
//! * `inbound`: what comes for the account (RFC 6121 §8.5), with `message`, `iq`, `presence`, `probe`;
//! * `roster` (RFC 6121 §2) and `subscription` (RFC 6121 §3, Appendix A);
//! * `appending`: what goes into the account's log before it leaves; `owed`: what clients have not confirmed
//!   (XEP-0160); `carbons` (XEP-0280);
//! * `bind` (RFC 6120 §7), `survey` (XEP-0386), `detached` (XEP-0198 §5), `undelivered`;
//! * `orders`: what features want done; `waiting`: what they are told of messages that wait.

mod appending;
mod bind;
mod carbons;
mod detached;
mod durable;
mod effect;
mod host;
mod inbound;
mod input;
mod iq;
mod message;
mod orders;
mod outbound;
mod owed;
mod presence;
mod probe;
mod roster;
mod sessions;
#[cfg(feature = "simulation")]
pub mod simulation;
mod subscription;
mod survey;
#[cfg(test)]
mod tests;
mod undelivered;
mod waiting;

use rookery_archive::copied::CopiedMessages;
use rookery_delivery::SessionId;
use rookery_extension::{Features, Host, Hosts, Kept};
use rookery_stanza::{BareJid, Jid};
use rookery_storage::AccountState;
use rookery_storage::message_log::Tail;

pub(crate) use appending::Append;
pub(crate) use durable::Stored;
pub(crate) use effect::{Answered, Change, Effect, Effects, Step, Write, messages};
pub(crate) use input::{Bind, Fallen, Input};
pub(crate) use owed::PAGE;
pub(crate) use survey::Survey;

use crate::config::Config;
use appending::Ingress;
use bind::Pending;
use owed::Owed;
use roster::Roster;
use sessions::Sessions;

/// What accounts know of the world around them.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) config: Config,
    pub(crate) hosts: Hosts,
    pub(crate) features: Features,
}

/// The rules, and the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) rules: &'a Rules,
    /// Wall time in unix milliseconds.
    pub(crate) now: u64,
    /// Somebody may be told that the stanza in hand is settled: it has to be durable then.
    pub(crate) promised: bool,
}

/// Whether there is such an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not known: the store was not asked, or failed.
    Unknown,
    /// It is in the store.
    Stored,
    /// An anonymous login (RFC 4505): it lives as long as its sessions, and nothing is stored for it.
    Guest,
    /// There is none.
    Missing,
}

/// An account.
#[derive(Debug)]
pub(crate) struct Account {
    jid: BareJid,
    standing: Standing,
    roster: Roster,
    sessions: Sessions,
    pending: Vec<Pending>,
    owed: Owed,
    /// The messages of late that were copied to other clients, once there were any.
    copied: Option<Box<CopiedMessages>>,
    ingress: Ingress,
    /// What the features keep for it.
    kept: Kept,
    /// How many roster pushes were made.
    pushes: u64,
    /// When the last resource became unavailable, in unix milliseconds.
    last_unavailable: Option<u64>,
}

// === impl Account ===

impl Account {
    /// An account of which nothing is known yet. `ingress` is a number that no other account has or had, by
    /// which the messages are recognised that it sends.
    pub(crate) fn new(jid: BareJid, ingress: u64) -> Self {
        Self {
            jid,
            standing: Standing::Unknown,
            roster: Roster::default(),
            sessions: Sessions::default(),
            pending: Vec::new(),
            owed: Owed::default(),
            copied: None,
            ingress: Ingress::new(ingress),
            kept: Kept::default(),
            pushes: 0,
            last_unavailable: None,
        }
    }

    /// Its address.
    pub(crate) fn jid(&self) -> &BareJid {
        &self.jid
    }

    /// Takes what the store has for this account; `None` when there is no such account.
    pub(crate) fn load(&mut self, stored: Option<(AccountState, Kept, Tail)>) {
        self.standing = match (&stored, self.standing) {
            (Some(_), _) => Standing::Stored,
            (None, Standing::Guest) => Standing::Guest,
            (None, _) => Standing::Missing,
        };
        // While sessions of a removed account end, their contacts are still told.
        if stored.is_some() || self.is_idle() {
            let (state, kept, tail) = stored.unwrap_or_default();
            self.roster = Roster::from(state.roster);
            self.owed.found(tail);
            self.kept.read_again(kept);
        }
    }

    /// Whether its data have been read.
    pub(crate) fn is_loaded(&self) -> bool {
        self.standing != Standing::Unknown
    }

    /// Whether it can be let go without loss: it has no session, and nobody waits to bind.
    pub(crate) fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.pending.is_empty()
    }

    /// Whether it is worth keeping while it is idle.
    pub(crate) fn is_stored(&self) -> bool {
        self.standing == Standing::Stored
    }

    /// The sessions that it has, and those that wait for a resource.
    pub(crate) fn session_ids(&self) -> (Vec<SessionId>, Vec<SessionId>) {
        let bound = self.sessions.iter().map(|session| session.key.id);
        let waiting = self.pending.iter().map(|pending| pending.session);
        (bound.collect(), waiting.collect())
    }

    /// The session that has this full JID.
    pub(crate) fn session_at(&self, jid: &Jid) -> Option<SessionId> {
        self.sessions.at(jid).map(|session| session.key.id)
    }

    /// Handles one input.
    pub(crate) fn handle(&mut self, input: Input, scene: &Scene<'_>, step: &mut Step) {
        #[cfg(test)]
        tests::mistake(&input);
        match input {
            Input::Sent { session, stanza } => self.sent(&session, stanza, scene, step),
            Input::Received(stanza, ingress) => self.received(stanza, ingress, scene, step),
            Input::Probed { from } => self.probed(&from, scene, step.now()),
            Input::Bind(bind) => self.bind(bind, scene, step),
            Input::Unbound {
                session,
                undelivered,
            } => {
                self.unbound(&session, undelivered, scene, step);
            }
            Input::Detached { session, waiting } => self.detached(session, waiting, scene, step),
            Input::Resumed(session) => self.resumed(session, step),
            Input::Confirmed { session, rows } => self.confirmed(session, rows, step),
            Input::Refused {
                session,
                why,
                batch,
            } => self.refused(session, why, batch, scene, step),
            Input::Expired(session) => self.expired(session, scene, step),
            Input::Fallen(sessions) => self.fallen(sessions, scene, step),
        }
    }

    /// Whether there is an account, stored or anonymous.
    fn exists(&self) -> bool {
        matches!(self.standing, Standing::Stored | Standing::Guest)
    }

    /// The host of the account.
    fn host<'a>(&self, scene: &Scene<'a>) -> Option<&'a std::sync::Arc<Host>> {
        scene.rules.hosts.get(self.jid.domain())
    }

    /// Whether `jid` is one of the account's own addresses.
    fn is_own(&self, jid: &Jid) -> bool {
        jid.bare_str() == self.jid.as_str()
    }
}
