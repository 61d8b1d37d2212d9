//! The log of one account at one moment: what the index has of it, and what has happened since.

use std::collections::HashMap;

use rookery_stanza::BareJid;
use rookery_storage::message_log::{
    End, Filter, IngressId, Origin, PageQuery, REMEMBERED, RowId, Span, Tail as LogTail,
};
use rusqlite::{Connection, Result};

use super::fresh::{Fresh, FreshRow};
use super::index::{self, Found, Standing, Wanted};
use super::tail::Tail;

/// What the writer keeps at hand of an account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    pub(crate) epoch: u64,
    pub(crate) last: Option<RowId>,
    /// The highest count that came from each session, so that what is higher is known to be new.
    pub(crate) arrivals: HashMap<u64, u64>,
}

/// An account's log.
#[derive(Debug)]
pub(crate) struct View<'a> {
    connection: &'a Connection,
    standing: Standing,
    fresh: Fresh,
}

/// Looks at the log of an account. What the index contains when it is read is left out of what has happened since.
pub(crate) fn look<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    tail: &Tail,
    account: &str,
    work: impl FnOnce(&View<'_>) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let changes = tail.fresh(account);
    let snapshot = connection.unchecked_transaction()?;
    let indexed = if changes.is_empty() {
        None
    } else {
        index::position(&snapshot)?.map(|position| position.place)
    };
    let fresh = Fresh::of(account, &changes, indexed);
    let standing = if fresh.erased {
        Standing::default()
    } else {
        Standing::read(&snapshot, account)?
    };
    work(&View {
        connection: &snapshot,
        standing,
        fresh,
    })
}

// === impl View ===

impl View<'_> {
    pub(crate) fn tail(&self) -> Result<LogTail> {
        let mut owed = self.standing.owed(self.connection)?;
        for id in self.fresh.confirmed() {
            let was_owed = self.indexed(*id)?.is_some_and(|found| found.owed);
            owed = owed.saturating_sub(was_owed.into());
        }
        let fresh = self.fresh.rows().filter(|row| row.found.owed);
        Ok(LogTail {
            last: self.last(),
            owed: owed.saturating_add(fresh.count() as u64),
        })
    }

    /// What the writer keeps at hand of the account, for which something arrives at `now`.
    pub(crate) fn home(&self, now: u64) -> Result<Home> {
        let since = self.remembered(now);
        let mut arrivals = self.standing.arrivals(self.connection, since)?;
        for FreshRow { found, ingress, .. } in self.fresh.rows() {
            if found.id.order() >= since {
                let highest = arrivals.entry(ingress.session).or_default();
                *highest = ingress.count.max(*highest);
            }
        }
        Ok(Home {
            epoch: self.fresh.epoch.unwrap_or(self.standing.epoch),
            last: self.last(),
            arrivals,
        })
    }

    /// The row that came in so within the hour before `now`.
    pub(crate) fn arrived(&self, ingress: IngressId, now: u64) -> Result<Option<RowId>> {
        let since = self.remembered(now);
        let mut fresh = self.fresh.rows();
        let here = fresh.find(|row| row.ingress == ingress && row.found.id.order() >= since);
        match here {
            Some(row) => Ok(Some(row.found.id)),
            None => self.standing.arrived(self.connection, ingress, since),
        }
    }

    /// The row with this id, whatever keeps it.
    pub(crate) fn by_id(&self, id: RowId) -> Result<Option<Found>> {
        match self.fresh.row(id) {
            Some(found) => Ok(Some(found)),
            None => Ok(self.indexed(id)?.map(|found| self.fresh.amend(found))),
        }
    }

    /// Up to `limit` rows that are owed, oldest first, those after `after`.
    pub(crate) fn owed(&self, after: Option<RowId>, limit: usize) -> Result<Vec<Found>> {
        let with_confirmed = limit.saturating_add(self.fresh.confirmed().len());
        let mut owed = self
            .standing
            .owed_rows(self.connection, after, with_confirmed)?;
        self.amend(&mut owed);
        let after = after.map(RowId::order);
        let fresh = self.fresh.rows().map(|row| row.found);
        owed.extend(fresh.filter(|found| after < Some(found.id.order())));
        owed.retain(|found| found.owed);
        owed.truncate(limit);
        Ok(owed)
    }

    /// Up to `limit` rows of a page, from the end on that is asked for.
    pub(crate) fn page(&self, query: &PageQuery, limit: usize) -> Result<Vec<Found>> {
        let mut found = self
            .standing
            .rows(self.connection, &Wanted::page(query), limit)?;
        self.amend(&mut found);
        let between = |row: &&FreshRow| {
            query.after.is_none_or(|after| row.found.id > after)
                && query.before.is_none_or(|before| row.found.id < before)
        };
        let fresh = self.matching(&query.filter).filter(between);
        found.extend(fresh.map(|row| row.found));
        found.sort_unstable_by_key(|found| found.id);
        if query.end == End::Newest {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
    }

    /// How many rows match, counted up to `limit`.
    pub(crate) fn count(&self, filter: &Filter, limit: usize) -> Result<usize> {
        let wanted = Wanted::matching(filter);
        let indexed = self.standing.count(self.connection, &wanted, limit)?;
        let fresh = self.matching(filter).count();
        Ok(indexed.saturating_add(fresh).min(limit))
    }

    /// Up to `limit` rows of the archive that have this origin, newest first.
    pub(crate) fn by_origin(
        &self,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let archive = Filter::default();
        let fresh = self.matching(&archive).rev();
        let fresh = fresh.filter(|row| row.is_with(with.as_str()) && row.comes_from(origin));
        let mut found: Vec<Found> = fresh.map(|row| row.found).collect();
        let mut indexed = self
            .standing
            .by_origin(self.connection, with, origin, limit)?;
        self.amend(&mut indexed);
        found.extend(indexed);
        found.truncate(limit);
        Ok(found)
    }

    /// The ends of the archive.
    pub(crate) fn span(&self) -> Result<Option<Span>> {
        let end = |end| -> Result<Option<RowId>> {
            let query = PageQuery {
                end,
                ..PageQuery::default()
            };
            Ok(self.page(&query, 1)?.first().map(|found| found.id))
        };
        let ends = end(End::Oldest)?.zip(end(End::Newest)?);
        Ok(ends.map(|(first, last)| Span { first, last }))
    }

    fn last(&self) -> Option<RowId> {
        self.fresh.last().max(self.standing.last)
    }

    /// The lowest order of rows that were appended within the last hour, by the time of the log or by `now`.
    fn remembered(&self, now: u64) -> u64 {
        let now = self.last().map_or(now, |last| now.max(last.time()));
        RowId::order_at(now.saturating_sub(REMEMBERED))
    }

    fn matching<'b>(&'b self, filter: &'b Filter) -> impl DoubleEndedIterator<Item = &'b FreshRow> {
        self.fresh.rows().filter(|row| row.matches(filter))
    }

    fn indexed(&self, id: RowId) -> Result<Option<Found>> {
        self.standing.by_id(self.connection, id)
    }

    fn amend(&self, found: &mut [Found]) {
        for found in found {
            *found = self.fresh.amend(*found);
        }
    }
}
