//! What becomes of stanzas that a list does not let pass (XEP-0016 §2.14).

use rookery_extension::{AccountView, SessionView, StanzaFilter, Verdict};
use rookery_stanza::{Condition, ErrorType, Jid, Kind, PresenceType, Stanza, StanzaError};

use super::list::{Action, Traffic};
use super::rules::{Lists, active, decide};
use crate::blocking::{self, filter::keep_out};

/// Holds stanzas to the lists of an account.
#[derive(Debug)]
pub(super) struct Filter;

// === impl StanzaFilter ===

impl StanzaFilter for Filter {
    /// It is not routed but returned; what may not be returned, since it is an answer, goes nowhere.
    fn outbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        let Some(to) = &stanza.to else {
            return Verdict::Pass; // a broadcast, which shows_presence is asked about
        };
        let traffic = match stanza.kind {
            Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => {
                Traffic::PresenceOut
            }
            _ => Traffic::Other,
        };
        if decide(traffic, to, stanza.from.as_ref(), account) == Action::Allow {
            return Verdict::Pass;
        }
        match stanza.kind {
            kind if kind.is_error() => Verdict::Ignore,
            Kind::Iq(_) if !stanza.is_request() => Verdict::Ignore,
            _ => Verdict::Refuse(StanzaError {
                error_type: ErrorType::Cancel,
                ..StanzaError::new(Condition::NotAcceptable)
            }),
        }
    }

    fn inbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        let Some(from) = &stanza.from else {
            return Verdict::Pass;
        };
        if is_judged_later(stanza, account) {
            return Verdict::Pass;
        }
        match decide(incoming(stanza.kind), from, stanza.to.as_ref(), account) {
            Action::Allow => Verdict::Pass,
            Action::Deny => keep_out(stanza),
        }
    }

    fn judges_sessions(&self, account: AccountView<'_>) -> bool {
        is_any_active(account)
    }

    /// By the list that is active in a session, or else the default one (§2.2, rules 1 and 2).
    fn reaches(
        &self,
        stanza: &Stanza,
        session: Option<SessionView<'_>>,
        account: AccountView<'_>,
    ) -> bool {
        let Some(from) = &stanza.from else {
            return true;
        };
        let session = session.map(|session| session.jid);
        decide(incoming(stanza.kind), from, session, account) == Action::Allow
    }

    /// An account answers no probes of, and sends none to, whom it keeps out altogether; a session in which a list
    /// is active may want to.
    fn shares_presence(&self, with: &Jid, account: AccountView<'_>) -> bool {
        decide(Traffic::Other, with, None, account) == Action::Allow || is_any_active(account)
    }

    fn shows_presence(&self, of: SessionView<'_>, to: &Jid, account: AccountView<'_>) -> bool {
        let Some(lists) = account.kept.get::<Lists>() else {
            return true;
        };
        blocking::is_own(account.jid, to)
            || lists.applying(active(&of)).is_none_or(|list| {
                list.decide(Traffic::PresenceOut, to, account.roster) == Action::Allow
            })
    }
}

/// What a stanza that comes in is.
fn incoming(kind: Kind) -> Traffic {
    match kind {
        Kind::Message(_) => Traffic::Message,
        Kind::Iq(_) => Traffic::Iq,
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => Traffic::PresenceIn,
        Kind::Presence(_) => Traffic::Other,
    }
}

/// Whether a stanza is for the account as a whole, and each of its sessions is asked whether it gets it: messages, and
/// presence, where a list is active in any.
pub(crate) fn is_judged_later(stanza: &Stanza, account: AccountView<'_>) -> bool {
    let is_for_sessions = matches!(
        stanza.kind,
        Kind::Message(_) | Kind::Presence(PresenceType::Available | PresenceType::Unavailable)
    );
    let has_session = |to: &Jid| account.session(to).is_some();
    is_for_sessions && is_any_active(account) && !stanza.to.as_ref().is_some_and(has_session)
}

/// Whether a list is active in any session.
pub(crate) fn is_any_active(account: AccountView<'_>) -> bool {
    let mut any = false;
    account
        .sessions
        .each(&mut |session| any |= active(&session).is_some());
    any
}
