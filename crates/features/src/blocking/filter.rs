//! What becomes of stanzas to and from those who are blocked (§3.3).

use rookery_extension::{AccountView, SessionView, StanzaFilter, Verdict};
use rookery_stanza::{Condition, Jid, Kind, MessageType, Stanza, StanzaError};
use rookery_telemetry::{CounterFamily, Registry, label};
use rookery_xml::Element;

use super::list::{BlockList, is_own};
use crate::privacy_lists::{self, replaces_block_list};

/// The namespace of the application-specific condition.
const ERRORS: &str = "urn:xmpp:blocking:errors";

/// Keeps out, and in, what the list of an account covers.
#[derive(Debug)]
pub(super) struct Filter {
    stopped: CounterFamily<Direction>,
}

label! {
    /// Which way a stanza went.
    enum Direction("direction") {
        /// To the account.
        In = "in",
        /// From the account.
        Out = "out",
    }
}

// === impl Filter ===

impl Filter {
    pub(super) fn new(metrics: &Registry) -> Self {
        Self {
            stopped: metrics.counters(
                "blocked_stanzas_total",
                "How many stanzas do block lists stop?",
            ),
        }
    }
}

fn is_blocked(account: AccountView<'_>, jid: &Jid) -> bool {
    let list = account.kept.get::<BlockList>();
    list.is_some_and(|list| list.blocks(jid)) && !is_own(account.jid, jid)
}

impl StanzaFilter for Filter {
    /// §3.3: it is not routed but returned. What may not be returned, since it is an answer, goes nowhere.
    fn outbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        let Some(to) = &stanza.to else {
            return Verdict::Pass; // a broadcast, which shares_presence is asked about
        };
        if !is_blocked(account, to) || is_replaced(account, stanza.from.as_ref()) {
            return Verdict::Pass;
        }
        self.stopped.of(Direction::Out).increment();
        match stanza.kind {
            kind if kind.is_error() => Verdict::Ignore,
            Kind::Iq(_) if !stanza.is_request() => Verdict::Ignore,
            _ => Verdict::Refuse(blocked()),
        }
    }

    /// §3.3: the account looks as if it were offline.
    fn inbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        let Some(from) = &stanza.from else {
            return Verdict::Pass;
        };
        if !is_blocked(account, from)
            || is_replaced(account, stanza.to.as_ref())
            || privacy_lists::is_judged_later(stanza, account)
        {
            return Verdict::Pass;
        }
        self.stopped.of(Direction::In).increment();
        keep_out(stanza)
    }

    fn reaches(
        &self,
        stanza: &Stanza,
        session: Option<SessionView<'_>>,
        account: AccountView<'_>,
    ) -> bool {
        let from = stanza.from.as_ref();
        session.is_some_and(|session| privacy_lists::active(&session).is_some())
            || !from.is_some_and(|from| is_blocked(account, from))
    }

    fn shares_presence(&self, with: &Jid, account: AccountView<'_>) -> bool {
        !is_blocked(account, with) || privacy_lists::is_any_active(account)
    }

    fn shows_presence(&self, of: SessionView<'_>, to: &Jid, account: AccountView<'_>) -> bool {
        !is_blocked(account, to) || privacy_lists::active(&of).is_some()
    }
}

/// Whether the list does not count for a session, since a privacy list is active there (§5; XEP-0016 §2.2).
fn is_replaced(account: AccountView<'_>, session: Option<&Jid>) -> bool {
    session.is_some_and(|session| replaces_block_list(account, session))
}

/// What becomes of what somebody sends that the account keeps out: it looks as if it were offline.
pub(crate) fn keep_out(stanza: &Stanza) -> Verdict {
    match stanza.kind {
        Kind::Message(MessageType::Normal | MessageType::Chat) => unavailable(),
        Kind::Iq(_) if stanza.is_request() => unavailable(),
        // Presence and answers. Of messages: an error in answer to one occupant would put the account
        // out of the whole room, and a headline for somebody who is offline vanishes too (RFC 6121
        // §8.5.2.2).
        _ => Verdict::Ignore,
    }
}

fn unavailable() -> Verdict {
    Verdict::Refuse(Condition::ServiceUnavailable.into())
}

/// The error for whoever writes to somebody that is blocked; the type is that of the example in §3.3.
fn blocked() -> StanzaError {
    StanzaError {
        error_type: rookery_stanza::ErrorType::Cancel,
        application: Some(Box::new(Element::new("blocked", ERRORS))),
        ..StanzaError::new(Condition::NotAcceptable)
    }
}
