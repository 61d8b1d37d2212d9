//! Questions to an archive, and their answers.

use rookery_stanza::Jid;

use super::{Row, RowId};

/// Which rows of an archive match. The default matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only rows exchanged with this address; a bare one matches all of its resources (XEP-0313 §4.1.1).
    pub with: Option<Jid>,
    /// Only rows of this time or later, in milliseconds since 1970-01-01T00:00:00Z (XEP-0313 §4.1.2).
    pub start: Option<u64>,
    /// Only rows of this time or earlier, in the same unit.
    pub end: Option<u64>,
}

/// At which end of what matches a page lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The oldest rows.
    #[default]
    Oldest,
    /// The newest rows: paging backwards.
    Newest,
}

/// A question for a page of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Which rows match.
    pub filter: Filter,
    /// Only rows after this one, which has to be in the archive.
    pub after: Option<RowId>,
    /// Only rows before this one, which has to be in the archive.
    pub before: Option<RowId>,
    /// Which of those.
    pub end: End,
    /// How many at most.
    pub limit: usize,
}

/// What came of asking for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paged {
    /// The page.
    Page(Page),
    /// This row, which the page was to begin or to end at, is not in the archive.
    NoSuchRow(RowId),
}

/// A page of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows, oldest first, whichever end they lie at.
    pub rows: Vec<Row>,
    /// Whether none that match are left at the other end.
    pub complete: bool,
}

/// The ends of an archive (XEP-0313 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The oldest row.
    pub first: RowId,
    /// The newest row.
    pub last: RowId,
}

/// What an account's log may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The time now, in milliseconds since 1970-01-01T00:00:00Z.
    pub now: u64,
    /// How old a row of the archive may become, in milliseconds.
    pub age: u64,
    /// How many rows the archive may have.
    pub rows: usize,
    /// How long a row may be owed, in milliseconds.
    pub owed: u64,
}

/// What a step of retention has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Rows that have left the archive.
    pub removed: usize,
    /// Rows that were owed for too long and are lost: not in the archive either.
    pub lost: usize,
    /// Whether there is more to do.
    pub more: bool,
}

// === impl Retention ===

impl Retention {
    /// Keeps everything.
    pub fn forever(now: u64) -> Self {
        Self {
            now,
            age: u64::MAX,
            rows: usize::MAX,
            owed: u64::MAX,
        }
    }

    /// Rows of the archive that are below this order are too old.
    pub fn oldest_archived(&self) -> u64 {
        RowId::order_at(self.now.saturating_sub(self.age))
    }

    /// Rows that are owed and below this order are too old.
    pub fn oldest_owed(&self) -> u64 {
        RowId::order_at(self.now.saturating_sub(self.owed))
    }

    /// Rows that nothing keeps and that are below this order need not be remembered.
    pub fn oldest_remembered(&self) -> u64 {
        RowId::order_at(self.now.saturating_sub(super::REMEMBERED))
    }
}

// === impl Filter ===

impl Filter {
    /// The lowest order that matches.
    pub fn first_order(&self) -> u64 {
        self.start.map_or(0, RowId::order_at)
    }

    /// The lowest order above all that match; at most 2^63 - 1.
    pub fn end_order(&self) -> u64 {
        let above = |end: u64| RowId::order_at(end.saturating_add(1));
        self.end.map_or(i64::MAX.unsigned_abs(), above)
    }

    /// Whether a row exchanged with this address matches by that.
    pub fn matches(&self, with: &Jid) -> bool {
        self.with.as_ref().is_none_or(|wanted| {
            if wanted.is_full() {
                wanted == with
            } else {
                wanted.bare_str() == with.bare_str()
            }
        })
    }
}
