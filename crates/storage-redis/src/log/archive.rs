//! The archive: the stream itself in order of time, and an index by correspondent.

use redis::{Cmd, Value, cmd};
use rookery_stanza::{BareJid, Jid};
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    End, Filter, ORIGINS, Origin, PAGE_BYTES, Page, PageQuery, Paged, Row, RowId, Span,
};

use super::place::{self, Entry};
use super::record::Stored;
use crate::keys::Keys;
use crate::reply;
use crate::store::RedisStore;

/// How many entries of the index are read at once.
pub(super) const ENTRIES: usize = 512;

/// From which order to which, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// A row of the archive, which may be owed and may have another payload.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) order: u64,
    pub(super) stored: Stored,
}

// === impl Found ===

impl Found {
    pub(super) fn id(&self) -> RowId {
        RowId::from_halves(self.order, self.stored.salt)
    }

    /// The entries that a stream was asked for.
    pub(super) fn read(answer: Value) -> Result<Vec<Self>, StoreError> {
        let entry = |entry: Value| {
            let [place, fields] = reply::exactly(reply::list(entry)?)?;
            let [_, record] = reply::exactly(reply::list(fields)?)?;
            Ok(Self {
                order: place::order(&reply::text(place)?)?,
                stored: Stored::read(&reply::bytes(record)?)?,
            })
        };
        reply::list(answer)?.into_iter().map(entry).collect()
    }
}

// === impl Range ===

impl Range {
    pub(super) fn of(filter: &Filter) -> Self {
        Self {
            from: filter.first_order(),
            to: filter.end_order().saturating_sub(1),
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.from > self.to
    }

    /// Up to `count` rows of a stream, from one end.
    pub(super) fn of_stream(self, keys: &Keys, end: End, count: usize) -> Cmd {
        let (from, to) = (place::in_stream(self.from), place::in_stream(self.to));
        let mut command = match end {
            End::Oldest => cmd("XRANGE"),
            End::Newest => cmd("XREVRANGE"),
        };
        command.arg(keys.key("rows"));
        match end {
            End::Oldest => command.arg(from).arg(to),
            End::Newest => command.arg(to).arg(from),
        };
        command.arg("COUNT").arg(count);
        command
    }

    /// What the entries of a correspondent lie between in the index.
    pub(super) fn of_index(self, with: &BareJid) -> (String, String) {
        let digest = place::of_correspondent(with);
        // No digit is above this letter.
        (
            format!("[{digest}{:016x}", self.from),
            format!("({digest}{:016x}g", self.to),
        )
    }
}

impl RedisStore {
    /// A page of the archive.
    pub(super) async fn archive_page(
        &self,
        account: &BareJid,
        query: &PageQuery,
    ) -> Result<Paged, StoreError> {
        let keys = self.wire.keys(account);
        let mut range = Range::of(&query.filter);
        let limits: Vec<RowId> = query.after.iter().chain(&query.before).copied().collect();
        let there = self.found(&keys, &limits).await?;
        if let Some((id, _)) = limits.iter().zip(&there).find(|(_, found)| found.is_none()) {
            return Ok(Paged::NoSuchRow(*id));
        }
        if let Some(after) = query.after {
            range.from = range.from.max(after.order().saturating_add(1));
        }
        if let Some(before) = query.before {
            match before.order().checked_sub(1) {
                Some(to) => range.to = range.to.min(to),
                None => {
                    return Ok(Paged::Page(Page {
                        rows: Vec::new(),
                        complete: true,
                    }));
                }
            }
        }
        if range.is_empty() {
            return Ok(Paged::Page(Page {
                rows: Vec::new(),
                complete: true,
            }));
        }
        let (mut found, complete) = match &query.filter.with {
            None => {
                let more = query.limit.saturating_add(1);
                let command = range.of_stream(&keys, query.end, more);
                let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
                let mut found = Found::read(answer)?;
                let complete = found.len() <= query.limit;
                found.truncate(query.limit);
                (found, complete)
            }
            Some(with) => {
                self.by_index(&keys, with, range, query.end, query.limit)
                    .await?
            }
        };
        let complete = !cut(&mut found) && complete;
        if query.end == End::Newest {
            found.reverse();
        }
        let rows = self.rows_of(&keys, found).await?;
        Ok(Paged::Page(Page { rows, complete }))
    }

    /// Rows with a correspondent, from one end, and whether these are all.
    async fn by_index(
        &self,
        keys: &Keys,
        with: &Jid,
        range: Range,
        end: End,
        limit: usize,
    ) -> Result<(Vec<Found>, bool), StoreError> {
        let mut orders = Vec::new();
        self.look_through(keys, with, range, end, |entry| {
            orders.push(entry.order);
            orders.len() <= limit
        })
        .await?;
        let complete = orders.len() <= limit;
        orders.truncate(limit);
        let commands: Vec<Cmd> = orders.iter().map(|order| at(keys, *order)).collect();
        let mut found = Vec::with_capacity(orders.len());
        if !commands.is_empty() {
            for answer in self.wire.read(keys, commands).await? {
                found.extend(Found::read(answer)?);
            }
        }
        // Two correspondents may have one digest.
        let filter = Filter {
            with: Some(with.clone()),
            ..Filter::default()
        };
        found.retain(|row| filter.matches(&row.stored.with));
        Ok((found, complete))
    }

    /// Shows the entries of a correspondent, from one end, for as long as they are wanted.
    pub(super) async fn look_through(
        &self,
        keys: &Keys,
        with: &Jid,
        mut range: Range,
        end: End,
        mut look: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<(), StoreError> {
        let resource = with.is_full().then(|| place::of_resource(with));
        while !range.is_empty() {
            let (from, to) = range.of_index(&with.bare());
            let mut command = match end {
                End::Oldest => cmd("ZRANGEBYLEX"),
                End::Newest => cmd("ZREVRANGEBYLEX"),
            };
            command.arg(keys.key("index"));
            match end {
                End::Oldest => command.arg(from).arg(to),
                End::Newest => command.arg(to).arg(from),
            };
            command.arg("LIMIT").arg(0).arg(ENTRIES);
            let entries = reply::list(reply::one(self.wire.read(keys, vec![command]).await?)?)?;
            let full = entries.len() == ENTRIES;
            for entry in entries {
                let entry = reply::text(entry)?;
                let entry = Entry::read(&entry)?;
                match end {
                    End::Oldest => range.from = entry.order.saturating_add(1),
                    End::Newest if entry.order == 0 => return Ok(()),
                    End::Newest => range.to = entry.order - 1,
                }
                let wanted = resource
                    .as_ref()
                    .is_none_or(|resource| resource == entry.resource);
                if wanted && !look(entry) {
                    return Ok(());
                }
            }
            if !full {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The rows with these ids.
    pub(super) async fn archive_rows(
        &self,
        account: &BareJid,
        ids: &[RowId],
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let keys = self.wire.keys(account);
        let found = self.found(&keys, ids).await?;
        let rows = self
            .rows_of(&keys, found.into_iter().flatten().collect())
            .await?;
        let row = |id: &RowId| rows.iter().find(|row| row.id == *id).cloned();
        Ok(ids.iter().map(row).collect())
    }

    /// The rows with these ids, as they are stored.
    pub(super) async fn found(
        &self,
        keys: &Keys,
        ids: &[RowId],
    ) -> Result<Vec<Option<Found>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let commands = ids.iter().map(|id| at(keys, id.order())).collect();
        let answers = self.wire.read(keys, commands).await?;
        let found = answers.into_iter().zip(ids).map(|(answer, id)| {
            let found = Found::read(answer)?.into_iter().next();
            // Whoever guessed the order has not guessed the id.
            Ok(found.filter(|found| found.id() == *id))
        });
        found.collect()
    }

    /// The rows as they are read.
    async fn rows_of(&self, keys: &Keys, found: Vec<Found>) -> Result<Vec<Row>, StoreError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let (mut owed, mut instead) = (cmd("ZMSCORE"), cmd("HMGET"));
        owed.arg(keys.key("owed"));
        instead.arg(keys.key("replaced"));
        for row in &found {
            let id = row.id().to_string();
            owed.arg(&id);
            instead.arg(id);
        }
        let [owed, instead] = reply::exactly(self.wire.read(keys, vec![owed, instead]).await?)?;
        let facts = reply::list(owed)?.into_iter().zip(reply::list(instead)?);
        let rows = found
            .into_iter()
            .zip(facts)
            .filter_map(|(row, (owed, instead))| {
                let instead = reply::maybe_bytes(instead);
                let read = |instead| row.stored.row(row.order, true, owed != Value::Nil, instead);
                instead.map(read).transpose()
            });
        rows.collect()
    }

    /// Rows that their sender called by this name, newest first.
    pub(super) async fn archive_by_origin(
        &self,
        account: &BareJid,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (keys, everything) = (self.wire.keys(account), Range::of(&Filter::default()));
        let (mut orders, mut looked) = (Vec::new(), 0);
        let with = Jid::from(with.clone());
        self.look_through(&keys, &with, everything, End::Newest, |entry| {
            looked += 1;
            if entry.origin == Some(origin) {
                orders.push(entry.order);
            }
            orders.len() < limit && looked < ORIGINS
        })
        .await?;
        let commands: Vec<Cmd> = orders
            .into_iter()
            .take(limit)
            .map(|order| at(&keys, order))
            .collect();
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for answer in self.wire.read(&keys, commands).await? {
            found.extend(Found::read(answer)?);
        }
        let filter = Filter {
            with: Some(with),
            ..Filter::default()
        };
        found.retain(|row| filter.matches(&row.stored.with));
        self.rows_of(&keys, found).await
    }

    /// The first and the last row.
    pub(super) async fn archive_span(&self, account: &BareJid) -> Result<Option<Span>, StoreError> {
        let (keys, everything) = (self.wire.keys(account), Range::of(&Filter::default()));
        let ends = [End::Oldest, End::Newest].map(|end| everything.of_stream(&keys, end, 1));
        let [first, last] = reply::exactly(self.wire.read(&keys, ends.into()).await?)?;
        let id = |answer| Ok::<_, StoreError>(Found::read(answer)?.first().map(Found::id));
        let (first, last) = (id(first)?, id(last)?);
        Ok(first.zip(last).map(|(first, last)| Span { first, last }))
    }
}

/// Ends a page where its payloads are as large as a page may be; whether that left anything out.
fn cut(found: &mut Vec<Found>) -> bool {
    let mut bytes = 0;
    let within = |row: &&Found| {
        let before = bytes;
        bytes += row.stored.payload.len();
        before < PAGE_BYTES
    };
    let some = found.iter().take_while(within).count();
    let all = found.len();
    found.truncate(some);
    some < all
}

/// The row of this order.
fn at(keys: &Keys, order: u64) -> Cmd {
    let place = place::in_stream(order);
    let mut command = cmd("XRANGE");
    command.arg(keys.key("rows")).arg(&place).arg(&place);
    command
}
