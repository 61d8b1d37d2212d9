//! What the account is owed: rows of its log that no client has confirmed yet (XEP-0160; XEP-0198 §4).
//!
//! A row that some session was handed waits for that session, or for another that has it too. A row that no session has
//! is left: when a resource takes messages (available, with a priority of at least 0), what is left is read page by page
//! and handed to it; the next page is read when the client has the one before. Until the last page, a new message for
//! that resource is only appended, and comes in its turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rookery_delivery::{Custody, Delivery, SessionId};
use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_stanza::{RowId, Stanza, ns};
use rookery_storage::OfflineLimit;
use rookery_storage::message_log::{self, Row, Tail};

use super::effect::{Change, Effect, Step, Write};
use super::sessions::Session;
use super::{Account, Standing, durable};

/// Rows read at once.
pub(crate) const PAGE: usize = 64;

/// Bytes handed over at once; a page that has more is read in several goes.
const PAGE_BYTES: usize = 256 * 1024;

/// Rows of which is remembered that features have heard; of older ones they may hear again.
const TOLD: usize = 1000;

/// Rows that clients have and the log could not note: of so many is remembered that they need not come again.
const UNNOTED: usize = 1000;

/// Rows that a session was handed and has not confirmed, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed(VecDeque<RowId>);

/// What is known of the rows that are owed and that no session has.
#[derive(Debug, Default)]
pub(super) struct Owed {
    /// There may be some that the replay under way has passed, or there is none.
    left: bool,
    /// About how many there are.
    rows: u64,
    /// About how many bytes they have, as far as that is known: of those that were there before the account came into
    /// memory it is not.
    bytes: u64,
    /// They are being handed over.
    replay: Option<Replay>,
    /// Rows that are owed and for which features have called clients.
    told: BTreeSet<RowId>,
    /// Rows that clients have, and that the log could not note yet.
    unnoted: BTreeSet<RowId>,
}

#[derive(Debug)]
struct Replay {
    /// To whom.
    session: SessionId,
    /// The last row that was read.
    after: Option<RowId>,
    /// There may be rows after it.
    more: bool,
    /// It begins when sessions that end have returned what they had, which comes first.
    waits: bool,
    /// Rows after it that other sessions were handed in the meantime, and whether a client of those has it: they are
    /// owed until this session has them as well.
    shared: BTreeMap<RowId, bool>,
}

// === impl Unconfirmed ===

impl Unconfirmed {
    fn add(&mut self, row: RowId) {
        // Mostly it is the last.
        if self.0.back().is_none_or(|last| *last < row) {
            self.0.push_back(row);
        } else if let Err(at) = self.0.binary_search(&row) {
            self.0.insert(at, row);
        }
    }

    fn remove(&mut self, row: RowId) {
        // Mostly it is the first.
        if self.0.front() == Some(&row) {
            self.0.pop_front();
        } else if let Ok(at) = self.0.binary_search(&row) {
            self.0.remove(at);
        }
    }

    pub(super) fn contains(&self, row: RowId) -> bool {
        self.0.binary_search(&row).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them is `row` or before it.
    fn reaches(&self, row: RowId) -> bool {
        self.0.front().is_some_and(|first| *first <= row)
    }
}

// === impl Owed ===

impl Owed {
    /// Notes what the end of the log says.
    pub(super) fn found(&mut self, tail: Tail) {
        self.left = tail.owed > 0;
        self.rows = tail.owed;
        if !self.left {
            self.bytes = 0;
        }
    }

    /// Whether rows that are left are still to be handed to this session.
    pub(super) fn is_before(&self, session: SessionId) -> bool {
        self.replay
            .as_ref()
            .is_some_and(|replay| replay.session == session && replay.more)
    }

    /// Whether they are being handed over.
    pub(super) fn is_replayed(&self) -> bool {
        self.replay.is_some()
    }

    /// About how many rows no session has.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether a message of this size may be left as well.
    pub(super) fn has_room(&self, size: usize, limit: OfflineLimit) -> bool {
        let bytes = self.bytes.saturating_add(size as u64);
        self.rows < limit.messages as u64 && bytes <= limit.bytes
    }

    /// One of this size will be left.
    pub(super) fn expect(&mut self, size: usize) {
        self.rows = self.rows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size as u64);
    }

    /// One of this size is left no longer.
    fn take(&mut self, size: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size as u64);
    }

    /// No session has this row (any more).
    pub(super) fn leave(&mut self, row: RowId) {
        match &mut self.replay {
            Some(replay) if replay.after < Some(row) => replay.more = true,
            _ => self.left = true,
        }
    }

    /// Whether features have called clients for this row.
    pub(super) fn is_told(&self, row: RowId) -> bool {
        self.told.contains(&row)
    }

    /// They have for these.
    pub(super) fn tell(&mut self, rows: impl IntoIterator<Item = RowId>) {
        self.told.extend(rows);
        while self.told.len() > TOLD {
            self.told.pop_first();
        }
    }

    /// These rows are owed no longer.
    fn forget(&mut self, rows: &[RowId]) {
        if !self.told.is_empty() {
            for row in rows {
                self.told.remove(row);
            }
        }
    }

    /// Another session was handed a row that is still to come to the one that they are handed to.
    pub(super) fn share(&mut self, row: RowId) {
        if let Some(replay) = &mut self.replay {
            replay.shared.insert(row, false);
        }
    }

    /// Whether a row that a client has is still to come to another one. It is owed until then.
    fn is_still_shared(&mut self, row: RowId) -> bool {
        let replay = self.replay.as_mut();
        let had = replay.and_then(|replay| replay.shared.get_mut(&row));
        had.map(|had| *had = true).is_some()
    }

    /// The session gets nothing more.
    pub(super) fn abandon(&mut self, session: SessionId, step: &mut Step) {
        let is_its = |replay: &Replay| replay.session == session;
        if self.replay.as_ref().is_some_and(is_its) {
            self.stop(step);
            self.left = true;
        }
    }

    /// Nothing is handed over any more. Nobody is owed what another client has.
    fn stop(&mut self, step: &mut Step) {
        let Some(replay) = self.replay.take() else {
            return;
        };
        self.left |= replay.more;
        let had = replay.shared.into_iter().filter(|(_, had)| *had);
        let had: Vec<RowId> = had.map(|(row, _)| row).collect();
        if !had.is_empty() {
            step.now().push(Effect::Confirm(had));
        }
    }
}

// === impl Session ===

impl Session {
    /// Hands over a row that is owed, unless the session takes nothing more; whether it has it now.
    pub(super) fn hand(&mut self, stanza: Stanza, row: RowId, step: &mut Step) -> bool {
        if self.is_held() {
            return false;
        }
        self.unconfirmed.add(row);
        let delivery = Delivery {
            stanza,
            custody: Custody::Log(row),
            since: None,
        };
        self.give(delivery, step.now());
        true
    }
}

impl Account {
    /// Whether a session has this row, and may still confirm it.
    pub(super) fn is_handed(&self, row: RowId) -> bool {
        self.sessions
            .iter()
            .any(|session| session.unconfirmed.contains(row))
    }

    /// A row that a session did not pass on to its client: another session has it, or it is left.
    pub(super) fn not_confirmed(&mut self, row: RowId) {
        if !self.is_handed(row) {
            self.owed.leave(row);
        }
    }

    /// A session that is gone will not confirm what it was handed.
    pub(super) fn leave_all(&mut self, ended: &mut Session, step: &mut Step) {
        self.owed.abandon(ended.key.id, step);
        for row in std::mem::take(&mut ended.unconfirmed.0) {
            if !self.is_handed(row) {
                self.owed.leave(row);
                self.owed.rows = self.owed.rows.saturating_add(1);
            }
        }
    }

    /// A client has removed these rows from the log (XEP-0013 §2.5).
    pub(super) fn removed(&mut self, rows: &[RowId]) {
        for row in rows {
            for session in self.sessions.iter_mut() {
                session.unconfirmed.remove(*row);
            }
        }
        self.owed.rows = self.owed.rows.saturating_sub(rows.len() as u64);
        self.owed.forget(rows);
    }

    /// A client has these rows: nobody is owed them any more.
    pub(super) fn confirmed(&mut self, session: SessionId, mut rows: Vec<RowId>, step: &mut Step) {
        for another in self.sessions.iter_mut() {
            for row in &rows {
                another.unconfirmed.remove(*row);
            }
        }
        self.owed.forget(&rows);
        rows.retain(|row| !self.owed.is_still_shared(*row));
        if !rows.is_empty() {
            step.now().push(Effect::Confirm(rows));
        }
        let is_replayed_to = |replay: &Replay| replay.session == session;
        if self.owed.replay.as_ref().is_some_and(is_replayed_to) {
            self.next_page(step);
        }
    }

    /// The log could not note that nobody is owed these rows any more: until it has, they are not handed over. Of too many
    /// the oldest are, once more.
    pub(crate) fn not_noted(&mut self, rows: Vec<RowId>) {
        let unnoted = &mut self.owed.unnoted;
        unnoted.extend(rows);
        while unnoted.len() > UNNOTED {
            unnoted.pop_first();
        }
    }

    /// Now it has.
    pub(crate) fn noted(&mut self, rows: &[RowId]) {
        for row in rows {
            self.owed.unnoted.remove(row);
        }
    }

    /// Whether there is something that the log could not note yet.
    pub(crate) fn has_unnoted(&self) -> bool {
        !self.owed.unnoted.is_empty()
    }

    /// What the log could not note yet: it is to be asked again.
    pub(crate) fn unnoted(&self) -> Vec<RowId> {
        self.owed.unnoted.iter().copied().collect()
    }

    /// Whether a client takes by itself what is left (XEP-0013 §2.2).
    fn is_withheld(&self) -> bool {
        let mut sessions = self.sessions.iter();
        sessions.any(|session| session.follows(ns::FLEXIBLE_OFFLINE))
    }

    /// Hands what is left to the first resource that takes messages, if there is one to one that has a connection.
    pub(super) fn replay_to_any(&mut self, step: &mut Step) {
        let first = self.taker(false).or_else(|| self.taker(true));
        match first {
            Some(session) => self.replay_to(session, step),
            None => self.begin(step),
        }
    }

    /// The first resource that takes messages, of those with a connection or of those without.
    fn taker(&self, detached: bool) -> Option<SessionId> {
        let takes = |session: &&Session| {
            session.takes_messages() && !session.is_held() && session.is_detached() == detached
        };
        self.sessions
            .iter()
            .find(takes)
            .map(|session| session.key.id)
    }

    /// A session that has lost its connection gets what is left no longer, if another one can have it.
    pub(super) fn hand_on(&mut self, session: SessionId, step: &mut Step) {
        let is_its = |replay: &Replay| replay.session == session;
        if self.owed.replay.as_ref().is_some_and(is_its) && self.taker(false).is_some() {
            self.owed.abandon(session, step);
            self.replay_to_any(step);
        }
    }

    /// Begins to hand what is left to a resource, unless another one gets it already.
    pub(super) fn replay_to(&mut self, session: SessionId, step: &mut Step) {
        // Who takes no messages any more holds up nobody else.
        let before = self.owed.replay.as_ref().map(|replay| replay.session);
        if let Some(before) = before
            && !self.takes(before)
        {
            self.owed.abandon(before, step);
        }
        let is_due = self.owed.left && self.owed.replay.is_none() && !self.is_withheld();
        if is_due && self.standing == Standing::Stored {
            self.owed.left = false;
            self.owed.replay = Some(Replay {
                session,
                after: None,
                more: true,
                waits: true,
                shared: BTreeMap::new(),
            });
        }
        self.begin(step);
    }

    /// Whether a session takes messages.
    fn takes(&self, session: SessionId) -> bool {
        let session = self.sessions.get(session);
        session.is_some_and(|session| session.takes_messages() && !session.is_held())
    }

    /// Reads the first page, once no session is about to return what is older.
    fn begin(&mut self, step: &mut Step) {
        let is_leaving = |session: &Session| session.is_held() && !session.unconfirmed.0.is_empty();
        let waiting = self.owed.replay.as_ref().filter(|replay| replay.waits);
        let is_ready = waiting.is_some_and(|replay| self.takes(replay.session))
            && !self.sessions.iter().any(is_leaving);
        if let Some(replay) = self.owed.replay.as_mut().filter(|_| is_ready) {
            replay.waits = false;
            step.write(Write::new(Change::Read(None)));
        }
    }

    /// A page has been read.
    pub(super) fn page(&mut self, rows: Vec<Row>, step: &mut Step) {
        let Some(replay) = &mut self.owed.replay else {
            return;
        };
        let id = replay.session;
        let size: usize = rows.iter().map(|row| row.payload.len()).sum();
        replay.more = rows.len() >= PAGE || size >= message_log::PAGE_BYTES;
        let mut bytes = 0;
        for row in rows {
            bytes += row.payload.len();
            if bytes > PAGE_BYTES && bytes > row.payload.len() {
                if let Some(replay) = &mut self.owed.replay {
                    replay.more = true;
                }
                break;
            }
            if let Some(replay) = &mut self.owed.replay {
                replay.after = Some(row.id);
            }
            if self.owed.unnoted.contains(&row.id) {
                continue;
            }
            if self.is_shared(row.id) || !self.is_handed(row.id) {
                self.hand_again(id, row, step);
            }
        }
        self.next_page(step);
    }

    /// Whether it was handed to others, and is to come to the session that they are handed to.
    fn is_shared(&self, row: RowId) -> bool {
        let replay = self.owed.replay.as_ref();
        replay.is_some_and(|replay| replay.shared.contains_key(&row))
    }

    /// Hands a row that is left to a session, with the note of its delay.
    fn hand_again(&mut self, session: SessionId, row: Row, step: &mut Step) {
        let size = row.payload.len();
        let (id, received) = (row.id, row.received);
        self.owed.take(size);
        let mut stanza = match durable::read(row.payload) {
            Ok(stanza) => stanza,
            Err(error) => {
                tracing::error!(account = %self.jid, row = %id, %error, "a message that is owed cannot be read");
                step.now().push(Effect::Unreadable);
                return step.now().push(Effect::Confirm(vec![id]));
            }
        };
        StanzaId::add(&mut stanza, id, &self.jid);
        stanza.append(self.delay(received).to_element());
        let session = self.sessions.get_mut(session);
        if !session.is_some_and(|session| session.hand(stanza, id, step)) {
            self.owed.expect(size);
            self.owed.left = true;
        } else if let Some(replay) = &mut self.owed.replay {
            replay.shared.remove(&id);
        }
    }

    /// Goes on with the replay once the client has the page before.
    fn next_page(&mut self, step: &mut Step) {
        let Some(replay) = self.owed.replay.as_ref().filter(|replay| !replay.waits) else {
            return;
        };
        let (after, more) = (replay.after, replay.more);
        let session = self.sessions.get(replay.session);
        if let (Some(session), Some(last)) = (session, after)
            && session.unconfirmed.reaches(last)
        {
            return;
        }
        if more && session.is_some_and(|session| session.takes_messages() && !session.is_held()) {
            return step.write(Write::new(Change::Read(after)));
        }
        self.owed.stop(step);
        if !self.owed.left {
            (self.owed.rows, self.owed.bytes) = (0, 0);
        }
        self.replay_to_any(step);
    }

    /// A page could not be read: it is tried again when a resource next becomes available.
    pub(super) fn page_failed(&mut self, step: &mut Step) {
        self.owed.stop(step);
        self.owed.left = true;
    }
}
